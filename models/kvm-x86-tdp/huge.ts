/**
 * Large pages: split before logging, recovered when it ends.
 *
 * Mirrors: eager page splitting and recovery in place (from 6.13) of Linux KVM/x86.
 * Source: spec/x86-xen.md A8, A12; amendment E3, with a condition more (docs/fidelity.md).
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { frameOf, isLeaf } from '../../sim/descriptor.ts';
import { entriesPerTable } from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import { linkTable, setShared } from './entries.ts';
import { flushCutOut } from './flush.ts';
import { regionOf, span } from './geometry.ts';
import { isBlock } from './host-memory.ts';
import { TdpIterator } from './iterator.ts';
import { fillSplit, leafForm, markMade } from './map.ts';
import { isInvalidated } from './notifier.ts';
import { NO_ROOT, nextRoot } from './roots.ts';
import { AD_TYPE, isPresentLeaf, isTable, MMU_WRITABLE, makeLeaf } from './spte.ts';
import { type KvmWorld, Lock, RCU } from './world.ts';

export const splitSites = sites('split', [
  'lock',
  'readFrame',
  'enterRcu',
  'leaveRcu',
  'dropLock',
  'allocate',
  'retakeLock',
  'enterAgain',
  'unlock',
  'freeSpare',
]);
export const recoverSites = sites('recover', [
  'lock',
  'readFrame',
  'enterRcu',
  'readChild',
  'readHostBlock',
  'readNoLarge',
  'readInProgress',
  'readStart',
  'readEnd',
  'leaveRcu',
  'unlock',
]);

/** Splits the large leaves of [first, end) in every valid root; gives up without memory. */
export function* splitLarge(
  self: Actor,
  world: KvmWorld,
  first: number,
  end: number,
): Operation<void> {
  const at = splitSites;
  let spare = -1;
  let isOut = false;
  yield* self.acquire(at.lock, Lock.Mmu, Mode.Shared);
  for (let root = yield* nextRoot(self, world, NO_ROOT, true); root >= 0; ) {
    const frame = yield* self.readOnce(at.readFrame, world.rootFrame + root);
    yield* self.enterSection(at.enterRcu, RCU);
    const iter = new TdpIterator(world, root, frame, 2, end);
    for (yield* iter.start(self, first); iter.isInside && !isOut; yield* iter.next(self)) {
      if (iter.mustYield(self)) {
        yield* iter.giveWay(self, Mode.Shared, false);
        continue;
      }
      iter.visit(self);
      if (!isPresentLeaf(iter.snap)) continue;
      if (spare < 0) {
        // allocation may sleep: not under the lock, and the walk starts again at its target
        yield* self.exitSection(at.leaveRcu, RCU);
        yield* self.release(at.dropLock, Lock.Mmu);
        spare = yield* self.allocate(at.allocate, Role.Cached, true);
        yield* self.acquire(at.retakeLock, Lock.Mmu, Mode.Shared);
        yield* self.enterSection(at.enterAgain, RCU);
        isOut = spare < 0;
        iter.interrupted(self);
        continue;
      }
      yield* fillSplit(self, world, iter.snap, spare, iter.level);
      // a lost race keeps the page for the next candidate
      if (yield* linkTable(self, world, iter, spare)) spare = -1;
    }
    iter.finish(self, isOut);
    yield* self.exitSection(at.leaveRcu, RCU);
    root = yield* nextRoot(self, world, root, true);
  }
  yield* self.release(at.unlock, Lock.Mmu);
  if (spare >= 0) yield* self.free(at.freeSpare, spare);
}

/** Replaces tables by large leaves where the host maps a large page. */
export function* recoverLarge(self: Actor, world: KvmWorld): Operation<void> {
  const at = recoverSites;
  yield* self.acquire(at.lock, Lock.Mmu, Mode.Shared);
  for (let root = yield* nextRoot(self, world, NO_ROOT, true); root >= 0; ) {
    const frame = yield* self.readOnce(at.readFrame, world.rootFrame + root);
    yield* self.enterSection(at.enterRcu, RCU);
    const iter = new TdpIterator(world, root, frame, 2, world.geometry.windowPages);
    for (yield* iter.start(self, 0); iter.isInside; yield* iter.next(self)) {
      if (iter.mustYield(self)) {
        yield* iter.giveWay(self, Mode.Shared, false);
        continue;
      }
      iter.visit(self);
      if (iter.level !== 2 || !isTable(iter.snap)) continue;
      const large = yield* largeLeaf(self, world, iter);
      if (large === 0 || !(yield* setShared(self, world, iter, large))) continue;
      // before the read section ends: the removed table is freed after it
      yield* flushCutOut(self, world, iter.gfn, iter.level);
      yield* markMade(self, world, large, iter.level);
    }
    iter.finish(self);
    yield* self.exitSection(at.leaveRcu, RCU);
    root = yield* nextRoot(self, world, root, true);
  }
  yield* self.release(at.unlock, Lock.Mmu);
}

/** An invalidation of some of these pages has begun and not ended; the MMU lock is held. */
function* isTakenAway(self: Actor, world: KvmWorld, iter: TdpIterator): Operation<boolean> {
  const at = recoverSites;
  if ((yield* self.readOnce(at.readInProgress, world.inProgress)) === 0) return false;
  const end = iter.gfn + span(world.geometry, iter.level);
  const range = { start: at.readStart, end: at.readEnd };
  return yield* isInvalidated(self, world, range, iter.gfn, end);
}

/** The leaf that can stand for a whole table, made from its first present one; 0 when none can. */
function* largeLeaf(self: Actor, world: KvmWorld, iter: TdpIterator): Operation<number> {
  const at = recoverSites;
  const { geometry, machine } = world;
  const region = regionOf(geometry, iter.gfn);
  const block = yield* self.readOnce(at.readHostBlock, world.hostBlock + region);
  if (!isBlock(block)) return 0;
  if ((yield* self.readOnce(at.readNoLarge, world.noLarge + region)) !== 0) return 0;
  // the host still has the block that it is taking away, and the walk for that has passed some of it
  const asks = !world.bug('E03-recovery-during-invalidation');
  if (asks && (yield* isTakenAway(self, world, iter))) return 0;
  const table = frameOf(iter.snap);
  for (let index = 0; index < entriesPerTable(geometry); index += 1) {
    const child = yield* self.readOnce(at.readChild, machine.memory.address(table, index));
    if (!isLeaf(child)) continue;
    const canWrite = (child & MMU_WRITABLE) !== 0;
    return makeLeaf(frameOf(child) - index, leafForm(world, canWrite, iter.level, child & AD_TYPE));
  }
  return 0;
}
