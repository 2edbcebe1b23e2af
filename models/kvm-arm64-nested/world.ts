/**
 * The world of kvm-arm64-nested: a guest of kvm-arm64 that is a hypervisor itself, its tables, and the shadows
 * that the host makes of them.
 */
import type { Actor } from '../../sim/actor.ts';
import type { ClaimCode } from '../../sim/claims.ts';
import type { Descriptor } from '../../sim/descriptor.ts';
import type { Invariant } from '../../sim/invariant.ts';
import type { Machine } from '../../sim/machine.ts';
import type { WordAddress } from '../../sim/memory.ts';
import { Role } from '../../sim/pages.ts';
import { describeEntry } from '../kvm-arm64/describe.ts';
import { HYPERVISOR } from '../kvm-arm64/machine.ts';
import { KvmWorld } from '../kvm-arm64/world.ts';
import type { BugFlags, World } from '../system.ts';
import type { BugId } from './bugs.ts';
import type { NestedConfiguration } from './configurations.ts';
import { GUEST_TABLES, GuestTables, guestTableFrames } from './guest-tables.ts';
import { History } from './history.ts';
import { nestedInvariants } from './invariants.ts';
import { shadowCount } from './machine.ts';
import { type Context, Field, fieldWord, keyOf } from './mmu-array.ts';
import { Shadow } from './shadow.ts';
import { allocateVncr, fillVncr, type VncrPast, type VncrWords } from './vncr.ts';

/** By parameter `ids`: VMIDs that the guest gives each of its tables, and what has none. */
const VMIDS: readonly (readonly number[])[] = [
  [1, 2, 3],
  [1, 1, 1],
  [1, 0x101, 3],
];

/** A VMID that nobody uses now. */
const PAST_VMID = 9;

/** What a vCPU knows privately: the virtual registers, and what the host has loaded for it. */
export interface Vcpu {
  /** What its guest runs with. */
  context: Context;
  isInitialised: boolean;
  /** Its MMU in the array, or -1 while it has none. */
  slot: number;
  /** The array in which it was when the vCPU got it. */
  array: number;
  /** The MMU has to be emptied before the vCPU runs with it. */
  mustUnmap: boolean;
}

export class NestedWorld implements World {
  readonly machine: Machine;
  readonly configuration: NestedConfiguration;
  readonly flags: BugFlags;
  /** The guest's own stage 2, and the host's memory. */
  readonly host: KvmWorld;
  readonly countBase: WordAddress;
  readonly invariants: readonly Invariant[];
  /** First page of the array of MMUs, how many there are, and where the search for a free one begins. */
  readonly arrayBase: WordAddress;
  readonly arrayCount: WordAddress;
  readonly cursor: WordAddress;
  /** Invalidations by the guest that have begun: a fault that saw another number has read an old table. */
  readonly invalidations: WordAddress;
  /** vCPUs that are not destroyed; and whether the host still tells of pages that it takes. */
  readonly alive: WordAddress;
  readonly isNotified: WordAddress;
  readonly shadows: readonly Shadow[];
  readonly tables: GuestTables;
  readonly history: History;
  /** Times that the world was reset. */
  runs = 0;
  /** A fault walks the guest's table a second time under the lock. */
  walksAgain = false;
  /** MMUs are on a list, by VMID, as first posted. */
  readonly isRfc: boolean;
  /** Head of that list. */
  readonly listHead: WordAddress;
  /** Pseudo-TLBs of the VNCR pages, where there are any; and by vCPU, what the guest has had mapped there before. */
  readonly vncr: VncrWords | undefined;
  readonly vncrPast: VncrPast[][];
  readonly #vcpus: Vcpu[];
  /** The number that the guest uses for each of its tables, and for none. */
  #vmids = VMIDS[0]!;

  constructor(machine: Machine, configuration: NestedConfiguration, flags: BugFlags) {
    this.machine = machine;
    this.configuration = configuration;
    this.flags = flags;
    this.host = new KvmWorld(machine, configuration, flags);
    this.countBase = this.host.countBase;
    const { variables } = this.host;
    this.arrayBase = variables.allocate('array of MMUs');
    this.arrayCount = variables.allocate('MMUs');
    this.cursor = variables.allocate('cursor of MMUs');
    this.invalidations = variables.allocate('invalidations by the guest');
    this.alive = variables.allocate('vCPUs that are not destroyed');
    this.isNotified = variables.allocate('notifier is registered');
    this.isRfc = configuration.design === 'rfc-2017';
    this.listHead = variables.allocate('list of MMUs');
    this.vncr = configuration.hasVncr ? allocateVncr(variables, configuration.vcpus) : undefined;
    this.vncrPast = Array.from({ length: configuration.vcpus }, () => []);
    const count = shadowCount(configuration);
    const bases = variables.allocate('shadow root base', count);
    this.shadows = Array.from({ length: count }, (_, slot) => {
      return new Shadow(this.host, slot, bases + slot);
    });
    // below the hypervisor's linear map, which is at the end of the kernel's frames
    const first = this.host.linearBase - guestTableFrames(configuration.geometry);
    this.tables = new GuestTables(machine.memory, configuration.geometry, first);
    this.history = new History(this.tables, (table) => this.vmidOf(table));
    this.#vcpus = machine.actors.map(() => ({
      context: this.contextFor(0),
      isInitialised: true,
      slot: -1,
      array: 0,
      mustUnmap: false,
    }));
    this.invariants = nestedInvariants(this);
  }

  get claimsAtBoot(): readonly ClaimCode[] {
    return this.host.claimsAtBoot;
  }

  bug(id: BugId): boolean {
    return this.flags.on(id);
  }

  vcpu(self: Actor): Vcpu {
    return this.#vcpus[self.index]!;
  }

  get vcpus(): readonly Vcpu[] {
    return this.#vcpus;
  }

  vmidOf(table: number): number {
    return this.#vmids[table]!;
  }

  /** Every number that the guest uses. */
  get guestVmids(): readonly number[] {
    return this.#vmids;
  }

  /** @param table one of the guest's, or GUEST_TABLES for none: stage 2 is off */
  contextFor(table: number): Context {
    const isOn = table < GUEST_TABLES;
    return { isOn, table: isOn ? table : 0, vmid: this.vmidOf(table) };
  }

  nameWord(word: WordAddress): string | undefined {
    const { memory } = this.machine;
    const base = memory.load(this.arrayBase);
    const slot = memory.frame(word) - base;
    if (base !== 0 && slot >= 0 && slot < memory.load(this.arrayCount)) {
      const fields = ['key', 'references', 'pending unmap', 'root'];
      return `${fields[memory.index(word)] ?? 'unused word'} of MMU ${slot}`;
    }
    return this.host.nameWord(word);
  }

  describeEntry(tree: number, level: number, word: Descriptor): string {
    return describeEntry(tree !== HYPERVISOR, level, word);
  }

  reset(parameters: Readonly<Record<string, number>>): void {
    this.runs += 1;
    this.host.reset(parameters);
    this.#vmids = VMIDS[parameters.ids ?? 0]!;
    this.walksAgain = (parameters.rewalk ?? 0) === 1;
    const { vcpus, shadowsPerVcpu } = this.configuration;
    const late = parameters.late ?? 0;
    const { actors } = this.machine.spec;
    this.#vcpus.forEach((vcpu, actor) => {
      // as first posted, what a guest runs with begins when its hypervisor says so
      vcpu.context = this.contextFor(this.isRfc ? GUEST_TABLES : 0);
      vcpu.isInitialised = actors[actor]!.pe < vcpus - late;
      vcpu.slot = -1;
      vcpu.array = 0;
      vcpu.mustUnmap = false;
    });
    const isPast = (parameters.past ?? 0) === 1;
    if (!this.isRfc) this.#makeArray((vcpus - late) * shadowsPerVcpu, isPast);
    const { memory } = this.machine;
    memory.store(this.alive, memory.load(this.host.users), 0);
    memory.store(this.isNotified, 1, 0);
    this.tables.fill();
    if (this.vncr !== undefined) fillVncr(this);
    for (const past of this.vncrPast) if (past.length > 0) past.length = 0;
    this.history.reset();
  }

  #makeArray(count: number, isPast: boolean): void {
    const { memory, pages } = this.machine;
    const array = pages.takeRun(Role.Kernel, count);
    memory.store(this.arrayBase, array, 0);
    memory.store(this.arrayCount, count, 0);
    for (let slot = 0; slot < count; slot += 1) {
      const root = this.#plant(this.shadows[slot]!.tree);
      memory.store(fieldWord(this, array, slot, Field.Root), root, 0);
      memory.store(this.shadows[slot]!.contextWord, root, 0);
      const past = { isOn: false, table: 0, vmid: PAST_VMID + slot };
      if (isPast) memory.store(fieldWord(this, array, slot, Field.Key), keyOf(past), 0);
    }
  }

  #plant(tree: number): number {
    const { machine } = this;
    const { rootPages } = this.configuration.geometry;
    const { pages } = machine;
    const isSingle = rootPages === 1;
    const root = isSingle ? pages.take(Role.Table, true) : pages.takeRun(Role.Table, rootPages);
    for (let i = 0; i < rootPages; i += 1) machine.memory.store(this.countBase + root + i, 1, 0);
    machine.tables.plant(tree, root);
    return root;
  }
}
