/**
 * The stand-alone page-table walker and its visitor contract.
 *
 * Mirrors: Linux 5.10 arch/arm64/kvm/hyp/pgtable.c, the generic walk (see README.md for names), with
 *          the alignment fix of 5.12; from 6.4 on with a second look after the pre-order visit.
 * Leaves out: EL2 address conversion of table pages; the range errors (cases are checked at the edge);
 *          the second read of a leaf at the last level, and of an entry at which the walk ends.
 * Source: spec/arm.md 2.2.
 *
 * One generator with an explicit stack of levels: a visitor's accesses are three frames deep
 * however deep the table is.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { frameOf, isTable } from '../../sim/descriptor.ts';
import {
  alignDown,
  entriesPerTable,
  type Geometry,
  indexAt,
  LAST_LEVEL,
  levelPages,
  rootIndex,
} from '../../sim/geometry.ts';
import type { WordAddress } from '../../sim/memory.ts';
import { sites } from '../../sim/site.ts';
import type { Stage2 } from './stage2.ts';

export const walkerSites = sites('table-walk', ['readEntry', 'readAgain', 'readAfterPre']);
const at = walkerSites;

/** The entry was dealt with by the pre-order visit: do not descend. */
export const DONE = -1;

/** IgnoreAgain: an entry that somebody else is changing is passed over instead of ending the walk. */
export const Visit = { Leaf: 1, Pre: 2, Post: 4, IgnoreAgain: 8 } as const;

/**
 * Called for entries of the range; a result other than Ok (or DONE before a table, or Again where the
 * flags ignore it) ends the walk. Nothing means Ok, without a generator for it.
 */
export interface Visitor {
  readonly flags: number;
  /** A table entry, before its table. */
  pre?(self: Actor, walk: TableWalk): Operation<number> | undefined;
  /** A leaf or an invalid entry. */
  leaf?(self: Actor, walk: TableWalk): Operation<number>;
  /** A table entry, after its table was walked without error. */
  post?(self: Actor, walk: TableWalk): Operation<number> | undefined;
}

/** Where a walk is; visitors read it, only the walker writes it. */
export class TableWalk {
  geometry!: Geometry;
  /** Page at which the walk is, and the end of the range. */
  cursor = 0;
  end = 0;
  level = 0;
  /** The entry: its word, its table page, its first page, and the snapshot that was read. */
  word: WordAddress = 0;
  table = 0;
  first = 0;
  snapshot = 0;
  readonly tables = new Int32Array(6);
  readonly indexes = new Int32Array(6);
}

/**
 * Walks [first, first + pages) of the table at `root`.
 * @returns Ok, or the first other result of a visitor
 */
export function* walkTable(
  self: Actor,
  world: Stage2,
  geometry: Geometry,
  root: number,
  first: number,
  pages: number,
  visitor: Visitor,
): Operation<number> {
  const walk = world.walks[self.index]!;
  const { memory } = self.machine;
  const { flags } = visitor;
  const readsAfterPre = world.generation.takesEntries;
  const entries = entriesPerTable(geometry);
  const { tables, indexes } = walk;
  walk.geometry = geometry;
  walk.cursor = first;
  walk.end = first + pages;

  for (let page = rootIndex(geometry, first); walk.cursor < walk.end; page += 1) {
    let level = geometry.startLevel;
    tables[level] = root + page;
    indexes[level] = indexAt(geometry, walk.cursor, level);
    for (;;) {
      if (indexes[level] === entries || walk.cursor >= walk.end) {
        // this table is done: back to the entry that names it
        if (level === geometry.startLevel) break;
        level -= 1;
        position(walk, memory.address(tables[level]!, indexes[level]!), tables[level]!, level);
        walk.first = alignDown(walk.cursor - 1, levelPages(geometry, level));
        if ((flags & Visit.Post) !== 0) {
          const visit = visitor.post!(self, walk);
          const result = visit === undefined ? Result.Ok : yield* visit;
          if (result !== Result.Ok) return result;
        }
        indexes[level]! += 1;
        continue;
      }
      const size = levelPages(geometry, level);
      position(walk, memory.address(tables[level]!, indexes[level]!), tables[level]!, level);
      walk.first = alignDown(walk.cursor, size);
      walk.snapshot = yield* self.readOnce(at.readEntry, walk.word);
      let descends = level < LAST_LEVEL && isTable(walk.snapshot);

      if (descends && (flags & Visit.Pre) !== 0) {
        const visit = visitor.pre!(self, walk);
        const result = visit === undefined ? Result.Ok : yield* visit;
        if (result === DONE) descends = false;
        else if (result !== Result.Ok) return result;
        // the visitor may have made a leaf of it, and given the table away
        else if (readsAfterPre && !world.bug('A08-no-second-look-after-pre')) {
          walk.snapshot = yield* self.readOnce(at.readAfterPre, walk.word);
          descends = isTable(walk.snapshot);
        }
      } else if (!descends && (flags & Visit.Leaf) !== 0) {
        const result = yield* visitor.leaf!(self, walk);
        const isPassed = result === Result.Again && (flags & Visit.IgnoreAgain) !== 0;
        if (result !== Result.Ok && !isPassed) return result;
        // the visitor may have put a table here: look again and descend into it
        if (level < LAST_LEVEL) {
          walk.snapshot = yield* self.readOnce(at.readAgain, walk.word);
          descends = isTable(walk.snapshot);
        }
      }

      if (descends) {
        const child = frameOf(walk.snapshot);
        level += 1;
        tables[level] = child;
        indexes[level] = indexAt(geometry, walk.cursor, level);
        continue;
      }
      const from = world.bug('A06-walk-keeps-misalignment') ? walk.cursor : walk.first;
      walk.cursor = from + size;
      indexes[level]! += 1;
    }
  }
  return Result.Ok;
}

function position(walk: TableWalk, word: WordAddress, table: number, level: number): void {
  walk.word = word;
  walk.table = table;
  walk.level = level;
}
