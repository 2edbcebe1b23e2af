/**
 * Life of guests and their vCPUs: created from pages that the host gives, loaded by one CPU at a time, torn down in
 * two steps. Who looks a guest up holds the lock of the guest table.
 *
 * Mirrors: guest table of the hypervisor, Linux 6.14 and later.
 * Leaves out: but for `pkvm-toy-delayed`, that vCPUs are set up under another lock than that of the guest table.
 * Source: spec/arm.md 6.8, 6.10 K6, K7; amendments E9, E14.
 */
import { baseRegister, Domain, FaultClass, faultClass, Register } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { Intent } from '../../sim/descriptor.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { hypercallSites } from './hypercall.ts';
import { Panic } from './pool.ts';
import { leaveContext } from './tables.ts';
import { pin, unpin } from './transitions.ts';
import { GuestState, type GuestWords, Lock, type PkvmWorld } from './world.ts';

export const guestSites = sites('guest', [
  'lock',
  'unlock',
  'readState',
  'writeState',
  'readVcpu',
  'writeVcpu',
  'writeVcpuPage',
  'readLoaded',
  'writeLoaded',
  'readRoot',
  'drain',
  'enterContext',
  'syncEnter',
  'use',
  'exit',
  'drainExit',
  'countSetup',
  'readSetups',
  'lockVcpus',
  'unlockVcpus',
  'readVcpuPage',
  'useVcpuPage',
]);
const at = guestSites;

/** A CPU takes a vCPU to itself. K7: none of a guest that is being torn down. */
export function* loadVcpu(
  self: Actor,
  world: PkvmWorld,
  guest: number,
  vcpu: number,
): Operation<number> {
  const words = world.guests[guest];
  if (words === undefined) return Result.Invalid;
  yield* self.acquire(at.lock, Lock.Guests, Mode.Exclusive);
  const state = yield* self.readOnce(at.readState, words.state);
  let result: number = Result.Ok;
  if (state !== GuestState.Alive) result = Result.NoEntry;
  else if ((yield* self.readOnce(at.readVcpu, words.vcpu + vcpu)) === 0) result = Result.NoEntry;
  else if ((yield* self.readOnce(at.readLoaded, words.loaded + vcpu)) !== 0) result = Result.Busy;
  else yield* self.store(at.writeLoaded, words.loaded + vcpu, 1);
  yield* self.release(at.unlock, Lock.Guests);
  return result;
}

export function* putVcpu(
  self: Actor,
  world: PkvmWorld,
  guest: number,
  vcpu: number,
): Operation<void> {
  yield* self.acquire(at.lock, Lock.Guests, Mode.Exclusive);
  yield* self.store(at.writeLoaded, world.guests[guest]!.loaded + vcpu, 0);
  yield* self.release(at.unlock, Lock.Guests);
}

/** What a guest writes into its pages: never zero. */
const GUEST_VALUE = 1 << 16;

/** The host runs a vCPU, which makes one access. A fault goes back to the host: Again when only a right was missing. */
export function* runGuest(
  self: Actor,
  world: PkvmWorld,
  guest: number,
  page: number,
  intent: Intent,
): Operation<number> {
  yield* self.trap(hypercallSites.enter);
  const vcpu = self.pe & 1;
  const loaded = yield* loadVcpu(self, world, guest, vcpu);
  if (loaded !== Result.Ok) return loaded;
  const stage = world.stages[guest]!;
  if (world.configuration.hasVcpuLock) yield* useVcpuPage(self, world.guests[guest]!, vcpu);
  const left = self.vttbr;
  const root = yield* self.readOnce(at.readRoot, stage.root);
  yield* self.dsb(at.drain, Domain.Local);
  yield* self.writeRegister(at.enterContext, Register.Vttbr, baseRegister(root, stage.vmid));
  yield* self.isb(at.syncEnter);
  const fault = yield* self.guestAccess(at.use, page, intent, GUEST_VALUE);
  if (fault === 0) yield* self.trap(at.exit);
  yield* self.dsb(at.drainExit, Domain.Local);
  yield* leaveContext(self, left);
  yield* putVcpu(self, world, guest, vcpu);
  if (fault === 0) return Result.Ok;
  return faultClass(fault) === FaultClass.Permission ? Result.Again : Result.Refused;
}

/** A vCPU of a guest is set up around a page that the host shares, which stays pinned. */
export function* initialiseVcpu(
  self: Actor,
  world: PkvmWorld,
  guest: number,
  vcpu: number,
  frame: number,
): Operation<number> {
  yield* self.trap(hypercallSites.enter);
  const words = world.guests[guest];
  if (words === undefined) return Result.Invalid;
  const pinned = yield* pin(self, world, frame);
  if (pinned !== Result.Ok) return pinned;
  const { hasVcpuLock } = world.configuration;
  yield* self.acquire(at.lock, Lock.Guests, Mode.Exclusive);
  const state = yield* self.readOnce(at.readState, words.state);
  let result: number = state === GuestState.Alive ? Result.Ok : Result.NoEntry;
  if (result === Result.Ok && hasVcpuLock) {
    // the guest stays while one of its vCPUs is being set up
    yield* self.add(at.countSetup, world.setups + guest, 1);
    yield* self.release(at.unlock, Lock.Guests);
    yield* self.acquire(at.lockVcpus, Lock.Vcpus + guest, Mode.Exclusive);
    result = yield* publishVcpu(self, world, words, vcpu, frame);
    yield* self.release(at.unlockVcpus, Lock.Vcpus + guest);
    yield* self.add(at.countSetup, world.setups + guest, -1);
    yield* self.acquire(at.lock, Lock.Guests, Mode.Exclusive);
  } else if (result === Result.Ok) result = yield* publishVcpu(self, world, words, vcpu, frame);
  if (result !== Result.Ok && !world.bug('A47-pin-kept-after-failure'))
    yield* unpin(self, world, frame);
  yield* self.release(at.unlock, Lock.Guests);
  return result;
}

/** Whoever finds the vCPU finds it ready: its page is written down before it is there. */
function* publishVcpu(
  self: Actor,
  world: PkvmWorld,
  words: GuestWords,
  vcpu: number,
  frame: number,
): Operation<number> {
  if ((yield* self.readOnce(at.readVcpu, words.vcpu + vcpu)) !== 0) return Result.Exists;
  yield* self.store(at.writeVcpuPage, words.vcpuPage + vcpu, frame);
  if (world.bug('A47b-published-before-ready'))
    yield* self.store(at.writeVcpu, words.vcpu + vcpu, 1);
  else yield* self.storeRelease(at.writeVcpu, words.vcpu + vcpu, 1);
  return Result.Ok;
}

/** What the hypervisor keeps about a loaded vCPU lies in the page that it was set up around. */
function* useVcpuPage(self: Actor, words: GuestWords, vcpu: number): Operation<void> {
  const page = yield* self.readOnce(at.readVcpuPage, words.vcpuPage + vcpu);
  // page 0 is nobody's
  const isThere =
    page !== 0 && (yield* self.hypervisorAccess(at.useVcpuPage, page, Intent.Write, 1)) === 0;
  if (!isThere) self.claim(Claim.Fatal, Panic.Vcpu, page, 0);
}

/** The host begins to tear a guest down: no vCPU may be loaded, and none will be. */
export function* startTeardown(self: Actor, world: PkvmWorld, guest: number): Operation<number> {
  yield* self.trap(hypercallSites.enter);
  const words = world.guests[guest];
  if (words === undefined) return Result.Invalid;
  yield* self.acquire(at.lock, Lock.Guests, Mode.Exclusive);
  const state = yield* self.readOnce(at.readState, words.state);
  let result: number = state === GuestState.Alive ? Result.Ok : Result.NoEntry;
  if (result === Result.Ok && world.configuration.hasVcpuLock)
    if ((yield* self.readOnce(at.readSetups, world.setups + guest)) !== 0) result = Result.Busy;
  for (let vcpu = 0; vcpu < 2 && result === Result.Ok; vcpu += 1)
    if ((yield* self.readOnce(at.readLoaded, words.loaded + vcpu)) !== 0) result = Result.Busy;
  if (result === Result.Ok) yield* self.store(at.writeState, words.state, GuestState.Dying);
  yield* self.release(at.unlock, Lock.Guests);
  return result;
}
