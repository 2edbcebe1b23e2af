/**
 * Unmapping shadows: all of them for the notifier, those of one VMID for the guest, one that is given to another
 * context. Always under the MMU lock, which may be dropped in between.
 *
 * Mirrors: Linux 2026 arch/arm64/kvm/nested.c, nested unmap and the request of a pending unmap.
 * Source: spec/arm.md 5.2, 5.6.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Work } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { frameOf, isLeaf, isTable } from '../../sim/descriptor.ts';
import {
  alignDown,
  type Geometry,
  indexAt,
  LAST_LEVEL,
  levelPages,
  rootIndex,
} from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { blockPages } from '../kvm-arm64/geometry.ts';
import { unmapRange } from '../kvm-arm64/unmap.ts';
import { Lock } from './machine.ts';
import { contextOf, Field, fieldWord } from './mmu-array.ts';
import { unmapListed } from './rfc.ts';
import type { Shadow } from './shadow.ts';
import { taggedLevel } from './tag.ts';
import type { NestedWorld } from './world.ts';

export const shadowUnmapSites = sites('shadow-unmap', [
  'lock',
  'readArray',
  'readCount',
  'readKey',
  'readRoot',
  'readLeaf',
  'contended',
  'yieldLock',
  'retakeLock',
  'readPending',
  'setDone',
  'unlock',
]);
const at = shadowUnmapSites;

/** Level of the largest block of the guest's that an invalidation by page may be about. */
const LARGEST_LEVEL = 1;

/** Which of the used MMUs are meant, and what of each. */
export interface Scope {
  /** One MMU; all that are used when not given. */
  readonly slot?: number;
  /** Those whose context has this number of the guest's; any when not given. */
  readonly vmid?: number;
  readonly first: number;
  readonly pages: number;
  /** Whatever was made from the guest's leaf for the first page, instead: the MMU's own entries say how large it was. */
  readonly isTagged?: true;
}

/** All that one shadow maps. */
export function whole({ slot, geometry }: Shadow): Scope {
  return { slot, first: 0, pages: geometry.windowPages };
}

/** Unmaps what is in scope. The caller holds the MMU lock exclusively when it begins and when it ends. */
export function unmapShadows(self: Actor, world: NestedWorld, scope: Scope): Operation<void> {
  return world.isRfc ? unmapListed(self, world, scope) : unmapInArray(self, world, scope);
}

function* unmapInArray(self: Actor, world: NestedWorld, scope: Scope): Operation<void> {
  let slot = scope.slot ?? 0;
  let root = 0;
  let first = -1;
  let last = -1;
  // the array may be another one after the lock was dropped, and the MMU may have lost its table
  for (let isStale = true; ; ) {
    if (isStale) {
      if (slot >= (yield* self.readOnce(at.readCount, world.arrayCount))) return;
      root = yield* rootInScope(self, world, slot, scope);
      isStale = false;
    }
    const shadow = world.shadows[slot]!;
    if (root !== 0 && first < 0) [first, last] = yield* rangeOf(self, world, shadow, root, scope);
    if (root !== 0) {
      self.claim(Claim.WorkBegins, shadow.tree, Work.Unmap, 0);
      const next = Math.min(chunkEnd(shadow.geometry, first), last);
      yield* unmapRange(self, shadow, root, first, next - first);
      first = next;
    }
    const isDone = root === 0 || first >= last;
    if (isDone && scope.slot !== undefined) return;
    if (isDone) {
      slot += 1;
      first = -1;
      isStale = true;
    }
    if (root === 0 || self.choose(at.contended, 2) === 0) continue;
    yield* self.release(at.yieldLock, Lock.Mmu);
    yield* self.acquire(at.retakeLock, Lock.Mmu, Mode.Exclusive);
    isStale = isDone || !world.bug('A32b-shadow-kept-across-yield');
  }
}

/** The lock may be dropped after the first region: more such places would show nothing else. */
function chunkEnd(geometry: Geometry, first: number): number {
  return first < blockPages(geometry) ? blockPages(geometry) : geometry.windowPages;
}

/** The root of a used MMU that is meant, as the array has it now; 0 for others. */
function* rootInScope(
  self: Actor,
  world: NestedWorld,
  slot: number,
  scope: Scope,
): Operation<number> {
  // the guest's numbers have 16 bits, whatever the width of the host's
  const isCut = scope.vmid !== undefined && world.bug('S02-guests-vmid-cut');
  const vmid = isCut ? scope.vmid & 0xff : scope.vmid;
  const base = yield* self.readOnce(at.readArray, world.arrayBase);
  const key = yield* self.readOnce(at.readKey, fieldWord(world, base, slot, Field.Key));
  if (key === 0 || (vmid !== undefined && contextOf(key).vmid !== vmid)) return 0;
  return yield* self.readOnce(at.readRoot, fieldWord(world, base, slot, Field.Root));
}

/** What of a shadow is in scope: [first, end). */
function* rangeOf(
  self: Actor,
  world: NestedWorld,
  shadow: Shadow,
  root: number,
  { first, pages, isTagged }: Scope,
): Operation<readonly [number, number]> {
  if (isTagged === true && !world.bug('S01-size-of-guests-leaf-ignored')) {
    return yield* taggedRange(self, shadow, root, first);
  }
  return [first, Math.min(first + pages, shadow.geometry.windowPages)];
}

/**
 * The pages that the guest's leaf for a page covered, as far as the shadow knows: its entries say at which level
 * that leaf was. The largest block there is when none does. [first, end)
 */
function* taggedRange(
  self: Actor,
  { geometry }: Shadow,
  root: number,
  page: number,
): Operation<readonly [number, number]> {
  for (let level = LAST_LEVEL; level >= LAST_LEVEL - 1; level -= 1) {
    const leaf = yield* readLeaf(
      self,
      geometry,
      root,
      alignDown(page, levelPages(geometry, level)),
    );
    if (!isLeaf(leaf) || taggedLevel(leaf) > level) continue;
    return alignedRange(geometry, page, levelPages(geometry, taggedLevel(leaf)));
  }
  return alignedRange(geometry, page, levelPages(geometry, LARGEST_LEVEL));
}

function alignedRange(geometry: Geometry, page: number, size: number): readonly [number, number] {
  const first = alignDown(page, size);
  return [first, Math.min(first + size, geometry.windowPages)];
}

/** The entry at which a walk for the page ends. */
function* readLeaf(self: Actor, geometry: Geometry, root: number, page: number): Operation<number> {
  const { memory } = self.machine;
  let frame = root + rootIndex(geometry, page);
  let entry = 0;
  for (let level = geometry.startLevel; level <= LAST_LEVEL; level += 1) {
    const word = memory.address(frame, indexAt(geometry, page, level));
    entry = yield* self.readOnce(at.readLeaf, word);
    if (level === LAST_LEVEL || !isTable(entry)) break;
    frame = frameOf(entry);
  }
  return entry;
}

/** The request before the entry. False when another vCPU with the same MMU has carried it out. */
export function* beginPending(
  self: Actor,
  world: NestedWorld,
  { slot }: Shadow,
): Operation<boolean> {
  yield* self.acquire(at.lock, Lock.Mmu, Mode.Exclusive);
  const base = yield* self.readOnce(at.readArray, world.arrayBase);
  const pending = fieldWord(world, base, slot, Field.Pending);
  const isPending = (yield* self.readOnce(at.readPending, pending)) !== 0;
  if (world.bug('S08-done-before-it-is')) yield* self.store(at.setDone, pending, 0);
  return isPending;
}

/** What the MMU held for another context is gone: whoever holds it may run with it. */
export function* endPending(self: Actor, world: NestedWorld, { slot }: Shadow): Operation<void> {
  const base = yield* self.readOnce(at.readArray, world.arrayBase);
  yield* self.store(at.setDone, fieldWord(world, base, slot, Field.Pending), 0);
  yield* self.release(at.unlock, Lock.Mmu);
  world.vcpu(self).mustUnmap = false;
}
