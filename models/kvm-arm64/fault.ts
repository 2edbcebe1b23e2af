/**
 * The fault path: from a guest's stage-2 fault to a repaired entry or a retry.
 *
 * Mirrors: Linux 5.10 arch/arm64/kvm/mmu.c, guest abort and access-flag fault; 5.18 and 6.2 to 6.13 for
 *          the mode of the lock and the time of the dirty mark.
 *          A permission fault is repaired in place only at the level at which it was taken (N01).
 * Leaves out: VMAs and slots (f3-f6) where the configuration has no layout, devices, MMIO, address-size and external aborts, cache
 *          maintenance by address (a write, as 4.1 has it), the error of f1, poisoned pages, hints to the host's page (f14, f15),
 *          the barriers of the notifier protocol (no effect at F1), cache maintenance.
 * Source: spec/arm.md 4.1-4.4; steps are named f1-f15 as there.
 */
import { Domain, FaultClass, faultClass, faultLevel } from '../../sim/access.ts';
import type { Actor, Operation, Step } from '../../sim/actor.ts';
import { Result, Work } from '../../sim/card.ts';
import { Claim, RetryReason } from '../../sim/claims.ts';
import {
  DIRTY_MODIFIER,
  EXEC,
  Intent,
  isTable,
  MemoryType,
  READ,
  WRITE,
} from '../../sim/descriptor.ts';
import { alignDown, indexAt, LAST_LEVEL, levelPages } from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import { ANY_LEVEL, makeYoung, relaxPage } from './attributes.ts';
import { FaultLock, MarkTime } from './generation.ts';
import { blockPages, regionOf, slotRange } from './geometry.ts';
import { isBlock, resolvePage } from './host-memory.ts';
import { walkHostTable } from './host-tables.ts';
import { WALKS_DOMAIN } from './machine.ts';
import { mapRange } from './map.ts';
import { hostPageAt, isUsable, placeOf, Slot, stateOf } from './slots.ts';
import { unmapRange } from './unmap.ts';
import { type KvmWorld, Vma } from './world.ts';

export const faultSites = sites('fault', [
  'enterSlots',
  'leaveSlots',
  'readLogging',
  'fillCache',
  'readSequence',
  'lock',
  'readInProgress',
  'checkSequence',
  'readHostBlock',
  'markDirty',
  'readRoot',
  'publish',
  'unlock',
  'enterWalk',
  'leaveWalk',
  'readSlot',
  'lockSpace',
  'readVma',
  'unlockSpace',
  'readFolded',
]);
const at = faultSites;

/**
 * The handler for one fault; called inside a read section of the slots. Ok means: re-enter the guest.
 * @param isTableWalk the guest's stage-1 walker made the access, for which the hardware does not say what it wants
 */
export function handleFault(
  self: Actor,
  world: KvmWorld,
  page: number,
  intent: Intent,
  result: number,
  isTableWalk = false,
): Operation<number> {
  return faultClass(result) === FaultClass.AccessFlag
    ? handleAccessFlag(self, world, page)
    : handleMissing(self, world, page, intent, result, isTableWalk);
}

function* handleAccessFlag(self: Actor, world: KvmWorld, page: number): Operation<number> {
  const mode = sharesFaults(world) ? Mode.Shared : Mode.Exclusive;
  yield* self.acquire(at.lock, world.lock.Mmu, mode);
  world.beginWork(self, Work.Young);
  if (sharesFaults(world)) yield* self.enterSection(at.enterWalk, WALKS_DOMAIN);
  const root = yield* self.readOnce(at.readRoot, world.root);
  const outcome = yield* makeYoung(self, world, root, page, mode);
  if (sharesFaults(world)) yield* self.exitSection(at.leaveWalk, WALKS_DOMAIN);
  yield* self.release(at.unlock, world.lock.Mmu);
  claimOutcome(self, page, outcome);
  return Result.Ok;
}

function sharesFaults({ generation }: KvmWorld): boolean {
  return generation.faultLock === FaultLock.Shared;
}

/**
 * Tells oracles, as the lock is dropped, whether the handler believes that it repaired the entry.
 * @param isEnough the access needs no more rights than it was given
 */
function claimOutcome(self: Actor, page: number, outcome: number, isEnough = true): void {
  if (outcome === Result.Again) self.claim(Claim.FaultRetry, RetryReason.Moved, page, 0);
  else if (outcome === Result.Ok) self.claim(Claim.FaultHandled, page, isEnough ? 1 : 0, 0);
}

/**
 * Mode in which a translation or permission fault holds the MMU lock.
 * @param restores a write fault gives a logged page its right back
 */
function lockMode(world: KvmWorld, restores: boolean, faultPages: number): Mode {
  const { faultLock } = world.generation;
  if (faultLock !== FaultLock.SharedToRelax) {
    return faultLock === FaultLock.Shared ? Mode.Shared : Mode.Exclusive;
  }
  if (!restores) return Mode.Exclusive;
  // a block would have to be split, which is more than readers may do
  const isSplit = faultPages > 1 && !world.bug('A04-block-split-by-readers');
  return isSplit ? Mode.Exclusive : Mode.Shared;
}

/** E27: tables can be read before it is known whether the walker updates them too. */
function isTableWrite(world: KvmWorld, isPermission: boolean): boolean {
  return isPermission || world.bug('V07-table-walk-counts-as-write');
}

/** Translation and permission faults. */
function* handleMissing(
  self: Actor,
  world: KvmWorld,
  page: number,
  intent: Intent,
  result: number,
  isTableWalk: boolean,
): Operation<number> {
  const { geometry } = world;
  const { marks, hasDirtyState } = world.generation;
  // f8: an instruction fetch from a device is an error of the guest
  const isDevice = world.isDevice(page);
  const isRefused = isDevice && !world.bug('V04-device-executable');
  if (isRefused && intent === Intent.Execute) return Result.Refused;
  const isPermission = faultClass(result) === FaultClass.Permission;
  const faultPages = levelPages(geometry, faultLevel(result));
  const isWrite = isTableWalk ? isTableWrite(world, isPermission) : intent === Intent.Write;
  // 4.1: no slot, one that is being deleted, or a write to a read-only one; the access would be emulated
  const isInSlot = world.isInSlot(page);
  const slot = isInSlot
    ? yield* self.readOnce(at.readSlot, world.slot)
    : world.isRom(page)
      ? Slot.ReadOnly
      : Slot.Valid;
  const isReadOnly = stateOf(slot) === Slot.ReadOnly;
  if (!isUsable(slot) || (isReadOnly && isWrite)) return Result.Refused;
  const hostPage = isInSlot ? hostPageAt(geometry, page, placeOf(slot)) : page;
  if (hostPage < 0) return Result.Refused;
  // what cannot be written is not logged
  const isLogging = (yield* self.readOnce(at.readLogging, world.logging)) !== 0 && !isReadOnly;

  // f2: pages for new tables are set aside before the lock; only a page-sized permission fault needs none
  const needsTables = world.bug('M14b-split-without-pages')
    ? !isPermission || (isLogging && isWrite)
    : !isPermission || faultPages > 1 || (isLogging && isWrite);
  const fillsLate = world.bug('M14-cache-filled-under-lock');
  if (needsTables && !fillsLate && isCacheShort(self, world)) {
    if (!(yield* fillCache(self, world))) return Result.NoMemory;
  }

  // f5-f8: the sequence is read before the host is asked, so that an invalidation in between is noticed
  const found =
    world.vma === 0
      ? (yield* self.readOnce(at.readSequence, world.sequence)) << 1
      : yield* lookUp(self, world, hostPage);
  const isBlockVma = (found & 1) !== 0;
  const sequence = found >>> 1;
  const frame = yield* resolvePage(self, world, hostPage);
  if (frame < 0) return Result.NoMemory;
  // f7-f8: the host's page is writable, whatever its slot is
  const isGiven = !isReadOnly || world.bug('V06-right-of-host-page-given');
  // with dirty state, hardware makes a logged page writable, and says so
  const isWritable = isGiven && (!isLogging || (isWrite && !hasDirtyState));
  const marksEarly = world.bug('M28b-marked-before-lock');
  if (isWritable && isLogging && marksEarly) yield* markDirty(self, world, page);

  // f9-f10
  const mode = lockMode(world, isPermission && isLogging && isWrite, faultPages);
  yield* self.acquire(at.lock, world.lock.Mmu, mode);
  const inProgress = yield* self.readOnce(at.readInProgress, world.inProgress);
  const now = yield* self.readOnce(at.checkSequence, world.sequence);
  if (inProgress !== 0 || now !== sequence) {
    yield* self.release(at.unlock, world.lock.Mmu);
    self.claim(Claim.FaultRetry, RetryReason.Invalidation, page, 0);
    return Result.Ok;
  }
  if (needsTables && fillsLate) yield* fillCache(self, world);

  // f11
  let pages = 1;
  if (!isLogging && !isDevice && mayBeBlock(world, page)) {
    if (world.hostTable !== 0) yield* walkHostTable(self, world, page);
    if (isPermission && faultPages > 1) pages = faultPages;
    else if (isBlockVma || isBlock(yield* readHostBlock(self, world, page)))
      pages = blockPages(geometry);
  }
  const first = alignDown(page, pages);

  // f12-f14
  const rights = READ | (isWritable ? WRITE : 0) | (intent === Intent.Execute ? EXEC : 0);
  const type =
    isDevice && !world.bug('V05-device-as-memory') ? MemoryType.Device : MemoryType.Normal;
  const modifier = hasDirtyState && isGiven && pages === 1 ? DIRTY_MODIFIER : 0;
  const attributes = rights | type | modifier;
  const isMarked = isWritable && isLogging && !marksEarly;
  if (isMarked && marks === MarkTime.BeforeMap) yield* markDirty(self, world, page);
  if (sharesFaults(world)) yield* self.enterSection(at.enterWalk, WALKS_DOMAIN);
  const root = yield* self.readOnce(at.readRoot, world.root);
  const relaxes = world.bug('A23-relax-by-log-state')
    ? isPermission && !(isLogging && isWrite)
    : isPermission && pages === faultPages;
  // the entry may have changed its size since the fault: then what was granted is not what is there
  const level = world.bug('N01-relax-ignores-level') ? ANY_LEVEL : faultLevel(result);
  world.beginWork(self, relaxes ? Work.Relax : Work.Map);
  if (pages > 1 && !relaxes && world.bug('A27-folded-level-cleared-elsewhere'))
    yield* clearForBlock(self, world, root, page, pages);
  const outcome = relaxes
    ? yield* relaxPage(self, world, root, first, rights, level, mode)
    : yield* mapRange(self, world, root, first, pages, frame - (page - first), attributes, mode);
  if (!relaxes) yield* self.dsb(at.publish, Domain.InnerStore);
  if (sharesFaults(world)) yield* self.exitSection(at.leaveWalk, WALKS_DOMAIN);
  const isMarkedLate = isMarked && outcome === Result.Ok;
  if (isMarkedLate && marks === MarkTime.UnderLock) yield* markDirty(self, world, page);
  yield* self.release(at.unlock, world.lock.Mmu);
  // E27: a walker that wants to update the table comes back
  claimOutcome(self, page, outcome, isWritable || isPermission || !isTableWalk);
  if (isMarkedLate && marks === MarkTime.AfterUnlock) yield* markDirty(self, world, page);
  return outcome === Result.Again ? Result.Ok : outcome;
}

/**
 * What A27 did before a block was mapped: the size of the level above was taken for that of the block, so that the
 * address is not aligned to the entry. Knows roots of the block's own level only.
 */
function* clearForBlock(
  self: Actor,
  world: KvmWorld,
  root: number,
  page: number,
  pages: number,
): Operation<void> {
  const { geometry, machine } = world;
  const word = machine.memory.address(root, indexAt(geometry, page, geometry.startLevel));
  const count = Math.min(pages, geometry.windowPages - page);
  while (isTable(yield* self.readOnce(at.readFolded, word)))
    yield* unmapRange(self, world, root, page, count);
}

/** f11: what the host maps now; nothing can change it while the lock is held. */
function readHostBlock(self: Actor, world: KvmWorld, page: number): Step<number> {
  return self.readOnce(at.readHostBlock, world.hostBlock + regionOf(world.geometry, page));
}

/** f3: a block lies inside one slot. */
function mayBeBlock(world: KvmWorld, page: number): boolean {
  if (world.slot === 0) return true;
  const [first] = slotRange(world.geometry);
  const further = regionOf(world.geometry, page) - regionOf(world.geometry, first);
  return further !== 0 && !(world.movesSlot && further === 1);
}

/**
 * f3-f6: whether the VMA asks for a block, in bit 0, and above it the sequence, read while the mmap lock
 * still keeps the VMA as it is.
 */
function* lookUp(self: Actor, world: KvmWorld, page: number): Operation<number> {
  yield* self.acquire(at.lockSpace, world.lock.Mmap, Mode.Shared);
  const vma = yield* self.readOnce(at.readVma, world.vma + regionOf(world.geometry, page));
  const readsLate = world.bug('A09-sequence-read-after-lookup');
  let sequence = readsLate ? 0 : yield* self.readOnce(at.readSequence, world.sequence);
  yield* self.release(at.unlockSpace, world.lock.Mmap);
  if (readsLate) sequence = yield* self.readOnce(at.readSequence, world.sequence);
  return (sequence << 1) | (vma === Vma.Block ? 1 : 0);
}

/** The longest path needs a table for every level below the root's. */
export function isCacheShort(self: Actor, world: KvmWorld): boolean {
  return world.cache(self).length < LAST_LEVEL - world.geometry.startLevel;
}

/** Sets aside what the longest path needs. */
export function* fillCache(self: Actor, world: KvmWorld): Operation<boolean> {
  const cache = world.cache(self);
  while (isCacheShort(self, world)) {
    const frame = yield* self.allocate(at.fillCache, Role.Cached, true);
    if (frame < 0) return false;
    // nobody else knows the page: its count is set without an access
    self.machine.memory.store(world.count(frame), 1, 0);
    cache.push(frame);
  }
  return true;
}

/** Marks a page in the dirty log. */
export function* markDirty(self: Actor, world: KvmWorld, page: number): Operation<void> {
  yield* self.or(at.markDirty, world.bitmap + (page >>> 5), 1 << (page & 31));
  self.claim(Claim.LogMarked, page, 0, 0);
}
