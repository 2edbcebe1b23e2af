/**
 * Tables of host, hypervisor and guests: finding, making and removing one leaf. Every caller holds the lock of the
 * tree. Table pages are counted, and go back to their pool as soon as they are empty.
 *
 * Mirrors: the stand-alone walker as the hypervisor uses it, exclusive, with table pages freed at once.
 * Leaves out: cache maintenance. Range operations are made of single leaves.
 * Source: spec/arm.md 2.5, 2.6; amendments E2, E4.
 */
import { baseRegister, Domain, Register } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { frameOf, isTable, isValid, SOFTWARE_MASK, table } from '../../sim/descriptor.ts';
import { alignDown, indexAt, LAST_LEVEL, levelPages, rootIndex } from '../../sim/geometry.ts';
import { Shareability, Tlbi, ttl } from '../../sim/invalidation.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import { takeEarly } from './bump.ts';
import { takeCached } from './page-cache.ts';
import { allocatePages, getPage, putPage } from './pool.ts';
import { Allocator, type PkvmWorld, type Stage } from './world.ts';

export const tableSites = sites('pkvm-table', [
  'readRoot',
  'readAllocator',
  'read',
  'break',
  'makeTable',
  'makeLeaf',
  'retag',
  'publish',
  'synchronise',
  'clear',
  'readCount',
  'clearTable',
  'orderClear',
  'enterContext',
  'syncEnter',
  'invalidate',
  'complete',
  'invalidateStage1',
  'completeStage1',
  'syncLeave',
  'leaveContext',
]);
const at = tableSites;

/** Where a walk has come to; private to its actor. */
export class Place {
  level = 0;
  word = 0;
  value = 0;
  /** Table page at each level. */
  readonly tables = new Int32Array(4);
}

/** Goes down to the entry for a page at `level`, or to where the tables end above it. The entry. */
export function* find(
  self: Actor,
  world: PkvmWorld,
  stage: Stage,
  page: number,
  level: number = LAST_LEVEL,
): Operation<number> {
  const place = world.places[self.index]!;
  const { geometry } = stage;
  const root = yield* self.readOnce(at.readRoot, stage.root);
  place.level = geometry.startLevel;
  place.tables[place.level] = root + rootIndex(geometry, page);
  for (;;) {
    const frame = place.tables[place.level]!;
    place.word = self.machine.memory.address(frame, indexAt(geometry, page, place.level));
    place.value = yield* self.readOnce(at.read, place.word);
    if (place.level === level || !isTable(place.value)) return place.value;
    place.level += 1;
    place.tables[place.level] = frameOf(place.value);
  }
}

/**
 * Makes the entry of a page at `level` what is given: a leaf, or an annotation. A block above it is broken up and the
 * rest of it dropped; an empty table below a block goes.
 * @param vcpu of a guest, whose page cache serves when the pool is empty; -1 for none
 * @returns Ok, or Exhausted when there was no page for a table
 */
export function* mapLeaf(
  self: Actor,
  world: PkvmWorld,
  stage: Stage,
  page: number,
  level: number,
  next: number,
  vcpu = -1,
): Operation<number> {
  const place = world.places[self.index]!;
  let old = yield* find(self, world, stage, page, level);
  const isEarly =
    stage.allocator !== 0 &&
    (yield* self.readOnce(at.readAllocator, stage.allocator)) === Allocator.Bump;
  while (place.level < level) {
    let child = isEarly
      ? yield* takeEarly(self, world, 1, Role.Cached)
      : yield* allocatePages(self, world, stage.pool, 0);
    if (child < 0 && vcpu >= 0) child = yield* takeCached(self, world, stage, vcpu);
    if (child < 0) return Result.Exhausted;
    if (old !== 0) yield* breakEntry(self, world, stage, page);
    yield* self.storeRelease(at.makeTable, place.word, table(child));
    if (!isEarly) yield* getPage(self, world, stage.pool, place.tables[place.level]!);
    place.level += 1;
    place.tables[place.level] = child;
    const index = indexAt(stage.geometry, page, place.level);
    place.word = self.machine.memory.address(child, index);
    old = yield* self.readOnce(at.read, place.word);
    place.value = old;
  }
  if (old === next) return Result.Ok;
  if (isOnlyTag(old, next)) {
    yield* self.store(at.retag, place.word, next);
    return Result.Ok;
  }
  if (old !== 0) yield* breakEntry(self, world, stage, page);
  yield* self.storeRelease(at.makeLeaf, place.word, next);
  if (!isEarly) yield* getPage(self, world, stage.pool, place.tables[place.level]!);
  yield* self.dsb(at.publish, Domain.InnerStore);
  // walks of the hypervisor's own tables follow at once
  if (stage.vmid < 0) yield* self.isb(at.synchronise);
  return Result.Ok;
}

/** Nothing but what software keeps in a leaf differs: no translation changes. */
function isOnlyTag(old: number, next: number): boolean {
  return isValid(old) && isValid(next) && ((old ^ next) & ~SOFTWARE_MASK) === 0;
}

/** The entry where the walk is becomes invalid, and what was cached of it goes. */
function* breakEntry(self: Actor, world: PkvmWorld, stage: Stage, page: number): Operation<void> {
  const place = world.places[self.index]!;
  const { level, value: old } = place;
  const isTableEntry = level < LAST_LEVEL && isTable(old);
  const pages = levelPages(stage.geometry, level);
  yield* self.store(at.break, place.word, 0);
  if (isTableEntry) yield* flush(self, stage, alignDown(page, pages), 0, pages);
  else if (isValid(old)) yield* flush(self, stage, page, level, 1);
  yield* putPage(self, world, stage.pool, place.tables[level]!);
  if (isTableEntry) yield* putPage(self, world, stage.pool, frameOf(old));
}

/** Removes the leaf where the walk has come to, and tables that are empty then. */
export function* unmapFound(
  self: Actor,
  world: PkvmWorld,
  stage: Stage,
  page: number,
): Operation<void> {
  const place = world.places[self.index]!;
  yield* self.store(at.clear, place.word, 0);
  yield* flush(self, stage, page, place.level, 1);
  yield* putPage(self, world, stage.pool, place.tables[place.level]!);
  for (let level = place.level; level > stage.geometry.startLevel; level -= 1) {
    const child = place.tables[level]!;
    if ((yield* self.readOnce(at.readCount, world.count(child))) !== 1) return;
    const parent = place.tables[level - 1]!;
    const index = indexAt(stage.geometry, page, level - 1);
    yield* self.store(at.clearTable, self.machine.memory.address(parent, index), 0);
    yield* flush(self, stage, page, 0, 1);
    yield* putPage(self, world, stage.pool, parent);
    yield* putPage(self, world, stage.pool, child);
  }
}

/**
 * Old translations of some pages go everywhere.
 * @param level of the leaf that went; 0 when a table did
 */
export function* flush(
  self: Actor,
  stage: Stage,
  page: number,
  level: number,
  pages: number,
): Operation<void> {
  const hint = level === 0 ? 0 : ttl(stage.geometry.granuleBits, level);
  const share = Shareability.Inner;
  if (stage.vmid < 0) {
    const operation = level === 0 ? Tlbi.Vae2 : Tlbi.Vale2;
    yield* self.dsb(at.orderClear, Domain.InnerStore);
    yield* self.tlbi(at.invalidate, operation, share, page, hint, pages);
    yield* self.dsb(at.complete, Domain.Inner);
    yield* self.isb(at.syncLeave);
    return;
  }
  const left = yield* enterContext(self, stage);
  yield* self.tlbi(at.invalidate, Tlbi.Ipas2e1, share, page, hint, pages);
  yield* self.dsb(at.complete, Domain.Inner);
  yield* self.tlbi(at.invalidateStage1, Tlbi.Vmalle1, share, 0, 0, 0);
  yield* self.dsb(at.completeStage1, Domain.Inner);
  yield* leaveContext(self, left);
}

/** Everything that is cached of a guest goes everywhere. */
export function* flushAll(self: Actor, stage: Stage): Operation<void> {
  const left = yield* enterContext(self, stage);
  yield* self.tlbi(at.invalidate, Tlbi.Vmalls12e1, Shareability.Inner, 0, 0, 0);
  yield* self.dsb(at.complete, Domain.Inner);
  yield* leaveContext(self, left);
}

/** The stage's VMID is current; what was loaded before. The barrier makes stores visible and drains walks. */
export function* enterContext(self: Actor, stage: Stage): Operation<number> {
  const loaded = self.vttbr;
  yield* self.dsb(at.orderClear, Domain.Inner);
  if ((loaded & 0xff) === stage.vmid) return loaded;
  const root = yield* self.readOnce(at.readRoot, stage.root);
  yield* self.writeRegister(at.enterContext, Register.Vttbr, baseRegister(root, stage.vmid));
  yield* self.isb(at.syncEnter);
  return loaded;
}

export function* leaveContext(self: Actor, loaded: number): Operation<void> {
  if (self.vttbr !== loaded) yield* self.writeRegister(at.leaveContext, Register.Vttbr, loaded);
  yield* self.isb(at.syncLeave);
}
