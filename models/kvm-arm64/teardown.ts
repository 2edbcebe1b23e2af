/**
 * The owner of the address space exits: stage 2 is detached and destroyed, then the host frees its
 * pages.
 *
 * Mirrors: Linux 5.10, notifier release and the exit of an address space.
 * Source: spec/arm.md 4.7, amendment E14.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { revokePage } from './host-memory.ts';
import { destroyTree } from './unmap.ts';
import type { KvmWorld } from './world.ts';

export const exitSites = sites('exit', [
  'waitVcpus',
  'lockSpace',
  'lock',
  'readRoot',
  'detach',
  'clearBase',
  'unlock',
  'unlockSpace',
]);
const at = exitSites;

/** Waits until no vCPU can run, releases stage 2, and frees [0, pages) of the guest's memory. */
export function* exitOwner(self: Actor, world: KvmWorld, pages: number): Operation<number> {
  yield* self.waitFor(at.waitVcpus, world.users, 0);
  if (!world.bug('A16-release-leaves-tables')) yield* releaseStage2(self, world);
  yield* self.acquire(at.lockSpace, world.lock.Mmap, Mode.Exclusive);
  for (let page = 0; page < pages; page += 1) yield* revokePage(self, world, page);
  yield* self.release(at.unlockSpace, world.lock.Mmap);
  return Result.Ok;
}

function* releaseStage2(self: Actor, world: KvmWorld): Operation<void> {
  yield* self.acquire(at.lock, world.lock.Mmu, Mode.Exclusive);
  const root = yield* self.readOnce(at.readRoot, world.root);
  const clearsLate = world.bug('A15-root-cleared-after-unlock');
  if (root !== 0) {
    if (!clearsLate) yield* self.store(at.detach, world.root, 0);
    yield* self.store(at.clearBase, world.rootBase, 0);
    self.claim(Claim.ContextRetired, world.tree, 0, 0);
  }
  yield* self.release(at.unlock, world.lock.Mmu);
  // nobody can find the tables any more, and no PE can load them: no lock, no flush
  if (root !== 0) yield* destroyTree(self, world, root);
  if (clearsLate) yield* self.store(at.detach, world.root, 0);
}
