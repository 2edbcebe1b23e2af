/**
 * Operation cards of kvm-arm64, written from spec/arm.md 2.5, 4 and 7.0 as data. They share no code
 * with the operations: what is promised is stated here a second time.
 */
import { type Card, Change, NO_CARD, Result, State } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { EXEC, READ, WRITE } from '../../sim/descriptor.ts';
import type { Geometry } from '../../sim/geometry.ts';

const STAGE2_TREE = 0;
const HYPERVISOR_TREE = 1;

type Range = readonly [number, number];

const onePage = (args: readonly number[]): Range => [args[0]!, 1];
const pageRange = (args: readonly number[]): Range => [args[0]!, args[1]!];
const wholeSlot = (_args: readonly number[], geometry: Geometry): Range => [
  0,
  geometry.windowPages,
];

/** The slot that comes and goes: half a block, from the second one on. */
const deletedSlot = (_args: readonly number[], geometry: Geometry): Range => [
  1 << geometry.bitsPerLevel,
  1 << (geometry.bitsPerLevel - 1),
];

/** The blocks that contain the range: what a block entry drags along. */
function blocksOf(range: Range, geometry: Geometry): Range {
  const size = 1 << geometry.bitsPerLevel;
  const first = Math.floor(range[0] / size) * size;
  const end = Math.ceil((range[0] + range[1]) / size) * size;
  return [first, end - first];
}

/** The same promise about another guest's stage 2. */
export function cardFor(card: Card, tree: number): Card {
  return card.tree === STAGE2_TREE && tree !== STAGE2_TREE ? { ...card, tree } : card;
}

/** 4.2: a fault maps, relaxes, splits or coalesces around the page; only what the host grants. */
export const ACCESS_CARD: Card = {
  ...NO_CARD,
  tree: STAGE2_TREE,
  lock: 'exclusive',
  pages: onePage,
  reach: (args, geometry) => blocksOf(onePage(args), geometry),
  inside: [Change.Remove, Change.Install, Change.Relax, Change.SetAccessed],
  outside: [Change.Remove, Change.Install, Change.Relax, Change.SetAccessed],
  unusable: 'removed',
  by: 'unlock',
  grants: READ | WRITE,
  claims: [Claim.FaultHandled, Claim.HostGrants],
  results: [Result.Ok, Result.NoMemory],
};

/** 3.1, 3.3: the same, beside other faults; every store is made inside a read section. */
export const SHARED_ACCESS_CARD: Card = { ...ACCESS_CARD, lock: 'shared' };

/** 4.1: without a slot the access is not served by the table. */
export function layoutCard(access: Card): Card {
  return { ...access, results: [...access.results, Result.Refused] };
}

/** From 5.11 on: a page that only lacks rights is left alone, and given them in place by the fault that follows. */
export function keepsLeaf(card: Card): Card {
  return { ...card, keepsLeaf: true };
}

/** The same for a page that a guest's own stage 1 names: one of the first block. */
export function privateCard(access: Card): Card {
  const pages = (_args: readonly number[], geometry: Geometry): Range => blocksOf([0, 1], geometry);
  return { ...access, pages, reach: pages };
}

/**
 * E25: two faults that relax one page store without looking; one of them may lose what it granted, and the accessed
 * flag that hardware has set meanwhile (2.5.7, I-AF).
 */
export const READERS_ACCESS_CARD: Card = {
  ...ACCESS_CARD,
  lock: 'shared',
  inside: [...ACCESS_CARD.inside, Change.Restrict, Change.ClearAccessed],
};

/** 4.2 f12: the right to execute is given for instruction fetches only. */
export function fetchCard(access: Card): Card {
  return { ...access, grants: READ | WRITE | EXEC };
}

/** 2.5.5, 4.3: absent on at least the range; nothing usable before the lock is dropped. */
export const UNMAP_CARD: Card = {
  ...NO_CARD,
  tree: STAGE2_TREE,
  lock: 'exclusive',
  pages: pageRange,
  reach: (args, geometry) => blocksOf(pageRange(args), geometry),
  inside: [Change.Remove],
  outside: [Change.Remove],
  achieves: State.Absent,
  prunes: true,
  unusable: 'removed',
  by: 'unlock',
  claims: [Claim.HostRevokes, Claim.RevocationReturned],
};

/** 4.3, munmap and mmap of a whole region: as unmap; what backs it afterwards is another matter. */
export const REMAP_CARD: Card = {
  ...UNMAP_CARD,
  pages: (args, geometry) => blocksOf(onePage(args), geometry),
  claims: [Claim.HostRevokes],
};

/** 4.3 change-pte: the page is unmapped, and may come back with the frame that replaces the old one. */
export const CHANGE_CARD: Card = {
  ...UNMAP_CARD,
  pages: onePage,
  reach: (args, geometry) => blocksOf(onePage(args), geometry),
  inside: [Change.Remove, Change.Install],
  claims: [Claim.HostRevokes, Claim.HostGrants],
  results: [Result.Ok, Result.NoMemory, Result.Invalid],
};

/** 3.1, 4.5: nothing is mapped for a slot that is deleted. */
export const DELETE_SLOT_CARD: Card = {
  ...UNMAP_CARD,
  pages: deletedSlot,
  reach: deletedSlot,
  claims: [Claim.HostRevokes],
  results: [Result.Ok, Result.Invalid],
};

/** Both places of a slot that is moved, and what lies between: a block further. */
const bothPlaces = (_args: readonly number[], geometry: Geometry): Range => {
  const [first, pages] = deletedSlot([], geometry);
  return [first, pages + (1 << geometry.bitsPerLevel)];
};

/** The same wherever the slot lies, so that no page can be named beforehand. */
const { achieves: _absent, ...WEAK_UNMAP_CARD } = UNMAP_CARD;
export const DELETE_MOVING_SLOT_CARD: Card = {
  ...WEAK_UNMAP_CARD,
  pages: bothPlaces,
  reach: bothPlaces,
  claims: DELETE_SLOT_CARD.claims,
  results: DELETE_SLOT_CARD.results,
};

/** 4.3 change-pte of a host page that the guest sees at one of several addresses. */
export const CHANGE_MOVING_CARD: Card = {
  ...WEAK_UNMAP_CARD,
  pages: wholeSlot,
  reach: wholeSlot,
  inside: CHANGE_CARD.inside,
  claims: CHANGE_CARD.claims,
  results: CHANGE_CARD.results,
};

/** 3.1: nothing is mapped for a slot where it was; the argument is the place to which it goes. */
const leftPlace = ([to]: readonly number[], geometry: Geometry): Range => {
  const [first, pages] = deletedSlot([], geometry);
  return [to === 0 ? first + (1 << geometry.bitsPerLevel) : first, pages];
};
export const MOVE_SLOT_CARD: Card = {
  ...UNMAP_CARD,
  pages: leftPlace,
  reach: leftPlace,
  claims: [Claim.HostRevokes, Claim.HostGrants],
  results: [Result.Ok, Result.Invalid],
};

export const CREATE_SLOT_CARD: Card = {
  ...NO_CARD,
  claims: [Claim.HostGrants],
  results: [Result.Ok, Result.Invalid],
};

/** 4.1 step 5: the same, and the guest may not write what the slot holds. */
export const CREATE_READ_ONLY_SLOT_CARD: Card = {
  ...CREATE_SLOT_CARD,
  claims: [Claim.HostGrants, Claim.WriteForbidden],
};

/** 4.3 age: accessed flags of the range and of blocks that reach into it. */
export const AGE_CARD: Card = {
  ...NO_CARD,
  tree: STAGE2_TREE,
  lock: 'exclusive',
  pages: pageRange,
  reach: (args, geometry) => blocksOf(pageRange(args), geometry),
  inside: [Change.ClearAccessed],
  outside: [Change.ClearAccessed],
  achieves: State.Old,
  claims: [Claim.YoungAnswered],
};

/** 4.3 test age: M unchanged. */
export const TEST_AGE_CARD: Card = {
  ...NO_CARD,
  tree: STAGE2_TREE,
  lock: 'exclusive',
  pages: onePage,
  claims: [Claim.YoungAnswered],
};

/** 4.5 start: the whole slot read-only; no writable translation at the end of the flush. */
export const START_LOG_CARD: Card = {
  ...NO_CARD,
  tree: STAGE2_TREE,
  lock: 'exclusive',
  pages: wholeSlot,
  inside: [Change.Restrict],
  achieves: State.ReadOnly,
  unusable: 'tightened',
  by: 'end',
  claims: [Claim.LogStarted],
  results: [Result.Ok, Result.Invalid],
};

/** 1.9, 4.5: with dirty state a page of the slot stays writable, and hardware has found no write to it. */
export const CLEANING_START_LOG_CARD: Card = { ...START_LOG_CARD, achieves: State.Clean };

/** 3.4 SPLIT: blocks are taken out and come back as pages, read-only as they are by then. */
export const SPLITTING_START_LOG_CARD: Card = {
  ...START_LOG_CARD,
  inside: [...START_LOG_CARD.inside, Change.RemoveSplit, Change.Install],
};

/** 4.5 with "initially all set": what is writable stays so, since all of it is marked. */
const { achieves: _, ...WEAK_START_LOG_CARD } = START_LOG_CARD;
export const LAYOUT_START_LOG_CARD: Card = {
  ...WEAK_START_LOG_CARD,
  inside: [...START_LOG_CARD.inside, Change.RemoveSplit, Change.Install],
};

/** 4.5 clear: as get-and-clear, with the blocks split in the mode that starts with all marks set. */
export const CLEAR_LOG_CARD: Card = {
  ...NO_CARD,
  tree: STAGE2_TREE,
  lock: 'exclusive',
  pages: wholeSlot,
  inside: [Change.Restrict, Change.RemoveSplit, Change.Install],
  unusable: 'tightened',
  by: 'end',
  claims: [Claim.LogTaken, Claim.LogHarvested],
  results: [Result.Ok, Result.Invalid],
};

/** 4.5 get-and-clear: what was marked is read-only at the end of the flush. */
export const COLLECT_LOG_CARD: Card = {
  ...NO_CARD,
  tree: STAGE2_TREE,
  lock: 'exclusive',
  pages: wholeSlot,
  inside: [Change.Restrict],
  unusable: 'tightened',
  by: 'end',
  claims: [Claim.LogTaken, Claim.LogHarvested],
  results: [Result.Ok, Result.Invalid],
};

/** 4.5 stop: nothing is un-protected. */
export const STOP_LOG_CARD: Card = { ...NO_CARD, claims: [Claim.LogStopped] };

/** 4.7: the tree is detached; what it said before does not matter any more. */
export const EXIT_CARD: Card = {
  ...NO_CARD,
  claims: [Claim.ContextRetired, Claim.HostRevokes],
};

/** 4.3: every page of the device, as map; what a fault has mapped before is equal. */
export const MAP_DEVICE_CARD: Card = {
  ...NO_CARD,
  tree: STAGE2_TREE,
  lock: 'exclusive',
  pages: (_args, geometry) => {
    const size = 1 << geometry.bitsPerLevel;
    return [geometry.windowPages - size, size];
  },
  inside: [Change.Install, Change.Relax],
  achieves: State.Mapped,
  unusable: 'removed',
  by: 'unlock',
  grants: READ | WRITE,
  // the guest may be gone
  results: [Result.Ok, Result.NoMemory, Result.Invalid],
};

/** 2.5.2: invalid -> valid only. */
export const HYPERVISOR_MAP_CARD: Card = {
  ...NO_CARD,
  tree: HYPERVISOR_TREE,
  lock: 'exclusive',
  pages: pageRange,
  inside: [Change.Install],
  achieves: State.Mapped,
  grants: READ | WRITE,
  results: [Result.Ok, Result.NoMemory, Result.Invalid],
};

export const HYPERVISOR_ACCESS_CARD: Card = { ...NO_CARD, results: [Result.Ok, Result.Refused] };
