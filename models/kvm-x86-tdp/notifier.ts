/**
 * Host memory management asks KVM: unmap a range before it is taken away, and was it used.
 *
 * Mirrors: the MMU notifiers of Linux KVM/x86 with a range; aging without locks (from 6.15), or under the
 *          exclusive lock where dirty pages are written back (6.12).
 * Source: spec/x86-xen.md A9, A11, A13; amendments E7, E9.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { ACCESSED, DIRTY } from '../../sim/descriptor.ts';
import { Mode } from '../../sim/locks.ts';
import { type Site, sites } from '../../sim/site.ts';
import { setExclusive } from './entries.ts';
import { flushAll } from './flush.ts';
import { blockPages, regionOf } from './geometry.ts';
import { isBlock, revokePage } from './host-memory.ts';
import type { Walk } from './iterator.ts';
import { NO_ROOT, nextValidRoot } from './roots.ts';
import { AD_DISABLED, AD_TYPE, isAccessed, track } from './spte.ts';
import { walkOf } from './walk.ts';
import { type KvmWorld, Lock, RCU } from './world.ts';
import { zapRangeOfRoots } from './zap.ts';

export const notifierSites = sites('unmap', [
  'lockSpace',
  'readBlock',
  'lockBegin',
  'begin',
  'readStart',
  'readEnd',
  'writeStart',
  'writeEnd',
  'unlockBegin',
  'lockEnd',
  'countSequence',
  'finish',
  'unlockEnd',
  'unlockSpace',
]);

/** The host takes [page, page + pages) away: begin, unmap, free, end. */
export function* unmapFromHost(
  self: Actor,
  world: KvmWorld,
  page: number,
  pages: number,
): Operation<number> {
  const at = notifierSites;
  yield* self.acquire(at.lockSpace, Lock.Mmap, Mode.Exclusive);
  const [first, end] = yield* notifiedRange(self, world, page, page + pages);

  yield* self.acquire(at.lockBegin, Lock.Mmu, Mode.Exclusive);
  yield* beginInvalidation(self, world, first, end);
  const flush = yield* zapRangeOfRoots(self, world, first, end);
  if (flush) yield* flushAll(self);
  yield* self.release(at.unlockBegin, Lock.Mmu);

  for (let i = 0; i < pages; i += 1) yield* revokePage(self, world, page + i);
  self.claim(Claim.RevocationReturned, pages, 0, 0);

  // a fault that misses the count sees the sequence, and the other way round
  yield* self.acquire(at.lockEnd, Lock.Mmu, Mode.Exclusive);
  yield* self.add(at.countSequence, world.sequence, 1);
  yield* self.add(at.finish, world.inProgress, -1);
  yield* self.release(at.unlockEnd, Lock.Mmu);
  yield* self.release(at.unlockSpace, Lock.Mmap);
  return Result.Ok;
}

/** Another invalidation may be in progress: then the range becomes the union. */
function* beginInvalidation(
  self: Actor,
  world: KvmWorld,
  first: number,
  end: number,
): Operation<void> {
  const at = notifierSites;
  let start = first;
  let stop = end;
  if ((yield* self.add(at.begin, world.inProgress, 1)) !== 1) {
    start = Math.min(start, yield* self.readOnce(at.readStart, world.rangeStart));
    stop = Math.max(stop, yield* self.readOnce(at.readEnd, world.rangeEnd));
  }
  yield* self.store(at.writeStart, world.rangeStart, start);
  yield* self.store(at.writeEnd, world.rangeEnd, stop);
}

/** Sites at which an operation reads the range of the invalidations in progress. */
export interface RangeSites {
  readonly start: Site;
  readonly end: Site;
}

/** Whether the invalidations in progress, of which the caller has seen the count, are about some of these pages. */
export function* isInvalidated(
  self: Actor,
  world: KvmWorld,
  sites: RangeSites,
  first: number,
  end: number,
): Operation<boolean> {
  const start = yield* self.readOnce(sites.start, world.rangeStart);
  const stop = yield* self.readOnce(sites.end, world.rangeEnd);
  return start < end && first < stop;
}

/** A block that is taken away in part is split first, so all of it is notified. */
function* notifiedRange(
  self: Actor,
  world: KvmWorld,
  page: number,
  pageEnd: number,
): Operation<readonly [number, number]> {
  const size = blockPages(world.geometry);
  const last = regionOf(world.geometry, pageEnd - 1);
  let first = page;
  let end = pageEnd;
  for (let region = regionOf(world.geometry, page); region <= last; region += 1) {
    if (!isBlock(yield* self.readOnce(notifierSites.readBlock, world.hostBlock + region))) continue;
    first = Math.min(first, region * size);
    end = Math.max(end, (region + 1) * size);
  }
  return [first, end];
}

export const ageSites = sites('age', [
  'lock',
  'enterRcu',
  'readFrame',
  'clear',
  'track',
  'leaveRcu',
  'unlock',
]);

/** Clears the accessed flags of a range and reports whether one was set: no lock, no flush. */
export function* agePages(
  self: Actor,
  world: KvmWorld,
  page: number,
  pages: number,
): Operation<number> {
  const young = yield* visitAccessed(self, world, page, page + pages, true);
  self.claim(Claim.YoungAnswered, page, pages, young ? 1 : 0);
  return Result.Ok;
}

/** Reports whether a page was used, and changes nothing. */
export function* testAge(self: Actor, world: KvmWorld, page: number): Operation<number> {
  const young = yield* visitAccessed(self, world, page, page + 1, false);
  self.claim(Claim.YoungAnswered, page, 1, young ? 1 : 0);
  return Result.Ok;
}

/** Whether a leaf of [page, end) in a valid root has its accessed flag set. */
function* visitAccessed(
  self: Actor,
  world: KvmWorld,
  page: number,
  end: number,
  clears: boolean,
): Operation<boolean> {
  const at = ageSites;
  let young = false;
  const isLocked = world.configuration.generation === '6.12';
  if (isLocked) yield* self.acquire(at.lock, Lock.Mmu, Mode.Exclusive);
  yield* self.enterSection(at.enterRcu, RCU);
  for (let root = yield* nextValidRoot(self, world, NO_ROOT); root >= 0; ) {
    const frame = yield* self.readOnce(at.readFrame, world.rootFrame + root);
    if (frame !== 0) {
      const iter = walkOf(world, root, frame, end);
      for (yield* iter.start(self, page); iter.isInside; yield* iter.next(self)) {
        iter.visit(self);
        if (!isAccessed(iter.snap)) continue;
        young = true;
        if (clears) yield* clearAccessed(self, world, iter, isLocked);
      }
      iter.finish(self);
    }
    root = yield* nextValidRoot(self, world, root);
  }
  yield* self.exitSection(at.leaveRcu, RCU);
  if (isLocked) yield* self.release(at.unlock, Lock.Mmu);
  return young;
}

/** With flags by hardware one atomic AND, whatever the entry has become; else the tracked form, if unchanged. */
function* clearAccessed(
  self: Actor,
  world: KvmWorld,
  iter: Walk,
  isLocked: boolean,
): Operation<void> {
  const { word, snap } = iter;
  if ((snap & AD_TYPE) === AD_DISABLED) {
    // under the lock what was dirty is written back
    if (isLocked) yield* setExclusive(self, world, iter, track(snap));
    else yield* self.compareExchange(ageSites.track, word, snap, track(snap));
    return;
  }
  const lost = world.bug('K20-aging-clears-dirty') ? ACCESSED | DIRTY : ACCESSED;
  yield* self.and(ageSites.clear, word, ~lost);
}
