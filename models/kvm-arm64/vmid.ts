/**
 * Numbers that tag the translations of guests: how a guest gets one, and what happens when there are no more.
 *
 * Mirrors: Linux 5.0 to 5.17 arch/arm64/kvm/arm.c (one generation for all; at roll-over every guest is made to
 *          leave) and Linux 5.18 arch/arm64/kvm/vmid.c (what PEs run is kept across a roll-over).
 * Leaves out: instruction caches, which are invalidated with the numbers.
 * Source: spec/arm.md 1.13, amendment E18; zoo A10, A11; shape M27.
 */
import { Domain } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Claim } from '../../sim/claims.ts';
import { Shareability, Tlbi } from '../../sim/invalidation.ts';
import { Mode } from '../../sim/locks.ts';
import type { WordAddress } from '../../sim/memory.ts';
import { sites } from '../../sim/site.ts';
import { VmidDesign } from './generation.ts';
import { VMID_LOCK } from './sharing.ts';
import type { KvmWorld } from './world.ts';

export const vmidSites = sites('vmid', [
  'readGeneration',
  'readOwn',
  'readActive',
  'claimActive',
  'lock',
  'unlock',
  'readOwnAgain',
  'readGenerationAgain',
  'setActive',
  'readNext',
  'countNext',
  'readMap',
  'keep',
  'take',
  'countGeneration',
  'takeActive',
  'readReserved',
  'reserve',
  'updateReserved',
  'clearMap',
  'setOwn',
  'setOwnGeneration',
  'setBase',
  'orderStores',
  'kick',
  'waitKicked',
  'invalidateAll',
  'completeAll',
  'synchronise',
]);
const at = vmidSites;

/** Numbers that there are, from 1 on: fewer than any PE has, so that they run out. 0 is never used. */
export const VMIDS = 3;

/** A number and its generation in one word, as `active`, `reserved` and the guest's own are. */
const INDEX_BITS = 8;
const INDEX = (1 << INDEX_BITS) - 1;

/** What a PE that runs no guest has as active: it is no number, and says that the PE has looked since. */
export const INACTIVE = 1 << 24;

/** Words of an allocator; each of them is one kernel word, or one per PE. */
export interface VmidWords {
  /** Roll-overs so far, from 1. */
  readonly generation: WordAddress;
  /** 5.0: the number given out next. 5.18: numbers in use, as a bit mask. */
  readonly numbers: WordAddress;
  /** 5.18, by PE: what runs there; what ran there at the last roll-over. */
  readonly active: WordAddress;
  readonly reserved: WordAddress;
}

/** The words of one guest. */
export interface GuestNumber {
  /** 5.0: generation of its number. 5.18: number and generation. */
  readonly own: WordAddress;
  /** 5.0: its number; and root and number, as they are loaded. */
  readonly number: WordAddress;
  readonly base: WordAddress;
  /** Index of its tree, or -1. */
  readonly tree: number;
  readonly root: number;
}

/** Whether the guest's number is one of an older generation, in the design with one generation for all. */
export function* isOld(self: Actor, world: KvmWorld, guest: GuestNumber): Operation<boolean> {
  const now = yield* self.readOnce(at.readGeneration, world.sharing.vmids.generation);
  return (yield* self.readOnce(at.readOwn, guest.own)) !== now;
}

/** Gives the guest a number of this generation if it has none. */
export function updateVmid(self: Actor, world: KvmWorld, guest: GuestNumber): Operation<void> {
  return world.generation.vmids === VmidDesign.OneGeneration
    ? updateAlone(self, world, guest)
    : updateActive(self, world, guest);
}

// ---- 5.0: at roll-over nobody runs ----

function* updateAlone(self: Actor, world: KvmWorld, guest: GuestNumber): Operation<void> {
  if (!(yield* isOld(self, world, guest))) return;
  yield* self.acquire(at.lock, VMID_LOCK, Mode.Exclusive);
  let generation = yield* self.readOnce(at.readGenerationAgain, world.sharing.vmids.generation);
  if ((yield* self.readOnce(at.readOwnAgain, guest.own)) !== generation) {
    let number = yield* self.readOnce(at.readNext, world.sharing.vmids.numbers);
    if (number > VMIDS) {
      generation = yield* self.add(at.countGeneration, world.sharing.vmids.generation, 1);
      yield* emptyTlbs(self);
      number = 1;
    }
    yield* self.store(at.countNext, world.sharing.vmids.numbers, number + 1);
    yield* publish(self, world, guest, number, generation);
  }
  yield* self.release(at.unlock, VMID_LOCK);
}

/** Nobody takes the number for current before it is the one that is loaded. */
function* publish(
  self: Actor,
  world: KvmWorld,
  guest: GuestNumber,
  number: number,
  generation: number,
): Operation<void> {
  const isFirst = world.bug('A10-generation-before-number');
  if (isFirst) yield* self.store(at.setOwnGeneration, guest.own, generation);
  yield* self.store(at.setOwn, guest.number, number);
  const isEarly = world.bug('A11-generation-before-register');
  if (isEarly) yield* self.store(at.setOwnGeneration, guest.own, generation);
  yield* self.store(at.setBase, guest.base, (guest.root << INDEX_BITS) | number);
  self.claim(Claim.ContextTagged, guest.tree, number, 0);
  if (isFirst || isEarly) return;
  const isPlain = world.bug('A11b-generation-without-release');
  if (isPlain) yield* self.store(at.setOwnGeneration, guest.own, generation);
  else yield* self.storeRelease(at.setOwnGeneration, guest.own, generation);
}

/** Every guest leaves; who looks at its number from here on finds it old and waits for the lock. */
function* emptyTlbs(self: Actor): Operation<void> {
  yield* self.tlbi(at.kick, Tlbi.Kick, Shareability.Inner, 0, 0, 0);
  yield* self.dsb(at.waitKicked, Domain.Inner);
  yield* invalidateAll(self);
}

// ---- 5.18: what PEs run is kept ----

function* updateActive(self: Actor, world: KvmWorld, guest: GuestNumber): Operation<void> {
  const { active, generation } = world.sharing.vmids;
  const own = yield* self.readOnce(at.readOwn, guest.own);
  const was = yield* self.readOnce(at.readActive, active + self.pe);
  const now = yield* self.readOnce(at.readGeneration, generation);
  if (was !== 0 && own >>> INDEX_BITS === now) {
    // a roll-over that came meanwhile has taken what was active, and does not know of this guest
    if (world.bug('V03-active-number-stored')) {
      yield* self.store(at.claimActive, active + self.pe, own);
      return;
    }
    if ((yield* self.compareExchange(at.claimActive, active + self.pe, was, own)) === was) return;
  }
  yield* self.acquire(at.lock, VMID_LOCK, Mode.Exclusive);
  let number = yield* self.readOnce(at.readOwnAgain, guest.own);
  const current = yield* self.readOnce(at.readGenerationAgain, generation);
  if (number >>> INDEX_BITS !== current) number = yield* renew(self, world, guest, number, current);
  yield* self.store(at.setActive, active + self.pe, number);
  yield* self.release(at.unlock, VMID_LOCK);
}

/** A number of this generation: the one that the guest had, if nobody else has it, or a free one. */
function* renew(
  self: Actor,
  world: KvmWorld,
  guest: GuestNumber,
  old: number,
  generation: number,
): Operation<number> {
  const index = old & INDEX;
  if (index !== 0) {
    const same = (generation << INDEX_BITS) | index;
    let isKept = yield* keepReserved(self, world, old, same);
    if (!isKept) {
      const map = yield* self.or(at.keep, world.sharing.vmids.numbers, 1 << index);
      isKept = (map & (1 << index)) === 0;
    }
    if (isKept) return yield* give(self, guest, same);
  }
  let current = generation;
  let map = yield* self.readOnce(at.readMap, world.sharing.vmids.numbers);
  if (freeIndex(map) < 0) {
    current = yield* self.add(at.countGeneration, world.sharing.vmids.generation, 1);
    map = yield* rollOver(self, world);
  }
  const free = freeIndex(map);
  yield* self.or(at.take, world.sharing.vmids.numbers, 1 << free);
  return yield* give(self, guest, (current << INDEX_BITS) | free);
}

function* give(self: Actor, guest: GuestNumber, number: number): Operation<number> {
  yield* self.store(at.setOwn, guest.own, number);
  self.claim(Claim.ContextTagged, guest.tree, number & INDEX, 0);
  return number;
}

/** A PE went on with this number at the last roll-over: all its reservations are of this generation now. */
function* keepReserved(
  self: Actor,
  world: KvmWorld,
  old: number,
  next: number,
): Operation<boolean> {
  let isReserved = false;
  for (let pe = 0; pe < world.machine.pes.length; pe += 1) {
    const word = world.sharing.vmids.reserved + pe;
    if ((yield* self.readOnce(at.readReserved, word)) !== old) continue;
    yield* self.store(at.updateReserved, word, next);
    isReserved = true;
  }
  return isReserved;
}

/** A new generation: what PEs run stays taken, everything else is free again. The numbers in use. */
function* rollOver(self: Actor, world: KvmWorld): Operation<number> {
  const { active, reserved, numbers } = world.sharing.vmids;
  let map = 1;
  for (let pe = 0; pe < world.machine.pes.length; pe += 1) {
    let number = yield* self.exchange(at.takeActive, active + pe, 0);
    // it has not looked since the last roll-over: it still runs what it ran then
    if (number === 0) number = yield* self.readOnce(at.readReserved, reserved + pe);
    if (!world.bug('M27-roll-over-ignores-running')) map |= 1 << (number & INDEX);
    yield* self.store(at.reserve, reserved + pe, number);
  }
  yield* self.store(at.clearMap, numbers, map);
  yield* invalidateAll(self);
  return map;
}

/** Nothing is left of any guest's translations. */
function* invalidateAll(self: Actor): Operation<void> {
  yield* self.dsb(at.orderStores, Domain.InnerStore);
  yield* self.tlbi(at.invalidateAll, Tlbi.Alle1, Shareability.Inner, 0, 0, 0);
  yield* self.dsb(at.completeAll, Domain.Inner);
  yield* self.isb(at.synchronise);
}

function freeIndex(map: number): number {
  for (let index = 1; index <= VMIDS; index += 1) if ((map & (1 << index)) === 0) return index;
  return -1;
}
