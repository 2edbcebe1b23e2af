/**
 * Removes leaves and the tables that become empty; destroys whole trees.
 *
 * Mirrors: Linux 5.10 arch/arm64/kvm/hyp/pgtable.c, stage-2 unmap and destroy, with the level hints
 *          of 6.9.
 * Leaves out: cache cleaning of unmapped pages (FEAT_S2FWB assumed).
 * Source: spec/arm.md 2.5.5, 2.5.6; amendments E2, E4, E14.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { frameOf, isValid, VALID } from '../../sim/descriptor.ts';
import { sites } from '../../sim/site.ts';
import { putPage } from './counts.ts';
import { flushPage, NO_LEVEL } from './flush.ts';
import { type TableWalk, Visit, type Visitor, walkTable } from './walker.ts';
import type { KvmWorld } from './world.ts';

export const unmapSites = sites('stage2-unmap', [
  'readLeaf',
  'clearLeaf',
  'readTable',
  'countTable',
  'clearTable',
]);
export const destroySites = sites('stage2-destroy', ['readLeaf', 'readTable']);

export function unmapRange(
  self: Actor,
  world: KvmWorld,
  root: number,
  page: number,
  pages: number,
): Operation<number> {
  return walkTable(self, world, world.geometry, root, page, pages, new Unmap(world));
}

class Unmap implements Visitor {
  readonly flags = Visit.Leaf | Visit.Post;
  readonly #world: KvmWorld;

  constructor(world: KvmWorld) {
    this.#world = world;
  }

  *leaf(self: Actor, walk: TableWalk): Operation<number> {
    const world = this.#world;
    const at = unmapSites;
    const old = yield* self.readOnce(at.readLeaf, walk.word);
    if (!isValid(old)) return Result.Ok;
    yield* self.store(at.clearLeaf, walk.word, old & ~VALID);
    yield* flushPage(self, world, walk.first, walk.level);
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
    yield* self.store(at.clearTable, walk.word, old & ~VALID);
    // walk-cache entries name the table: a hint with its level would leave them
    const level = world.bug('A20-table-level-as-hint') ? walk.level : NO_LEVEL;
    yield* flushPage(self, world, walk.first, level);
    yield* putPage(self, world, walk.table);
    yield* putPage(self, world, child);
    return Result.Ok;
  }
}

/** Frees every table of a tree that no PE can load any more. Takes no lock and flushes nothing. */
export function* destroyTree(self: Actor, world: KvmWorld, root: number): Operation<void> {
  const { geometry } = world;
  yield* walkTable(self, world, geometry, root, 0, geometry.windowPages, new Destroy(world));
  for (let i = 0; i < geometry.rootPages; i += 1) yield* putPage(self, world, root + i);
}

class Destroy implements Visitor {
  readonly flags = Visit.Leaf | Visit.Post;
  readonly #world: KvmWorld;

  constructor(world: KvmWorld) {
    this.#world = world;
  }

  *leaf(self: Actor, walk: TableWalk): Operation<number> {
    const old = yield* self.readOnce(destroySites.readLeaf, walk.word);
    if (isValid(old)) yield* putPage(self, this.#world, walk.table);
    return Result.Ok;
  }

  *post(self: Actor, walk: TableWalk): Operation<number> {
    const old = yield* self.readOnce(destroySites.readTable, walk.word);
    yield* putPage(self, this.#world, walk.table);
    yield* putPage(self, this.#world, frameOf(old));
    return Result.Ok;
  }
}
