/**
 * Page ownership between host, hypervisor and secure world. Each transition takes the locks of the components that it
 * concerns, checks everything that can fail, and then updates; there is no way back from an update.
 *
 * Mirrors: memory protection of the hypervisor, Linux 6.15 and later.
 * Source: spec/arm.md 6.5, 6.6, 6.7; amendment E16.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { isValid } from '../../sim/descriptor.ts';
import { LAST_LEVEL } from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import { PageState } from '../../sim/ownership.ts';
import { sites } from '../../sim/site.ts';
import { hypercallSites } from './hypercall.ts';
import { hostLeaf, hypLeaf, isMemory, MEMORY } from './layout.ts';
import { Panic } from './pool.ts';
import { hostState, hypState, record } from './records.ts';
import { find, mapLeaf, unmapFound } from './tables.ts';
import { Lock, Owner, type PkvmWorld } from './world.ts';

export const transitionSites = sites('transition', [
  'lockHost',
  'lockHyp',
  'unlockHyp',
  'unlockHost',
  'readRecord',
  'writeRecord',
  'readPins',
  'writePins',
  'writeLent',
  'readSecure',
  'writeSecure',
]);
const at = transitionSites;

const { Owned, SharedOwned, SharedBorrowed, None } = PageState;

/** A word for who owns a page, in the host's table: invalid, and never zero. */
export function annotation(owner: number, page = 0): number {
  return (owner << 1) | (page << 5);
}

/** What a guest's table says where the host has taken a page away by force. */
export const POISON = annotation(7);

export function bit(owner: number): number {
  return 1 << owner;
}

/** Says who owns a page from now on, and who may reach it. */
export function claimOwner(self: Actor, frame: number, owner: number, reach: number): void {
  self.claim(Claim.OwnershipChanged, frame, owner, reach);
}

export function* lockBoth(self: Actor): Operation<void> {
  yield* self.acquire(at.lockHost, Lock.Host, Mode.Exclusive);
  yield* self.acquire(at.lockHyp, Lock.Hyp, Mode.Exclusive);
}

export function* unlockBoth(self: Actor): Operation<void> {
  yield* self.release(at.unlockHyp, Lock.Hyp);
  yield* self.release(at.unlockHost, Lock.Host);
}

/** Whether a page may change hands at all: memory, not a device or what nobody has mapped yet. */
export function mayChangeHands(world: PkvmWorld, frame: number): boolean {
  return isMemory(frame) || world.bug('A51-unmapped-device-donated');
}

/** An update failed although everything was checked: the hypervisor stops. */
function panicUnless(self: Actor, result: number, frame: number): void {
  if (result !== Result.Ok) self.claim(Claim.Fatal, Panic.Update, frame, 0);
}

/** Takes a page out of the host's reach: nobody can use an old translation when this returns. */
export function* annotateHost(
  self: Actor,
  world: PkvmWorld,
  frame: number,
  owner: number,
  page = 0,
): Operation<void> {
  const word = annotation(owner, page);
  panicUnless(self, yield* mapLeaf(self, world, world.host, frame, LAST_LEVEL, word), frame);
}

/** Puts a page into the host's reach. */
export function* mapHost(self: Actor, world: PkvmWorld, frame: number): Operation<void> {
  const leaf = hostLeaf(frame);
  panicUnless(self, yield* mapLeaf(self, world, world.host, frame, LAST_LEVEL, leaf), frame);
}

function* mapHyp(self: Actor, world: PkvmWorld, frame: number): Operation<void> {
  const leaf = hypLeaf(frame);
  panicUnless(self, yield* mapLeaf(self, world, world.hyp, frame, LAST_LEVEL, leaf), frame);
}

function* unmapHyp(self: Actor, world: PkvmWorld, frame: number): Operation<void> {
  const old = yield* find(self, world, world.hyp, frame);
  if (!isValid(old)) self.claim(Claim.Fatal, Panic.Update, frame, 0);
  else yield* unmapFound(self, world, world.hyp, frame);
}

// ---- host and hypervisor ----

export function* shareWithHyp(self: Actor, world: PkvmWorld, frame: number): Operation<number> {
  yield* self.trap(hypercallSites.enter);
  if (!mayChangeHands(world, frame)) return Result.Invalid;
  yield* lockBoth(self);
  const old = yield* self.readOnce(at.readRecord, world.record(frame));
  const isFree = old === record(Owned, None);
  if (isFree) {
    yield* self.store(at.writeRecord, world.record(frame), record(SharedOwned, SharedBorrowed));
    claimOwner(self, frame, Owner.Host, bit(Owner.Host) | bit(Owner.Hyp));
  }
  yield* unlockBoth(self);
  return isFree ? Result.Ok : Result.Refused;
}

export function* unshareWithHyp(self: Actor, world: PkvmWorld, frame: number): Operation<number> {
  yield* self.trap(hypercallSites.enter);
  if (!mayChangeHands(world, frame)) return Result.Invalid;
  yield* lockBoth(self);
  const old = yield* self.readOnce(at.readRecord, world.record(frame));
  const pins = yield* self.readOnce(at.readPins, world.count(frame));
  let result: number = Result.Ok;
  if (old !== record(SharedOwned, SharedBorrowed)) result = Result.Refused;
  else if (!world.bug('V01-unshare-ignores-pins') && pins !== 0) result = Result.Busy;
  if (result === Result.Ok) {
    yield* self.store(at.writeRecord, world.record(frame), record(Owned, None));
    claimOwner(self, frame, Owner.Host, bit(Owner.Host));
  }
  yield* unlockBoth(self);
  return result;
}

/** The hypervisor relies on a page that the host shares: mapped with the first pin. */
export function* pin(self: Actor, world: PkvmWorld, frame: number): Operation<number> {
  if (!mayChangeHands(world, frame)) return Result.Invalid;
  yield* lockBoth(self);
  const old = yield* self.readOnce(at.readRecord, world.record(frame));
  const isShared = old === record(SharedOwned, SharedBorrowed);
  if (isShared) {
    const pins = yield* self.readOnce(at.readPins, world.count(frame));
    if (pins === 0) yield* mapHyp(self, world, frame);
    yield* self.store(at.writePins, world.count(frame), pins + 1);
  }
  yield* unlockBoth(self);
  return isShared ? Result.Ok : Result.Refused;
}

/** The page is pinned by the caller. */
export function* unpin(self: Actor, world: PkvmWorld, frame: number): Operation<void> {
  yield* lockBoth(self);
  const pins = yield* self.readOnce(at.readPins, world.count(frame));
  yield* self.store(at.writePins, world.count(frame), pins - 1);
  if (pins === 1) yield* unmapHyp(self, world, frame);
  yield* unlockBoth(self);
}

/** The host gives pages to the hypervisor: all of them or none. */
export function* donateToHyp(
  self: Actor,
  world: PkvmWorld,
  first: number,
  pages: number,
): Operation<number> {
  for (let frame = first; frame < first + pages; frame += 1) {
    if (frame > first && world.bug('A50-only-first-page-checked')) break;
    if (!mayChangeHands(world, frame)) return Result.Invalid;
  }
  yield* lockBoth(self);
  let isFree = true;
  for (let frame = first; frame < first + pages && isFree; frame += 1) {
    const old = yield* self.readOnce(at.readRecord, world.record(frame));
    isFree = old === record(Owned, None);
  }
  for (let frame = first; frame < first + pages && isFree; frame += 1) {
    claimOwner(self, frame, Owner.Host, bit(Owner.Host) | bit(Owner.Hyp));
    const mapped = yield* mapLeaf(self, world, world.hyp, frame, LAST_LEVEL, hypLeaf(frame));
    const away = annotation(Owner.Hyp);
    const taken = yield* mapLeaf(self, world, world.host, frame, LAST_LEVEL, away);
    panicUnless(self, mapped || taken, frame);
    yield* self.store(at.writeRecord, world.record(frame), record(None, Owned));
    claimOwner(self, frame, Owner.Hyp, bit(Owner.Hyp));
  }
  yield* unlockBoth(self);
  return isFree ? Result.Ok : Result.Refused;
}

/** The hypervisor gives one of its pages to the host; it knows that it does not use it any more. */
export function* donateToHost(self: Actor, world: PkvmWorld, frame: number): Operation<number> {
  if (!mayChangeHands(world, frame)) return Result.Invalid;
  yield* lockBoth(self);
  const old = yield* self.readOnce(at.readRecord, world.record(frame));
  const isOwn = old === record(None, Owned);
  if (isOwn) {
    if (!isValid(yield* find(self, world, world.hyp, frame)))
      self.claim(Claim.Fatal, Panic.Update, frame, 0);
    yield* unmapFound(self, world, world.hyp, frame);
    claimOwner(self, frame, Owner.Host, bit(Owner.Host));
    const leaf = hostLeaf(frame);
    panicUnless(self, yield* mapLeaf(self, world, world.host, frame, LAST_LEVEL, leaf), frame);
    yield* self.store(at.writeRecord, world.record(frame), record(Owned, None));
  }
  yield* unlockBoth(self);
  return isOwn ? Result.Ok : Result.Refused;
}

// ---- what the host may ask for ----

/** A page for the hypervisor to keep until the host asks for it back. */
export function* lend(
  self: Actor,
  world: PkvmWorld,
  first: number,
  pages: number,
): Operation<number> {
  yield* self.trap(hypercallSites.enter);
  const result = yield* donateToHyp(self, world, first, pages);
  if (result !== Result.Ok) return result;
  const mask = ((1 << pages) - 1) << (first - MEMORY);
  yield* self.or(at.writeLent, world.lent, mask);
  return Result.Ok;
}

export function* takeBack(self: Actor, world: PkvmWorld, frame: number): Operation<number> {
  yield* self.trap(hypercallSites.enter);
  if (!isMemory(frame)) return Result.Invalid;
  const own = 1 << (frame - MEMORY);
  // who clears the mark is the one that gives the page back
  const lent = yield* self.and(at.writeLent, world.lent, ~own);
  if ((lent & own) === 0) return Result.Refused;
  return yield* donateToHost(self, world, frame);
}

/** The host shares a page with the secure world, which keeps its own account of it. */
export function* shareSecure(self: Actor, world: PkvmWorld, frame: number): Operation<number> {
  yield* self.trap(hypercallSites.enter);
  if (!mayChangeHands(world, frame)) return Result.Invalid;
  yield* self.acquire(at.lockHost, Lock.Host, Mode.Exclusive);
  const old = yield* self.readOnce(at.readRecord, world.record(frame));
  const isFree = hostState(old) === Owned;
  if (isFree) {
    yield* self.store(at.writeRecord, world.record(frame), record(SharedOwned, hypState(old)));
    yield* self.or(at.writeSecure, world.secureShares, 1 << (frame - MEMORY));
    claimOwner(self, frame, Owner.Host, bit(Owner.Host) | bit(Owner.Secure));
  }
  yield* self.release(at.unlockHost, Lock.Host);
  return isFree ? Result.Ok : Result.Refused;
}

export function* unshareSecure(self: Actor, world: PkvmWorld, frame: number): Operation<number> {
  yield* self.trap(hypercallSites.enter);
  if (!mayChangeHands(world, frame)) return Result.Invalid;
  const own = 1 << (frame - MEMORY);
  yield* self.acquire(at.lockHost, Lock.Host, Mode.Exclusive);
  const old = yield* self.readOnce(at.readRecord, world.record(frame));
  const shares = yield* self.readOnce(at.readSecure, world.secureShares);
  const isListed = (shares & own) !== 0 || world.bug('M21-unshare-of-any-shared-page');
  const isShared = hostState(old) === SharedOwned && isListed;
  if (isShared) {
    yield* self.store(at.writeRecord, world.record(frame), record(Owned, hypState(old)));
    yield* self.and(at.writeSecure, world.secureShares, ~own);
    claimOwner(self, frame, Owner.Host, bit(Owner.Host));
  }
  yield* self.release(at.unlockHost, Lock.Host);
  return isShared ? Result.Ok : Result.Refused;
}
