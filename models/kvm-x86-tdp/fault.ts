/**
 * The fault path: the fast one without locks, and the slow one that looks the host page up and maps it.
 *
 * Mirrors: page fault handling of Linux KVM/x86 with two-dimensional paging, today's form.
 * Leaves out: guests that spin while the slot is being deleted or the page invalidated (they wait), MMIO, asynchronous faults, prefetch, the second unlocked pre-check (s7), page references.
 *          Writes to write-tracked pages are emulated outside: the operation is refused.
 * Source: spec/x86-xen.md A6; steps are named p1-p5, s1-s11 as there. Amendments E2, E7.
 */
import { FaultClass, faultClass } from '../../sim/access.ts';
import type { Actor, Operation, Step } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { frameOf, Intent, WRITE } from '../../sim/descriptor.ts';
import { indexAt } from '../../sim/geometry.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import { machineLevel, regionOf, rootLevel } from './geometry.ts';
import { isBlock, resolvePage } from './host-memory.ts';
import { type Fault, mapLeaf, walkToGoal } from './map.ts';
import { isInvalidated } from './notifier.ts';
import { makeRoom } from './shadow.ts';
import { allows, isPresentLeaf, isTable, isTracked, MMU_WRITABLE, untrack } from './spte.ts';
import { type KvmWorld, Lock, RCU, Slot } from './world.ts';
import { adTypeOf } from './write-log.ts';

export const fastSites = sites('fast-fault', [
  'readFrame',
  'enterRcu',
  'walk',
  'fix',
  'leaveRcu',
  'mark',
]);
export const faultSites = sites('fault', [
  'readLogging',
  'fillCache',
  'readSequence',
  'readSlot',
  'peekInProgress',
  'peekStart',
  'peekEnd',
  'lock',
  'readInvalid',
  'readInProgress',
  'readStart',
  'readEnd',
  'checkSequence',
  'readHostBlock',
  'readNoLarge',
  'readTracked',
  'markDirty',
  'enterRcu',
  'leaveRcu',
  'unlock',
]);
const at = faultSites;

/** Why the handler lets the guest try again (x of the claim). */
export const RetryReason = { Sequence: 1, Range: 2, Changed: 3, Slot: 4, Root: 5 } as const;

const FAST_ATTEMPTS = 5;

/** A fault as the vCPU takes it. */
export interface GuestFault {
  readonly page: number;
  readonly intent: Intent;
  readonly role: number;
  /** Slot of the root that the vCPU runs with. */
  readonly root: number;
  readonly isLogging: boolean;
}

/** Whether the fault may be one that only restores what a present leaf may have. */
export function mayFixFast(world: KvmWorld, intent: Intent, result: number): boolean {
  if (world.configuration.isOf2020) return false;
  const isMissing = faultClass(result) === FaultClass.Translation;
  return isMissing ? !world.configuration.hardwareAccessed : intent === Intent.Write;
}

export function readLogging(self: Actor, world: KvmWorld): Step<number> {
  return self.readOnce(at.readLogging, world.logging);
}

/** p1-p5: restores what a present leaf may have. True when the access can be tried again. */
export function* fixFast(
  self: Actor,
  world: KvmWorld,
  { page, intent, root, isLogging }: GuestFault,
): Operation<boolean> {
  const { geometry, machine } = world;
  const here = fastSites;
  let isFixed = false;
  let marks = false;
  yield* self.enterSection(here.enterRcu, RCU);
  const top = yield* self.readOnce(here.readFrame, world.rootFrame + root);
  for (let attempt = 0; attempt < FAST_ATTEMPTS && !isFixed; attempt += 1) {
    let level = rootLevel(geometry);
    let word = machine.memory.address(top, indexAt(geometry, page, machineLevel(level)));
    let old = yield* self.readOnce(here.walk, word);
    while (level > 1 && isTable(old)) {
      level -= 1;
      word = machine.memory.address(frameOf(old), indexAt(geometry, page, machineLevel(level)));
      old = yield* self.readOnce(here.walk, word);
    }
    if (!isPresentLeaf(old)) break;
    if (allows(old, intent)) {
      isFixed = true;
      break;
    }
    let next = isTracked(old) ? untrack(old) : old;
    const opens = intent === Intent.Write && (old & MMU_WRITABLE) !== 0;
    // logging is by small pages
    if (opens && level > 1 && isLogging) break;
    if (opens) next |= WRITE;
    if (next === old || !allows(next, intent)) break;
    isFixed = (yield* self.compareExchange(here.fix, word, old, next)) === old;
    marks = isFixed && opens && isLogging;
  }
  yield* self.exitSection(here.leaveRcu, RCU);
  if (marks) yield* markDirty(self, world, page, here.mark);
  if (isFixed) self.claim(Claim.FaultHandled, page, 1, 0);
  return isFixed;
}

/** s1: a table for every level below the root's. */
export function* fillCache(self: Actor, world: KvmWorld): Operation<boolean> {
  const cache = world.cache(self);
  while (cache.length < rootLevel(world.geometry) - 1) {
    const frame = yield* self.allocate(at.fillCache, Role.Cached, true);
    if (frame < 0) return false;
    cache.push(frame);
  }
  return true;
}

/** s1-s11; in a read section of the slots. Ok: enter the guest again; Again: when what is in the way is over. */
export function* handleSlowly(self: Actor, world: KvmWorld, guest: GuestFault): Operation<number> {
  const { page, intent, root, isLogging } = guest;
  if (!(yield* fillCache(self, world))) return Result.NoMemory;
  // s2-s3: before the host is asked, so that an invalidation in between is noticed
  const read = yield* self.readOnce(at.readSequence, world.sequence);
  const sequence = world.bug('K13-sequence-sign-extended') ? signExtended(read) : read;
  // s4-s5
  if ((yield* self.readOnce(at.readSlot, world.slotState)) !== Slot.Valid) {
    return retryLater(self, RetryReason.Slot, page);
  }
  if ((yield* self.readOnce(at.peekInProgress, world.inProgress)) !== 0) {
    const range = { start: at.peekStart, end: at.peekEnd };
    if (yield* isInvalidated(self, world, range, page, page + 1))
      return retryLater(self, RetryReason.Range, page);
  }
  // s6
  const frame = yield* resolvePage(self, world, page);
  if (frame < 0) return Result.NoMemory;

  // s8-s9
  yield* self.acquire(at.lock, Lock.Mmu, world.sharedMode);
  const reason = yield* staleReason(self, world, page, root, sequence);
  if (reason !== 0) {
    yield* self.release(at.unlock, Lock.Mmu);
    return retryLater(self, reason, page);
  }
  // the pool of shadow tables is none of this fault's business
  if (world.bug('K15-room-made-under-shared-lock'))
    yield* makeRoom(self, world, world.configuration.shadowTables);
  // s10
  const fault = yield* describeFault(self, world, guest, frame);
  if (fault.canWrite && isLogging) yield* markDirty(self, world, page, at.markDirty);
  yield* self.enterSection(at.enterRcu, RCU);
  const place = yield* walkToGoal(self, world, fault);
  const isMapped =
    place !== undefined && (yield* mapLeaf(self, world, place.iter, fault, place.goal));
  yield* self.exitSection(at.leaveRcu, RCU);
  yield* self.release(at.unlock, Lock.Mmu);
  if (!isMapped) return retryLater(self, RetryReason.Changed, page);
  const isEmulated = intent === Intent.Write && !fault.canWrite;
  self.claim(Claim.FaultHandled, page, isEmulated ? 0 : 1, 0);
  return isEmulated ? Result.Refused : Result.Ok;
}

function retryLater(self: Actor, reason: number, page: number): number {
  self.claim(Claim.FaultRetry, reason, page, 0);
  return reason === RetryReason.Slot || reason === RetryReason.Range ? Result.Again : Result.Ok;
}

/** Four bits with a sign stand for the 32 of a narrow local. */
function signExtended(sequence: number): number {
  return (sequence << 28) >> 28;
}

/** Why what was looked up without the lock does not hold any more; 0 when it does. */
function* staleReason(
  self: Actor,
  world: KvmWorld,
  page: number,
  root: number,
  sequence: number,
): Operation<number> {
  if (!world.bug('K12-fault-ignores-invalid-root')) {
    const isInvalid = (yield* self.readOnce(at.readInvalid, world.rootInvalid + root)) !== 0;
    if (isInvalid) return RetryReason.Root;
  }
  if ((yield* self.readOnce(at.readInProgress, world.inProgress)) !== 0) {
    const range = { start: at.readStart, end: at.readEnd };
    if (yield* isInvalidated(self, world, range, page, page + 1)) return RetryReason.Range;
  }
  const now = yield* self.readOnce(at.checkSequence, world.sequence);
  return now === sequence ? 0 : RetryReason.Sequence;
}

/** The goal: as large as host, slot, log and mitigation allow. The host's size is read under the lock (E7). */
function* describeFault(
  self: Actor,
  world: KvmWorld,
  { page, intent, role, root, isLogging }: GuestFault,
  frame: number,
): Operation<Fault> {
  const region = regionOf(world.geometry, page);
  const tracked = yield* self.readOnce(at.readTracked, world.tracked + page);
  let isLarge = !isLogging;
  if (isLarge) {
    const block = yield* self.readOnce(at.readHostBlock, world.hostBlock + region);
    isLarge = isBlock(block);
  }
  if (isLarge) isLarge = (yield* self.readOnce(at.readNoLarge, world.noLarge + region)) === 0;
  const isFetch = intent === Intent.Execute;
  const isDisallowed = isLarge && isFetch && world.mitigatesExecution;
  return {
    page,
    intent,
    root,
    frame,
    goal: isLarge && !isDisallowed ? 2 : 1,
    isDisallowed,
    canWrite: tracked === 0,
    adType: adTypeOf(world, role),
  };
}

function* markDirty(self: Actor, world: KvmWorld, page: number, site: number): Operation<void> {
  yield* self.or(site, world.bitmap + (page >>> 5), 1 << (page & 31));
  self.claim(Claim.LogMarked, page, 0, 0);
}
