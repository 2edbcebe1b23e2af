/**
 * Pages of guests: given to a protected guest, shared with a plain one, shared back by the guest, taken back by the host.
 * The host's lock first, then the guest's; everything that can fail is checked before anything changes.
 *
 * Mirrors: memory protection of the hypervisor, Linux 6.15 and later.
 * Leaves out: dirty logging and access flags of plain guests.
 * Source: spec/arm.md 6.7. A page that leaves a guest is cleared after the guest's entry is gone, not before.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { frameOf, isTable, isValid } from '../../sim/descriptor.ts';
import { alignDown, entriesPerTable, LAST_LEVEL, levelPages } from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import { PageState } from '../../sim/ownership.ts';
import { sites } from '../../sim/site.ts';
import { loadVcpu, putVcpu } from './guests.ts';
import { hypercallSites } from './hypercall.ts';
import { guestLeaf, isMemory, WINDOW } from './layout.ts';
import { hostState, hypState, record, tag, tagOf } from './records.ts';
import { find, mapLeaf, unmapFound } from './tables.ts';
import { annotateHost, bit, claimOwner, mapHost, mayChangeHands, POISON } from './transitions.ts';
import { GuestState, Lock, Owner, type PkvmWorld, PROTECTED } from './world.ts';

export const guestPageSites = sites('guest-page', [
  'lockGuests',
  'unlockGuests',
  'readState',
  'lockHost',
  'lockGuest',
  'unlockGuest',
  'unlockHost',
  'readRecord',
  'writeRecord',
  'readShares',
  'writeShares',
  'readCache',
  'readBelow',
  'clear',
]);
const at = guestPageSites;

const { Owned, SharedOwned, SharedBorrowed, None } = PageState;

function* lockGuest(self: Actor, guest: number): Operation<void> {
  yield* self.acquire(at.lockHost, Lock.Host, Mode.Exclusive);
  yield* self.acquire(at.lockGuest, Lock.Guest + guest, Mode.Exclusive);
}

function* unlockGuest(self: Actor, guest: number): Operation<void> {
  yield* self.release(at.unlockGuest, Lock.Guest + guest);
  yield* self.release(at.unlockHost, Lock.Host);
}

/** Pages set aside for the vCPU serve a walk to the last level. */
function* cacheServes(
  self: Actor,
  world: PkvmWorld,
  guest: number,
  vcpu: number,
): Operation<boolean> {
  const words = world.guests[guest]!;
  const pages = yield* self.readOnce(at.readCache, words.cacheCount + vcpu);
  return pages >= LAST_LEVEL - world.stages[guest]!.geometry.startLevel;
}

/** The host gives a page to a protected guest. */
export function* donateToGuest(
  self: Actor,
  world: PkvmWorld,
  guest: number,
  page: number,
  frame: number,
): Operation<number> {
  yield* self.trap(hypercallSites.enter);
  if (!mayChangeHands(world, frame) || guest !== PROTECTED) return Result.Invalid;
  const vcpu = self.pe & 1;
  const loaded = yield* loadVcpu(self, world, guest, vcpu);
  if (loaded !== Result.Ok) return loaded;
  yield* lockGuest(self, guest);
  const stage = world.stages[guest]!;
  const old = yield* self.readOnce(at.readRecord, world.record(frame));
  let result: number = Result.Ok;
  if (old !== record(Owned, None)) result = Result.Refused;
  else if ((yield* find(self, world, stage, page)) !== 0) result = Result.Refused;
  else if (!world.bug('M20b-cache-not-checked') && !(yield* cacheServes(self, world, guest, vcpu)))
    result = Result.Exhausted;
  if (result === Result.Ok) {
    const owner = Owner.Guest + guest;
    yield* annotateHost(self, world, frame, owner, page);
    claimOwner(self, frame, owner, bit(owner));
    yield* self.store(at.writeRecord, world.record(frame), record(None, None));
    const leaf = guestLeaf(frame) | tag(Owned);
    result = yield* mapLeaf(self, world, stage, page, LAST_LEVEL, leaf, vcpu);
  }
  yield* unlockGuest(self, guest);
  yield* putVcpu(self, world, guest, vcpu);
  return result;
}

/** The host shares a page, or a block, with a guest that is not protected. */
export function* shareWithGuest(
  self: Actor,
  world: PkvmWorld,
  guest: number,
  page: number,
  frame: number,
  isBlock: boolean,
): Operation<number> {
  yield* self.trap(hypercallSites.enter);
  const stage = world.stages[guest]!;
  const level = isBlock ? LAST_LEVEL - 1 : LAST_LEVEL;
  const pages = levelPages(stage.geometry, level);
  if (!mayChangeHands(world, frame) || guest === PROTECTED) return Result.Invalid;
  if (frame % pages !== 0 || page % pages !== 0 || page + pages > WINDOW) return Result.Invalid;
  const vcpu = self.pe & 1;
  const loaded = yield* loadVcpu(self, world, guest, vcpu);
  if (loaded !== Result.Ok) return loaded;
  yield* lockGuest(self, guest);
  let result: number = (yield* isEmpty(self, world, guest, page, level))
    ? Result.Ok
    : Result.Refused;
  for (let i = 0; i < pages && result === Result.Ok; i += 1)
    result = yield* mayShare(self, world, frame + i);
  const isCacheChecked = !world.bug('M20a-shared-before-cache-check');
  if (result === Result.Ok && isCacheChecked && !(yield* cacheServes(self, world, guest, vcpu)))
    result = Result.Exhausted;
  for (let i = 0; i < pages && result === Result.Ok; i += 1) {
    const shares = yield* self.readOnce(at.readShares, world.shares(frame + i));
    yield* self.store(at.writeShares, world.shares(frame + i), shares + 1);
    yield* self.store(at.writeRecord, world.record(frame + i), record(SharedOwned, None));
  }
  if (!isCacheChecked && result === Result.Ok && !(yield* cacheServes(self, world, guest, vcpu)))
    result = Result.Exhausted;
  if (result === Result.Ok) {
    for (let i = 0; i < pages; i += 1)
      claimOwner(self, frame + i, Owner.Host, bit(Owner.Host) | bit(Owner.Guest + guest));
    const leaf = guestLeaf(frame) | tag(SharedBorrowed);
    result = yield* mapLeaf(self, world, stage, page, level, leaf, vcpu);
  }
  yield* unlockGuest(self, guest);
  yield* putVcpu(self, world, guest, vcpu);
  return result;
}

/** Nothing of the guest lies in a range: no leaf, no mark, at most an empty table. */
function* isEmpty(
  self: Actor,
  world: PkvmWorld,
  guest: number,
  page: number,
  level: number,
): Operation<boolean> {
  const stage = world.stages[guest]!;
  const entry = yield* find(self, world, stage, page, level);
  if (entry === 0) return true;
  if (level === LAST_LEVEL || !isTable(entry)) return false;
  const child = frameOf(entry);
  for (let index = 0; index < entriesPerTable(stage.geometry); index += 1) {
    const word = self.machine.memory.address(child, index);
    if ((yield* self.readOnce(at.readBelow, word)) !== 0) return false;
  }
  return true;
}

function* mayShare(self: Actor, world: PkvmWorld, frame: number): Operation<number> {
  if (!isMemory(frame)) return Result.Invalid;
  const old = yield* self.readOnce(at.readRecord, world.record(frame));
  if (old === record(Owned, None)) return Result.Ok;
  if (old !== record(SharedOwned, None)) return Result.Refused;
  return (yield* self.readOnce(at.readShares, world.shares(frame))) > 0
    ? Result.Ok
    : Result.Refused;
}

/** The host takes a shared page or block back from a guest. */
export function* unshareWithGuest(
  self: Actor,
  world: PkvmWorld,
  guest: number,
  page: number,
  isBlock: boolean,
): Operation<number> {
  yield* self.trap(hypercallSites.enter);
  if (guest === PROTECTED) return Result.Invalid;
  if (!(yield* lookUp(self, world, guest, GuestState.Alive, GuestState.Dying)))
    return Result.NoEntry;
  const stage = world.stages[guest]!;
  yield* lockGuest(self, guest);
  const leaf = yield* find(self, world, stage, page);
  const { level } = world.places[self.index]!;
  let result: number = Result.Ok;
  if (!isValid(leaf)) result = Result.NoEntry;
  else if (level !== (isBlock ? LAST_LEVEL - 1 : LAST_LEVEL)) result = Result.TooBig;
  else if (tagOf(leaf) !== SharedBorrowed) result = Result.Refused;
  if (result === Result.Ok) {
    const pages = levelPages(stage.geometry, level);
    yield* unmapFound(self, world, stage, alignDown(page, pages));
    for (let i = 0; i < pages; i += 1) yield* endShare(self, world, frameOf(leaf) + i, guest);
  }
  yield* unlockGuest(self, guest);
  yield* self.release(at.unlockGuests, Lock.Guests);
  return result;
}

function* endShare(self: Actor, world: PkvmWorld, frame: number, guest: number): Operation<void> {
  const shares = yield* self.readOnce(at.readShares, world.shares(frame));
  yield* self.store(at.writeShares, world.shares(frame), shares - 1);
  const isLast = shares === 1;
  if (isLast) yield* self.store(at.writeRecord, world.record(frame), record(Owned, None));
  claimOwner(
    self,
    frame,
    Owner.Host,
    isLast ? bit(Owner.Host) : bit(Owner.Host) | bit(Owner.Guest + guest),
  );
}

/** Holds the guest table's lock on success, so that the guest stays what it is. */
export function* lookUp(
  self: Actor,
  world: PkvmWorld,
  guest: number,
  ...states: readonly number[]
): Operation<boolean> {
  yield* self.acquire(at.lockGuests, Lock.Guests, Mode.Exclusive);
  const state = yield* self.readOnce(at.readState, world.guests[guest]!.state);
  const isFound = states.includes(state);
  if (!isFound) yield* self.release(at.unlockGuests, Lock.Guests);
  return isFound;
}

// ---- asked for by the guest ----

/** A protected guest lets the host use one of its pages, or ends that. */
export function* changeGuestShare(
  self: Actor,
  world: PkvmWorld,
  guest: number,
  page: number,
  shares: boolean,
): Operation<number> {
  yield* self.trap(hypercallSites.enter);
  if (guest !== PROTECTED) return Result.Invalid;
  const vcpu = self.pe & 1;
  const loaded = yield* loadVcpu(self, world, guest, vcpu);
  if (loaded !== Result.Ok) return loaded;
  const stage = world.stages[guest]!;
  const owner = Owner.Guest + guest;
  yield* lockGuest(self, guest);
  const leaf = yield* find(self, world, stage, page);
  let result: number = Result.Ok;
  if (!isValid(leaf)) result = Result.NoEntry;
  else if (tagOf(leaf) !== (shares ? Owned : SharedOwned)) result = Result.Refused;
  else {
    const frame = frameOf(leaf);
    const old = yield* self.readOnce(at.readRecord, world.record(frame));
    if (hostState(old) !== (shares ? None : SharedBorrowed)) result = Result.Refused;
    else if (shares) {
      claimOwner(self, frame, owner, bit(owner) | bit(Owner.Host));
      yield* retag(self, world, guest, page, frame, SharedOwned);
      yield* mapHost(self, world, frame);
      yield* self.store(at.writeRecord, world.record(frame), record(SharedBorrowed, hypState(old)));
    } else {
      yield* annotateHost(self, world, frame, owner, page);
      yield* self.store(at.writeRecord, world.record(frame), record(None, hypState(old)));
      claimOwner(self, frame, owner, bit(owner));
      yield* retag(self, world, guest, page, frame, Owned);
    }
  }
  yield* unlockGuest(self, guest);
  yield* putVcpu(self, world, guest, vcpu);
  return result;
}

function* retag(
  self: Actor,
  world: PkvmWorld,
  guest: number,
  page: number,
  frame: number,
  state: PageState,
): Operation<void> {
  const leaf = guestLeaf(frame) | tag(state);
  yield* mapLeaf(self, world, world.stages[guest]!, page, LAST_LEVEL, leaf);
}

// ---- taken back ----

/** The host takes a page of a dying guest back. */
export function* reclaimDying(
  self: Actor,
  world: PkvmWorld,
  guest: number,
  page: number,
): Operation<number> {
  yield* self.trap(hypercallSites.enter);
  if (!(yield* lookUp(self, world, guest, GuestState.Dying))) return Result.Refused;
  const stage = world.stages[guest]!;
  yield* lockGuest(self, guest);
  const leaf = yield* find(self, world, stage, page);
  let result: number = Result.Ok;
  if (leaf === POISON) result = Result.Ok;
  else if (!isValid(leaf)) result = Result.NoEntry;
  else if (tagOf(leaf) === SharedBorrowed) result = Result.Refused;
  else {
    const frame = frameOf(leaf);
    // a page that the guest shares with the host is the host's to read already
    const reach = tagOf(leaf) === SharedOwned ? bit(Owner.Host) : 0;
    yield* unmapFound(self, world, stage, page);
    claimOwner(self, frame, Owner.Guest + guest, reach);
    yield* returnToHost(self, world, frame, reach === 0);
  }
  yield* unlockGuest(self, guest);
  yield* self.release(at.unlockGuests, Lock.Guests);
  return result;
}

/** The host has touched a page of a guest and takes it away by force. */
export function* reclaimByForce(self: Actor, world: PkvmWorld, frame: number): Operation<number> {
  yield* self.trap(hypercallSites.enter);
  if (!isMemory(frame)) return Result.Invalid;
  yield* self.acquire(at.lockHost, Lock.Host, Mode.Exclusive);
  const mark = yield* find(self, world, world.host, frame);
  yield* self.release(at.unlockHost, Lock.Host);
  const guest = ((mark >>> 1) & 15) - Owner.Guest;
  if (isValid(mark) || guest < 0 || guest >= world.guests.length) return Result.Refused;
  const page = mark >>> 5;
  if (!(yield* lookUp(self, world, guest, GuestState.Alive))) return Result.Again;
  const stage = world.stages[guest]!;
  yield* lockGuest(self, guest);
  const leaf = yield* find(self, world, stage, page);
  const isStill = isValid(leaf) && frameOf(leaf) === frame && tagOf(leaf) === Owned;
  if (isStill) {
    yield* mapLeaf(self, world, stage, page, LAST_LEVEL, POISON);
    claimOwner(self, frame, Owner.Guest + guest, 0);
    yield* returnToHost(self, world, frame, true);
  }
  yield* unlockGuest(self, guest);
  yield* self.release(at.unlockGuests, Lock.Guests);
  return isStill ? Result.Ok : Result.Again;
}

/** Nobody but perhaps the host can reach the page any more. */
function* returnToHost(
  self: Actor,
  world: PkvmWorld,
  frame: number,
  isSecret: boolean,
): Operation<void> {
  if (isSecret && !world.bug('V02-returned-uncleared')) yield* self.zeroPage(at.clear, frame);
  claimOwner(self, frame, Owner.Host, bit(Owner.Host));
  yield* mapHost(self, world, frame);
  yield* self.store(at.writeRecord, world.record(frame), record(Owned, None));
}
