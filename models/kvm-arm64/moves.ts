/**
 * A memory slot that is moved to another guest address, over the same host memory.
 *
 * Mirrors: Linux 6.2 to 6.9 virt/kvm/kvm_main.c, a slot that moves: it is taken out of use, flushed where it was,
 *          and put to use where it goes.
 * Leaves out: what another slot does to it (there is no overlap); a log of its own.
 * Source: spec/arm.md 3.1, 4.1 step 4; as deletion and creation in 4.3.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { claimSlot, unmapSlot } from './layout.ts';
import { SLOTS_DOMAIN } from './machine.ts';
import { isUsable, placeOf, Slot, slotWord } from './slots.ts';
import type { KvmWorld } from './world.ts';

export const moveSites = sites('move', [
  'lockSlots',
  'readSlot',
  'invalidate',
  'waitReaders',
  'lock',
  'unlock',
  'place',
  'unlockSlots',
]);
const at = moveSites;

/** Moves the slot. Invalid when there is none that may be used, or it is there. */
export function* moveSlot(self: Actor, world: KvmWorld, to: number): Operation<number> {
  yield* self.acquire(at.lockSlots, world.lock.Slots, Mode.Exclusive);
  const word = yield* self.readOnce(at.readSlot, world.slot);
  if (!isUsable(word) || placeOf(word) === to) {
    yield* self.release(at.unlockSlots, world.lock.Slots);
    return Result.Invalid;
  }
  yield* self.store(at.invalidate, world.slot, slotWord(Slot.Invalid, placeOf(word)));
  // faults that found the slot where it was map nothing after the flush
  if (!world.bug('V08-slot-moved-under-faults')) {
    yield* self.gracePeriod(at.waitReaders, SLOTS_DOMAIN);
  }
  yield* self.acquire(at.lock, world.lock.Mmu, Mode.Exclusive);
  yield* unmapSlot(self, world, placeOf(word));
  claimSlot(self, world, Claim.HostRevokes);
  yield* self.release(at.unlock, world.lock.Mmu);
  yield* self.store(at.place, world.slot, slotWord(Slot.Valid, to));
  world.slotPlace = to;
  claimSlot(self, world, Claim.HostGrants);
  // faults that found it taken out of use are over when the caller goes on
  yield* self.gracePeriod(at.waitReaders, SLOTS_DOMAIN);
  yield* self.release(at.unlockSlots, world.lock.Slots);
  return Result.Ok;
}
