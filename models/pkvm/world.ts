/**
 * The world of pkvm: locks, the record of every page, pools, guests, and what a machine looks like when the hypervisor has
 * booted. Every word that two CPUs can see is memory of the machine.
 */
import type { Actor } from '../../sim/actor.ts';
import type { Geometry } from '../../sim/geometry.ts';
import type { Invariant } from '../../sim/invariant.ts';
import type { Machine } from '../../sim/machine.ts';
import type { WordAddress } from '../../sim/memory.ts';
import type { Ownership } from '../../sim/ownership.ts';
import { Variables } from '../../sim/variables.ts';
import type { BugFlags, World } from '../system.ts';
import { type BootSteps, bootOwnership } from './after-boot.ts';
import { beforeBoot } from './before-boot.ts';
import type { BugId } from './bugs.ts';
import type { PkvmConfiguration } from './configurations.ts';
import { invariantsOf } from './invariants.ts';
import { GUEST_GEOMETRY, HOST_POOL, HYP_GEOMETRY, HYP_POOL } from './layout.ts';
import { limitFor, ORDERS, type Pool } from './pool.ts';
import { OUTSIDE_PAGES } from './pool-calls.ts';
import { ownershipOf } from './records.ts';
import { Place } from './tables.ts';

/** Guests that can exist: the first is protected, the second is not. */
export const GUESTS = 2;
export const PROTECTED = 0;
export const PLAIN = 1;
/** vCPUs of a guest. */
export const VCPUS = 2;

/** In the order in which they are taken. */
export const Lock = {
  Guests: 0,
  Host: 1,
  Hyp: 2,
  /** The first of one per guest. */
  Guest: 3,
  HypPool: 3 + GUESTS,
  HostPool: 4 + GUESTS,
  /** The first of one per guest. */
  GuestPool: 5 + GUESTS,
  /** The host's own, around its dirty log and what changes the plain guest's rights; taken before all others. */
  Log: 5 + 2 * GUESTS,
  /** The first of one per guest: its vCPUs are set up under it. */
  Vcpus: 6 + 2 * GUESTS,
} as const;

export const Tree = {
  Host: 0,
  Hyp: 1,
  /** The first of one per guest. */
  Guest: 2,
  /** What the host made for the hypervisor to begin with; only where it boots. */
  Boot: 2 + GUESTS,
} as const;

/** Who serves the hypervisor's own tables: first one that counts nothing, then the pool. */
export const Allocator = { Bump: 1, Pool: 2 } as const;

/** Who pages belong to. The secure world keeps no record. */
export const Owner = { Host: 0, Hyp: 1, Guest: 2, Secure: 2 + GUESTS } as const;

export function vmidOf(guest: number): number {
  return guest + 1;
}

/** State of a slot of the guest table. */
export const GuestState = {
  None: 0,
  Alive: 1,
  Dying: 2,
  /** Being made, or being taken apart: nobody finds it. */
  Hidden: 3,
} as const;

/** A table of somebody, as far as walking and changing it goes. */
export interface Stage {
  readonly tree: number;
  /** Number of the guest; -1 for host and hypervisor. */
  readonly guest: number;
  /** -1 for the hypervisor's own stage 1. */
  readonly vmid: number;
  readonly geometry: Geometry;
  readonly lock: number;
  readonly pool: Pool;
  /** Where its root page is written down. */
  readonly root: WordAddress;
  /** Where it is written down which allocator serves it and whether references count; 0: always its pool, always. */
  readonly allocator: WordAddress;
}

/** A page that an actor of the allocator's configurations has, and how often it is referenced. */
export interface Held {
  readonly frame: number;
  order: number;
  references: number;
}

/** What the hypervisor keeps about a guest: addresses of its words. */
export interface GuestWords {
  readonly state: WordAddress;
  readonly root: WordAddress;
  /** By vCPU: 1 when it is initialised; its shared page; 1 while a CPU has it loaded; its page cache. */
  readonly vcpu: WordAddress;
  readonly vcpuPage: WordAddress;
  readonly loaded: WordAddress;
  readonly cacheHead: WordAddress;
  readonly cacheCount: WordAddress;
  /** By vCPU, written by the host: head of the list of pages that it offers, and their number. */
  readonly offerHead: WordAddress;
  readonly offerCount: WordAddress;
}

export class PkvmWorld implements World {
  readonly machine: Machine;
  readonly configuration: PkvmConfiguration;
  readonly flags: BugFlags;
  readonly variables: Variables;
  readonly countBase: WordAddress;
  #runs = 0;
  readonly #order: WordAddress;
  readonly #record: WordAddress;
  readonly #shares: WordAddress;
  readonly hypPool: Pool;
  readonly hostPool: Pool;
  readonly guestPools: readonly Pool[];
  /** The boot flow: who allocates, the early allocator, how far it is, and what CPUs that come in begin with. */
  readonly allocator: WordAddress;
  readonly bump: WordAddress;
  readonly bumpEnd: WordAddress;
  readonly progress: WordAddress;
  readonly freed: WordAddress;
  readonly startRoot: WordAddress;
  readonly host: Stage;
  readonly hyp: Stage;
  /** By guest. */
  readonly stages: readonly Stage[];
  readonly places: readonly Place[];
  /** Memory pages that are shared over FF-A, and that the host has lent to the hypervisor: bit masks. */
  readonly secureShares: WordAddress;
  readonly lent: WordAddress;
  readonly guests: readonly GuestWords[];
  /** By actor; private to it. */
  readonly held: readonly Held[][];
  /** By actor: pages from outside that it has brought into the pool. */
  readonly brought: number[];
  readonly invariants: readonly Invariant[];
  /** By parameters of the run: the steps that put the machine together (after-boot.ts). */
  readonly boots = new Map<number, BootSteps>();
  readonly ownership?: Ownership;
  /** The host's: 1 while the plain guest is logged, and the marks of its logged pages. */
  readonly log: WordAddress;
  readonly marks: WordAddress;
  /** The host's handles of the plain guest: reserved with its own object, and told by the hypervisor at the first run. */
  readonly reservedHandle: WordAddress;
  readonly toldHandle: WordAddress;
  /** By guest: CPUs that set a vCPU of it up, and do not hold the lock of the guest table. */
  readonly setups: WordAddress;

  constructor(machine: Machine, configuration: PkvmConfiguration, flags: BugFlags) {
    this.machine = machine;
    this.configuration = configuration;
    this.flags = flags;
    const { spec, memory } = machine;
    this.variables = new Variables(spec.kernelFrames << memory.shift);
    const word = (name: string, count = 1): WordAddress => this.variables.allocate(name, count);
    this.countBase = word('reference count', spec.frames);
    const records = spec.frames - HYP_POOL;
    this.#order = word('order', records) - HYP_POOL;
    this.#record = word('page record', records) - HYP_POOL;
    this.#shares = word('guest shares', records) - HYP_POOL;
    const pool = (name: string, lock: number): Pool => ({
      name,
      lock,
      range: word(`${name} range`),
      maxOrder: word(`${name} largest order`),
      heads: word(`${name} list head`, ORDERS),
      tails: word(`${name} list tail`, ORDERS),
    });
    this.hypPool = pool('hyp pool', Lock.HypPool);
    this.hostPool = pool('host pool', Lock.HostPool);
    this.guestPools = Array.from({ length: GUESTS }, (_, guest) =>
      pool(`guest ${guest} pool`, Lock.GuestPool + guest),
    );
    this.allocator = word('allocator of the hypervisor’s tables');
    this.bump = word('early allocator: next page');
    this.bumpEnd = word('early allocator: end');
    this.progress = word('boot progress');
    this.freed = word('reserved pages freed');
    this.startRoot = word('root for a CPU that comes in', spec.pes);
    this.secureShares = word('pages shared over FF-A');
    this.lent = word('pages lent to the hypervisor');
    this.guests = Array.from({ length: GUESTS }, (_, guest): GuestWords => {
      const own = (name: string, count = 1): WordAddress => word(`guest ${guest} ${name}`, count);
      return {
        state: own('state'),
        root: own('root'),
        vcpu: own('vCPU', VCPUS),
        vcpuPage: own('vCPU page', VCPUS),
        loaded: own('vCPU loaded', VCPUS),
        cacheHead: own('cache head', VCPUS),
        cacheCount: own('cache pages', VCPUS),
        offerHead: own('offered head', VCPUS),
        offerCount: own('offered pages', VCPUS),
      };
    });
    this.host = {
      tree: Tree.Host,
      guest: -1,
      vmid: 0,
      geometry: GUEST_GEOMETRY,
      lock: Lock.Host,
      allocator: 0,
      pool: this.hostPool,
      root: word('host root'),
    };
    this.hyp = {
      tree: Tree.Hyp,
      guest: -1,
      vmid: -1,
      geometry: HYP_GEOMETRY,
      lock: Lock.Hyp,
      allocator: configuration.part === 'boot' ? this.allocator : 0,
      pool: this.hypPool,
      root: word('hyp root'),
    };
    this.stages = this.guests.map(({ root }, guest) => ({
      tree: Tree.Guest + guest,
      guest,
      vmid: vmidOf(guest),
      geometry: GUEST_GEOMETRY,
      lock: Lock.Guest + guest,
      allocator: 0,
      pool: this.guestPools[guest]!,
      root,
    }));
    this.log = word('dirty log');
    this.marks = word('marks of the dirty log');
    this.reservedHandle = word('reserved handle');
    this.toldHandle = word('handle told at the first run');
    this.setups = word('vCPUs being set up', GUESTS);
    this.places = machine.actors.map(() => new Place());
    this.held = machine.actors.map(() => []);
    this.brought = machine.actors.map(() => 0);
    this.invariants = invariantsOf(this);
    if (configuration.part === 'ownership') this.ownership = ownershipOf(this);
  }

  bug(id: BugId): boolean {
    return this.flags.on(id);
  }

  nameWord(word: WordAddress): string | undefined {
    return this.variables.name(word);
  }

  count(frame: number): WordAddress {
    return this.countBase + frame;
  }

  order(frame: number): WordAddress {
    return this.#order + frame;
  }

  /** What host and hypervisor have written down about a page (records.ts). */
  record(frame: number): WordAddress {
    return this.#record + frame;
  }

  /** Guest mappings that a page is shared into. */
  shares(frame: number): WordAddress {
    return this.#shares + frame;
  }

  heldBy(self: Actor): Held[] {
    return this.held[self.index]!;
  }

  /** A number that no other moment of any run has: what was looked up then need not be looked up again. */
  get moment(): number {
    return this.#runs * 0x1000000 + this.machine.events;
  }

  reset(parameters: Readonly<Record<string, number>>): void {
    const { machine, configuration } = this;
    this.#runs += 1;
    machine.reset();
    this.flags.reset();
    for (const list of this.held) list.length = 0;
    this.brought.fill(0);
    if (configuration.part === 'ownership') bootOwnership(this, parameters);
    else if (configuration.part === 'boot') beforeBoot(this);
    else {
      this.fillPool(this.hypPool, HYP_POOL, configuration.poolPages, 0, (word, value) =>
        machine.memory.store(word, value, 0),
      );
      this.#leaveOrders();
    }
  }

  /** Pages outside the pool have been heads of blocks somewhere else. */
  #leaveOrders(): void {
    const { machine } = this;
    for (
      let frame = HOST_POOL;
      frame < HOST_POOL + OUTSIDE_PAGES * machine.actors.length;
      frame += 1
    )
      machine.memory.store(this.order(frame), 1, 0);
  }

  /** A pool over `pages` pages of which the first `reserved` are taken; free ones in the largest blocks possible. */
  fillPool(
    pool: Pool,
    first: number,
    pages: number,
    reserved: number,
    put: (word: WordAddress, value: number) => void,
  ): void {
    const { memory } = this.machine;
    const limit = limitFor(this, pages);
    put(pool.range, rangeWord(first, pages));
    put(pool.maxOrder, limit);
    const top = configurationTop(this.configuration, limit);
    const end = first + pages;
    for (let frame = first + reserved; frame < end; ) {
      let order = 0;
      while (order < top && frame % (2 << order) === 0 && frame + (2 << order) <= end) order += 1;
      for (let tail = frame; tail < frame + (1 << order); tail += 1) put(this.order(tail), 0xff);
      put(this.order(frame), order);
      const last = memory.load(pool.tails + order);
      if (last === 0) put(pool.heads + order, frame);
      else {
        put(memory.address(last, 0), frame << 16);
        put(memory.address(frame, 1), last << 16);
      }
      put(pool.tails + order, frame);
      frame += 1 << order;
    }
  }
}

function configurationTop({ orderBound }: PkvmConfiguration, limit: number): number {
  return orderBound === 'inclusive' ? limit : limit - 1;
}

/** A pool's range in one word. */
export function rangeWord(first: number, pages: number): number {
  return (first << 8) | pages;
}
