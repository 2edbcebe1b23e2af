/**
 * What the host does to a guest with shadows: it takes pages away, and it ends.
 *
 * Mirrors: Linux 2026 arch/arm64/kvm/mmu.c and nested.c, the notifier's unmap and release with nested MMUs.
 *          A shadow is unmapped as a whole: nobody knows which of its pages lead to the one that goes.
 * Source: spec/arm.md 4.3, 4.7, 5.6.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { revokePage } from '../kvm-arm64/host-memory.ts';
import {
  beginInvalidation,
  endInvalidation,
  notifiedRange,
  notifierSites,
} from '../kvm-arm64/notifier.ts';
import { applyRange } from '../kvm-arm64/range.ts';
import type { Stage2 } from '../kvm-arm64/stage2.ts';
import { exitSites } from '../kvm-arm64/teardown.ts';
import { destroyTree, unmapRange } from '../kvm-arm64/unmap.ts';
import { Lock, NOTIFIER_DOMAIN } from './machine.ts';
import { Field, fieldWord } from './mmu-array.ts';
import { type Scope, unmapShadows } from './shadow-unmap.ts';
import { dropVncr } from './vncr.ts';
import type { NestedWorld } from './world.ts';

export const releaseSites = sites('release', [
  'readArray',
  'readCount',
  'readShadowRoot',
  'clearKey',
  'clearRoot',
  'clearShadowBase',
  'waitDestroyed',
  'lockSlots',
  'unregister',
  'unlockSlots',
  'awaitNotifiers',
  'freeArray',
  'enterNotifier',
  'readNotified',
  'leaveNotifier',
]);
const at = releaseSites;

/** The host takes [page, page + pages) away: start, unmap, free, end. */
export function* unmapFromHost(
  self: Actor,
  world: NestedWorld,
  page: number,
  pages: number,
): Operation<number> {
  const { host } = world;
  yield* self.acquire(notifierSites.lockSpace, host.lock.Mmap, Mode.Exclusive);
  const [first, count] = yield* notifiedRange(self, host, page, pages);
  yield* self.enterSection(at.enterNotifier, NOTIFIER_DOMAIN);
  const isNotified = (yield* self.readOnce(at.readNotified, world.isNotified)) !== 0;
  if (isNotified) {
    yield* beginInvalidation(self, host);
    yield* applyRange(self, host, first, count, unmapRange);
    const all: Scope = { first: 0, pages: world.configuration.geometry.windowPages };
    if (!world.bug('M23-shadows-not-unmapped')) yield* unmapShadows(self, world, all);
    yield* dropVncr(self, world, first, count);
    yield* self.release(notifierSites.unlockStart, Lock.Mmu);
  }
  for (let i = 0; i < pages; i += 1) yield* revokePage(self, host, page + i);
  self.claim(Claim.RevocationReturned, pages, 0, 0);
  if (isNotified) yield* endInvalidation(self, host);
  yield* self.exitSection(at.leaveNotifier, NOTIFIER_DOMAIN);
  yield* self.release(notifierSites.unlockSpace, host.lock.Mmap);
  return Result.Ok;
}

/** Waits until no vCPU can run, gives all tables back, and frees [0, pages) of the guest's memory. */
export function* exitOwner(self: Actor, world: NestedWorld, pages: number): Operation<number> {
  const { host } = world;
  yield* self.waitFor(exitSites.waitVcpus, host.users, 0);
  // nobody can find the tables any more, and no PE can load them: no lock, no flush
  for (const { owner, root } of yield* release(self, world)) yield* destroyTree(self, owner, root);
  yield* self.acquire(exitSites.lockSpace, host.lock.Mmap, Mode.Exclusive);
  for (let page = 0; page < pages; page += 1) yield* revokePage(self, host, page);
  yield* self.release(exitSites.unlockSpace, host.lock.Mmap);
  yield* destroyVm(self, world);
  return Result.Ok;
}

/** The VM itself goes, when nobody can come to its MMUs any more: neither vCPUs nor notifiers. */
function* destroyVm(self: Actor, world: NestedWorld): Operation<void> {
  if (!world.bug('A31-array-freed-at-release')) {
    yield* self.waitFor(at.waitDestroyed, world.alive, 0);
  }
  // who works on the slots has a reference to the VM
  yield* self.acquire(at.lockSlots, world.host.lock.Slots, Mode.Exclusive);
  yield* self.store(at.unregister, world.isNotified, 0);
  yield* self.release(at.unlockSlots, world.host.lock.Slots);
  const waits = !world.bug('A31b-notifiers-not-awaited');
  if (waits) yield* self.gracePeriod(at.awaitNotifiers, NOTIFIER_DOMAIN);
  const array = yield* self.readOnce(at.readArray, world.arrayBase);
  yield* self.free(at.freeArray, array, yield* self.readOnce(at.readCount, world.arrayCount));
}

/** A tree that was taken from its owner. */
interface Detached {
  readonly owner: Stage2;
  readonly root: number;
}

/** Takes every tree away, under the lock; the MMUs themselves stay, and stand for nothing any more. */
function* release(self: Actor, world: NestedWorld): Operation<readonly Detached[]> {
  const { host } = world;
  const detached: Detached[] = [];
  yield* self.acquire(exitSites.lock, Lock.Mmu, Mode.Exclusive);
  const own = yield* self.readOnce(exitSites.readRoot, host.root);
  if (own !== 0) {
    yield* self.store(exitSites.detach, host.root, 0);
    yield* self.store(exitSites.clearBase, host.rootBase, 0);
    self.claim(Claim.ContextRetired, host.tree, 0, 0);
    detached.push({ owner: host, root: own });
  }
  const count = yield* self.readOnce(at.readCount, world.arrayCount);
  const base = yield* self.readOnce(at.readArray, world.arrayBase);
  for (let slot = 0; slot < count; slot += 1) {
    const word = fieldWord(world, base, slot, Field.Root);
    const root = yield* self.readOnce(at.readShadowRoot, word);
    if (root === 0) continue;
    const shadow = world.shadows[slot]!;
    // the next who goes through the array must not take it for one with a table
    const staysUsed = world.bug('A32-freed-mmu-looks-valid');
    if (!staysUsed) yield* self.store(at.clearKey, fieldWord(world, base, slot, Field.Key), 0);
    yield* self.store(at.clearRoot, word, 0);
    yield* self.store(at.clearShadowBase, shadow.contextWord, 0);
    self.claim(Claim.ContextRetired, shadow.tree, 0, 0);
    detached.push({ owner: shadow, root });
  }
  yield* self.release(exitSites.unlock, Lock.Mmu);
  return detached;
}
