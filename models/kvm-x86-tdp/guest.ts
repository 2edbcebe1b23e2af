/**
 * What vCPUs do: enter the guest with a root that is not obsolete, access guest memory until it works,
 * and leave at the end.
 *
 * Mirrors: the run loop of Linux KVM/x86 as far as the MMU sees it: requests, loading a root, entry.
 * Source: spec/x86-xen.md A10, A14, amendments E2, E4.
 */
import { baseRegister, FaultClass, faultClass, Register } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import type { Intent } from '../../sim/descriptor.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { fixFast, handleSlowly, mayFixFast, readLogging } from './fault.ts';
import { flushLocal } from './flush.ts';
import { handleMmio, IS_MEMORY } from './mmio.ts';
import { acquireRoot, NO_ROOT, putRoot } from './roots.ts';
import { type KvmWorld, Lock, SLOTS_DOMAIN, Slot, type Vcpu } from './world.ts';
import { drainWriteLog, switchWriteLog } from './write-log.ts';

export const guestSites = sites('access', [
  'use',
  'enterSlots',
  'leaveSlots',
  'waitSlot',
  'waitInvalidation',
  'waitEdge',
  'reenter',
]);
export const guestEntrySites = sites('entry-to-guest', [
  'leaveForRole',
  'takeRequests',
  'lock',
  'readInvalid',
  'unlock',
  'readFrame',
  'load',
  'enter',
  'checkRequests',
  'leaveAgain',
]);
export const putSites = sites('put', ['leave', 'freeCache', 'lock', 'unlock', 'gone']);

/** One guest access, with as many faults as it takes. NoMemory and Refused exit to user space. */
export function* accessPage(
  self: Actor,
  world: KvmWorld,
  page: number,
  intent: Intent,
  role: number,
): Operation<number> {
  const vcpu = world.vcpu(self);
  for (;;) {
    if (!(yield* enterGuest(self, world, vcpu, role))) return Result.NoMemory;
    const result = yield* self.guestAccess(guestSites.use, page, intent, self.operation + 1);
    if (result === 0) return Result.Ok;
    if (world.configuration.writeLog > 0) yield* drainWriteLog(self, world);
    if (faultClass(result) !== FaultClass.Interrupted) {
      yield* self.enterSection(guestSites.enterSlots, SLOTS_DOMAIN);
      const root = vcpu.roots[role]!;
      const isLogging = (yield* readLogging(self, world)) !== 0;
      const fault = { page, intent, role, root, isLogging };
      let outcome: number =
        page >= world.edgeFirst ? yield* handleMmio(self, world, fault) : IS_MEMORY;
      if (outcome === IS_MEMORY) {
        const isFixed = mayFixFast(world, intent, result) && (yield* fixFast(self, world, fault));
        outcome = isFixed ? Result.Ok : yield* handleSlowly(self, world, fault);
      }
      yield* self.exitSection(guestSites.leaveSlots, SLOTS_DOMAIN);
      if (outcome === Result.Again) {
        yield* self.waitFor(guestSites.waitSlot, world.slotState, Slot.Valid);
        yield* self.waitFor(guestSites.waitInvalidation, world.inProgress, 0);
        if (page >= world.edgeFirst) yield* self.waitFor(guestSites.waitEdge, world.edgeHeld, 0);
      } else if (outcome !== Result.Ok) return outcome;
    }
    yield* self.retry(guestSites.reenter);
  }
}

/** In the guest with a root of the role; requests that come in between are served first. */
function* enterGuest(self: Actor, world: KvmWorld, vcpu: Vcpu, role: number): Operation<boolean> {
  const at = guestEntrySites;
  if (self.isInGuest) {
    if (vcpu.loaded === role) return true;
    yield* self.leaveGuest(at.leaveForRole);
  }
  const requests = world.requests + self.pe;
  for (;;) {
    if ((yield* self.exchange(at.takeRequests, requests, 0)) !== 0) {
      yield* dropObsolete(self, world, vcpu);
    }
    if (vcpu.roots[role] === NO_ROOT) vcpu.roots[role] = yield* acquireRoot(self, world, role);
    const root = vcpu.roots[role]!;
    if (root === NO_ROOT) return false;
    if (vcpu.loaded !== role) {
      const frame = yield* self.readOnce(at.readFrame, world.rootFrame + root);
      yield* flushLocal(self);
      yield* self.writeRegister(at.load, Register.Vttbr, baseRegister(frame, root + 1));
      if (world.configuration.writeLog > 0) yield* switchWriteLog(self, world, role);
      vcpu.loaded = role;
    }
    yield* self.enterGuest(at.enter);
    // whoever makes a request later finds this vCPU in the guest, and kicks it
    if ((yield* self.readOnce(at.checkRequests, requests)) === 0) return true;
    yield* self.leaveGuest(at.leaveAgain);
  }
}

/** Gives back the roots that have become invalid. */
function* dropObsolete(self: Actor, world: KvmWorld, vcpu: Vcpu): Operation<void> {
  const at = guestEntrySites;
  yield* self.acquire(at.lock, Lock.Mmu, Mode.Shared);
  for (let role = 0; role < vcpu.roots.length; role += 1) {
    const root = vcpu.roots[role]!;
    if (root === NO_ROOT) continue;
    if ((yield* self.readOnce(at.readInvalid, world.rootInvalid + root)) === 0) continue;
    vcpu.roots[role] = NO_ROOT;
    if (vcpu.loaded === role) vcpu.loaded = -1;
    yield* putRoot(self, world, root, false);
  }
  yield* self.release(at.unlock, Lock.Mmu);
}

/** The vCPU is done: drains its PE's walks, gives back its page cache and roots, and no longer counts. */
export function* putVcpu(self: Actor, world: KvmWorld): Operation<number> {
  const at = putSites;
  const vcpu = world.vcpu(self);
  yield* self.leaveGuest(at.leave);
  if (world.configuration.writeLog > 0) yield* drainWriteLog(self, world);
  const cache = world.cache(self);
  for (let frame = cache.pop(); frame !== undefined; frame = cache.pop()) {
    yield* self.free(at.freeCache, frame);
  }
  yield* self.acquire(at.lock, Lock.Mmu, Mode.Shared);
  for (let role = 0; role < vcpu.roots.length; role += 1) {
    const root = vcpu.roots[role]!;
    if (root === NO_ROOT) continue;
    vcpu.roots[role] = NO_ROOT;
    yield* putRoot(self, world, root, false);
  }
  yield* self.release(at.unlock, Lock.Mmu);
  yield* self.add(at.gone, world.users, -1);
  return Result.Ok;
}
