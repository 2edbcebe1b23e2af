/**
 * What the viewers show is what the machine holds: at the end of a run the state made from changes equals the
 * machine's own, and going back and forth gives the same state at every row.
 */
import test from 'ava';
import { CORPUS_FOLDER, caseFiles, readCase } from '../../campaign/corpus.ts';
import { Run } from '../../cli/page/viewer/run.js';
import { State } from '../../cli/page/viewer/state.js';
import { viewOf } from '../../cli/viewer.ts';
import type { Case } from '../../fuzz/case.ts';
import { replayCase } from '../../fuzz/replay.ts';
import { runPlan } from '../../fuzz/schedule.ts';
import type { Session } from '../../fuzz/session.ts';
import { Sessions } from '../../fuzz/sessions.ts';
import { viewRun } from '../../fuzz/view/make-view.ts';

const sessions = new Sessions();
const CASES = caseFiles(CORPUS_FOLDER).map((file) => ({ file, value: readCase(file) }));

function sessionOf({ system, configuration, bug }: Case): Session {
  return sessions.get(system, configuration, bug === undefined ? [] : [bug]);
}

/** A run and its state at the end; the session holds the same run. */
function atEnd(value: Case): { session: Session; run: Run; state: State } {
  const session = sessionOf(value);
  const data = viewRun(session, value, runPlan(session, value), undefined);
  const run = new Run(data);
  const state = new State(run);
  state.goTo(run.rowCount);
  return { session, run, state };
}

/** Labels of what is there in a group. */
function present({ run, state }: { run: Run; state: State }, group: string): string[] {
  return run.data.keys.flatMap((key, index) =>
    key.group === group && state.values[index]! >= 0 ? [key.label] : [],
  );
}

for (const { file, value } of CASES) {
  test(`${file}: TLBs, locks and table entries at the end are the machine's`, (t) => {
    const end = atEnd(value);
    const { machine } = end.session;
    const cached = machine.pes.map(({ tlb }) => tlb.count);
    const shown = machine.pes.map(
      (_, pe) => present(end, 'tlb').filter((label) => label.startsWith(`PE ${pe}:`)).length,
    );
    t.deepEqual(shown, cached);
    const held = machine.locks.specs
      .filter((_, lock) => machine.locks.owner[lock]! >= 0 || machine.locks.readers[lock] !== 0)
      .map(({ name }) => name);
    // a run that stops at an unlock is judged while the lock is still held
    const lastKind = machine.trace.count - 1;
    const dropped = present(end, 'lock').filter((name) => !held.includes(name));
    t.deepEqual(dropped, [], `row ${lastKind}`);
    for (const [index, { group, place, index: at }] of end.run.data.keys.entries()) {
      if (group !== 'entry' || machine.tables.treeOf[place]! < 0) continue;
      const word = machine.memory.load(machine.memory.address(place, at));
      t.is(end.state.values[index]! >= 0, word !== 0, `page ${place} entry ${at}`);
    }
  });
}

test('a root and every page of each table are shown', (t) => {
  for (const { value } of CASES.slice(0, 12)) {
    const end = atEnd(value);
    const { tables, memory } = end.session.machine;
    tables.trees.forEach(({ live, root }, tree) => {
      const key = end.run.data.trees[tree]!.rootKey;
      const shown = end.state.values[key]!;
      t.is(shown >= 0, live);
      if (live) t.is(end.run.data.values[shown]!.child, root);
    });
    for (let frame = 0; frame < memory.frames; frame += 1) {
      if (tables.treeOf[frame]! < 0) continue;
      for (let index = 0; index < memory.wordsPerPage; index += 1) {
        if (memory.load(memory.address(frame, index)) === 0) continue;
        const key = end.run.data.keys.findIndex(
          (one) => one.group === 'entry' && one.place === frame && one.index === index,
        );
        t.true(key >= 0 && end.state.values[key]! >= 0, `page ${frame} entry ${index}`);
      }
    }
  }
});

test('back and forth gives the same state at every row', (t) => {
  const { value } = CASES.find(({ file }) => file.includes('A03'))!;
  const { run } = atEnd(value);
  const forth = new State(run);
  const states: Int32Array[] = [];
  for (let row = 0; row <= run.rowCount; row += 1) {
    forth.goTo(row);
    states.push(forth.values.slice());
  }
  const walker = new State(run);
  for (const row of [run.rowCount, 3, 200, 0, 77, run.rowCount - 1, 12]) {
    walker.goTo(Math.min(row, run.rowCount));
    t.deepEqual(walker.values, states[Math.min(row, run.rowCount)]!, `row ${row}`);
  }
});

test('arrows go from earlier to later events of different lanes, and none follows from others', (t) => {
  for (const { value } of CASES.slice(0, 10)) {
    const { run } = atEnd(value);
    const { arrows, events } = run.data;
    t.true(arrows.length > 0);
    for (let at = 0; at < arrows.length; at += 2) {
      t.true(arrows[at]! < arrows[at + 1]!);
      t.not(events.lane[arrows[at]!], events.lane[arrows[at + 1]!]);
    }
  }
});

test('the view of a failing case has its neighbour, its marks and its order', (t) => {
  const file = 'corpus/kvm-arm64/A20-table-level-as-hint.yaml';
  const value = readCase(file);
  const view = viewOf(file, value, replayCase(new Sessions(), value));
  t.is(view.runs.length, 2);
  const [failing, passing] = view.runs;
  t.true(failing!.violation >= 0);
  t.is(passing!.violation, -1);
  const kinds = failing!.marks.map(({ kind }) => kind);
  for (const kind of ['violation', 'survivor', 'first', 'second', 'order', 'inevitable'] as const)
    t.true(kinds.includes(kind), kind);
  t.is(failing!.orders.length, value.order.length);
  for (const { before, after } of failing!.orders) t.true(before >= 0 && before < after);
});
