/**
 * Dirty logging by write protection, or by dirty flags with a hardware log: start, get-and-clear, stop; and
 * keeping one page read-only for good.
 *
 * Mirrors: dirty logging and write tracking of Linux KVM/x86 on TDP MMU roots.
 * Leaves out: initially-all-set with manual protection.
 * Source: spec/x86-xen.md A12, amendments E2, E8, E16. Departure from upstream as in E16: the walk asks
 *         whether to yield at every entry.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { isLeaf, WRITE } from '../../sim/descriptor.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { clearBits, setExclusive, setShared } from './entries.ts';
import { flushAll, kickAll } from './flush.ts';
import { regionOf } from './geometry.ts';
import { recoverLarge, splitLarge } from './huge.ts';
import type { Walk } from './iterator.ts';
import { dropRoots, settleSlots, slotsChanged } from './mmio.ts';
import { NO_ROOT, nextRoot, nextValidRoot } from './roots.ts';
import { isPresentLeaf, MMU_WRITABLE } from './spte.ts';
import { walkOf } from './walk.ts';
import { type KvmWorld, Lock, RCU, SLOTS_DOMAIN } from './world.ts';
import { loggedBit } from './write-log.ts';
import { zapInvalidated } from './zap.ts';

export const logSites = sites('log', [
  'lockSlots',
  'readLogging',
  'publish',
  'waitReaders',
  'splitFirst',
  'lock',
  'unlock',
  'takeMarks',
  'clearMarks',
  'unlockSlots',
]);
const at = logSites;

export const protectSites = sites('protect', [
  'lock',
  'readFrame',
  'enterRcu',
  'leaveRcu',
  'track',
  'forbidLarge',
  'unlock',
]);

/** From its return on, every guest write is marked. Invalid when the slot is logged already. */
export function* startLog(self: Actor, world: KvmWorld): Operation<number> {
  const { windowPages } = world.geometry;
  yield* self.acquire(at.lockSlots, Lock.Slots, Mode.Exclusive);
  if ((yield* self.readOnce(at.readLogging, world.logging)) !== 0) {
    yield* self.release(at.unlockSlots, Lock.Slots);
    return Result.Invalid;
  }
  yield* self.store(at.publish, world.logging, 1);
  const isAnew = world.configuration.hasMmio && (yield* slotsChanged(self, world));
  // faults that saw "not logging" end before the slot is protected
  yield* self.gracePeriod(at.waitReaders, SLOTS_DOMAIN);
  if (isAnew) {
    yield* dropRoots(self, world);
    yield* zapInvalidated(self, world);
    yield* settleSlots(self, world);
  }
  const isOf2020 = world.configuration.isOf2020;
  if (!isOf2020 && self.choose(at.splitFirst, 2) === 1)
    yield* splitLarge(self, world, 0, windowPages);
  yield* protectSlot(self, world);
  yield* flushAll(self);
  self.claim(Claim.LogStarted, 0, windowPages, 0);
  yield* self.release(at.unlockSlots, Lock.Slots);
  return Result.Ok;
}

/** Takes from every leaf of the slot what lets writes go unnoticed; what the MMU may give back stays so marked. */
function* protectSlot(self: Actor, world: KvmWorld): Operation<void> {
  const here = protectSites;
  const testsLate = world.bug('K02-yield-test-after-filter');
  const mode = world.sharedMode;
  yield* self.acquire(here.lock, Lock.Mmu, mode);
  for (let root = yield* nextRoot(self, world, NO_ROOT, true); root >= 0; ) {
    const frame = yield* self.readOnce(here.readFrame, world.rootFrame + root);
    yield* self.enterSection(here.enterRcu, RCU);
    const iter = walkOf(world, root, frame, world.geometry.windowPages);
    const asksFirst = !testsLate && !iter.asksLate;
    for (yield* iter.start(self, 0); iter.isInside; yield* iter.next(self)) {
      if (asksFirst && iter.mustYield(self)) {
        yield* iter.giveWay(self, mode, false);
        continue;
      }
      iter.visit(self);
      if (!isLeaf(iter.snap) || (iter.snap & loggedBit(world, iter.snap, iter.level)) === 0)
        continue;
      if (testsLate && iter.mustYield(self)) {
        yield* iter.giveWay(self, mode, false);
        continue;
      }
      yield* clearLogged(self, world, iter);
      if (iter.asksLate && iter.mustYield(self)) yield* iter.giveWay(self, mode, false);
    }
    iter.finish(self);
    yield* self.exitSection(here.leaveRcu, RCU);
    root = yield* nextRoot(self, world, root, true);
  }
  yield* self.release(here.unlock, Lock.Mmu);
}

/** Until the entry is a leaf whose next write is noticed: after every failure it is looked at again (I5). */
function* clearLogged(self: Actor, world: KvmWorld, iter: Walk): Operation<void> {
  const keepsGoing = world.bug('K23-retry-skips-leaf-check');
  while (isLeaf(iter.snap) || keepsGoing) {
    const bit = loggedBit(world, iter.snap, iter.level);
    if ((iter.snap & bit) === 0 || (yield* setShared(self, world, iter, iter.snap & ~bit))) return;
  }
}

/** One round: takes the marks, protects what was marked, flushes, reports. */
export function* collectLog(self: Actor, world: KvmWorld): Operation<number> {
  yield* self.acquire(at.lockSlots, Lock.Slots, Mode.Exclusive);
  if ((yield* self.readOnce(at.readLogging, world.logging)) === 0) {
    yield* self.release(at.unlockSlots, Lock.Slots);
    return Result.Invalid;
  }
  let isDirty = false;
  // vCPUs that leave the guest empty their hardware logs
  if (world.configuration.writeLog > 0) yield* kickAll(self);
  yield* self.acquire(at.lock, Lock.Mmu, Mode.Exclusive);
  for (let word = 0; word < Math.ceil(world.geometry.windowPages / 32); word += 1) {
    // marks are taken before the protection: a mark made after it stays for the next round
    const marks = yield* self.exchange(at.takeMarks, world.bitmap + word, 0);
    self.claim(Claim.LogTaken, word * 32, marks, 0);
    if (marks === 0) continue;
    isDirty = true;
    yield* protectMarked(self, world, word * 32, marks);
  }
  yield* self.release(at.unlock, Lock.Mmu);
  if (isDirty) yield* flushAll(self);
  self.claim(Claim.LogHarvested, 0, 0, 0);
  yield* self.release(at.unlockSlots, Lock.Slots);
  return Result.Ok;
}

/** The same for the small leaves of the marked pages; large ones are not logged. */
function* protectMarked(
  self: Actor,
  world: KvmWorld,
  base: number,
  marks: number,
): Operation<void> {
  const here = protectSites;
  const lowest = base + 31 - Math.clz32(marks & -marks);
  const end = base + 32 - Math.clz32(marks);
  for (let root = yield* nextValidRoot(self, world, NO_ROOT); root >= 0; ) {
    const frame = yield* self.readOnce(here.readFrame, world.rootFrame + root);
    yield* self.enterSection(here.enterRcu, RCU);
    const iter = walkOf(world, root, frame, end);
    for (yield* iter.start(self, lowest); iter.isInside; yield* iter.next(self)) {
      iter.visit(self);
      if (iter.level > 1 || !isLeaf(iter.snap)) continue;
      const bit = loggedBit(world, iter.snap, iter.level);
      if ((iter.snap & bit) === 0 || (marks & (1 << (iter.gfn & 31))) === 0) continue;
      yield* clearBits(self, world, iter, bit);
    }
    iter.finish(self);
    yield* self.exitSection(here.leaveRcu, RCU);
    root = yield* nextValidRoot(self, world, root);
  }
}

/** Nothing is un-protected; large pages come back at once. */
export function* stopLog(self: Actor, world: KvmWorld): Operation<number> {
  yield* self.acquire(at.lockSlots, Lock.Slots, Mode.Exclusive);
  if ((yield* self.readOnce(at.readLogging, world.logging)) !== 0) {
    yield* self.store(at.publish, world.logging, 0);
    self.claim(Claim.LogStopped, 0, 0, 0);
    const isAnew = world.configuration.hasMmio && (yield* slotsChanged(self, world));
    yield* self.gracePeriod(at.waitReaders, SLOTS_DOMAIN);
    if (isAnew) {
      yield* dropRoots(self, world);
      yield* zapInvalidated(self, world);
      yield* settleSlots(self, world);
    }
    for (let word = 0; word < Math.ceil(world.geometry.windowPages / 32); word += 1) {
      yield* self.store(at.clearMarks, world.bitmap + word, 0);
    }
    // marks that late readers made meanwhile are gone as well
    self.claim(Claim.LogStopped, 0, 0, 0);
    if (!world.configuration.isOf2020) yield* recoverLarge(self, world);
  }
  yield* self.release(at.unlockSlots, Lock.Slots);
  return Result.Ok;
}

/** From its return on the guest cannot write the page: count and large pages first, then the walk (E2). */
export function* forbidWrites(self: Actor, world: KvmWorld, page: number): Operation<number> {
  const here = protectSites;
  let flush = false;
  yield* self.acquire(here.lock, Lock.Mmu, Mode.Exclusive);
  yield* self.add(here.track, world.tracked + page, 1);
  yield* self.add(here.forbidLarge, world.noLarge + regionOf(world.geometry, page), 1);
  for (let root = yield* nextValidRoot(self, world, NO_ROOT); root >= 0; ) {
    const frame = yield* self.readOnce(here.readFrame, world.rootFrame + root);
    yield* self.enterSection(here.enterRcu, RCU);
    const iter = walkOf(world, root, frame, page + 1);
    for (yield* iter.start(self, page); iter.isInside; yield* iter.next(self)) {
      iter.visit(self);
      if (!isPresentLeaf(iter.snap) || (iter.snap & (WRITE | MMU_WRITABLE)) === 0) continue;
      yield* setExclusive(self, world, iter, iter.snap & ~(WRITE | MMU_WRITABLE));
      flush = true;
    }
    iter.finish(self);
    yield* self.exitSection(here.leaveRcu, RCU);
    root = yield* nextValidRoot(self, world, root);
  }
  if (flush) yield* flushAll(self);
  self.claim(Claim.WriteForbidden, page, 1, 0);
  yield* self.release(here.unlock, Lock.Mmu);
  return Result.Ok;
}

/** One reason less, if there is one; entries follow by faults when the last is gone. */
export function* allowWrites(self: Actor, world: KvmWorld, page: number): Operation<number> {
  const here = protectSites;
  const region = world.noLarge + regionOf(world.geometry, page);
  yield* self.acquire(here.lock, Lock.Mmu, Mode.Exclusive);
  const isTracked = (yield* self.readOnce(here.track, world.tracked + page)) !== 0;
  if (isTracked) {
    const left = yield* self.add(here.track, world.tracked + page, -1);
    if (left === 0) self.claim(Claim.WriteForbidden, page, 0, 0);
    yield* self.add(here.forbidLarge, region, -1);
  }
  yield* self.release(here.unlock, Lock.Mmu);
  return Result.Ok;
}
