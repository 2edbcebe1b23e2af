/**
 * Removes leaves and the tables that become empty; destroys whole trees.
 *
 * Mirrors: Linux 5.10 arch/arm64/kvm/hyp/pgtable.c, stage-2 unmap and destroy, with the level hints
 *          of 6.9; invalidation of leaves after the walk (6.6); destruction in pieces (6.19).
 * Leaves out: cache cleaning of unmapped pages (FEAT_S2FWB assumed).
 * Source: spec/arm.md 2.5.5, 2.5.6; amendments E2, E4, E14.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { frameOf, isValid, VALID } from '../../sim/descriptor.ts';
import { sites } from '../../sim/site.ts';
import { putPage } from './counts.ts';
import { clearLeaf } from './dirty-state.ts';
import { flushPage, flushRange, NO_LEVEL } from './flush.ts';
import { blockPages } from './geometry.ts';
import type { Stage2 } from './stage2.ts';
import { type TableWalk, Visit, type Visitor, walkTable } from './walker.ts';

export const unmapSites = sites('stage2-unmap', [
  'readLeaf',
  'clearLeaf',
  'readTable',
  'countTable',
  'clearTable',
]);
export const destroySites = sites('stage2-destroy', [
  'readLeaf',
  'readTable',
  'countTable',
  'clearTable',
]);

export function unmapRange(
  self: Actor,
  world: Stage2,
  root: number,
  page: number,
  pages: number,
): Operation<number> {
  if (world.generation.flushesRanges) return unmapThenFlush(self, world, root, page, pages);
  return walkTable(self, world, world.geometry, root, page, pages, new Unmap(world));
}

/** One invalidation of the whole range, after all of its leaves are gone. */
function* unmapThenFlush(
  self: Actor,
  world: Stage2,
  root: number,
  page: number,
  pages: number,
): Operation<number> {
  const visitor = new Unmap(world);
  const result = yield* walkTable(self, world, world.geometry, root, page, pages, visitor);
  yield* flushRange(self, world, page, pages);
  return result;
}

class Unmap implements Visitor {
  readonly flags = Visit.Leaf | Visit.Post;
  readonly #world: Stage2;

  constructor(world: Stage2) {
    this.#world = world;
  }

  *leaf(self: Actor, walk: TableWalk): Operation<number> {
    const world = this.#world;
    const at = unmapSites;
    const old = yield* self.readOnce(at.readLeaf, walk.word);
    if (!isValid(old)) return Result.Ok;
    if (world.generation.hasDirtyState)
      yield* clearLeaf(self, world, walk, old, this.#cleared(old));
    else yield* self.store(at.clearLeaf, walk.word, this.#cleared(old));
    if (!world.generation.flushesRanges) yield* flushPage(self, world, walk.first, walk.level);
    yield* putPage(self, world, walk.table);
    return Result.Ok;
  }

  *post(self: Actor, walk: TableWalk): Operation<number> {
    const world = this.#world;
    const at = unmapSites;
    const old = yield* self.readOnce(at.readTable, walk.word);
    const child = frameOf(old);
    const references = yield* self.readOnce(at.countTable, world.count(child));
    if (references !== 1) return Result.Ok;
    yield* self.store(at.clearTable, walk.word, this.#cleared(old));
    // walk-cache entries name the table: a hint with its level would leave them, and so would a flush
    // that comes when the table is somebody else's page
    const level = world.bug('A20-table-level-as-hint') ? walk.level : NO_LEVEL;
    const isLate = world.generation.flushesRanges && world.bug('A05-table-flush-deferred');
    if (!isLate) yield* flushPage(self, world, walk.first, level);
    yield* putPage(self, world, walk.table);
    yield* putPage(self, world, child);
    return Result.Ok;
  }

  #cleared(old: number): number {
    return this.#world.generation.takesEntries ? 0 : old & ~VALID;
  }
}

/** Frees every table of a tree that no PE can load any more. Takes no lock and flushes nothing. */
export function* destroyTree(self: Actor, world: Stage2, root: number): Operation<void> {
  const { geometry } = world;
  const pieces = world.generation.destroysInChunks ? blockPages(geometry) : geometry.windowPages;
  for (let page = 0; page < geometry.windowPages; page += pieces) {
    yield* walkTable(self, world, geometry, root, page, pieces, new Destroy(world));
  }
  for (let i = 0; i < geometry.rootPages; i += 1) yield* putPage(self, world, root + i);
}

class Destroy implements Visitor {
  readonly flags = Visit.Leaf | Visit.Post;
  readonly #world: Stage2;

  constructor(world: Stage2) {
    this.#world = world;
  }

  *leaf(self: Actor, walk: TableWalk): Operation<number> {
    const old = yield* self.readOnce(destroySites.readLeaf, walk.word);
    if (isValid(old)) yield* putPage(self, this.#world, walk.table);
    return Result.Ok;
  }

  *post(self: Actor, walk: TableWalk): Operation<number> {
    const world = this.#world;
    const at = destroySites;
    const old = yield* self.readOnce(at.readTable, walk.word);
    const child = frameOf(old);
    if (world.generation.destroysInChunks && !world.bug('A17-destroy-drops-table-in-use')) {
      // the rest of the table may belong to a later piece, which must not find it when it is gone
      const references = yield* self.readOnce(at.countTable, world.count(child));
      if (references !== 1) return Result.Ok;
      if (!world.bug('A17b-destroy-leaves-entry-of-table')) {
        yield* self.store(at.clearTable, walk.word, 0);
      }
    }
    yield* putPage(self, world, walk.table);
    yield* putPage(self, world, child);
    return Result.Ok;
  }
}
