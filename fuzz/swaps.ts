/**
 * Which two accesses of an operation a mutant may swap: the first one tells the operation nothing, at
 * least one of the two orders something, and nothing but accesses that do not matter lies between.
 */
import { Access, type Domain, isFull } from '../sim/access.ts';
import type { Request } from './mutation.ts';

type Shape = Readonly<Request>;

/** Barriers whose absence nothing shows at F1: memory is sequentially consistent there. */
export function isInert({ access, x }: Shape): boolean {
  return access === Access.Synchronise || (access === Access.Barrier && !isFull(x as Domain));
}

/** Accesses whose result no operation looks at. */
const MUTE: ReadonlySet<Access> = new Set<Access>([
  Access.Store,
  Access.StoreRelease,
  Access.Barrier,
  Access.Invalidate,
  Access.Register,
  Access.Acquire,
  Access.Release,
  Access.SectionEnter,
  Access.SectionExit,
  Access.GracePeriod,
]);

/** Accesses that order others. */
const ORDERS: ReadonlySet<Access> = new Set<Access>([
  Access.Barrier,
  Access.Invalidate,
  Access.Acquire,
  Access.Release,
  Access.SectionEnter,
  Access.SectionExit,
  Access.GracePeriod,
]);

/** Begin and end of what excludes others. */
const ENTERS: ReadonlySet<Access> = new Set<Access>([Access.Acquire, Access.SectionEnter]);
const LEAVES: ReadonlySet<Access> = new Set<Access>([Access.Release, Access.SectionExit]);

/** Accesses that may wait or sleep: inside a critical section they can do harm. */
const WAITS: ReadonlySet<Access> = new Set<Access>([
  Access.Acquire,
  Access.Barrier,
  Access.GracePeriod,
  Access.Wait,
  Access.Allocate,
  Access.AllocateRun,
]);

export function isMovable(request: Shape): boolean {
  return MUTE.has(request.access) && !isInert(request);
}

/** An access that the moved one may pass without changing anything by it alone. */
export function isTransparent(moved: Shape, passed: Shape): boolean {
  if (isInert(passed)) return true;
  const isStore = moved.access === Access.Store || moved.access === Access.StoreRelease;
  if (passed.access === Access.Read) return isStore && passed.x !== moved.x;
  return passed.access === Access.Register && (isStore || moved.access === Access.Barrier);
}

/** The two may be swapped, and it may matter. */
export function isSwap(first: Shape, second: Shape): boolean {
  if (!isMovable(first) || second.access === Access.Retry) return false;
  if (!ORDERS.has(first.access) && !ORDERS.has(second.access)) return false;
  // to move an access into a critical section is legal (the "roach motel" rule), unless it waits there
  if (LEAVES.has(first.access)) return WAITS.has(second.access) && !isOnePlace(first, second);
  if (ENTERS.has(second.access) && !WAITS.has(first.access)) return false;
  if (first.access === Access.Barrier && second.access === Access.Barrier) return false;
  return !isOnePlace(first, second);
}

/** Both act on one lock or one section domain: swapped, the first could never be made. */
function isOnePlace(first: Shape, second: Shape): boolean {
  const kinds = [first.access, second.access];
  const isPair = (...pair: Access[]): boolean => pair.every((access) => kinds.includes(access));
  if (first.x !== second.x) return false;
  return isPair(Access.Acquire, Access.Release) || isPair(Access.SectionEnter, Access.SectionExit);
}
