/**
 * Dirty logging: start, get-and-clear or get and clear (manual protection), stop.
 *
 * Mirrors: Linux 5.10 virt/kvm/kvm_main.c and arch/arm64/kvm/mmu.c, logging by write protection; eager
 *          split of 6.4.
 * Leaves out: several slots; a mask of user space's own choice (it clears all that was reported).
 * Source: spec/arm.md 4.5; amendment E1 (one VMID here).
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result, Work } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { protectRange } from './attributes.ts';
import { takeDirtyState } from './dirty-state.ts';
import { flushSlot } from './flush.ts';
import { SLOTS_DOMAIN } from './machine.ts';
import { applyRange } from './range.ts';
import { splitSlot } from './split.ts';
import type { KvmWorld } from './world.ts';

export const logSites = sites('log', [
  'lockSlots',
  'readLogging',
  'publish',
  'waitReaders',
  'lock',
  'unlock',
  'readMarks',
  'takeMarks',
  'clearMarks',
  'unlockSlots',
  'markAll',
]);
const at = logSites;

/** From its return on, every guest write is marked. Invalid when the slot is logged already. */
export function* startLog(self: Actor, world: KvmWorld): Operation<number> {
  yield* self.acquire(at.lockSlots, world.lock.Slots, Mode.Exclusive);
  if ((yield* self.readOnce(at.readLogging, world.logging)) !== 0) {
    yield* self.release(at.unlockSlots, world.lock.Slots);
    return Result.Invalid;
  }
  if (world.marksAllAtStart) yield* markAll(self, world);
  yield* self.store(at.publish, world.logging, 1);
  // faults that saw "not logging" end before the slot is protected
  yield* self.gracePeriod(at.waitReaders, SLOTS_DOMAIN);
  // pages that are marked already are protected when their marks are cleared
  if (!world.marksAllAtStart) {
    yield* protectAll(self, world);
    if (world.splitsEagerly) yield* splitSlot(self, world);
  }
  self.claim(Claim.LogStarted, 0, world.geometry.windowPages, 0);
  yield* self.release(at.unlockSlots, world.lock.Slots);
  return Result.Ok;
}

function* protectAll(self: Actor, world: KvmWorld): Operation<void> {
  yield* self.acquire(at.lock, world.lock.Mmu, Mode.Exclusive);
  world.beginWork(self, Work.Protect);
  yield* applyRange(self, world, 0, world.geometry.windowPages, protectRange);
  yield* self.release(at.unlock, world.lock.Mmu);
  yield* flushSlot(self, world);
}

/** Initially all set: every page counts as written before the log is there. */
function* markAll(self: Actor, world: KvmWorld): Operation<void> {
  const { windowPages } = world.geometry;
  for (let first = 0; first < windowPages; first += 32) {
    const count = Math.min(32, windowPages - first);
    yield* self.store(
      at.markAll,
      world.bitmap + (first >>> 5),
      count === 32 ? -1 : (1 << count) - 1,
    );
    for (let i = 0; i < count; i += 1) self.claim(Claim.LogMarked, first + i, 0, 0);
  }
}

/** Manual protection: reports what is marked, and then clears, protects and flushes what it reported. */
export function* clearLog(self: Actor, world: KvmWorld): Operation<number> {
  yield* self.acquire(at.lockSlots, world.lock.Slots, Mode.Exclusive);
  if ((yield* self.readOnce(at.readLogging, world.logging)) === 0) {
    yield* self.release(at.unlockSlots, world.lock.Slots);
    return Result.Invalid;
  }
  const words = Math.ceil(world.geometry.windowPages / 32);
  const reported: number[] = [];
  for (let i = 0; i < words; i += 1) {
    reported.push(yield* self.readOnce(at.readMarks, world.bitmap + i));
  }
  yield* self.acquire(at.lock, world.lock.Mmu, Mode.Exclusive);
  world.beginWork(self, Work.Protect);
  for (let i = 0; i < words; i += 1) {
    const marks = reported[i]!;
    if (marks === 0) continue;
    yield* clearMarks(self, world, i, marks);
    const lowest = 31 - Math.clz32(marks & -marks);
    const highest = 31 - Math.clz32(marks);
    yield* applyRange(self, world, i * 32 + lowest, highest - lowest + 1, protectRange);
  }
  yield* self.release(at.unlock, world.lock.Mmu);
  yield* flushSlot(self, world);
  if (world.splitsEagerly && world.marksAllAtStart) yield* splitSlot(self, world);
  self.claim(Claim.LogHarvested, 0, 0, 0);
  yield* self.release(at.unlockSlots, world.lock.Slots);
  return Result.Ok;
}

/** Clears marks that were reported, and no mark that was made since. */
function* clearMarks(self: Actor, world: KvmWorld, index: number, marks: number): Operation<void> {
  const word = world.bitmap + index;
  for (;;) {
    const old = yield* self.readOnce(at.readMarks, word);
    const left = world.bug('V02-clear-drops-later-marks') ? 0 : old & ~marks;
    if ((yield* self.compareExchange(at.clearMarks, word, old, left)) === old) {
      self.claim(Claim.LogTaken, index * 32, old & marks, left);
      return;
    }
  }
}

/** One round: takes the marks, protects what was marked, flushes, reports. */
export function* collectLog(self: Actor, world: KvmWorld): Operation<number> {
  yield* self.acquire(at.lockSlots, world.lock.Slots, Mode.Exclusive);
  if ((yield* self.readOnce(at.readLogging, world.logging)) === 0) {
    yield* self.release(at.unlockSlots, world.lock.Slots);
    return Result.Invalid;
  }
  const words = Math.ceil(world.geometry.windowPages / 32);
  const takesLate = world.bug('M28-log-taken-after-protect');
  let dirty = false;
  const { hasDirtyState } = world.generation;
  yield* self.acquire(at.lock, world.lock.Mmu, Mode.Exclusive);
  world.beginWork(self, Work.Protect);
  if (hasDirtyState) yield* applyRange(self, world, 0, world.geometry.windowPages, takeDirtyState);
  for (let i = 0; i < words; i += 1) {
    // marks are taken before the protection: a mark made after it stays for the next round
    const marks = takesLate
      ? yield* self.readOnce(at.readMarks, world.bitmap + i)
      : yield* takeMarks(self, world, i);
    if (marks === 0) continue;
    dirty = true;
    if (hasDirtyState) continue;
    const lowest = 31 - Math.clz32(marks & -marks);
    const highest = 31 - Math.clz32(marks);
    yield* applyRange(self, world, i * 32 + lowest, highest - lowest + 1, protectRange);
  }
  yield* self.release(at.unlock, world.lock.Mmu);
  if (dirty) yield* flushSlot(self, world);
  if (takesLate) for (let i = 0; i < words; i += 1) yield* takeMarks(self, world, i);
  self.claim(Claim.LogHarvested, 0, 0, 0);
  yield* self.release(at.unlockSlots, world.lock.Slots);
  return Result.Ok;
}

/** Takes the marks of a word of the bitmap, which are gone there. */
export function* takeMarks(self: Actor, world: KvmWorld, index: number): Operation<number> {
  const marks = yield* self.exchange(at.takeMarks, world.bitmap + index, 0);
  self.claim(Claim.LogTaken, index * 32, marks, 0);
  return marks;
}

/** Nothing is un-protected: blocks and rights come back by faults. */
export function* stopLog(self: Actor, world: KvmWorld): Operation<number> {
  yield* self.acquire(at.lockSlots, world.lock.Slots, Mode.Exclusive);
  if ((yield* self.readOnce(at.readLogging, world.logging)) !== 0) {
    yield* self.store(at.publish, world.logging, 0);
    self.claim(Claim.LogStopped, 0, 0, 0);
    yield* self.gracePeriod(at.waitReaders, SLOTS_DOMAIN);
    for (let i = 0; i < Math.ceil(world.geometry.windowPages / 32); i += 1) {
      yield* self.store(at.clearMarks, world.bitmap + i, 0);
    }
    // marks that late readers made meanwhile are gone as well
    self.claim(Claim.LogStopped, 0, 0, 0);
  }
  yield* self.release(at.unlockSlots, world.lock.Slots);
  return Result.Ok;
}
