/**
 * Shadow tables of nested guests, as far as the TDP MMU meets them: a pool of limited size, whose owner is who
 * holds the MMU lock exclusively. Faults in the TDP MMU leave it alone.
 *
 * Mirrors: making room for shadow pages before a nested guest's fault in Linux KVM/x86.
 * Leaves out: what shadow tables contain; reclaim by the host's shrinker.
 * Source: zoo K15.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result, Work } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { Mode } from '../../sim/locks.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import { type KvmWorld, Lock } from './world.ts';

export const shadowSites = sites('shadow', [
  'leaveGuest',
  'allocate',
  'lock',
  'readHead',
  'link',
  'count',
  'unlock',
]);
export const poolSites = sites('shadow-pool', [
  'readCount',
  'readHead',
  'readNext',
  'unlink',
  'count',
  'free',
]);

/** A nested guest faults: room is made, and a table of its own goes into the pool. */
export function* makeShadowTable(self: Actor, world: KvmWorld): Operation<number> {
  const at = shadowSites;
  if (self.isInGuest) yield* self.leaveGuest(at.leaveGuest);
  // to the machine a page like any other: what it contains is left out
  const frame = yield* self.allocate(at.allocate, Role.Data, true);
  if (frame < 0) return Result.NoMemory;
  yield* self.acquire(at.lock, Lock.Mmu, Mode.Exclusive);
  yield* makeRoom(self, world, world.configuration.shadowTables);
  const head = yield* self.readOnce(at.readHead, world.poolHead);
  yield* self.store(at.link, world.poolNext(frame), head);
  yield* self.store(at.link, world.poolHead, frame);
  yield* self.add(at.count, world.poolCount, 1);
  yield* self.release(at.unlock, Lock.Mmu);
  return Result.Ok;
}

/** Frees tables until fewer than `limit` are left. The MMU lock is held exclusively. */
export function* makeRoom(self: Actor, world: KvmWorld, limit: number): Operation<void> {
  const at = poolSites;
  while ((yield* self.readOnce(at.readCount, world.poolCount)) >= limit) {
    self.claim(Claim.WorkBegins, 0, Work.Evict, 0);
    const frame = yield* self.readOnce(at.readHead, world.poolHead);
    const next = yield* self.readOnce(at.readNext, world.poolNext(frame));
    yield* self.store(at.unlink, world.poolHead, next);
    yield* self.add(at.count, world.poolCount, -1);
    yield* self.free(at.free, frame);
  }
}
