/** The update family of Xen's own tables: the refusal rules one by one, and the worked examples of B8. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { configurationsOf } from '../../campaign/options.ts';
import { runPlan } from '../../fuzz/schedule.ts';
import { Session } from '../../fuzz/session.ts';
import { firstFrame } from '../../models/xen-arm/configurations.ts';
import { xenArm } from '../../models/xen-arm/index.ts';
import { KIND_NAMES, Kind } from '../../models/xen-arm/pt-request.ts';
import { RULES, refusedBy } from '../../models/xen-arm/pt-rules.ts';
import { Result } from '../../sim/card.ts';
import {
  ACCESSED,
  CONTIGUOUS,
  frameOf,
  isValid,
  leaf,
  MemoryType,
  READ,
  table,
  WRITE,
} from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';

type Step = readonly [operation: string, ...args: number[]];

/** Plays operations one after the other on one PE; nothing is objected to. */
function play(configuration: string, mapped: number, steps: readonly Step[]) {
  const [chosen] = configurationsOf(xenArm, configuration, undefined);
  const session = new Session(xenArm, chosen!);
  const operations = steps.map(([operation, ...args], i) => ({ key: `o${i}`, operation, args }));
  const run = runPlan(session, {
    program: [{ actor: 'host', operations }],
    parameters: { mapped },
    order: [],
    choices: [],
  });
  if (run.violation !== undefined)
    throw new TypeError(`${run.violation.oracle} ${run.violation.rule}`);
  const { trace, tables } = session.machine;
  const rows = Array.from({ length: trace.count }, (_, row) => trace.at(row));
  const results = rows.filter(({ kind }) => kind === Event.OperationEnd).map(({ b }) => b);
  const tree = tables.trees[0]!;
  const invalidated = rows.filter(({ kind }) => kind === Event.InvalidateIssue).length;
  const stores = rows.filter(({ kind }) => kind === Event.Descriptor).length;
  return { results, tree, invalidated, stores, base: firstFrame(chosen!.geometry) };
}

const LEAF = leaf(5, READ | WRITE | ACCESSED);
const DEVICE = leaf(5, READ | WRITE | ACCESSED | MemoryType.Device);
const HINTED = LEAF | CONTIGUOUS;
const TABLE = table(5);

/** One entry for each rule that it refuses, at a level where it can be. */
const REFUSED = [
  { rule: 1, kind: Kind.Modify, entry: 0, level: 3 },
  { rule: 2, kind: Kind.Modify, entry: TABLE, level: 2 },
  { rule: 3, kind: Kind.Modify, entry: DEVICE, level: 3 },
  { rule: 4, kind: Kind.Modify, entry: HINTED, level: 3 },
  { rule: 5, kind: Kind.Insert, entry: LEAF, level: 3 },
  { rule: 6, kind: Kind.Insert, entry: TABLE, level: 2 },
  { rule: 7, kind: Kind.Remove, entry: TABLE, level: 2 },
  { rule: 8, kind: Kind.Remove, entry: HINTED, level: 2 },
] as const;

for (const { rule, kind, entry, level } of REFUSED) {
  test(`rule ${rule} (${KIND_NAMES[kind]}) refuses its entry, and without it the entry is accepted`, (t) => {
    t.is(refusedBy(kind, entry, level, MemoryType.Normal), rule);
    const others = RULES.filter(({ number }) => number !== rule);
    t.is(refusedBy(kind, entry, level, MemoryType.Normal, others), 0);
  });
}

test('what no rule names is accepted', (t) => {
  t.is(refusedBy(Kind.Modify, LEAF, 3, MemoryType.Normal), 0);
  t.is(refusedBy(Kind.Insert, 0, 1, MemoryType.Normal), 0);
  t.is(refusedBy(Kind.Remove, 0, 3, MemoryType.Normal), 0);
  t.is(refusedBy(Kind.Remove, LEAF, 2, MemoryType.Normal), 0);
  for (const entry of [0, LEAF, HINTED, TABLE]) {
    t.is(refusedBy(Kind.Populate, entry, 2, MemoryType.Normal), 0);
  }
});

test('the README shows the rules as they are', (t) => {
  const text = readFileSync('models/xen-arm/README.md', 'utf8');
  for (const { number, kind, when, why } of RULES) {
    t.true(
      text.includes(`| ${number} | ${KIND_NAMES[kind]} | ${when} | ${why} |`),
      `rule ${number}`,
    );
  }
});

// ---- B8, with the real tables of 512 entries ----

const MB2 = 512;
const [RW, RO, BLOCK, PAGES_ONLY] = [0, 1, 1, 0];

test('B8: 512 pages at 2M*5 from 2M*9 are one level-2 block', (t) => {
  const { results, tree, base } = play('pt-4k', 0, [['map', MB2 * 5, MB2 * 9, 512, RW, BLOCK]]);
  t.deepEqual(results, [Result.Ok]);
  t.is(tree.levels[MB2 * 5], 2);
  t.is(frameOf(tree.entries[MB2 * 5 + 511]!), base + MB2 * 9 + 511);
  t.false(isValid(tree.entries[MB2 * 5 + 512]!));
});

test('B8: with 513 pages a block and a page', (t) => {
  const { tree } = play('pt-4k', 0, [['map', MB2 * 5, MB2 * 9, 513, RW, BLOCK]]);
  t.deepEqual([tree.levels[MB2 * 5], tree.levels[MB2 * 5 + 512]], [2, 3]);
  t.true(isValid(tree.entries[MB2 * 5 + 512]!));
});

test('B8: with the frame off by one, 512 pages', (t) => {
  const { tree } = play('pt-4k', 0, [['map', MB2 * 5, MB2 * 9 + 1, 512, RW, BLOCK]]);
  for (let page = MB2 * 5; page < MB2 * 6; page += 1) t.is(tree.levels[page], 3);
});

test('B8: 16 blocks aligned to 32M get the hint; their removal is refused at the first, and flushed anyway', (t) => {
  const { results, tree, invalidated, stores } = play('pt-4k', 0, [
    ['map', 0, MB2 * 16, 16 * MB2, RW, BLOCK],
    ['remove', 0, 16 * MB2, BLOCK],
  ]);
  t.deepEqual(results, [Result.Ok, Result.Invalid]);
  for (let block = 0; block < 16; block += 1) {
    t.is(tree.levels[block * MB2], 2);
    t.true((tree.entries[block * MB2]! & CONTIGUOUS) !== 0);
  }
  // level-0 and level-1 tables, then the blocks
  t.is(stores, 2 + 16);
  t.is(invalidated, 16 * MB2);
});

test('B8: a range that is not mapped is removed without a store, page by page', (t) => {
  const { results, stores, invalidated } = play('pt-4k', 0, [['remove', 0, 4 * MB2, PAGES_ONLY]]);
  t.deepEqual(results, [Result.Ok]);
  t.deepEqual([stores, invalidated], [0, 4 * MB2]);
});

// ---- seed document 002 ----

test('BLOCK must be used for a region in the same way each time', (t) => {
  // built from pages, asked about as a block: a table is in the way
  const pages = play('pt-toy', 0, [
    ['map', 0, 0, 4, RW, PAGES_ONLY],
    ['remove', 0, 4, BLOCK],
    ['modify', 0, 4, RO, BLOCK],
    ['remove', 0, 4, PAGES_ONLY],
  ]);
  t.deepEqual(pages.results, [Result.Ok, Result.Invalid, Result.Invalid, Result.Ok]);
  // built as a block, asked about by pages: a block is in the way
  const block = play('pt-toy', 0, [
    ['map', 4, 4, 4, RW, BLOCK],
    ['remove', 4, 1, PAGES_ONLY],
    ['modify', 4, 4, RO, PAGES_ONLY],
    ['remove', 4, 4, BLOCK],
  ]);
  t.deepEqual(block.results, [Result.Ok, Result.Unsupported, Result.Unsupported, Result.Ok]);
});

test('populate makes tables down to the last level, never a block, and pages fit in afterwards', (t) => {
  const { results, tree, stores } = play('pt-toy', 0, [
    ['populate', 0, 4],
    ['map', 0, 0, 4, RW, BLOCK],
    ['map', 0, 0, 4, RW, PAGES_ONLY],
  ]);
  t.deepEqual(results, [Result.Ok, Result.Invalid, Result.Ok]);
  t.is(tree.levels[0], 3);
  t.is(stores, 3 + 4);
});

test('the flush covers the request as it was made, not what is left of it', (t) => {
  // the third page is missing: two are modified, and all four invalidated
  const { results, invalidated } = play('pt-toy', 0, [
    ['map', 0, 0, 2, RW, PAGES_ONLY],
    ['modify', 0, 4, RO, PAGES_ONLY],
  ]);
  t.deepEqual(results, [Result.Ok, Result.Invalid]);
  t.is(invalidated, 4);
});

test('an insert needs no invalidation today; the RFC flushed for every kind', (t) => {
  t.is(play('pt-toy', 0, [['map', 0, 0, 2, RW, BLOCK]]).invalidated, 0);
  t.is(play('pt-rfc', 0, [['map', 0, 0, 2, RW, BLOCK]]).invalidated, 2);
});

test('a request that is writable and executable is rejected before anything is looked at', (t) => {
  const { results, stores, invalidated } = play('pt-toy', 0, [['map', 0, 0, 1, 4, PAGES_ONLY]]);
  t.deepEqual([results, stores, invalidated], [[Result.Invalid], 0, 0]);
});

test('a call that fails keeps the entries before the failure, and only these', (t) => {
  const { results, tree } = play('pt-toy', 0, [
    ['map', 2, 2, 1, RW, PAGES_ONLY],
    ['map', 0, 0, 4, RW, PAGES_ONLY],
  ]);
  t.deepEqual(results, [Result.Ok, Result.Invalid]);
  t.deepEqual(
    [0, 1, 2, 3].map((page) => isValid(tree.entries[page]!)),
    [true, true, true, false],
  );
});

test('on arm32 the root is at level 1, and what it maps is the same', (t) => {
  const { results, tree } = play('pt-toy-arm32', 0, [['map', 0, 0, 21, RW, BLOCK]]);
  t.deepEqual(results, [Result.Ok]);
  t.deepEqual([tree.levels[0], tree.levels[16], tree.levels[20]], [1, 2, 3]);
});
