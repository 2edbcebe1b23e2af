/**
 * A memory slot is deleted and made anew: every root is invalidated and torn down in between.
 *
 * Mirrors: deletion and move of a memory slot in Linux KVM/x86 ("fast zap"), today's form.
 * Source: spec/x86-xen.md A10; amendment E2.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { invalidateRoots } from './roots.ts';
import { type KvmWorld, Lock, SLOTS_DOMAIN, Slot } from './world.ts';
import { zapInvalidated } from './zap.ts';

export const slotSites = sites('slot', [
  'lockSlots',
  'publishInvalid',
  'waitReaders',
  'lock',
  'unlock',
  'publish',
  'waitAgain',
  'unlockSlots',
]);
const at = slotSites;

export function* moveSlot(self: Actor, world: KvmWorld): Operation<number> {
  yield* self.acquire(at.lockSlots, Lock.Slots, Mode.Exclusive);
  yield* self.store(at.publishInvalid, world.slotState, Slot.Invalid);
  yield* self.gracePeriod(at.waitReaders, SLOTS_DOMAIN);
  yield* self.acquire(at.lock, Lock.Mmu, Mode.Exclusive);
  yield* invalidateRoots(self, world);
  yield* self.release(at.unlock, Lock.Mmu);
  yield* zapInvalidated(self, world);
  yield* self.store(at.publish, world.slotState, Slot.Valid);
  yield* self.gracePeriod(at.waitAgain, SLOTS_DOMAIN);
  yield* self.release(at.unlockSlots, Lock.Slots);
  return Result.Ok;
}
