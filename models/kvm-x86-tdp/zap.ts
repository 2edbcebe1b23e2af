/**
 * Removing entries: the leaves of a range, a whole root in passes, one table.
 *
 * Mirrors: zapping in Linux KVM/x86 tdp_mmu.c, today's form.
 * Source: spec/x86-xen.md A9.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { setExclusive, setShared } from './entries.ts';
import { rootLevel } from './geometry.ts';
import { TdpIterator } from './iterator.ts';
import { NO_ROOT, nextRoot, putRoot } from './roots.ts';
import { isPresent, isPresentLeaf, NONE } from './spte.ts';
import { walkOf } from './walk.ts';
import { type KvmWorld, Lock, RCU } from './world.ts';

export const zapSites = sites('zap', ['readFrame', 'readInvalid', 'enterRcu', 'leaveRcu']);
const at = zapSites;
export const teardownSites = sites('root-zap', [
  'lock',
  'enterRcu',
  'readScheduled',
  'clearScheduled',
  'leaveRcu',
  'unlock',
]);

/**
 * Removes the leaves of [first, end) from every root, invalid ones included: the host takes the pages
 * back. The MMU lock is held exclusively, and may be given up in between.
 * @returns a flush is owed
 */
export function* zapRangeOfRoots(
  self: Actor,
  world: KvmWorld,
  first: number,
  end: number,
): Operation<boolean> {
  const isValidOnly = world.bug('K11-notifier-skips-invalid-roots');
  const isReset = world.bug('K09-flush-flag-not-carried');
  let flush = false;
  for (let root = yield* nextRoot(self, world, NO_ROOT, isValidOnly); root >= 0; ) {
    // the flush owed for one root is carried through all others
    flush = yield* zapLeafs(self, world, root, first, end, isReset ? false : flush);
    root = yield* nextRoot(self, world, root, isValidOnly);
  }
  return flush;
}

/** @param owed a flush is owed already; the answer says whether one is owed now */
function* zapLeafs(
  self: Actor,
  world: KvmWorld,
  root: number,
  first: number,
  end: number,
  owed: boolean,
): Operation<boolean> {
  const carried = world.bug('K05-flush-lost-between-roots') ? false : owed;
  let flush = carried;
  const frame = yield* self.readOnce(at.readFrame, world.rootFrame + root);
  const isInvalid = (yield* self.readOnce(at.readInvalid, world.rootInvalid + root)) !== 0;
  yield* self.enterSection(at.enterRcu, RCU);
  const iter = walkOf(world, root, frame, end);
  for (yield* iter.start(self, first); iter.isInside; yield* iter.next(self)) {
    if (!iter.asksLate && iter.mustYield(self)) {
      yield* iter.giveWay(self, Mode.Exclusive, flush);
      flush = false;
      continue;
    }
    iter.visit(self);
    if (!isPresentLeaf(iter.snap)) continue;
    yield* setExclusive(self, world, iter, NONE);
    if (!isInvalid) flush = true;
    if (iter.asksLate && iter.mustYield(self)) {
      yield* iter.giveWay(self, Mode.Exclusive, flush);
      flush = false;
    }
  }
  iter.finish(self);
  yield* self.exitSection(at.leaveRcu, RCU);
  return flush || (owed && !carried);
}

/** Removes everything below a root that nobody can use, in passes of growing size; the lock is shared. */
export function* zapRoot(self: Actor, world: KvmWorld, root: number): Operation<void> {
  const frame = yield* self.readOnce(at.readFrame, world.rootFrame + root);
  for (let level = 1; level <= rootLevel(world.geometry); level += 1) {
    const iter = new TdpIterator(world, root, frame, level, world.geometry.windowPages);
    for (yield* iter.start(self, 0); iter.isInside; yield* iter.next(self)) {
      if (iter.mustYield(self)) {
        yield* iter.giveWay(self, Mode.Shared, false);
        continue;
      }
      iter.visit(self);
      while (iter.level === level && isPresent(iter.snap)) {
        if (yield* setShared(self, world, iter, NONE)) break;
      }
    }
    iter.finish(self);
  }
}

/** Tears down what was invalidated. No flush: nobody can use these roots any more. */
export function* zapInvalidated(self: Actor, world: KvmWorld): Operation<void> {
  const here = teardownSites;
  yield* self.acquire(here.lock, Lock.Mmu, Mode.Shared);
  for (let root = yield* nextRoot(self, world, NO_ROOT, false); root >= 0; ) {
    const scheduled = yield* self.readOnce(here.readScheduled, world.rootScheduled + root);
    if (scheduled !== 0) {
      yield* self.store(here.clearScheduled, world.rootScheduled + root, 0);
      yield* self.enterSection(here.enterRcu, RCU);
      yield* zapRoot(self, world, root);
      yield* self.exitSection(here.leaveRcu, RCU);
      // the MMU's own reference, which kept the root where notifiers find it
      yield* putRoot(self, world, root, false);
    }
    root = yield* nextRoot(self, world, root, false);
  }
  yield* self.release(here.unlock, Lock.Mmu);
}
