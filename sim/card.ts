/**
 * Operation cards: what an operation promises, as data. Systems write them from the specification;
 * oracles read them. The words here are the only vocabulary that the two sides share besides
 * events, claims and the abstract map.
 */
import type { ClaimCode } from './claims.ts';
import type { Geometry } from './geometry.ts';
import { Regime, type Tree } from './tables.ts';

/** What an operation's generator returns. */
export const Result = {
  Ok: 0,
  Again: 1,
  NoMemory: 2,
  Invalid: 3,
  Range: 4,
  /** The access was not served by the table (such as a page outside every slot); the caller may not. */
  Refused: 5,
  /** There is no entry to work on, or no table could be made for it. */
  NoEntry: 6,
  /** What is there would have to be taken apart first, which is not done. */
  Unsupported: 7,
  Busy: 8,
  TooBig: 9,
  Exists: 10,
  /** Pages set aside for it are used up. */
  Exhausted: 11,
} as const;
export type Result = (typeof Result)[keyof typeof Result];

export const RESULT_NAMES = [
  'ok',
  'again',
  'no memory',
  'invalid',
  'range',
  'refused',
  'no entry',
  'not supported',
  'busy',
  'too big',
  'exists',
  'exhausted',
] as const;

/** Ways in which an abstract entry may change (the vocabulary of cards). */
export const Change = {
  /** Mapped -> Absent. */
  Remove: 'remove',
  /** Mapped -> Absent, only for pages of a block that is being split. */
  RemoveSplit: 'remove-split',
  /** Absent -> Mapped. */
  Install: 'install',
  /** Mapped -> other mapped, where hardware sees no entry that is in a TLB (break-before-make judges that). */
  Replace: 'replace',
  /** Same page, fewer rights. */
  Restrict: 'restrict',
  /** Same page, more rights. */
  Relax: 'relax',
  /** Same page, other rights or accessed flag: legal without a break (spec/arm.md 1.10). */
  Rights: 'rights',
  SetAccessed: 'set-accessed',
  ClearAccessed: 'clear-accessed',
  /** Mapped -> the same page, kept by software and unseen by hardware; and the way back. */
  Track: 'track',
  Untrack: 'untrack',
  /** Same page, no right to write, other software bits. */
  Protect: 'protect',
  /** Same page, other rights and software bits. */
  Reform: 'reform',
  /** Anything -> annotation, annotation -> Absent. */
  Annotate: 'annotate',
} as const;
export type Change = (typeof Change)[keyof typeof Change];

/** What every page of the range has been at some instant of a successful operation. */
export const State = {
  Absent: 'absent',
  Mapped: 'mapped',
  /** Absent, or mapped without the right to write, which hardware does not give either. */
  ReadOnly: 'read-only',
  /** Absent, or mapped, and hardware that keeps dirty state in entries has found no write. */
  Clean: 'clean',
  /** Absent, or mapped with the accessed flag clear. */
  Old: 'old',
} as const;
export type State = (typeof State)[keyof typeof State];

/** What an operation does with a tree while it holds its lock (the rows of spec/arm.md 7.1). */
export const Work = {
  Map: 0,
  Relax: 1,
  Young: 2,
  Unmap: 3,
  Protect: 4,
  Age: 5,
  Split: 6,
  /** Tables of another kind are taken back because there are too many. */
  Evict: 7,
} as const;
export type Work = (typeof Work)[keyof typeof Work];

export const WORK_NAMES = [
  'map',
  'relax',
  'mkyoung',
  'unmap',
  'write-protect',
  'age',
  'split',
  'evict',
] as const;

/**
 * The card of an operation: its promises as data, written from the specification and sharing no
 * code with the generator. Oracles read it when the operation begins and ends.
 */
export interface Card {
  /** Tree whose entries the operation may change: an index into the machine's trees, or -1. */
  readonly tree: number;
  /** It may change every tree of the guest regime; `tree` is then the one whose geometry counts. */
  readonly everyGuestTree?: true;
  /** It may change any tree in the ways of `outside`, wherever; `tree` is -1. */
  readonly everyTree?: true;
  /** Mode in which the tree's lock is held for every store to a linked table. */
  readonly lock: 'exclusive' | 'shared' | 'none';
  /** Input pages that the arguments name: [first, count]; undefined when none. */
  readonly pages?: (args: readonly number[], geometry: Geometry) => readonly [number, number];
  /** Pages beyond the range that it may touch as well, such as the rest of a block. */
  readonly reach?: (args: readonly number[], geometry: Geometry) => readonly [number, number];
  /** Changes allowed for pages of the range, and for pages outside it within reach. */
  readonly inside: readonly Change[];
  readonly outside: readonly Change[];
  readonly achieves?: State;
  /** Pages outside its range are, when the tree's lock is dropped, as they were before it changed them. */
  readonly restores?: true;
  /** It makes no table when one entry maps exactly its range. */
  readonly spares?: true;
  /** A table whose last counted entry it removes is unlinked before the tree's lock is dropped. */
  readonly prunes?: boolean;
  /** Old translations that must be unusable, and by when. */
  readonly unusable: 'removed' | 'tightened' | 'nothing';
  readonly by: 'unlock' | 'end';
  /** The entry that it gives a page of its range, where it gives one; any when undefined. */
  readonly gives?: (
    args: readonly number[],
    page: number,
    before: number,
    geometry: Geometry,
  ) => number;
  /** Level of the leaf that it installs for a page of its range; any when undefined. */
  readonly level?: (args: readonly number[], page: number, geometry: Geometry) => number;
  /** When it ends well, its own PE translates every page of its range. */
  readonly translates?: true;
  /** A leaf that differs from the new one only in rights is changed in place, if at all: everybody else faults on a broken one. */
  readonly keepsLeaf?: true;
  /** Rights that it may give to a page that does not have them; any when undefined. */
  readonly grants?: number;
  /** Claims that a successful operation makes at least once. */
  readonly claims: readonly ClaimCode[];
  readonly results: readonly Result[];
}

/** Of an operation that touches no entry and promises nothing: what other cards are made of. */
export const NO_CARD: Card = Object.freeze({
  tree: -1,
  lock: 'none',
  inside: [],
  outside: [],
  unusable: 'nothing',
  by: 'end',
  claims: [],
  results: [Result.Ok],
});

/** Whether the card speaks about the tree. */
export function concerns(card: Card, tree: Tree): boolean {
  if (card.everyTree === true) return true;
  return card.tree === tree.index || (card.everyGuestTree === true && tree.regime === Regime.Guest);
}
