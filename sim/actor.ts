/**
 * An actor: one thread of control on a PE, and the verbs that operations may `yield*`.
 *
 * Every verb stores its operands in fields and returns the actor itself, which is its own reusable
 * iterator: `next` asks the machine whether the actor goes on and, if so, performs the access at
 * once, without suspending the generators above it and without allocating (design: docs/architecture.md).
 */
import { Access, Domain, type Register } from './access.ts';
import { assert } from './assert.ts';
import type { ClaimCode } from './claims.ts';
import type { Intent } from './descriptor.ts';
import { enterGuest } from './guest-mode.ts';
import { type Shareability, Tlbi } from './invalidation.ts';
import type { Mode } from './locks.ts';
import type { Machine } from './machine.ts';
import type { WordAddress } from './memory.ts';
import type { Role } from './pages.ts';
import type { Site } from './site.ts';
import { Regime } from './tables.ts';
import { Walk } from './walk.ts';

/** The body of an operation: every `yield*` in it is one access that others can observe. */
export type Operation<Result> = Generator<void, Result, undefined>;

/** One access: `yield*` it and get its result. */
export type Step<Result> = Iterable<void, Result, undefined>;

/** Role of an actor; programs name vCPUs, hosts and hardware. */
export const ActorRole = {
  Vcpu: 'vcpu',
  Host: 'host',
  /** Reaches guest memory through the guest's tables, with a TLB of its own (an IOMMU). */
  Device: 'device',
  Hardware: 'pe',
  /** Runs deferred callbacks; part of every run of a system that has one, never of a program. */
  Rcu: 'rcu',
} as const;
export type ActorRole = (typeof ActorRole)[keyof typeof ActorRole];

const SUSPENDED: IteratorResult<void, number> = Object.freeze({ done: false, value: undefined });

/** One thread of control on a PE: what operations `yield*` accesses of. */
export class Actor implements Step<number>, Iterator<void, number, undefined> {
  readonly machine: Machine;
  readonly index: number;
  readonly name: string;
  readonly role: ActorRole;
  /** Its accesses are no steps of the program. */
  readonly isHardware: boolean;
  /** The PE that it runs on; only `moveTo` changes it. */
  pe: number;
  /** Tree of the guest that it runs or serves. */
  readonly tree: number;

  /** The pending request; `access` is Invalid when there is none. */
  access: Access = Access.Invalid;
  site: Site = 0;
  x = 0;
  y = 0;
  z = 0;
  w = 0;
  /** Address of a guest access that has a stage 1 of its own; -1 where it is the input page. */
  address = -1;
  readonly walk = new Walk();

  /** True when the machine has picked this actor: the parked access is performed next. */
  resumed = false;
  /** The operation instance that runs, or -1. */
  operation = -1;
  blocked = false;
  ended = true;
  generator: Operation<number> | undefined;
  /** Retries since another actor last changed anything. */
  retries = 0;
  retriesSeen = 0;
  /** Events of the machine when it last tried again, and when it began to do so in vain; -1 if it did not. */
  retriedAt = -1;
  futileSince = -1;
  /** Changes of visible words by this actor. */
  changes = 0;

  readonly #done: { done: true; value: number } = { done: true, value: 0 };

  constructor(
    machine: Machine,
    index: number,
    name: string,
    role: ActorRole,
    pe: number,
    tree = machine.spec.guestTree,
  ) {
    this.machine = machine;
    this.index = index;
    this.name = name;
    this.role = role;
    this.isHardware = role === ActorRole.Hardware || role === ActorRole.Rcu;
    this.pe = pe;
    this.tree = tree;
  }

  /** Called once per access, when its operands are set and nothing has been asked yet. */
  [Symbol.iterator](): Iterator<void, number, undefined> {
    return this;
  }

  next(): IteratorResult<void, number> {
    const machine = this.machine;
    if (this.resumed) this.resumed = false;
    else if (!machine.goesOn(this)) return SUSPENDED;
    while (!machine.event(this)) {
      if (!machine.goesOn(this)) return SUSPENDED;
    }
    this.access = Access.Invalid;
    return this.#done;
  }

  /** Result of the access that completes. */
  get result(): number {
    return this.#done.value;
  }

  set result(value: number) {
    this.#done.value = value;
  }

  #request(access: Access, site: Site, x: number, y: number, z: number, w: number): this {
    assert(this.access === Access.Invalid, 'one access at a time');
    this.access = access;
    this.site = site;
    this.x = x;
    this.y = y;
    this.z = z;
    this.w = w;
    return this;
  }

  // ---- words ----

  /** One single-copy-atomic load; the value is a snapshot and is never silently read again. */
  readOnce(site: Site, word: WordAddress): Step<number> {
    return this.#request(Access.Read, site, word, 0, 0, 0);
  }

  store(site: Site, word: WordAddress, value: number): Step<number> {
    return this.#request(Access.Store, site, word, value | 0, 0, 0);
  }

  /** Every earlier access of this actor is visible before the store. */
  storeRelease(site: Site, word: WordAddress, value: number): Step<number> {
    return this.#request(Access.StoreRelease, site, word, value | 0, 0, 0);
  }

  /** The value seen; the exchange took place when it equals `expected`. */
  compareExchange(site: Site, word: WordAddress, expected: number, value: number): Step<number> {
    return this.#request(Access.CompareExchange, site, word, value | 0, expected | 0, 0);
  }

  /** The value before. */
  exchange(site: Site, word: WordAddress, value: number): Step<number> {
    return this.#request(Access.Exchange, site, word, value | 0, 0, 0);
  }

  /** The value after. */
  add(site: Site, word: WordAddress, delta: number): Step<number> {
    return this.#request(Access.Add, site, word, delta, 0, 0);
  }

  /** The value before. */
  or(site: Site, word: WordAddress, bits: number): Step<number> {
    return this.#request(Access.Or, site, word, bits, 0, 0);
  }

  /** The value before. */
  and(site: Site, word: WordAddress, bits: number): Step<number> {
    return this.#request(Access.And, site, word, bits | 0, 0, 0);
  }

  /** Waits until the word holds `value`, and goes on in the same step. */
  waitFor(site: Site, word: WordAddress, value: number): Step<number> {
    return this.#request(Access.Wait, site, word, value, 0, 0);
  }

  // ---- ordering, translation ----

  /** A barrier that orders this PE's stores and waits for nothing (F2). */
  dmb(site: Site): Step<number> {
    return this.#request(Access.Barrier, site, Domain.Order, 0, 0, 0);
  }

  dsb(site: Site, domain: Domain): Step<number> {
    assert(domain !== Domain.Invalid, 'a barrier has a domain');
    return this.#request(Access.Barrier, site, domain, 0, 0, 0);
  }

  isb(site: Site): Step<number> {
    return this.#request(Access.Synchronise, site, 0, 0, 0, 0);
  }

  writeRegister(site: Site, register: Register, value: number): Step<number> {
    return this.#request(Access.Register, site, register, value, 0, 0);
  }

  /**
   * Issues an invalidation with this PE's current VMID; asynchronous until a full DSB.
   * @param hint TTL operand, 0 for none
   * @param pages input pages for range operations, else 1
   */
  tlbi(
    site: Site,
    operation: Tlbi,
    share: Shareability,
    page: number,
    hint: number,
    pages: number,
  ): Step<number> {
    return this.#request(Access.Invalidate, site, operation | (share << 8), page, hint, pages);
  }

  // ---- locks and sections ----

  acquire(site: Site, lock: number, mode: Mode): Step<number> {
    return this.#request(Access.Acquire, site, lock, mode, 0, 0);
  }

  release(site: Site, lock: number): Step<number> {
    return this.#request(Access.Release, site, lock, 0, 0, 0);
  }

  enterSection(site: Site, domain: number): Step<number> {
    return this.#request(Access.SectionEnter, site, domain, 0, 0, 0);
  }

  exitSection(site: Site, domain: number): Step<number> {
    return this.#request(Access.SectionExit, site, domain, 0, 0, 0);
  }

  /** Waits for the read sections that are open when it begins: two events, begin and end. May sleep. */
  gracePeriod(site: Site, domain: number): Step<number> {
    return this.#request(Access.GracePeriod, site, domain, 0, 0, 0);
  }

  /** A callback with this number is to run after the sections that are open now, the caller's included. */
  defer(site: Site, domain: number, value: number): Step<number> {
    assert(value >= 0, 'a callback has a number');
    return this.#request(Access.Defer, site, domain, value, 0, 0);
  }

  /** Waits for the oldest callback that is due and takes it: its number; -1 when none will come any more. */
  nextCallback(site: Site, domain: number): Step<number> {
    return this.#request(Access.Callback, site, domain, 0, 0, 0);
  }

  // ---- pages ----

  /** A zeroed page, or -1 when the allocation fails (a choice, or an empty pool). */
  allocate(site: Site, role: Role, maySleep: boolean): Step<number> {
    return this.#request(Access.Allocate, site, role, maySleep ? 1 : 0, 0, 0);
  }

  /** The first of `count` adjacent zeroed pages aligned to `count`, or -1. */
  allocateRun(site: Site, role: Role, count: number, maySleep: boolean): Step<number> {
    return this.#request(Access.AllocateRun, site, role, maySleep ? 1 : 0, count, 0);
  }

  /** Gives `count` adjacent pages back. */
  free(site: Site, frame: number, count = 1): Step<number> {
    return this.#request(Access.Free, site, frame, count, 0, 0);
  }

  /** Requests that a page be freed when the read sections open now have ended. Does not wait. */
  freeLater(site: Site, frame: number, domain: number): Step<number> {
    return this.#request(Access.FreeLater, site, frame, domain, 0, 0);
  }

  /**
   * A page that the system hands out itself gets another role: `Pooled` is free, `Cached` taken and not in use,
   * others are uses.
   */
  assign(site: Site, frame: number, role: Role): Step<number> {
    return this.#request(Access.Assign, site, frame, role, 0, 0);
  }

  /** Every word of a page becomes zero, in one step. */
  zeroPage(site: Site, frame: number): Step<number> {
    return this.#request(Access.Zero, site, frame, 0, 0, 0);
  }

  // ---- guests and hardware ----

  /** The PE enters the guest, where hardware does not do so by itself. */
  enterGuest(site: Site): Step<number> {
    return this.#request(Access.GuestEnter, site, 0, 0, 0, 0);
  }

  /** A guest access to an input page: 0, or a fault (see `fault` in access.ts). */
  guestAccess(site: Site, page: number, intent: Intent, value: number): Step<number> {
    if (this.machine.hardware.entersByItself) enterGuest(this.machine, this.machine.pes[this.pe]!);
    this.address = -1;
    return this.#request(Access.Guest, site, page, intent, value, Regime.Guest);
  }

  /**
   * A guest access through a page that the vCPU's own stage 1 maps to an input page.
   * @param address a page number outside the window: what combined entries are found by
   */
  privateAccess(
    site: Site,
    address: number,
    page: number,
    intent: Intent,
    value: number,
  ): Step<number> {
    const step = this.guestAccess(site, page, intent, value);
    this.address = address;
    return step;
  }

  /** An access of the hypervisor itself through its own table. */
  hypervisorAccess(site: Site, page: number, intent: Intent, value: number): Step<number> {
    return this.#request(Access.Guest, site, page, intent, value, Regime.Hypervisor);
  }

  /** Interrupts of this PE wait until it has entered the guest or lets them through again. */
  maskInterrupts(site: Site, isOn: boolean): Step<number> {
    return this.#request(Access.Mask, site, isOn ? 1 : 0, 0, 0, 0);
  }

  /** The vCPU leaves the guest; drains the walks of its PE. */
  leaveGuest(site: Site): Step<number> {
    return this.#request(Access.GuestExit, site, 0, 0, 0, 0);
  }

  /** The PE takes an exception to the hypervisor; walks in flight on it go on (T8). */
  trap(site: Site): Step<number> {
    return this.#request(Access.GuestExit, site, 1, 0, 0, 0);
  }

  /** The walker of this PE translates a page nobody asked for; waits until the PE runs a guest. */
  speculate(site: Site, page: number): Step<number> {
    return this.#request(Access.Speculate, site, page, 0, 0, Regime.Guest);
  }

  /** The same in the hypervisor's own regime; waits until the PE translates there. */
  speculateHypervisor(site: Site, page: number): Step<number> {
    return this.#request(Access.Speculate, site, page, 0, 0, Regime.Hypervisor);
  }

  /** The PE fetches instructions ahead while the hypervisor's regime does not translate; waits for that. */
  prefetch(site: Site): Step<number> {
    return this.#request(Access.Prefetch, site, 0, 0, 0, 0);
  }

  /** The hypervisor goes on at a page of its address space; `isIdentity` where that is the physical page, too. */
  fetch(site: Site, page: number, isIdentity: boolean): Step<number> {
    return this.#request(Access.Fetch, site, page, isIdentity ? 1 : 0, 0, 0);
  }

  /** Every instruction that this PE has cached goes; asynchronous until a full DSB. */
  invalidateInstructions(site: Site): Step<number> {
    return this.#request(Access.Invalidate, site, Tlbi.Iciallu, 0, 0, 0);
  }

  /** One TLB entry for the page vanishes; waits until there is one. */
  evict(site: Site, page: number): Step<number> {
    return this.#request(Access.Evict, site, page, 0, 0, 0);
  }

  // ---- what is no access ----

  /** One round of a busy wait or retry loop: declared, so that the fair tail can judge it. */
  retry(site: Site): Step<number> {
    return this.#request(Access.Retry, site, 0, 0, 0, 0);
  }

  /** A register of this PE; private, so reading it is no access. */
  get vttbr(): number {
    return this.machine.pes[this.pe]!.writtenVttbr;
  }

  /** The thread goes on on another PE, in the step that was made last. */
  moveTo(pe: number): void {
    this.machine.move(this, pe);
  }

  /** Whether this PE runs the guest; like a register of its own. */
  get isInGuest(): boolean {
    return this.machine.pes[this.pe]!.guest;
  }

  /** A choice with `alternatives` legal answers, 0 the default. */
  choose(site: Site, alternatives: number): number {
    return this.machine.choose(site, alternatives);
  }

  /** A fact that no access shows; belongs to the step before it. */
  claim(claim: ClaimCode, x: number, y: number, z: number): void {
    this.machine.claim(claim, x, y, z);
  }
}
