/** What decided a failure, in words: the critical pair and the run that passes, or why there is none. */
import { describeRow } from '../describe.ts';
import { formatName } from '../names.ts';
import { type Plan, type PlannedRun, runAnswers } from '../schedule.ts';
import { shortName } from '../sentence.ts';
import type { Session } from '../session.ts';
import type { CodePair, CriticalPair, Decisive } from './decisive.ts';

/** Marks of the pair in the lanes. */
const FIRST = '1';
const SECOND = '2';

/** The rows of the pair in the failing run, for the lanes. */
export function pairRows({ pair, code }: Decisive): ReadonlyMap<number, string> {
  const [first, second] =
    pair !== undefined ? [pair.firstRow, pair.secondRow] : [code?.row, code?.secondRow];
  const marks = new Map<number, string>();
  if (second !== undefined) marks.set(second, SECOND);
  if (first !== undefined) marks.set(first, FIRST);
  return marks;
}

/** At most six lines. The session may hold any run, and does afterwards. */
export function decisionText(
  session: Session,
  plan: Plan,
  failing: PlannedRun,
  decisive: Decisive,
): readonly string[] {
  const { pair, code, choice, inevitable, inevitableStep, continuations } = decisive;
  const wayOut =
    inevitable < 0
      ? `  no way out: ${continuations} other schedules of this program fail as well`
      : `  no way out after step ${inevitableStep}: from there ${continuations} other schedules fail as well`;
  if (pair !== undefined) return [...pairText(session, plan, failing, pair), wayOut];
  const answered =
    choice === undefined
      ? ''
      : `  ${formatName(choice.event)} was answered ${choice.given}; answered ${choice.other}, no oracle objects`;
  if (code !== undefined) {
    // that nothing would have gone wrong had nothing been done says little
    const also = choice !== undefined && choice.given !== 0 ? [answered] : [];
    return [...codeText(session, plan, failing, code), ...also, wayOut];
  }
  if (choice === undefined) return ['decided by the code alone:', wayOut];
  const by =
    'decided by no order of two events, but by an answer; with the other one the run passes:';
  return [by, answered, wayOut];
}

function pairText(
  session: Session,
  plan: Plan,
  failing: PlannedRun,
  pair: CriticalPair,
): readonly string[] {
  runAnswers(session, plan, failing.answers);
  const first = told(session, pair.firstRow);
  const second =
    pair.secondRow === undefined
      ? `${formatName(pair.second)} does not come before the end`
      : told(session, pair.secondRow);
  runAnswers(session, plan, pair.neighbour.answers);
  const instead = [
    done(session, pair.neighbourSecond),
    ...(pair.neighbourFirst === undefined ? [] : [done(session, pair.neighbourFirst)]),
  ];
  return [
    'decided by the order of two events; made the other way round, the run passes:',
    `  1 first: ${first}`,
    `  2 later: ${second}`,
    `  swapped: ${instead.join('; then ')}; no oracle objects`,
  ];
}

/** The code alone: what it does, what that leads to, and what the correct code does instead. */
function codeText(
  session: Session,
  plan: Plan,
  failing: PlannedRun,
  code: CodePair,
): readonly string[] {
  runAnswers(session, plan, failing.answers);
  runAnswers(code.correct, plan, code.neighbour.answers);
  const leadsTo =
    code.row === code.secondRow ? [] : [`  2 leads to: ${told(session, code.secondRow)}`];
  return [
    'decided by the code alone; with the correct code the same schedule passes:',
    `  1 here: ${told(session, code.row)}`,
    ...leadsTo,
    `  correct: ${done(code.correct, code.row)}; no oracle objects`,
  ];
}

function told(session: Session, index: number): string {
  const { step } = session.machine.trace.at(index);
  return `step ${step}, ${done(session, index)}`;
}

function done(session: Session, index: number): string {
  const row = session.machine.trace.at(index);
  return `${shortName(session, row.operation)}: ${describeRow(session, row)}`;
}
