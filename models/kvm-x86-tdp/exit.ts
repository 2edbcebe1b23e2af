/**
 * The end of the VM: no vCPU runs any more; every root is invalidated and torn down, then the host frees
 * its pages. Whatever table is left then has leaked.
 *
 * Mirrors: destruction of a VM in Linux KVM/x86, today's form.
 * Source: spec/x86-xen.md A9, A18.4.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { revokePage } from './host-memory.ts';
import { invalidateRoots } from './roots.ts';
import { makeRoom } from './shadow.ts';
import { type KvmWorld, Lock, ROOTS } from './world.ts';
import { zapInvalidated } from './zap.ts';

export const exitSites = sites('exit', [
  'waitVcpus',
  'lockSlots',
  'lock',
  'unlock',
  'unlockSlots',
  'lockSpace',
  'unlockSpace',
]);
const at = exitSites;

export function* destroyVm(self: Actor, world: KvmWorld, pages: number): Operation<number> {
  yield* self.waitFor(at.waitVcpus, world.users, 0);
  yield* self.acquire(at.lockSlots, Lock.Slots, Mode.Exclusive);
  yield* self.acquire(at.lock, Lock.Mmu, Mode.Exclusive);
  yield* invalidateRoots(self, world);
  if (world.configuration.shadowTables > 0) yield* makeRoom(self, world, 1);
  yield* self.release(at.unlock, Lock.Mmu);
  yield* zapInvalidated(self, world);
  yield* self.release(at.unlockSlots, Lock.Slots);
  // what is left now can never be found again
  for (let root = 0; root < ROOTS; root += 1) self.claim(Claim.ContextRetired, root, 0, 0);
  yield* self.acquire(at.lockSpace, Lock.Mmap, Mode.Exclusive);
  for (let page = 0; page < pages; page += 1) yield* revokePage(self, world, page);
  yield* self.release(at.unlockSpace, Lock.Mmap);
  return Result.Ok;
}
