/** pkvm: the hypervisor at EL2 of protected KVM: allocators, page ownership, guests of a hostile host. */
import { choiceSites, machineSites, walkSites } from '../../sim/hardware.ts';
import { defineSystem } from '../system.ts';
import { bootSites } from './boot.ts';
import { BUGS } from './bugs.ts';
import { bumpSites } from './bump.ts';
import { CONFIGURATIONS } from './configurations.ts';
import { logSites } from './dirty-log.ts';
import { GOALS } from './goals.ts';
import { guestPageSites } from './guest-pages.ts';
import { guestSites } from './guests.ts';
import { hostSites } from './host.ts';
import { hypercallSites } from './hypercall.ts';
import { lifecycleSites } from './lifecycle.ts';
import { machineSpec } from './machine.ts';
import { OPERATIONS } from './operations.ts';
import { hardwareSites } from './owner-operations.ts';
import { cacheSites } from './page-cache.ts';
import { poolSites } from './pool.ts';
import { switchSites } from './switch.ts';
import { tableSites } from './tables.ts';
import { transitionSites } from './transitions.ts';
import { PkvmWorld } from './world.ts';

export const pkvm = defineSystem({
  id: 'pkvm',
  title: 'pKVM at EL2: allocators, page ownership, guests of a hostile host',
  mirrors: 'Linux 6.15 to 7.x, arch/arm64/kvm/hyp/nvhe (spec/arm.md 6)',
  isListed: true,
  configurations: CONFIGURATIONS,
  operations: OPERATIONS,
  epilogue: { vcpu: 'leave' },
  bugs: BUGS,
  goals: GOALS,
  sites: [
    walkSites,
    choiceSites,
    machineSites,
    bootSites,
    bumpSites,
    cacheSites,
    guestPageSites,
    guestSites,
    hardwareSites,
    hostSites,
    hypercallSites,
    lifecycleSites,
    logSites,
    poolSites,
    switchSites,
    tableSites,
    transitionSites,
  ],
  machine: machineSpec,
  boot: (machine, configuration, bugs) => new PkvmWorld(machine, configuration, bugs),
});
