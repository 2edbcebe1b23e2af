/**
 * How KVM chooses the shape of a stage-2 table: as few levels as concatenation allows.
 * Source: spec/arm.md 1.2.
 */
import { type Geometry, LAST_LEVEL, levelPages, shiftPages } from '../../sim/geometry.ts';

/** Index bits per level: log2 of the 8-byte entries of a page. */
export function defaultWordBits(granuleBits: number): number {
  return granuleBits - 3;
}

/** Start level and root pages of a stage-2 table for `inputBits` of input address. */
export function rootShape(
  granuleBits: number,
  inputBits: number,
): { startLevel: number; rootPages: number } {
  const bits = defaultWordBits(granuleBits);
  const levels = Math.max(2, Math.floor((inputBits - 8) / bits));
  const startLevel = 4 - levels;
  const below = granuleBits + bits * levels;
  return { startLevel, rootPages: inputBits > below ? 1 << (inputBits - below) : 1 };
}

/** Start level of a table that cannot be concatenated (the hypervisor's own). */
export function plainStartLevel(granuleBits: number, inputBits: number): number {
  const bits = defaultWordBits(granuleBits);
  return 4 - Math.ceil((inputBits - granuleBits) / bits);
}

/** Alignment of a block at the level above pages, in pages. */
export function blockPages(geometry: Geometry): number {
  return 1 << geometry.bitsPerLevel;
}

/**
 * The slot that comes and goes: half of the second region, so that it shares a table with its neighbour
 * and no block lies inside it. [first, pages]
 */
export function slotRange(geometry: Geometry): readonly [number, number] {
  return [blockPages(geometry), blockPages(geometry) >>> 1];
}

/** The slot that is read-only and stays, where there is one: the other half of that region. [first, pages] */
export function romRange(geometry: Geometry): readonly [number, number] {
  const [first, pages] = slotRange(geometry);
  return [first + pages, pages];
}

/** The region that is a device's, where there is one: the last. [first, pages] */
export function deviceRange(geometry: Geometry): readonly [number, number] {
  const pages = blockPages(geometry);
  return [geometry.windowPages - pages, pages];
}

export function regionOf(geometry: Geometry, page: number): number {
  return shiftPages(page, geometry.bitsPerLevel);
}

/** Where a walk is, as far as the block rule looks at it. */
export interface BlockPlace {
  readonly geometry: Geometry;
  readonly level: number;
  readonly cursor: number;
  readonly end: number;
}

/** A block may lie at this entry: level, length and both alignments allow it. */
export function blockFits(walk: BlockPlace, frame: number): boolean {
  if (walk.level === LAST_LEVEL) return true;
  if (!walk.geometry.blockLevels.includes(walk.level)) return false;
  const size = levelPages(walk.geometry, walk.level);
  return size <= walk.end - walk.cursor && walk.cursor % size === 0 && frame % size === 0;
}
