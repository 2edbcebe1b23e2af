/**
 * The 64-bit stage-2 descriptors of kvm-arm64: encode and decode are inverse over all fields,
 * formats and levels, and agree with bit positions written by hand (spec/arm.md 1.3).
 */
import test from 'ava';
import fc from 'fast-check';
import {
  decode,
  encode,
  leafLevels,
  recordOf,
  type Stage2Format,
  type Stage2Record,
  wordOf,
} from '../../models/kvm-arm64/codec.ts';
import {
  ACCESSED,
  CONTIGUOUS,
  DIRTY_MODIFIER,
  EXEC_PRIVILEGED,
  EXEC_USER,
  leaf,
  MemoryType,
  READ,
  TABLE,
  TYPE_MASK,
  table,
  VALID,
  WRITE,
} from '../../sim/descriptor.ts';

const LEVELS = [-1, 0, 1, 2, 3];
const EXEC = EXEC_PRIVILEGED | EXEC_USER;

function formatOf(granuleBits: 12 | 14 | 16, rest: Partial<Stage2Format> = {}): Stage2Format {
  return {
    granuleBits,
    bitsPerLevel: granuleBits - 3,
    outputBits: 48,
    forcesWriteBack: false,
    splitsExecute: false,
    ...rest,
  };
}

/** Every combination of granule, address size and features; and a toy with 4 entries per table. */
const FORMATS: readonly Stage2Format[] = ([12, 14, 16] as const).flatMap((granule) =>
  ([48, 52] as const).flatMap((outputBits) =>
    [false, true].flatMap((forcesWriteBack) =>
      [false, true].flatMap((splitsExecute) => {
        const real = formatOf(granule, { outputBits, forcesWriteBack, splitsExecute });
        return granule === 12 ? [real, { ...real, bitsPerLevel: 2 }] : [real];
      }),
    ),
  ),
);

interface Place {
  readonly format: Stage2Format;
  readonly level: number;
}

const place: fc.Arbitrary<Place> = fc.record({
  format: fc.constantFrom(...FORMATS),
  level: fc.constantFrom(...LEVELS),
});

/** Any page whose address the format can hold, aligned for a leaf of the level. */
function alignedPage({ format, level }: Place): fc.Arbitrary<number> {
  const size = 2 ** (format.bitsPerLevel * (3 - level));
  const pages = 2 ** (format.outputBits - format.granuleBits);
  return fc.integer({ min: 0, max: Math.ceil(pages / size) - 1 }).map((index) => index * size);
}

function attributes(format: Stage2Format): fc.Arbitrary<number> {
  const { Normal, NonCacheable, Device, AsStage1 } = MemoryType;
  const types = [Normal, NonCacheable, Device, ...(format.forcesWriteBack ? [AsStage1] : [])];
  const executes = format.splitsExecute ? [0, EXEC, EXEC_PRIVILEGED, EXEC_USER] : [0, EXEC];
  return fc
    .record({
      flags: fc.subarray([READ, WRITE, ACCESSED, DIRTY_MODIFIER, CONTIGUOUS]),
      type: fc.constantFrom(...types),
      execute: fc.constantFrom(...executes),
      software: fc.nat(15),
    })
    .map(
      ({ flags, type, execute, software }) =>
        flags.reduce((all, flag) => all | flag, 0) | type | execute | (software << 12),
    );
}

/** Every record that the format can say at the level, foreign ones apart. */
function records(at: Place): fc.Arbitrary<Stage2Record> {
  const { format, level } = at;
  const invalid = fc
    .bigInt({ min: 0n, max: (1n << 63n) - 1n })
    .map((payload) => ({ kind: 'invalid', payload }) as const);
  const fields = fc.record({ page: alignedPage(at), attributes: attributes(format) });
  const leaves = fields.map((one) => ({ kind: 'leaf', ...one }) as const);
  const reserved = fields.map((one) => ({ kind: 'reserved', ...one }) as const);
  const pages = fc.integer({ min: 0, max: 2 ** (format.outputBits - format.granuleBits) - 1 });
  const tables = pages.map((page) => ({ kind: 'table', page }) as const);
  if (level === 3) return fc.oneof(invalid, leaves, reserved);
  return leafLevels(format).includes(level)
    ? fc.oneof(invalid, leaves, tables)
    : fc.oneof(invalid, reserved, tables);
}

const placeAndRecord = place.chain((at) => fc.tuple(fc.constant(at), records(at)));

// ---- both ways ----

test('a record reads back from its word as it was, at every format and level', (t) => {
  fc.assert(
    fc.property(placeAndRecord, ([{ format, level }, record]) => {
      t.deepEqual(decode(format, level, encode(format, level, record)), record);
    }),
    { numRuns: 1500 },
  );
});

test('any 64-bit word reads back from its record as it was', (t) => {
  fc.assert(
    fc.property(place, fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), ({ format, level }, bits) => {
      return encode(format, level, decode(format, level, bits)) === bits;
    }),
    { numRuns: 1500 },
  );
  t.pass();
});

test('a word one bit away from a good one reads back as it was and as something else', (t) => {
  fc.assert(
    fc.property(placeAndRecord, fc.bigInt({ min: 0n, max: 63n }), (drawn, bit) => {
      const [{ format, level }, record] = drawn;
      const near = encode(format, level, record) ^ (1n << bit);
      const other = decode(format, level, near);
      t.is(encode(format, level, other), near);
      t.notDeepEqual(other, record);
    }),
    { numRuns: 1500 },
  );
});

test('no two records have one word', (t) => {
  const pair = place.chain((at) => fc.tuple(fc.constant(at), records(at), records(at)));
  const text = (record: Stage2Record): string =>
    JSON.stringify(record, (_, value) => (typeof value === 'bigint' ? `${value}n` : value));
  fc.assert(
    fc.property(pair, ([{ format, level }, one, other]) => {
      const isSame = text(one) === text(other);
      return (encode(format, level, one) === encode(format, level, other)) === isSame;
    }),
    { numRuns: 1500 },
  );
  t.pass();
});

test('every set of attributes has a word of its own, in each format', (t) => {
  for (const format of FORMATS) {
    const words = new Set<bigint>();
    let count = 0;
    for (let bits = 0; bits < 0x10000; bits += 4) {
      const isSayable = (bits & 0x800) === 0 && (bits & 0x7000) === 0 && isEncodable(format, bits);
      if (!isSayable) continue;
      count += 1;
      words.add(encode(format, 3, { kind: 'leaf', page: 5, attributes: bits }));
    }
    t.is(words.size, count);
    t.is(count, 2 * 32 * (format.forcesWriteBack ? 4 : 3) * (format.splitsExecute ? 4 : 2));
  }
});

function isEncodable(format: Stage2Format, bits: number): boolean {
  const type = bits & TYPE_MASK;
  const isSplit = (bits & EXEC) !== 0 && (bits & EXEC) !== EXEC;
  if (isSplit && !format.splitsExecute) return false;
  return type !== MemoryType.AsStage1 || format.forcesWriteBack;
}

// ---- bit positions, by hand ----

const KERNEL = formatOf(12);

test('a normal read-write page of KVM is the word that KVM writes', (t) => {
  const page = { kind: 'leaf', page: 0x12345, attributes: READ | WRITE | ACCESSED } as const;
  // XN, AF, SH inner, S2AP read-write, MemAttr write-back, page, valid
  const expected = (2n << 53n) | 0x12345000n | 0x400n | 0x300n | 0xc0n | 0x3cn | 0b11n;
  t.is(encode(KERNEL, 3, page), expected);
  t.is(encode(KERNEL, 3, page), 0x40_0000_1234_57ffn);
});

test('each attribute has the bit of the manual', (t) => {
  const base = encode(KERNEL, 3, { kind: 'leaf', page: 0, attributes: EXEC });
  t.is(base, 0x33fn);
  const rows: readonly (readonly [number, bigint])[] = [
    [READ, 1n << 6n],
    [WRITE, 1n << 7n],
    [ACCESSED, 1n << 10n],
    [DIRTY_MODIFIER, 1n << 51n],
    [CONTIGUOUS, 1n << 52n],
    [1 << 12, 1n << 55n],
    [8 << 12, 1n << 58n],
  ];
  for (const [here, there] of rows) {
    t.is(encode(KERNEL, 3, { kind: 'leaf', page: 0, attributes: EXEC | here }), base | there);
  }
});

test('the type bit is set for a page and a table and clear for a block', (t) => {
  const fields = { page: 0, attributes: 0 };
  t.is(encode(KERNEL, 3, { kind: 'leaf', ...fields }) & 3n, 3n);
  t.is(encode(KERNEL, 2, { kind: 'leaf', ...fields }) & 3n, 1n);
  t.is(encode(KERNEL, 2, { kind: 'table', page: 1 }), 0x1003n);
  t.is(encode(KERNEL, 3, { kind: 'reserved', ...fields }) & 3n, 1n);
});

test('memory types without and with forced write-back', (t) => {
  const { Normal, NonCacheable, Device, AsStage1 } = MemoryType;
  const memAttr = (format: Stage2Format, type: number): bigint =>
    (encode(format, 3, { kind: 'leaf', page: 0, attributes: type }) >> 2n) & 15n;
  const forced = formatOf(12, { forcesWriteBack: true });
  t.deepEqual(
    [Normal, NonCacheable, Device].map((type) => memAttr(KERNEL, type)),
    [0b1111n, 0b0101n, 0b0001n],
  );
  t.deepEqual(
    [Normal, NonCacheable, Device, AsStage1].map((type) => memAttr(forced, type)),
    [0b0110n, 0b0101n, 0b0001n, 0b0111n],
  );
  // write-back of one is unknown to the other
  const normal = encode(KERNEL, 3, { kind: 'leaf', page: 0, attributes: Normal });
  t.is(decode(forced, 3, normal).kind, 'foreign');
  // Device-nGnRnE is a type that the machine does not name
  t.is(decode(KERNEL, 3, normal & ~0x3cn).kind, 'foreign');
});

test('execute-never with and without FEAT_XNX', (t) => {
  const split = formatOf(12, { splitsExecute: true });
  const never = (format: Stage2Format, rights: number): bigint =>
    encode(format, 3, { kind: 'leaf', page: 0, attributes: rights }) >> 53n;
  t.deepEqual(
    [EXEC, EXEC_USER, 0, EXEC_PRIVILEGED].map((rights) => never(split, rights)),
    [0n, 1n, 2n, 3n],
  );
  t.deepEqual(
    [EXEC, 0].map((rights) => never(KERNEL, rights)),
    [0n, 2n],
  );
  // only bit 54 counts there: bit 53 has no meaning that the machine could keep
  const user = encode(split, 3, { kind: 'leaf', page: 0, attributes: EXEC_USER });
  t.is(decode(KERNEL, 3, user).kind, 'foreign');
});

test('48-bit addresses lie in 47:g', (t) => {
  for (const granule of [12, 14, 16] as const) {
    const format = formatOf(granule);
    const last = 2 ** (48 - granule) - 1;
    const word = encode(format, 2, { kind: 'table', page: last });
    t.is(word, (BigInt(last) << BigInt(granule)) | 3n);
    t.throws(() => encode(format, 2, { kind: 'table', page: last + 1 }), {
      instanceOf: RangeError,
    });
  }
});

test('64K pages keep address bits 51:48 in 15:12, with shareability in place', (t) => {
  const format = formatOf(16, { outputBits: 52 });
  const high = 0xa * 2 ** 32 + 1;
  const word = encode(format, 3, { kind: 'leaf', page: high, attributes: EXEC });
  t.is(word, (0xan << 12n) | (1n << 16n) | 0x33fn);
  t.is(encode(format, 2, { kind: 'table', page: high }), (0xan << 12n) | (1n << 16n) | 3n);
});

test('LPA2 keeps address bits 51:50 in 9:8, in place of shareability', (t) => {
  for (const granule of [12, 14] as const) {
    const format = formatOf(granule, { outputBits: 52 });
    const page = 2 ** (50 - granule) * 2 + 2 ** (48 - granule) + 1;
    const address = (1n << 48n) | (1n << BigInt(granule)) | (2n << 8n);
    const attributes = EXEC | READ;
    t.is(encode(format, 3, { kind: 'leaf', page, attributes }), address | 0x7fn);
    t.is(encode(format, 2, { kind: 'table', page }), address | 3n);
  }
});

test('a leaf is allowed where the architecture allows it', (t) => {
  const wide = { outputBits: 52 } as const;
  t.deepEqual(
    ([12, 14, 16] as const).map((granule) => leafLevels(formatOf(granule))),
    [
      [1, 2, 3],
      [2, 3],
      [2, 3],
    ],
  );
  t.deepEqual(
    ([12, 14, 16] as const).map((granule) => leafLevels(formatOf(granule, wide))),
    [
      [0, 1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
    ],
  );
});

test('bits without a field make a word foreign', (t) => {
  const page = encode(KERNEL, 3, { kind: 'leaf', page: 8, attributes: READ });
  // FnXS, 50:48 without LPA, 62:59 and 63; and a shareability that is not inner
  for (const bit of [11n, 48n, 49n, 50n, 59n, 62n, 63n, 8n, 9n]) {
    t.is(decode(KERNEL, 3, page ^ (1n << bit)).kind, 'foreign', `bit ${bit}`);
  }
  const block = encode(KERNEL, 2, { kind: 'leaf', page: 512, attributes: READ });
  // bits below the block's size, nT among them
  for (const bit of [12n, 16n, 20n]) t.is(decode(KERNEL, 2, block | (1n << bit)).kind, 'foreign');
  t.is(decode(KERNEL, 2, block | (1n << 22n)).kind, 'leaf');
  t.is(decode(KERNEL, 2, 0x1003n | (1n << 10n)).kind, 'foreign');
});

test('what the format cannot say is refused', (t) => {
  const refused: readonly (readonly [Stage2Format, number, Stage2Record])[] = [
    [KERNEL, 3, { kind: 'table', page: 1 }],
    [KERNEL, 0, { kind: 'leaf', page: 0, attributes: 0 }],
    [KERNEL, 2, { kind: 'reserved', page: 0, attributes: 0 }],
    [KERNEL, 2, { kind: 'leaf', page: 511, attributes: 0 }],
    [KERNEL, 3, { kind: 'leaf', page: 0, attributes: MemoryType.AsStage1 }],
    [KERNEL, 3, { kind: 'leaf', page: 0, attributes: EXEC_USER }],
    [KERNEL, 3, { kind: 'leaf', page: 0, attributes: 1 << 11 }],
    [KERNEL, 3, { kind: 'leaf', page: 0, attributes: VALID }],
    [KERNEL, 3, { kind: 'leaf', page: -1, attributes: 0 }],
    [KERNEL, 3, { kind: 'leaf', page: 0.5, attributes: 0 }],
    [KERNEL, 3, { kind: 'invalid', payload: 1n << 63n }],
    [KERNEL, 3, { kind: 'invalid', payload: -1n }],
    [KERNEL, 3, { kind: 'foreign', bits: 0n }],
  ];
  for (const [format, level, record] of refused) {
    t.throws(() => encode(format, level, record), { instanceOf: RangeError });
  }
  for (const bits of [-1n, 1n << 64n]) {
    t.throws(() => decode(KERNEL, 3, bits), { instanceOf: RangeError });
  }
});

// ---- machine words ----

/** Words that a model can write: any payload, tables, leaves with any sayable attributes. */
const machineWord = place.chain((at) =>
  fc.tuple(
    fc.constant(at),
    fc.oneof(
      fc.integer().map((word) => word & ~VALID),
      fc.nat(0xffff).map(table),
      fc.tuple(fc.nat(0xffff), attributes(at.format)).map(([frame, bits]) => leaf(frame, bits)),
    ),
  ),
);

test('a machine word reads back from its record as it was', (t) => {
  fc.assert(
    fc.property(machineWord, ([{ format, level }, word]) => {
      t.is(wordOf(level, recordOf(format, level, word)), word);
    }),
    { numRuns: 1500 },
  );
});

test('a machine word goes through 64 bits and comes back, wherever it is aligned', (t) => {
  fc.assert(
    fc.property(machineWord, ([{ format, level }, word]) => {
      const record = recordOf(format, level, word);
      const size = 2 ** (format.bitsPerLevel * (3 - level));
      fc.pre(!('attributes' in record) || record.page % size === 0);
      const bits = encode(format, level, record);
      t.is(wordOf(level, decode(format, level, bits)), word);
    }),
    { numRuns: 1500 },
  );
});

test('the machine and the architecture agree on what a walker does with a word', (t) => {
  const cells = [3, 2, 0].map((level) =>
    [0, table(512), leaf(512, READ)].map((word) => recordOf(KERNEL, level, word).kind),
  );
  t.deepEqual(cells, [
    ['invalid', 'reserved', 'leaf'],
    ['invalid', 'table', 'leaf'],
    ['invalid', 'table', 'reserved'],
  ]);
});

test('annotations and busy markers have the same bits in both words', (t) => {
  for (const word of [0x400, 0x3fc, -2]) {
    t.is(encode(KERNEL, 3, recordOf(KERNEL, 3, word)), BigInt(word >>> 0));
  }
});

test('a record that does not fit in a machine word is refused', (t) => {
  const refused: readonly Stage2Record[] = [
    { kind: 'foreign', bits: 3n },
    { kind: 'invalid', payload: 1n << 31n },
    { kind: 'table', page: 0x10000 },
    { kind: 'leaf', page: 0x10000, attributes: 0 },
  ];
  for (const record of refused) t.throws(() => wordOf(2, record), { instanceOf: RangeError });
  t.throws(() => recordOf(KERNEL, 2, table(1) | READ), { instanceOf: RangeError });
  t.is(recordOf(KERNEL, 3, table(1) | READ).kind, 'reserved');
  t.is(wordOf(3, recordOf(KERNEL, 3, table(1) | READ)), table(1) | READ | TABLE);
});
