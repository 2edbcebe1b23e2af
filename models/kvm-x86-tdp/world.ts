/**
 * The world of kvm-x86-tdp: kernel words, locks, page caches, and boot. Every word that two actors can
 * see is memory of the machine; what is private to an actor lives in its operations or in `vcpus`.
 */
import type { Actor } from '../../sim/actor.ts';
import { Work } from '../../sim/card.ts';
import { Claim, type ClaimCode } from '../../sim/claims.ts';
import type { Descriptor } from '../../sim/descriptor.ts';
import type { Geometry } from '../../sim/geometry.ts';
import { x86Hardware } from '../../sim/hardware-x86.ts';
import type { Invariant } from '../../sim/invariant.ts';
import { LockKind, Mode } from '../../sim/locks.ts';
import type { Machine } from '../../sim/machine.ts';
import type { WordAddress } from '../../sim/memory.ts';
import type { ActorSpec, MachineSpec } from '../../sim/spec.ts';
import { StoreOrder } from '../../sim/stores.ts';
import { Regime, type TreeSpec } from '../../sim/tables.ts';
import { Variables } from '../../sim/variables.ts';
import type { BugFlags, World } from '../system.ts';
import { mapAtBoot } from './boot.ts';
import type { BugId } from './bugs.ts';
import { ROLES, type TdpConfiguration } from './configurations.ts';
import { describeEntry } from './describe.ts';
import { blockPages, machineLevel } from './geometry.ts';
import { invariantsOf } from './invariants.ts';
import { GENERATION_SHIFT } from './slot-word.ts';
import { FROZEN, FROZEN_WITH_ACCESSED, isTracked } from './spte.ts';

/** mmu_lock, pages_lock, the host's mmap lock, slots_lock, the host's page-table lock. */
export const Lock = { Mmu: 0, Pages: 1, Mmap: 2, Slots: 3, HostTable: 4 } as const;

/** Section domains: RCU of the table walkers, SRCU of the memory slots. */
export const RCU = 0;
export const SLOTS_DOMAIN = 1;

/** Roots that can exist at a time, valid and invalid ones; each has a tree of the machine. */
export const ROOTS = 6;

/** State of the memory slot. */
export const Slot = { Valid: 0, Invalid: 1 } as const;

const NO_ROOT = -1;

/** What a vCPU thread knows of its MMU; nobody else reads it. */
export class Vcpu {
  /** Root held for each role, or -1. */
  readonly roots: number[] = ROLES.map(() => NO_ROOT);
  /** Role whose root is in the register, or -1. */
  loaded = NO_ROOT;

  reset(): void {
    this.roots.fill(NO_ROOT);
    this.loaded = NO_ROOT;
  }
}

/** Kernel frames hold the variables: words per root, page and frame of the machine. */
function kernelFrames(configuration: TdpConfiguration): number {
  const { geometry, frames, vcpus, listsTables, shadowTables } = configuration;
  const pages = geometry.windowPages;
  const regions = pages / blockPages(geometry);
  const fixed = 64 + 6 * ROOTS + vcpus + 2 * pages + 2 * regions + Math.ceil(pages / 32);
  const perFrame = 4 + (listsTables ? 1 : 0) + (shadowTables > 0 ? 1 : 0);
  return Math.ceil((fixed + perFrame * frames) / (1 << geometry.bitsPerLevel)) + 4;
}

function actorSpecs({ vcpus, hosts }: TdpConfiguration): readonly ActorSpec[] {
  const list: ActorSpec[] = [];
  for (let i = 0; i < vcpus; i += 1) list.push({ name: `vcpu${i}`, role: 'vcpu', pe: i });
  for (let i = 0; i < hosts; i += 1) {
    list.push({ name: i === 0 ? 'host' : `host${i}`, role: 'host', pe: vcpus + i });
  }
  for (let i = 0; i < vcpus; i += 1) list.push({ name: `pe${i}`, role: 'pe', pe: i });
  return list;
}

export function machineSpec(configuration: TdpConfiguration): MachineSpec {
  const tree = (index: number): TreeSpec => ({
    name: `root ${index}`,
    geometry: configuration.geometry,
    regime: Regime.Guest,
    vmid: index + 1,
    lock: Lock.Mmu,
    annotations: true,
    isAnnotation: isTracked,
    counted: false,
    // the pool of shadow tables belongs to whoever holds the lock alone
    alone: 1 << Work.Evict,
  });
  const kernel = kernelFrames(configuration);
  return {
    frames: configuration.frames + kernel,
    kernelFrames: kernel,
    backedPages: 96,
    pes: configuration.vcpus + configuration.hosts,
    actors: actorSpecs(configuration),
    locks: [
      { name: 'mmu_lock', kind: LockKind.ReadWrite },
      { name: 'pages_lock', kind: LockKind.Spin },
      { name: 'mmap_lock', kind: LockKind.Mutex },
      { name: 'slots_lock', kind: LockKind.Mutex },
      { name: 'host table lock', kind: LockKind.Spin },
    ],
    sectionDomains: 2,
    trees: Array.from({ length: ROOTS }, (_, index) => tree(index)),
    guestTree: 0,
    hypervisorTree: 0,
    hardwareAccessed: configuration.hardwareAccessed,
    tellsHost: true,
    hardware: x86Hardware,
    storeOrder: configuration.fidelity === 'tso' ? StoreOrder.Queue : StoreOrder.Immediate,
    reclaims: configuration.reclaims,
  };
}

export class KvmWorld implements World {
  readonly machine: Machine;
  readonly configuration: TdpConfiguration;
  readonly geometry: Geometry;
  readonly flags: BugFlags;
  readonly variables: Variables;
  readonly countBase = -1;

  // ---- per root ----
  /** Slots in use, and roots on the list, as bit masks: an edit of the list is one step (A16). */
  readonly rootsInUse: WordAddress;
  readonly rootList: WordAddress;
  /** Page of the root; role; references; flags. */
  readonly rootFrame: WordAddress;
  readonly rootRole: WordAddress;
  readonly rootCount: WordAddress;
  readonly rootInvalid: WordAddress;
  readonly rootScheduled: WordAddress;

  // ---- the host's invalidations ----
  readonly sequence: WordAddress;
  readonly inProgress: WordAddress;
  readonly rangeStart: WordAddress;
  readonly rangeEnd: WordAddress;

  // ---- the slot ----
  readonly slotState: WordAddress;
  readonly logging: WordAddress;
  readonly bitmap: WordAddress;
  /** By page: reasons to keep it read-only; by region: reasons against a large page. */
  readonly tracked: WordAddress;
  readonly noLarge: WordAddress;

  // ---- by frame that is not the kernel's ----
  readonly #disallowed: WordAddress;
  readonly #listNext: WordAddress;
  readonly #parent: WordAddress;
  readonly #hostDirty: WordAddress;
  readonly #listed: WordAddress;
  readonly #poolNext: WordAddress;
  readonly listHead: WordAddress;
  /** By vCPU: the hardware's log of writes, a count and its places. */
  readonly #writeLog: WordAddress;
  /** Newest shadow table of nested guests (0: none), and how many there are. */
  readonly poolHead: WordAddress;
  readonly poolCount: WordAddress;

  /** The slots' generation, and whether memory lies in the last region (mmio.ts); 1 while that is being taken away. */
  readonly edge: WordAddress;
  readonly edgeHeld: WordAddress;
  /** First page of that region; beyond the window where memory always lies there. */
  readonly edgeFirst: number;

  /** vCPUs that may still run; requests to each. */
  readonly users: WordAddress;
  readonly requests: WordAddress;
  /** Host mapping per page and per block-sized region; see host-memory.ts. */
  readonly hostPage: WordAddress;
  readonly hostBlock: WordAddress;

  /** Regions that the host may back with a block, as a bit mask. */
  hugeRegions = 0;
  /** Large pages must not be executable. */
  mitigatesExecution = false;
  /** Table pages that each actor has set aside; private to it. */
  readonly caches: readonly number[][];
  readonly vcpus: readonly Vcpu[];
  readonly invariants: readonly Invariant[];
  readonly claimsAtBoot: readonly ClaimCode[] = [Claim.LogStarted, Claim.MemoryPlaced];

  constructor(machine: Machine, configuration: TdpConfiguration, flags: BugFlags) {
    this.machine = machine;
    this.configuration = configuration;
    this.geometry = configuration.geometry;
    this.flags = flags;
    const { spec, memory } = machine;
    this.variables = new Variables(spec.kernelFrames << memory.shift);
    const word = (name: string, count = 1): WordAddress => this.variables.allocate(name, count);
    const pages = this.geometry.windowPages;
    const regions = Math.ceil(pages / blockPages(this.geometry));
    this.rootFrame = word('root page', ROOTS);
    this.rootRole = word('root role', ROOTS);
    this.rootCount = word('root references', ROOTS);
    this.rootsInUse = word('root slots in use');
    this.rootList = word('root list');
    this.rootInvalid = word('root invalid', ROOTS);
    this.rootScheduled = word('root to be zapped', ROOTS);
    this.sequence = word('invalidation sequence');
    this.inProgress = word('invalidations in progress');
    this.rangeStart = word('invalidated first');
    this.rangeEnd = word('invalidated end');
    this.slotState = word('slot state');
    this.logging = word('slot is logged');
    this.bitmap = word('dirty bitmap', Math.ceil(pages / 32));
    this.tracked = word('write-tracked', pages);
    this.noLarge = word('no large page', regions);
    this.listHead = word('recovery list');
    this.users = word('vCPUs that may run');
    this.requests = word('requests', configuration.vcpus);
    this.hostBlock = word('host block', regions);
    this.hostPage = word('host page', pages);
    this.#disallowed = word('large page disallowed', configuration.frames);
    this.#listNext = word('recovery list link', configuration.frames);
    this.#parent = word('parent entry', configuration.frames);
    this.#hostDirty = word('host dirty', configuration.frames);
    this.#listed = word(
      'on the list of tables',
      configuration.listsTables ? configuration.frames : 0,
    );
    this.poolHead = word('pool of shadow tables');
    this.poolCount = word('shadow tables in the pool');
    this.#poolNext = word('pool link', configuration.shadowTables > 0 ? configuration.frames : 0);
    const places = configuration.writeLog;
    this.#writeLog = word('write log', places > 0 ? configuration.vcpus * (places + 1) : 0);
    if (places > 0) {
      for (let vcpu = 0; vcpu < configuration.vcpus; vcpu += 1) {
        const pe = machine.pes[vcpu]!;
        pe.writeLog = this.writeLog(vcpu);
        pe.writeLogSize = places;
      }
    }
    const { hasMmio } = configuration;
    this.edge = word('slots of the last region', hasMmio ? 1 : 0);
    this.edgeHeld = word('last region is being taken away', hasMmio ? 1 : 0);
    this.edgeFirst = hasMmio ? pages - blockPages(this.geometry) : pages;
    this.caches = machine.actors.map(() => []);
    this.vcpus = Array.from({ length: configuration.vcpus }, () => new Vcpu());
    this.invariants = invariantsOf(this);
  }

  bug(id: BugId): boolean {
    return this.flags.on(id);
  }

  /** The value of a frozen entry; upstream's contains the accessed flag (E9). */
  get frozen(): number {
    return this.bug('E09-frozen-value-has-accessed') ? FROZEN_WITH_ACCESSED : FROZEN;
  }

  /** How what works beside other faults holds the MMU lock, which had no readers in 2020. */
  get sharedMode(): Mode {
    return this.configuration.isOf2020 ? Mode.Exclusive : Mode.Shared;
  }

  nameWord(word: WordAddress): string | undefined {
    return this.variables.name(word);
  }

  describeEntry(_tree: number, level: number, word: Descriptor): string {
    return describeEntry(machineLevel(level), word);
  }

  /** Flag of a table that stands where a large page could be. */
  disallowed(frame: number): WordAddress {
    return this.#disallowed + frame - this.machine.spec.kernelFrames;
  }

  /** Count word of the log of a vCPU's PE. */
  writeLog(pe: number): WordAddress {
    return this.#writeLog + pe * (this.configuration.writeLog + 1);
  }

  /** How often a table is on the list of all tables. */
  listed(frame: number): WordAddress {
    return this.#listed + frame - this.machine.spec.kernelFrames;
  }

  /** Link of a shadow table in the pool. */
  poolNext(frame: number): WordAddress {
    return this.#poolNext + frame - this.machine.spec.kernelFrames;
  }

  /** Its link on the recovery list. */
  listNext(frame: number): WordAddress {
    return this.#listNext + frame - this.machine.spec.kernelFrames;
  }

  /** Where the entry lies that names a table. */
  parent(frame: number): WordAddress {
    return this.#parent + frame - this.machine.spec.kernelFrames;
  }

  /** The host knows that the page was written. */
  hostDirty(frame: number): WordAddress {
    return this.#hostDirty + frame - this.machine.spec.kernelFrames;
  }

  cache(self: Actor): number[] {
    return this.caches[self.index]!;
  }

  /** What the thread of a vCPU keeps for itself. */
  vcpu(self: Actor): Vcpu {
    return this.vcpus[self.pe]!;
  }

  reset(parameters: Readonly<Record<string, number>>): void {
    const { machine } = this;
    machine.reset();
    this.flags.reset();
    // setting a length costs more than asking for it
    for (const cache of this.caches) if (cache.length > 0) cache.length = 0;
    for (const vcpu of this.vcpus) vcpu.reset();
    this.hugeRegions = parameters.huge ?? 1;
    this.mitigatesExecution = this.configuration.alwaysMitigates || (parameters.nx ?? 0) !== 0;
    let users = 0;
    for (const { index, role } of machine.actors) {
      if (role === 'vcpu' && machine.course.takesPart(index)) users += 1;
    }
    machine.memory.store(this.users, users, 0);
    machine.memory.store(this.sequence, parameters.sequence ?? 0, 0);
    if (this.configuration.hasMmio) this.#placeMemory(parameters);
    const isLogged = (parameters.logging ?? 0) !== 0;
    const mapped = parameters.mapped ?? 0;
    if (mapped !== 0) mapAtBoot(this, mapped, isLogged);
    if (!isLogged) return;
    machine.memory.store(this.logging, 1, 0);
    machine.claim(Claim.LogStarted, 0, this.geometry.windowPages, 0);
  }

  /** Memory lies everywhere, but perhaps in the last region. */
  #placeMemory({ edge = 0, generation = 0 }: Readonly<Record<string, number>>): void {
    const { machine, edgeFirst } = this;
    const { windowPages } = this.geometry;
    machine.memory.store(this.edge, (generation << GENERATION_SHIFT) | edge, 0);
    machine.claim(Claim.MemoryPlaced, 0, edge === 1 ? windowPages : edgeFirst, 1);
  }
}
