/**
 * The p2m of one domain at a time, under one lock: words, locks, and boot. The toolstack (host actors) works
 * on it from another domain; vCPUs run in it; devices may use the same tables.
 */
import { baseRegister } from '../../sim/access.ts';
import type { Actor } from '../../sim/actor.ts';
import { Claim } from '../../sim/claims.ts';
import { frameOf, leaf } from '../../sim/descriptor.ts';
import {
  entriesPerTable,
  type Geometry,
  indexAt,
  LAST_LEVEL,
  levelPages,
} from '../../sim/geometry.ts';
import type { Invariant } from '../../sim/invariant.ts';
import { LockKind } from '../../sim/locks.ts';
import type { Machine } from '../../sim/machine.ts';
import type { WordAddress } from '../../sim/memory.ts';
import { Role } from '../../sim/pages.ts';
import type { ActorSpec, MachineSpec } from '../../sim/spec.ts';
import { Regime } from '../../sim/tables.ts';
import { Variables } from '../../sim/variables.ts';
import type { BugFlags, World } from '../system.ts';
import type { BugId } from './bugs.ts';
import type { XenConfiguration } from './configurations.ts';
import { Access, attributesOf, isWritable, knownForm, Type, tableEntry } from './p2m-entry.ts';
import { p2mInvariants } from './p2m-invariants.ts';
import { type Cursor, newCursor } from './p2m-set.ts';

/** The p2m lock; one lock per PE that several vCPUs share: who runs there. */
export const Lock = { P2m: 0, Cpu: 1 } as const;

export const P2M_TREE = 0;
export const VMID = 1;

/** State of the domain: from Burying on nobody new holds it; Absent is when another may be made. */
export const State = { Alive: 0, Dying: 1, Burying: 2, Absent: 3, Making: 4 } as const;

/** Frames of devices' registers, in the kernel frames: first and count. */
export function deviceFrames({ bitsPerLevel }: Geometry): readonly [number, number] {
  return bitsPerLevel === 2 ? [192, 64] : [1024, 1024];
}

/** Pages that another domain owns and this one may map. */
export function foreignPages(geometry: Geometry): number {
  return 2 * entriesPerTable(geometry);
}

export function p2mActors(configuration: XenConfiguration): readonly ActorSpec[] {
  const { vcpus, hosts, devices = 0 } = configuration;
  const list: ActorSpec[] = [];
  for (let i = 0; i < vcpus; i += 1)
    list.push({ name: `vcpu${i}`, role: 'vcpu', pe: peOf(configuration, i) });
  for (let i = 0; i < hosts; i += 1)
    list.push({ name: i === 0 ? 'host' : `host${i}`, role: 'host', pe: vcpus + i });
  for (let i = 0; i < devices; i += 1)
    list.push({ name: `device${i}`, role: 'device', pe: vcpus + hosts + i });
  for (let i = 0; i < vcpus; i += 1) list.push({ name: `pe${i}`, role: 'pe', pe: i });
  return list;
}

/** Where a vCPU runs: on a PE of its own, or the first two on one. */
function peOf({ sharesPe }: XenConfiguration, vcpu: number): number {
  return sharesPe && vcpu === 1 ? 0 : vcpu;
}

export function p2mMachine(configuration: XenConfiguration): MachineSpec {
  const { geometry, frames, vcpus, hosts, devices = 0 } = configuration;
  const [firstDeviceFrame, count] = deviceFrames(geometry);
  const kernelFrames = firstDeviceFrame + count;
  return {
    frames: kernelFrames + frames,
    kernelFrames,
    backedPages: 128,
    pes: vcpus + hosts + devices,
    actors: p2mActors(configuration),
    locks: [
      { name: 'p2m lock', kind: LockKind.ReadWrite },
      { name: 'PE 0', kind: LockKind.Mutex },
    ],
    sectionDomains: 1,
    trees: [
      {
        name: 'p2m',
        geometry,
        regime: Regime.Guest,
        vmid: VMID,
        lock: Lock.P2m,
        annotations: false,
        counted: false,
        known: knownForm,
      },
    ],
    guestTree: P2M_TREE,
    hypervisorTree: P2M_TREE,
    hardwareAccessed: true,
    firstDevice: vcpus + hosts,
  };
}

export class P2mWorld implements World {
  readonly machine: Machine;
  readonly configuration: XenConfiguration;
  readonly geometry: Geometry;
  readonly flags: BugFlags;
  readonly variables: Variables;
  readonly countBase = -1;
  readonly invariants: readonly Invariant[];

  /** State of the domain, vCPUs and devices that run in it, and operations that work on it. */
  readonly state: WordAddress;
  readonly users: WordAddress;
  readonly holders: WordAddress;
  /** A flush is owed when the lock is dropped. */
  readonly needFlush: WordAddress;
  /** One more than the highest page that was ever mapped; where relinquishing goes on. */
  readonly mappedEnd: WordAddress;
  readonly lowestMapped: WordAddress;
  /** By level: mappings, and blocks that were taken apart. */
  readonly mappings: WordAddress;
  readonly shattered: WordAddress;
  /** By PE: the vCPU that ran there last, + 1. */
  readonly lastVcpu: WordAddress;
  /** By input page: what monitoring allows. */
  readonly access: WordAddress;
  /** By index: frame of another domain's page, 0 when it was given up. */
  readonly foreign: WordAddress;
  /** Bit masks by frame: table pages of the domain, and pages that are free and may be cached. */
  readonly tableList: WordAddress;
  readonly quarantine: WordAddress;
  readonly quarantined: WordAddress;
  readonly quarantineWords: number;
  readonly #references: WordAddress;

  /** First page of the root; private to the owner of the domain and never changed while it can be used. */
  rootFrame = 0;
  /** The actor that makes or destroys the domain: its VMID changes hands. -1 for none. */
  handover = -1;
  /** By actor: what its range walk remembers, and whether it is in the domain. */
  readonly cursors: readonly Cursor[];
  readonly isInside: boolean[];

  constructor(machine: Machine, configuration: XenConfiguration, flags: BugFlags) {
    this.machine = machine;
    this.configuration = configuration;
    this.geometry = configuration.geometry;
    this.flags = flags;
    const { spec, memory } = machine;
    const [firstDeviceFrame] = deviceFrames(this.geometry);
    this.variables = new Variables(firstDeviceFrame << memory.shift);
    const word = (name: string, count = 1): WordAddress => this.variables.allocate(name, count);
    this.quarantineWords = Math.ceil(spec.frames / 32);
    this.state = word('domain state');
    this.users = word('vCPUs in the domain');
    this.holders = word('holders of the domain');
    this.needFlush = word('flush is owed');
    this.mappedEnd = word('mapped end');
    this.lowestMapped = word('lowest mapped');
    this.mappings = word('mappings', LAST_LEVEL + 1);
    this.shattered = word('shattered', LAST_LEVEL + 1);
    this.lastVcpu = word('last vCPU', spec.pes);
    this.foreign = word('foreign page', foreignPages(this.geometry));
    this.tableList = word('table list', this.quarantineWords);
    this.quarantine = word('quarantine', this.quarantineWords);
    this.quarantined = word('quarantined');
    this.access = word('access', this.geometry.windowPages);
    this.#references = word('references', configuration.frames);
    this.cursors = machine.actors.map(newCursor);
    this.isInside = machine.actors.map(() => false);
    this.invariants = p2mInvariants(this);
  }

  bug(id: BugId): boolean {
    return this.flags.on(id);
  }

  nameWord(word: WordAddress): string | undefined {
    return this.variables.name(word);
  }

  /** References to a page of the host. */
  references(frame: number): WordAddress {
    return this.#references + frame - this.machine.spec.kernelFrames;
  }

  cursor(self: Actor): Cursor {
    return this.cursors[self.index]!;
  }

  reset(parameters: Readonly<Record<string, number>>): void {
    const { machine, geometry } = this;
    machine.reset();
    this.flags.reset();
    this.handover = -1;
    this.isInside.fill(false);
    for (const cursor of this.cursors) cursor.forget();
    const root = machine.pages.takeRun(Role.Table, geometry.rootPages);
    this.rootFrame = root;
    machine.tables.plant(P2M_TREE, root);
    // a device has its context for as long as it belongs to the domain
    for (const pe of machine.pes) if (pe.isDevice) this.loadContext(pe.index);
    this.#makeForeign();
    const mapped = parameters.mapped ?? 1;
    if (mapped > 0) this.#mapMemory(mapped);
    const { sparePages = machine.pages.free } = this.configuration;
    while (machine.pages.free > sparePages) machine.pages.take(Role.Data, true);
  }

  loadContext(index: number): void {
    const pe = this.machine.pes[index]!;
    pe.vttbr = baseRegister(this.rootFrame, VMID);
    pe.vttbrGeneration = this.machine.pages.generation[this.rootFrame]!;
  }

  #makeForeign(): void {
    const { machine } = this;
    const count = foreignPages(this.geometry);
    const first = machine.pages.takeRun(Role.Data, count);
    for (let i = 0; i < count; i += 1) {
      machine.memory.store(this.foreign + i, first + i, 0);
      machine.memory.store(this.references(first + i), 1, 0);
    }
  }

  /**
   * Adjacent memory: two pages, a hole, and a block (pages where accesses are monitored); then, with 2, a large
   * block, else registers at the same place of two large blocks.
   */
  #mapMemory(mapped: number): void {
    const block = entriesPerTable(this.geometry);
    const run = this.#takeMemory(2 * block);
    for (let page = 0; page < 2; page += 1) this.#mapAtBoot(page, run + page, LAST_LEVEL);
    if (this.configuration.isMonitored) {
      for (let page = block; page < 2 * block; page += 1)
        this.#mapAtBoot(page, run + page, LAST_LEVEL);
      return;
    }
    this.#mapAtBoot(block, run + block, 2);
    const large = block * block;
    if (large > 64) return;
    if (mapped === 2) this.#mapAtBoot(large, this.#takeMemory(large), 1);
    else this.#mapRegisters(2 * block, large + 2 * block);
  }

  #mapRegisters(...pages: readonly number[]): void {
    const [first] = deviceFrames(this.geometry);
    for (const page of pages) this.#mapAtBoot(page, first, LAST_LEVEL, Type.Mmio);
  }

  /** Adjacent pages that belong to the domain. */
  #takeMemory(pages: number): number {
    const { machine } = this;
    const first = machine.pages.takeRun(Role.Data, pages);
    for (let i = 0; i < pages; i += 1) machine.memory.store(this.references(first + i), 1, 0);
    return first;
  }

  #mapAtBoot(page: number, frame: number, target: number, type: Type = Type.RamRw): void {
    const { machine, geometry } = this;
    const { memory } = machine;
    const pages = levelPages(geometry, target);
    for (let i = 0; i < pages; i += 1) machine.claim(Claim.HostGrants, page + i, frame + i, 1);
    let at = this.rootFrame;
    for (let level = geometry.startLevel; level < target; level += 1) {
      const word = memory.address(at, indexAt(geometry, page, level));
      if (memory.load(word) === 0) {
        const child = machine.pages.take(Role.Table, true);
        const listed = this.tableList + (child >>> 5);
        memory.store(listed, memory.load(listed) | (1 << (child & 31)), 0);
        this.#put(word, tableEntry(child));
      }
      at = frameOf(memory.load(word));
    }
    this.#put(
      memory.address(at, indexAt(geometry, page, target)),
      leaf(frame, attributesOf(type, Access.All)),
    );
    memory.store(this.mappings + target, memory.load(this.mappings + target) + 1, 0);
    memory.store(this.mappedEnd, page + pages, 0);
  }

  #put(word: number, value: number): void {
    this.machine.storeData(word, value);
    this.machine.tables.update(word, 0, value);
  }
}

/** Tells the host's grants of a mapping that is about to be made. */
export function claimGrants(
  self: Actor,
  page: number,
  frame: number,
  pages: number,
  type: Type,
): void {
  for (let i = 0; i < pages; i += 1)
    self.claim(Claim.HostGrants, page + i, frame + i, isWritable(type) ? 1 : 0);
}
