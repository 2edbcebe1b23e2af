/** What a run covered, against a slow and simple reading of the same trace. */
import test from 'ava';
import { CoverageTotals } from '../../campaign/coverage.ts';
import { Coverage } from '../../fuzz/coverage.ts';
import { Executor } from '../../fuzz/execution.ts';
import type { Session } from '../../fuzz/session.ts';
import { Sessions } from '../../fuzz/sessions.ts';
import { SYSTEMS } from '../../models/registry.ts';
import { Event } from '../../sim/event.ts';

/** Object, and whether it is written, of a row; undefined for rows that touch nothing of interest. */
function touched(kind: number, a: number, b: number): readonly [string, boolean] | undefined {
  switch (kind) {
    case Event.Read:
    case Event.Wait:
    case Event.CompareFailed:
    case Event.WalkRead:
      return [`word ${a}`, false];
    case Event.StoreVisible:
      return [`word ${a}`, true];
    case Event.TlbFill:
    case Event.TlbDrop:
      return [`tlb ${a & 0xff}`, true];
    case Event.InvalidateArrive:
      return [`tlb ${b}`, true];
    case Event.LockTake:
      return [`lock ${a}`, true];
    case Event.Allocate:
    case Event.Free:
      return ['pool', true];
    default:
      return undefined;
  }
}

/** Names of the pairs of a run, by looking back from every access for the one before it. */
function pairsOf({ machine, directory }: Session): string[] {
  const { trace } = machine;
  const rows = Array.from({ length: trace.count }, (_, row) => trace.at(row)).flatMap((row) => {
    const object = touched(row.kind, row.a, row.b);
    return object === undefined ? [] : [{ row, object: object[0], isWrite: object[1] }];
  });
  const pairs = rows.flatMap(({ row, object, isWrite }, index) => {
    const last = rows.slice(0, index).findLast((one) => one.object === object);
    if (last === undefined || last.row.actor === row.actor) return [];
    if (!isWrite && !last.isWrite) return [];
    return [`${directory.name(last.row.site)} -> ${directory.name(row.site)}`];
  });
  return [...new Set(pairs)].sort((a, b) => (a < b ? -1 : 1));
}

test('pairs of a run are those that a simple reading finds', (t) => {
  let some = 0;
  for (const system of SYSTEMS) {
    const configurations = system.configurations.filter(
      ({ kind, isReal }) => kind === 'correct' && !isReal,
    );
    const executor = new Executor(
      3,
      [{ system, configurations, bugs: [] }],
      undefined,
      new Sessions(),
    );
    for (let index = 0; index < 25; index += 1) {
      const { session } = executor.run(index);
      const coverage = new Coverage(session);
      coverage.read();
      const names = [...coverage.pairs].map((key) => coverage.name(key));
      t.deepEqual(
        names.sort((a, b) => (a < b ? -1 : 1)),
        pairsOf(session),
        `${system.id} ${index}`,
      );
      const once = [coverage.pairs.size, coverage.states.size, coverage.segments.size];
      coverage.read();
      t.deepEqual([coverage.pairs.size, coverage.states.size, coverage.segments.size], once);
      some += names.length;
    }
  }
  t.true(some > 500, `${some} pairs`);
});

const none = { states: new Set<number>(), segments: new Set<number>() };

test('totals do not depend on how executions are put into shards, and give the news only', (t) => {
  const runs = [[1, 2], [2], [2, 3], [2], [4]].map((pairs) => ({ ...none, pairs: new Set(pairs) }));
  const shards = (sizes: readonly number[]) => {
    let index = 0;
    return sizes.map((size) => {
      const counter = new CoverageTotals();
      for (let i = 0; i < size; i += 1, index += 1) counter.add('x', index, runs[index]!);
      return counter.all;
    });
  };
  const alone = new CoverageTotals();
  for (const shard of shards([5])) alone.merge(shard);
  const many = new CoverageTotals();
  const kept = new CoverageTotals();
  for (const shard of shards([1, 1, 1, 1, 1])) kept.merge(many.merge(shard));
  t.deepEqual(many.all, alone.all);
  t.deepEqual(kept.all, alone.all);
  t.deepEqual(alone.all[0]?.keys.pairs, [1, 1, 0, 2, 3, 0, 3, 1, 2, 4, 1, 4]);
  // seen often enough: no news
  t.deepEqual(
    many.merge([{ system: 'x', keys: { pairs: [2, 1, 9], states: [], segments: [] } }]),
    [],
  );
});

test('the estimate of the unseen: three keys once and none twice leave three', (t) => {
  const totals = new CoverageTotals();
  totals.merge([
    {
      system: 'x',
      keys: { pairs: [1, 1, 0, 2, 1, 0, 3, 1, 0, 4, 3, 0], states: [], segments: [] },
    },
  ]);
  t.deepEqual(totals.figures('x', 'pairs'), { seen: 4, once: 3, twice: 0, unseen: 3 });
});
