/**
 * What another domain does to the p2m: memory, pages of others, device registers, look-ups, types, rights.
 *
 * Mirrors: Xen at c447b7308b, guest_physmap_add_entry(), guest_remove_page(), xenmem_add_to_physmap_one(),
 *          map_mmio_regions(), get_page_from_gfn(), p2m_set_mem_access(), p2m_invalidate_root().
 * Leaves out: who may do it, hypercall continuations other than of destruction.
 * Source: spec/x86-xen.md C2, C3, C9; amendment E23.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { isValid, VALID } from '../../sim/descriptor.ts';
import { entriesPerTable, levelPages } from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { Access, isForeign, isRam, Type, typeOf } from './p2m-entry.ts';
import { lockTables, unlockTables } from './p2m-flush.ts';
import { findEntry, frameFor } from './p2m-lookup.ts';
import { allocatePages, dropReference, getPage, putPage } from './p2m-pages.ts';
import { NO_FRAME, setRange } from './p2m-set.ts';
import { deviceFrames, Lock, P2M_TREE, type P2mWorld, State } from './p2m-world.ts';

export const toolSites = sites('toolstack', [
  'hold',
  'readState',
  'drop',
  'readDying',
  'lockShared',
  'unlockShared',
  'readForeign',
  'readAccess',
  'giveUp',
]);
const at = toolSites;

export const trackSites = sites('p2m-track', ['readEntry', 'hideEntry', 'oweFlush']);

/** The domain stays until it is dropped; false when there is none. */
export function* holdDomain(self: Actor, world: P2mWorld): Operation<boolean> {
  yield* self.add(at.hold, world.holders, 1);
  if ((yield* self.readOnce(at.readState, world.state)) <= State.Dying) return true;
  yield* self.add(at.drop, world.holders, -1);
  return false;
}

export function* dropDomain(self: Actor, world: P2mWorld): Operation<void> {
  yield* self.add(at.drop, world.holders, -1);
}

/** Takes the lock to set entries; false when the domain is dying, and nothing may be set. */
function* lockToSet(self: Actor, world: P2mWorld): Operation<boolean> {
  const looksEarly = world.bug('X07b-dying-checked-outside-lock');
  let state: number = State.Alive;
  if (looksEarly) state = yield* self.readOnce(at.readDying, world.state);
  yield* lockTables(self);
  if (!looksEarly) state = yield* self.readOnce(at.readDying, world.state);
  return state === State.Alive || world.bug('X07a-dying-not-checked');
}

/** New memory for the domain. */
export function* populate(
  self: Actor,
  world: P2mWorld,
  page: number,
  pages: number,
): Operation<number> {
  if (!(yield* holdDomain(self, world))) return Result.Refused;
  const frame = yield* allocatePages(self, world, pages);
  let result: number = frame < 0 ? Result.NoMemory : Result.Refused;
  if (frame >= 0) {
    let done = 0;
    if (yield* lockToSet(self, world)) {
      const request = { page, pages, frame, type: Type.RamRw, access: Access.All, isNew: true };
      result = yield* setRange(self, world, request);
      ({ done } = world.cursor(self));
    }
    yield* unlockTables(self, world, result !== Result.Ok);
    // what could not be mapped goes back
    for (let i = done; i < pages; i += 1) yield* dropReference(self, world, frame + i);
  }
  yield* dropDomain(self, world);
  return result;
}

/** Memory or others' pages are taken away; memory is freed. The caller knows which frame is first. */
export function* removePages(
  self: Actor,
  world: P2mWorld,
  page: number,
  pages: number,
): Operation<number> {
  if (!(yield* holdDomain(self, world))) return Result.Refused;
  const [frame, isOthers] = yield* lookUpCounted(self, world, page);
  let result: number = Result.Invalid;
  if (frame >= 0) {
    const taken: number[] = [];
    result = Result.Refused;
    if (yield* lockToSet(self, world)) {
      result = yield* checkFrames(self, world, page, pages, frame, taken);
      const type = Type.Invalid;
      const request = { page, pages, frame: NO_FRAME, type, access: Access.All, isNew: true };
      if (result === Result.Ok) result = yield* setRange(self, world, request);
    }
    const isRemoved = result === Result.Ok || world.bug('X14-failed-removal-ignored');
    yield* unlockTables(self, world, result !== Result.Ok, isRemoved ? taken : []);
    for (let i = 1; isRemoved && !isOthers && i < taken.length; i += 2)
      yield* dropReference(self, world, taken[i]!);
    yield* putPage(self, world, frame, isOthers);
  }
  yield* dropDomain(self, world);
  return result;
}

/** "Give me a counted page": its frame, or -1, and whether another domain owns it. */
function* lookUpCounted(
  self: Actor,
  world: P2mWorld,
  page: number,
): Operation<readonly [number, boolean]> {
  yield* self.acquire(at.lockShared, Lock.P2m, Mode.Shared);
  const entry = yield* findEntry(self, world, page);
  const type = typeOf(entry);
  const frame = frameFor(self, world, page, entry);
  const isOthers = isForeign(type);
  // the mapping holds a reference only as long as nobody takes it away
  let isCounted = isOthers && (yield* getPage(self, world, frame, true));
  yield* self.release(at.unlockShared, Lock.P2m);
  if (isRam(type)) isCounted = yield* getPage(self, world, frame, false);
  return [isCounted ? frame : -1, isOthers];
}

/** C3: every page of the range that is mapped maps the frame that the caller believes; adds page and frame. */
function* checkFrames(
  self: Actor,
  world: P2mWorld,
  page: number,
  pages: number,
  frame: number,
  taken: number[],
): Operation<number> {
  for (let i = 0; i < pages; i += 1) {
    const entry = yield* findEntry(self, world, page + i);
    if (entry === 0) continue;
    if (typeOf(entry) === Type.Mmio) return Result.Invalid;
    if (frameFor(self, world, page + i, entry) !== frame + i) return Result.Invalid;
    taken.push(page + i, frame + i);
  }
  return Result.Ok;
}

/** Adjacent pages of another domain, with a reference for each. */
export function* mapForeign(
  self: Actor,
  world: P2mWorld,
  page: number,
  index: number,
  pages: number,
): Operation<number> {
  if (!(yield* holdDomain(self, world))) return Result.Refused;
  const frames: number[] = [];
  for (let i = 0; i < pages; i += 1) {
    const frame = yield* self.readOnce(at.readForeign, world.foreign + index + i);
    if (frame === 0 || !(yield* getPage(self, world, frame, true))) break;
    frames.push(frame);
  }
  let result: number = Result.Refused;
  let done = 0;
  if (frames.length === pages) {
    if (yield* lockToSet(self, world)) {
      const type = Type.ForeignRw;
      const request = { page, pages, frame: frames[0]!, type, access: Access.All, isNew: true };
      result = yield* setRange(self, world, request);
      ({ done } = world.cursor(self));
    }
    yield* unlockTables(self, world, result !== Result.Ok);
  }
  for (const frame of frames.slice(done)) yield* putPage(self, world, frame, true);
  yield* dropDomain(self, world);
  return result;
}

/** The other domain gives up one of its pages; who maps it still holds a reference. */
export function* releaseForeign(self: Actor, world: P2mWorld, index: number): Operation<number> {
  const frame = yield* self.exchange(at.giveUp, world.foreign + index, 0);
  if (frame === 0) return Result.Invalid;
  yield* dropReference(self, world, frame);
  return Result.Ok;
}

/** Registers of a device, from the index on. */
export function* mapDevice(
  self: Actor,
  world: P2mWorld,
  page: number,
  index: number,
  pages: number,
): Operation<number> {
  if (!(yield* holdDomain(self, world))) return Result.Refused;
  let result: number = Result.Refused;
  if (yield* lockToSet(self, world)) {
    const frame = deviceFrames(world.geometry)[0] + index;
    const request = { page, pages, frame, type: Type.Mmio, access: Access.All, isNew: true };
    result = yield* setRange(self, world, request);
  }
  yield* unlockTables(self, world, result !== Result.Ok);
  yield* dropDomain(self, world);
  return result;
}

/** A range that holds registers, or nothing, is taken away. */
export function* unmapDevice(
  self: Actor,
  world: P2mWorld,
  page: number,
  pages: number,
): Operation<number> {
  if (!(yield* holdDomain(self, world))) return Result.Refused;
  let result: number = Result.Refused;
  const taken: number[] = [];
  if (yield* lockToSet(self, world)) {
    result = yield* checkRegisters(self, world, page, pages, taken);
    const type = Type.Invalid;
    const request = { page, pages, frame: NO_FRAME, type, access: Access.All, isNew: true };
    if (result === Result.Ok) result = yield* setRange(self, world, request);
  }
  yield* unlockTables(self, world, result !== Result.Ok, result === Result.Ok ? taken : []);
  yield* dropDomain(self, world);
  return result;
}

function* checkRegisters(
  self: Actor,
  world: P2mWorld,
  page: number,
  pages: number,
  taken: number[],
): Operation<number> {
  for (let i = 0; i < pages; i += 1) {
    const entry = yield* findEntry(self, world, page + i);
    if (entry === 0) continue;
    if (typeOf(entry) !== Type.Mmio) return Result.Invalid;
    taken.push(page + i, frameFor(self, world, page + i, entry));
  }
  return Result.Ok;
}

/** Looks a page up, looks at it, and puts it back. */
export function* lookUp(self: Actor, world: P2mWorld, page: number): Operation<number> {
  if (!(yield* holdDomain(self, world))) return Result.Refused;
  const [frame, isOthers] = yield* lookUpCounted(self, world, page);
  if (frame >= 0) yield* putPage(self, world, frame, isOthers);
  yield* dropDomain(self, world);
  return frame < 0 ? Result.Invalid : Result.Ok;
}

/** Memory becomes read-only, or writable again. */
export function changeType(
  self: Actor,
  world: P2mWorld,
  page: number,
  isReadOnly: boolean,
): Operation<number> {
  return changeEntry(self, world, page, isReadOnly ? Type.RamRo : Type.RamRw, undefined);
}

/** What monitoring allows with a page changes. */
export function changeAccess(
  self: Actor,
  world: P2mWorld,
  page: number,
  access: Access,
): Operation<number> {
  return changeEntry(self, world, page, undefined, access);
}

function* changeEntry(
  self: Actor,
  world: P2mWorld,
  page: number,
  newType: Type | undefined,
  newAccess: Access | undefined,
): Operation<number> {
  if (!(yield* holdDomain(self, world))) return Result.Refused;
  let result: number = Result.Refused;
  if (yield* lockToSet(self, world)) {
    const entry = yield* findEntry(self, world, page);
    const frame = frameFor(self, world, page, entry);
    result = Result.Invalid;
    if (isRam(typeOf(entry))) {
      const kept = yield* self.readOnce(at.readAccess, world.access + page);
      const type = newType ?? typeOf(entry);
      const access = newAccess ?? (kept as Access);
      const request = { page, pages: 1, frame, type, access, isNew: false };
      result = yield* setRange(self, world, request);
    }
  }
  yield* unlockTables(self, world, result !== Result.Ok);
  yield* dropDomain(self, world);
  return result;
}

/** Tracks what the guest uses: hardware sees none of the root's entries until a fault shows them again. */
export function* trackUse(self: Actor, world: P2mWorld): Operation<number> {
  if (!(yield* holdDomain(self, world))) return Result.Refused;
  yield* lockTables(self);
  yield* hideRoot(self, world);
  yield* self.store(trackSites.oweFlush, world.needFlush, 1);
  yield* unlockTables(self, world);
  yield* dropDomain(self, world);
  return Result.Ok;
}

/** C9: every entry of every page of the root. */
function* hideRoot(self: Actor, world: P2mWorld): Operation<void> {
  const { geometry, machine } = world;
  const { startLevel, rootPages, windowPages } = geometry;
  const size = levelPages(geometry, startLevel);
  self.claim(Claim.WalkBegan, 0, windowPages, P2M_TREE | (startLevel << 4));
  const count = world.bug('X04-root-level-as-page-count') ? startLevel : rootPages;
  for (let root = 0; root < count; root += 1) {
    for (let index = 0; index < entriesPerTable(geometry); index += 1) {
      const word = machine.memory.address(world.rootFrame + root, index);
      const entry = yield* self.readOnce(trackSites.readEntry, word);
      const page = (root * entriesPerTable(geometry) + index) * size;
      if (page < windowPages) self.claim(Claim.WalkVisited, page, 0, startLevel);
      if (isValid(entry)) yield* self.store(trackSites.hideEntry, word, entry & ~VALID);
    }
  }
  self.claim(Claim.WalkEnded, 0, 0, 0);
}
