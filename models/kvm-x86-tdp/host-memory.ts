/**
 * The host's own address space: which frame backs which guest page, in page or block units. A host
 * mapping shrinks only between the begin and the end of an invalidation of the whole old one (E7).
 *
 * Mirrors: the part of host memory management that KVM's notifiers see: get a page for a guest
 *          address; unmap a range.
 * Leaves out: copy on write, swap, read-only mappings, blocks larger than a leaf of level 2.
 * Source: spec/x86-xen.md A13, amendment E7.
 *
 * Words: a page word is 0 (as the region says), GONE, or frame + 1; a region word is 0 or base + 1,
 * with BLOCK_SPLIT once the region is no longer mapped as a block.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Claim } from '../../sim/claims.ts';
import { Mode } from '../../sim/locks.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import { blockPages, regionOf, roundDown } from './geometry.ts';
import { type KvmWorld, Lock } from './world.ts';

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
  'freeUnused',
]);
const at = hostSites;

const GONE = -1;
export const BLOCK_SPLIT = 1 << 24;
const FRAME = BLOCK_SPLIT - 1;

/** Frame that the page and region words name, or -1. */
function frameFor(world: KvmWorld, page: number, pageWord: number, blockWord: number): number {
  if (pageWord === GONE) return -1;
  if (pageWord > 0) return pageWord - 1;
  if ((blockWord & FRAME) === 0) return -1;
  return (blockWord & FRAME) - 1 + (page & (blockPages(world.geometry) - 1));
}

/** Whether a region word says that the host maps the region as one block. */
export function isBlock(blockWord: number): boolean {
  return (blockWord & FRAME) !== 0 && (blockWord & BLOCK_SPLIT) === 0;
}

/** The frame that backs a guest page, faulted in when there is none; -1 without memory. May sleep. */
export function* resolvePage(self: Actor, world: KvmWorld, page: number): Operation<number> {
  const region = world.hostBlock + regionOf(world.geometry, page);
  // fast path: no lock, what is found may be gone the moment after
  const blockWord = yield* self.readOnce(at.readBlock, region);
  const pageWord = yield* self.readOnce(at.readPage, world.hostPage + page);
  const frame = frameFor(world, page, pageWord, blockWord);
  return frame >= 0 ? frame : yield* faultIn(self, world, page);
}

function* faultIn(self: Actor, world: KvmWorld, page: number): Operation<number> {
  yield* self.acquire(at.lockSpace, Lock.Mmap, Mode.Shared);
  let frame = yield* installBlock(self, world, page);
  if (frame < 0) frame = yield* installPage(self, world, page);
  yield* self.release(at.unlockSpace, Lock.Mmap);
  return frame;
}

/** Backs the whole region if it may be a block and nothing of it is backed; -1 when it is not to be. */
function* installBlock(self: Actor, world: KvmWorld, page: number): Operation<number> {
  const { geometry } = world;
  const index = regionOf(geometry, page);
  const region = world.hostBlock + index;
  const size = blockPages(geometry);
  if ((yield* self.readOnce(at.readBlockLocked, region)) !== 0) return -1;
  if ((world.hugeRegions & (1 << index)) === 0) return -1;
  const run = yield* self.allocateRun(at.allocateBlock, Role.Data, size, true);
  if (run < 0) return -1;
  const first = roundDown(geometry, page, 2);
  yield* self.acquire(at.lockTable, Lock.HostTable, Mode.Exclusive);
  const seen = yield* self.compareExchange(at.writeBlock, region, 0, run + 1);
  if (seen === 0) self.claim(Claim.HostGrants, first, run, 1 | (geometry.bitsPerLevel << 1));
  yield* self.release(at.unlockTable, Lock.HostTable);
  if (seen === 0) return run + page - first;
  yield* self.free(at.freeUnused, run, size);
  return -1;
}

/** Backs the page alone, unless somebody else was first; -1 without memory. */
function* installPage(self: Actor, world: KvmWorld, page: number): Operation<number> {
  const region = world.hostBlock + regionOf(world.geometry, page);
  const fresh = yield* self.allocate(at.allocatePage, Role.Data, true);
  yield* self.acquire(at.lockTable, Lock.HostTable, Mode.Exclusive);
  const blockWord = yield* self.readOnce(at.readBlockLocked, region);
  const pageWord = yield* self.readOnce(at.readPageLocked, world.hostPage + page);
  const present = frameFor(world, page, pageWord, blockWord);
  if (present < 0 && fresh >= 0) {
    // from now on the region has pages of its own and is no candidate for a block
    if (blockWord === 0) yield* self.store(at.writeBlock, region, BLOCK_SPLIT);
    yield* self.store(at.writePage, world.hostPage + page, fresh + 1);
    self.claim(Claim.HostGrants, page, fresh, 1);
  }
  yield* self.release(at.unlockTable, Lock.HostTable);
  if (present < 0) return fresh;
  if (fresh >= 0) yield* self.free(at.freeUnused, fresh);
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
]);

/** Takes one page from the guest and frees it. Inside the brackets of an invalidation, or at exit. */
export function* revokePage(self: Actor, world: KvmWorld, page: number): Operation<void> {
  const here = revokeSites;
  const region = world.hostBlock + regionOf(world.geometry, page);
  yield* self.acquire(here.lockTable, Lock.HostTable, Mode.Exclusive);
  const blockWord = yield* self.readOnce(here.readBlock, region);
  if (isBlock(blockWord)) yield* self.store(here.split, region, blockWord | BLOCK_SPLIT);
  const pageWord = yield* self.readOnce(here.readPage, world.hostPage + page);
  const frame = frameFor(world, page, pageWord, blockWord);
  if (frame >= 0) {
    yield* self.store(here.clear, world.hostPage + page, GONE);
    self.claim(Claim.HostRevokes, page, frame, 0);
  }
  yield* self.release(here.unlockTable, Lock.HostTable);
  if (frame >= 0) yield* self.free(here.free, frame);
}
