/**
 * Shape of a table: granule, index bits per level, start level, concatenated root pages.
 * Addresses are page numbers of the input space; the byte forms are for codecs and tests.
 * Source: spec/arm.md 1.1, 1.2. Toy geometries (2 index bits) run the same code as real ones.
 */
import { assert } from './assert.ts';

/** Shape of a tree of tables. */
export interface Geometry {
  /** log2 of the page size in bytes: 12, 14 or 16. */
  readonly granuleBits: number;
  /** Index bits per level; `granuleBits - 3` on real hardware. */
  readonly bitsPerLevel: number;
  readonly startLevel: number;
  /** Concatenated pages of the root: 1 to 16. */
  readonly rootPages: number;
  /** Levels at which a block may be installed, besides the page level. */
  readonly blockLevels: readonly number[];
  /** Input pages that programs use and oracles watch: [0, windowPages). */
  readonly windowPages: number;
  /** 52-bit addresses with 4K or 16K pages (FEAT_LPA2): level hints may name level 0 (E20). */
  readonly isWide?: boolean;
}

/** Level whose leaves are single pages. */
export const LAST_LEVEL = 3;

/** Entries of one table page. */
export function entriesPerTable(geometry: Geometry): number {
  return 1 << geometry.bitsPerLevel;
}

/** log2 of the pages that one entry of `level` covers. */
export function levelShift(geometry: Geometry, level: number): number {
  return geometry.bitsPerLevel * (LAST_LEVEL - level);
}

/** Pages that one entry of `level` covers; saturates where the window cannot reach. */
export function levelPages(geometry: Geometry, level: number): number {
  const shift = levelShift(geometry, level);
  return shift > 30 ? 0x40000000 : 1 << shift;
}

export function shiftPages(page: number, bits: number): number {
  return bits > 30 ? 0 : page >>> bits;
}

/** Index of an input page in its table of a level. */
export function indexAt(geometry: Geometry, page: number, level: number): number {
  return shiftPages(page, levelShift(geometry, level)) & (entriesPerTable(geometry) - 1);
}

/** Which of the concatenated root pages translates `page`. */
export function rootIndex(geometry: Geometry, page: number): number {
  return shiftPages(page, levelShift(geometry, geometry.startLevel - 1));
}

/** The last multiple of `pages` that is not above the page. */
export function alignDown(page: number, pages: number): number {
  return page & ~(pages - 1);
}

/** Byte form of `levelShift`: g + s * (3 - l); holds for level -1 as well. */
export function byteShift(granuleBits: number, level: number): number {
  return granuleBits + (granuleBits - 3) * (LAST_LEVEL - level);
}

export function checkGeometry(geometry: Geometry): void {
  assert(geometry.bitsPerLevel >= 1 && geometry.bitsPerLevel <= 13, 'index bits are 1 to 13');
  assert(geometry.startLevel >= -1 && geometry.startLevel <= LAST_LEVEL, 'start level is -1 to 3');
  assert(geometry.rootPages >= 1 && geometry.rootPages <= 16, 'a root has 1 to 16 pages');
  const shift = levelShift(geometry, geometry.startLevel - 1);
  const reach = shift > 26 ? 0x7fffffff : geometry.rootPages << shift;
  assert(geometry.windowPages >= 1 && geometry.windowPages <= reach, 'the root covers the window');
}
