/**
 * Operation cards of pkvm, written from spec/arm.md 6.3 and 6.7 as data. Which page may be reached by whom is not said
 * here: the oracle `ownership` judges it for every step.
 */
import { type Card, Change, Result } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { EXEC, READ, WRITE } from '../../sim/descriptor.ts';

const NOTHING: Card = {
  tree: -1,
  lock: 'exclusive',
  inside: [],
  outside: [],
  unusable: 'nothing',
  by: 'end',
  claims: [],
  results: [Result.Ok],
};

export const NO_CARD = NOTHING;
export const ALLOCATE_CARD: Card = { ...NOTHING, results: [Result.Ok, Result.Exhausted] };
export const HELD_CARD: Card = { ...NOTHING, results: [Result.Ok, Result.Refused] };

/** Whatever happens to entries; what must not be usable any more is gone when the call ends (tLP of each card). */
export const HYPERCALL_CARD: Card = {
  ...NOTHING,
  everyTree: true,
  outside: [Change.Remove, Change.Install, Change.Annotate, Change.Reform],
  unusable: 'removed',
  by: 'end',
  results: [
    Result.Ok,
    Result.Again,
    Result.Invalid,
    Result.Refused,
    Result.NoEntry,
    Result.Busy,
    Result.TooBig,
    Result.Exists,
    Result.Exhausted,
  ],
};

/** 6.4: an abort maps what is the host's, and nothing that is mapped changes. */
export const HOST_ACCESS_CARD: Card = {
  ...NOTHING,
  tree: 0,
  pages: (args) => [args[0]!, 1],
  reach: (args, geometry) => {
    const size = 1 << geometry.bitsPerLevel;
    return [Math.floor(args[0]! / size) * size, size];
  },
  inside: [Change.Install],
  outside: [Change.Install],
  claims: [Claim.FaultHandled],
  results: [Result.Ok, Result.Refused],
};

/** 6.1, 6.2: the new tables are made where nothing was; mappings come and go when asked for. */
export const BOOT_CARD: Card = {
  ...HYPERCALL_CARD,
  outside: [Change.Remove, Change.Install],
  grants: READ | WRITE | EXEC,
};

/** 6.1 step 8: what is mapped once the hypervisor's own image is there are pages to read and write. */
export const MAP_CARD: Card = { ...BOOT_CARD, grants: READ | WRITE };
