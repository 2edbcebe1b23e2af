/**
 * At which level the next entry of a request lies, and how many entries make a contiguous group.
 *
 * Mirrors: Xen 4.18 and later, xen_pt_mapping_level() and xen_pt_check_contig(); the RFC of November 2020,
 *          where both were a part of xen_pt_update().
 * Source: spec/x86-xen.md B4, B5; seed document 002.
 */
import { type Geometry, LAST_LEVEL, levelPages } from '../../sim/geometry.ts';
import { NO_FRAME } from './pt-request.ts';

/** Where a request is: the next input page and frame, and the pages that are left. */
export interface Position {
  readonly page: number;
  /** NO_FRAME when the request has none. */
  readonly frame: number;
  readonly left: number;
  readonly isBlock: boolean;
}

/** Bits that must be clear for a block; the value that stands for "no frame" is no address. */
function alignmentMask({ page, frame }: Position): number {
  return frame === NO_FRAME ? page : page | frame;
}

/** Today: what is left is compared by size, so a block and a page may follow each other. */
export function mappingLevel(geometry: Geometry, position: Position): number {
  if (!position.isBlock) return LAST_LEVEL;
  const mask = alignmentMask(position);
  for (const level of [1, 2]) {
    const pages = levelPages(geometry, level);
    if (mask % pages === 0 && position.left >= pages) return level;
  }
  return LAST_LEVEL;
}

/** As posted in 2020: what is left is part of the mask, and the level is derived from an order. */
export function mappingLevelRfc(geometry: Geometry, position: Position): number {
  const orderOf = (level: number): number => geometry.bitsPerLevel * (LAST_LEVEL - level);
  const mask = alignmentMask(position) | position.left;
  let order = 0;
  if (position.isBlock) {
    if (mask % (1 << orderOf(1)) === 0) order = orderOf(1);
    else if (mask % (1 << orderOf(2)) === 0) order = orderOf(2);
  }
  return LAST_LEVEL - order / geometry.bitsPerLevel;
}

/** Adjacent entries of `level` that get the contiguous hint together; 1 for none. */
export function contiguousEntries(
  geometry: Geometry,
  groupEntries: number,
  level: number,
  position: Position,
): number {
  if (!position.isBlock || position.frame === NO_FRAME) return 1;
  const pages = groupEntries * levelPages(geometry, level);
  const isGroup = position.left >= pages && alignmentMask(position) % pages === 0;
  return isGroup ? groupEntries : 1;
}
