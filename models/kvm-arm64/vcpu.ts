/**
 * Several guests on one machine: a vCPU takes its PE, gets a number for its guest, enters, and gives the PE up
 * when it leaves; between operations it may be moved to another PE.
 *
 * Mirrors: Linux 5.0 and 5.18 arch/arm64/kvm/arm.c, the run loop and loading of a vCPU; the local invalidation
 *          where another vCPU of the guest ran before.
 * Leaves out: what a context switch does for registers other than VTTBR; instruction caches; nVHE. A thread owns
 *          its PE while it runs a guest or works in the context of one, and only then: elsewhere another
 *          thread may run there.
 * Source: spec/arm.md 1.13, 4.7, amendments E8, E14, E18; zoo A10, A11, A38, A40, A41.
 */
import { Domain, FaultClass, faultClass, Register } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { Intent } from '../../sim/descriptor.ts';
import { Shareability, Tlbi } from '../../sim/invalidation.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { faultSites, handleFault } from './fault.ts';
import { VmidDesign } from './generation.ts';
import { guestSites, putSites } from './guest.ts';
import { SLOTS_DOMAIN } from './machine.ts';
import { peLock } from './sharing.ts';
import { INACTIVE, isOld, updateVmid } from './vmid.ts';
import type { KvmWorld } from './world.ts';

export const vcpuSites = sites('vcpu', [
  'takePe',
  'dropPe',
  'readLoaded',
  'setLoaded',
  'deactivate',
  'readLast',
  'setLast',
  'flushHere',
  'completeHere',
  'readBase',
  'drain',
  'loadContext',
  'synchronise',
  'mask',
  'unmask',
  'unmaskAfter',
  'leave',
  'usePrivate',
  'runGuest',
  'guestFlush',
  'guestComplete',
]);
const at = vcpuSites;

/** Where each vCPU has a page of its own: outside of all input pages. */
const PRIVATE_ADDRESS = 1 << 20;

/** The guest writes what the vCPU's own stage 1 maps at the private address. */
export function writePrivate(self: Actor, world: KvmWorld): Operation<number> {
  return accessPageOnPe(self, world, world.sharing.privatePage(self), Intent.Write, true);
}

/**
 * The guest changes that mapping, and invalidates what was cached for it: on its PE, as it believes; the
 * hypervisor makes it everywhere.
 */
export function* remapPrivate(self: Actor, world: KvmWorld): Operation<number> {
  if (world.sharing.isRunning(self) && !self.isInGuest) yield* dropPe(self, world);
  if (!world.sharing.isRunning(self)) {
    yield* enterGuest(self, world);
    yield* self.enterGuest(at.runGuest);
  }
  world.sharing.remapPrivate(self);
  const share = world.bug('A41b-guest-flush-stays-local') ? Shareability.Local : Shareability.Inner;
  yield* self.tlbi(at.guestFlush, Tlbi.Vmalle1, share, 0, 0, 0);
  yield* self.dsb(at.guestComplete, Domain.Inner);
  return Result.Ok;
}

/** One guest access, with as many faults as it takes, by a vCPU that shares its PE. */
export function* accessPageOnPe(
  self: Actor,
  world: KvmWorld,
  page: number,
  intent: Intent,
  isPrivate = false,
): Operation<number> {
  for (;;) {
    // an interrupt may have made the vCPU leave
    if (world.sharing.isRunning(self) && !self.isInGuest) yield* dropPe(self, world);
    if (!world.sharing.isRunning(self)) yield* enterGuest(self, world);
    const value = self.operation + 1;
    const result = isPrivate
      ? yield* self.privateAccess(at.usePrivate, PRIVATE_ADDRESS, page, intent, value)
      : yield* self.guestAccess(guestSites.use, page, intent, value);
    if (result === 0) return Result.Ok;
    yield* dropPe(self, world);
    if (faultClass(result) !== FaultClass.Interrupted) {
      yield* self.enterSection(faultSites.enterSlots, SLOTS_DOMAIN);
      const outcome = yield* handleFault(self, world, page, intent, result);
      yield* self.exitSection(faultSites.leaveSlots, SLOTS_DOMAIN);
      if (outcome !== Result.Ok) return outcome;
    }
    yield* self.retry(guestSites.reenter);
  }
}

/**
 * The vCPU has left its guest. Walks that the guest began may be in flight, in a context that is no longer the PE's: they are over
 * before interrupts are taken, and before others run here.
 */
function* dropPe(self: Actor, world: KvmWorld): Operation<void> {
  if (!world.bug('A38-walks-not-drained')) yield* self.dsb(at.drain, Domain.Local);
  yield* self.maskInterrupts(at.unmaskAfter, false);
  yield* self.release(at.dropPe, peLock(self.pe));
  world.sharing.setRunning(self, false);
}

/** Takes the PE and enters the guest, as soon as its number is one of this generation. */
function* enterGuest(self: Actor, world: KvmWorld): Operation<void> {
  for (;;) {
    yield* self.acquire(at.takePe, peLock(self.pe), Mode.Exclusive);
    if ((yield* self.readOnce(at.readLoaded, world.sharing.loaded + self.pe)) !== self.index + 1) {
      yield* switchVcpu(self, world);
    }
    yield* updateVmid(self, world, world.guest);
    // 5.0: a roll-over may have come since; from here on it waits for this PE, or is noticed
    const isAlone = world.generation.vmids === VmidDesign.OneGeneration;
    if (!isAlone) break;
    yield* self.maskInterrupts(at.mask, true);
    if (!(yield* isOld(self, world, world.guest))) break;
    yield* self.maskInterrupts(at.unmask, false);
    yield* self.release(at.dropPe, peLock(self.pe));
    yield* self.retry(guestSites.reenter);
  }
  const target = world.registerOf(yield* self.readOnce(at.readBase, world.contextWord));
  if (self.vttbr !== target) yield* self.writeRegister(at.loadContext, Register.Vttbr, target);
  // the return to the guest makes the register count
  self.machine.exceptionsSynchronise = !world.bug('A40-return-does-not-synchronise');
  world.sharing.setRunning(self, true);
}

/** Another vCPU was loaded on this PE: it is not any more. */
function* switchVcpu(self: Actor, world: KvmWorld): Operation<void> {
  yield* self.store(at.setLoaded, world.sharing.loaded + self.pe, self.index + 1);
  yield* deactivate(self, world);
  const last = world.lastVcpu + self.pe;
  const before = yield* self.readOnce(at.readLast, last);
  if (before === self.index + 1) return;
  const isOther = before !== 0 && !world.bug('A41-private-entries-kept');
  if (isOther) yield* flushPrivate(self, world);
  yield* self.store(at.setLast, last, self.index + 1);
}

/** What another vCPU of the guest has cached here is tagged as if it were this one's. */
function* flushPrivate(self: Actor, world: KvmWorld): Operation<void> {
  const target = world.registerOf(yield* self.readOnce(at.readBase, world.contextWord));
  if (self.vttbr !== target) {
    yield* self.writeRegister(at.loadContext, Register.Vttbr, target);
    yield* self.isb(at.synchronise);
  }
  yield* self.tlbi(at.flushHere, Tlbi.Vmalle1, Shareability.Local, 0, 0, 0);
  yield* self.dsb(at.completeHere, Domain.Local);
  yield* self.isb(at.synchronise);
}

/** The PE's number need not be kept at the next roll-over. */
export function* deactivate(self: Actor, world: KvmWorld): Operation<void> {
  if (world.generation.vmids !== VmidDesign.ActivePerPe) return;
  yield* self.store(at.deactivate, world.sharing.vmids.active + self.pe, INACTIVE);
}

/** The vCPU leaves the guest and its PE, on which nothing of it goes on. */
function* leavePe(self: Actor, world: KvmWorld): Operation<void> {
  if (!world.sharing.isRunning(self)) {
    yield* self.acquire(at.takePe, peLock(self.pe), Mode.Exclusive);
  }
  yield* self.leaveGuest(at.leave);
  if ((yield* self.readOnce(at.readLoaded, world.sharing.loaded + self.pe)) === self.index + 1) {
    yield* self.store(at.setLoaded, world.sharing.loaded + self.pe, 0);
    yield* deactivate(self, world);
  }
  yield* dropPe(self, world);
}

/** The scheduler of the host takes the vCPU off its PE, and lets it go on on this one. */
export function* moveVcpu(self: Actor, world: KvmWorld, pe: number): Operation<number> {
  yield* leavePe(self, world);
  self.moveTo(pe);
  return Result.Ok;
}

/** The vCPU is done: as moved away, and its page cache goes back. */
export function* putVcpuOnPe(self: Actor, world: KvmWorld): Operation<number> {
  yield* leavePe(self, world);
  const cache = world.cache(self);
  for (let frame = cache.pop(); frame !== undefined; frame = cache.pop()) {
    yield* self.free(putSites.freeCache, frame);
  }
  yield* self.add(putSites.gone, world.users, -1);
  return Result.Ok;
}

/** Another guest starts, runs on this PE, and is gone: a number less is free. */
export function* runOtherGuest(self: Actor, world: KvmWorld): Operation<number> {
  const guest = world.sharing.newcomer(self);
  yield* self.acquire(at.takePe, peLock(self.pe), Mode.Exclusive);
  yield* self.store(at.setLoaded, world.sharing.loaded + self.pe, self.index + 1);
  yield* updateVmid(self, world, guest);
  yield* deactivate(self, world);
  yield* self.release(at.dropPe, peLock(self.pe));
  return Result.Ok;
}
