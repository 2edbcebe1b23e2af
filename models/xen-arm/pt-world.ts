/**
 * The hypervisor's own tables: one tree, shared by all PEs, changed under one lock. Vcpu and host actors
 * are all PEs that run the hypervisor: nobody runs a guest here.
 */
import { baseRegister } from '../../sim/access.ts';
import { ACCESSED, CONTIGUOUS, leaf, READ, table, WRITE } from '../../sim/descriptor.ts';
import { type Geometry, indexAt, LAST_LEVEL, levelPages } from '../../sim/geometry.ts';
import type { Invariant } from '../../sim/invariant.ts';
import { LockKind } from '../../sim/locks.ts';
import type { Machine } from '../../sim/machine.ts';
import { Role } from '../../sim/pages.ts';
import type { ActorSpec, MachineSpec } from '../../sim/spec.ts';
import { StoreOrder } from '../../sim/stores.ts';
import { Regime } from '../../sim/tables.ts';
import type { BugFlags, World } from '../system.ts';
import type { BugId } from './bugs.ts';
import { firstFrame, mappableFrames, type XenConfiguration } from './configurations.ts';
import { groupInvariant } from './pt-invariants.ts';

export const Lock = { Tables: 0 } as const;

export const XEN_TREE = 0;

export function actorSpecs({ vcpus, hosts }: XenConfiguration): readonly ActorSpec[] {
  const list: ActorSpec[] = [];
  for (let i = 0; i < vcpus; i += 1) list.push({ name: `vcpu${i}`, role: 'vcpu', pe: i });
  for (let i = 0; i < hosts; i += 1) {
    list.push({ name: i === 0 ? 'host' : `host${i}`, role: 'host', pe: vcpus + i });
  }
  for (let i = 0; i < vcpus; i += 1) list.push({ name: `pe${i}`, role: 'pe', pe: i });
  return list;
}

export function ptMachine(configuration: XenConfiguration): MachineSpec {
  const { geometry } = configuration;
  const kernelFrames = firstFrame(geometry) + mappableFrames(geometry);
  return {
    frames: kernelFrames + configuration.frames,
    kernelFrames,
    backedPages: 64,
    pes: configuration.vcpus + configuration.hosts,
    actors: actorSpecs(configuration),
    locks: [{ name: 'xen_pt_lock', kind: LockKind.Spin }],
    sectionDomains: 1,
    // spec/x86-xen.md B6, rule 7: tables are never freed
    frees: false,
    trees: [
      {
        name: 'Xen stage-1',
        geometry,
        regime: Regime.Hypervisor,
        vmid: -1,
        lock: Lock.Tables,
        annotations: false,
        counted: false,
        hints: true,
      },
    ],
    guestTree: XEN_TREE,
    hypervisorTree: XEN_TREE,
    hardwareAccessed: true,
    storeOrder: configuration.fidelity === 'F2' ? StoreOrder.Location : StoreOrder.Immediate,
  };
}

/** What is mapped at boot, as [page, frame, pages, hint]. */
type BootMapping = readonly [number, number, number, boolean];

export class PtWorld implements World {
  readonly machine: Machine;
  readonly configuration: XenConfiguration;
  readonly geometry: Geometry;
  readonly flags: BugFlags;
  readonly countBase = -1;
  readonly invariants: readonly Invariant[];
  /** Root of the tables that every PE uses. */
  root = 0;
  /** The range whose contiguous groups are to be whole when the lock is dropped: [first, pages]. */
  readonly wholeGroups: [number, number] = [0, 0];

  constructor(machine: Machine, configuration: XenConfiguration, flags: BugFlags) {
    this.machine = machine;
    this.configuration = configuration;
    this.geometry = configuration.geometry;
    this.flags = flags;
    this.invariants = [groupInvariant(this)];
  }

  bug(id: BugId): boolean {
    return this.flags.on(id);
  }

  /** Says at which pages groups must be whole. */
  expectWholeGroups(first: number, pages: number): void {
    this.wholeGroups[0] = first;
    this.wholeGroups[1] = pages;
  }

  reset(parameters: Readonly<Record<string, number>>): void {
    const { machine } = this;
    machine.reset();
    this.flags.reset();
    this.expectWholeGroups(0, 0);
    this.root = machine.pages.take(Role.Table, true);
    machine.tables.plant(XEN_TREE, this.root);
    for (const pe of machine.pes) {
      pe.ttbr0 = baseRegister(this.root, 0);
      pe.ttbr0Generation = machine.pages.generation[this.root]!;
    }
    for (const mapping of this.#bootMappings(parameters.mapped ?? 0)) this.#mapAtBoot(mapping);
  }

  /** A block in the first region, pages in the second, a group of blocks further on. */
  #bootMappings(mapped: number): readonly BootMapping[] {
    const block = levelPages(this.geometry, 2);
    const list: BootMapping[] = [];
    if (mapped >= 1) {
      list.push([0, 0, block, false]);
      for (let i = 0; i < 2; i += 1) list.push([block + i, 2 * block + i, 1, false]);
    }
    if (mapped === 2) {
      const { groupEntries } = this.configuration;
      const first = groupEntries * block;
      for (let i = 0; i < groupEntries; i += 1)
        list.push([first + i * block, first + i * block, block, true]);
    }
    return list;
  }

  #mapAtBoot([page, frame, pages, isHinted]: BootMapping): void {
    const { machine, geometry } = this;
    const { memory, pages: pool } = machine;
    const target = pages === 1 ? LAST_LEVEL : 2;
    let at = this.root;
    for (let level = geometry.startLevel; level < target; level += 1) {
      const word = memory.address(at, indexAt(geometry, page, level));
      if (memory.load(word) === 0) this.#put(word, table(pool.take(Role.Table, true)));
      at = memory.load(word) >>> 16;
    }
    const hint = isHinted ? CONTIGUOUS : 0;
    const attributes = READ | WRITE | ACCESSED | hint;
    const word = memory.address(at, indexAt(geometry, page, target));
    this.#put(word, leaf(firstFrame(geometry) + frame, attributes));
  }

  #put(word: number, value: number): void {
    this.machine.storeData(word, value);
    this.machine.tables.update(word, 0, value);
  }
}
