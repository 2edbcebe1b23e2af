/** A part of `abstract-map`: what it means that an entry changes in one of the ways that cards name. */
import { Change } from '../sim/card.ts';
import {
  ACCESSED,
  DIRTY,
  FRAME_MASK,
  frameOf,
  isValid,
  RIGHTS,
  SOFTWARE_MASK,
  TYPE_MASK,
  VALID,
  WRITE,
} from '../sim/descriptor.ts';
import { LAST_LEVEL } from '../sim/geometry.ts';

/** Walkers set flags and nothing else. */
export function isByWalker(before: number, after: number, flags: number): boolean {
  return (before & ~after) === 0 && (after & ~before & ~flags) === 0;
}

const SAME_PAGE = FRAME_MASK | TYPE_MASK | SOFTWARE_MASK;

/** Whether an entry may go from `before` to `after` by a change of this kind. */
export function isChange(
  change: Change,
  before: number,
  after: number,
  levelBefore: number,
): boolean {
  const wasMapped = isValid(before);
  const isMapped = isValid(after);
  switch (change) {
    case Change.Remove:
      return wasMapped && after === 0;
    case Change.RemoveSplit:
      return wasMapped && after === 0 && levelBefore < LAST_LEVEL;
    case Change.Install:
      return before === 0 && isMapped;
    case Change.Track:
      return wasMapped && !isMapped && after !== 0 && isKept(before, after);
    case Change.Untrack:
      return !wasMapped && isMapped && before !== 0 && frameOf(after) >= frameOf(before);
    case Change.Annotate:
      return !isMapped && (after !== 0 || !wasMapped);
    default:
      break;
  }
  if (!wasMapped || !isMapped) return false;
  if (change === Change.Replace) return true;
  if (change === Change.Reform) return ((before ^ after) & (FRAME_MASK | TYPE_MASK)) === 0;
  if (change === Change.Protect) {
    const other = FRAME_MASK | TYPE_MASK | (RIGHTS & ~WRITE);
    return ((before ^ after) & other) === 0 && (after & WRITE) === 0;
  }
  if (((before ^ after) & SAME_PAGE) !== 0) return false;
  const gained = after & RIGHTS & ~before;
  const lost = before & RIGHTS & ~after;
  switch (change) {
    case Change.Restrict:
      return gained === 0 && lost !== 0;
    case Change.Relax:
      return lost === 0 && gained !== 0;
    case Change.Rights:
      return true;
    case Change.SetAccessed:
      return gained === 0 && lost === 0 && (after & ~before & ACCESSED) !== 0;
    case Change.ClearAccessed:
      return gained === 0 && lost === 0 && (before & ~after & ACCESSED) !== 0;
    default:
      return false;
  }
}

const UNTRACKED = FRAME_MASK | VALID | WRITE | ACCESSED | DIRTY;

/** What software keeps of a leaf names its first frame, and everything but flags and write access. */
function isKept(mapped: number, kept: number): boolean {
  return frameOf(mapped) >= frameOf(kept) && ((mapped ^ kept) & ~UNTRACKED) === 0;
}
