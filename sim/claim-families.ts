/**
 * Which claims concern the same matter, for footprints: oracles that hear of one matter do not ask about
 * the others.
 */
import { CLAIM_NAMES, Claim, type ClaimCode } from './claims.ts';

/** Families of claims: what is said in one is of no interest to the others. */
export const Family = { Host: 0, Log: 1, Age: 2, Other: 3, Owner: 4, Fault: 5 } as const;
export type Family = (typeof Family)[keyof typeof Family];
export const FAMILIES = 5;

export const FAMILY: readonly Family[] = CLAIM_NAMES.map((_, claim): Family => {
  switch (claim) {
    case Claim.HostGrants:
    case Claim.HostRevokes:
    case Claim.RevocationReturned:
      return Family.Host;
    case Claim.LogStarted:
    case Claim.LogMarked:
    case Claim.LogTaken:
    case Claim.LogHarvested:
    case Claim.LogStopped:
    case Claim.LogQueued:
      return Family.Log;
    case Claim.YoungAnswered:
      return Family.Age;
    case Claim.OwnershipChanged:
      return Family.Owner;
    case Claim.FaultRetry:
    case Claim.FaultHandled:
      return Family.Fault;
    default:
      return Family.Other;
  }
});

/** Claims of those families at which oracles look at what guests' trees say; at those of Other they may look at all. */
export const LOOKS_AT_ENTRIES: ReadonlySet<ClaimCode> = new Set([
  Claim.LogStarted,
  Claim.LogHarvested,
  Claim.FaultRetry,
  Claim.FaultHandled,
]);
