/**
 * Operation cards of kvm-x86-tdp, written from spec/x86-xen.md A5, A6, A9-A12, A15 as data. They share no
 * code with the operations: what is promised is stated here a second time.
 */
import { type Card, Change, NO_CARD, Result, State } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import type { Geometry } from '../../sim/geometry.ts';

type Range = readonly [number, number];

const onePage = (args: readonly number[]): Range => [args[0]!, 1];
const pageRange = (args: readonly number[]): Range => [args[0]!, args[1]!];
const wholeSlot = (_args: readonly number[], geometry: Geometry): Range => [
  0,
  geometry.windowPages,
];

/** The pages of the large leaves that contain the range. */
function blocksOf(range: Range, geometry: Geometry): Range {
  const size = 1 << geometry.bitsPerLevel;
  const first = Math.floor(range[0] / size) * size;
  const end = Math.ceil((range[0] + range[1]) / size) * size;
  return [first, end - first];
}

const EVERY_ROOT = { tree: 0, everyGuestTree: true } as const;

/** What a page may undergo when a leaf is made, split, or stands for a table. */
const REMAP = [Change.Install, Change.Reform, Change.Untrack, Change.Annotate];

/** A6: a fault maps the page, or the large page around it; the fast path holds no lock. */
export const ACCESS_CARD: Card = {
  ...NO_CARD,
  ...EVERY_ROOT,
  pages: onePage,
  reach: (args, geometry) => blocksOf(onePage(args), geometry),
  inside: REMAP,
  outside: REMAP,
  unusable: 'removed',
  by: 'unlock',
  claims: [Claim.FaultHandled, Claim.HostGrants],
  results: [Result.Ok, Result.NoMemory, Result.Refused],
};

/** A9, A13: absent in every root, invalid ones included; nothing usable before the lock is dropped. */
export const UNMAP_CARD: Card = {
  ...NO_CARD,
  ...EVERY_ROOT,
  lock: 'exclusive',
  pages: pageRange,
  reach: (args, geometry) => blocksOf(pageRange(args), geometry),
  inside: [Change.Remove, Change.Annotate],
  outside: [Change.Remove, Change.Annotate],
  achieves: State.Absent,
  unusable: 'removed',
  by: 'unlock',
  claims: [Claim.HostRevokes, Claim.RevocationReturned, Claim.WalkBegan],
};

/** A11: accessed flags, or the tracked form, of the range and of large leaves that reach into it; no lock. */
export const AGE_CARD: Card = {
  ...NO_CARD,
  ...EVERY_ROOT,
  pages: pageRange,
  reach: (args, geometry) => blocksOf(pageRange(args), geometry),
  inside: [Change.ClearAccessed, Change.Track],
  outside: [Change.ClearAccessed, Change.Track],
  claims: [Claim.YoungAnswered],
};

/** A11: nothing changes. */
export const TEST_AGE_CARD: Card = {
  ...NO_CARD,
  ...EVERY_ROOT,
  pages: onePage,
  claims: [Claim.YoungAnswered],
};

/** A12 enable with a hardware log: dirty flags go; no translation is left that hides a write. */
export const START_HARDWARE_LOG_CARD: Card = {
  ...NO_CARD,
  ...EVERY_ROOT,
  lock: 'shared',
  pages: wholeSlot,
  inside: [Change.Restrict, Change.Relax, Change.Annotate, Change.Rights],
  unusable: 'tightened',
  by: 'end',
  claims: [Claim.LogStarted],
  results: [Result.Ok, Result.Invalid],
};

/** A12 enable: the slot read-only, large leaves perhaps split; no writable translation after the flush. */
export const START_LOG_CARD: Card = {
  ...START_HARDWARE_LOG_CARD,
  inside: [Change.Restrict, Change.Relax, Change.Annotate],
  achieves: State.ReadOnly,
};

/** A12 harvest: what was marked is read-only after the flush. */
export const COLLECT_LOG_CARD: Card = {
  ...NO_CARD,
  ...EVERY_ROOT,
  lock: 'exclusive',
  pages: wholeSlot,
  inside: [Change.Restrict],
  unusable: 'tightened',
  by: 'end',
  claims: [Claim.LogTaken, Claim.LogHarvested],
  results: [Result.Ok, Result.Invalid],
};

export const COLLECT_HARDWARE_LOG_CARD: Card = {
  ...COLLECT_LOG_CARD,
  inside: [...COLLECT_LOG_CARD.inside, Change.Rights],
};

/** A12 recovery: tables become large leaves; what was cached of them is gone before the lock is dropped. */
export const STOP_LOG_CARD: Card = {
  ...NO_CARD,
  ...EVERY_ROOT,
  lock: 'shared',
  pages: wholeSlot,
  inside: REMAP,
  unusable: 'removed',
  by: 'unlock',
  claims: [Claim.LogStopped],
};

/** A12 for good: not writable, and not to be made so by the fast path. */
export const FORBID_CARD: Card = {
  ...NO_CARD,
  ...EVERY_ROOT,
  lock: 'exclusive',
  pages: onePage,
  reach: (args, geometry) => blocksOf(onePage(args), geometry),
  // an entry that aging has tracked since it was read comes back as accessed
  inside: [Change.Protect, Change.Annotate, Change.Untrack],
  outside: [Change.Protect, Change.Annotate, Change.Untrack],
  achieves: State.ReadOnly,
  unusable: 'tightened',
  by: 'unlock',
  claims: [Claim.WriteForbidden],
};

/** E2: nothing is un-protected at once. */
export const ALLOW_CARD: Card = NO_CARD;

/** A9: whole tables go; flushed before the lock is dropped. */
export const RECOVER_CARD: Card = {
  ...NO_CARD,
  ...EVERY_ROOT,
  lock: 'exclusive',
  pages: wholeSlot,
  inside: [Change.Remove, Change.Annotate],
  unusable: 'removed',
  by: 'unlock',
};

/** From 6.18 beside faults. */
export const RECOVER_SHARED_CARD: Card = { ...RECOVER_CARD, lock: 'shared' };

/** A10: no PE can use the old roots; everything below them goes, without a flush. */
export const MOVE_SLOT_CARD: Card = {
  ...NO_CARD,
  ...EVERY_ROOT,
  lock: 'shared',
  pages: wholeSlot,
  inside: [Change.Remove, Change.Annotate],
  unusable: 'removed',
  by: 'end',
};

/** A9, A18.4: the same, and nothing is left. */
export const EXIT_CARD: Card = {
  ...MOVE_SLOT_CARD,
  claims: [Claim.ContextRetired, Claim.HostRevokes],
};

/** A6 s4: where no memory lies, the access is left to user space. */
export const MMIO_ACCESS_CARD: Card = {
  ...ACCESS_CARD,
  claims: [...ACCESS_CARD.claims, Claim.AccessEmulated],
};

/** E2: new slots are there. When generations begin anew, everything goes as for a slot that is deleted. */
export const CHANGE_SLOTS_CARD: Card = {
  ...MOVE_SLOT_CARD,
  claims: [Claim.MemoryPlaced],
  results: [Result.Ok, Result.Invalid],
};

/** The same beside what else starting and stopping a log does. */
const MAY_GO = [Change.Remove, Change.Annotate];
export const MMIO_START_LOG_CARD: Card = {
  ...START_LOG_CARD,
  inside: [...START_LOG_CARD.inside, ...MAY_GO],
};
export const MMIO_STOP_LOG_CARD: Card = {
  ...STOP_LOG_CARD,
  inside: [...STOP_LOG_CARD.inside, ...MAY_GO],
};

/** Zoo K15: tables of another kind. */
export const SHADOW_CARD: Card = { ...NO_CARD, results: [Result.Ok, Result.NoMemory] };
