/**
 * Where the tables of a machine lie for tools that know real geometries only: 4K pages, nine index bits, a root
 * at level 0. A toy index is the same index in a real table; levels above the toy root are tables of one
 * entry. Input page numbers become addresses digit by digit.
 */
import {
  ACCESSED,
  EXEC,
  frameOf,
  isTable,
  isValid,
  READ,
  SOFTWARE_MASK,
  TYPE_MASK,
  WRITE,
} from '../../sim/descriptor.ts';
import { type Geometry, indexAt, LAST_LEVEL } from '../../sim/geometry.ts';

const TABLES = 0x4000_0000n;
const UPPER = 0x8000_0000n;
const LOCKS = 0x9000_0000n;
const PAGE_BITS = 12n;
const INDEX_BITS = 9n;
/** Pages of one tree above its root. */
const UPPER_LEVELS = 4n;

export function pageAddress(frame: number): bigint {
  return TABLES + (BigInt(frame) << PAGE_BITS);
}

export function wordAddress(frame: number, index: number): bigint {
  return pageAddress(frame) + BigInt(index * 8);
}

export function lockAddress(tree: number): bigint {
  return LOCKS + BigInt(tree * 8);
}

/** The table of level `level` above the root of a tree. */
export function upperAddress(tree: number, level: number): bigint {
  return UPPER + ((BigInt(tree) * UPPER_LEVELS + BigInt(level)) << PAGE_BITS);
}

/** Address of the root as a register holds it. */
export function rootAddress(tree: number, geometry: Geometry, rootFrame: number): bigint {
  return geometry.startLevel === 0 ? pageAddress(rootFrame) : upperAddress(tree, 0);
}

function levelBits(level: number): bigint {
  return PAGE_BITS + INDEX_BITS * BigInt(LAST_LEVEL - level);
}

export function inputAddress(geometry: Geometry, page: number): bigint {
  let address = 0n;
  for (let level = geometry.startLevel; level <= LAST_LEVEL; level += 1)
    address |= BigInt(indexAt(geometry, page, level)) << levelBits(level);
  return address;
}

/** A descriptor of the machine as 64 bits: stage 2 where `isStage2`, else EL2 stage 1. */
export function descriptorBits(word: number, level: number, isStage2: boolean): bigint {
  // all but bit 0 of an invalid word is the software's
  if (!isValid(word)) return (BigInt(word >>> 0) >> 1n) << 1n;
  if (level < LAST_LEVEL && isTable(word)) return pageAddress(frameOf(word)) | 3n;
  // a block lies where blocks of its size may
  const output =
    level === LAST_LEVEL ? pageAddress(frameOf(word)) : BigInt(frameOf(word)) << levelBits(level);
  const type = level === LAST_LEVEL ? 3n : 1n;
  const software = BigInt((word & SOFTWARE_MASK) >>> 12) << 55n;
  const accessed = (word & ACCESSED) === 0 ? 0n : 1n << 10n;
  return output | type | software | accessed | (isStage2 ? stage2Bits(word) : stage1Bits(word));
}

function stage2Bits(word: number): bigint {
  const types = [0b1111n, 0b0101n, 0b0001n, 0b1111n];
  return (
    (types[(word & TYPE_MASK) >>> 8]! << 2n) |
    ((word & READ) === 0 ? 0n : 1n << 6n) |
    ((word & WRITE) === 0 ? 0n : 1n << 7n) |
    (3n << 8n) |
    ((word & EXEC) === 0 ? 1n << 54n : 0n)
  );
}

function stage1Bits(word: number): bigint {
  return (
    (BigInt((word & TYPE_MASK) >>> 8) << 2n) |
    (1n << 6n) |
    ((word & WRITE) === 0 ? 1n << 7n : 0n) |
    (3n << 8n) |
    ((word & EXEC) === 0 ? 1n << 54n : 0n)
  );
}
