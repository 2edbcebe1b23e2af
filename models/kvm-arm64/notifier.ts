/**
 * Host memory management asks KVM: unmap a range before it is taken away, and was it used.
 *
 * Mirrors: Linux 5.10 arch/arm64/kvm/mmu.c, the MMU-notifier callbacks.
 * Leaves out: change-pte, eager device ranges, the optional flush after aging; pages are not faulted in
 *          while a range is being taken away (the host's mmap lock is held exclusively).
 * Source: spec/arm.md 4.3.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result, Work } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { alignDown } from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { isYoung, makeOld } from './attributes.ts';
import { blockPages, regionOf } from './geometry.ts';
import { isBlock, revokePage } from './host-memory.ts';
import { applyRange } from './range.ts';
import { unmapRange } from './unmap.ts';
import type { KvmWorld } from './world.ts';

export const notifierSites = sites('unmap', [
  'lockSpace',
  'readBlock',
  'lockStart',
  'begin',
  'unlockStart',
  'lockEnd',
  'countSequence',
  'finish',
  'unlockEnd',
  'unlockSpace',
]);

/** The host takes [page, page + pages) away: start, unmap, free, end. */
export function* unmapFromHost(
  self: Actor,
  world: KvmWorld,
  page: number,
  pages: number,
): Operation<number> {
  const at = notifierSites;
  yield* self.acquire(at.lockSpace, world.lock.Mmap, Mode.Exclusive);
  const [first, count] = yield* notifiedRange(self, world, page, pages);
  yield* beginInvalidation(self, world);
  yield* applyRange(self, world, first, count, unmapRange);
  yield* self.release(at.unlockStart, world.lock.Mmu);
  for (let i = 0; i < pages; i += 1) yield* revokePage(self, world, page + i);
  self.claim(Claim.RevocationReturned, pages, 0, 0);
  yield* endInvalidation(self, world);
  yield* self.release(at.unlockSpace, world.lock.Mmap);
  return Result.Ok;
}

/** Takes the MMU lock, under which the caller unmaps, and lets faults retry until the end. */
export function* beginInvalidation(self: Actor, world: KvmWorld): Operation<void> {
  const at = notifierSites;
  yield* self.acquire(at.lockStart, world.lock.Mmu, Mode.Exclusive);
  world.beginWork(self, Work.Unmap);
  yield* self.add(at.begin, world.inProgress, 1);
}

/** What faults find out about the host from here on may be used. */
export function* endInvalidation(self: Actor, world: KvmWorld): Operation<void> {
  const at = notifierSites;
  // a fault that misses the count sees the sequence, and the other way round
  yield* self.acquire(at.lockEnd, world.lock.Mmu, Mode.Exclusive);
  yield* self.add(at.countSequence, world.sequence, 1);
  yield* self.add(at.finish, world.inProgress, -1);
  yield* self.release(at.unlockEnd, world.lock.Mmu);
}

/** A block that is taken away in part is split first, so all of it is notified. */
export function* notifiedRange(
  self: Actor,
  world: KvmWorld,
  page: number,
  pages: number,
): Operation<readonly [number, number]> {
  const { geometry } = world;
  const size = blockPages(geometry);
  let first = page;
  let end = page + pages;
  for (
    let region = regionOf(geometry, page);
    region <= regionOf(geometry, page + pages - 1);
    region += 1
  ) {
    if (!isBlock(yield* self.readOnce(notifierSites.readBlock, world.hostBlock + region))) continue;
    first = Math.min(first, region * size);
    end = Math.max(end, alignDown(region * size, size) + size);
  }
  return [first, end - first];
}

export const ageSites = sites('age', ['lock', 'readRoot', 'unlock']);

/** Clears the accessed flags of a range and reports whether one was set. The host may flush later. */
export function* agePages(
  self: Actor,
  world: KvmWorld,
  page: number,
  pages: number,
): Operation<number> {
  const at = ageSites;
  yield* self.acquire(at.lock, world.lock.Mmu, Mode.Exclusive);
  world.beginWork(self, Work.Age);
  const root = yield* self.readOnce(at.readRoot, world.root);
  const young = root !== 0 && (yield* makeOld(self, world, root, page, pages));
  self.claim(Claim.YoungAnswered, page, pages, young ? 1 : 0);
  yield* self.release(at.unlock, world.lock.Mmu);
  return Result.Ok;
}

/** Reports whether a page was used, and changes nothing. */
export function* testAge(self: Actor, world: KvmWorld, page: number): Operation<number> {
  const at = ageSites;
  const pages = world.bug('A45-test-young-empty-range') ? 0 : 1;
  yield* self.acquire(at.lock, world.lock.Mmu, Mode.Exclusive);
  world.beginWork(self, Work.Age);
  const root = yield* self.readOnce(at.readRoot, world.root);
  const young = root !== 0 && (yield* isYoung(self, world, root, page, pages));
  self.claim(Claim.YoungAnswered, page, 1, young ? 1 : 0);
  yield* self.release(at.unlock, world.lock.Mmu);
  return Result.Ok;
}
