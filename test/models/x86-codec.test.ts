/** 64-bit shadow entries: inverse both ways, no two meanings collide, and what a lockless AND does to each. */
import test from 'ava';
import fc from 'fast-check';
import {
  accessedBit,
  classOf,
  decode,
  encode,
  type SpteFormat,
} from '../../models/kvm-x86-tdp/codec.ts';
import {
  AD_DISABLED,
  FROZEN,
  FROZEN_WITH_ACCESSED,
  GENERATIONS_MAX,
  generationOf,
  HOST_WRITABLE,
  isMmio,
  isPresent,
  isTracked,
  MMU_WRITABLE,
  mmioEntry,
  NONE,
  tableEntry,
  track,
  untrack,
} from '../../models/kvm-x86-tdp/spte.ts';
import { ACCESSED, DIRTY, EXEC, frameOf, leaf, READ, WRITE } from '../../sim/descriptor.ts';

const FORMATS: readonly SpteFormat[] = (['ept', 'legacy'] as const).flatMap((kind) =>
  [false, true].map((frozenHasAccessed) => ({ kind, frozenHasAccessed })),
);

const frame = fc.integer({ min: 1, max: 0xffff });
const anyFlags = fc.subarray([WRITE, EXEC, ACCESSED, DIRTY, HOST_WRITABLE, MMU_WRITABLE]);
const adType = fc.constantFrom(0, 1 << 14, 2 << 14);

/** Leaves with R, as the system makes them. */
const leafWord = fc
  .tuple(frame, anyFlags, adType)
  .map(([at, flags, type]) => leaf(at, READ | type | flags.reduce((sum, flag) => sum | flag, 0)));
const trackedWord = leafWord.map((word) => track((word & ~DIRTY) | AD_DISABLED));
const tableWord = frame.map(tableEntry);
const mmioWord = fc
  .tuple(fc.nat(0xffff), fc.nat(GENERATIONS_MAX - 1))
  .map(([page, generation]) => mmioEntry(page, generation));

function wordsOf({ frozenHasAccessed }: SpteFormat): fc.Arbitrary<number> {
  const fixed = frozenHasAccessed ? [NONE, FROZEN, FROZEN_WITH_ACCESSED] : [NONE, FROZEN];
  return fc.oneof(leafWord, trackedWord, tableWord, mmioWord, fc.constantFrom(...fixed));
}

for (const format of FORMATS) {
  const name = `${format.kind}, ${format.frozenHasAccessed ? 'frozen 0x5a0' : 'frozen without A/D'}`;
  const level = fc.constantFrom(1, 2, 3);

  test(`${name}: every word comes back, at every level where it may lie`, (t) => {
    fc.assert(
      fc.property(wordsOf(format), level, (word, at) => {
        fc.pre(!(classOf(word) === 'table' && at === 1));
        return decode(format, encode(format, word, at), at) === word;
      }),
      { seed: 1 },
    );
    t.pass();
  });

  test(`${name}: two different words are different entries`, (t) => {
    fc.assert(
      fc.property(wordsOf(format), wordsOf(format), level, (one, other, at) => {
        fc.pre(one !== other);
        fc.pre(at > 1 || (classOf(one) !== 'table' && classOf(other) !== 'table'));
        return encode(format, one, at) !== encode(format, other, at);
      }),
      { seed: 2 },
    );
    t.pass();
  });

  test(`${name}: bits that decode at all encode to themselves`, (t) => {
    const bits = fc.oneof(
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      // near what there is: an entry with one bit flipped
      fc
        .tuple(wordsOf(format), fc.integer({ min: 0, max: 63 }))
        .map(([word, bit]) => encode(format, word, 2) ^ (1n << BigInt(bit))),
    );
    let decoded = 0;
    fc.assert(
      fc.property(bits, level, (value, at) => {
        const word = decode(format, value, at);
        if (word === undefined) return true;
        decoded += 1;
        return encode(format, word, at) === value;
      }),
      { seed: 3, numRuns: 2000 },
    );
    t.true(decoded > 100);
  });

  test(`${name}: only leaves and tables are present to the hardware, and only what has bit 11 to software`, (t) => {
    fc.assert(
      fc.property(wordsOf(format), (word) => {
        const bits = encode(format, word, 2);
        const mask = format.kind === 'ept' ? 7n : 1n;
        const kind = classOf(word);
        // MMIO entries have a bit that says "present", and one that makes the hardware object to them
        const isHardware = kind === 'leaf' || kind === 'table' || kind === 'mmio';
        return (
          ((bits & mask) !== 0n) === isHardware && ((bits & (1n << 11n)) !== 0n) === isPresent(word)
        );
      }),
      { seed: 4 },
    );
    t.pass();
  });

  test(`${name}: clearing the accessed flag of the word is the AND on the entry, for every class (E9)`, (t) => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(wordsOf(format), (word) => {
        seen.add(classOf(word));
        const bits = encode(format, word, 2) & ~accessedBit(format);
        return decode(format, bits, 2) === (word & ~ACCESSED);
      }),
      { seed: 5 },
    );
    t.deepEqual([...seen].sort(), ['frozen', 'leaf', 'mmio', 'none', 'table', 'tracked']);
  });

  test(`${name}: the hardware takes MMIO entries, and nothing else, for mistakes`, (t) => {
    const objects = (bits: bigint): boolean =>
      format.kind === 'ept'
        ? // writable and not readable
          (bits & 3n) === 2n
        : // a bit of the address that must be zero
          (bits & 1n) === 1n && (bits & (1n << 51n)) !== 0n;
    fc.assert(
      fc.property(wordsOf(format), level, (word, at) => {
        const bits = encode(format, word, at);
        return objects(bits) === isMmio(word) && isMmio(word) === (classOf(word) === 'mmio');
      }),
      { seed: 6 },
    );
    t.pass();
  });

  test(`${name}: an MMIO entry gives back its page and its generation`, (t) => {
    fc.assert(
      fc.property(fc.nat(0xffff), fc.nat(GENERATIONS_MAX - 1), level, (page, generation, at) => {
        const word = decode(format, encode(format, mmioEntry(page, generation), at), at)!;
        return isMmio(word) && frameOf(word) === page && generationOf(word) === generation;
      }),
      { seed: 7 },
    );
    t.pass();
  });
}

test('the AND of aging leaves the frozen constant without A/D alone, and turns 0x5a0 into none that is known', (t) => {
  for (const format of FORMATS) {
    const frozen = format.frozenHasAccessed ? FROZEN_WITH_ACCESSED : FROZEN;
    const after = decode(format, encode(format, frozen, 1) & ~accessedBit(format), 1);
    t.is(after === frozen, !format.frozenHasAccessed);
    t.false(isPresent(after!));
    t.false(isTracked(after!));
  }
});

test('a tracked leaf gives its rights back but for the right to write, and is accessed', (t) => {
  const word = leaf(7, READ | WRITE | EXEC | ACCESSED | HOST_WRITABLE | MMU_WRITABLE | AD_DISABLED);
  t.is(untrack(track(word)), word & ~WRITE);
  t.true(isTracked(track(word)));
});
