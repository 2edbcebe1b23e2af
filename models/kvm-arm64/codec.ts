/**
 * The machine's descriptors as the 64-bit words of VMSAv8-64 stage 2, and back. For tests and
 * printing: the machine itself never works on bigints.
 *
 * `encode` and `decode` are inverse at each format and level: every 64-bit word has exactly one
 * record, and every record exactly one word. What the machine has no field for (an attribute, a bit
 * that the architecture reserves or ignores) stays visible as a `foreign` record, never dropped.
 *
 * Source: spec/arm.md 1.3. Departure: with 64K pages and 52 bits, table descriptors hold address
 * bits 51:48 in 15:12 as leaves do; the specification leaves that cell empty.
 */
import {
  ACCESSED,
  CONTIGUOUS,
  type Descriptor,
  DIRTY_MODIFIER,
  EXEC_PRIVILEGED,
  EXEC_USER,
  FRAME_SHIFT,
  frameOf,
  isTable,
  isValid,
  MemoryType,
  READ,
  SOFTWARE_MASK,
  TABLE,
  TYPE_MASK,
  VALID,
  WRITE,
} from '../../sim/descriptor.ts';
import { LAST_LEVEL } from '../../sim/geometry.ts';

/** What decides the meaning of a stage-2 descriptor besides its level. */
export interface Stage2Format {
  /** log2 of the page size in bytes. */
  readonly granuleBits: 12 | 14 | 16;
  /** Index bits per level; `granuleBits - 3` on real hardware, fewer in toy geometries. */
  readonly bitsPerLevel: number;
  /** 52 is FEAT_LPA with 64K pages and FEAT_LPA2 with 4K and 16K. */
  readonly outputBits: 48 | 52;
  /** FEAT_S2FWB in use: MemAttr decides alone, whatever the guest's stage 1 says. */
  readonly forcesWriteBack: boolean;
  /** FEAT_XNX: privileged and unprivileged execution are controlled apart. */
  readonly splitsExecute: boolean;
}

/**
 * A descriptor, decoded. `page` is the output address in pages of the granule; `attributes` are the
 * machine's bits for rights, accessed, dirty modifier, type, contiguous and software
 * (sim/descriptor.ts, bits 2 to 15 without 11).
 */
export type Stage2Record =
  /** Bits 63:1, free for software. */
  | { readonly kind: 'invalid'; readonly payload: bigint }
  | { readonly kind: 'table'; readonly page: number }
  | { readonly kind: 'leaf'; readonly page: number; readonly attributes: number }
  /** A leaf where none may be (a block at another level, a page with type bit 0): it faults. */
  | { readonly kind: 'reserved'; readonly page: number; readonly attributes: number }
  /** Valid, with fields or values that the machine has no name for. */
  | { readonly kind: 'foreign'; readonly bits: bigint };

const VALID_BIT = 1n;
const TYPE_BIT = 2n;
const SHARE_MASK = 3n << 8n;
const LPA_MASK = 15n << 12n;
const NEVER_SHIFT = 53n;

/** Attributes that are one bit there and here. */
const FLAGS: readonly (readonly [here: number, there: bigint])[] = [
  [READ, 1n << 6n],
  [WRITE, 1n << 7n],
  [ACCESSED, 1n << 10n],
  [DIRTY_MODIFIER, 1n << 51n],
  [CONTIGUOUS, 1n << 52n],
];

/** XN[1:0], by index: both may execute, unprivileged only, none, privileged only. */
const EXECUTE = [EXEC_PRIVILEGED | EXEC_USER, EXEC_USER, 0, EXEC_PRIVILEGED];

/** MemAttr[3:0] of each memory type. Only FWB can say "as stage 1". */
const PLAIN_TYPES = new Map<number, bigint>([
  [MemoryType.Normal, 0b1111n],
  [MemoryType.NonCacheable, 0b0101n],
  [MemoryType.Device, 0b0001n],
]);
const FORCED_TYPES = new Map<number, bigint>([
  [MemoryType.Normal, 0b0110n],
  [MemoryType.NonCacheable, 0b0101n],
  [MemoryType.Device, 0b0001n],
  [MemoryType.AsStage1, 0b0111n],
]);

const SOFTWARE_SHIFT = 12;
const ATTRIBUTES = 0xf7fc;

function check(condition: boolean, rule: string): asserts condition {
  if (!condition) throw new RangeError(rule);
}

/** 4K and 16K pages with 52-bit addresses, whose bits 51:50 take the place of SH. */
function isLpa2({ granuleBits, outputBits }: Stage2Format): boolean {
  return outputBits === 52 && granuleBits !== 16;
}

/** Levels at which the architecture permits a leaf (spec/arm.md 1.1), pages included. */
export function leafLevels({ granuleBits, outputBits }: Stage2Format): readonly number[] {
  const highest = (granuleBits === 12 ? 1 : 2) - (outputBits === 52 ? 1 : 0);
  return [0, 1, 2, LAST_LEVEL].filter((level) => level >= highest);
}

function isAligned({ bitsPerLevel }: Stage2Format, level: number, page: number): boolean {
  return page % 2 ** (bitsPerLevel * (LAST_LEVEL - level)) === 0;
}

/** The output address in its place; `pageOf` is the inverse. */
function placeAddress(format: Stage2Format, page: number): bigint {
  const { granuleBits, outputBits } = format;
  const isInside = Number.isInteger(page) && page >= 0 && page < 2 ** (outputBits - granuleBits);
  check(isInside, `an output address has ${outputBits} bits`);
  const address = BigInt(page) << BigInt(granuleBits);
  if (isLpa2(format)) return BigInt.asUintN(50, address) | ((address >> 50n) << 8n);
  return BigInt.asUintN(48, address) | ((address >> 48n) << 12n);
}

function pageOf(format: Stage2Format, bits: bigint): number {
  const { granuleBits, outputBits } = format;
  const shift = BigInt(granuleBits);
  const width = isLpa2(format) ? 50 : 48;
  const low = (BigInt.asUintN(width, bits) >> shift) << shift;
  let high = 0n;
  if (isLpa2(format)) high = ((bits & SHARE_MASK) >> 8n) << 50n;
  else if (outputBits === 52) high = ((bits & LPA_MASK) >> 12n) << 48n;
  return Number((low | high) >> shift);
}

function encodeLeaf(format: Stage2Format, level: number, page: number, attributes: number): bigint {
  check((attributes & ~ATTRIBUTES) === 0, 'attributes are those of the machine');
  check(isAligned(format, level, page), `a leaf of level ${level} is aligned to its size`);
  const type = (format.forcesWriteBack ? FORCED_TYPES : PLAIN_TYPES).get(attributes & TYPE_MASK);
  check(type !== undefined, 'the memory type "as stage 1" needs FEAT_S2FWB');
  const never = EXECUTE.indexOf(attributes & (EXEC_PRIVILEGED | EXEC_USER));
  check(format.splitsExecute || never % 2 === 0, 'execute rights differ only with FEAT_XNX');
  let bits = VALID_BIT | (type << 2n) | placeAddress(format, page) | (BigInt(never) << NEVER_SHIFT);
  for (const [here, there] of FLAGS) if ((attributes & here) !== 0) bits |= there;
  if (!isLpa2(format)) bits |= SHARE_MASK;
  return bits | (BigInt((attributes & SOFTWARE_MASK) >>> SOFTWARE_SHIFT) << 55n);
}

/** The machine's attributes of a leaf; undefined when it has no name for one. */
function decodeAttributes(format: Stage2Format, bits: bigint): number | undefined {
  const memory = (bits >> 2n) & 15n;
  const type = [...(format.forcesWriteBack ? FORCED_TYPES : PLAIN_TYPES)].find(
    ([, value]) => value === memory,
  )?.[0];
  const never = Number((bits >> NEVER_SHIFT) & 3n);
  if (type === undefined || (!format.splitsExecute && never % 2 !== 0)) return undefined;
  let attributes = type | EXECUTE[never]!;
  for (const [here, there] of FLAGS) if ((bits & there) !== 0n) attributes |= here;
  return attributes | (Number((bits >> 55n) & 15n) << SOFTWARE_SHIFT);
}

/** Whether a valid word with this type bit is what the walker takes for a leaf of the level. */
function isLeafForm(format: Stage2Format, level: number, hasTypeBit: boolean): boolean {
  if (level === LAST_LEVEL) return hasTypeBit;
  return !hasTypeBit && leafLevels(format).includes(level);
}

/**
 * The 64-bit descriptor of a record at a level from -1 to 3.
 * @throws RangeError when the format cannot say it there: an address too wide or not aligned, a leaf
 * or table at a level without, a memory type or right that needs a feature
 */
export function encode(format: Stage2Format, level: number, record: Stage2Record): bigint {
  switch (record.kind) {
    case 'invalid':
      check(record.payload >= 0n && record.payload < 1n << 63n, 'a payload has 63 bits');
      return record.payload << 1n;
    case 'table':
      check(level < LAST_LEVEL, 'the last level has no tables');
      return placeAddress(format, record.page) | TYPE_BIT | VALID_BIT;
    case 'foreign':
      check(decode(format, level, record.bits).kind === 'foreign', 'the machine has a name for it');
      return record.bits;
    default: {
      // a reserved form is a page without its type bit, or a block at another level
      const hasTypeBit = level === LAST_LEVEL && record.kind === 'leaf';
      const kind = isLeafForm(format, level, hasTypeBit) ? 'leaf' : 'reserved';
      check(kind === record.kind, `level ${level} has no ${record.kind} of this form`);
      const bits = encodeLeaf(format, level, record.page, record.attributes);
      return hasTypeBit ? bits | TYPE_BIT : bits;
    }
  }
}

/**
 * The record of a 64-bit descriptor at a level from -1 to 3.
 * @throws RangeError when `bits` is no unsigned 64-bit number
 */
export function decode(format: Stage2Format, level: number, bits: bigint): Stage2Record {
  check(bits >= 0n && bits < 1n << 64n, 'a descriptor has 64 bits');
  if ((bits & VALID_BIT) === 0n) return { kind: 'invalid', payload: bits >> 1n };
  const hasTypeBit = (bits & TYPE_BIT) !== 0n;
  const page = pageOf(format, bits);
  if (hasTypeBit && level < LAST_LEVEL) {
    const isExact = bits === (placeAddress(format, page) | TYPE_BIT | VALID_BIT);
    return isExact ? { kind: 'table', page } : { kind: 'foreign', bits };
  }
  const attributes = decodeAttributes(format, bits);
  if (attributes === undefined || !isAligned(format, level, page)) return { kind: 'foreign', bits };
  const exact = encodeLeaf(format, level, page, attributes) | (hasTypeBit ? TYPE_BIT : 0n);
  if (exact !== bits) return { kind: 'foreign', bits };
  return { kind: isLeafForm(format, level, hasTypeBit) ? 'leaf' : 'reserved', page, attributes };
}

/**
 * The record of a machine word at a level. An invalid word has 31 bits for software; they are bits
 * 31:1 there as well, so that annotations look alike.
 * @throws RangeError when a table word carries attributes
 */
export function recordOf(format: Stage2Format, level: number, word: Descriptor): Stage2Record {
  if (!isValid(word)) return { kind: 'invalid', payload: BigInt(word >>> 1) };
  const attributes = word & 0xffff & ~(VALID | TABLE);
  const page = frameOf(word);
  if (isTable(word) && level < LAST_LEVEL) {
    check(attributes === 0, 'a table has no attributes');
    return { kind: 'table', page };
  }
  // the machine's page has its table bit clear, the real one its type bit set
  const isLeaf = isLeafForm(format, level, level === LAST_LEVEL && !isTable(word));
  return { kind: isLeaf ? 'leaf' : 'reserved', page, attributes };
}

/**
 * The machine word of a record at a level; `recordOf` is the inverse.
 * @throws RangeError when the record does not fit in 32 bits or is foreign
 */
export function wordOf(level: number, record: Stage2Record): Descriptor {
  check(record.kind !== 'foreign', 'the machine has no name for a foreign descriptor');
  if (record.kind === 'invalid') {
    check(record.payload < 1n << 31n, 'an invalid word of the machine has 31 bits for software');
    return Number(record.payload << 1n) | 0;
  }
  check(record.page <= 0xffff, 'a machine has 65,536 frames');
  const named = (record.page << FRAME_SHIFT) | VALID;
  if (record.kind === 'table') return named | TABLE;
  const isReservedPage = record.kind === 'reserved' && level === LAST_LEVEL;
  return named | record.attributes | (isReservedPage ? TABLE : 0);
}
