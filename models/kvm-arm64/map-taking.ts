/**
 * Installs leaves by taking entries, so that faults may do it side by side: pages or blocks, a block
 * split by a table of its own, a table replaced by a block in one visit before it is walked.
 *
 * Mirrors: Linux 6.2 to 6.12 arch/arm64/kvm/hyp/pgtable.c, stage-2 map with the second look of 6.4 and
 *          output addresses that follow from the input address (6.4).
 * Leaves out: cache maintenance; annotations and forced page size; changes of software bits only.
 * Source: spec/arm.md 3.3.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { frameOf, isTable, isValid, leaf, RIGHTS, table } from '../../sim/descriptor.ts';
import { LAST_LEVEL, levelPages } from '../../sim/geometry.ts';
import type { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { getPage, putPage } from './counts.ts';
import { takeEntry } from './entries.ts';
import { blockFits } from './geometry.ts';
import type { Stage2 } from './stage2.ts';
import { freeUnlinked } from './unlinked.ts';
import { type TableWalk, Visit, type Visitor } from './walker.ts';

export const takingSites = sites('stage2-take', ['makeLeaf', 'makeTable']);
const at = takingSites;

export class TakingMap implements Visitor {
  readonly flags = Visit.Leaf | Visit.Pre;
  readonly #world: Stage2;
  readonly #page: number;
  readonly #frame: number;
  readonly #attributes: number;
  readonly #mode: Mode;
  /** Frame after the leaf installed last: what a second cursor would say. */
  #following: number;

  /** @param mode how the caller holds the lock */
  constructor(world: Stage2, page: number, frame: number, attributes: number, mode: Mode) {
    this.#world = world;
    this.#page = page;
    this.#frame = frame;
    this.#attributes = attributes;
    this.#mode = mode;
    this.#following = frame;
  }

  pre(self: Actor, walk: TableWalk): Operation<number> | undefined {
    return blockFits(walk, this.#frameAt(walk)) ? this.#install(self, walk) : undefined;
  }

  leaf(self: Actor, walk: TableWalk): Operation<number> {
    if (blockFits(walk, this.#frameAt(walk))) return this.#install(self, walk);
    return this.#makeTable(self, walk);
  }

  *#install(self: Actor, walk: TableWalk): Operation<number> {
    const world = this.#world;
    const old = walk.snapshot;
    const next = leaf(this.#frameAt(walk), this.#attributes);
    // somebody was here first; a right that is still missing comes with the next fault
    if (isValid(old) && ((old ^ next) & ~RIGHTS) === 0) return Result.Again;
    if (!(yield* takeEntry(self, world, walk, this.#mode))) return Result.Again;
    yield* getPage(self, world, walk.table);
    yield* self.storeRelease(at.makeLeaf, walk.word, next);
    this.#following += levelPages(walk.geometry, walk.level);
    if (walk.level < LAST_LEVEL && isTable(old)) {
      yield* freeUnlinked(self, world, frameOf(old), walk.level + 1);
      if (world.bug('M10-unlinked-table-put-twice')) yield* putPage(self, world, frameOf(old));
    }
    return Result.Ok;
  }

  *#makeTable(self: Actor, walk: TableWalk): Operation<number> {
    if (walk.level === LAST_LEVEL) return Result.Invalid;
    const world = this.#world;
    const child = world.cache(self).pop();
    if (child === undefined) return Result.NoMemory;
    if (!(yield* takeEntry(self, world, walk, this.#mode))) {
      yield* putPage(self, world, child);
      return Result.Again;
    }
    yield* getPage(self, world, walk.table);
    yield* self.storeRelease(at.makeTable, walk.word, table(child));
    return Result.Ok;
  }

  #frameAt(walk: TableWalk): number {
    // the entry may have become a table again: only the input address says where the walk is
    const derived = this.#frame + (walk.cursor - this.#page);
    return this.#world.bug('A01-output-cursor-of-its-own') ? this.#following : derived;
  }
}
