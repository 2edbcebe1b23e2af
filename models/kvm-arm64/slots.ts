/**
 * The memory slot that comes and goes: what its word says, and where it lies.
 * Source: spec/arm.md 4.1 steps 4 and 5.
 */
import type { Geometry } from '../../sim/geometry.ts';
import { blockPages, slotRange } from './geometry.ts';

/**
 * State of the slot, in the low bits of its word: none, one that may be used, one that is being deleted, one that
 * may be read. The bits above are the number of its place.
 */
export const Slot = { None: 0, Valid: 1, Invalid: 2, ReadOnly: 3 } as const;

const STATE_BITS = 2;

export function slotWord(state: number, place: number): number {
  return state | (place << STATE_BITS);
}

export function stateOf(word: number): number {
  return word & ((1 << STATE_BITS) - 1);
}

export function placeOf(word: number): number {
  return word >>> STATE_BITS;
}

/** Whether pages may be mapped for a slot with this word. */
export function isUsable(word: number): boolean {
  return stateOf(word) === Slot.Valid || stateOf(word) === Slot.ReadOnly;
}

/** Input pages of the slot at place 0, where it is created, or 1: a block further. [first, pages] */
export function placeRange(geometry: Geometry, place: number): readonly [number, number] {
  const [first, pages] = slotRange(geometry);
  return [first + place * blockPages(geometry), pages];
}

/** Input page at which a host page is seen when the slot lies at a place; others are where they are. */
export function inputPageAt(geometry: Geometry, hostPage: number, place: number): number {
  const [first, pages] = slotRange(geometry);
  const isInSlot = hostPage >= first && hostPage < first + pages;
  return isInSlot ? hostPage + place * blockPages(geometry) : hostPage;
}

/** Host page behind an input page that the slot has at one of its places, or -1 when it lies at the other. */
export function hostPageAt(geometry: Geometry, page: number, place: number): number {
  const [first, pages] = placeRange(geometry, place);
  const isThere = page >= first && page < first + pages;
  return isThere ? page - place * blockPages(geometry) : -1;
}
