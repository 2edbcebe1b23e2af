/**
 * Sets a range of a p2m, entry by entry, with break-before-make, and frees what was displaced. The caller holds
 * the p2m lock.
 *
 * Mirrors: Xen at c447b7308b, p2m_set_entry(), __p2m_set_entry(), p2m_next_level(), p2m_free_entry().
 * Leaves out: cache maintenance of tables; the access tree's own allocation.
 * Source: spec/x86-xen.md C3, C4, C6; amendment E20. Steps are named q1 to q12 as there.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { frameOf, isValid, leaf, RIGHTS } from '../../sim/descriptor.ts';
import { entriesPerTable, indexAt, LAST_LEVEL, levelPages, rootIndex } from '../../sim/geometry.ts';
import type { WordAddress } from '../../sim/memory.ts';
import { sites } from '../../sim/site.ts';
import {
  type Access,
  attributesOf,
  isForeign,
  isKnown,
  isKnownTable,
  type Type,
  tableEntry,
  typeOf,
} from './p2m-entry.ts';
import { flushDevices, flushDomain } from './p2m-flush.ts';
import { allocateTable, freeTable, putPage } from './p2m-pages.ts';
import { splitBlock } from './p2m-split.ts';
import { claimGrants, type P2mWorld } from './p2m-world.ts';

export const setSites = sites('p2m-set', [
  'readEntry',
  'makeTable',
  'breakBlock',
  'linkSplit',
  'readOld',
  'setAccess',
  'clearEntry',
  'oweFlush',
  'makeEntry',
  'countMapping',
  'readEnd',
  'raiseEnd',
]);
const at = setSites;

export const freeSites = sites('p2m-free', ['countMapping', 'readEntry', 'readOwed']);

/** Where a word would be: nothing to remove, no memory for a table, and no root page. */
export const ABSENT = -1;
const NO_TABLE = -2;
const NO_ROOT = -3;

/** The frame of a removal. */
export const NO_FRAME = -1;

export interface SetRequest {
  readonly page: number;
  readonly pages: number;
  /** First frame, or NO_FRAME to remove. */
  readonly frame: number;
  readonly type: Type;
  readonly access: Access;
  /** The mapping brings references of its own; false when only rights of one that is there change. */
  readonly isNew: boolean;
}

/** What the range walk of an actor keeps for itself. */
export class Cursor {
  /** Level of the entry that the last look-up found. */
  level = 0;
  /** Pages that the last range set has done. */
  done = 0;
  /** By level: the index that the walk used last, and the table that it found there. */
  readonly #index: number[] = [];
  readonly #table: number[] = [];

  forget(): void {
    this.#index.length = 0;
    this.#table.length = 0;
    this.done = 0;
  }

  remember(level: number, index: number, table: number): void {
    this.#index[level] = index;
    this.#table[level] = table;
  }

  /** The table below the entry with this index, if it is the one used last; else -1. */
  tableAt(level: number, index: number): number {
    return this.#index[level] === index ? this.#table[level]! : -1;
  }
}

export function newCursor(): Cursor {
  return new Cursor();
}

/** First table page of the walk for an input page; -1 when the root does not reach so far. */
export function rootFrameFor(world: P2mWorld, page: number): number {
  const index = rootIndex(world.geometry, page);
  return index < world.geometry.rootPages ? world.rootFrame + index : -1;
}

/** C3: stops at the first error; there is no undo. */
export function* setRange(self: Actor, world: P2mWorld, request: SetRequest): Operation<number> {
  const cursor = world.cursor(self);
  cursor.forget();
  let { page, frame } = request;
  for (let left = request.pages; left > 0; ) {
    const target = targetLevel(world, page, frame, left);
    const word = yield* reachEntry(self, world, page, target, frame === NO_FRAME);
    if (word < 0 && word !== ABSENT) return word === NO_ROOT ? Result.Invalid : Result.NoMemory;
    if (word >= 0) yield* replaceEntry(self, world, request, page, frame, target, word);
    const pages = levelPages(world.geometry, target);
    page += pages;
    if (frame !== NO_FRAME) frame += pages;
    left -= pages;
    cursor.done += pages;
  }
  return Result.Ok;
}

/** The level whose entries are as large as the alignment of all three allows. */
function targetLevel(world: P2mWorld, page: number, frame: number, left: number): number {
  const { geometry, configuration } = world;
  if (configuration.isMonitored) return LAST_LEVEL;
  // "no frame" has all bits set, and says nothing about alignment
  const hasFrame = frame !== NO_FRAME || world.bug('X02-invalid-frame-in-mask');
  const mask = (hasFrame ? frame : 0) | page | left;
  for (const level of [1, 2]) {
    if ((mask & (levelPages(geometry, level) - 1)) === 0) return level;
  }
  return LAST_LEVEL;
}

/**
 * C4 q1 to q6: the word of the entry of level `target`, which the page is aligned to. Makes the tables on the
 * way unless something is removed, and takes a block apart that is in the way.
 */
export function* reachEntry(
  self: Actor,
  world: P2mWorld,
  page: number,
  target: number,
  isRemoval: boolean,
): Operation<WordAddress> {
  const { geometry, machine } = world;
  const cursor = world.cursor(self);
  // q1
  let table = rootFrameFor(world, page);
  if (table < 0) return NO_ROOT;
  // q2
  for (let level = geometry.startLevel; level < target; level += 1) {
    const index = indexAt(geometry, page, level);
    const kept = world.bug('X10-walk-keeps-lower-tables') ? cursor.tableAt(level, index) : -1;
    if (kept >= 0) {
      table = kept;
      continue;
    }
    const word = machine.memory.address(table, index);
    const entry = yield* self.readOnce(at.readEntry, word);
    if (isKnownTable(entry)) {
      table = frameOf(entry);
    } else if (isKnown(entry)) {
      // q3
      table = yield* takeApart(self, world, word, entry, level, target, page);
    } else if (isRemoval) {
      return ABSENT;
    } else {
      table = yield* allocateTable(self, world);
      if (table >= 0) yield* self.store(at.makeTable, word, tableEntry(table));
    }
    if (table < 0) return NO_TABLE;
    cursor.remember(level, index, table);
  }
  return machine.memory.address(table, indexAt(geometry, page, target));
}

/** Replaces a block by a table that maps the same; the table, or -1 with the block untouched. */
function* takeApart(
  self: Actor,
  world: P2mWorld,
  word: WordAddress,
  block: number,
  level: number,
  target: number,
  page: number,
): Operation<number> {
  const isStepwise = world.bug('X01c-split-level-by-level');
  const table = yield* splitBlock(self, world, block, level, isStepwise ? level + 1 : target, page);
  if (table < 0) return -1;
  if (!isStepwise && !world.bug('X01b-split-without-break')) {
    // q4, q5
    yield* self.store(at.breakBlock, word, 0);
    yield* flushDomain(self, world);
  }
  // q6
  yield* self.store(at.linkSplit, word, tableEntry(table));
  return table;
}

/** C4 q7 to q12. */
export function* replaceEntry(
  self: Actor,
  world: P2mWorld,
  request: SetRequest,
  page: number,
  frame: number,
  target: number,
  word: WordAddress,
): Operation<void> {
  const { configuration, geometry } = world;
  const { type, access, isNew } = request;
  const isRemoval = frame === NO_FRAME;
  const pages = levelPages(geometry, target);
  const next = isRemoval ? 0 : leaf(frame, attributesOf(type, access));
  // q7
  const old = yield* self.readOnce(at.readOld, word);
  const wasSeen = isValid(old);
  // q8
  if (configuration.isMonitored) yield* self.store(at.setAccess, world.access + page, access);
  // q9: also what hardware does not see must be gone when it is removed
  if (wasSeen || (isRemoval && !world.bug('X03-removal-keeps-tracked-entry'))) {
    if (isRemoval || !world.bug('X01a-replaced-without-break'))
      yield* self.store(at.clearEntry, word, 0);
  }
  // q10
  if (isRemoval) {
    if (wasSeen) yield* self.store(at.oweFlush, world.needFlush, 1);
  } else {
    if (wasSeen) yield* flushReplaced(self, world, old, next);
    claimGrants(self, page, frame, pages, type);
    yield* self.store(at.makeEntry, word, next);
    if (isNew) yield* self.add(at.countMapping, world.mappings + target, 1);
    const end = yield* self.readOnce(at.readEnd, world.mappedEnd);
    if (page + pages > end) yield* self.store(at.raiseEnd, world.mappedEnd, page + pages);
  }
  const isDisplaced =
    isKnown(old) &&
    (frameOf(old) !== frameOf(next) ||
      isKnownTable(old) ||
      isRemoval ||
      (isNew && !world.bug('E20-same-frame-not-freed')));
  // q12 before q11 is X06
  const freesEarly = world.bug('X06-freed-before-device-flush');
  if (isDisplaced && freesEarly) yield* freeEntry(self, world, old, target);
  if (wasSeen || isValid(next)) yield* flushDevices(self, world, page, pages);
  if (isDisplaced && !freesEarly) yield* freeEntry(self, world, old, target);
}

/** What was seen must be forgotten before something else is seen; where monitoring only changes rights, later. */
function* flushReplaced(self: Actor, world: P2mWorld, old: number, next: number): Operation<void> {
  const isOnlyRights = ((old ^ next) & ~RIGHTS) === 0;
  if (world.configuration.isMonitored && isOnlyRights)
    yield* self.store(at.oweFlush, world.needFlush, 1);
  else yield* flushDomain(self, world);
}

/** C6: what an entry of this level has referred to, when nobody can reach it any more. */
export function freeEntry(
  self: Actor,
  world: P2mWorld,
  entry: number,
  level: number,
): Operation<void> {
  return level < LAST_LEVEL && isKnownTable(entry)
    ? freeSubtree(self, world, frameOf(entry), level + 1)
    : freeMapping(self, world, entry, level);
}

function* freeMapping(self: Actor, world: P2mWorld, entry: number, level: number): Operation<void> {
  yield* self.add(freeSites.countMapping, world.mappings + level, -1);
  if (!isForeign(typeOf(entry))) return;
  const pages = levelPages(world.geometry, level);
  for (let i = 0; i < pages; i += 1) yield* putPage(self, world, frameOf(entry) + i, true);
}

/** The leaves of a table, then the table itself, when no TLB refers to it any more; depth first. */
function* freeSubtree(
  self: Actor,
  world: P2mWorld,
  top: number,
  topLevel: number,
): Operation<void> {
  const { geometry, machine } = world;
  const path = [top];
  const indexes = [0];
  for (let depth = 0; depth >= 0; ) {
    const level = topLevel + depth;
    const index = indexes[depth]!;
    if (index < entriesPerTable(geometry)) {
      indexes[depth] = index + 1;
      const entry = yield* self.readOnce(
        freeSites.readEntry,
        machine.memory.address(path[depth]!, index),
      );
      if (!isKnown(entry)) continue;
      if (level < LAST_LEVEL && isKnownTable(entry)) {
        depth += 1;
        path[depth] = frameOf(entry);
        indexes[depth] = 0;
      } else yield* freeMapping(self, world, entry, level);
      continue;
    }
    // a table page is used again without a flush
    if ((yield* self.readOnce(freeSites.readOwed, world.needFlush)) !== 0)
      yield* flushDomain(self, world);
    yield* freeTable(self, world, path[depth]!);
    depth -= 1;
  }
}
