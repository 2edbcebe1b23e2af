/**
 * Accesses to where no memory lies are left to user space. An MMIO entry remembers that, and of which generation of the
 * slots it is: every change of the slots makes a new one, so entries made before are known to be old when they are met, and
 * are not looked for. Generations are few. When they begin anew all entries go, so that none of the last round seems to be
 * of this one, and none is believed before they are gone.
 *
 * Mirrors: MMIO SPTEs of Linux KVM/x86 on TDP MMU roots, as spec/x86-xen.md has them (A2, A6 s4, E2, E9).
 * Leaves out: what a fault's exit says of the entry (the handler looks at it first); one slot beside the others only; access
 *             rights in the entry.
 * Source: spec/x86-xen.md A2, A6, A10; amendments E2, E9. Generations that wrap are the opposite of E18: docs/fidelity.md.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { frameOf } from '../../sim/descriptor.ts';
import { indexAt } from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { setShared } from './entries.ts';
import { fillCache, type GuestFault, RetryReason } from './fault.ts';
import { blockPages, machineLevel, rootLevel } from './geometry.ts';
import { walkToGoal } from './map.ts';
import { invalidateRoots } from './roots.ts';
import { Edge, GENERATION_SHIFT, STATE_MASK, UNSURE } from './slot-word.ts';
import { generationOf, isMmio, isPresentLeaf, isTable, mmioEntry } from './spte.ts';
import { type KvmWorld, Lock, RCU, SLOTS_DOMAIN } from './world.ts';
import { zapInvalidated } from './zap.ts';

export const mmioSites = sites('mmio', [
  'enterRcu',
  'readFrame',
  'walk',
  'leaveRcu',
  'readGeneration',
  'readSlots',
  'lock',
  'readInvalid',
  'enterWalk',
  'leaveWalk',
  'unlock',
]);
export const edgeSites = sites('edge-slot', [
  'lockSlots',
  'read',
  'hold',
  'publishInvalid',
  'publish',
  'settle',
  'waitReaders',
  'waitAgain',
  'lock',
  'unlock',
  'letGo',
  'unlockSlots',
]);

/** Two, so that they begin anew at every second change. */
const GENERATIONS = 2;

/** Not an access that is left to user space: memory lies there. */
export const IS_MEMORY = -1;

/**
 * A fault in the last region; in a read section of the slots.
 * @returns Refused when the access is left to user space, Again when the slot is being deleted, Ok to enter the guest
 * again, or IS_MEMORY
 */
export function* handleMmio(self: Actor, world: KvmWorld, fault: GuestFault): Operation<number> {
  const at = mmioSites;
  const { page } = fault;
  const entry = yield* lookUp(self, world, fault);
  if (isMmio(entry)) {
    const slots = yield* self.readOnce(at.readGeneration, world.edge);
    // nobody looks the slot up: the entry is as good as that, if nothing has changed since
    const isCurrent = (slots & UNSURE) === 0 && generationOf(entry) === slots >>> GENERATION_SHIFT;
    if (isCurrent || world.bug('V01-old-generation-believed')) return leaveToUser(self, page);
  }
  const slots = yield* self.readOnce(at.readSlots, world.edge);
  const state = slots & STATE_MASK;
  if (state === Edge.Memory) return IS_MEMORY;
  if (state === Edge.Invalid) {
    self.claim(Claim.FaultRetry, RetryReason.Slot, page, 0);
    return Result.Again;
  }
  if ((slots & UNSURE) !== 0) return leaveToUser(self, page);
  return yield* remember(self, world, fault, slots >>> GENERATION_SHIFT);
}

function leaveToUser(self: Actor, page: number): number {
  self.claim(Claim.AccessEmulated, page, 0, 0);
  self.claim(Claim.FaultHandled, page, 0, 0);
  return Result.Refused;
}

/** The deepest entry for the page, read without a lock. */
function* lookUp(self: Actor, world: KvmWorld, { page, root }: GuestFault): Operation<number> {
  const at = mmioSites;
  const { geometry, machine } = world;
  yield* self.enterSection(at.enterRcu, RCU);
  let table = yield* self.readOnce(at.readFrame, world.rootFrame + root);
  let entry = 0;
  for (let level = rootLevel(geometry); level > 0; level -= 1) {
    const index = indexAt(geometry, page, machineLevel(level));
    entry = yield* self.readOnce(at.walk, machine.memory.address(table, index));
    if (!isTable(entry)) break;
    table = frameOf(entry);
  }
  yield* self.exitSection(at.leaveRcu, RCU);
  return entry;
}

/** Makes the entry for a page without memory, of the generation in which the slots were looked up. */
function* remember(
  self: Actor,
  world: KvmWorld,
  guest: GuestFault,
  generation: number,
): Operation<number> {
  const at = mmioSites;
  const { page, intent, root } = guest;
  if (!(yield* fillCache(self, world))) return Result.NoMemory;
  yield* self.acquire(at.lock, Lock.Mmu, Mode.Shared);
  if ((yield* self.readOnce(at.readInvalid, world.rootInvalid + root)) !== 0) {
    yield* self.release(at.unlock, Lock.Mmu);
    self.claim(Claim.FaultRetry, RetryReason.Root, page, 0);
    return Result.Ok;
  }
  yield* self.enterSection(at.enterWalk, RCU);
  const fault = { page, intent, root, frame: 0, goal: 1, isDisallowed: false, canWrite: false };
  const place = yield* walkToGoal(self, world, { ...fault, adType: 0 });
  let isMade = false;
  if (place !== undefined) {
    // somebody who has seen newer slots has mapped memory: this fault's are old
    const isMapped = isPresentLeaf(place.iter.snap) && !world.bug('V03-leaf-becomes-mmio');
    if (!isMapped) isMade = yield* setShared(self, world, place.iter, mmioEntry(page, generation));
  }
  yield* self.exitSection(at.leaveWalk, RCU);
  yield* self.release(at.unlock, Lock.Mmu);
  if (isMade) return leaveToUser(self, page);
  self.claim(Claim.FaultRetry, RetryReason.Changed, page, 0);
  return Result.Ok;
}

// ---- slots ----

/**
 * New slots are seen from here on. The slots' lock is held.
 * @param state of the slot in the last region
 * @returns generations begin anew: when the readers of the old slots are gone, every root has to go, and then the slots
 * are to be settled
 */
export function* publishSlots(self: Actor, world: KvmWorld, state: number): Operation<boolean> {
  const old = yield* self.readOnce(edgeSites.read, world.edge);
  const generation = ((old >>> GENERATION_SHIFT) + 1) % GENERATIONS;
  const isAnew = generation === 0 && !world.bug('V02-generations-begin-anew');
  const doubt = isAnew && !world.bug('V04-believed-until-zapped') ? UNSURE : 0;
  yield* self.store(
    edgeSites.publish,
    world.edge,
    (generation << GENERATION_SHIFT) | state | doubt,
  );
  return isAnew;
}

/** No entry of the last round of generations is left. */
export function* settleSlots(self: Actor, world: KvmWorld): Operation<void> {
  const slots = yield* self.readOnce(edgeSites.read, world.edge);
  yield* self.store(edgeSites.settle, world.edge, slots & ~UNSURE);
}

/** Another slot has changed: the log of the first one is started or stopped. What lies in the last region does not. */
export function* slotsChanged(self: Actor, world: KvmWorld): Operation<boolean> {
  const slots = yield* self.readOnce(edgeSites.read, world.edge);
  return yield* publishSlots(self, world, slots & STATE_MASK);
}

/** No vCPU runs with a root that is there now; the caller has them zapped. */
export function* dropRoots(self: Actor, world: KvmWorld): Operation<void> {
  yield* self.acquire(edgeSites.lock, Lock.Mmu, Mode.Exclusive);
  yield* invalidateRoots(self, world);
  yield* self.release(edgeSites.unlock, Lock.Mmu);
}

/** Memory comes to the last region. Invalid when there is some. */
export function* addSlot(self: Actor, world: KvmWorld): Operation<number> {
  const at = edgeSites;
  yield* self.acquire(at.lockSlots, Lock.Slots, Mode.Exclusive);
  const isFree = ((yield* self.readOnce(at.read, world.edge)) & STATE_MASK) === Edge.Absent;
  if (isFree) {
    const isAnew = yield* publishSlots(self, world, Edge.Memory);
    yield* self.gracePeriod(at.waitReaders, SLOTS_DOMAIN);
    if (isAnew) {
      yield* dropRoots(self, world);
      yield* zapInvalidated(self, world);
      yield* settleSlots(self, world);
    }
    self.claim(Claim.MemoryPlaced, world.edgeFirst, blockPages(world.geometry), 1);
  }
  yield* self.release(at.unlockSlots, Lock.Slots);
  return isFree ? Result.Ok : Result.Invalid;
}

/** The memory of the last region goes: nobody maps any of it, nothing of it is left, and then it is nobody's. */
export function* removeSlot(self: Actor, world: KvmWorld): Operation<number> {
  const at = edgeSites;
  yield* self.acquire(at.lockSlots, Lock.Slots, Mode.Exclusive);
  const old = yield* self.readOnce(at.read, world.edge);
  const isMemory = (old & STATE_MASK) === Edge.Memory;
  if (isMemory) {
    self.claim(Claim.MemoryPlaced, world.edgeFirst, blockPages(world.geometry), 0);
    yield* self.store(at.hold, world.edgeHeld, 1);
    yield* self.store(at.publishInvalid, world.edge, (old & ~STATE_MASK) | Edge.Invalid);
    yield* self.gracePeriod(at.waitReaders, SLOTS_DOMAIN);
    yield* dropRoots(self, world);
    yield* zapInvalidated(self, world);
    // no entry of any generation is left, and none was made since
    const isAnew = yield* publishSlots(self, world, Edge.Absent);
    yield* self.gracePeriod(at.waitAgain, SLOTS_DOMAIN);
    if (isAnew) yield* settleSlots(self, world);
    yield* self.store(at.letGo, world.edgeHeld, 0);
  }
  yield* self.release(at.unlockSlots, Lock.Slots);
  return isMemory ? Result.Ok : Result.Invalid;
}
