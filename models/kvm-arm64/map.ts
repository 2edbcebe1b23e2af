/**
 * Installs leaves: pages or blocks, splitting blocks and coalescing tables on the way. Here for callers
 * that hold the lock alone; generations that take entries do it in map-taking.ts.
 *
 * Mirrors: Linux 5.10 arch/arm64/kvm/hyp/pgtable.c, stage-2 map with the fixes of 5.10-rc (counts,
 *          merging) and the rule of 4.19 that an equal entry is left alone.
 * Leaves out: cache maintenance (5.10 does it in the fault path; FEAT_S2FWB assumed).
 * Source: spec/arm.md 2.3, 2.5.4; amendment E28.
 */
import type { Actor, Operation, Step } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import {
  ACCESSED,
  frameOf,
  isTable,
  isValid,
  leaf,
  RIGHTS,
  table,
  VALID,
} from '../../sim/descriptor.ts';
import { LAST_LEVEL, levelPages } from '../../sim/geometry.ts';
import type { Mode } from '../../sim/locks.ts';
import { type Site, sites } from '../../sim/site.ts';
import { getPage, putPage } from './counts.ts';
import { flushPage, flushSubtree, NO_LEVEL } from './flush.ts';
import { blockFits } from './geometry.ts';
import { TakingMap } from './map-taking.ts';
import type { Stage2 } from './stage2.ts';
import { DONE, type TableWalk, Visit, type Visitor, walkTable } from './walker.ts';

export const mapSites = sites('stage2-map', [
  'readTable',
  'breakTable',
  'readLeaf',
  'breakLeaf',
  'makeLeaf',
  'readStaleLeaf',
  'makeTable',
  'readBroken',
]);
const at = mapSites;

/**
 * Maps [page, page + pages) to the frames from `frame` with `attributes` (rights, type, software
 * bits). The caller holds the tree's lock, has filled the actor's page cache, and publishes the new
 * entries with a `dsb ishst` afterwards.
 * @param mode how the caller holds the lock
 * @returns Ok, NoMemory (empty cache), Invalid, or Again when another walker came first
 */
export function mapRange(
  self: Actor,
  world: Stage2,
  root: number,
  page: number,
  pages: number,
  frame: number,
  attributes: number,
  mode: Mode,
): Operation<number> {
  const map = world.generation.takesEntries
    ? new TakingMap(world, page, frame, attributes | ACCESSED, mode)
    : new MapVisitor(world, page, frame, attributes | ACCESSED);
  return walkTable(self, world, world.geometry, root, page, pages, map);
}

class MapVisitor implements Visitor {
  readonly flags = Visit.Leaf | Visit.Pre | Visit.Post;
  readonly #world: Stage2;
  readonly #page: number;
  readonly #frame: number;
  readonly #attributes: number;
  /** Word of the table entry that is becoming a block, or -1. */
  #anchor = -1;

  constructor(world: Stage2, page: number, frame: number, attributes: number) {
    this.#world = world;
    this.#page = page;
    this.#frame = frame;
    this.#attributes = attributes;
  }

  pre(self: Actor, walk: TableWalk): Operation<number> | undefined {
    if (this.#anchor >= 0 || !blockFits(walk, this.#frameAt(walk))) return undefined;
    return this.#breakTable(self, walk);
  }

  /** The table becomes a block: break it, and let the walk below it drop what it holds. */
  *#breakTable(self: Actor, walk: TableWalk): Operation<number> {
    const world = this.#world;
    if (world.bug('A26-block-over-table')) {
      yield* this.#install(self, walk);
      return DONE;
    }
    const old = yield* self.readOnce(at.readTable, walk.word);
    yield* self.store(at.breakTable, walk.word, old & ~VALID);
    const pages = levelPages(walk.geometry, walk.level);
    yield* flushSubtree(self, world, walk.cursor, walk.cursor, pages);
    this.#anchor = walk.word;
    return Result.Ok;
  }

  /** Returns the generator that does the work: a frame less above every access. */
  leaf(self: Actor, walk: TableWalk): Operation<number> {
    if (this.#anchor >= 0) return this.#dropStale(self, walk);
    if (blockFits(walk, this.#frameAt(walk))) return this.#install(self, walk);
    return this.#makeTable(self, walk);
  }

  *#dropStale(self: Actor, walk: TableWalk): Operation<number> {
    const old = yield* self.readOnce(at.readStaleLeaf, walk.word);
    if (isValid(old)) yield* putPage(self, this.#world, walk.table);
    return Result.Ok;
  }

  *#makeTable(self: Actor, walk: TableWalk): Operation<number> {
    if (walk.level === LAST_LEVEL) return Result.Invalid;
    const child = this.#world.cache(self).pop();
    if (child === undefined) return Result.NoMemory;

    const old = yield* self.readOnce(at.readLeaf, walk.word);
    if (isValid(old)) yield* this.#replace(self, walk, at.makeTable, old, table(child));
    else yield* this.#make(self, walk, at.makeTable, table(child));
    if (isValid(old)) yield* putPage(self, this.#world, walk.table);
    yield* getPage(self, this.#world, walk.table);
    return Result.Ok;
  }

  post(self: Actor, walk: TableWalk): Operation<number> | undefined {
    return this.#anchor < 0 ? undefined : this.#leaveTable(self, walk);
  }

  /** Leaving a table under the anchor: it is empty of references now. */
  *#leaveTable(self: Actor, walk: TableWalk): Operation<number> {
    const word = yield* self.readOnce(at.readBroken, walk.word);
    yield* putPage(self, this.#world, frameOf(word));
    yield* putPage(self, this.#world, walk.table);
    if (walk.word !== this.#anchor) return Result.Ok;
    this.#anchor = -1;
    return yield* this.#makeBlock(self, walk);
  }

  *#install(self: Actor, walk: TableWalk): Operation<number> {
    const world = this.#world;
    const next = leaf(this.#frameAt(walk), this.#attributes);
    const old = yield* self.readOnce(at.readLeaf, walk.word);
    // with dirty state, nobody but the log may take away what hardware has found, old or not
    const own = world.generation.hasDirtyState ? RIGHTS | ACCESSED : RIGHTS;
    const isRightsOnly = isValid(old) && ((old ^ next) & ~own) === 0;
    // two vCPUs that want different rights would take the entry from each other
    if (
      isRightsOnly &&
      world.generation.leavesRights &&
      !world.bug('M03-rights-changed-by-break')
    ) {
      return Result.Again;
    }
    if (isValid(old)) {
      // the reference taken below replaces the one of the old entry
      if (!world.bug('A07-reference-taken-twice')) yield* putPage(self, world, walk.table);
      if (old === next && !world.bug('A25-identical-entry-remade')) {
        yield* getPage(self, world, walk.table);
        return Result.Ok;
      }
    }
    if (isValid(old)) yield* this.#replace(self, walk, at.makeLeaf, old, next);
    else yield* this.#make(self, walk, at.makeLeaf, next);
    yield* getPage(self, world, walk.table);
    return Result.Ok;
  }

  *#makeBlock(self: Actor, walk: TableWalk): Operation<number> {
    yield* self.storeRelease(
      at.makeLeaf,
      walk.word,
      leaf(this.#frameOf(walk.first), this.#attributes),
    );
    yield* getPage(self, this.#world, walk.table);
    return Result.Ok;
  }

  /** Break-before-make: nobody can use the old descriptor when the new one becomes visible. */
  *#replace(self: Actor, walk: TableWalk, make: Site, old: number, next: number): Operation<void> {
    const world = this.#world;
    const isOldTable = walk.level < LAST_LEVEL && isTable(old);
    const level = isOldTable ? NO_LEVEL : walk.level;
    const overwrites = world.bug('A42-no-break-before-make');
    if (!overwrites) {
      yield* self.store(at.breakLeaf, walk.word, old & ~VALID);
      yield* flushPage(self, world, walk.first, level);
    }
    yield* this.#make(self, walk, make, next);
    if (overwrites) yield* flushPage(self, world, walk.first, level);
  }

  /** What a new table holds is visible before its name. */
  #make(self: Actor, walk: TableWalk, make: Site, next: number): Step<number> {
    return this.#world.bug('M30-linked-by-plain-store')
      ? self.store(make, walk.word, next)
      : self.storeRelease(make, walk.word, next);
  }

  #frameAt(walk: TableWalk): number {
    return this.#frameOf(walk.cursor);
  }

  #frameOf(page: number): number {
    return this.#frame + (page - this.#page);
  }
}
