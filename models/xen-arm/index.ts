/** xen-arm: the hypervisor's own page tables and the p2m of Xen on Arm. */
import { NO_CARD } from '../../sim/card.ts';
import { choiceSites, machineSites, walkSites } from '../../sim/hardware.ts';
import { hardwareSites } from '../hardware.ts';
import { defineSystem, type OperationSpec, type World } from '../system.ts';
import { BUGS } from './bugs.ts';
import { CONFIGURATIONS, type XenConfiguration } from './configurations.ts';
import { GOALS } from './goals.ts';
import { p2mFlushSites } from './p2m-flush.ts';
import { leaveDomain, resolveSites, runSites } from './p2m-guest.ts';
import { createSites, destroySites } from './p2m-lifetime.ts';
import { lookupSites } from './p2m-lookup.ts';
import { P2M_OPERATIONS } from './p2m-operations.ts';
import { hostPageSites, tablePageSites } from './p2m-pages.ts';
import { freeSites, setSites } from './p2m-set.ts';
import { splitSites } from './p2m-split.ts';
import { toolSites, trackSites } from './p2m-toolstack.ts';
import { P2mWorld, p2mMachine } from './p2m-world.ts';
import { PT_OPERATIONS } from './pt-operations.ts';
import { ptSites } from './pt-update.ts';
import { PtWorld, ptMachine } from './pt-world.ts';

/** A configuration has one part, and only operations of that part. */
const OPERATIONS: readonly OperationSpec<XenConfiguration, World>[] = [
  ...PT_OPERATIONS,
  ...P2M_OPERATIONS,
  {
    id: 'put',
    title: 'the vCPU leaves for good',
    roles: ['vcpu'],
    parameters: [],
    card: NO_CARD,
    weight: 0,
    // nobody runs in a domain where only the hypervisor's own tables are modelled
    *start(self, world) {
      return world instanceof P2mWorld ? yield* leaveDomain(self, world) : 0;
    },
  } satisfies OperationSpec<XenConfiguration, World>,
] as readonly OperationSpec<XenConfiguration, World>[];

export const xenArm = defineSystem<XenConfiguration, World>({
  id: 'xen-arm',
  title: 'Xen on Arm: the hypervisor’s own tables (RFC of 2020 and today), and the p2m',
  mirrors: 'Xen at c447b7308b (2026) and the RFC of November 2020 (spec/x86-xen.md parts B and C)',
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
    createSites,
    destroySites,
    freeSites,
    hardwareSites,
    hostPageSites,
    lookupSites,
    p2mFlushSites,
    ptSites,
    resolveSites,
    runSites,
    setSites,
    splitSites,
    tablePageSites,
    toolSites,
    trackSites,
  ],
  machine: (configuration) =>
    configuration.part === 'pt' ? ptMachine(configuration) : p2mMachine(configuration),
  boot: (machine, configuration, bugs) =>
    configuration.part === 'pt'
      ? new PtWorld(machine, configuration, bugs)
      : new P2mWorld(machine, configuration, bugs),
});
