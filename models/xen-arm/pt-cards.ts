/**
 * Cards of the operations on the hypervisor's own tables, written from spec/x86-xen.md B2 to B9 as data.
 * They share no code with the operations: level and entry are found here by trying.
 */
import { type Card, Change, NO_CARD, Result, State } from '../../sim/card.ts';
import { ACCESSED, leaf, RIGHTS } from '../../sim/descriptor.ts';
import { type Geometry, LAST_LEVEL, levelPages } from '../../sim/geometry.ts';
import { firstFrame } from './configurations.ts';
import { ATTRIBUTES } from './pt-request.ts';

type Range = readonly [number, number];

/** Arguments of an insert, by position: page, frame (from the first mappable one), pages, attributes, block. */
const insertRange = ([page = 0, , pages = 0]: readonly number[]): Range => [page, pages];
/** ... and of the other kinds: page, pages, then what they need. */
const pageRange = ([page = 0, pages = 0]: readonly number[]): Range => [page, pages];

const UPDATE: Card = { ...NO_CARD, tree: 0, lock: 'exclusive', pages: pageRange };

/** B4, B9.9: the coarsest entry that is aligned on both sides and not longer than what is left. */
function coarsestLevel(
  page: number,
  frame: number,
  left: number,
  levels: readonly number[],
  geometry: Geometry,
): number {
  const fits = levels.filter((level) => {
    const size = levelPages(geometry, level);
    return page % size === 0 && frame % size === 0 && size <= left;
  });
  return Math.min(LAST_LEVEL, ...fits);
}

function insertLevel(args: readonly number[], page: number, geometry: Geometry): number {
  const [first = 0, frame = 0, pages = 0, , isBlock = 0] = args;
  const levels = isBlock === 0 ? [] : geometry.blockLevels;
  let done = 0;
  for (;;) {
    const here = firstFrame(geometry) + frame + done;
    const level = coarsestLevel(first + done, here, pages - done, levels, geometry);
    done += levelPages(geometry, level);
    if (page < first + done) return level;
  }
}

/** B9.2, B9.9, B9.10: nothing is replaced; what is new is what was asked for, as coarse as it may be. */
export const INSERT_CARD: Card = {
  ...UPDATE,
  pages: insertRange,
  inside: [Change.Install],
  achieves: State.Mapped,
  gives: ([first = 0, frame = 0, , attributes = 0], page, _before, geometry) => {
    const { rights, type } = ATTRIBUTES[attributes]!;
    return leaf(firstFrame(geometry) + frame + page - first, rights | type | ACCESSED);
  },
  level: insertLevel,
  translates: true,
  results: [Result.Ok, Result.NoEntry, Result.Invalid, Result.Unsupported],
};

/** B9.2, B9.4: only rights change, and whatever the result, no PE uses the old ones. */
export const MODIFY_CARD: Card = {
  ...UPDATE,
  inside: [Change.Rights],
  gives: ([, , attributes = 0], _page, before) =>
    (before & ~RIGHTS) | ATTRIBUTES[attributes]!.rights,
  unusable: 'tightened',
  results: [Result.Ok, Result.NoEntry, Result.Invalid, Result.Unsupported],
};

/** B9.4. */
export const REMOVE_CARD: Card = {
  ...UPDATE,
  inside: [Change.Remove],
  achieves: State.Absent,
  unusable: 'removed',
  results: [Result.Ok, Result.Invalid, Result.Unsupported],
};

/** B2: tables only. */
export const POPULATE_CARD: Card = {
  ...UPDATE,
  results: [Result.Ok, Result.NoEntry, Result.Unsupported],
};

export const USE_CARD: Card = { ...NO_CARD, results: [Result.Ok, Result.Refused] };

/** What a tree's lock does for an operation must show in the tables, not in who holds it. */
export function untold(card: Card): Card {
  return { ...card, lock: 'none' };
}
