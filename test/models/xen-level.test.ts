/**
 * Seed document 002 and B4, B5: at which level a request of the update family goes on, against a naive
 * reference that tries every level; and what the RFC of 2020 did otherwise.
 */
import test from 'ava';
import fc from 'fast-check';
import {
  contiguousEntries,
  mappingLevel,
  mappingLevelRfc,
  type Position,
} from '../../models/xen-arm/pt-level.ts';
import { NO_FRAME } from '../../models/xen-arm/pt-request.ts';
import type { Geometry } from '../../sim/geometry.ts';

const RUNS = { numRuns: 2000, seed: 20201119 };

function geometry(bitsPerLevel: number): Geometry {
  return {
    granuleBits: 12,
    bitsPerLevel,
    startLevel: 0,
    rootPages: 1,
    blockLevels: [1, 2],
    windowPages: 16,
  };
}

const TOY = geometry(2);
const REAL = geometry(9);
const SHAPES = [
  { shape: TOY, group: 2 },
  { shape: REAL, group: 16 },
] as const;

const ORDERS = (shape: Geometry): readonly number[] => [
  2 * shape.bitsPerLevel,
  shape.bitsPerLevel,
  0,
];

/**
 * The largest legal level, by trying: the pages of a block are those that share all address bits above its
 * order. A block is legal when it begins where the request goes on, on both sides, and ends within it.
 */
function largestLegalLevel(shape: Geometry, { page, frame, left, isBlock }: Position): number {
  if (!isBlock) return 3;
  const levels = [1, 2, 3];
  const orders = ORDERS(shape);
  for (const [index, level] of levels.entries()) {
    const size = 2 ** orders[index]!;
    const sides = frame === NO_FRAME ? [page] : [page, frame];
    const begins = sides.every((side) => Math.floor(side / size) * size === side);
    const last = page + size - 1;
    if (begins && last < page + left) return level;
  }
  return 3;
}

/** Addresses near boundaries of every level, up to 2^20 pages. */
function near(shape: Geometry): fc.Arbitrary<number> {
  const boundary = fc
    .tuple(fc.constantFrom(...ORDERS(shape)), fc.nat(3), fc.integer({ min: -2, max: 2 }))
    .map(([order, times, off]) => Math.max(0, times * 2 ** order + off));
  return fc.oneof(boundary, fc.nat(1 << 20));
}

function positions(shape: Geometry): fc.Arbitrary<Position> {
  return fc.record({
    page: near(shape),
    frame: fc.oneof(near(shape), fc.constant(NO_FRAME)),
    left: near(shape).map((left) => left + 1),
    isBlock: fc.boolean(),
  });
}

for (const { shape } of SHAPES) {
  const name = `${2 ** shape.bitsPerLevel} entries`;

  test(`the level is the largest legal one (${name})`, (t) => {
    const seen = new Set<number>();
    fc.assert(
      fc.property(positions(shape), (position) => {
        const level = mappingLevel(shape, position);
        seen.add(level);
        return level === largestLegalLevel(shape, position);
      }),
      RUNS,
    );
    t.deepEqual([...seen].sort(), [1, 2, 3]);
  });

  test(`a level and an order say the same (${name}): seed 002 asks for the level`, (t) => {
    for (const [index, order] of ORDERS(shape).entries()) {
      t.is(3 - order / shape.bitsPerLevel, index + 1);
    }
  });

  test(`the value that stands for no frame is not part of the mask (${name})`, (t) => {
    fc.assert(
      fc.property(positions(shape), (position) => {
        const without = mappingLevel(shape, { ...position, frame: NO_FRAME });
        // a frame as aligned as any address says nothing; the stand-in with all bits set would say "page"
        return without === mappingLevel(shape, { ...position, frame: 0 });
      }),
      RUNS,
    );
    const block = 2 ** shape.bitsPerLevel;
    t.is(mappingLevel(shape, { page: 0, frame: NO_FRAME, left: block, isBlock: true }), 2);
    t.is(mappingLevel(shape, { page: 0, frame: 2 ** 30 - 1, left: block, isBlock: true }), 3);
  });

  test(`the RFC never goes beyond today's level, and is as good only for whole blocks (${name})`, (t) => {
    let finer = 0;
    fc.assert(
      fc.property(positions(shape), (position) => {
        const today = mappingLevel(shape, position);
        const rfc = mappingLevelRfc(shape, position);
        if (rfc > today) {
          finer += 1;
          // only what is left makes the difference
          const size = 2 ** ORDERS(shape)[today - 1]!;
          return position.left % size !== 0;
        }
        return rfc === today;
      }),
      RUNS,
    );
    t.true(finer > 0);
  });
}

/** Levels of all entries of one request, in order. */
function levelsOf(
  choose: typeof mappingLevel,
  shape: Geometry,
  page: number,
  frame: number,
  pages: number,
): number[] {
  const levels: number[] = [];
  for (let done = 0; done < pages; ) {
    const position = { page: page + done, frame: frame + done, left: pages - done, isBlock: true };
    const level = choose(shape, position);
    levels.push(level);
    done += 2 ** ORDERS(shape)[level - 1]!;
  }
  return levels;
}

test('as what is left shrinks, the mask of the RFC comes to allow a block that it refused at first', (t) => {
  // three pages more than two blocks: pages until a multiple of a block is left, and by then the address is odd
  t.deepEqual(levelsOf(mappingLevel, TOY, 0, 0, 11), [2, 2, 3, 3, 3]);
  t.deepEqual(levelsOf(mappingLevelRfc, TOY, 0, 0, 11), new Array(11).fill(3));
  // off by as much at its start and its end, it gets back to blocks
  t.deepEqual(levelsOf(mappingLevelRfc, TOY, 3, 3, 9), [3, 2, 2]);
  t.deepEqual(levelsOf(mappingLevel, TOY, 3, 3, 9), [3, 2, 2]);
});

test('entries cover the request exactly, whatever it is', (t) => {
  fc.assert(
    fc.property(near(TOY), near(TOY), fc.integer({ min: 1, max: 200 }), (page, frame, pages) => {
      const sum = levelsOf(mappingLevel, TOY, page, frame, pages)
        .map((level) => 2 ** ORDERS(TOY)[level - 1]!)
        .reduce((one, other) => one + other, 0);
      return sum === pages;
    }),
    RUNS,
  );
  t.pass();
});

for (const { shape, group } of SHAPES) {
  test(`a contiguous group is whole, aligned on both sides, and for inserts only (groups of ${group})`, (t) => {
    let groups = 0;
    fc.assert(
      fc.property(positions(shape), (position) => {
        const level = mappingLevel(shape, position);
        const entries = contiguousEntries(shape, group, level, position);
        const pages = group * 2 ** ORDERS(shape)[level - 1]!;
        const { page, frame, left, isBlock } = position;
        const isGroup =
          isBlock &&
          frame !== NO_FRAME &&
          left >= pages &&
          page % pages === 0 &&
          frame % pages === 0;
        if (isGroup) groups += 1;
        return entries === (isGroup ? group : 1);
      }),
      RUNS,
    );
    t.true(groups > 0);
  });
}

test('1 GB superpages over RAM that is not 1 GB aligned or has holes map what is no RAM', (t) => {
  const large = 2 ** ORDERS(REAL)[0]!;
  // RAM as on a board with 948 MB below the first gigabyte, and a reserved hole
  const ram = [
    { first: 0, pages: 948 * 256 },
    { first: large, pages: large / 2 },
  ];
  const hole = { first: 512 * 100, pages: 512 };
  const isRam = (page: number): boolean =>
    ram.some(({ first, pages }) => page >= first && page < first + pages) &&
    !(page >= hole.first && page < hole.first + hole.pages);
  const always = new Set<number>();
  for (const { first, pages } of ram) {
    for (let at = first; at < first + pages; at += large)
      always.add(Math.floor(at / large) * large);
  }
  const wrong = [...always].flatMap((first) =>
    [0, hole.first, large - 1].map((offset) => first + offset).filter((page) => !isRam(page)),
  );
  t.true(wrong.length > 0);
  // mapped by the rule, region by region around the hole, nothing but RAM is covered
  const regions = [
    { first: 0, pages: hole.first },
    { first: hole.first + hole.pages, pages: 948 * 256 - hole.first - hole.pages },
    { first: large, pages: large / 2 },
  ];
  for (const { first, pages } of regions) {
    for (let done = 0; done < pages; ) {
      const at = first + done;
      const level = mappingLevel(REAL, { page: at, frame: at, left: pages - done, isBlock: true });
      const size = 2 ** ORDERS(REAL)[level - 1]!;
      t.true(isRam(at) && isRam(at + size - 1));
      done += size;
    }
  }
});
