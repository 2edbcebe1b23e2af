/**
 * The world of kvm-arm64: kernel words, locks, page caches, and boot. Every word that two actors can
 * see is memory of the machine; what is private to an actor lives in its operations.
 */
import { baseRegister } from '../../sim/access.ts';
import type { Actor, ActorRole } from '../../sim/actor.ts';
import { assert } from '../../sim/assert.ts';
import type { Work } from '../../sim/card.ts';
import { Claim, type ClaimCode } from '../../sim/claims.ts';
import { ACCESSED, type Descriptor, leaf, READ, WRITE } from '../../sim/descriptor.ts';
import type { Geometry } from '../../sim/geometry.ts';
import type { Machine } from '../../sim/machine.ts';
import type { WordAddress } from '../../sim/memory.ts';
import { Role } from '../../sim/pages.ts';
import { Variables } from '../../sim/variables.ts';
import type { BugFlags, World } from '../system.ts';
import type { BugId } from './bugs.ts';
import type { KvmConfiguration } from './configurations.ts';
import { describeEntry } from './describe.ts';
import { FaultLock, type Generation, VmidDesign } from './generation.ts';
import { blockPages, deviceRange, romRange } from './geometry.ts';
import {
  type GuestLocks,
  HYPERVISOR,
  HYPERVISOR_GEOMETRY,
  Lock,
  SECOND_LOCKS,
  SECOND_STAGE2,
  STAGE2,
  VMID,
} from './machine.ts';
import { Sharing } from './sharing.ts';
import { hostPageAt, inputPageAt, Slot } from './slots.ts';
import type { SlotLog, Stage2 } from './stage2.ts';
import type { GuestNumber } from './vmid.ts';
import { TableWalk } from './walker.ts';

/** First page of the block that the hypervisor has mapped at boot. */
export const BOOT_PAGE = 12;

/** What a VMA word says: pages of their own (or blocks where the host likes), or one block by rule. */
export const Vma = { Pages: 0, Block: 1 } as const;

/**
 * One guest and what the host knows of it. Where there are two, the first is the world that the machine
 * boots, and holds the second.
 */
export class KvmWorld implements World, Stage2, SlotLog {
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
  /** Page of host entries of each block-sized region; see host-tables.ts. 0 where they are not modelled. */
  readonly hostTable: WordAddress = 0;

  /** Its stage 2 among the machine's trees, and its locks. */
  readonly tree: number;
  readonly claimsAtBoot: readonly ClaimCode[];
  readonly lock: GuestLocks;
  /** The second guest, in the world of the first; and what guests share. */
  readonly second: KvmWorld | undefined;
  readonly #sharing: Sharing | undefined;
  /** Number of the guest (see vmid.ts), and by PE the vCPU (+1) of it that ran there last; where guests share PEs. */
  readonly #own: WordAddress = 0;
  readonly #number: WordAddress = 0;
  readonly #register: WordAddress = 0;
  readonly lastVcpu: WordAddress = 0;

  /** Input pages that are a device's; none where `count` is 0. */
  readonly device: { readonly first: number; readonly count: number };
  #deviceBase = 0;

  /** First frame of the hypervisor's linear map: the last kernel frames, aligned so that blocks fit. */
  readonly linearBase: number;
  /** By actor: the work that it began last. */
  readonly #work: Work[] = [];
  /** What oracles were told last: nothing in the slot belongs to the guest. */
  isSlotRevoked = false;
  /** ... and: the guest may not write the slot that comes and goes. */
  isSlotReadOnly = false;
  /** ... and: the place at which it lies. */
  slotPlace = 0;
  /** Regions that the host may back with a block, as a bit mask. */
  hugeRegions = 0;
  /** Blocks are split when logging starts, not by the faults that follow. */
  splitsEagerly = false;
  /** Initially all set: logging starts with every page marked and protects nothing. */
  marksAllAtStart = false;
  /** Table pages that each actor has set aside; private to it. */
  readonly caches: readonly number[][];
  readonly walks: readonly TableWalk[];

  /** @param first the world of the first guest, for that of the second */
  constructor(
    machine: Machine,
    configuration: KvmConfiguration,
    flags: BugFlags,
    first?: KvmWorld,
  ) {
    this.machine = machine;
    this.configuration = configuration;
    this.geometry = configuration.geometry;
    this.generation = configuration.generation;
    this.flags = flags;
    const isLoggable = configuration.parameters.some(({ name }) => name === 'logging');
    this.claimsAtBoot = [
      ...(isLoggable ? [Claim.LogStarted] : []),
      ...(configuration.hasReadOnly === true ? [Claim.WriteForbidden] : []),
    ];
    const { spec, memory } = machine;
    const words = (spec.kernelFrames - HYPERVISOR_GEOMETRY.windowPages) << memory.shift;
    this.variables = first?.variables ?? new Variables(words);
    this.tree = first === undefined ? STAGE2 : SECOND_STAGE2;
    this.lock = first === undefined ? Lock : SECOND_LOCKS;
    const pages = this.geometry.windowPages;
    this.root = this.variables.allocate('stage-2 root');
    this.hypervisorRoot = first?.hypervisorRoot ?? this.variables.allocate('hypervisor root');
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
    this.countBase = first?.countBase ?? this.variables.allocate('reference count', spec.frames);
    if (configuration.hasLayout) {
      this.vma = this.variables.allocate('VMA', Math.ceil(pages / blockPages(this.geometry)));
      this.slot = this.variables.allocate('slot that comes and goes');
    }
    if (configuration.hasHostTables === true) {
      const regions = Math.ceil(pages / blockPages(this.geometry));
      this.hostTable = this.variables.allocate('host table', regions);
    }
    this.linearBase = spec.kernelFrames - HYPERVISOR_GEOMETRY.windowPages;
    const [deviceFirst, devicePages] = deviceRange(this.geometry);
    this.device = { first: deviceFirst, count: configuration.hasDevice ? devicePages : 0 };
    this.caches = first?.caches ?? machine.actors.map(() => []);
    this.walks = first?.walks ?? machine.actors.map(() => new TableWalk());
    if (configuration.guests === 1) return;
    this.#sharing =
      first?.sharing ??
      new Sharing(machine, this.variables, this.generation.vmids === VmidDesign.ActivePerPe);
    this.lastVcpu = this.variables.allocate('vCPU that ran last on PE', machine.pes.length);
    this.#own = this.variables.allocate('VMID');
    this.#number = this.variables.allocate('VMID index');
    this.#register = this.variables.allocate('VTTBR of the guest');
    if (first === undefined) this.second = new KvmWorld(machine, configuration, flags, this);
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

  get log(): SlotLog {
    return this;
  }

  count(frame: number): WordAddress {
    return this.countBase + frame;
  }

  cache(self: Actor): number[] {
    return this.caches[self.index]!;
  }

  /** The world of the guest that the actor runs or serves. */
  of(self: Actor): KvmWorld {
    return self.tree === SECOND_STAGE2 && this.second !== undefined ? this.second : this;
  }

  /** There are other guests, with which this one shares PEs. */
  get sharesPes(): boolean {
    return this.#sharing !== undefined;
  }

  get sharing(): Sharing {
    assert(this.#sharing !== undefined, 'guests share PEs where there is more than one');
    return this.#sharing;
  }

  get guest(): GuestNumber {
    const { tree, machine } = this;
    const root = machine.tables.trees[tree]!.root;
    return { own: this.#own, number: this.#number, base: this.#register, tree, root };
  }

  /** Word that says what is loaded for this guest, and the register value that it stands for. */
  get contextWord(): WordAddress {
    if (!this.sharesPes) return this.rootBase;
    return this.generation.vmids === VmidDesign.OneGeneration ? this.#register : this.#own;
  }

  registerOf(context: number): number {
    if (!this.sharesPes) return baseRegister(context, VMID);
    if (this.generation.vmids === VmidDesign.OneGeneration) return context;
    return baseRegister(this.machine.tables.trees[this.tree]!.root, context & 0xff);
  }

  isDevice(page: number): boolean {
    return page >= this.device.first && page < this.device.first + this.device.count;
  }

  deviceFrame(page: number): number {
    return this.#deviceBase + page - this.device.first;
  }

  /** Whether the input page belongs to the slot that comes and goes, wherever that lies. */
  isInSlot(page: number): boolean {
    if (this.slot === 0) return false;
    const { geometry } = this;
    return (
      hostPageAt(geometry, page, 0) >= 0 || (this.movesSlot && hostPageAt(geometry, page, 1) >= 0)
    );
  }

  get movesSlot(): boolean {
    return this.configuration.hasMoves === true;
  }

  /** Input page of a host page, for claims: what oracles were told last about where the slot lies. */
  inputPage(hostPage: number): number {
    return this.slotPlace === 0 ? hostPage : inputPageAt(this.geometry, hostPage, this.slotPlace);
  }

  /** Whether the page belongs to the slot that is read-only and stays. */
  isRom(page: number): boolean {
    if (this.configuration.hasReadOnly !== true) return false;
    const [first, pages] = romRange(this.geometry);
    return page >= first && page < first + pages;
  }

  /** Whether the guest may write the page, for claims. */
  mayWrite(page: number): boolean {
    return !this.isRom(page) && !(this.isSlotReadOnly && this.isInSlot(page));
  }

  /** Says what the operation does with stage 2 from here to the end of its hold of the MMU lock. */
  beginWork(self: Actor, work: Work): void {
    // with one exclusive lock there is nothing to tell apart
    if (this.generation.faultLock === FaultLock.Exclusive) return;
    this.#work[self.index] = work;
    self.claim(Claim.WorkBegins, this.tree, work, 0);
  }

  /** Goes on with the work that it dropped the lock in. */
  resumeWork(self: Actor): void {
    this.beginWork(self, this.#work[self.index]!);
  }

  reset(parameters: Readonly<Record<string, number>>): void {
    const { machine } = this;
    machine.reset();
    this.flags.reset();
    this.#sharing?.reset(parameters.spent ?? 0);
    // setting a length costs more than asking for it
    for (const cache of this.caches) if (cache.length > 0) cache.length = 0;
    this.isSlotRevoked = false;
    this.isSlotReadOnly = false;
    this.slotPlace = 0;
    const root = this.#resetGuest(parameters);
    const hypervisorRoot = this.#plant(HYPERVISOR, HYPERVISOR_GEOMETRY, this.hypervisorRoot);
    this.#mapAtBoot(hypervisorRoot);
    for (const actor of machine.actors) {
      const pe = machine.pes[actor.pe]!;
      pe.ttbr0 = baseRegister(hypervisorRoot, 0);
      pe.ttbr0Generation = machine.pages.generation[hypervisorRoot]!;
      if (actor.role !== ('vcpu' satisfies ActorRole) || this.sharesPes) continue;
      pe.vttbr = baseRegister(root, VMID);
      pe.vttbrGeneration = machine.pages.generation[root]!;
    }
    this.#countUsers();
    if (this.second !== undefined) {
      this.second.#resetGuest(parameters);
      this.second.#countUsers();
    }
    if (this.device.count > 0) this.#plugIn();
    if (this.slot !== 0) this.#layOut(parameters);
    if (this.hostTable !== 0) this.#makeHostTables();
    if ((parameters.logging ?? 0) === 0) return;
    machine.memory.store(this.logging, 1, 0);
    machine.claim(Claim.LogStarted, 0, this.geometry.windowPages, 0);
  }

  /** Plants stage 2; its root. */
  #resetGuest(parameters: Readonly<Record<string, number>>): number {
    if (this.#work.length > 0) this.#work.length = 0;
    this.hugeRegions = parameters.huge ?? 1;
    this.splitsEagerly = (parameters.eager ?? 0) === 1;
    this.marksAllAtStart = (parameters.allset ?? 0) === 1;
    const root = this.#plant(this.tree, this.geometry, this.root);
    this.machine.memory.store(this.rootBase, root, 0);
    return root;
  }

  #countUsers(): void {
    let users = 0;
    for (const { index, role, tree } of this.machine.actors) {
      const isOurs = role === ('vcpu' satisfies ActorRole) && tree === this.tree;
      if (isOurs && this.machine.course.takesPart(index)) users += 1;
    }
    this.machine.memory.store(this.users, users, 0);
  }

  /** The device's pages are there all the time, and no memory of the host. */
  #plugIn(): void {
    const { machine, device } = this;
    this.#deviceBase = machine.pages.takeRun(Role.Kernel, device.count);
    const base = this.#deviceBase;
    machine.claim(Claim.DevicePages, device.first, device.count, 0);
    for (let i = 0; i < device.count; i += 1) {
      machine.memory.store(this.hostPage + device.first + i, base + i + 1, 0);
      machine.claim(Claim.HostGrants, device.first + i, base + i, 1);
    }
  }

  #makeHostTables(): void {
    const { machine, geometry } = this;
    for (let region = 0; region < geometry.windowPages / blockPages(geometry); region += 1) {
      const frame = machine.pages.take(Role.Kernel, true);
      machine.memory.store(this.hostTable + region, frame, 0);
    }
  }

  #layOut(parameters: Readonly<Record<string, number>>): void {
    const { memory } = this.machine;
    const blockVmas = parameters.vmas ?? 1;
    this.isSlotReadOnly = parameters.readonly === 1;
    memory.store(this.slot, this.isSlotReadOnly ? Slot.ReadOnly : Slot.Valid, 0);
    if (this.configuration.hasReadOnly === true) this.#forbidWrites();
    for (let region = 0; region < 31; region += 1) {
      if ((blockVmas & (1 << region)) !== 0) memory.store(this.vma + region, Vma.Block, 0);
    }
  }

  #forbidWrites(): void {
    for (let page = 0; page < this.geometry.windowPages; page += 1) {
      if (!this.mayWrite(page)) this.machine.claim(Claim.WriteForbidden, page, 1, 0);
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
