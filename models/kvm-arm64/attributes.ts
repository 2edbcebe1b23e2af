/**
 * Changes attributes of leaves in place: write-protect, accessed flag, relax permissions.
 *
 * Mirrors: Linux 5.10 arch/arm64/kvm/hyp/pgtable.c, the shared attribute walker and its users; from 6.2 on
 *          faults change entries with a compare-and-exchange.
 * Leaves out: instruction-cache maintenance before execute is granted (no oracle sees it yet).
 * Source: spec/arm.md 2.5.7, 3.4.
 */
import { Domain } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { ACCESSED, DIRTY_MODIFIER, isValid, WRITE } from '../../sim/descriptor.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { flushPage, flushPageHere, NO_LEVEL } from './flush.ts';
import type { Stage2 } from './stage2.ts';
import { type TableWalk, Visit, type Visitor, walkTable } from './walker.ts';

export const attributeSites = sites('stage2-attributes', ['readLeaf', 'update', 'publish']);
const at = attributeSites;

export const ANY_LEVEL = -1;

interface FaultedLeaf {
  /** How the caller holds the lock. */
  readonly mode: Mode;
  /** Level of the leaf that may be changed, or ANY_LEVEL. */
  readonly level: number;
}

class Attributes implements Visitor {
  readonly flags: number;
  readonly #set: number;
  readonly #clear: number;
  readonly #only: number;
  readonly #world: Stage2;
  readonly #takes: boolean;
  readonly #isShared: boolean;
  /** The last valid leaf as it was, its level, and whether any leaf had its accessed flag set. */
  last = 0;
  level = -1;
  young = false;

  /** @param fault for the entry of a fault; otherwise all leaves of a range are meant */
  constructor(world: Stage2, set: number, clear: number, fault?: FaultedLeaf) {
    const { generation } = world;
    this.#world = world;
    // an entry that somebody else has does not keep a range operation from the others
    this.flags = fault === undefined ? Visit.Leaf | Visit.IgnoreAgain : Visit.Leaf;
    this.#set = set;
    this.#clear = clear;
    this.#only = fault?.level ?? ANY_LEVEL;
    this.#takes = generation.takesEntries;
    // readers of 5.18 store as if they were alone
    this.#isShared = fault?.mode === Mode.Shared && generation.takesEntries;
  }

  *leaf(self: Actor, walk: TableWalk): Operation<number> {
    let old = this.#takes ? walk.snapshot : yield* self.readOnce(at.readLeaf, walk.word);
    if (!isValid(old)) return this.#takes ? Result.Again : Result.Ok;
    if (this.#only !== ANY_LEVEL && walk.level !== this.#only) return Result.Again;
    this.last = old;
    this.level = walk.level;
    for (;;) {
      if ((old & ACCESSED) !== 0) this.young = true;
      const next = (old & ~this.#clear) | this.#set;
      if (next === old) return Result.Ok;
      if (!this.#isShared && !this.#isHardwares(old)) {
        yield* self.store(at.update, walk.word, next);
        return Result.Ok;
      }
      const seen = yield* self.compareExchange(at.update, walk.word, old, next);
      if (seen === old) return Result.Ok;
      if (this.#isShared) return Result.Again;
      old = seen;
    }
  }

  /** Hardware may find the page written at any time, which a store of ours would undo. */
  #isHardwares(entry: number): boolean {
    const { generation } = this.#world;
    if (!generation.hasDirtyState || (entry & DIRTY_MODIFIER) === 0) return false;
    return !this.#world.bug('V09-dirty-state-overwritten');
  }
}

function update(
  self: Actor,
  world: Stage2,
  root: number,
  page: number,
  pages: number,
  attributes: Attributes,
): Operation<number> {
  return walkTable(self, world, world.geometry, root, page, pages, attributes);
}

/** Takes the right to write away; the caller flushes. */
export function protectRange(
  self: Actor,
  world: Stage2,
  root: number,
  page: number,
  pages: number,
): Operation<number> {
  return update(self, world, root, page, pages, new Attributes(world, 0, WRITE));
}

/** @returns Again when there is no leaf, or another walker changed it, in generations that take entries */
export function* makeYoung(
  self: Actor,
  world: Stage2,
  root: number,
  page: number,
  mode: Mode,
): Operation<number> {
  const young = new Attributes(world, ACCESSED, 0, { mode, level: ANY_LEVEL });
  const result = yield* update(self, world, root, page, 1, young);
  yield* self.dsb(at.publish, Domain.InnerStore);
  return result;
}

/** Clears the accessed flags of the range and tells whether one was set. No invalidation. */
export function* makeOld(
  self: Actor,
  world: Stage2,
  root: number,
  page: number,
  pages: number,
): Operation<boolean> {
  const attributes = new Attributes(world, 0, ACCESSED);
  yield* update(self, world, root, page, pages, attributes);
  return attributes.young;
}

export function* isYoung(
  self: Actor,
  world: Stage2,
  root: number,
  page: number,
  pages: number,
): Operation<boolean> {
  const attributes = new Attributes(world, 0, 0);
  yield* update(self, world, root, page, pages, attributes);
  return attributes.young;
}

/**
 * Adds rights to the leaf at `page` and removes what was cached for it: everywhere, or from 6.2 on only on
 * this PE, since others fault themselves and come here.
 * @param level level at which the fault was taken: a leaf of another level is not touched
 * @param mode how the caller holds the lock
 * @returns Again when the leaf is another by now
 */
export function* relaxPage(
  self: Actor,
  world: Stage2,
  root: number,
  page: number,
  rights: number,
  level: number,
  mode: Mode,
): Operation<number> {
  const attributes = new Attributes(world, rights, 0, { mode, level });
  const result = yield* update(self, world, root, page, 1, attributes);
  // without a leaf no level is known: no hint
  if (!world.generation.takesEntries) {
    if (result === Result.Ok) yield* flushPage(self, world, page, attributes.level);
    return result;
  }
  if (result === Result.Ok) {
    yield* flushPageHere(self, world, page, attributes.level);
  } else if (!world.bug('A02-loser-keeps-faulting-entry')) {
    // whoever changed the entry, what this PE has cached of it still faults
    const found = world.bug('A22-loser-flushes-with-wrong-level')
      ? world.geometry.startLevel
      : NO_LEVEL;
    yield* flushPageHere(self, world, page, found);
  }
  return result;
}
