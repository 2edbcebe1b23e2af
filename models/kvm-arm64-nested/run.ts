/**
 * What vCPUs do: run as the guest hypervisor, with the guest's own stage 2, or as a guest of it, with a shadow.
 *
 * Mirrors: Linux 2026 arch/arm64/kvm/nested.c and arm.c, load and put of a vCPU's MMU, requests before the entry.
 * Leaves out: vCPUs that share a PE: each has one of its own.
 * Source: spec/arm.md 5.2, 5.3 N3.
 */
import { Domain, Register } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import type { Intent } from '../../sim/descriptor.ts';
import { sites } from '../../sim/site.ts';
import { faultSites, handleFault } from '../kvm-arm64/fault.ts';
import { guestSites, putSites } from '../kvm-arm64/guest.ts';
import { SLOTS_DOMAIN } from '../kvm-arm64/machine.ts';
import type { Stage2 } from '../kvm-arm64/stage2.ts';
import { getMmu, initialiseVcpu, putMmu } from './mmu-array.ts';
import { installNested, resolveNested } from './nested-fault.ts';
import { activeMmu, writeVttbr } from './rfc.ts';
import { beginPending, endPending, unmapShadows, whole } from './shadow-unmap.ts';
import { putVncr } from './vncr.ts';
import type { NestedWorld } from './world.ts';

export const runSites = sites('run', ['leave', 'readBase', 'drain', 'load', 'destroyed']);
const at = runSites;

/** The guest hypervisor accesses one of its own pages. */
export function* accessOwn(
  self: Actor,
  world: NestedWorld,
  page: number,
  intent: Intent,
): Operation<number> {
  const { host } = world;
  yield* enterGuestHypervisor(self, world);
  for (;;) {
    const result = yield* self.guestAccess(guestSites.use, page, intent, self.operation + 1);
    if (result === 0) return Result.Ok;
    yield* self.enterSection(faultSites.enterSlots, SLOTS_DOMAIN);
    const outcome = yield* handleFault(self, host, page, intent, result);
    yield* self.exitSection(faultSites.leaveSlots, SLOTS_DOMAIN);
    if (outcome !== Result.Ok) return outcome;
    yield* self.retry(guestSites.reenter);
  }
}

/** The guest of the guest hypervisor accesses one of its pages, with as many faults as it takes. */
export function accessNested(
  self: Actor,
  world: NestedWorld,
  page: number,
  intent: Intent,
): Operation<number> {
  // as first posted: without stage 2 it runs with the guest's own table
  const hasOwn = world.isRfc && activeMmu(false, world.vcpu(self).context.isOn).mmu === 'own';
  return hasOwn ? accessOwn(self, world, page, intent) : accessShadow(self, world, page, intent);
}

function* accessShadow(
  self: Actor,
  world: NestedWorld,
  page: number,
  intent: Intent,
): Operation<number> {
  const vcpu = world.vcpu(self);
  if (!vcpu.isInitialised && !(yield* initialiseVcpu(self, world))) return Result.NoMemory;
  for (;;) {
    if (vcpu.slot < 0) {
      yield* leave(self);
      if (!(yield* getMmu(self, world))) return Result.NoEntry;
    }
    const shadow = world.shadows[vcpu.slot]!;
    if (vcpu.mustUnmap) {
      if (yield* beginPending(self, world, shadow)) yield* unmapShadows(self, world, whole(shadow));
      yield* endPending(self, world, shadow);
    }
    yield* load(self, shadow);
    const result = yield* self.guestAccess(guestSites.use, page, intent, self.operation + 1);
    if (result === 0) return Result.Ok;
    yield* self.enterSection(faultSites.enterSlots, SLOTS_DOMAIN);
    const found = yield* resolveNested(self, world, page, intent, result);
    const outcome =
      typeof found === 'number'
        ? found
        : yield* installNested(self, world, shadow, page, intent, result, found);
    yield* self.exitSection(faultSites.leaveSlots, SLOTS_DOMAIN);
    if (outcome !== Result.Ok) return outcome;
    yield* self.retry(guestSites.reenter);
  }
}

/** The vCPU runs with this VTTBR from its next entry on; walks of the context before are over. */
function* load(self: Actor, stage2: Stage2): Operation<void> {
  const register = stage2.registerOf(yield* self.readOnce(at.readBase, stage2.contextWord));
  if (self.vttbr === register) return;
  yield* leave(self);
  yield* self.dsb(at.drain, Domain.Local);
  yield* self.writeRegister(at.load, Register.Vttbr, register);
}

function* leave(self: Actor): Operation<void> {
  if (self.isInGuest) yield* self.leaveGuest(at.leave);
}

/** The guest hypervisor runs: what its guest ran with is not used any more. */
export function* enterGuestHypervisor(self: Actor, world: NestedWorld): Operation<void> {
  const vcpu = world.vcpu(self);
  if (vcpu.slot >= 0) {
    yield* leave(self);
    yield* putMmu(self, world);
  }
  yield* load(self, world.host);
}

/** The guest hypervisor chooses what its guest runs with from now on. */
export function* chooseContext(self: Actor, world: NestedWorld, table: number): Operation<number> {
  yield* enterGuestHypervisor(self, world);
  const context = world.contextFor(table);
  if (world.isRfc) return yield* writeVttbr(self, world, context);
  world.vcpu(self).context = context;
  return Result.Ok;
}

/** The vCPU is scheduled out: it keeps its MMU, unless it sleeps until something happens. */
export function* scheduleOut(self: Actor, world: NestedWorld, sleeps: boolean): Operation<number> {
  yield* leave(self);
  yield* putVncr(self, world);
  if (sleeps && world.vcpu(self).slot >= 0) yield* putMmu(self, world);
  return Result.Ok;
}

/** The vCPU will not run any more; some time after that it is destroyed, and gives its MMU and its page cache back. */
export function* putVcpu(self: Actor, world: NestedWorld): Operation<number> {
  yield* self.leaveGuest(putSites.leave);
  yield* putVncr(self, world);
  yield* self.add(putSites.gone, world.host.users, -1);
  if (world.vcpu(self).slot >= 0) yield* putMmu(self, world);
  const cache = world.host.cache(self);
  for (let frame = cache.pop(); frame !== undefined; frame = cache.pop()) {
    yield* self.free(putSites.freeCache, frame);
  }
  yield* self.add(at.destroyed, world.alive, -1);
  return Result.Ok;
}
