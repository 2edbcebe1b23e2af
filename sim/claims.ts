/**
 * Claims: facts that no access shows, made by system models with `self.claim`. A closed list:
 * oracles rely on their meaning. Fields are (x, y, z).
 */
export const Claim = {
  Invalid: 0,
  /**
   * The host backs input page x with frame y. Bit 0 of z: the guest may write it; the bits above
   * are log2 of the adjacent pages that are backed by adjacent frames.
   */
  HostGrants: 1,
  /** The host takes frame y away from input page x; it may be freed from now on. */
  HostRevokes: 2,
  /** The revocation of x pages is finished: nobody may reach them any more. */
  RevocationReturned: 3,
  /** Input pages [x, x + y) are logged from now on: later guest writes must be reported. */
  LogStarted: 4,
  /** Page x was marked dirty in the log. */
  LogMarked: 5,
  /** Marks of the 32 pages from x were taken: y is the mask, and z the mask of those that were left. */
  LogTaken: 6,
  /** The round that took marks has ended: its report is with user space. */
  LogHarvested: 7,
  LogStopped: 8,
  /** Asked whether [x, x + y) was accessed; the answer is z. */
  YoungAnswered: 9,
  /** Tree x can no longer be loaded by any PE. */
  ContextRetired: 10,
  /** Frame x changes owner to y. */
  OwnershipChanged: 11,
  /** The fault handler gives up on input page y and lets the guest retry; x is a `RetryReason`. */
  FaultRetry: 12,
  /** The fault handler is done with input page x; y is 1 when it believes that it repaired it. */
  FaultHandled: 13,
  /** The operation begins to work on tree x under its lock; y is the kind of work (card.ts). */
  WorkBegins: 14,
} as const;
export type ClaimCode = (typeof Claim)[keyof typeof Claim];

export const CLAIM_NAMES = [
  'invalid',
  'host grants',
  'host revokes',
  'revocation returned',
  'log started',
  'log marked',
  'log taken',
  'log harvested',
  'log stopped',
  'young answered',
  'context retired',
  'ownership changed',
  'fault retry',
  'fault handled',
  'work begins',
] as const;

/** Why a fault handler lets the guest try again without having repaired anything. */
export const RetryReason = {
  /** What it knows of the host may be stale: it has not looked at the table. */
  Invalidation: 1,
  /** The entry is not as it was when the fault was taken. */
  Moved: 2,
} as const;
export type RetryReason = (typeof RetryReason)[keyof typeof RetryReason];
