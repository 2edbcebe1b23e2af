/**
 * Values of registers and memory words: integers, addresses, descriptors. They share one number space, so
 * that a memory word of the machine (32 bits) holds any value a test stores:
 *
 *   0 .. 2^15-1         integer
 *   2^20 .. 2^30-1      descriptor of sim/descriptor.ts; its frame is at least FIRST_FRAME
 *   2^30 .. 2^31-1      address: location << 2 | what of it
 *   2^32 .. 2^33-1      instruction address (registers only)
 *   from 2^33           larger integer, such as a mask of descriptor bits (registers only)
 */
import { assert } from '../../sim/assert.ts';
import {
  ACCESSED,
  DIRTY_MODIFIER,
  EXEC_USER,
  FRAME_SHIFT,
  frameOf,
  READ,
  VALID,
  WRITE,
} from '../../sim/descriptor.ts';

export type Value = number;

/** Frame of location 0; the frame of location `n` is this plus n. */
export const FIRST_FRAME = 16;

const INTEGER_END = 2 ** 15;
const DESCRIPTOR = 2 ** 20;
const ADDRESS = 2 ** 30;
const ADDRESS_END = 2 ** 31;
const CODE = 2 ** 32;
const LARGE = 2 ** 33;

/** What of a location an address names: its data, its descriptor, or its page number. */
export const Part = { Data: 0, Entry: 1, Page: 2 } as const;
export type Part = (typeof Part)[keyof typeof Part];

export function integer(value: number): Value {
  assert(Number.isSafeInteger(value) && value >= 0, 'integers of tests are not negative');
  return value < INTEGER_END ? value : LARGE + value;
}

export function address(location: number, part: Part): Value {
  return ADDRESS + (location << 2) + part;
}

export function code(thread: number, index: number): Value {
  return CODE + thread * 0x10000 + index;
}

export function codeThread(value: Value): number {
  return Math.floor((value - CODE) / 0x10000);
}

export function codeIndex(value: Value): number {
  return (value - CODE) % 0x10000;
}

export function isInteger(value: Value): boolean {
  return value < INTEGER_END || value >= LARGE;
}

export function isDescriptor(value: Value): boolean {
  return value >= DESCRIPTOR && value < ADDRESS;
}

export function isAddress(value: Value): boolean {
  return value >= ADDRESS && value < ADDRESS_END;
}

export function isCode(value: Value): boolean {
  return value >= CODE && value < LARGE;
}

export function integerOf(value: Value): number {
  return value < INTEGER_END ? value : value - LARGE;
}

export function locationOf(value: Value): number {
  return (value - ADDRESS) >>> 2;
}

export function partOf(value: Value): Part {
  return ((value - ADDRESS) & 3) as Part;
}

/** Fields of a descriptor as tests write them. */
export interface Fields {
  readonly valid: boolean;
  readonly af: boolean;
  readonly db: boolean;
  readonly dbm: boolean;
  readonly el0: boolean;
}

export const DEFAULT_FIELDS: Fields = { valid: true, af: true, db: true, dbm: false, el0: true };

/** @param location whose page the entry maps */
export function descriptor(location: number, fields: Fields): Value {
  return (
    ((FIRST_FRAME + location) << FRAME_SHIFT) |
    READ |
    (fields.valid ? VALID : 0) |
    (fields.af ? ACCESSED : 0) |
    (fields.db ? WRITE : 0) |
    (fields.dbm ? DIRTY_MODIFIER : 0) |
    (fields.el0 ? EXEC_USER : 0)
  );
}

/** The location whose page a descriptor maps. */
export function mappedBy(word: Value): number {
  return frameOf(word) - FIRST_FRAME;
}

/** Bits of the architecture's descriptor that tests compute with. */
const LAYOUT: readonly { flag: number; bit: number; inverted: boolean }[] = [
  { flag: VALID, bit: 0, inverted: false },
  { flag: EXEC_USER, bit: 6, inverted: false },
  { flag: WRITE, bit: 7, inverted: true },
  { flag: ACCESSED, bit: 10, inverted: false },
  { flag: DIRTY_MODIFIER, bit: 51, inverted: false },
];

/** One bit of an integer of up to 52 bits. */
function bitOf(value: number, bit: number): number {
  return Math.floor(value / 2 ** bit) % 2;
}

/** Bitwise `and`, `or`, `eor`, `bic`; of a descriptor and a mask, the descriptor's flags change. */
export function bitwise(operation: string, x: Value, y: Value): Value | undefined {
  if (operation === 'eor' && x === y) return 0;
  if ((operation === 'and' || operation === 'or') && x === y) return x;
  if (isInteger(x) && isInteger(y)) return integer(bits(operation, integerOf(x), integerOf(y)));
  if (isDescriptor(x) && isInteger(y)) return flags(operation, x, integerOf(y));
  if (isDescriptor(y) && isInteger(x) && operation !== 'bic')
    return flags(operation, y, integerOf(x));
  return undefined;
}

function bits(operation: string, x: number, y: number): number {
  if (x < 2 ** 31 && y < 2 ** 31) {
    if (operation === 'and') return x & y;
    if (operation === 'or') return x | y;
    return operation === 'eor' ? x ^ y : x & ~y;
  }
  let result = 0;
  for (let bit = 0; bit < 52; bit += 1) {
    if (combine(operation, bitOf(x, bit), bitOf(y, bit)) !== 0) result += 2 ** bit;
  }
  return result;
}

function combine(operation: string, x: number, y: number): number {
  if (operation === 'and') return x & y;
  if (operation === 'or') return x | y;
  return operation === 'eor' ? x ^ y : x & (1 - y);
}

function flags(operation: string, word: Value, mask: number): Value {
  let result = word;
  let masked = 0;
  for (const { flag, bit, inverted } of LAYOUT) {
    const old = ((word & flag) !== 0) !== inverted ? 1 : 0;
    const next = combine(operation, old, bitOf(mask, bit));
    if (next !== 0) masked += 2 ** bit;
    result = (next !== 0) !== inverted ? result | flag : result & ~flag;
  }
  // a mask of flags alone leaves no output address
  return operation === 'and' && mask < 4096 ? integer(masked) : result;
}

/** Sum modulo 2^32 of integers; an address plus 0 is that address. */
export function sum(x: Value, y: Value, sign: 1 | -1): Value | undefined {
  if (isInteger(x) && isInteger(y)) {
    const total = integerOf(x) + sign * integerOf(y);
    return integer(total < 0 ? total + 2 ** 32 : total);
  }
  if (y === 0) return x;
  return x === 0 && sign === 1 ? y : undefined;
}

/** Shift of an integer; a data address shifted right by a page's bits is its page number. */
export function shift(value: Value, by: number): Value | undefined {
  if (isInteger(value)) return integer(Math.floor(integerOf(value) * 2 ** by) % 2 ** 52);
  if (isAddress(value) && partOf(value) === Part.Data && by === -12)
    return address(locationOf(value), Part.Page);
  return undefined;
}
