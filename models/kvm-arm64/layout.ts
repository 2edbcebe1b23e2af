/**
 * What moves under a guest's memory: VMAs that are unmapped and mapped anew with another size, pages that
 * the host replaces, and the memory slot, which is deleted and created.
 *
 * Mirrors: Linux 6.2 to 6.9: the parts of mm that KVM's notifiers see (munmap and mmap, change-pte), and
 *          virt/kvm/kvm_main.c, deletion and creation of a slot.
 * Leaves out: copy on write (a replaced page stays writable for the host); a log of its own for the slot
 *          that comes and goes; moved slots (moves.ts); MMIO beyond the refusal of the
 *          access. A slot becomes read-only, or writable again, by deletion and creation only.
 * Source: spec/arm.md 4.1 (step 5: writes to a read-only slot), 4.2 f3-f6, 4.3, 3.1; zoo A09, A29.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result, Work } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { READ } from '../../sim/descriptor.ts';
import { alignDown } from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import { blockPages, regionOf, slotRange } from './geometry.ts';
import { claimPage, emptyRegion, grantedFrame, replacePage, revokePage } from './host-memory.ts';
import { SLOTS_DOMAIN } from './machine.ts';
import { mapRange } from './map.ts';
import { beginInvalidation, endInvalidation, notifiedRange, notifierSites } from './notifier.ts';
import { applyRange } from './range.ts';
import { inputPageAt, isUsable, placeOf, placeRange, Slot, slotWord, stateOf } from './slots.ts';
import { unmapRange } from './unmap.ts';
import { type KvmWorld, Vma } from './world.ts';

export const layoutSites = sites('layout', [
  'lockSpace',
  'readVma',
  'writeVma',
  'unlockSpace',
  'lockSlots',
  'readSlot',
  'invalidateSlot',
  'waitReaders',
  'lock',
  'unlock',
  'removeSlot',
  'createSlot',
  'unlockSlots',
  'allocate',
  'lockMap',
  'readSlotAgain',
  'readRoot',
  'unlockMap',
  'freeNew',
  'freeOld',
]);
const at = layoutSites;

/** The host unmaps a region and maps it anew: from one block to pages, or the other way round. */
export function* remapRegion(self: Actor, world: KvmWorld, page: number): Operation<number> {
  const pages = blockPages(world.geometry);
  const first = alignDown(page, pages);
  const vma = world.vma + regionOf(world.geometry, page);
  yield* self.acquire(at.lockSpace, world.lock.Mmap, Mode.Exclusive);
  const old = yield* self.readOnce(at.readVma, vma);
  yield* beginInvalidation(self, world);
  yield* applyRange(self, world, first, pages, unmapRange);
  yield* self.release(notifierSites.unlockStart, world.lock.Mmu);
  for (let i = 0; i < pages; i += 1) yield* revokePage(self, world, first + i);
  yield* self.store(at.writeVma, vma, old === Vma.Block ? Vma.Pages : Vma.Block);
  yield* emptyRegion(self, world, first, old === Vma.Pages);
  yield* endInvalidation(self, world);
  yield* self.release(at.unlockSpace, world.lock.Mmap);
  return Result.Ok;
}

/**
 * The host replaces the frame of a page by another one with the same contents, and tells KVM, which maps
 * it for reading. Invalid when there is no page of its own to replace.
 */
export function* changePage(self: Actor, world: KvmWorld, page: number): Operation<number> {
  yield* self.acquire(at.lockSpace, world.lock.Mmap, Mode.Exclusive);
  const next = yield* self.allocate(at.allocate, Role.Data, true);
  if (next < 0) {
    yield* self.release(at.unlockSpace, world.lock.Mmap);
    return Result.NoMemory;
  }
  const [first, pages] = yield* notifiedRange(self, world, page, 1);
  yield* beginInvalidation(self, world);
  yield* applyRange(self, world, first, pages, unmapRange);
  if (world.movesSlot) {
    // the lock keeps a slot of which pages are mapped where it is
    const slot = yield* self.readOnce(at.readSlotAgain, world.slot);
    const [from, count] = movedRange(world, first, pages, placeOf(slot));
    if (count > 0) yield* applyRange(self, world, from, count, unmapRange);
  }
  yield* self.release(notifierSites.unlockStart, world.lock.Mmu);
  const old = yield* replacePage(self, world, page, next);
  if (old >= 0) yield* mapReplaced(self, world, page, next);
  yield* endInvalidation(self, world);
  // the one that nobody uses: the old page, or the new one when there was none to replace
  yield* self.free(old >= 0 ? at.freeOld : at.freeNew, old >= 0 ? old : next);
  yield* self.release(at.unlockSpace, world.lock.Mmap);
  return old >= 0 ? Result.Ok : Result.Invalid;
}

/** Input pages at which the slot's part of these host pages is seen at a place that is not theirs. [first, pages] */
function movedRange(
  { geometry }: KvmWorld,
  first: number,
  pages: number,
  place: number,
): readonly [number, number] {
  const [slotFirst, slotPages] = slotRange(geometry);
  const from = Math.max(first, slotFirst);
  const end = Math.min(first + pages, slotFirst + slotPages);
  return [inputPageAt(geometry, from, place), place === 0 ? 0 : Math.max(0, end - from)];
}

/** The callback: no page cache, so a table that is missing is left to the next fault. */
function* mapReplaced(self: Actor, world: KvmWorld, page: number, frame: number): Operation<void> {
  yield* self.acquire(at.lockMap, world.lock.Mmu, Mode.Exclusive);
  world.beginWork(self, Work.Map);
  const slot = yield* self.readOnce(at.readSlotAgain, world.slot);
  // a slot that is being deleted has been flushed: nothing may be mapped for it any more
  const isThere = world.bug('A29-mapped-into-deleted-slot')
    ? stateOf(slot) !== Slot.None
    : isUsable(slot);
  const mayMap = isThere || !world.isInSlot(page);
  const root = yield* self.readOnce(at.readRoot, world.root);
  if (mayMap && root !== 0) {
    const target = inputPageAt(world.geometry, page, placeOf(slot));
    yield* mapRange(self, world, root, target, 1, frame, READ, Mode.Exclusive);
  }
  yield* self.release(at.unlockMap, world.lock.Mmu);
}

/** Deletes the slot: no new fault finds it, none that did is left, and nothing is mapped for it. */
export function* deleteSlot(self: Actor, world: KvmWorld): Operation<number> {
  yield* self.acquire(at.lockSlots, world.lock.Slots, Mode.Exclusive);
  const word = yield* self.readOnce(at.readSlot, world.slot);
  if (!isUsable(word)) {
    yield* self.release(at.unlockSlots, world.lock.Slots);
    return Result.Invalid;
  }
  yield* self.store(at.invalidateSlot, world.slot, slotWord(Slot.Invalid, placeOf(word)));
  yield* self.gracePeriod(at.waitReaders, SLOTS_DOMAIN);
  yield* self.acquire(at.lock, world.lock.Mmu, Mode.Exclusive);
  yield* unmapSlot(self, world, placeOf(word));
  claimSlot(self, world, Claim.HostRevokes);
  yield* self.release(at.unlock, world.lock.Mmu);
  yield* self.gracePeriod(at.waitReaders, SLOTS_DOMAIN);
  yield* self.store(at.removeSlot, world.slot, Slot.None);
  yield* self.release(at.unlockSlots, world.lock.Slots);
  return Result.Ok;
}

/**
 * Nothing of a slot that faults no longer find stays mapped where it is. The caller holds the MMU lock.
 * No generator of its own: the walk lies deep enough below.
 */
export function unmapSlot(self: Actor, world: KvmWorld, place: number): Operation<number> {
  const [first, pages] = placeRange(world.geometry, place);
  world.beginWork(self, Work.Unmap);
  return applyRange(self, world, first, pages, unmapRange);
}

/**
 * Creates the slot again over the same host memory; nothing is mapped until somebody faults.
 * @param slot what it is from now on: Slot.Valid or Slot.ReadOnly
 */
export function* createSlot(self: Actor, world: KvmWorld, slot: number): Operation<number> {
  yield* self.acquire(at.lockSlots, world.lock.Slots, Mode.Exclusive);
  const isFree = (yield* self.readOnce(at.readSlot, world.slot)) === Slot.None;
  if (isFree) {
    yield* self.store(at.createSlot, world.slot, slot);
    world.isSlotReadOnly = slot === Slot.ReadOnly;
    world.slotPlace = 0;
    claimSlot(self, world, Claim.HostGrants);
    if (world.configuration.hasReadOnly === true) claimRights(self, world);
  }
  yield* self.release(at.unlockSlots, world.lock.Slots);
  return isFree ? Result.Ok : Result.Invalid;
}

/** The guest may (not) use what backs the slot's pages at this instant. */
export function claimSlot(
  self: Actor,
  world: KvmWorld,
  claim: typeof Claim.HostGrants | typeof Claim.HostRevokes,
): void {
  world.isSlotRevoked = claim === Claim.HostRevokes;
  const [first, pages] = slotRange(world.geometry);
  for (let page = first; page < first + pages; page += 1) {
    const frame = grantedFrame(world, page);
    if (frame < 0) continue;
    if (claim === Claim.HostGrants) claimPage(self, world, page, frame);
    else self.claim(Claim.HostRevokes, world.inputPage(page), frame, 0);
  }
}

/** The guest may (not) write the slot, through whatever a TLB still holds. */
function claimRights(self: Actor, world: KvmWorld): void {
  const [first, pages] = slotRange(world.geometry);
  for (let page = first; page < first + pages; page += 1) {
    self.claim(Claim.WriteForbidden, page, world.isSlotReadOnly ? 1 : 0, 0);
  }
}
