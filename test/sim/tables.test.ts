/** The abstract map that follows each visible store: link, unlink, block, split, two root pages. */
import test from 'ava';
import fc from 'fast-check';
import {
  ACCESSED,
  advance,
  frameOf,
  isValid,
  leaf,
  READ,
  table,
  WRITE,
} from '../../sim/descriptor.ts';
import type { Geometry } from '../../sim/geometry.ts';
import { Memory } from '../../sim/memory.ts';
import { Regime, Tables } from '../../sim/tables.ts';
import { alpha } from '../reference/tables.ts';

const RIGHTS = READ | WRITE | ACCESSED;
const ROOT = 8;
const FRAMES = 64;

const TOY: Geometry = {
  granuleBits: 12,
  bitsPerLevel: 2,
  startLevel: 2,
  rootPages: 2,
  blockLevels: [2],
  windowPages: 32,
};

const DEEP: Geometry = { ...TOY, startLevel: 1, rootPages: 1, windowPages: 64 };

/** Tables over a memory, and stores that update both as the machine does. */
class Bench {
  readonly memory: Memory;
  readonly tables: Tables;
  /** What the observer was told: sign, frame, level, first page. */
  readonly told: string[] = [];
  #instance = 0;

  constructor(geometry: Geometry, annotations = false) {
    this.memory = new Memory(FRAMES, geometry.bitsPerLevel, 4);
    this.tables = new Tables(
      this.memory,
      {
        linked: (frame, level, first) => this.told.push(`+${frame} level ${level} at ${first}`),
        unlinked: (frame, level, first) => this.told.push(`-${frame} level ${level} at ${first}`),
      },
      [
        {
          name: 'guest',
          geometry,
          regime: Regime.Guest,
          vmid: 1,
          lock: 0,
          annotations,
          counted: false,
        },
      ],
    );
    this.tables.plant(0, ROOT);
  }

  get tree() {
    return this.tables.trees[0]!;
  }

  store(frame: number, index: number, value: number): void {
    const word = this.memory.address(frame, index);
    const old = this.memory.load(word);
    if (old === value) return;
    this.#instance += 1;
    this.memory.store(word, value, this.#instance);
    if (this.tables.treeOf[frame]! >= 0) this.tables.update(word, old, value);
  }

  entries(first: number, count: number): number[] {
    return [...this.tree.entries.subarray(first, first + count)];
  }
}

/** The entries of `count` adjacent pages mapped from `frame` on. */
function run(frame: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => leaf(frame + i, RIGHTS));
}

const NONE4 = [0, 0, 0, 0];

test('a planted root is a live tree without entries', (t) => {
  const { tables, tree } = new Bench(TOY);
  t.true(tree.live);
  t.is(tree.root, ROOT);
  t.true(tree.entries.every((entry) => entry === 0));
  t.deepEqual([tables.treeOf[ROOT], tables.levelOf[ROOT], tables.firstOf[ROOT]], [0, 2, 0]);
  t.deepEqual(
    [tables.treeOf[ROOT + 1], tables.levelOf[ROOT + 1], tables.firstOf[ROOT + 1]],
    [0, 2, 16],
  );
  t.is(tables.treeOf[ROOT + 2], -1);
});

test('a block maps each of its pages, one frame after the other', (t) => {
  const bench = new Bench(TOY);
  bench.store(ROOT, 1, leaf(40, RIGHTS));
  t.deepEqual(bench.entries(0, 12), [...NONE4, ...run(40, 4), ...NONE4]);
  t.deepEqual([...bench.tree.levels.subarray(4, 8)], [2, 2, 2, 2]);
  t.is(bench.tables.changedFirst, 4);
  t.is(bench.tables.changedCount, 4);
});

test('the second root page translates the second half of the window', (t) => {
  const bench = new Bench(TOY);
  bench.store(ROOT + 1, 0, leaf(40, RIGHTS));
  t.deepEqual(bench.entries(16, 4), run(40, 4));
  bench.store(ROOT + 1, 3, leaf(44, RIGHTS));
  t.deepEqual(bench.entries(28, 4), run(44, 4));
  t.deepEqual(bench.entries(0, 16), Array(16).fill(0));
});

test('linking a filled table shows all of its entries at once', (t) => {
  const bench = new Bench(TOY);
  bench.store(20, 0, leaf(41, RIGHTS));
  bench.store(20, 3, leaf(50, RIGHTS));
  t.deepEqual(bench.entries(8, 4), NONE4);
  bench.store(ROOT, 2, table(20));
  t.deepEqual(bench.entries(8, 4), [leaf(41, RIGHTS), 0, 0, leaf(50, RIGHTS)]);
  t.is(bench.tree.levels[8], 3);
  t.is(bench.tables.parentOf[20], bench.memory.address(ROOT, 2));
  t.deepEqual(bench.told, ['+20 level 3 at 8']);
});

test('a store into a linked table changes one page and keeps the entry before', (t) => {
  const bench = new Bench(TOY);
  bench.store(ROOT, 0, table(20));
  bench.store(20, 1, leaf(41, RIGHTS));
  bench.store(20, 1, leaf(41, READ | ACCESSED));
  t.is(bench.tree.entries[1], leaf(41, READ | ACCESSED));
  t.is(bench.tree.before[1], leaf(41, RIGHTS));
  t.is(bench.tables.changedFirst, 1);
  t.is(bench.tables.changedCount, 1);
});

test('unlinking a table removes its entries and its page from the tree', (t) => {
  const bench = new Bench(TOY);
  bench.store(20, 0, leaf(41, RIGHTS));
  bench.store(ROOT + 1, 1, table(20));
  bench.store(ROOT + 1, 1, 0);
  t.deepEqual(bench.entries(20, 4), NONE4);
  t.is(bench.tree.before[20], leaf(41, RIGHTS));
  t.is(bench.tables.treeOf[20], -1);
  t.deepEqual(bench.told, ['+20 level 3 at 20', '-20 level 3 at 20']);
  // the page may be written as anything now
  bench.store(20, 0, leaf(60, RIGHTS));
  t.deepEqual(bench.entries(20, 4), NONE4);
});

test('unlinking a table unlinks the tables below it', (t) => {
  const bench = new Bench(DEEP);
  bench.store(21, 2, leaf(41, RIGHTS));
  bench.store(20, 1, table(21));
  bench.store(ROOT, 3, table(20));
  t.is(bench.tree.entries[48 + 4 + 2], leaf(41, RIGHTS));
  bench.store(ROOT, 3, 0);
  t.deepEqual(bench.entries(48, 16), Array(16).fill(0));
  t.deepEqual([bench.tables.treeOf[20], bench.tables.treeOf[21]], [-1, -1]);
  t.deepEqual(bench.told, [
    '+20 level 2 at 48',
    '+21 level 3 at 52',
    '-20 level 2 at 48',
    '-21 level 3 at 52',
  ]);
});

test('splitting a block into an equal table changes levels and no entry', (t) => {
  const bench = new Bench(TOY);
  bench.store(ROOT, 1, leaf(40, RIGHTS));
  for (let i = 0; i < 4; i += 1) bench.store(20, i, leaf(40 + i, RIGHTS));
  bench.store(ROOT, 1, table(20));
  t.deepEqual(bench.entries(4, 4), run(40, 4));
  t.deepEqual([...bench.tree.levels.subarray(4, 8)], [3, 3, 3, 3]);
  t.deepEqual([...bench.tree.levelsBefore.subarray(4, 8)], [2, 2, 2, 2]);
});

test('a block over a table unlinks the table', (t) => {
  const bench = new Bench(TOY);
  bench.store(20, 0, leaf(41, RIGHTS));
  bench.store(ROOT, 0, table(20));
  bench.store(ROOT, 0, leaf(40, RIGHTS));
  t.deepEqual(bench.entries(0, 4), run(40, 4));
  t.is(bench.tables.treeOf[20], -1);
});

test('a table exchanged for another is unlinked and the other linked', (t) => {
  const bench = new Bench(TOY);
  bench.store(20, 0, leaf(41, RIGHTS));
  bench.store(21, 1, leaf(51, RIGHTS));
  bench.store(ROOT, 0, table(20));
  bench.store(ROOT, 0, table(21));
  t.deepEqual(bench.entries(0, 4), [0, leaf(51, RIGHTS), 0, 0]);
  t.deepEqual([bench.tables.treeOf[20], bench.tables.treeOf[21]], [-1, 0]);
});

test('a leaf at a level without blocks and a table at the last level are no entries', (t) => {
  const bench = new Bench({ ...DEEP, blockLevels: [2] });
  bench.store(ROOT, 0, leaf(40, RIGHTS));
  t.deepEqual(bench.entries(0, 16), Array(16).fill(0));
  bench.store(20, 0, table(21));
  bench.store(21, 0, table(22));
  bench.store(ROOT, 0, table(20));
  t.deepEqual(bench.entries(0, 16), Array(16).fill(0));
  t.is(bench.tables.treeOf[21], 0);
  t.is(bench.tables.treeOf[22], -1);
});

test('an annotation is an entry of each page only where the tree has annotations', (t) => {
  const plain = new Bench(TOY);
  plain.store(ROOT, 0, 0x400);
  t.deepEqual(plain.entries(0, 4), NONE4);
  const annotated = new Bench(TOY, true);
  annotated.store(ROOT, 0, 0x400);
  t.deepEqual(annotated.entries(0, 4), [0x400, 0x400, 0x400, 0x400]);
});

test('entries beyond the window are not followed', (t) => {
  const bench = new Bench({ ...TOY, windowPages: 6 });
  bench.store(ROOT, 1, leaf(40, RIGHTS));
  t.is(bench.tables.changedCount, 2);
  t.deepEqual(bench.entries(0, 6), [...NONE4, ...run(40, 2)]);
  bench.store(ROOT, 2, leaf(44, RIGHTS));
  t.is(bench.tables.changedCount, 0);
  bench.store(20, 3, leaf(50, RIGHTS));
  bench.store(ROOT, 1, table(20));
  t.deepEqual(bench.entries(4, 2), [0, 0]);
});

test('uprooting a tree takes its entries and its pages away', (t) => {
  const bench = new Bench(TOY);
  bench.store(20, 0, leaf(41, RIGHTS));
  bench.store(ROOT, 0, table(20));
  bench.tables.uproot(0);
  t.false(bench.tree.live);
  t.true(bench.tree.entries.every((entry) => entry === 0));
  t.true([ROOT, ROOT + 1, 20].every((frame) => bench.tables.treeOf[frame] === -1));
});

test('reset forgets trees, entries and pages', (t) => {
  const bench = new Bench(TOY);
  bench.store(ROOT, 0, leaf(40, RIGHTS));
  bench.tables.reset();
  t.false(bench.tree.live);
  t.is(bench.tables.treeOf[ROOT], -1);
  t.true(bench.tree.entries.every((entry) => entry === 0));
});

/** Stores that keep each table page in at most one place, as every correct system does. */
const store = fc.record({
  form: fc.constantFrom('empty', 'annotation', 'leaf', 'link', 'reserved'),
  frame: fc.integer({ min: 0, max: 9 }),
  index: fc.nat(3),
  value: fc.nat(15),
});

test('after any stores the map is what a fresh walk of memory gives', (t) => {
  fc.assert(
    fc.property(
      fc.constantFrom(TOY, DEEP, { ...DEEP, windowPages: 37 }),
      fc.boolean(),
      fc.array(store, { maxLength: 40 }),
      (geometry, annotations, stores) => {
        const bench = new Bench(geometry, annotations);
        const linked = new Set<number>();
        for (const { form, frame, index, value } of stores) {
          // roots, and eight pages that become tables
          const at = frame < geometry.rootPages ? ROOT + frame : 20 + frame;
          const child = 20 + geometry.rootPages + (value % 8);
          let word = 0;
          if (form === 'annotation') word = (value + 1) << 1;
          if (form === 'leaf') word = advance(leaf(40, RIGHTS), value);
          if (form === 'reserved') word = leaf(40, READ) | (value << 12);
          if (form === 'link') {
            // a child above its parent in number cannot close a circle
            if (child <= at || linked.has(child)) continue;
            word = table(child);
            linked.add(child);
          }
          bench.store(at, index, word);
        }
        const expected = alpha(bench.memory, geometry, ROOT, annotations);
        t.deepEqual([...bench.tree.entries], expected.entries);
        expected.entries.forEach((entry, page) => {
          if (entry !== 0) t.is(bench.tree.levels[page], expected.levels[page]);
        });
      },
    ),
    { numRuns: 250 },
  );
});

test('the count of pages that name a frame is that of the entries, whatever was stored', (t) => {
  const words = [
    0,
    leaf(20, RIGHTS),
    leaf(24, RIGHTS),
    leaf(40, READ | ACCESSED),
    table(30),
    table(31),
  ];
  const stores = fc.array(
    fc.tuple(fc.constantFrom(ROOT, ROOT + 1, 30, 31), fc.nat(3), fc.constantFrom(...words)),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(stores, (list) => {
      const bench = new Bench(TOY);
      for (const [frame, index, word] of list) bench.store(frame, index, word);
      const { entries, mapped } = bench.tree;
      const counted = new Int32Array(FRAMES);
      for (const entry of entries) if (isValid(entry)) counted[frameOf(entry)]! += 1;
      t.deepEqual(mapped, counted);
      bench.tables.uproot(0);
      t.true(mapped.every((count) => count === 0));
    }),
    { numRuns: 300, seed: 1 },
  );
});
