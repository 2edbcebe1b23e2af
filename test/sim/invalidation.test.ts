/** What each invalidation must and need not remove: spec/arm.md 1.6 with E3, E20, E21, E29. */
import test from 'ava';
import fc from 'fast-check';
import type { Geometry } from '../../sim/geometry.ts';
import {
  coverBits,
  granuleField,
  hintedLevel,
  INVALIDATION_SLOTS,
  Invalidations,
  RANGE_PAGES_MAX,
  rangePages,
  Tlbi,
  ttl,
} from '../../sim/invalidation.ts';
import { TlbKind } from '../../sim/tlb.ts';
import { mustRemove, type ReferenceEntry } from '../reference/invalidation.ts';

const GRANULE = 12;
const LEVEL_BITS = 2;
const VMID = 1;

const GEOMETRY: Geometry = {
  granuleBits: GRANULE,
  bitsPerLevel: LEVEL_BITS,
  startLevel: 0,
  rootPages: 1,
  blockLevels: [1, 2],
  windowPages: 256,
};

const KINDS = [TlbKind.Combined, TlbKind.Leaf, TlbKind.Table, TlbKind.Leaf2, TlbKind.Table2];
const OPERATIONS = [
  Tlbi.Ipas2e1,
  Tlbi.Ipas2le1,
  Tlbi.Ripas2e1,
  Tlbi.Vmalle1,
  Tlbi.Vmalls12e1,
  Tlbi.Alle1,
  Tlbi.Vae2,
  Tlbi.Vale2,
  Tlbi.Alle2,
];

/** Range operations carry their granule even when they give no level. */
const noHint = (operation: Tlbi): number => (operation === Tlbi.Ripas2e1 ? ttl(GRANULE, 0) : 0);

interface Operand {
  readonly operation: Tlbi;
  readonly page?: number;
  readonly pages?: number;
  readonly hint?: number;
  readonly vmid?: number;
}

function removes(
  { operation, page = 0, pages = 1, hint = noHint(operation), vmid = VMID }: Operand,
  entry: ReferenceEntry,
  geometry = GEOMETRY,
): boolean {
  const queue = new Invalidations();
  queue.operation[0] = operation;
  queue.vmid[0] = vmid;
  queue.page[0] = page;
  queue.pages[0] = pages;
  queue.hint[0] = hint;
  const bits = Math.log2(entry.pages);
  return queue.mustRemove(0, geometry, entry.kind, entry.vmid, entry.first, bits, entry.level);
}

/** An entry made from a descriptor of `level` for page 0. */
function entryOf(kind: TlbKind, level: number, first = 0): ReferenceEntry {
  const isGuest = kind <= TlbKind.Table;
  const pages = 2 ** (LEVEL_BITS * (3 - level));
  return { kind, vmid: isGuest ? VMID : -1, first, pages, level };
}

/** The table of 1.6 once more as a picture: which kinds go, for an address that matches. */
const MUST: readonly (readonly [Tlbi, ...removed: boolean[]])[] = [
  //                  combined leaf table el2 el2-table
  [Tlbi.Ipas2e1, false, true, true, false, false],
  [Tlbi.Ipas2le1, false, true, false, false, false],
  [Tlbi.Ripas2e1, false, true, true, false, false],
  [Tlbi.Vmalle1, true, false, false, false, false],
  [Tlbi.Vmalls12e1, true, true, true, false, false],
  [Tlbi.Alle1, true, true, true, false, false],
  [Tlbi.Vae2, false, false, false, true, true],
  [Tlbi.Vale2, false, false, false, true, false],
  [Tlbi.Alle2, false, false, false, true, true],
];

test('each operation removes the kinds of its row and no other', (t) => {
  t.is(MUST.length, OPERATIONS.length);
  for (const [operation, ...removed] of MUST) {
    for (const level of [1, 2, 3]) {
      t.deepEqual(
        KINDS.map((kind) => removes({ operation }, entryOf(kind, level))),
        removed,
        `operation ${operation}, level ${level}`,
      );
    }
  }
});

test('operations by address leave entries of other addresses', (t) => {
  for (const operation of [Tlbi.Ipas2e1, Tlbi.Ipas2le1, Tlbi.Ripas2e1, Tlbi.Vae2, Tlbi.Vale2]) {
    for (const kind of KINDS) t.false(removes({ operation, page: 1 }, entryOf(kind, 3)));
  }
});

test('operations by address and of one VMID leave entries of another VMID', (t) => {
  const operations = [Tlbi.Ipas2e1, Tlbi.Ipas2le1, Tlbi.Ripas2e1, Tlbi.Vmalle1, Tlbi.Vmalls12e1];
  for (const operation of operations) {
    for (const kind of [TlbKind.Combined, TlbKind.Leaf, TlbKind.Table]) {
      t.false(removes({ operation, vmid: 2 }, entryOf(kind, 3)));
    }
  }
});

test('ALLE1 removes the entries of every VMID', (t) => {
  for (const kind of [TlbKind.Combined, TlbKind.Leaf, TlbKind.Table]) {
    t.true(removes({ operation: Tlbi.Alle1, vmid: 2 }, entryOf(kind, 3)));
  }
});

test('EL2 operations do not look at the VMID', (t) => {
  for (const operation of [Tlbi.Vae2, Tlbi.Vale2, Tlbi.Alle2]) {
    for (const vmid of [0, 1, 255]) t.true(removes({ operation, vmid }, entryOf(TlbKind.Leaf2, 3)));
  }
});

test('a leaf hint removes leaves of its level only', (t) => {
  for (const operation of [Tlbi.Ipas2e1, Tlbi.Ipas2le1, Tlbi.Ripas2e1, Tlbi.Vae2, Tlbi.Vale2]) {
    const kind = operation >= Tlbi.Vae2 ? TlbKind.Leaf2 : TlbKind.Leaf;
    for (const hinted of [1, 2, 3]) {
      for (const level of [1, 2, 3]) {
        const hint = ttl(GRANULE, hinted);
        t.is(removes({ operation, hint }, entryOf(kind, level)), hinted === level);
      }
    }
  }
});

test('a hint removes the tables above its level and leaves those at it and below (E3)', (t) => {
  for (const operation of [Tlbi.Ipas2e1, Tlbi.Ripas2e1, Tlbi.Vae2]) {
    const kind = operation === Tlbi.Vae2 ? TlbKind.Table2 : TlbKind.Table;
    for (const hinted of [1, 2, 3]) {
      for (const level of [0, 1, 2]) {
        const hint = ttl(GRANULE, hinted);
        t.is(removes({ operation, hint }, entryOf(kind, level)), level < hinted);
      }
    }
  }
});

test('without a hint every table on the path goes (E2)', (t) => {
  for (const operation of [Tlbi.Ipas2e1, Tlbi.Ripas2e1]) {
    for (const level of [0, 1, 2]) t.true(removes({ operation }, entryOf(TlbKind.Table, level)));
  }
});

test('the last-level form never removes a table, with or without a hint', (t) => {
  for (const hint of [0, ttl(GRANULE, 1), ttl(GRANULE, 2), ttl(GRANULE, 3)]) {
    for (const level of [0, 1, 2]) {
      t.false(removes({ operation: Tlbi.Ipas2le1, hint }, entryOf(TlbKind.Table, level)));
    }
  }
});

test('with 52-bit addresses level 0 is a level, but not in a range (E20)', (t) => {
  for (const granule of [12, 14]) {
    t.deepEqual(
      [0, 1, 2, 3].map((level) => hintedLevel(ttl(granule, level), true)),
      [0, 1, 2, 3],
    );
  }
  t.is(hintedLevel(0, true), -1);
  const wide = { ...GEOMETRY, isWide: true };
  const page = entryOf(TlbKind.Leaf, 3);
  const level0 = ttl(GRANULE, 0);
  t.false(removes({ operation: Tlbi.Ipas2e1, hint: level0 }, page, wide));
  t.true(removes({ operation: Tlbi.Ipas2e1, hint: 0 }, page, wide));
  t.true(removes({ operation: Tlbi.Ripas2e1, hint: level0 }, page, wide));
});

test('level 0 gives no information, nor does level 1 with 16K pages (E20)', (t) => {
  t.deepEqual(
    [12, 14, 16].map((granule) => [0, 1, 2, 3].map((level) => hintedLevel(ttl(granule, level)))),
    [
      [-1, 1, 2, 3],
      [-1, -1, 2, 3],
      [-1, 1, 2, 3],
    ],
  );
  t.deepEqual(
    [0, 1, 2, 3].map((hint) => hintedLevel(hint)),
    [-1, -1, -1, -1],
  );
  t.deepEqual([12, 14, 16].map(granuleField), [1, 2, 3]);
});

test('level 1 with 64K pages is a level: a wrong hint there removes nothing (E20)', (t) => {
  const wide = { ...GEOMETRY, granuleBits: 16 };
  const hint = ttl(16, 1);
  t.false(removes({ operation: Tlbi.Ipas2e1, hint }, entryOf(TlbKind.Leaf, 3), wide));
  t.true(removes({ operation: Tlbi.Ipas2e1, hint }, entryOf(TlbKind.Leaf, 1), wide));
});

test('a range operation of another granule removes nothing (E20)', (t) => {
  for (const granule of [14, 16]) {
    for (const level of [0, 3]) {
      const hint = ttl(granule, level);
      const operand = { operation: Tlbi.Ripas2e1, hint, pages: 256 };
      t.false(removes(operand, entryOf(TlbKind.Leaf, 3)));
      t.false(removes(operand, entryOf(TlbKind.Table, 2)));
      t.true(removes(operand, entryOf(TlbKind.Leaf, 3), { ...GEOMETRY, granuleBits: granule }));
    }
  }
});

test('any address inside a block removes the entry of the whole block (E21)', (t) => {
  const block = entryOf(TlbKind.Leaf, 2, 8);
  for (let page = 0; page < 24; page += 1) {
    const isInside = page >= 8 && page < 12;
    t.is(removes({ operation: Tlbi.Ipas2e1, page }, block), isInside, `page ${page}`);
    t.is(removes({ operation: Tlbi.Ripas2e1, page, pages: 1 }, block), isInside);
  }
});

test('a range removes every entry that it touches at either end', (t) => {
  for (const [page, pages] of [[4, 8] as const, [0, 2] as const, [11, 1] as const]) {
    for (let first = 0; first < 32; first += 1) {
      const isTouched = first >= page && first < page + pages;
      const operand = { operation: Tlbi.Ripas2e1, page, pages };
      t.is(removes(operand, entryOf(TlbKind.Leaf, 3, first)), isTouched);
    }
  }
});

test('an entry wider than every address covers any page', (t) => {
  const root = { kind: TlbKind.Table, vmid: VMID, first: 0, pages: 2 ** 36, level: -1 };
  t.true(removes({ operation: Tlbi.Ipas2e1, page: 0x7ffffffe }, root));
});

test('a range operand covers (NUM + 1) << (5 * SCALE + 1) pages', (t) => {
  for (let scale = 0; scale <= 3; scale += 1) {
    for (let num = 0; num <= 31; num += 1) {
      t.is(BigInt(rangePages(scale, num)), (BigInt(num) + 1n) * 2n ** (5n * BigInt(scale) + 1n));
    }
  }
  t.is(rangePages(0, 0), 2);
  t.is(rangePages(3, 31), RANGE_PAGES_MAX);
  t.is(RANGE_PAGES_MAX, 2 ** 21);
});

test('an entry covers the pages of its level', (t) => {
  t.deepEqual(
    [4, 3, 2, 1, 0].map((level) => coverBits(GEOMETRY, level)),
    [0, 0, 2, 4, 6],
  );
});

test('what must go agrees with the table as a naive reader applies it', (t) => {
  const operand = fc.record({
    operation: fc.constantFrom(...OPERATIONS),
    vmid: fc.constantFrom(1, 2),
    page: fc.nat(255),
    pages: fc.integer({ min: 1, max: 64 }),
    level: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  });
  const entry = fc
    .record({
      kind: fc.constantFrom(...KINDS),
      vmid: fc.constantFrom(1, 2),
      level: fc.integer({ min: 0, max: 3 }),
      near: fc.nat(255),
    })
    .map(({ near, ...rest }) => {
      const pages = 2 ** (LEVEL_BITS * (3 - rest.level));
      return { ...rest, pages, first: Math.floor(near / pages) * pages };
    });
  fc.assert(
    fc.property(operand, entry, (drawn, one) => {
      const isRange = drawn.operation === Tlbi.Ripas2e1;
      const pages = isRange ? drawn.pages : 1;
      const { level } = drawn;
      const hint = level === undefined ? noHint(drawn.operation) : ttl(GRANULE, level);
      const { operation, vmid, page } = drawn;
      const expected = mustRemove({ operation, vmid, page, pages, level }, one);
      return removes({ operation, vmid, page, pages, hint }, one) === expected;
    }),
    { numRuns: 1500 },
  );
  t.pass();
});

test('a hint never makes an operation remove more', (t) => {
  const level = fc.integer({ min: 1, max: 3 });
  fc.assert(
    fc.property(
      fc.constantFrom(...OPERATIONS),
      fc.constantFrom(...KINDS),
      level,
      level,
      (operation, kind, hinted, made) => {
        const entry = entryOf(kind, made);
        const withHint = removes({ operation, hint: ttl(GRANULE, hinted) }, entry);
        return !withHint || removes({ operation }, entry);
      },
    ),
    { numRuns: 200 },
  );
  t.pass();
});

test('a slot is free again when every PE has acknowledged, and after a reset', (t) => {
  const queue = new Invalidations();
  for (let slot = 0; slot < INVALIDATION_SLOTS; slot += 1) {
    t.is(queue.freeSlot(), slot);
    queue.pending[slot] = 1 << (slot % 3);
    queue.outstanding += 1;
  }
  t.is(queue.freeSlot(), -1);
  queue.pending[5] = 0;
  t.is(queue.freeSlot(), 5);
  queue.reset();
  t.is(queue.freeSlot(), 0);
  t.is(queue.outstanding, 0);
});
