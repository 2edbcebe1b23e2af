/** kvm-arm64: stage-2 page tables of KVM on arm64, one lock (2020) and parallel faults (2022 on). */
import { choiceSites, machineSites, walkSites } from '../../sim/hardware.ts';
import { hardwareSites } from '../hardware.ts';
import { defineSystem } from '../system.ts';
import { attributeSites } from './attributes.ts';
import { BUGS } from './bugs.ts';
import { CONFIGURATIONS } from './configurations.ts';
import { countSites } from './counts.ts';
import { deviceSites } from './devices.ts';
import { logSites } from './dirty-log.ts';
import { dirtyStateSites } from './dirty-state.ts';
import { entrySites } from './entries.ts';
import { faultSites } from './fault.ts';
import { flushSites } from './flush.ts';
import { GOALS } from './goals.ts';
import { guestSites, putSites } from './guest.ts';
import { hostSites, revokeSites } from './host-memory.ts';
import { hostTableSites } from './host-tables.ts';
import { hypervisorSites } from './hypervisor.ts';
import { layoutSites } from './layout.ts';
import { machineSpec } from './machine.ts';
import { mapSites } from './map.ts';
import { takingSites } from './map-taking.ts';
import { moveSites } from './moves.ts';
import { ageSites, notifierSites } from './notifier.ts';
import { OPERATIONS } from './operations.ts';
import { rangeSites } from './range.ts';
import { splitSites } from './split.ts';
import { exitSites } from './teardown.ts';
import { unlinkedSites } from './unlinked.ts';
import { destroySites, unmapSites } from './unmap.ts';
import { vcpuSites } from './vcpu.ts';
import { vmidSites } from './vmid.ts';
import { walkerSites } from './walker.ts';
import { KvmWorld } from './world.ts';

export const kvmArm64 = defineSystem({
  id: 'kvm-arm64',
  title:
    'KVM/arm64 stage-2 tables: stand-alone walker, fault path, notifier, dirty log (2020 to 2026)',
  mirrors:
    'Linux 5.10, 5.18, 6.2 to 6.12 and 2026, each with every later fix of the operations modelled (spec/arm.md 1 to 4)',
  isListed: true,
  configurations: CONFIGURATIONS,
  operations: OPERATIONS,
  epilogue: { vcpu: 'put', rcu: 'callbacks' },
  bugs: BUGS,
  goals: GOALS,
  sites: [
    walkSites,
    choiceSites,
    machineSites,
    ageSites,
    attributeSites,
    countSites,
    destroySites,
    deviceSites,
    dirtyStateSites,
    entrySites,
    exitSites,
    faultSites,
    flushSites,
    guestSites,
    hardwareSites,
    hostSites,
    hostTableSites,
    hypervisorSites,
    layoutSites,
    logSites,
    mapSites,
    moveSites,
    notifierSites,
    putSites,
    rangeSites,
    revokeSites,
    splitSites,
    takingSites,
    unlinkedSites,
    unmapSites,
    vcpuSites,
    vmidSites,
    walkerSites,
  ],
  machine: machineSpec,
  boot: (machine, configuration, bugs) => new KvmWorld(machine, configuration, bugs),
});
