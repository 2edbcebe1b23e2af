/**
 * Dirty logging of a guest with shadows: a page may be written through the guest's own table and through any shadow, so
 * all of them are protected and flushed. The log is about the guest hypervisor's pages.
 *
 * Mirrors: as models/kvm-arm64/dirty-log.ts, with the write protection of nested MMUs. The flush covers the numbers of
 *          all of them: that it may cover the guest's own only is a suspicion about the kernel (S11).
 * Leaves out: the same, and eager split, manual protection.
 * Source: spec/arm.md 4.5, 5.6, N6; amendment E1.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result, Work } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { protectRange } from '../kvm-arm64/attributes.ts';
import { logSites, takeMarks } from '../kvm-arm64/dirty-log.ts';
import { flushSlot } from '../kvm-arm64/flush.ts';
import { SLOTS_DOMAIN } from '../kvm-arm64/machine.ts';
import { applyRange } from '../kvm-arm64/range.ts';
import { Lock } from './machine.ts';
import { Field, fieldWord } from './mmu-array.ts';
import type { Shadow } from './shadow.ts';
import type { NestedWorld } from './world.ts';

export const nestedLogSites = sites('nested-log', [
  'readExistence',
  'readCount',
  'readArray',
  'readKey',
  'readRoot',
]);
const at = nestedLogSites;

/** From its return on, every guest write is marked. Invalid when the slot is logged already, Refused without a VM. */
export function* startLog(self: Actor, world: NestedWorld): Operation<number> {
  const { host } = world;
  const { windowPages } = world.configuration.geometry;
  yield* self.acquire(logSites.lockSlots, host.lock.Slots, Mode.Exclusive);
  const isGone = (yield* self.readOnce(at.readExistence, world.isNotified)) === 0;
  const wasOn = (yield* self.readOnce(logSites.readLogging, host.logging)) !== 0;
  if (!isGone && !wasOn) {
    yield* self.store(logSites.publish, host.logging, 1);
    // faults that saw "not logging" end before anything is protected
    yield* self.gracePeriod(logSites.waitReaders, SLOTS_DOMAIN);
    yield* self.acquire(logSites.lock, Lock.Mmu, Mode.Exclusive);
    host.beginWork(self, Work.Protect);
    yield* applyRange(self, host, 0, windowPages, protectRange);
    const used = yield* protectShadows(self, world);
    yield* self.release(logSites.unlock, Lock.Mmu);
    yield* flushAll(self, world, used);
    self.claim(Claim.LogStarted, 0, windowPages, 0);
  }
  yield* self.release(logSites.unlockSlots, host.lock.Slots);
  return isGone ? Result.Refused : wasOn ? Result.Invalid : Result.Ok;
}

/** One round: takes the marks, protects what was marked and every shadow, flushes, reports. */
export function* collectLog(self: Actor, world: NestedWorld): Operation<number> {
  const { host } = world;
  yield* self.acquire(logSites.lockSlots, host.lock.Slots, Mode.Exclusive);
  const isGone = (yield* self.readOnce(at.readExistence, world.isNotified)) === 0;
  const isOn = (yield* self.readOnce(logSites.readLogging, host.logging)) !== 0;
  if (!isGone && isOn) {
    yield* self.acquire(logSites.lock, Lock.Mmu, Mode.Exclusive);
    host.beginWork(self, Work.Protect);
    const words = Math.ceil(world.configuration.geometry.windowPages / 32);
    let dirty = false;
    for (let i = 0; i < words; i += 1) {
      const marks = yield* takeMarks(self, host, i);
      if (marks === 0) continue;
      dirty = true;
      const lowest = 31 - Math.clz32(marks & -marks);
      const highest = 31 - Math.clz32(marks);
      yield* applyRange(self, host, i * 32 + lowest, highest - lowest + 1, protectRange);
    }
    const protects = dirty && !world.bug('S12-round-leaves-shadows-writable');
    const used = protects ? yield* protectShadows(self, world) : [];
    yield* self.release(logSites.unlock, Lock.Mmu);
    if (dirty) yield* flushAll(self, world, used);
    self.claim(Claim.LogHarvested, 0, 0, 0);
  }
  yield* self.release(logSites.unlockSlots, host.lock.Slots);
  return isGone ? Result.Refused : isOn ? Result.Ok : Result.Invalid;
}

/** Takes the right to write from everything in every shadow, under the MMU lock. The shadows that are used. */
function* protectShadows(self: Actor, world: NestedWorld): Operation<readonly Shadow[]> {
  const used: Shadow[] = [];
  const count = yield* self.readOnce(at.readCount, world.arrayCount);
  const base = yield* self.readOnce(at.readArray, world.arrayBase);
  for (let slot = 0; slot < count; slot += 1) {
    if ((yield* self.readOnce(at.readKey, fieldWord(world, base, slot, Field.Key))) === 0) continue;
    const root = yield* self.readOnce(at.readRoot, fieldWord(world, base, slot, Field.Root));
    const shadow = world.shadows[slot]!;
    self.claim(Claim.WorkBegins, shadow.tree, Work.Protect, 0);
    yield* protectRange(self, shadow, root, 0, world.configuration.geometry.windowPages);
    used.push(shadow);
  }
  return used;
}

/** No translation made before can be used to write: the guest's own, and those of the shadows. */
function* flushAll(self: Actor, world: NestedWorld, used: readonly Shadow[]): Operation<void> {
  yield* flushSlot(self, world.host);
  const isOwnOnly = world.bug('S11-log-flushes-own-number-only');
  for (const shadow of isOwnOnly ? [] : used) yield* flushSlot(self, shadow);
}
