/**
 * Dirty logging: start, get-and-clear, stop.
 *
 * Mirrors: Linux 5.10 virt/kvm/kvm_main.c and arch/arm64/kvm/mmu.c, logging by write protection; eager
 *          split of 6.4.
 * Leaves out: manual protection, initially-all-set.
 * Source: spec/arm.md 4.5; amendment E1 (one VMID here).
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result, Work } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { protectRange } from './attributes.ts';
import { flushSlot } from './flush.ts';
import { applyRange } from './range.ts';
import { splitSlot } from './split.ts';
import { type KvmWorld, Lock, SLOTS_DOMAIN } from './world.ts';

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
]);
const at = logSites;

/** From its return on, every guest write is marked. Invalid when the slot is logged already. */
export function* startLog(self: Actor, world: KvmWorld): Operation<number> {
  yield* self.acquire(at.lockSlots, Lock.Slots, Mode.Exclusive);
  if ((yield* self.readOnce(at.readLogging, world.logging)) !== 0) {
    yield* self.release(at.unlockSlots, Lock.Slots);
    return Result.Invalid;
  }
  yield* self.store(at.publish, world.logging, 1);
  // faults that saw "not logging" end before the slot is protected
  yield* self.gracePeriod(at.waitReaders, SLOTS_DOMAIN);
  yield* self.acquire(at.lock, Lock.Mmu, Mode.Exclusive);
  world.beginWork(self, Work.Protect);
  yield* applyRange(self, world, 0, world.geometry.windowPages, protectRange);
  yield* self.release(at.unlock, Lock.Mmu);
  yield* flushSlot(self, world);
  if (world.splitsEagerly) yield* splitSlot(self, world);
  self.claim(Claim.LogStarted, 0, world.geometry.windowPages, 0);
  yield* self.release(at.unlockSlots, Lock.Slots);
  return Result.Ok;
}

/** One round: takes the marks, protects what was marked, flushes, reports. */
export function* collectLog(self: Actor, world: KvmWorld): Operation<number> {
  yield* self.acquire(at.lockSlots, Lock.Slots, Mode.Exclusive);
  if ((yield* self.readOnce(at.readLogging, world.logging)) === 0) {
    yield* self.release(at.unlockSlots, Lock.Slots);
    return Result.Invalid;
  }
  const words = Math.ceil(world.geometry.windowPages / 32);
  const takesLate = world.bug('M28-log-taken-after-protect');
  let dirty = false;
  yield* self.acquire(at.lock, Lock.Mmu, Mode.Exclusive);
  world.beginWork(self, Work.Protect);
  for (let i = 0; i < words; i += 1) {
    // marks are taken before the protection: a mark made after it stays for the next round
    const marks = takesLate
      ? yield* self.readOnce(at.readMarks, world.bitmap + i)
      : yield* takeMarks(self, world, i);
    if (marks === 0) continue;
    dirty = true;
    const lowest = 31 - Math.clz32(marks & -marks);
    const highest = 31 - Math.clz32(marks);
    yield* applyRange(self, world, i * 32 + lowest, highest - lowest + 1, protectRange);
  }
  yield* self.release(at.unlock, Lock.Mmu);
  if (dirty) yield* flushSlot(self, world);
  if (takesLate) for (let i = 0; i < words; i += 1) yield* takeMarks(self, world, i);
  self.claim(Claim.LogHarvested, 0, 0, 0);
  yield* self.release(at.unlockSlots, Lock.Slots);
  return Result.Ok;
}

function* takeMarks(self: Actor, world: KvmWorld, index: number): Operation<number> {
  const marks = yield* self.exchange(at.takeMarks, world.bitmap + index, 0);
  self.claim(Claim.LogTaken, index * 32, marks, 0);
  return marks;
}

/** Nothing is un-protected: blocks and rights come back by faults. */
export function* stopLog(self: Actor, world: KvmWorld): Operation<number> {
  yield* self.acquire(at.lockSlots, Lock.Slots, Mode.Exclusive);
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
  yield* self.release(at.unlockSlots, Lock.Slots);
  return Result.Ok;
}
