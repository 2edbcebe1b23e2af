/**
 * Questions that a reviewer asked about start level, index and shift of the stand-alone walker
 * (seed document 000, patch 02/21, 27 August and 2 September 2020), answered by running.
 */
import test from 'ava';
import fc from 'fast-check';
import { plainStartLevel, rootShape } from '../../models/kvm-arm64/geometry.ts';
import { byteShift, type Geometry, indexAt, LAST_LEVEL, rootIndex } from '../../sim/geometry.ts';

const GRANULES = [12, 14, 16] as const;

/** spec/arm.md 1.2: start level, root pages, and the root entries of a partial root. */
const TABLE: readonly (readonly [inputBits: number, ...cells: (readonly number[])[]])[] = [
  [32, [2, 4], [2, 1], [2, 1]],
  [36, [1, 1, 64], [2, 1], [2, 1]],
  [39, [1, 1], [2, 8], [2, 1]],
  [40, [1, 2], [2, 16], [2, 1]],
  [43, [1, 16], [1, 1, 128], [2, 2]],
  [44, [0, 1, 32], [1, 1], [2, 4]],
  [48, [0, 1], [1, 2], [1, 1, 64]],
  [52, [0, 16], [0, 1, 32], [1, 1, 1024]],
];

function shapeOf(granuleBits: number, inputBits: number): Geometry {
  const { startLevel, rootPages } = rootShape(granuleBits, inputBits);
  const bitsPerLevel = granuleBits - 3;
  return { granuleBits, bitsPerLevel, startLevel, rootPages, blockLevels: [], windowPages: 1 };
}

const granuleAndInput = fc.constantFrom(...GRANULES).chain((granuleBits) =>
  // above 52 bits nothing exists; below two levels nothing is configured
  fc.tuple(fc.constant(granuleBits), fc.integer({ min: 32, max: 52 })),
);

test('40-bit input with 4K pages starts at level 1 with two concatenated root pages', (t) => {
  t.deepEqual(rootShape(12, 40), { startLevel: 1, rootPages: 2 });
});

test('the formula without concatenation gives level 0 for the same input', (t) => {
  t.is(plainStartLevel(12, 40), 0);
});

test('all 24 cells of the table of start levels and root pages', (t) => {
  t.plan(24);
  for (const [inputBits, ...cells] of TABLE) {
    GRANULES.forEach((granule, i) => {
      const [startLevel, rootPages] = cells[i]!;
      t.deepEqual(
        rootShape(granule, inputBits),
        { startLevel: startLevel!, rootPages: rootPages! },
        `${inputBits} bits, granule ${granule}`,
      );
    });
  }
});

test('a root that is not full has as many entries as the table says', (t) => {
  let partial = 0;
  for (const [inputBits, ...cells] of TABLE) {
    GRANULES.forEach((granule, i) => {
      const [startLevel, , entries] = cells[i]!;
      if (entries === undefined) return;
      partial += 1;
      t.is(2 ** (inputBits - byteShift(granule, startLevel!)), entries);
    });
  }
  t.is(partial, 6);
});

test('no input size needs more than 16 root pages or fewer than two levels', (t) => {
  fc.assert(
    fc.property(granuleAndInput, ([granule, inputBits]) => {
      const { startLevel, rootPages } = rootShape(granule, inputBits);
      return rootPages >= 1 && rootPages <= 16 && startLevel >= 0 && startLevel <= 2;
    }),
    { numRuns: 200 },
  );
  t.pass();
});

test('the root covers the input exactly, or is a single partial page', (t) => {
  fc.assert(
    fc.property(granuleAndInput, ([granule, inputBits]) => {
      const { startLevel, rootPages } = rootShape(granule, inputBits);
      const page = 1n << BigInt(byteShift(granule, startLevel - 1));
      const input = 1n << BigInt(inputBits);
      const covered = BigInt(rootPages) * page;
      return rootPages > 1 ? covered === input : covered >= input;
    }),
    { numRuns: 200 },
  );
  t.pass();
});

test('concatenation never starts above the formula without it', (t) => {
  fc.assert(
    fc.property(granuleAndInput, ([granule, inputBits]) => {
      const { startLevel, rootPages } = rootShape(granule, inputBits);
      const plain = plainStartLevel(granule, inputBits);
      // they differ exactly when pages are concatenated, except that one level is never used
      return rootPages > 1 ? startLevel === plain + 1 : startLevel === Math.min(plain, 2);
    }),
    { numRuns: 200 },
  );
  t.pass();
});

test('an index needs no term for concatenation: the root is taken one page at a time', (t) => {
  const shape = fc.constantFrom(
    ...GRANULES.flatMap((granule) => TABLE.map(([inputBits]) => [granule, inputBits] as const)),
  );
  fc.assert(
    fc.property(shape, fc.nat(0x7fffffff), ([granule, inputBits], raw) => {
      const geometry = shapeOf(granule, inputBits);
      const reach = 2 ** Math.min(31, inputBits - granule);
      const page = raw % reach;
      const { bitsPerLevel, startLevel } = geometry;
      const address = BigInt(page) << BigInt(granule);
      // the root as one array of 2^n entries, as the hardware sees it
      const flat = address >> BigInt(byteShift(granule, startLevel));
      const byPage =
        BigInt(rootIndex(geometry, page)) * (1n << BigInt(bitsPerLevel)) +
        BigInt(indexAt(geometry, page, startLevel));
      return flat === byPage && rootIndex(geometry, page) < geometry.rootPages;
    }),
    { numRuns: 400 },
  );
  t.pass();
});

test('the last page of a 40-bit input is in the second root page', (t) => {
  const geometry = shapeOf(12, 40);
  const last = 2 ** 28 - 1;
  t.is(rootIndex(geometry, last), 1);
  t.deepEqual(
    [1, 2, 3].map((level) => indexAt(geometry, last, level)),
    [511, 511, 511],
  );
  t.is(rootIndex(geometry, 2 ** 27 - 1), 0);
  t.is(rootIndex(geometry, 2 ** 27), 1);
});

test('the shift does not depend on how many levels there are, down to level -1', (t) => {
  // the form that was posted: (levels - level) * (g - 3) + 3, with levels fixed to 4
  const posted = (granule: number, level: number): number => (4 - level) * (granule - 3) + 3;
  for (const granule of GRANULES) {
    for (let level = -1; level <= LAST_LEVEL; level += 1) {
      t.is(byteShift(granule, level), posted(granule, level));
    }
  }
  t.is(byteShift(12, -1), 48);
});

test('counting levels from a fifth one instead would move every shift by one level', (t) => {
  const withFive = (granule: number, level: number): number => (5 - level) * (granule - 3) + 3;
  for (const granule of GRANULES) {
    t.is(withFive(granule, LAST_LEVEL), byteShift(granule, LAST_LEVEL - 1));
    t.is(byteShift(granule, LAST_LEVEL), granule);
  }
});
