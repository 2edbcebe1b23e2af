/**
 * Roots: created and found, referenced, made invalid, torn down.
 *
 * Mirrors: root handling of Linux KVM/x86 tdp_mmu.c, today's form (a root is kept until invalidated).
 * A reference is held by each vCPU that has the root, by each walker that may give up the lock, and one
 * by the MMU itself until the root was zapped.
 * Leaves out: cached previous roots other than one per role.
 * Source: spec/x86-xen.md A10; amendments E4, E10.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Claim } from '../../sim/claims.ts';
import { Mode } from '../../sim/locks.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import { kickAll } from './flush.ts';
import { type KvmWorld, Lock, RCU, ROOTS } from './world.ts';
import { isHardwareLogged } from './write-log.ts';

export const rootSites = sites('root', [
  'readList',
  'readInvalid',
  'readRole',
  'readCount',
  'get',
  'put',
  'lockPages',
  'unlist',
  'unlockPages',
  'free',
  'freeSlot',
  'readFrame',
]);
export const createSites = sites('root-create', [
  'lock',
  'unlock',
  'lockPages',
  'unlockPages',
  'allocate',
  'readSlots',
  'takeSlot',
  'writeFrame',
  'writeRole',
  'writeCount',
  'writeInvalid',
  'list',
]);
export const invalidateSites = sites('root-invalidate', ['schedule', 'invalidate', 'request']);
export const NO_ROOT = -1;

/** Takes a reference unless there is none left. */
export function* getRoot(self: Actor, world: KvmWorld, root: number): Operation<boolean> {
  const at = rootSites;
  let count = yield* self.readOnce(at.readCount, world.rootCount + root);
  while (count > 0) {
    const seen = yield* self.compareExchange(at.get, world.rootCount + root, count, count + 1);
    if (seen === count) return true;
    count = seen;
  }
  return false;
}

/** Drops a reference; with the last one the root leaves the list and is freed after a grace period. */
export function* putRoot(
  self: Actor,
  world: KvmWorld,
  root: number,
  isWalker: boolean,
): Operation<void> {
  const at = rootSites;
  const left = yield* self.add(at.put, world.rootCount + root, -1);
  if (left !== 0 || (isWalker && world.bug('K04-walker-put-frees-nothing'))) return;
  yield* self.acquire(at.lockPages, Lock.Pages, Mode.Exclusive);
  yield* self.and(at.unlist, world.rootList, ~(1 << root));
  const frame = yield* self.readOnce(at.readFrame, world.rootFrame + root);
  self.claim(Claim.ContextRetired, root, 0, 0);
  yield* self.and(at.freeSlot, world.rootsInUse, ~(1 << root));
  yield* self.release(at.unlockPages, Lock.Pages);
  yield* self.freeLater(at.free, frame, RCU);
}

/**
 * The next root after `previous` (-1 for the first), with a reference; the previous one's is dropped.
 * The MMU lock is held.
 */
export function* nextRoot(
  self: Actor,
  world: KvmWorld,
  previous: number,
  isValidOnly: boolean,
): Operation<number> {
  const at = rootSites;
  let found = NO_ROOT;
  const list = yield* self.readOnce(at.readList, world.rootList);
  for (let root = previous + 1; root < ROOTS && found < 0; root += 1) {
    if ((list & (1 << root)) === 0) continue;
    if (isValidOnly && (yield* self.readOnce(at.readInvalid, world.rootInvalid + root)) !== 0) {
      continue;
    }
    if (yield* getRoot(self, world, root)) found = root;
  }
  if (previous >= 0) yield* putRoot(self, world, previous, true);
  return found;
}

/** The next valid root without a reference: under the exclusive lock, or in a read section. */
export function* nextValidRoot(self: Actor, world: KvmWorld, previous: number): Operation<number> {
  const at = rootSites;
  const list = yield* self.readOnce(at.readList, world.rootList);
  for (let root = previous + 1; root < ROOTS; root += 1) {
    if ((list & (1 << root)) === 0) continue;
    if ((yield* self.readOnce(at.readInvalid, world.rootInvalid + root)) === 0) return root;
  }
  return NO_ROOT;
}

/** A root of the role for a vCPU, with its reference; -1 without memory. */
export function* acquireRoot(self: Actor, world: KvmWorld, role: number): Operation<number> {
  const at = createSites;
  const cache = world.cache(self);
  if (cache.length === 0) {
    const page = yield* self.allocate(at.allocate, Role.Cached, true);
    if (page < 0) return NO_ROOT;
    cache.push(page);
  }
  yield* self.acquire(at.lock, Lock.Mmu, Mode.Shared);
  let root = yield* findRoot(self, world, role);
  if (root < 0) {
    yield* self.acquire(at.lockPages, Lock.Pages, Mode.Exclusive);
    // another vCPU may have been first
    root = yield* findRoot(self, world, role);
    if (root < 0) root = yield* createRoot(self, world, role, cache);
    yield* self.release(at.unlockPages, Lock.Pages);
  }
  yield* self.release(at.unlock, Lock.Mmu);
  return root;
}

function* findRoot(self: Actor, world: KvmWorld, role: number): Operation<number> {
  for (let root = yield* nextValidRoot(self, world, NO_ROOT); root >= 0; ) {
    const own = yield* self.readOnce(rootSites.readRole, world.rootRole + root);
    if (own === role && (yield* getRoot(self, world, root))) return root;
    root = yield* nextValidRoot(self, world, root);
  }
  return NO_ROOT;
}

/** One reference for the vCPU, one for the MMU. -1 when all slots are in use. */
function* createRoot(
  self: Actor,
  world: KvmWorld,
  role: number,
  cache: number[],
): Operation<number> {
  const at = createSites;
  const inUse = yield* self.readOnce(at.readSlots, world.rootsInUse);
  for (let root = 0; root < ROOTS; root += 1) {
    if ((inUse & (1 << root)) !== 0) continue;
    const frame = cache.pop()!;
    yield* self.or(at.takeSlot, world.rootsInUse, 1 << root);
    yield* self.store(at.writeFrame, world.rootFrame + root, frame);
    self.claim(Claim.ContextCreated, root, frame, isHardwareLogged(world, role) ? 1 : 0);
    yield* self.store(at.writeRole, world.rootRole + root, role);
    yield* self.store(at.writeCount, world.rootCount + root, 2);
    yield* self.store(at.writeInvalid, world.rootInvalid + root, 0);
    yield* self.or(at.list, world.rootList, 1 << root);
    return root;
  }
  return NO_ROOT;
}

/**
 * Makes every valid root invalid and every vCPU drop it: none of them enters the guest with an
 * old root afterwards. The MMU lock is held exclusively.
 */
export function* invalidateRoots(self: Actor, world: KvmWorld): Operation<void> {
  const at = invalidateSites;
  const obsolete: number[] = [];
  for (let root = yield* nextValidRoot(self, world, NO_ROOT); root >= 0; ) {
    yield* self.store(at.schedule, world.rootScheduled + root, 1);
    yield* self.store(at.invalidate, world.rootInvalid + root, 1);
    self.claim(Claim.ContextDoomed, root, 0, 0);
    obsolete.push(root);
    root = yield* nextValidRoot(self, world, root);
  }
  for (let vcpu = 0; vcpu < world.configuration.vcpus; vcpu += 1) {
    yield* self.or(at.request, world.requests + vcpu, 1);
  }
  yield* kickAll(self);
  for (const root of obsolete) self.claim(Claim.ContextObsolete, root, 0, 0);
}
