/**
 * What vCPUs do: access guest memory until it works, and leave at the end.
 *
 * Mirrors: the vCPU run loop of Linux 5.10 arch/arm64/kvm/arm.c as far as stage 2 sees it.
 * Source: spec/arm.md 4.1, amendment E14.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import type { Intent } from '../../sim/descriptor.ts';
import { sites } from '../../sim/site.ts';
import { faultSites, handleFault } from './fault.ts';
import { SLOTS_DOMAIN } from './machine.ts';
import type { KvmWorld } from './world.ts';

export const guestSites = sites('access', ['use', 'reenter']);
export const putSites = sites('put', ['leave', 'freeCache', 'gone']);

/** One guest access, with as many faults as it takes. NoMemory exits to user space. */
export function* accessPage(
  self: Actor,
  world: KvmWorld,
  page: number,
  intent: Intent,
  isTableWalk = false,
): Operation<number> {
  for (;;) {
    const result = yield* self.guestAccess(guestSites.use, page, intent, self.operation + 1);
    if (result === 0) return Result.Ok;
    yield* self.enterSection(faultSites.enterSlots, SLOTS_DOMAIN);
    const outcome = yield* handleFault(self, world, page, intent, result, isTableWalk);
    yield* self.exitSection(faultSites.leaveSlots, SLOTS_DOMAIN);
    if (outcome !== Result.Ok) return outcome;
    yield* self.retry(guestSites.reenter);
  }
}

/** The vCPU is done: drains its PE's walks, gives its page cache back, and no longer counts. */
export function* putVcpu(self: Actor, world: KvmWorld): Operation<number> {
  yield* self.leaveGuest(putSites.leave);
  const cache = world.cache(self);
  for (let frame = cache.pop(); frame !== undefined; frame = cache.pop()) {
    yield* self.free(putSites.freeCache, frame);
  }
  yield* self.add(putSites.gone, world.users, -1);
  return Result.Ok;
}
