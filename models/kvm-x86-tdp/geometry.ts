/**
 * Levels as this system counts them: 1 maps a page, the root's is the highest. The machine counts the
 * other way; its last level is 3.
 * Source: spec/x86-xen.md A1, amendment E18.
 */
import { type Geometry, LAST_LEVEL, levelPages } from '../../sim/geometry.ts';

export function machineLevel(level: number): number {
  return LAST_LEVEL + 1 - level;
}

/** Pages that one entry of a level covers. */
export function span(geometry: Geometry, level: number): number {
  return levelPages(geometry, machineLevel(level));
}

export function rootLevel(geometry: Geometry): number {
  return LAST_LEVEL + 1 - geometry.startLevel;
}

/** Pages of the blocks that the host may use: what a leaf of level 2 maps. */
export function blockPages(geometry: Geometry): number {
  return span(geometry, 2);
}

export function regionOf(geometry: Geometry, page: number): number {
  return Math.floor(page / blockPages(geometry));
}

/** First page of the entry of a level that covers `page`: by mask, as sizes are powers of two. */
export function roundDown(geometry: Geometry, page: number, level: number): number {
  return page & ~(span(geometry, level) - 1);
}
