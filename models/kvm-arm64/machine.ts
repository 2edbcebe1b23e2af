/**
 * What the machine of kvm-arm64 is made of: its actors, locks and trees, by configuration.
 */
import { WORK_NAMES, Work } from '../../sim/card.ts';
import type { Geometry } from '../../sim/geometry.ts';
import { LockKind, type LockSpec } from '../../sim/locks.ts';
import type { ActorSpec, MachineSpec } from '../../sim/spec.ts';
import { StoreOrder } from '../../sim/stores.ts';
import { Regime, type TreeSpec } from '../../sim/tables.ts';
import type { KvmConfiguration } from './configurations.ts';
import { BUSY, FaultLock, type Generation } from './generation.ts';
import { blockPages } from './geometry.ts';

/** Locks: the MMU spin lock, the host's mmap lock, memslot changes, host page-table lock, EL2 table. */
export const Lock = { Mmu: 0, Mmap: 1, Slots: 2, HostTable: 3, Hypervisor: 4 } as const;

/** First lock of the second guest, in the order of the first guest's. */
const SECOND_GUEST = 5;

export const STAGE2 = 0;
export const HYPERVISOR = 1;
/** Tree of the second guest, where there is one. */
export const SECOND_STAGE2 = 2;
/** Number of the guest where there is one. */
export const VMID = 1;

/** Section domains: memslot readers (SRCU), and walkers that share the MMU lock (RCU). */
export const SLOTS_DOMAIN = 0;
export const WALKS_DOMAIN = 1;
/** PEs that walk the host's page tables with interrupts off, where these tables are modelled. */
export const INTERRUPTS_DOMAIN = 2;

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
  const tables = configuration.hasHostTables === true ? regions : 0;
  const guest = 64 + pages + regions + Math.ceil(pages / 32);
  const fixed = guest + layout + tables + frames + (configuration.guests > 1 ? 2 * guest : 0);
  // counts cover the kernel frames as well: k frames hold fixed + k words
  const variables = Math.ceil((fixed + 64) / (wordsPerFrame - 1));
  return Math.ceil(variables / 4) * 4 + HYPERVISOR_GEOMETRY.windowPages + 4;
}

/** Tree of the guest that a vCPU runs or a host thread serves: the last of each is the second guest's. */
export function treeOfActor({ guests, vcpus, hosts }: KvmConfiguration, actor: string): number {
  if (guests === 1) return STAGE2;
  return actor === `vcpu${vcpus - 1}` || actor === `host${hosts - 1}` ? SECOND_STAGE2 : STAGE2;
}

function actorSpecs(configuration: KvmConfiguration): readonly ActorSpec[] {
  const { vcpus, hosts } = configuration;
  const list: ActorSpec[] = [];
  for (let i = 0; i < vcpus; i += 1) {
    const name = `vcpu${i}`;
    const tree = treeOfActor(configuration, name);
    // the vCPU of the second guest begins where one of the first does
    list.push({ name, role: 'vcpu', pe: tree === SECOND_STAGE2 ? 0 : i, tree });
  }
  for (let i = 0; i < hosts; i += 1) {
    const name = i === 0 ? 'host' : `host${i}`;
    list.push({ name, role: 'host', pe: vcpus + i, tree: treeOfActor(configuration, name) });
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

function stage2Spec(
  { geometry, generation, guests }: KvmConfiguration,
  name: string,
  lock: number,
): TreeSpec {
  const together = togetherOf(generation);
  return {
    name,
    geometry,
    regime: Regime.Guest,
    vmid: guests === 1 ? VMID : 0,
    lock,
    annotations: false,
    counted: true,
    ...(generation.takesEntries ? { busy: BUSY } : {}),
    ...(generation.faultLock === FaultLock.Shared ? { readers: WALKS_DOMAIN } : {}),
    ...(together === undefined ? {} : { together }),
  };
}

function guestLocks({ generation }: KvmConfiguration, suffix: string): readonly LockSpec[] {
  const isSpin = generation.faultLock === FaultLock.Exclusive;
  return [
    { name: `mmu_lock${suffix}`, kind: isSpin ? LockKind.Spin : LockKind.ReadWrite },
    { name: `mmap_lock${suffix}`, kind: LockKind.Mutex },
    { name: `slots_lock${suffix}`, kind: LockKind.Mutex },
    { name: 'host table lock', kind: LockKind.Spin },
  ];
}

/** The second guest's, the allocator's of VMIDs, and one for each PE: whose holder is not interrupted there. */
function sharingLocks(configuration: KvmConfiguration): readonly LockSpec[] {
  const pes = configuration.vcpus + configuration.hosts;
  return [
    ...guestLocks(configuration, ' of the second guest'),
    { name: 'vmid lock', kind: LockKind.Spin },
    ...Array.from({ length: pes }, (_, pe) => ({
      name: `running on PE ${pe}`,
      kind: LockKind.Spin,
    })),
  ];
}

export function machineSpec(configuration: KvmConfiguration): MachineSpec {
  return {
    frames: configuration.frames + kernelFrames(configuration),
    kernelFrames: kernelFrames(configuration),
    backedPages: 64,
    pes: configuration.vcpus + configuration.hosts,
    actors: actorSpecs(configuration),
    locks: [
      ...guestLocks(configuration, ''),
      { name: 'hyp table mutex', kind: LockKind.Mutex },
      ...(configuration.guests > 1 ? sharingLocks(configuration) : []),
    ],
    sectionDomains: configuration.hasHostTables === true ? 3 : 2,
    trees: [
      stage2Spec(configuration, 'stage-2', Lock.Mmu),
      {
        name: 'hypervisor stage-1',
        geometry: HYPERVISOR_GEOMETRY,
        regime: Regime.Hypervisor,
        vmid: -1,
        lock: Lock.Hypervisor,
        annotations: false,
        counted: false,
      },
      ...(configuration.guests > 1
        ? [stage2Spec(configuration, 'stage-2 of the second guest', SECOND_GUEST + Lock.Mmu)]
        : []),
    ],
    guestTree: STAGE2,
    hypervisorTree: HYPERVISOR,
    hardwareAccessed: configuration.hardwareAccessed,
    hardwareDirty: configuration.generation.hasDirtyState,
    masksAtExit: configuration.guests > 1,
    storeOrder: configuration.fidelity === 'F2' ? StoreOrder.Location : StoreOrder.Immediate,
  };
}

/** Locks of one guest. */
export interface GuestLocks {
  readonly Mmu: number;
  readonly Mmap: number;
  readonly Slots: number;
  readonly HostTable: number;
}

const { Mmu, Mmap, Slots, HostTable } = Lock;
export const SECOND_LOCKS: GuestLocks = {
  Mmu: SECOND_GUEST + Mmu,
  Mmap: SECOND_GUEST + Mmap,
  Slots: SECOND_GUEST + Slots,
  HostTable: SECOND_GUEST + HostTable,
};
