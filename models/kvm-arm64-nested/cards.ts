/**
 * Operation cards of kvm-arm64-nested, written from spec/arm.md 4 and 5 as data. Which shadow an operation works on is
 * known when it runs: cards speak of every tree of the guest, and the invariants say what each may hold.
 */
import { type Card, Change, NO_CARD, Result, State } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { EXEC, READ, WRITE } from '../../sim/descriptor.ts';
import type { Geometry } from '../../sim/geometry.ts';
import {
  COLLECT_LOG_CARD,
  EXIT_CARD,
  keepsLeaf,
  START_LOG_CARD as OWN_START_LOG_CARD,
  SHARED_ACCESS_CARD,
  STOP_LOG_CARD,
} from '../kvm-arm64/cards.ts';

export { EXIT_CARD, STOP_LOG_CARD };

const EVERY_TREE = { tree: 0, everyGuestTree: true } as const;

const wholeWindow = (_args: readonly number[], geometry: Geometry): readonly [number, number] => [
  0,
  geometry.windowPages,
];

/** 4.2: a fault of the guest hypervisor itself. */
export const OWN_ACCESS_CARD: Card = keepsLeaf(SHARED_ACCESS_CARD);

/**
 * 5.4: a fault maps or relaxes the page; an MMU that stood for another context is emptied before (5.2). The vCPU may
 * have to be initialised first.
 */
export const NESTED_ACCESS_CARD: Card = {
  ...SHARED_ACCESS_CARD,
  ...EVERY_TREE,
  reach: wholeWindow,
  // the guest hypervisor's table may not allow the access
  results: [...SHARED_ACCESS_CARD.results, Result.Refused],
};

/** 4.2 f12: the right to execute is given for instruction fetches only. */
export const NESTED_FETCH_CARD: Card = { ...NESTED_ACCESS_CARD, grants: READ | WRITE | EXEC };

/** 4.3, 5.6: absent on the range in the guest's own table, and everything in every shadow. */
export const UNMAP_CARD: Card = {
  ...NO_CARD,
  ...EVERY_TREE,
  lock: 'exclusive',
  pages: (args) => [args[0]!, args[1]!],
  reach: wholeWindow,
  inside: [Change.Remove],
  outside: [Change.Remove],
  achieves: State.Absent,
  prunes: true,
  unusable: 'removed',
  by: 'unlock',
  claims: [Claim.HostRevokes, Claim.RevocationReturned],
};

/** 5.5: entries of shadows go, and cannot be used when the instruction has retired. */
export const GUEST_FLUSH_CARD: Card = {
  ...NO_CARD,
  ...EVERY_TREE,
  lock: 'exclusive',
  pages: wholeWindow,
  inside: [Change.Remove],
  unusable: 'removed',
  by: 'unlock',
};

/** The same, for an operation that may have nothing to change. */
export const GUEST_CHANGE_CARD: Card = {
  ...GUEST_FLUSH_CARD,
  results: [Result.Ok, Result.Invalid],
};

/** Stage 1 only: no entry of a shadow changes. */
export const STAGE1_FLUSH_CARD: Card = { ...GUEST_FLUSH_CARD, inside: [], unusable: 'nothing' };

/** 5.2: registers only. As first posted (5.1) an MMU is made, or emptied when its VMID is given another table. */
export const RUN_WITH_CARD: Card = {
  ...GUEST_FLUSH_CARD,
  results: [Result.Ok, Result.NoMemory],
};

/** 5.6: no table of the guest changes; a page of the host's may be made. */
export const VNCR_CARD: Card = { ...NO_CARD, results: [Result.Ok, Result.NoMemory] };

/** 4.5, 5.6, N6: as without shadows, for every tree; nothing when the VM is gone. */
export const START_LOG_CARD: Card = {
  ...OWN_START_LOG_CARD,
  ...EVERY_TREE,
  results: [...OWN_START_LOG_CARD.results, Result.Refused],
};
export const NESTED_COLLECT_CARD: Card = {
  ...COLLECT_LOG_CARD,
  ...EVERY_TREE,
  results: [...COLLECT_LOG_CARD.results, Result.Refused],
};
