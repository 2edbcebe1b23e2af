/** Shape arithmetic of tables, against the formulas of spec/arm.md 1.1 and 1.2 in bigint. */
import test from 'ava';
import fc from 'fast-check';
import { InternalError } from '../../sim/assert.ts';
import {
  alignDown,
  byteShift,
  checkGeometry,
  entriesPerTable,
  type Geometry,
  indexAt,
  LAST_LEVEL,
  levelPages,
  levelShift,
  rootIndex,
  shiftPages,
} from '../../sim/geometry.ts';

const TOY: Geometry = {
  granuleBits: 12,
  bitsPerLevel: 2,
  startLevel: 2,
  rootPages: 1,
  blockLevels: [2],
  windowPages: 16,
};

/** Any shape whose root reaches at most 2^30 pages, and a page that it translates. */
const shapeAndPage = fc
  .record({
    granuleBits: fc.constantFrom(12, 14, 16),
    bitsPerLevel: fc.integer({ min: 1, max: 13 }),
    startLevel: fc.integer({ min: -1, max: LAST_LEVEL }),
    rootPages: fc.integer({ min: 1, max: 16 }),
  })
  .filter(({ bitsPerLevel, startLevel }) => bitsPerLevel * (4 - startLevel) <= 26)
  .chain((shape) => {
    const reach = shape.rootPages * 2 ** (shape.bitsPerLevel * (4 - shape.startLevel));
    const geometry: Geometry = { ...shape, blockLevels: [], windowPages: reach };
    return fc.tuple(fc.constant(geometry), fc.nat(reach - 1));
  });

/** shift(l) = g + s * (3 - l), for any number of index bits. */
function naiveShift({ granuleBits, bitsPerLevel }: Geometry, level: number): bigint {
  return BigInt(granuleBits) + BigInt(bitsPerLevel) * BigInt(LAST_LEVEL - level);
}

/** idx(addr, l) = (addr >> shift(l)) & (2^s - 1). */
function naiveIndex(geometry: Geometry, address: bigint, level: number): bigint {
  return (address >> naiveShift(geometry, level)) & ((1n << BigInt(geometry.bitsPerLevel)) - 1n);
}

/** rootPage(addr) = addr >> shift(start - 1). */
function naiveRootPage(geometry: Geometry, address: bigint): bigint {
  return address >> naiveShift(geometry, geometry.startLevel - 1);
}

function addressOf(geometry: Geometry, page: number): bigint {
  return BigInt(page) << BigInt(geometry.granuleBits);
}

test('the byte shifts of every granule and level are those of the manual', (t) => {
  const rows = [12, 14, 16].map((granule) =>
    [3, 2, 1, 0, -1].map((level) => byteShift(granule, level)),
  );
  t.deepEqual(rows, [
    [12, 21, 30, 39, 48],
    [14, 25, 36, 47, 58],
    [16, 29, 42, 55, 68],
  ]);
});

test('the byte shift is the page shift plus the granule at every level of a real shape', (t) => {
  for (const granuleBits of [12, 14, 16]) {
    const geometry = { ...TOY, granuleBits, bitsPerLevel: granuleBits - 3 };
    for (let level = -1; level <= LAST_LEVEL; level += 1) {
      t.is(byteShift(granuleBits, level), granuleBits + levelShift(geometry, level));
    }
  }
});

test('the index at each level is the naive formula, the root included', (t) => {
  fc.assert(
    fc.property(shapeAndPage, ([geometry, page]) => {
      const address = addressOf(geometry, page);
      for (let level = geometry.startLevel; level <= LAST_LEVEL; level += 1) {
        if (BigInt(indexAt(geometry, page, level)) !== naiveIndex(geometry, address, level)) {
          return false;
        }
      }
      return true;
    }),
    { numRuns: 400 },
  );
  t.pass();
});

test('the root page is the naive formula and lies in the root', (t) => {
  fc.assert(
    fc.property(shapeAndPage, ([geometry, page]) => {
      const index = rootIndex(geometry, page);
      return (
        BigInt(index) === naiveRootPage(geometry, addressOf(geometry, page)) &&
        index < geometry.rootPages
      );
    }),
    { numRuns: 400 },
  );
  t.pass();
});

test('root page and indices name a page and no other', (t) => {
  fc.assert(
    fc.property(shapeAndPage, ([geometry, page]) => {
      let rebuilt = rootIndex(geometry, page);
      for (let level = geometry.startLevel; level <= LAST_LEVEL; level += 1) {
        rebuilt = rebuilt * entriesPerTable(geometry) + indexAt(geometry, page, level);
      }
      return rebuilt === page;
    }),
    { numRuns: 400 },
  );
  t.pass();
});

test('an entry covers as many pages as a whole table of the next level', (t) => {
  fc.assert(
    fc.property(shapeAndPage, ([geometry]) => {
      for (let level = Math.max(0, geometry.startLevel); level < LAST_LEVEL; level += 1) {
        const below = levelPages(geometry, level + 1) * entriesPerTable(geometry);
        if (levelPages(geometry, level) !== below) return false;
      }
      return levelPages(geometry, LAST_LEVEL) === 1;
    }),
    { numRuns: 200 },
  );
  t.pass();
});

test('an entry of a level above every page translates them with index 0', (t) => {
  const deep: Geometry = { ...TOY, bitsPerLevel: 9, startLevel: -1, windowPages: 512 };
  t.is(levelShift(deep, -1), 36);
  t.is(levelPages(deep, -1), 0x40000000);
  t.is(shiftPages(0x7fffffff, levelShift(deep, -1)), 0);
  t.is(indexAt(deep, 0x7fffffff, -1), 0);
  t.is(indexAt(deep, 0x7fffffff, 0), 15);
  t.is(rootIndex(deep, 0x7fffffff), 0);
});

test('aligning down is the multiple below', (t) => {
  fc.assert(
    fc.property(fc.nat(0x3fffffff), fc.nat(20), (page, bits) => {
      const pages = 2 ** bits;
      return alignDown(page, pages) === Math.floor(page / pages) * pages;
    }),
    { numRuns: 200 },
  );
  t.pass();
});

test('a shape outside the limits is refused', (t) => {
  t.notThrows(() => checkGeometry(TOY));
  const wrong: readonly Partial<Geometry>[] = [
    { bitsPerLevel: 0 },
    { bitsPerLevel: 14 },
    { startLevel: -2 },
    { startLevel: 4 },
    { rootPages: 0 },
    { rootPages: 17 },
    { windowPages: 0 },
    { windowPages: 17 },
  ];
  for (const change of wrong) {
    t.throws(() => checkGeometry({ ...TOY, ...change }), { instanceOf: InternalError });
  }
  t.notThrows(() => checkGeometry({ ...TOY, rootPages: 2, windowPages: 32 }));
});
