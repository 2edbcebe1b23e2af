/**
 * Kinds of accesses: the one table that gives each its name, its latency and the objects that it
 * touches (its footprint). Everything that asks "do these two events depend on each other" reads
 * footprints from here.
 */

export const Access = {
  Invalid: 0,
  Read: 1,
  Store: 2,
  StoreRelease: 3,
  CompareExchange: 4,
  Exchange: 5,
  Add: 6,
  Or: 7,
  Barrier: 8,
  Synchronise: 9,
  Register: 10,
  Invalidate: 11,
  Acquire: 12,
  Release: 13,
  Allocate: 14,
  AllocateRun: 15,
  Free: 16,
  SectionEnter: 17,
  SectionExit: 18,
  GracePeriod: 19,
  Guest: 20,
  GuestExit: 21,
  Speculate: 22,
  Evict: 23,
  Retry: 24,
  Wait: 25,
  Defer: 26,
  Callback: 27,
  And: 28,
  GuestEnter: 29,
  FreeLater: 30,
  Mask: 31,
  Assign: 32,
  Zero: 33,
  Prefetch: 34,
  Fetch: 35,
} as const;
export type Access = (typeof Access)[keyof typeof Access];

export interface AccessKind {
  readonly name: string;
  /** Typical duration in virtual nanoseconds; only the strategy `timed` orders by it. */
  readonly latency: number;
}

const kind = (name: string, latency: number): AccessKind => ({ name, latency });

export const ACCESS_TABLE: readonly AccessKind[] = Object.freeze([
  kind('invalid', 0),
  kind('read', 20),
  kind('store', 10),
  kind('store release', 15),
  kind('compare exchange', 40),
  kind('exchange', 40),
  kind('add', 30),
  kind('or', 30),
  kind('barrier', 100),
  kind('context synchronisation', 60),
  kind('register write', 20),
  kind('invalidate', 30),
  kind('lock', 40),
  kind('unlock', 20),
  kind('allocate', 200),
  kind('allocate run', 400),
  kind('free', 100),
  kind('enter section', 10),
  kind('exit section', 10),
  kind('grace period', 5000),
  kind('guest access', 30),
  kind('guest exit', 300),
  kind('speculate', 30),
  kind('evict', 5),
  kind('retry', 200),
  kind('wait', 20),
  kind('defer', 20),
  kind('callback', 5000),
  kind('and', 30),
  kind('guest entry', 300),
  kind('free later', 20),
  kind('interrupt mask', 10),
  kind('assign page', 20),
  kind('zero page', 100),
  kind('prefetch', 20),
  kind('fetch', 20),
]);

/** Latency by access kind, for the hot path. */
export const LATENCY: Int32Array = Int32Array.from(ACCESS_TABLE, ({ latency }) => latency);

/** Virtual nanoseconds of a walker's read and of an invalidation's way to another PE. */
export const WALK_LATENCY = 25;
export const ARRIVAL_LATENCY = 150;
/** ... and of a store until others see it. */
export const EFFECT_LATENCY = 60;

/**
 * Barrier domains (spec/arm.md 1.7): store-only barriers do not complete invalidations. `Request` is
 * the wait for flushes that this PE requested of others, and orders nothing else (x86).
 */
export const Domain = {
  Invalid: 0,
  Inner: 1,
  InnerStore: 2,
  Local: 3,
  LocalStore: 4,
  /** DMB ISHST: orders stores and waits for nothing. */
  Order: 5,
  Request: 6,
} as const;
export type Domain = (typeof Domain)[keyof typeof Domain];

export const DOMAIN_NAMES = [
  'none',
  'ISH',
  'ISHST',
  'NSH',
  'NSHST',
  'DMB ISHST',
  'request',
] as const;

export function isFull(domain: Domain): boolean {
  return domain === Domain.Inner || domain === Domain.Local;
}

/** System registers of a PE. */
export const Register = { Invalid: 0, Vttbr: 1, Ttbr0El2: 2, WriteLog: 3, SctlrEl2: 4 } as const;
export type Register = (typeof Register)[keyof typeof Register];

export const REGISTER_NAMES = ['none', 'VTTBR_EL2', 'TTBR0_EL2', 'write log', 'SCTLR_EL2'] as const;

/**
 * Fault classes, as a guest access reports them; 0 is no fault. `Interrupted` is none either: the PE was
 * made to leave the guest before the access, which is to be tried again.
 */
export const FaultClass = {
  None: 0,
  Translation: 1,
  AccessFlag: 2,
  Permission: 3,
  Interrupted: 4,
} as const;
export type FaultClass = (typeof FaultClass)[keyof typeof FaultClass];

export const FAULT_NAMES = [
  'none',
  'translation',
  'access flag',
  'permission',
  'interrupted',
] as const;

/** Result of a guest access: 0, or class in bits 7:4 and level in bits 3:0. */
export function fault(fault: FaultClass, level: number): number {
  return (fault << 4) | (level & 15);
}

/** Class of a fault, from what an access returned. */
export function faultClass(result: number): FaultClass {
  return (result >>> 4) as FaultClass;
}

/** Level of a fault, from what an access returned. */
export function faultLevel(result: number): number {
  return ((result + 1) & 15) - 1;
}

/** Tag of a translation table base register: root frame and VMID. */
export function baseRegister(root: number, vmid: number): number {
  return (root << 8) | vmid;
}
