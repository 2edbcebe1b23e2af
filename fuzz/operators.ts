/**
 * Mutation operators: the ways in which a single access may be wrong, for any system. Each one knows
 * kinds of accesses and their operands, and no site.
 */
import { Access, Domain } from '../sim/access.ts';
import { LAST_LEVEL } from '../sim/geometry.ts';
import { hintedLevel, Shareability, Tlbi, ttl } from '../sim/invalidation.ts';
import { Mode } from '../sim/locks.ts';
import type { Machine } from '../sim/machine.ts';
import type { Request } from './mutation.ts';
import { isInert, isMovable } from './swaps.ts';

export const MutantKind = {
  Barrier: 'barrier',
  Tlbi: 'tlbi',
  Lock: 'lock',
  Release: 'release',
  Check: 'check',
  Retry: 'retry',
  Order: 'order',
} as const;
export type MutantKind = (typeof MutantKind)[keyof typeof MutantKind];

export interface Operator {
  readonly id: string;
  readonly kind: MutantKind;
  readonly title: string;
  /** The operator is about accesses like this one. */
  concerns(request: Readonly<Request>): boolean;
  /** Changes operands in place. Without `change` and `answer` the access is dropped. */
  change?(request: Request, machine: Machine): void;
  /** What the operation is told instead of the value. */
  answer?(request: Readonly<Request>, value: number, earlier: number | undefined): number;
  /** The operation ends here as if all were well. */
  readonly givesUp?: boolean;
}

const is =
  (...kinds: readonly Access[]) =>
  ({ access }: Readonly<Request>): boolean =>
    kinds.includes(access);

const BY_PAGE: readonly Tlbi[] = [
  Tlbi.Ipas2e1,
  Tlbi.Ipas2le1,
  Tlbi.Ripas2e1,
  Tlbi.Vae2,
  Tlbi.Vale2,
];

/** Leaf entries only, where all entries of a page are meant. */
const LEAF_ONLY: ReadonlyMap<number, Tlbi> = new Map<number, Tlbi>([
  [Tlbi.Ipas2e1, Tlbi.Ipas2le1],
  [Tlbi.Vae2, Tlbi.Vale2],
]);

/** One page by its number, where a whole context is meant. */
const ONE_PAGE: ReadonlyMap<number, Tlbi> = new Map<number, Tlbi>([
  [Tlbi.Vmalls12e1, Tlbi.Ipas2e1],
  [Tlbi.Alle1, Tlbi.Ipas2e1],
  [Tlbi.Alle2, Tlbi.Vae2],
]);

function invalidation({ x }: Readonly<Request>): Tlbi {
  return (x & 0xff) as Tlbi;
}

function isTlbi(request: Readonly<Request>, among?: ReadonlyMap<number, Tlbi>): boolean {
  return request.access === Access.Invalidate && (among?.has(invalidation(request)) ?? true);
}

function replaceTlbi(request: Request, by: Tlbi): void {
  request.x = (request.x & ~0xff) | by;
}

const BARRIERS: readonly Operator[] = [
  {
    id: 'drop-barrier',
    kind: MutantKind.Barrier,
    title: 'a barrier is left out',
    concerns: is(Access.Barrier, Access.Synchronise),
  },
  {
    id: 'local-barrier',
    kind: MutantKind.Barrier,
    title: 'a full barrier waits for this PE only',
    concerns: ({ access, x }) => access === Access.Barrier && x === Domain.Inner,
    change: (request) => {
      request.x = Domain.Local;
    },
  },
];

const INVALIDATIONS: readonly Operator[] = [
  {
    id: 'drop-tlbi',
    kind: MutantKind.Tlbi,
    title: 'an invalidation is left out',
    concerns: is(Access.Invalidate),
  },
  {
    id: 'local-tlbi',
    kind: MutantKind.Tlbi,
    title: 'an invalidation reaches this PE only',
    concerns: ({ access, x }) => access === Access.Invalidate && x >>> 8 === Shareability.Inner,
    change: (request) => {
      request.x = (request.x & 0xff) | (Shareability.Local << 8);
    },
  },
  {
    id: 'leaf-only-tlbi',
    kind: MutantKind.Tlbi,
    title: 'an invalidation leaves walk-cache entries alone',
    concerns: (request) => isTlbi(request, LEAF_ONLY),
    change: (request) => replaceTlbi(request, LEAF_ONLY.get(invalidation(request))!),
  },
  {
    id: 'stage-1-only-tlbi',
    kind: MutantKind.Tlbi,
    title: 'an invalidation of a context leaves stage-2 entries alone',
    concerns: (request) =>
      request.access === Access.Invalidate &&
      (invalidation(request) === Tlbi.Vmalls12e1 || invalidation(request) === Tlbi.Alle1),
    change: (request) => replaceTlbi(request, Tlbi.Vmalle1),
  },
  {
    id: 'one-page-tlbi',
    kind: MutantKind.Tlbi,
    title: 'an invalidation covers the first page only',
    concerns: (request) =>
      isTlbi(request, ONE_PAGE) || (request.access === Access.Invalidate && request.w > 1),
    change: (request) => {
      const one = ONE_PAGE.get(invalidation(request));
      if (one !== undefined) replaceTlbi(request, one);
      request.w = 1;
    },
  },
  {
    id: 'hinted-tlbi',
    kind: MutantKind.Tlbi,
    title: 'an invalidation without a level hint names the last level',
    concerns: (request) =>
      request.access === Access.Invalidate &&
      BY_PAGE.includes(invalidation(request)) &&
      hintedLevel(request.z) < 0,
    change: (request, { spec }) => {
      const { granuleBits } = spec.trees[spec.guestTree]!.geometry;
      request.z = ttl(granuleBits, LAST_LEVEL);
    },
  },
  {
    id: 'wrong-hint-tlbi',
    kind: MutantKind.Tlbi,
    title: 'the level hint of an invalidation names another level',
    concerns: (request) =>
      request.access === Access.Invalidate &&
      BY_PAGE.includes(invalidation(request)) &&
      hintedLevel(request.z) >= 0,
    change: (request) => {
      const level = hintedLevel(request.z);
      request.z = (request.z & ~3) | (level === LAST_LEVEL ? LAST_LEVEL - 1 : LAST_LEVEL);
    },
  },
  {
    id: 'drop-register',
    kind: MutantKind.Tlbi,
    title: 'a write to a system register is left out: invalidations act on another context',
    concerns: is(Access.Register),
  },
];

const LOCKS: readonly Operator[] = [
  {
    id: 'drop-lock',
    kind: MutantKind.Lock,
    title: 'a lock is not taken, and not given back',
    concerns: is(Access.Acquire),
  },
  {
    id: 'shared-lock',
    kind: MutantKind.Lock,
    title: 'a lock is taken shared instead of exclusively',
    concerns: ({ access, y }) => access === Access.Acquire && y === Mode.Exclusive,
    change: (request) => {
      request.y = Mode.Shared;
    },
  },
  {
    id: 'drop-section',
    kind: MutantKind.Lock,
    title: 'a read section is not entered',
    concerns: is(Access.SectionEnter),
  },
  {
    id: 'drop-grace-period',
    kind: MutantKind.Lock,
    title: 'nobody waits for readers',
    concerns: is(Access.GracePeriod),
  },
  {
    id: 'drop-unlock',
    kind: MutantKind.Release,
    title: 'a lock is not given back',
    concerns: is(Access.Release),
  },
  {
    id: 'plain-store',
    kind: MutantKind.Release,
    title: 'a store does not order what came before it',
    concerns: is(Access.StoreRelease),
    change: (request) => {
      request.access = Access.Store;
    },
  },
];

const CHECKS: readonly Operator[] = [
  {
    id: 'stale-check',
    kind: MutantKind.Check,
    title: 'a word is not read again: the answer is what the operation knew of it before',
    concerns: is(Access.Read),
    answer: (_request, value, earlier) => earlier ?? value,
  },
  {
    id: 'blind-check',
    kind: MutantKind.Check,
    title: 'a word is read as zero: nothing there, nobody there, not set',
    concerns: is(Access.Read),
    answer: () => 0,
  },
  {
    id: 'unconditional-exchange',
    kind: MutantKind.Check,
    title: 'a compare-exchange stores whatever was there, and says that it succeeded',
    concerns: is(Access.CompareExchange),
    change: (request) => {
      request.access = Access.Exchange;
    },
    answer: ({ z }) => z,
  },
  {
    id: 'drop-wait',
    kind: MutantKind.Check,
    title: 'a condition is not waited for',
    concerns: is(Access.Wait),
  },
  {
    id: 'drop-retry',
    kind: MutantKind.Retry,
    title: 'an operation ends where it should try again',
    concerns: is(Access.Retry),
    givesUp: true,
  },
];

/** Two adjacent accesses swap places (fuzz/swaps.ts says which). */
export const SWAP: Operator = {
  id: 'swap',
  kind: MutantKind.Order,
  title: 'two adjacent accesses are swapped',
  concerns: isMovable,
};

/** Operators that change one access by itself. */
export const OPERATORS: readonly Operator[] = Object.freeze([
  ...BARRIERS,
  ...INVALIDATIONS,
  ...LOCKS,
  ...CHECKS,
]);

/** At F1 words are sequentially consistent and registers take effect at once. */
export function needsOf({ id }: Operator, request: Readonly<Request>): 'F1' | 'F2' {
  return isInert(request) || id === 'plain-store' ? 'F2' : 'F1';
}
