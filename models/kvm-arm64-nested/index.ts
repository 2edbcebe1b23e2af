/** kvm-arm64-nested: shadow stage-2 tables for the guests of a guest hypervisor. */
import { choiceSites, machineSites, walkSites } from '../../sim/hardware.ts';
import { hardwareSites } from '../hardware.ts';
import { attributeSites } from '../kvm-arm64/attributes.ts';
import { countSites } from '../kvm-arm64/counts.ts';
import { logSites } from '../kvm-arm64/dirty-log.ts';
import { entrySites } from '../kvm-arm64/entries.ts';
import { faultSites } from '../kvm-arm64/fault.ts';
import { flushSites } from '../kvm-arm64/flush.ts';
import { guestSites, putSites } from '../kvm-arm64/guest.ts';
import { hostSites, revokeSites } from '../kvm-arm64/host-memory.ts';
import { takingSites } from '../kvm-arm64/map-taking.ts';
import { notifierSites } from '../kvm-arm64/notifier.ts';
import { rangeSites } from '../kvm-arm64/range.ts';
import { exitSites } from '../kvm-arm64/teardown.ts';
import { unlinkedSites } from '../kvm-arm64/unlinked.ts';
import { destroySites, unmapSites } from '../kvm-arm64/unmap.ts';
import { walkerSites } from '../kvm-arm64/walker.ts';
import { defineSystem } from '../system.ts';
import { BUGS } from './bugs.ts';
import { CONFIGURATIONS } from './configurations.ts';
import { releaseSites } from './global.ts';
import { GOALS } from './goals.ts';
import { guestTableSites, stage1FlushSites } from './guest-hypervisor.ts';
import { guestWalkSites } from './guest-walk.ts';
import { nestedLogSites } from './log.ts';
import { nestedMachine } from './machine.ts';
import { arraySites } from './mmu-array.ts';
import { nestedFaultSites } from './nested-fault.ts';
import { OPERATIONS } from './operations.ts';
import { rfcSites } from './rfc.ts';
import { runSites } from './run.ts';
import { shadowUnmapSites } from './shadow-unmap.ts';
import { trappedFlushSites } from './trapped-flush.ts';
import { vncrSites } from './vncr.ts';
import { NestedWorld } from './world.ts';

export const kvmArm64Nested = defineSystem({
  id: 'kvm-arm64-nested',
  title: 'KVM/arm64 nested virtualisation: shadow stage-2 tables',
  mirrors: 'Linux 2026, with every fix of the operations modelled (spec/arm.md 5)',
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
    arraySites,
    attributeSites,
    countSites,
    destroySites,
    entrySites,
    exitSites,
    faultSites,
    flushSites,
    guestSites,
    guestTableSites,
    guestWalkSites,
    hardwareSites,
    hostSites,
    logSites,
    nestedFaultSites,
    nestedLogSites,
    notifierSites,
    putSites,
    rangeSites,
    releaseSites,
    revokeSites,
    rfcSites,
    runSites,
    shadowUnmapSites,
    stage1FlushSites,
    takingSites,
    trappedFlushSites,
    unlinkedSites,
    unmapSites,
    vncrSites,
    walkerSites,
  ],
  machine: nestedMachine,
  boot: (machine, configuration, bugs) => new NestedWorld(machine, configuration, bugs),
});
