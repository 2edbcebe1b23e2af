/**
 * Beginning and end of a guest: its root is taken from pages that the host gives, and everything it had goes back to the host.
 *
 * Mirrors: creation and teardown of a guest by the hypervisor, Linux 6.14 and later; the tree is destroyed in pieces.
 * Leaves out: rescheduling between the pieces.
 * Source: spec/arm.md 2.5.6, 6.8; amendment E9. A guest that still has pages is not finished: the host has to take them back first.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { frameOf, isTable, isValid } from '../../sim/descriptor.ts';
import { entriesPerTable } from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import { hypercallSites } from './hypercall.ts';
import { popCached } from './page-cache.ts';
import { allocatePages, initialisePool, putPage, splitPages } from './pool.ts';
import { flushAll } from './tables.ts';
import { donateToHost, donateToHyp, unpin } from './transitions.ts';
import { GuestState, Lock, type PkvmWorld, PLAIN, type Stage, VCPUS } from './world.ts';

export const lifecycleSites = sites('lifecycle', [
  'lock',
  'unlock',
  'readState',
  'writeState',
  'writeRoot',
  'makeRoot',
  'insertFails',
  'tellHandle',
  'lockGuest',
  'unlockGuest',
  'readRoot',
  'readEntry',
  'readLeaf',
  'clearLeaf',
  'readCount',
  'clearTable',
  'closePool',
  'writeCount',
  'handBack',
  'readVcpu',
  'readVcpuPage',
  'writeVcpu',
]);
const at = lifecycleSites;

const ROOT_PAGES = 2;
const ROOT_ORDER = 1;

/** Where the first piece of a tree that is destroyed ends. */
const PIECE_PAGES = 4;

/** The host makes a guest, and gives two pages for its root. */
export function* createGuest(
  self: Actor,
  world: PkvmWorld,
  guest: number,
  first: number,
): Operation<number> {
  yield* self.trap(hypercallSites.enter);
  const words = world.guests[guest];
  if (words === undefined || first % ROOT_PAGES !== 0) return Result.Invalid;
  if (!(yield* change(self, world, guest, GuestState.None, GuestState.Hidden)))
    return Result.Exists;
  const stage = world.stages[guest]!;
  const given = yield* donateToHyp(self, world, first, ROOT_PAGES);
  if (given !== Result.Ok) {
    yield* change(self, world, guest, GuestState.Hidden, GuestState.None);
    return given;
  }
  for (let frame = first; frame < first + ROOT_PAGES; frame += 1)
    yield* self.assign(at.makeRoot, frame, Role.Kernel);
  yield* initialisePool(self, world, stage.pool, first, ROOT_PAGES, 0);
  const root = yield* allocatePages(self, world, stage.pool, ROOT_ORDER);
  // references are counted page by page, also of a root of several
  yield* splitPages(self, world, stage.pool, root);
  for (let frame = root; frame < root + ROOT_PAGES; frame += 1)
    yield* self.assign(at.makeRoot, frame, Role.Table);
  yield* self.store(at.writeRoot, words.root, root);
  // the table of guests may have no room
  if (self.choose(at.insertFails, 2) === 1) {
    const isKept = world.bug('A49a-root-referenced-after-failure');
    for (let frame = root; frame < root + ROOT_PAGES; frame += 1) {
      if (isKept) yield* donateToHost(self, world, frame);
      else yield* putPage(self, world, stage.pool, frame);
    }
    yield* drainPool(self, world, stage);
    yield* change(self, world, guest, GuestState.Hidden, GuestState.None);
    return Result.Exhausted;
  }
  self.claim(Claim.ContextCreated, stage.tree, root, 0);
  if (world.configuration.isLogged && guest === PLAIN)
    yield* self.store(at.tellHandle, world.toldHandle, guest);
  yield* change(self, world, guest, GuestState.Hidden, GuestState.Alive);
  return Result.Ok;
}

/** The guest's slot goes from one state to another; false when it was in another one. */
function* change(
  self: Actor,
  world: PkvmWorld,
  guest: number,
  from: number,
  to: number,
): Operation<boolean> {
  const { state } = world.guests[guest]!;
  yield* self.acquire(at.lock, Lock.Guests, Mode.Exclusive);
  const isRight = (yield* self.readOnce(at.readState, state)) === from;
  if (isRight) yield* self.store(at.writeState, state, to);
  yield* self.release(at.unlock, Lock.Guests);
  return isRight;
}

/** The end of a dying guest. Busy while it still has pages. */
export function* finishTeardown(self: Actor, world: PkvmWorld, guest: number): Operation<number> {
  yield* self.trap(hypercallSites.enter);
  const words = world.guests[guest];
  if (words === undefined) return Result.Invalid;
  const stage = world.stages[guest]!;
  yield* self.acquire(at.lock, Lock.Guests, Mode.Exclusive);
  const state = yield* self.readOnce(at.readState, words.state);
  let result: number = state === GuestState.Dying ? Result.Ok : Result.NoEntry;
  if (result === Result.Ok) {
    yield* self.acquire(at.lockGuest, stage.lock, Mode.Exclusive);
    if (yield* hasPages(self, stage)) result = Result.Busy;
    yield* self.release(at.unlockGuest, stage.lock);
  }
  if (result === Result.Ok) {
    yield* flushAll(self, stage);
    yield* self.store(at.writeState, words.state, GuestState.Hidden);
    self.claim(Claim.ContextRetired, stage.tree, 0, 0);
  }
  yield* self.release(at.unlock, Lock.Guests);
  if (result !== Result.Ok) return result;
  // nobody can find the guest any more
  const root = yield* self.readOnce(at.readRoot, stage.root);
  yield* destroy(self, world, stage, root, 0, PIECE_PAGES);
  yield* destroy(self, world, stage, root, PIECE_PAGES, stage.geometry.windowPages);
  for (let frame = root; frame < root + ROOT_PAGES; frame += 1)
    yield* putPage(self, world, stage.pool, frame);
  yield* drainPool(self, world, stage);
  for (let vcpu = 0; vcpu < VCPUS; vcpu += 1) {
    for (;;) {
      const frame = yield* popCached(self, world, stage, vcpu);
      if (frame < 0) break;
      yield* self.assign(at.handBack, frame, Role.Data);
      yield* donateToHost(self, world, frame);
    }
    if ((yield* self.readOnce(at.readVcpu, words.vcpu + vcpu)) === 0) continue;
    const pinned = yield* self.readOnce(at.readVcpuPage, words.vcpuPage + vcpu);
    yield* self.store(at.writeVcpu, words.vcpu + vcpu, 0);
    yield* unpin(self, world, pinned);
  }
  yield* change(self, world, guest, GuestState.Hidden, GuestState.None);
  return Result.Ok;
}

function* hasPages(self: Actor, stage: Stage): Operation<boolean> {
  const { memory } = self.machine;
  const root = yield* self.readOnce(at.readRoot, stage.root);
  const entries = entriesPerTable(stage.geometry);
  for (let i = 0; i < ROOT_PAGES * entries; i += 1) {
    const entry = yield* self.readOnce(at.readEntry, memory.address(root, 0) + i);
    if (!isValid(entry)) continue;
    if (!isTable(entry)) return true;
    for (let index = 0; index < entries; index += 1) {
      const leaf = yield* self.readOnce(at.readLeaf, memory.address(frameOf(entry), index));
      if (isValid(leaf)) return true;
    }
  }
  return false;
}

/** Drops the entries of input pages [from, to), and tables that have none left. */
function* destroy(
  self: Actor,
  world: PkvmWorld,
  stage: Stage,
  root: number,
  from: number,
  to: number,
): Operation<void> {
  const { memory } = self.machine;
  const entries = entriesPerTable(stage.geometry);
  for (let first = 0; first < to; first += entries) {
    if (first + entries <= from) continue;
    const word = memory.address(root, 0) + first / entries;
    const entry = yield* self.readOnce(at.readEntry, word);
    if (!isTable(entry)) continue;
    const child = frameOf(entry);
    for (let page = Math.max(from, first); page < Math.min(to, first + entries); page += 1) {
      const leaf = memory.address(child, page - first);
      if ((yield* self.readOnce(at.readLeaf, leaf)) === 0) continue;
      yield* self.store(at.clearLeaf, leaf, 0);
      yield* putPage(self, world, stage.pool, child);
    }
    const count = yield* self.readOnce(at.readCount, world.count(child));
    if (count !== 1 && !world.bug('A17-destroy-drops-table-in-use')) continue;
    yield* self.store(at.clearTable, word, 0);
    yield* putPage(self, world, stage.pool, memory.frame(word));
    yield* putPage(self, world, stage.pool, child);
  }
}

/** Every page of a guest's pool goes to the host. */
function* drainPool(self: Actor, world: PkvmWorld, stage: Stage): Operation<void> {
  // its pages leave it one by one: it is no pool of this range any more
  yield* self.store(at.closePool, stage.pool.range, 0);
  for (;;) {
    const frame = yield* allocatePages(self, world, stage.pool, 0);
    if (frame < 0) return;
    yield* self.store(at.writeCount, world.count(frame), 0);
    yield* self.assign(at.handBack, frame, Role.Data);
    yield* donateToHost(self, world, frame);
  }
}
