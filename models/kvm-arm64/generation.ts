/**
 * What differs between the generations of KVM/arm64 that are modelled, in one place. Operations read
 * these switches; there is no copy of an operation per generation. Each generation is its algorithm
 * with every later fix of it; the fixes are bug flags.
 *
 * Source: spec/arm.md 2.1, 3.1, 3.4, 4.2 f14.
 */

/** Bit 10 of a word whose valid bit is clear (spec/arm.md 1.3): an entry that a walker has taken. */
export const BUSY = 1 << 10;

/** Mode in which faults hold the MMU lock; everything that removes or restricts holds it exclusively. */
export const FaultLock = {
  Exclusive: 'exclusive',
  /** Shared for write faults that only give a logged page its right back. */
  SharedToRelax: 'shared-to-relax',
  Shared: 'shared',
} as const;
export type FaultLock = (typeof FaultLock)[keyof typeof FaultLock];

/** When a page that became writable is marked in the dirty log. */
export const MarkTime = {
  BeforeMap: 'before-map',
  UnderLock: 'under-lock',
  AfterUnlock: 'after-unlock',
} as const;
export type MarkTime = (typeof MarkTime)[keyof typeof MarkTime];

/** How guests get their numbers (VMIDs), where a configuration has more than one guest. */
export const VmidDesign = {
  /** 5.0: a roll-over makes every vCPU leave its guest. */
  OneGeneration: 'one-generation',
  /** 5.18: a roll-over keeps the numbers that PEs run with. */
  ActivePerPe: 'active-per-pe',
} as const;
export type VmidDesign = (typeof VmidDesign)[keyof typeof VmidDesign];

export interface Generation {
  readonly faultLock: FaultLock;
  /**
   * An entry is taken (made busy by a compare-and-exchange when the lock is shared) before it is
   * replaced, and a table becomes a block in one visit before it is walked. Otherwise entries are broken by
   * plain stores, and a table becomes a block in three visits, with an anchor.
   */
  readonly takesEntries: boolean;
  /** A table that is taken out of the tree is freed after a grace period; otherwise at once, as at EL2. */
  readonly freesLater: boolean;
  /** FEAT_TLBIRANGE: ranges are invalidated as ranges, those of unmapped leaves once after the walk. */
  readonly flushesRanges: boolean;
  readonly marks: MarkTime;
  /** Teardown walks the tree in pieces and drops a table when it is empty. */
  readonly destroysInChunks: boolean;
  readonly vmids: VmidDesign;
  /** A leaf that differs from what a fault maps only in rights is left alone: what is missing comes with the next fault. */
  readonly leavesRights: boolean;
  /**
   * FEAT_HAFDBS with HD = 1: pages have the dirty-bit modifier, those of a logged slot no right to write, and
   * hardware gives it at the first write. A round of the log takes it back. No kernel does this.
   */
  readonly hasDirtyState: boolean;
}

/** 5.10: one spin lock. */
export const EXCLUSIVE: Generation = {
  faultLock: FaultLock.Exclusive,
  takesEntries: false,
  freesLater: false,
  flushesRanges: false,
  marks: MarkTime.BeforeMap,
  destroysInChunks: false,
  vmids: VmidDesign.OneGeneration,
  leavesRights: false,
  hasDirtyState: false,
};

/** 5.11 to 5.17: still one spin lock. */
export const ONE_LOCK: Generation = { ...EXCLUSIVE, leavesRights: true };

/** The same with the dirty state that hardware keeps in leaves: a design of ours (spec/arm.md 1.9). */
export const DIRTY_STATE: Generation = { ...ONE_LOCK, hasDirtyState: true };

/** 5.18: the lock has readers, which may only relax a page. */
export const READERS: Generation = {
  ...EXCLUSIVE,
  faultLock: FaultLock.SharedToRelax,
  vmids: VmidDesign.ActivePerPe,
};

/** 6.2 to 6.12: faults run in parallel. */
export const PARALLEL: Generation = {
  faultLock: FaultLock.Shared,
  takesEntries: true,
  freesLater: true,
  flushesRanges: true,
  marks: MarkTime.UnderLock,
  destroysInChunks: false,
  vmids: VmidDesign.ActivePerPe,
  leavesRights: true,
  hasDirtyState: false,
};

/** 6.2 to 6.5, and machines without FEAT_TLBIRANGE: whole-VM invalidations instead of ranges. */
export const PARALLEL_WITHOUT_RANGES: Generation = { ...PARALLEL, flushesRanges: false };

/** The walker of 6.4 as the hypervisor uses it: no readers, and what is unlinked is freed at once. */
export const IMMEDIATE: Generation = {
  ...PARALLEL_WITHOUT_RANGES,
  faultLock: FaultLock.Exclusive,
  freesLater: false,
};

/** 2026. */
export const RECENT: Generation = {
  ...PARALLEL,
  marks: MarkTime.AfterUnlock,
  destroysInChunks: true,
};

/** In the order of the kernels that they mirror. */
export const GENERATIONS: readonly Generation[] = Object.freeze([
  EXCLUSIVE,
  ONE_LOCK,
  DIRTY_STATE,
  READERS,
  PARALLEL,
  PARALLEL_WITHOUT_RANGES,
  IMMEDIATE,
  RECENT,
]);
