/**
 * The host's dirty log of the plain guest: it has the hypervisor take the right to write away, asks it to flush what is cached, and
 * marks pages when the guest's writes fault.
 *
 * Mirrors: host and hypervisor of Linux 6.14 and later; write protection invalidates nothing by itself, the host's flush does.
 * Leaves out: faults between protection and flush (one lock of the host is held for both), blocks, accessed flags.
 * Source: spec/arm.md 6.7 (relax, wrprotect: the guest's lock only), 4.5; zoo A57, A59.
 */
import { Domain } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { Intent, isValid, WRITE } from '../../sim/descriptor.ts';
import { LAST_LEVEL } from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { GUEST_PAGES } from './after-boot.ts';
import { lookUp, shareWithGuest } from './guest-pages.ts';
import { runGuest } from './guests.ts';
import { hypercallSites } from './hypercall.ts';
import { find, flush } from './tables.ts';
import { GuestState, Lock, type PkvmWorld, PLAIN } from './world.ts';

export const logSites = sites('pkvm-log', [
  'lock',
  'unlock',
  'readLog',
  'writeLog',
  'takeMarks',
  'clearMarks',
  'mark',
  'readHandle',
  'lockGuest',
  'unlockGuest',
  'unlockGuests',
  'protect',
  'relax',
  'publish',
]);
const at = logSites;

/** Input pages of the plain guest that are logged. */
export const LOG_FIRST = GUEST_PAGES[0];
export const LOG_PAGES = GUEST_PAGES.length;

function isLogged(page: number): boolean {
  return page >= LOG_FIRST && page < LOG_FIRST + LOG_PAGES;
}

/** Invalid when it runs already. */
export function* startLog(self: Actor, world: PkvmWorld): Operation<number> {
  yield* self.acquire(at.lock, Lock.Log, Mode.Exclusive);
  const isOn = (yield* self.readOnce(at.readLog, world.log)) !== 0;
  if (!isOn) {
    yield* self.store(at.writeLog, world.log, 1);
    yield* protectPages(self, world);
    self.claim(Claim.LogStarted, LOG_FIRST, LOG_PAGES, 0);
  }
  yield* self.release(at.unlock, Lock.Log);
  return isOn ? Result.Invalid : Result.Ok;
}

/** Takes the marks, and has later writes fault again. Invalid when no log runs. */
export function* collectLog(self: Actor, world: PkvmWorld): Operation<number> {
  yield* self.acquire(at.lock, Lock.Log, Mode.Exclusive);
  const isOn = (yield* self.readOnce(at.readLog, world.log)) !== 0;
  if (isOn) {
    const marks = yield* self.exchange(at.takeMarks, world.marks, 0);
    self.claim(Claim.LogTaken, LOG_FIRST, marks, 0);
    if (marks !== 0) yield* protectPages(self, world);
    self.claim(Claim.LogHarvested, 0, 0, 0);
  }
  yield* self.release(at.unlock, Lock.Log);
  return isOn ? Result.Ok : Result.Invalid;
}

/** Nothing is un-protected: the right to write comes back by faults. */
export function* stopLog(self: Actor, world: PkvmWorld): Operation<number> {
  yield* self.acquire(at.lock, Lock.Log, Mode.Exclusive);
  yield* self.store(at.writeLog, world.log, 0);
  yield* self.store(at.clearMarks, world.marks, 0);
  self.claim(Claim.LogStopped, 0, 0, 0);
  yield* self.release(at.unlock, Lock.Log);
  return Result.Ok;
}

/** The host has the logged pages write-protected, and then what is cached of them flushed. */
function* protectPages(self: Actor, world: PkvmWorld): Operation<void> {
  yield* protect(self, world);
  // a request by a number that the hypervisor does not know any more is rejected, and nobody looks at the answer
  if (!world.bug('A59-flush-request-rejected')) yield* requestFlush(self, world);
}

/** The hypervisor takes the right to write away; it leaves the flush to the host. */
function* protect(self: Actor, world: PkvmWorld): Operation<void> {
  yield* self.trap(hypercallSites.enter);
  if (!(yield* lookUp(self, world, PLAIN, GuestState.Alive, GuestState.Dying))) return;
  const stage = world.stages[PLAIN]!;
  yield* self.acquire(at.lockGuest, stage.lock, Mode.Exclusive);
  for (let page = LOG_FIRST; page < LOG_FIRST + LOG_PAGES; page += 1) {
    const leaf = yield* find(self, world, stage, page);
    if (!isValid(leaf) || (leaf & WRITE) === 0) continue;
    yield* self.store(at.protect, world.places[self.index]!.word, leaf & ~WRITE);
  }
  yield* self.release(at.unlockGuest, stage.lock);
  yield* self.release(at.unlockGuests, Lock.Guests);
}

/** The host names the guest by its handle; a handle that names nobody flushes nothing. */
function* requestFlush(self: Actor, world: PkvmWorld): Operation<void> {
  const isLate = world.bug('A57-handle-known-at-first-run');
  const word = isLate ? world.toldHandle : world.reservedHandle;
  const handle = yield* self.readOnce(at.readHandle, word);
  yield* self.trap(hypercallSites.enter);
  if (!(yield* lookUp(self, world, handle, GuestState.Alive, GuestState.Dying))) return;
  yield* flush(self, world.stages[handle]!, LOG_FIRST, LAST_LEVEL, LOG_PAGES);
  yield* self.release(at.unlockGuests, Lock.Guests);
}

/** The host shares a page with the plain guest, which may write it: while the log runs the page counts as written. */
export function* shareLogged(
  self: Actor,
  world: PkvmWorld,
  guest: number,
  page: number,
  frame: number,
): Operation<number> {
  yield* self.acquire(at.lock, Lock.Log, Mode.Exclusive);
  const result = yield* shareWithGuest(self, world, guest, page, frame, false);
  if (result === Result.Ok) yield* mark(self, world, page);
  yield* self.release(at.unlock, Lock.Log);
  return result;
}

function* mark(self: Actor, world: PkvmWorld, page: number): Operation<void> {
  if (!isLogged(page) || (yield* self.readOnce(at.readLog, world.log)) === 0) return;
  yield* self.or(at.mark, world.marks, 1 << (page - LOG_FIRST));
  self.claim(Claim.LogMarked, page, 0, 0);
}

/** A vCPU writes; while its write faults for want of the right, the host marks the page and has the right given back. */
export function* writeLogged(
  self: Actor,
  world: PkvmWorld,
  guest: number,
  page: number,
): Operation<number> {
  for (;;) {
    const result = yield* runGuest(self, world, guest, page, Intent.Write);
    if (result !== Result.Again) return result;
    yield* self.acquire(at.lock, Lock.Log, Mode.Exclusive);
    yield* mark(self, world, page);
    const isRepaired = yield* relax(self, world, guest, page);
    self.claim(Claim.FaultHandled, page, isRepaired ? 1 : 0, 0);
    yield* self.release(at.unlock, Lock.Log);
  }
}

/** The hypervisor lets a guest write a page again; false when the page is gone. */
function* relax(self: Actor, world: PkvmWorld, guest: number, page: number): Operation<boolean> {
  yield* self.trap(hypercallSites.enter);
  if (!(yield* lookUp(self, world, guest, GuestState.Alive))) return false;
  const stage = world.stages[guest]!;
  yield* self.acquire(at.lockGuest, stage.lock, Mode.Exclusive);
  const leaf = yield* find(self, world, stage, page);
  if (isValid(leaf)) {
    yield* self.store(at.relax, world.places[self.index]!.word, leaf | WRITE);
    yield* self.dsb(at.publish, Domain.InnerStore);
    // the entry that made the fault may be cached here
    yield* flush(self, stage, page, LAST_LEVEL, 1);
  }
  yield* self.release(at.unlockGuest, stage.lock);
  yield* self.release(at.unlockGuests, Lock.Guests);
  return isValid(leaf);
}
