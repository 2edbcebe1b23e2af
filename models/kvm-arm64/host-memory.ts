/**
 * The host's own address space: which frame backs which guest page, in page or block units, and the
 * notifier protocol around every change.
 *
 * Mirrors: the part of host memory management that KVM's notifiers see (Linux 5.10): get a page for
 *          a guest address; unmap a range between invalidate start and end; exit.
 * Leaves out: copy on write, swap, page pinning (the retry check makes it unnecessary here).
 * Source: spec/arm.md 4.2 f7, 4.3, 4.7.
 *
 * Words: a page word is 0 (as the region says), GONE, or frame + 1; a region word is 0 or base + 1,
 * with SPLIT once the region is no longer mapped as a block.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Claim } from '../../sim/claims.ts';
import { alignDown } from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import { blockPages, regionOf } from './geometry.ts';
import { type KvmWorld, Vma } from './world.ts';

export const hostSites = sites('host-memory', [
  'readPage',
  'readBlock',
  'lockSpace',
  'lockTable',
  'readPageLocked',
  'readBlockLocked',
  'allocateBlock',
  'writeBlock',
  'allocatePage',
  'writePage',
  'unlockTable',
  'unlockSpace',
  'readVmaLocked',
]);
const at = hostSites;

const GONE = -1;
const SPLIT = 1 << 24;
const FRAME = SPLIT - 1;

/** Frame that the page and region words name, or -1. */
function frameFor(world: KvmWorld, page: number, pageWord: number, blockWord: number): number {
  if (pageWord === GONE) return -1;
  if (pageWord > 0) return pageWord - 1;
  if ((blockWord & FRAME) === 0) return -1;
  return (blockWord & FRAME) - 1 + (page & (blockPages(world.geometry) - 1));
}

/** Whether a region word says that the host maps the region as one block. */
export function isBlock(blockWord: number): boolean {
  return (blockWord & FRAME) !== 0 && (blockWord & SPLIT) === 0;
}

/** The frame that backs a guest page, faulted in when there is none; -1 without memory. May sleep. */
export function* resolvePage(self: Actor, world: KvmWorld, page: number): Operation<number> {
  const region = regionOf(world.geometry, page);
  // fast path: no lock, what is found may be gone the moment after
  const blockWord = yield* self.readOnce(at.readBlock, world.hostBlock + region);
  const pageWord = yield* self.readOnce(at.readPage, world.hostPage + page);
  const frame = frameFor(world, page, pageWord, blockWord);
  return frame >= 0 ? frame : yield* faultIn(self, world, page);
}

function* faultIn(self: Actor, world: KvmWorld, page: number): Operation<number> {
  const region = regionOf(world.geometry, page);
  yield* self.acquire(at.lockSpace, world.lock.Mmap, Mode.Shared);
  const blockWord = yield* self.readOnce(at.readBlockLocked, world.hostBlock + region);
  const pageWord = yield* self.readOnce(at.readPageLocked, world.hostPage + page);
  let frame = frameFor(world, page, pageWord, blockWord);
  const isBlockVma =
    world.vma !== 0 && (yield* self.readOnce(at.readVmaLocked, world.vma + region)) === Vma.Block;
  const mayBeBlock = isBlockVma || (world.hugeRegions & (1 << region)) !== 0;
  if (frame < 0 && blockWord === 0 && mayBeBlock) {
    frame = yield* installBlock(self, world, page);
  }
  // where the VMA asks for a block there is nothing smaller
  if (frame < 0 && !isBlockVma) frame = yield* installPage(self, world, page);
  yield* self.release(at.unlockSpace, world.lock.Mmap);
  return frame;
}

/** Backs the whole region with one aligned run of frames; -1 when another actor was first. */
function* installBlock(self: Actor, world: KvmWorld, page: number): Operation<number> {
  const pages = blockPages(world.geometry);
  const first = alignDown(page, pages);
  const run = yield* self.allocateRun(at.allocateBlock, Role.Data, pages, true);
  if (run < 0) return -1;
  yield* self.acquire(at.lockTable, world.lock.HostTable, Mode.Exclusive);
  const word = world.hostBlock + regionOf(world.geometry, page);
  const seen = yield* self.compareExchange(at.writeBlock, word, 0, run + 1);
  if (seen === 0) claimBlock(self, world, first, run);
  yield* self.release(at.unlockTable, world.lock.HostTable);
  if (seen === 0) return run + page - first;
  yield* self.free(at.allocateBlock, run, pages);
  const pageWord = yield* self.readOnce(at.readPageLocked, world.hostPage + page);
  return frameFor(world, page, pageWord, seen);
}

function claimBlock(self: Actor, world: KvmWorld, first: number, run: number): void {
  const { bitsPerLevel } = world.geometry;
  if (world.configuration.hasReadOnly !== true && !world.movesSlot) {
    self.claim(Claim.HostGrants, first, run, 1 | (bitsPerLevel << 1));
    return;
  }
  // what the guest may do with its pages differs, or where it sees them
  for (let i = 0; i < blockPages(world.geometry); i += 1) {
    const page = first + i;
    if (!world.isSlotRevoked || !world.isInSlot(page)) claimPage(self, world, page, run + i);
  }
}

/** The host backs the page, which the guest may write unless its slot is read-only. */
export function claimPage(self: Actor, world: KvmWorld, page: number, frame: number): void {
  self.claim(Claim.HostGrants, world.inputPage(page), frame, world.mayWrite(page) ? 1 : 0);
}

function* installPage(self: Actor, world: KvmWorld, page: number): Operation<number> {
  const frame = yield* self.allocate(at.allocatePage, Role.Data, true);
  if (frame < 0) return -1;
  const word = world.hostPage + page;
  const region = regionOf(world.geometry, page);
  yield* self.acquire(at.lockTable, world.lock.HostTable, Mode.Exclusive);
  const blockWord = yield* self.readOnce(at.readBlockLocked, world.hostBlock + region);
  const pageWord = yield* self.readOnce(at.readPageLocked, word);
  const present = frameFor(world, page, pageWord, blockWord);
  if (present < 0) {
    // from now on the region has pages of its own and is no candidate for a block
    if (blockWord === 0) yield* self.store(at.writeBlock, world.hostBlock + region, SPLIT);
    yield* self.store(at.writePage, word, frame + 1);
    claimPage(self, world, page, frame);
  }
  yield* self.release(at.unlockTable, world.lock.HostTable);
  if (present < 0) return frame;
  yield* self.free(at.allocatePage, frame);
  return present;
}

export const revokeSites = sites('host-revoke', [
  'lockTable',
  'readBlock',
  'split',
  'readPage',
  'clear',
  'unlockTable',
  'free',
  'writeVma',
  'replace',
]);

/** Takes one page from the guest and frees it. Between notifier start and end, or at exit. */
export function* revokePage(self: Actor, world: KvmWorld, page: number): Operation<void> {
  const here = revokeSites;
  const region = world.hostBlock + regionOf(world.geometry, page);
  yield* self.acquire(here.lockTable, world.lock.HostTable, Mode.Exclusive);
  const blockWord = yield* self.readOnce(here.readBlock, region);
  if (isBlock(blockWord)) yield* self.store(here.split, region, blockWord | SPLIT);
  const pageWord = yield* self.readOnce(here.readPage, world.hostPage + page);
  const frame = frameFor(world, page, pageWord, blockWord);
  if (frame >= 0) {
    yield* self.store(here.clear, world.hostPage + page, GONE);
    self.claim(Claim.HostRevokes, world.inputPage(page), frame, 0);
  }
  yield* self.release(here.unlockTable, world.lock.HostTable);
  // what is left of a block by rule is no block any more
  if (world.vma !== 0) {
    yield* self.store(here.writeVma, world.vma + regionOf(world.geometry, page), Vma.Pages);
  }
  if (frame >= 0) yield* self.free(here.free, frame);
}

/** A region whose pages are gone is mapped anew: it may be backed by a block, or has pages only. */
export function* emptyRegion(
  self: Actor,
  world: KvmWorld,
  first: number,
  mayBeBlock: boolean,
): Operation<void> {
  const here = revokeSites;
  yield* self.acquire(here.lockTable, world.lock.HostTable, Mode.Exclusive);
  for (let page = first; page < first + blockPages(world.geometry); page += 1) {
    yield* self.store(here.clear, world.hostPage + page, mayBeBlock ? 0 : GONE);
  }
  const region = world.hostBlock + regionOf(world.geometry, first);
  yield* self.store(here.split, region, mayBeBlock ? 0 : SPLIT);
  yield* self.release(here.unlockTable, world.lock.HostTable);
}

/**
 * Puts another frame in the place of the one that backs a page; the caller has unmapped the page.
 * @returns the frame that was there and is nobody's now, or -1 when there was none
 */
export function* replacePage(
  self: Actor,
  world: KvmWorld,
  page: number,
  next: number,
): Operation<number> {
  const here = revokeSites;
  const region = world.hostBlock + regionOf(world.geometry, page);
  yield* self.acquire(here.lockTable, world.lock.HostTable, Mode.Exclusive);
  const blockWord = yield* self.readOnce(here.readBlock, region);
  if (isBlock(blockWord)) yield* self.store(here.split, region, blockWord | SPLIT);
  const pageWord = yield* self.readOnce(here.readPage, world.hostPage + page);
  const old = frameFor(world, page, pageWord, blockWord);
  if (old >= 0) {
    yield* self.store(here.replace, world.hostPage + page, next + 1);
    self.claim(Claim.HostRevokes, world.inputPage(page), old, 0);
    // without a slot the guest has no claim to it
    if (!world.isSlotRevoked || !world.isInSlot(page)) claimPage(self, world, page, next);
  }
  yield* self.release(here.unlockTable, world.lock.HostTable);
  yield* self.store(here.writeVma, world.vma + regionOf(world.geometry, page), Vma.Pages);
  return old;
}

/** The frame that backs a page at this instant, for claims; -1 when there is none. */
export function grantedFrame(world: KvmWorld, page: number): number {
  const { memory } = world.machine;
  const blockWord = memory.load(world.hostBlock + regionOf(world.geometry, page));
  return frameFor(world, page, memory.load(world.hostPage + page), blockWord);
}
