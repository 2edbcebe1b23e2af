/**
 * The end of a domain, in pieces, and the next one with the same VMID.
 *
 * Mirrors: Xen at c447b7308b, domain_relinquish_resources() as far as the p2m goes: relinquish_p2m_mapping(),
 *          p2m_clear_root_pages(), p2m_teardown(), p2m_final_teardown(); p2m_init().
 * Leaves out: VMIDs other than the one; the order in which upstream frees the domain's memory (before its mappings go, which
 *             the allocator's flush makes safe): here it is freed after them.
 * Source: spec/x86-xen.md C10.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { frameOf } from '../../sim/descriptor.ts';
import { entriesPerTable, levelPages } from '../../sim/geometry.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import { Access, isRam, Type, typeOf } from './p2m-entry.ts';
import { flushDevices, flushDomain, lockTables, unlockTables } from './p2m-flush.ts';
import { findEntry } from './p2m-lookup.ts';
import { dropReference, freeTable } from './p2m-pages.ts';
import { NO_FRAME, reachEntry, replaceEntry } from './p2m-set.ts';
import { P2M_TREE, type P2mWorld, State } from './p2m-world.ts';

export const destroySites = sites('p2m-destroy', [
  'die',
  'waitUsers',
  'readLowest',
  'readEnd',
  'isPreempted',
  'writeLowest',
  'clearRoot',
  'oweFlush',
  'readList',
  'waitHolders',
  'bury',
  'freeRoot',
  'gone',
]);
const at = destroySites;

export const createSites = sites('p2m-create', [
  'begin',
  'giveUp',
  'allocateRoot',
  'resetEnd',
  'resetLowest',
  'resetCount',
  'resetLast',
  'live',
]);
const creating = createSites;

const REMOVAL = { frame: NO_FRAME, type: Type.Invalid, access: Access.All, isNew: true };

/** Steps between two looks whether to give way. */
const STEPS_BETWEEN = 4;

export function* destroyDomain(self: Actor, world: P2mWorld): Operation<number> {
  const before = yield* self.compareExchange(at.die, world.state, State.Alive, State.Dying);
  if (before !== State.Alive) return Result.Invalid;
  world.handover = self.index;
  yield* self.waitFor(at.waitUsers, world.users, 0);
  yield* flushDevices(self, world, 0, world.geometry.windowPages);
  self.claim(Claim.ContextObsolete, P2M_TREE, 0, 0);
  const memory: number[] = [];
  while (!(yield* relinquish(self, world, memory)));
  const clearsLate = world.bug('X07c-tables-freed-before-root');
  if (!clearsLate) yield* clearRoot(self, world);
  while (!(yield* freeTables(self, world)));
  if (clearsLate) yield* clearRoot(self, world);
  yield* freeRoot(self, world);
  for (const frame of memory) yield* dropReference(self, world, frame);
  return Result.Ok;
}

/** Removes mappings until it gives way; true when there are none left. Notes frames of memory. */
function* relinquish(self: Actor, world: P2mWorld, memory: number[]): Operation<boolean> {
  const { geometry } = world;
  const cursor = world.cursor(self);
  yield* lockTables(self);
  cursor.forget();
  const revoked: number[] = [];
  let page = yield* self.readOnce(at.readLowest, world.lowestMapped);
  const end = yield* self.readOnce(at.readEnd, world.mappedEnd);
  let isDone = true;
  for (let steps = 1; page < end; steps += 1) {
    const entry = yield* findEntry(self, world, page);
    const { level } = cursor;
    const pages = levelPages(geometry, level);
    page &= ~(pages - 1);
    if (entry !== 0) {
      // C4 used directly: setting a range is refused for a dying domain
      const word = yield* reachEntry(self, world, page, level, true);
      const request = { ...REMOVAL, page, pages };
      if (word >= 0) yield* replaceEntry(self, world, request, page, NO_FRAME, level, word);
      for (let i = 0; i < pages; i += 1) {
        revoked.push(page + i, frameOf(entry) + i);
        if (isRam(typeOf(entry))) memory.push(frameOf(entry) + i);
      }
    }
    page += pages;
    if (steps % STEPS_BETWEEN !== 0 || self.choose(at.isPreempted, 2) === 0) continue;
    isDone = page >= end;
    break;
  }
  yield* self.store(at.writeLowest, world.lowestMapped, page);
  yield* unlockTables(self, world, false, revoked);
  return isDone;
}

/** Nobody walks the tables any more, in software or hardware, before they are freed. */
function* clearRoot(self: Actor, world: P2mWorld): Operation<void> {
  const { geometry, machine } = world;
  yield* lockTables(self);
  for (let root = 0; root < geometry.rootPages; root += 1) {
    for (let index = 0; index < entriesPerTable(geometry); index += 1) {
      const word = machine.memory.address(world.rootFrame + root, index);
      yield* self.store(at.clearRoot, word, 0);
    }
  }
  yield* self.store(at.oweFlush, world.needFlush, 1);
  yield* unlockTables(self, world);
}

/** Frees the pages on the list until it gives way; true when none is left. */
function* freeTables(self: Actor, world: P2mWorld): Operation<boolean> {
  yield* lockTables(self);
  let steps = 0;
  for (let index = 0; index < world.quarantineWords; index += 1) {
    const bits = yield* self.readOnce(at.readList, world.tableList + index);
    for (let bit = 0; bit < 32; bit += 1) {
      if ((bits & (1 << bit)) === 0) continue;
      yield* freeTable(self, world, index * 32 + bit);
      steps += 1;
      if (steps % STEPS_BETWEEN !== 0 || self.choose(at.isPreempted, 2) === 0) continue;
      yield* unlockTables(self, world);
      return false;
    }
  }
  yield* unlockTables(self, world);
  return true;
}

/** When nobody holds the domain any more. */
function* freeRoot(self: Actor, world: P2mWorld): Operation<void> {
  yield* self.store(at.bury, world.state, State.Burying);
  yield* self.waitFor(at.waitHolders, world.holders, 0);
  const { rootFrame } = world;
  world.rootFrame = 0;
  self.claim(Claim.ContextRetired, P2M_TREE, 0, 0);
  yield* self.free(at.freeRoot, rootFrame, world.geometry.rootPages);
  world.handover = -1;
  yield* self.store(at.gone, world.state, State.Absent);
}

/** One domain after the other. */
export function* rebootDomain(self: Actor, world: P2mWorld): Operation<number> {
  const result = yield* destroyDomain(self, world);
  return result === Result.Ok ? yield* createDomain(self, world) : result;
}

/** A domain with the VMID of the one before; what was cached for it is removed before its first use. */
function* createDomain(self: Actor, world: P2mWorld): Operation<number> {
  const { Absent, Making } = State;
  const state = yield* self.compareExchange(creating.begin, world.state, Absent, Making);
  if (state !== Absent) return Result.Invalid;
  world.handover = self.index;
  const { rootPages } = world.geometry;
  const root =
    rootPages === 1
      ? yield* self.allocate(creating.allocateRoot, Role.Table, true)
      : yield* self.allocateRun(creating.allocateRoot, Role.Table, rootPages, true);
  if (root < 0) {
    world.handover = -1;
    yield* self.store(creating.giveUp, world.state, Absent);
    return Result.NoMemory;
  }
  world.rootFrame = root;
  yield* self.store(creating.resetEnd, world.mappedEnd, 0);
  yield* self.store(creating.resetLowest, world.lowestMapped, 0);
  for (let level = 1; level <= 3; level += 1)
    yield* self.store(creating.resetCount, world.shattered + level, 0);
  yield* flushDomain(self, world);
  for (const pe of self.machine.pes) {
    if (pe.isDevice) world.loadContext(pe.index);
    yield* self.store(creating.resetLast, world.lastVcpu + pe.index, 0);
  }
  self.claim(Claim.ContextCreated, P2M_TREE, root, 0);
  world.handover = -1;
  yield* self.store(creating.live, world.state, State.Alive);
  return Result.Ok;
}
