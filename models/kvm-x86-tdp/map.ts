/**
 * Mapping a page: from the root down to the goal level, creating and splitting what is on the way.
 *
 * Mirrors: mapping a fault in Linux KVM/x86 tdp_mmu.c, today's form.
 * Source: spec/x86-xen.md A6 (m1-m6), A7, A8.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Claim } from '../../sim/claims.ts';
import { EXEC, frameOf, Intent } from '../../sim/descriptor.ts';
import { entriesPerTable } from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { linkTable, setShared } from './entries.ts';
import { flushCutOut } from './flush.ts';
import { roundDown, span } from './geometry.ts';
import type { Walk } from './iterator.ts';
import { listLocked } from './recovery-list.ts';
import {
  allows,
  isPresentLeaf,
  isTable,
  type LeafForm,
  MMU_WRITABLE,
  makeLeaf,
  placed,
} from './spte.ts';
import { walkOf } from './walk.ts';
import { type KvmWorld, Lock } from './world.ts';

export const mapSites = sites('map', [
  'readFrame',
  'readDisallowed',
  'fill',
  'disallow',
  'setParent',
  'lockPages',
  'checkDisallowed',
  'unlockPages',
  'markHost',
]);
const at = mapSites;

export interface Fault {
  readonly page: number;
  readonly intent: Intent;
  readonly root: number;
  /** Host page behind `page`. */
  readonly frame: number;
  /** Level of the leaf to be made. */
  readonly goal: number;
  /** The leaf could be larger, but must be executable. */
  readonly isDisallowed: boolean;
  readonly canWrite: boolean;
  /** A/D type of leaves in the root. */
  readonly adType: number;
}

/**
 * m1-m5: walks down to the goal, which may get smaller. The MMU lock is held shared, a read section is
 * open, the private cache holds enough table pages.
 * @returns where the walk stopped and the level of the leaf to make; undefined when the guest must retry
 */
export function* walkToGoal(
  self: Actor,
  world: KvmWorld,
  fault: Fault,
): Operation<{ readonly iter: Walk; readonly goal: number } | undefined> {
  const { page, root } = fault;
  let { goal } = fault;
  const frame = yield* self.readOnce(at.readFrame, world.rootFrame + root);
  const iter = walkOf(world, root, frame, page + 1);
  let isReached = false;
  let isLost = false;
  for (yield* iter.start(self, page); iter.isInside; yield* iter.next(self)) {
    iter.visit(self);
    // m1: a table that stands here because large pages must not be executable is kept
    if (iter.level === goal && goal > 1 && isTable(iter.snap) && world.mitigatesExecution) {
      const table = frameOf(iter.snap);
      if ((yield* self.readOnce(at.readDisallowed, world.disallowed(table))) !== 0) goal -= 1;
    }
    // m2, before m3: somebody is in the middle of a change
    isLost = iter.snap === world.frozen;
    isReached = !isLost && iter.level === goal;
    if (isLost || isReached) break;
    if (isTable(iter.snap)) continue;
    isLost = !(yield* makeTable(self, world, iter, fault));
    if (isLost) break;
  }
  iter.finish(self, true);
  // an entry above may have been frozen or gone since the body looked: then the goal was not reached
  const mapsAnyway = world.bug('K18-leaf-at-wrong-level') && !isLost;
  const mayMap = isReached || mapsAnyway;
  return mayMap ? { iter, goal } : undefined;
}

/** m5: an empty entry or a large leaf becomes a table. False when somebody else was first. */
function* makeTable(self: Actor, world: KvmWorld, iter: Walk, fault: Fault): Operation<boolean> {
  const cache = world.cache(self);
  const table = cache.pop()!;
  if (isPresentLeaf(iter.snap)) yield* fillSplit(self, world, iter.snap, table, iter.level);
  // the flag is set before the table can be found
  const isCandidate = fault.isDisallowed && iter.level === 2;
  if (isCandidate) {
    yield* self.store(at.disallow, world.disallowed(table), 1);
    yield* self.store(at.setParent, world.parent(table), iter.word);
  }
  if (!(yield* linkTable(self, world, iter, table))) {
    if (isCandidate) yield* self.store(at.disallow, world.disallowed(table), 0);
    world.machine.memory.zero(table);
    cache.push(table);
    return false;
  }
  if (isCandidate) yield* listCandidate(self, world, table);
  return true;
}

/** The table may have been zapped again since it was linked: its flag says so. */
function* listCandidate(self: Actor, world: KvmWorld, table: number): Operation<void> {
  yield* self.acquire(at.lockPages, Lock.Pages, Mode.Exclusive);
  const flag = yield* self.readOnce(at.checkDisallowed, world.disallowed(table));
  if (world.bug('K16-listed-after-zap') || flag !== 0) yield* listLocked(self, world, table);
  yield* self.release(at.unlockPages, Lock.Pages);
}

/**
 * The children of a large leaf: the same pages with the same rights, and execution allowed again where
 * only the size forbade it. The page is private: no accesses, unless stores wait behind that which zeroes it.
 */
export function* fillSplit(
  self: Actor,
  world: KvmWorld,
  leaf: number,
  table: number,
  level: number,
): Operation<void> {
  const { memory } = world.machine;
  const pages = span(world.geometry, level - 1);
  const executes = level === 2 && world.mitigatesExecution;
  for (let index = 0; index < entriesPerTable(world.geometry); index += 1) {
    const child = (leaf + ((index * pages) << 16)) | (executes ? EXEC : 0) | 0;
    const word = memory.address(table, index);
    if (world.machine.delays) yield* self.store(at.fill, word, child);
    else world.machine.storeData(word, child);
  }
}

/** m6 at the entry where the walk stands. False when somebody else was first. */
export function* mapLeaf(
  self: Actor,
  world: KvmWorld,
  iter: Walk,
  { page, intent, frame, canWrite, adType }: Fault,
  goal: number,
): Operation<boolean> {
  const old = iter.snap;
  const isEmulated = intent === Intent.Write && !canWrite;
  if (isPresentLeaf(old) && (isEmulated || allows(old, intent))) return true;
  const { geometry } = world;
  const first = frame - (page - roundDown(geometry, page, goal));
  const made = placed(makeLeaf(first, leafForm(world, canWrite, goal, adType)), goal, iter.level);
  if (made === old) return true;
  if (!(yield* setShared(self, world, iter, made))) return false;
  const isTightened = isPresentLeaf(old) && (old & ~made & MMU_WRITABLE) !== 0;
  if (isTightened || (iter.level > 1 && isTable(old))) {
    yield* flushCutOut(self, world, iter.gfn, iter.level);
  }
  if (canWrite) yield* markMade(self, world, made, goal);
  return true;
}

export function leafForm(
  world: KvmWorld,
  canWrite: boolean,
  level: number,
  adType: number,
): LeafForm {
  return { canWrite, canExecute: level === 1 || !world.mitigatesExecution, adType };
}

/** From 6.13 the host learns that a page may be written when its leaf is made. */
export function* markMade(
  self: Actor,
  world: KvmWorld,
  leaf: number,
  level: number,
): Operation<void> {
  if (world.configuration.generation === '6.12') return;
  for (let i = 0; i < span(world.geometry, level); i += 1) {
    yield* self.store(at.markHost, world.hostDirty(frameOf(leaf) + i), 1);
    self.claim(Claim.HostDirtied, frameOf(leaf) + i, 0, 0);
  }
}
