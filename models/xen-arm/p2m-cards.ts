/** Cards of the operations on a p2m, written from spec/x86-xen.md C2 to C11 as data. */
import { type Card, Change, NO_CARD, Result, State } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { type Geometry, LAST_LEVEL, levelPages } from '../../sim/geometry.ts';

type Range = readonly [number, number];

const onePage = ([page = 0]: readonly number[]): Range => [page, 1];
const pageRange = ([page = 0, pages = 0]: readonly number[]): Range => [page, pages];
/** Page, an index that names what is mapped, pages. */
const mappedRange = ([page = 0, , pages = 0]: readonly number[]): Range => [page, pages];
const everything = (_args: readonly number[], { windowPages }: Geometry): Range => [0, windowPages];

/** The largest blocks that reach into the range: a block that is taken apart drags its pages along. */
function blocksOf([first, pages]: Range, geometry: Geometry): Range {
  const size = Math.min(levelPages(geometry, 1), 1 << 20);
  const from = Math.floor(first / size) * size;
  return [from, Math.ceil((first + pages) / size) * size - from];
}

/** C11.1, C11.5: entries of the range go from old to none to new; what else was in the way comes back. */
const SET: Card = {
  ...NO_CARD,
  tree: 0,
  lock: 'exclusive',
  inside: [Change.Remove, Change.Install, Change.Replace],
  outside: [Change.Remove, Change.Install],
  restores: true,
  unusable: 'removed',
  by: 'unlock',
};

/** C3: the entries that alignment of page, frame and what is left allow; the frame is as aligned as it is long. */
function setLevel(
  [page = 0, pages = 1]: readonly number[],
  at: number,
  geometry: Geometry,
): number {
  let done = 0;
  for (;;) {
    const left = pages - done;
    const sizes = geometry.blockLevels.map((level) => levelPages(geometry, level));
    const fitting = sizes.filter(
      (size) => (page + done) % size === 0 && left % size === 0 && pages % size === 0,
    );
    const size = Math.max(1, ...fitting);
    done += size;
    if (at < page + done)
      return size === 1 ? LAST_LEVEL : geometry.blockLevels[sizes.indexOf(size)]!;
  }
}

export const POPULATE_CARD: Card = {
  ...SET,
  pages: pageRange,
  reach: (args, geometry) => blocksOf(pageRange(args), geometry),
  achieves: State.Mapped,
  level: setLevel,
  claims: [Claim.HostGrants],
  results: [Result.Ok, Result.NoMemory, Result.Refused],
};

/** Every page has an entry of its own. */
export const MONITORED_POPULATE_CARD: Card = { ...POPULATE_CARD, level: () => LAST_LEVEL };

/** Others' pages are never executed. */
export const MAP_FOREIGN_CARD: Card = {
  ...SET,
  pages: mappedRange,
  reach: (args, geometry) => blocksOf(mappedRange(args), geometry),
  achieves: State.Mapped,
  claims: [Claim.HostGrants, Claim.PageReferenced],
  results: [Result.Ok, Result.NoMemory, Result.Refused],
};

export const MAP_DEVICE_CARD: Card = {
  ...SET,
  pages: mappedRange,
  reach: (args, geometry) => blocksOf(mappedRange(args), geometry),
  achieves: State.Mapped,
  claims: [Claim.HostGrants],
  results: [Result.Ok, Result.NoMemory, Result.Refused],
};

/** C11.5, C11.10: nothing of the range is left, and no table is made to remove one entry. */
export const REMOVE_CARD: Card = {
  ...SET,
  pages: pageRange,
  reach: (args, geometry) => blocksOf(pageRange(args), geometry),
  achieves: State.Absent,
  spares: true,
  claims: [Claim.HostRevokes],
  results: [Result.Ok, Result.NoMemory, Result.Refused, Result.Invalid],
};

/** The same page, with other rights. */
export const CHANGE_CARD: Card = {
  ...SET,
  pages: onePage,
  reach: (args, geometry) => blocksOf(onePage(args), geometry),
  results: [Result.Ok, Result.NoMemory, Result.Refused, Result.Invalid],
};

/** C2: nothing changes. */
export const LOOK_UP_CARD: Card = {
  ...NO_CARD,
  tree: 0,
  lock: 'exclusive',
  pages: onePage,
  results: [Result.Ok, Result.Refused, Result.Invalid],
};

/** C9: what Xen knows stays; what hardware saw is forgotten. */
export const TRACK_CARD: Card = {
  ...NO_CARD,
  tree: 0,
  lock: 'exclusive',
  pages: everything,
  unusable: 'removed',
  by: 'unlock',
  claims: [Claim.WalkBegan, Claim.WalkVisited, Claim.WalkEnded],
  results: [Result.Ok, Result.Refused],
};

/** C9: a fault changes what hardware sees, and nothing that Xen knows. */
export const ACCESS_CARD: Card = {
  ...NO_CARD,
  tree: 0,
  lock: 'exclusive',
  pages: onePage,
  results: [Result.Ok, Result.Refused],
};

export const DEVICE_CARD: Card = { ...NO_CARD, results: [Result.Ok, Result.Refused] };

export const RELEASE_CARD: Card = { ...NO_CARD, results: [Result.Ok, Result.Invalid] };

/** C10: every mapping is given up. */
export const DESTROY_CARD: Card = {
  ...NO_CARD,
  tree: 0,
  lock: 'exclusive',
  pages: everything,
  inside: [Change.Remove],
  achieves: State.Absent,
  claims: [Claim.ContextObsolete, Claim.ContextRetired],
  results: [Result.Ok, Result.Invalid],
};

/** ... and the next domain begins with nothing. */
export const REBOOT_CARD: Card = {
  ...DESTROY_CARD,
  claims: [...DESTROY_CARD.claims, Claim.ContextCreated],
  results: [Result.Ok, Result.NoMemory, Result.Invalid],
};
