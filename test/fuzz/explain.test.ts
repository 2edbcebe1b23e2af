/**
 * What decided a failure: the critical pair really is one (made the other way round, the run passes), it
 * touches the operation with the flag, and where there is no way out any more, none is found.
 */
import test from 'ava';
import { CORPUS_FOLDER, caseFiles, readCase } from '../../campaign/corpus.ts';
import type { Case } from '../../fuzz/case.ts';
import { type Decisive, findDecisive } from '../../fuzz/explain/decisive.ts';
import { EXPLANATION_LINES_MAX, explain } from '../../fuzz/explain.ts';
import { type EventName, formatName, nameOf } from '../../fuzz/names.ts';
import { type PlannedRun, runAnswers, runPlan } from '../../fuzz/schedule.ts';
import type { Session } from '../../fuzz/session.ts';
import { Sessions } from '../../fuzz/sessions.ts';

interface Explained {
  readonly file: string;
  readonly value: Case;
  readonly session: Session;
  readonly run: PlannedRun;
  readonly decisive: Decisive;
  /** Operation instances that read the case's flag. */
  readonly readers: ReadonlySet<number>;
}

const ZOO_PERCENT = 90;

const sessions = new Sessions();
const EXPLAINED: readonly Explained[] = caseFiles(CORPUS_FOLDER).flatMap((file) => {
  const value = readCase(file);
  if (value.bug === undefined || value.expect === undefined) return [];
  const session = sessions.get(value.system, value.configuration, [value.bug]);
  const run = runPlan(session, value);
  const readers = readersOf(session, value, run, value.bug);
  return [{ file, value, session, run, readers, decisive: findDecisive(session, value, run) }];
});

/** Runs once more and notes which operation reads the flag. */
function readersOf(session: Session, value: Case, run: PlannedRun, bug: string): Set<number> {
  const readers = new Set<number>();
  const { flags, machine } = session;
  const plain = flags.on.bind(flags);
  flags.on = (id) => {
    if (id === bug) readers.add(machine.operation);
    return plain(id);
  };
  try {
    runAnswers(session, value, run.answers);
  } finally {
    flags.on = plain;
  }
  return readers;
}

/** Place of a named event in a run, or -1. */
function placeOf({ machine, directory }: Session, run: PlannedRun, name: EventName): number {
  const text = formatName(name);
  return run.recorder.events.findIndex(
    (event) => formatName(nameOf(machine, directory, event, event.occurrence)) === text,
  );
}

test('the pair stands in one order in the failing run, in the other one in a run that passes', (t) => {
  const withPair = EXPLAINED.filter(({ decisive }) => decisive.pair !== undefined);
  t.true(withPair.length * 2 > EXPLAINED.length);
  for (const { file, value, session, run, decisive } of withPair) {
    const { first, second, neighbour } = decisive.pair!;
    const failing = runAnswers(session, value, run.answers)!;
    t.not(failing.violation, undefined, file);
    const [one, other] = [placeOf(session, failing, first), placeOf(session, failing, second)];
    t.true(one >= 0 && (other < 0 || one < other), file);
    const passing = runAnswers(session, value, neighbour.answers);
    t.not(passing, undefined, file);
    t.is(passing!.violation, undefined, file);
    const [late, early] = [placeOf(session, passing!, first), placeOf(session, passing!, second)];
    t.true(early >= 0 && (late < 0 || early < late), file);
  }
});

test('where no order decides, the correct code does something else at that row, and passes', (t) => {
  const byCode = EXPLAINED.filter(({ decisive }) => decisive.code !== undefined);
  t.true(byCode.length > 0);
  for (const { file, value, session, run, decisive } of byCode) {
    t.is(decisive.pair, undefined, file);
    const { row, secondRow, correct, neighbour, operation } = decisive.code!;
    t.deepEqual(correct.bugs, [], file);
    t.is(runAnswers(correct, value, neighbour.answers)?.violation, undefined, file);
    const failing = runAnswers(session, value, run.answers)!;
    t.is(failing.violation?.row, secondRow, file);
    t.true(row <= secondRow, file);
    const [one, other] = [session.machine.trace, correct.machine.trace];
    for (let before = 0; before < row; before += 1) t.deepEqual(other.at(before), one.at(before));
    t.notDeepEqual(other.at(row), one.at(row), file);
    t.is(one.at(row).operation, operation, file);
  }
});

test('an answer that decides is asked in the failing run, and the other answer lets it pass', (t) => {
  const byAnswer = EXPLAINED.filter(({ decisive }) => decisive.choice !== undefined);
  t.true(byAnswer.length > 0);
  for (const { file, value, session, decisive } of byAnswer) {
    const { given, other, neighbour } = decisive.choice!;
    t.is(decisive.pair, undefined);
    t.not(given, other, file);
    t.is(runAnswers(session, value, neighbour.answers)?.violation, undefined, file);
  }
});

test('the critical pair touches an operation instance that read the flag, for nearly all of the zoo', (t) => {
  const missed: string[] = [];
  let orders = 0;
  let codes = 0;
  for (const { file, decisive, readers } of EXPLAINED) {
    const { pair, code } = decisive;
    const isRead = (operation: number): boolean => readers.has(operation);
    if (pair !== undefined && [pair.firstOperation, pair.secondOperation].some(isRead)) orders += 1;
    else if (code !== undefined && isRead(code.operation)) codes += 1;
    else missed.push(file);
  }
  const hits = orders + codes;
  const share = ((100 * hits) / EXPLAINED.length).toFixed(1);
  t.log(
    `critical pairs that touch an operation that read the flag: ${hits} of ${EXPLAINED.length} cases (${share} %), ` +
      `${orders} by the order of two actors, ${codes} by the code; not: ${missed.join(', ')}`,
  );
  t.true(100 * hits >= ZOO_PERCENT * EXPLAINED.length);
  t.true(orders > codes);
});

test('there still is a way out before the pair, and the search always ends with the same answer', (t) => {
  for (const { file, value, session, run, decisive } of EXPLAINED.slice(0, 12)) {
    const again = findDecisive(session, value, run);
    t.is(again.inevitable, decisive.inevitable, file);
    t.is(again.executions, decisive.executions, file);
    t.is(again.pair?.at, decisive.pair?.at, file);
    t.true(decisive.inevitable < run.recorder.events.length, file);
    if (decisive.pair !== undefined) t.true(decisive.inevitable >= decisive.pair.at, file);
  }
});

test('the canary: the page is freed before the invalidation arrives', (t) => {
  const session = sessions.get('canary', 'canary', ['canary-free-before-invalidation']);
  const program = [
    { actor: 'vcpu0', operations: [{ key: 'w1', operation: 'write', args: [0] }] },
    { actor: 'host', operations: [{ key: 'u1', operation: 'unmap', args: [0] }] },
  ];
  const plan = { program, parameters: {}, order: [], choices: [] };
  const run = runPlan(session, plan);
  const { pair } = findDecisive(session, plan, run);
  t.is(formatName(pair!.first), 'host.u1/canary.free');
  t.is(formatName(pair!.second), 'host.u1/canary.invalidate@pe0');
  const text = explain(session, plan, run);
  t.true(text.length <= EXPLANATION_LINES_MAX);
  t.true(text.some((line) => line.includes('swapped: ') && line.includes('arrives at PE 0')));
  t.true(text.some((line) => line.includes('covers it, but had not arrived')));
});

test('a run without a violation is explained by its lanes alone', (t) => {
  const session = sessions.get('canary', 'canary', []);
  const program = [{ actor: 'vcpu0', operations: [{ key: 'w1', operation: 'write', args: [0] }] }];
  const plan = { program, parameters: {}, order: [], choices: [] };
  const text = explain(session, plan, runPlan(session, plan));
  t.regex(text[0]!, /^step +vcpu0 \(PE 0\)$/);
  t.false(text.some((line) => line.includes('broken promise')));
});
