/**
 * The frame of every invalidation by the guest that traps: counted, so that faults which have read the guest's tables
 * before begin anew, and done under the MMU lock.
 * Source: spec/arm.md 5.4 (the design rule), 5.5.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { Lock } from './machine.ts';
import type { NestedWorld } from './world.ts';

export const trappedFlushSites = sites('guest-flush', ['lock', 'count', 'unlock']);
const flush = trappedFlushSites;

/** An invalidation that has trapped: when it was issued, and whether it is counted only when it is done. */
export interface Flush {
  readonly since: number;
  readonly countsLate: boolean;
}

/**
 * An invalidation by the guest traps: from here on a fault that has read its tables before begins anew. Takes the
 * MMU lock.
 */
export function* beginFlush(self: Actor, world: NestedWorld): Operation<Flush> {
  const { now: since } = world.history;
  yield* self.acquire(flush.lock, Lock.Mmu, Mode.Exclusive);
  const countsLate = world.bug('M22c-counted-when-done');
  if (!countsLate) yield* self.add(flush.count, world.invalidations, 1);
  return { since, countsLate };
}

/** The instruction retires: what it was to remove is gone. */
export function* endFlush(self: Actor, world: NestedWorld, { countsLate }: Flush): Operation<void> {
  if (countsLate) yield* self.add(flush.count, world.invalidations, 1);
  yield* self.release(flush.unlock, Lock.Mmu);
}
