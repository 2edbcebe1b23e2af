/** xen-arm: the hypervisor's own page tables and the p2m of Xen on Arm. */
import { choiceSites, machineSites, walkSites } from '../../sim/hardware.ts';
import { defineSystem, type World } from '../system.ts';
import { BUGS } from './bugs.ts';
import { CONFIGURATIONS, type XenConfiguration } from './configurations.ts';
import { PT_OPERATIONS } from './pt-operations.ts';
import { ptSites } from './pt-update.ts';
import { PtWorld, ptMachine } from './pt-world.ts';

export const xenArm = defineSystem<XenConfiguration, World>({
  id: 'xen-arm',
  title: 'Xen on Arm: the hypervisor’s own tables (RFC of 2020 and today), and the p2m',
  mirrors: 'Xen at c447b7308b (2026) and the RFC of November 2020 (spec/x86-xen.md parts B and C)',
  isListed: false,
  configurations: CONFIGURATIONS,
  operations: PT_OPERATIONS,
  epilogue: {},
  bugs: BUGS,
  goals: [],
  sites: [walkSites, choiceSites, machineSites, ptSites],
  machine: ptMachine,
  boot: (machine, configuration, bugs) => new PtWorld(machine, configuration, bugs),
});
