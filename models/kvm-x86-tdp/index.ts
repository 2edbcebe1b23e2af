/** kvm-x86-tdp: the TDP MMU of KVM on x86, today's form. */
import { choiceSites, machineSites, walkSites } from '../../sim/hardware.ts';
import { hardwareSites } from '../hardware.ts';
import { defineSystem } from '../system.ts';
import { BUGS } from './bugs.ts';
import { CONFIGURATIONS } from './configurations.ts';
import { detachSites, entrySites } from './entries.ts';
import { exitSites } from './exit.ts';
import { fastSites, faultSites } from './fault.ts';
import { flushSites } from './flush.ts';
import { GOALS } from './goals.ts';
import { guestEntrySites, guestSites, putSites } from './guest.ts';
import { hostSites, revokeSites } from './host-memory.ts';
import { recoverSites, splitSites } from './huge.ts';
import { iteratorSites } from './iterator.ts';
import { oldIteratorSites } from './iterator-2020.ts';
import { logSites, protectSites } from './log.ts';
import { mapSites } from './map.ts';
import { edgeSites, mmioSites } from './mmio.ts';
import { ageSites, notifierSites } from './notifier.ts';
import { OPERATIONS } from './operations.ts';
import { recoverySites } from './recovery.ts';
import { listSites } from './recovery-list.ts';
import { createSites, invalidateSites, rootSites } from './roots.ts';
import { poolSites, shadowSites } from './shadow.ts';
import { slotSites } from './slots.ts';
import { tableListSites } from './table-list.ts';
import { KvmWorld, machineSpec } from './world.ts';
import { writeLogSites } from './write-log.ts';
import { teardownSites, zapSites } from './zap.ts';

export const kvmX86Tdp = defineSystem({
  id: 'kvm-x86-tdp',
  title: 'KVM/x86 TDP MMU: iterator, lockless faults and aging, roots, dirty log, large pages',
  mirrors: 'Linux 6.12 to 6.17, by configuration (spec/x86-xen.md part A)',
  isListed: true,
  configurations: CONFIGURATIONS,
  operations: OPERATIONS,
  epilogue: { vcpu: 'put' },
  bugs: BUGS,
  goals: GOALS,
  sites: [
    walkSites,
    choiceSites,
    machineSites,
    ageSites,
    createSites,
    detachSites,
    edgeSites,
    entrySites,
    exitSites,
    fastSites,
    faultSites,
    flushSites,
    guestEntrySites,
    guestSites,
    hardwareSites,
    hostSites,
    invalidateSites,
    iteratorSites,
    listSites,
    logSites,
    mapSites,
    mmioSites,
    notifierSites,
    oldIteratorSites,
    protectSites,
    putSites,
    recoverSites,
    recoverySites,
    revokeSites,
    rootSites,
    poolSites,
    shadowSites,
    slotSites,
    tableListSites,
    splitSites,
    teardownSites,
    writeLogSites,
    zapSites,
  ],
  machine: machineSpec,
  boot: (machine, configuration, bugs) => new KvmWorld(machine, configuration, bugs),
});
