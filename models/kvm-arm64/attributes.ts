/**
 * Changes attributes of leaves in place: write-protect, accessed flag, relax permissions.
 *
 * Mirrors: Linux 5.10 arch/arm64/kvm/hyp/pgtable.c, the shared attribute walker and its users.
 * Leaves out: instruction-cache maintenance before execute is granted (no oracle sees it yet).
 * Source: spec/arm.md 2.5.7.
 */
import { Domain } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { ACCESSED, isValid, WRITE } from '../../sim/descriptor.ts';
import { sites } from '../../sim/site.ts';
import { flushPage } from './flush.ts';
import { type TableWalk, Visit, type Visitor, walkTable } from './walker.ts';
import type { KvmWorld } from './world.ts';

export const attributeSites = sites('stage2-attributes', ['readLeaf', 'update', 'publish']);
const at = attributeSites;

export const ANY_LEVEL = -1;

class Attributes implements Visitor {
  readonly flags = Visit.Leaf;
  readonly #set: number;
  readonly #clear: number;
  /** The last valid leaf as it was, its level, and whether any leaf had its accessed flag set. */
  last = 0;
  level = -1;
  young = false;

  readonly #only: number;

  /** @param only level of the leaves that may be changed, or ANY_LEVEL */
  constructor(set: number, clear: number, only = ANY_LEVEL) {
    this.#set = set;
    this.#clear = clear;
    this.#only = only;
  }

  *leaf(self: Actor, walk: TableWalk): Operation<number> {
    const old = yield* self.readOnce(at.readLeaf, walk.word);
    if (!isValid(old)) return Result.Ok;
    if (this.#only !== ANY_LEVEL && walk.level !== this.#only) return Result.Again;
    this.last = old;
    this.level = walk.level;
    if ((old & ACCESSED) !== 0) this.young = true;
    const next = (old & ~this.#clear) | this.#set;
    if (next !== old) yield* self.store(at.update, walk.word, next);
    return Result.Ok;
  }
}

function update(
  self: Actor,
  world: KvmWorld,
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
  world: KvmWorld,
  root: number,
  page: number,
  pages: number,
): Operation<number> {
  return update(self, world, root, page, pages, new Attributes(0, WRITE));
}

export function* makeYoung(
  self: Actor,
  world: KvmWorld,
  root: number,
  page: number,
): Operation<number> {
  const result = yield* update(self, world, root, page, 1, new Attributes(ACCESSED, 0));
  yield* self.dsb(at.publish, Domain.InnerStore);
  return result;
}

/** Clears the accessed flags of the range and tells whether one was set. No invalidation. */
export function* makeOld(
  self: Actor,
  world: KvmWorld,
  root: number,
  page: number,
  pages: number,
): Operation<boolean> {
  const attributes = new Attributes(0, ACCESSED);
  yield* update(self, world, root, page, pages, attributes);
  return attributes.young;
}

export function* isYoung(
  self: Actor,
  world: KvmWorld,
  root: number,
  page: number,
  pages: number,
): Operation<boolean> {
  const attributes = new Attributes(0, 0);
  yield* update(self, world, root, page, pages, attributes);
  return attributes.young;
}

/**
 * Adds rights to the leaf at `page` and removes what was cached for it.
 * @param level level at which the fault was taken: a leaf of another level is not touched
 * @returns Again when the leaf lies at another level by now
 */
export function* relaxPage(
  self: Actor,
  world: KvmWorld,
  root: number,
  page: number,
  rights: number,
  level: number,
): Operation<number> {
  const attributes = new Attributes(rights, 0, level);
  const result = yield* update(self, world, root, page, 1, attributes);
  // without a leaf no level is known: no hint
  if (result === Result.Ok) yield* flushPage(self, world, page, attributes.level);
  return result;
}
