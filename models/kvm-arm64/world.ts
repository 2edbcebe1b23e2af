/**
 * The world of kvm-arm64: kernel words, locks, page caches, and boot. Every word that two actors can
 * see is memory of the machine; what is private to an actor lives in its operations.
 */
import { baseRegister } from '../../sim/access.ts';
import type { Actor, ActorRole } from '../../sim/actor.ts';
import { WORK_NAMES, Work } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { ACCESSED, type Descriptor, leaf, READ, WRITE } from '../../sim/descriptor.ts';
import type { Geometry } from '../../sim/geometry.ts';
import { LockKind } from '../../sim/locks.ts';
import type { Machine } from '../../sim/machine.ts';
import type { WordAddress } from '../../sim/memory.ts';
import { Role } from '../../sim/pages.ts';
import type { ActorSpec, MachineSpec } from '../../sim/spec.ts';
import { StoreOrder } from '../../sim/stores.ts';
import { Regime, type TreeSpec } from '../../sim/tables.ts';
import { Variables } from '../../sim/variables.ts';
import type { BugFlags, World } from '../system.ts';
import type { BugId } from './bugs.ts';
import type { KvmConfiguration } from './configurations.ts';
import { describeEntry } from './describe.ts';
import { BUSY, FaultLock, type Generation } from './generation.ts';
import { blockPages, slotRange } from './geometry.ts';
import { TableWalk } from './walker.ts';

/** Locks: the MMU spin lock, the host's mmap lock, memslot changes, host page-table lock, EL2 table. */
export const Lock = { Mmu: 0, Mmap: 1, Slots: 2, HostTable: 3, Hypervisor: 4 } as const;

export const STAGE2 = 0;
export const HYPERVISOR = 1;
export const VMID = 1;

/** First page of the block that the hypervisor has mapped at boot. */
export const BOOT_PAGE = 12;

/** Section domains: memslot readers (SRCU), and walkers that share the MMU lock (RCU). */
export const SLOTS_DOMAIN = 0;
export const WALKS_DOMAIN = 1;

/** What a VMA word says: pages of their own (or blocks where the host likes), or one block by rule. */
export const Vma = { Pages: 0, Block: 1 } as const;

/** What the slot word says: no slot, one that may be used, one that is being deleted. */
export const Slot = { None: 0, Valid: 1, Invalid: 2 } as const;

/** Shape of the hypervisor's own table; toy and page-granular in every configuration. */
export const HYPERVISOR_GEOMETRY: Geometry = {
  granuleBits: 12,
  bitsPerLevel: 2,
  startLevel: 2,
  rootPages: 1,
  blockLevels: [2],
  windowPages: 16,
};

/** Kernel frames hold the variables, one count per frame of the machine included, and the linear map. */
function kernelFrames(configuration: KvmConfiguration): number {
  const { geometry, frames } = configuration;
  const pages = geometry.windowPages;
  const wordsPerFrame = 1 << geometry.bitsPerLevel;
  const regions = pages / blockPages(geometry);
  const layout = configuration.hasLayout ? regions + 1 : 0;
  const fixed = 64 + pages + regions + layout + Math.ceil(pages / 32) + frames;
  // counts cover the kernel frames as well: k frames hold fixed + k words
  const variables = Math.ceil((fixed + 64) / (wordsPerFrame - 1));
  return Math.ceil(variables / 4) * 4 + HYPERVISOR_GEOMETRY.windowPages + 4;
}

function actorSpecs(configuration: KvmConfiguration): readonly ActorSpec[] {
  const { vcpus, hosts } = configuration;
  const list: ActorSpec[] = [];
  for (let i = 0; i < vcpus; i += 1) list.push({ name: `vcpu${i}`, role: 'vcpu', pe: i });
  for (let i = 0; i < hosts; i += 1) {
    list.push({ name: i === 0 ? 'host' : `host${i}`, role: 'host', pe: vcpus + i });
  }
  for (let i = 0; i < vcpus; i += 1) list.push({ name: `pe${i}`, role: 'pe', pe: i });
  // callbacks run on some host CPU; they touch no TLB, so it does not matter which
  if (configuration.generation.freesLater) list.push({ name: 'rcu', role: 'rcu', pe: vcpus });
  return list;
}

/** Faults work beside each other, except that a generation may share the lock only to relax. */
const SHARED_WORK = (1 << Work.Map) | (1 << Work.Relax) | (1 << Work.Young);

/** What may go on at the same time on one tree (spec/arm.md 7.1), by kind of work. */
function togetherOf({ faultLock }: Generation): readonly number[] | undefined {
  if (faultLock === FaultLock.Exclusive) return undefined;
  const shared = faultLock === FaultLock.Shared ? SHARED_WORK : 1 << Work.Relax;
  return WORK_NAMES.map((_, work) => ((shared & (1 << work)) !== 0 ? shared : 0));
}

function stage2Spec({ geometry, generation }: KvmConfiguration): TreeSpec {
  const together = togetherOf(generation);
  return {
    name: 'stage-2',
    geometry,
    regime: Regime.Guest,
    vmid: VMID,
    lock: Lock.Mmu,
    annotations: false,
    counted: true,
    ...(generation.takesEntries ? { busy: BUSY } : {}),
    ...(generation.faultLock === FaultLock.Shared ? { readers: WALKS_DOMAIN } : {}),
    ...(together === undefined ? {} : { together }),
  };
}

export function machineSpec(configuration: KvmConfiguration): MachineSpec {
  const isSpin = configuration.generation.faultLock === FaultLock.Exclusive;
  return {
    frames: configuration.frames + kernelFrames(configuration),
    kernelFrames: kernelFrames(configuration),
    backedPages: 64,
    pes: configuration.vcpus + configuration.hosts,
    actors: actorSpecs(configuration),
    locks: [
      { name: 'mmu_lock', kind: isSpin ? LockKind.Spin : LockKind.ReadWrite },
      { name: 'mmap_lock', kind: LockKind.Mutex },
      { name: 'slots_lock', kind: LockKind.Mutex },
      { name: 'host table lock', kind: LockKind.Spin },
      { name: 'hyp table mutex', kind: LockKind.Mutex },
    ],
    sectionDomains: 2,
    trees: [
      stage2Spec(configuration),
      {
        name: 'hypervisor stage-1',
        geometry: HYPERVISOR_GEOMETRY,
        regime: Regime.Hypervisor,
        vmid: -1,
        lock: Lock.Hypervisor,
        annotations: false,
        counted: false,
      },
    ],
    guestTree: STAGE2,
    hypervisorTree: HYPERVISOR,
    hardwareAccessed: configuration.hardwareAccessed,
    storeOrder: configuration.fidelity === 'F2' ? StoreOrder.Location : StoreOrder.Immediate,
  };
}

export class KvmWorld implements World {
  readonly machine: Machine;
  readonly configuration: KvmConfiguration;
  readonly geometry: Geometry;
  readonly generation: Generation;
  readonly flags: BugFlags;
  readonly variables: Variables;

  /** Root frame of stage 2, 0 when there is none; and of the hypervisor's table. */
  readonly root: WordAddress;
  readonly hypervisorRoot: WordAddress;
  /** Root frame that is loaded into VTTBR; cleared with the root at teardown. */
  readonly rootBase: WordAddress;
  /** Notifier words: invalidations in progress, and how many have ended. */
  readonly inProgress: WordAddress;
  readonly sequence: WordAddress;
  /** 1 while the slot has a dirty bitmap; the bitmap, 32 pages per word. */
  readonly logging: WordAddress;
  readonly bitmap: WordAddress;
  /** vCPUs that may still run. */
  readonly users: WordAddress;
  /** Host mapping per page and per block-sized region; see host-memory.ts. */
  readonly hostPage: WordAddress;
  readonly hostBlock: WordAddress;
  readonly countBase: WordAddress;
  /** VMA of each block-sized region, and the slot that comes and goes; see layout.ts. 0 without a layout. */
  readonly vma: WordAddress = 0;
  readonly slot: WordAddress = 0;

  /** First frame of the hypervisor's linear map: the last kernel frames, aligned so that blocks fit. */
  readonly linearBase: number;
  /** By actor: the work that it began last. */
  readonly #work: Work[] = [];
  /** What oracles were told last: nothing in the slot belongs to the guest. */
  isSlotRevoked = false;
  /** Regions that the host may back with a block, as a bit mask. */
  hugeRegions = 0;
  /** Blocks are split when logging starts, not by the faults that follow. */
  splitsEagerly = false;
  /** Initially all set: logging starts with every page marked and protects nothing. */
  marksAllAtStart = false;
  /** Table pages that each actor has set aside; private to it. */
  readonly caches: readonly number[][];
  readonly walks: readonly TableWalk[];

  constructor(machine: Machine, configuration: KvmConfiguration, flags: BugFlags) {
    this.machine = machine;
    this.configuration = configuration;
    this.geometry = configuration.geometry;
    this.generation = configuration.generation;
    this.flags = flags;
    const { spec, memory } = machine;
    this.variables = new Variables(
      (spec.kernelFrames - HYPERVISOR_GEOMETRY.windowPages) << memory.shift,
    );
    const pages = this.geometry.windowPages;
    this.root = this.variables.allocate('stage-2 root');
    this.hypervisorRoot = this.variables.allocate('hypervisor root');
    this.rootBase = this.variables.allocate('stage-2 root base');
    this.inProgress = this.variables.allocate('invalidations in progress');
    this.sequence = this.variables.allocate('invalidation sequence');
    this.logging = this.variables.allocate('slot is logged');
    this.users = this.variables.allocate('vCPUs that may run');
    this.bitmap = this.variables.allocate('dirty bitmap', Math.ceil(pages / 32));
    this.hostBlock = this.variables.allocate(
      'host block',
      Math.ceil(pages / blockPages(this.geometry)),
    );
    this.hostPage = this.variables.allocate('host page', pages);
    this.countBase = this.variables.allocate('reference count', spec.frames);
    if (configuration.hasLayout) {
      this.vma = this.variables.allocate('VMA', Math.ceil(pages / blockPages(this.geometry)));
      this.slot = this.variables.allocate('slot that comes and goes');
    }
    this.linearBase = spec.kernelFrames - HYPERVISOR_GEOMETRY.windowPages;
    this.caches = machine.actors.map(() => []);
    this.walks = machine.actors.map(() => new TableWalk());
  }

  bug(id: BugId): boolean {
    return this.flags.on(id);
  }

  nameWord(word: WordAddress): string | undefined {
    return this.variables.name(word);
  }

  describeEntry(tree: number, level: number, word: Descriptor): string {
    return describeEntry(tree === STAGE2, level, word);
  }

  count(frame: number): WordAddress {
    return this.countBase + frame;
  }

  cache(self: Actor): number[] {
    return this.caches[self.index]!;
  }

  /** Whether the page belongs to the slot that comes and goes. */
  isInSlot(page: number): boolean {
    const [first, pages] = slotRange(this.geometry);
    return this.slot !== 0 && page >= first && page < first + pages;
  }

  /** Says what the operation does with stage 2 from here to the end of its hold of the MMU lock. */
  beginWork(self: Actor, work: Work): void {
    // with one exclusive lock there is nothing to tell apart
    if (this.generation.faultLock === FaultLock.Exclusive) return;
    this.#work[self.index] = work;
    self.claim(Claim.WorkBegins, STAGE2, work, 0);
  }

  /** Goes on with the work that it dropped the lock in. */
  resumeWork(self: Actor): void {
    this.beginWork(self, this.#work[self.index]!);
  }

  reset(parameters: Readonly<Record<string, number>>): void {
    const { machine } = this;
    machine.reset();
    this.flags.reset();
    // setting a length costs more than asking for it
    for (const cache of this.caches) if (cache.length > 0) cache.length = 0;
    this.isSlotRevoked = false;
    if (this.#work.length > 0) this.#work.length = 0;
    this.hugeRegions = parameters.huge ?? 1;
    this.splitsEagerly = (parameters.eager ?? 0) === 1;
    this.marksAllAtStart = (parameters.allset ?? 0) === 1;

    const root = this.#plant(STAGE2, this.geometry, this.root);
    machine.memory.store(this.rootBase, root, 0);
    const hypervisorRoot = this.#plant(HYPERVISOR, HYPERVISOR_GEOMETRY, this.hypervisorRoot);
    this.#mapAtBoot(hypervisorRoot);
    let users = 0;
    for (const actor of machine.actors) {
      const pe = machine.pes[actor.pe]!;
      pe.ttbr0 = baseRegister(hypervisorRoot, 0);
      pe.ttbr0Generation = machine.pages.generation[hypervisorRoot]!;
      if (actor.role !== ('vcpu' satisfies ActorRole)) continue;
      pe.vttbr = baseRegister(root, VMID);
      pe.vttbrGeneration = machine.pages.generation[root]!;
      if (machine.takesPart(actor.index)) users += 1;
    }
    machine.memory.store(this.users, users, 0);
    if (this.slot !== 0) this.#layOut(parameters.vmas ?? 1);
    if ((parameters.logging ?? 0) === 0) return;
    machine.memory.store(this.logging, 1, 0);
    machine.claim(Claim.LogStarted, 0, this.geometry.windowPages, 0);
  }

  #layOut(blockVmas: number): void {
    const { memory } = this.machine;
    memory.store(this.slot, Slot.Valid, 0);
    for (let region = 0; region < 31; region += 1) {
      if ((blockVmas & (1 << region)) !== 0) memory.store(this.vma + region, Vma.Block, 0);
    }
  }

  /** The hypervisor's own data is mapped, as one block, before anything runs. */
  #mapAtBoot(root: number): void {
    const { memory, tables } = this.machine;
    const word = memory.address(root, BOOT_PAGE >>> HYPERVISOR_GEOMETRY.bitsPerLevel);
    const block = leaf(this.linearBase + BOOT_PAGE, READ | WRITE | ACCESSED);
    memory.store(word, block, 0);
    tables.update(word, 0, block);
  }

  #plant(tree: number, geometry: Geometry, pointer: WordAddress): number {
    const { machine } = this;
    const { pages } = machine;
    const isSingle = geometry.rootPages === 1;
    const root = isSingle
      ? pages.take(Role.Table, true)
      : pages.takeRun(Role.Table, geometry.rootPages);
    for (let i = 0; i < geometry.rootPages; i += 1)
      machine.memory.store(this.count(root + i), 1, 0);
    machine.memory.store(pointer, root, 0);
    machine.tables.plant(tree, root);
    return root;
  }
}
