/** What the machine of a configuration is made of: CPUs, locks, trees, and who hands out which pages. */
import { LockKind } from '../../sim/locks.ts';
import { Role } from '../../sim/pages.ts';
import type { ActorSpec, MachineSpec } from '../../sim/spec.ts';
import { StoreOrder } from '../../sim/stores.ts';
import { Regime, type TreeSpec } from '../../sim/tables.ts';
import type { PkvmConfiguration } from './configurations.ts';
import {
  FRAMES,
  GUEST_GEOMETRY,
  HOST_POOL,
  HOST_POOL_PAGES,
  HYP_GEOMETRY,
  HYP_POOL,
  IMAGE_PAGES,
} from './layout.ts';
import { GUESTS, Lock, Owner, Tree, vmidOf } from './world.ts';

function actorSpecs({ vcpus, hosts }: PkvmConfiguration): readonly ActorSpec[] {
  const list: ActorSpec[] = [];
  for (let i = 0; i < vcpus; i += 1) list.push({ name: `vcpu${i}`, role: 'vcpu', pe: i });
  for (let i = 0; i < hosts; i += 1) {
    list.push({ name: i === 0 ? 'host' : `host${i}`, role: 'host', pe: vcpus + i });
  }
  for (let i = 0; i < vcpus; i += 1) list.push({ name: `pe${i}`, role: 'pe', pe: i });
  return list;
}

function stage2(name: string, vmid: number, lock: number, component: number): TreeSpec {
  return {
    name,
    geometry: GUEST_GEOMETRY,
    regime: Regime.Guest,
    vmid,
    lock,
    annotations: true,
    counted: true,
    component,
  };
}

function hypervisorTree(name: string, counted: boolean): TreeSpec {
  return {
    name,
    geometry: HYP_GEOMETRY,
    regime: Regime.Hypervisor,
    vmid: -1,
    lock: Lock.Hyp,
    annotations: false,
    counted,
    component: Owner.Hyp,
  };
}

export function machineSpec(configuration: PkvmConfiguration): MachineSpec {
  const guests = Array.from({ length: GUESTS }, (_, guest) => guest);
  const spin = (name: string) => ({ name, kind: LockKind.Spin });
  const isPool = configuration.part === 'pool';
  const isBoot = configuration.part === 'boot';
  return {
    frames: FRAMES,
    kernelFrames: IMAGE_PAGES,
    backedPages: 64,
    pes: configuration.vcpus + configuration.hosts,
    actors: actorSpecs(configuration),
    locks: [
      spin('guest table lock'),
      spin('host lock'),
      spin('hyp lock'),
      ...guests.map((guest) => spin(`guest ${guest} lock`)),
      spin('hyp pool lock'),
      spin('host pool lock'),
      ...guests.map((guest) => spin(`guest ${guest} pool lock`)),
      spin('log lock'),
      ...guests.map((guest) => spin(`guest ${guest} vCPU lock`)),
    ],
    sectionDomains: 1,
    trees: [
      stage2('host stage-2', 0, Lock.Host, Owner.Host),
      hypervisorTree('hypervisor stage-1', true),
      ...guests.map((guest) =>
        stage2(`guest ${guest} stage-2`, vmidOf(guest), Lock.Guest + guest, Owner.Guest + guest),
      ),
      ...(isBoot ? [hypervisorTree('host-made stage-1', false)] : []),
    ],
    // the allocator alone makes no tables
    hasTables: !isPool,
    guestTree: Tree.Host,
    hypervisorTree: Tree.Hyp,
    hardwareAccessed: true,
    switchesHypervisor: isBoot,
    reserved: [
      // the allocator alone may come across the records of its neighbours
      { first: HYP_POOL, count: FRAMES - HYP_POOL, role: isPool ? Role.Kernel : Role.Data },
      ...(isBoot ? [] : [{ first: HYP_POOL, count: configuration.poolPages, role: Role.Pooled }]),
      ...(isPool || isBoot
        ? []
        : [{ first: HOST_POOL, count: HOST_POOL_PAGES, role: Role.Pooled }]),
    ],
    storeOrder: configuration.fidelity === 'F2' ? StoreOrder.Location : StoreOrder.Immediate,
    poolLocks: [Lock.HypPool, Lock.HostPool, ...guests.map((guest) => Lock.GuestPool + guest)],
  };
}
