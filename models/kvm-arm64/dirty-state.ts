/**
 * Dirty logging by the state that hardware keeps in leaves: a page of a logged slot has the dirty-bit modifier and
 * no right to write, and the walker gives it that right at the first write. What the hardware found goes into the
 * bitmap before it goes out of the leaf, so that the page is marked all the time.
 *
 * Mirrors: nothing; KVM uses HA and not HD. A design of ours, for the machine's hardware.
 * Leaves out: blocks, which lose their right to write when logging starts and are split by the faults that follow.
 * Source: spec/arm.md 1.9, 4.5.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { assert } from '../../sim/assert.ts';
import { Result } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { DIRTY_MODIFIER, isValid, WRITE } from '../../sim/descriptor.ts';
import { sites } from '../../sim/site.ts';
import { SLOTS_DOMAIN } from './machine.ts';
import type { SlotLog, Stage2 } from './stage2.ts';
import { type TableWalk, Visit, type Visitor, walkTable } from './walker.ts';

export const dirtyStateSites = sites('dirty-state', [
  'enterSlots',
  'readLogging',
  'leaveSlots',
  'readLeaf',
  'mark',
  'clean',
  'clearLeaf',
]);
const at = dirtyStateSites;

const DIRTY_STATE = DIRTY_MODIFIER | WRITE;

/** Hardware has found the page written. */
function isDirty(entry: number): boolean {
  return isValid(entry) && (entry & DIRTY_STATE) === DIRTY_STATE;
}

/** A round takes what hardware found in the range: marks it, and lets hardware find it again. The caller flushes. */
export function takeDirtyState(
  self: Actor,
  world: Stage2,
  root: number,
  page: number,
  pages: number,
): Operation<number> {
  return walkTable(self, world, world.geometry, root, page, pages, new TakeDirty(world));
}

class TakeDirty implements Visitor {
  readonly flags = Visit.Leaf;
  readonly #world: Stage2;

  constructor(world: Stage2) {
    this.#world = world;
  }

  *leaf(self: Actor, walk: TableWalk): Operation<number> {
    const { bitmap } = logOf(this.#world);
    const page = walk.first;
    let old = yield* self.readOnce(at.readLeaf, walk.word);
    while (isDirty(old)) {
      yield* self.or(at.mark, bitmap + (page >>> 5), 1 << (page & 31));
      self.claim(Claim.LogMarked, page, 0, 0);
      const seen = yield* self.compareExchange(at.clean, walk.word, old, old & ~WRITE);
      if (seen === old) break;
      old = seen;
    }
    return Result.Ok;
  }
}

/** Clears a leaf that is being unmapped, and does not lose what hardware finds until it is gone. */
export function* clearLeaf(
  self: Actor,
  world: Stage2,
  walk: TableWalk,
  found: number,
  cleared: number,
): Operation<void> {
  let old = found;
  for (;;) {
    if (isDirty(old) && !world.bug('V10-dirty-state-unmapped'))
      yield* tellWritten(self, logOf(world), walk.first);
    const seen = yield* self.compareExchange(at.clearLeaf, walk.word, old, cleared);
    if (seen === old) return;
    old = seen;
  }
}

/** Marks the page if the slot is logged. Whoever stops the log waits until the mark is made, and clears it. */
function* tellWritten(self: Actor, log: SlotLog, page: number): Operation<void> {
  yield* self.enterSection(at.enterSlots, SLOTS_DOMAIN);
  if ((yield* self.readOnce(at.readLogging, log.logging)) !== 0) {
    yield* self.or(at.mark, log.bitmap + (page >>> 5), 1 << (page & 31));
    self.claim(Claim.LogMarked, page, 0, 0);
  }
  yield* self.exitSection(at.leaveSlots, SLOTS_DOMAIN);
}

function logOf({ log }: Stage2): SlotLog {
  assert(log !== undefined, 'dirty state belongs to a log');
  return log;
}
