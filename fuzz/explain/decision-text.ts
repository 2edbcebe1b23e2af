/** What decided a failure, in words: the critical pair and the run that passes, or why there is none. */
import type { Row } from '../../sim/trace.ts';
import { describeRow } from '../describe.ts';
import { formatName } from '../names.ts';
import { type Plan, type PlannedRun, runAnswers } from '../schedule.ts';
import { shortName } from '../sentence.ts';
import { limitsFor, Session } from '../session.ts';
import { AnswerStrategy } from '../strategies/answers.ts';
import type { CriticalPair, Decisive } from './decisive.ts';

/** Marks of the pair in the lanes. */
const FIRST = '1';
const SECOND = '2';

/** The rows of the pair in the failing run, for the lanes. */
export function pairRows({ pair }: Decisive): ReadonlyMap<number, string> {
  if (pair === undefined) return new Map();
  const marks = new Map([[pair.firstRow, FIRST]]);
  if (pair.secondRow !== undefined) marks.set(pair.secondRow, SECOND);
  return marks;
}

/** At most six lines. The session may hold any run, and does afterwards. */
export function decisionText(
  session: Session,
  plan: Plan,
  failing: PlannedRun,
  decisive: Decisive,
): readonly string[] {
  const { pair, choice, inevitable, inevitableStep, continuations } = decisive;
  const wayOut =
    inevitable < 0
      ? `  no way out: ${continuations} other schedules of this program fail as well`
      : `  no way out after step ${inevitableStep}: from there ${continuations} other schedules fail as well`;
  if (pair !== undefined) return [...pairText(session, plan, failing, pair), wayOut];
  if (choice !== undefined) {
    const answered = `${formatName(choice.event)} was answered ${choice.given}`;
    return [
      'decided by no order of two events, but by an answer; with the other one the run passes:',
      `  ${answered}; answered ${choice.other}, no oracle objects`,
      wayOut,
      ...correctText(session, plan, failing),
    ];
  }
  return ['decided by the code alone:', wayOut, ...correctText(session, plan, failing)];
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

/** What the correct code does under the same schedule: where it first does something else. */
function correctText(session: Session, plan: Plan, failing: PlannedRun): readonly string[] {
  const difference = firstDifference(session, plan, failing);
  if (difference === undefined) return [];
  const { correct, row } = difference;
  return [
    `  the correct code differs first at ${told(correct, row)}`,
    `  ... instead of ${told(session, row)}`,
  ];
}

/** The first trace row in which the correct code differs under the same schedule, and its session. */
export function firstDifference(
  session: Session,
  plan: Plan,
  failing: PlannedRun,
): { readonly correct: Session; readonly row: number } | undefined {
  if (session.bugs.length === 0) return undefined;
  const { system, configuration } = session;
  runAnswers(session, plan, failing.answers);
  const correct = new Session(system, configuration, { bugs: [] });
  correct.load(plan.program);
  const limits = limitsFor(configuration, plan.program);
  correct.run(plan.parameters, new AnswerStrategy(failing.answers), limits);
  const one = session.machine.trace;
  const other = correct.machine.trace;
  let row = 0;
  while (row < one.count && row < other.count && isSame(one.at(row), other.at(row))) row += 1;
  return row < one.count && row < other.count ? { correct, row } : undefined;
}

function isSame(one: Row, other: Row): boolean {
  return (Object.keys(one) as (keyof Row)[]).every((key) => one[key] === other[key]);
}

function told(session: Session, index: number): string {
  const { step } = session.machine.trace.at(index);
  return `step ${step}, ${done(session, index)}`;
}

function done(session: Session, index: number): string {
  const row = session.machine.trace.at(index);
  return `${shortName(session, row.operation)}: ${describeRow(session, row)}`;
}
