/** Configurations of pkvm: which part of the hypervisor runs, and what a case may vary. */
import type { Configuration, RunParameter } from '../system.ts';
import { GUEST_GEOMETRY } from './layout.ts';

export interface PkvmConfiguration extends Configuration {
  /** The allocator alone, the boot flow, or page ownership after boot. */
  readonly part: 'pool' | 'boot' | 'ownership';
  /** How a pool writes down its largest order: exclusive before 2025, inclusive since. */
  readonly orderBound: 'exclusive' | 'inclusive';
  /** Pages of the hypervisor's pool: a power of two, or not. */
  readonly poolPages: number;
  /** All calls are about one page, and there are few that are not about pages. */
  readonly isAboutOnePage?: true;
  /** The hypervisor maps a page of the host's to read, and has it mapped twice. */
  readonly hasSections?: true;
  /** Programs are about how vCPUs come and go. */
  readonly isAboutVcpus?: true;
  /** vCPUs are set up under a lock of their own, which loading one does not take; a loaded one uses the page that it was set up around. */
  readonly hasVcpuLock?: true;
  /** The host logs what the plain guest writes. */
  readonly isLogged?: true;
}

const FIRST: RunParameter = {
  name: 'first',
  title:
    'the first memory page: 0 host, 1 hypervisor, 2 shared with it, 3 shared over FF-A, 4 shared with the guest, 5 the guest’s, 6 shared by the guest, 7 the host’s and a block elsewhere is shared with the guest',
  default: 0,
  max: 7,
};
const SECOND: RunParameter = {
  ...FIRST,
  name: 'second',
  title: 'the second memory page, likewise, but 7 the host’s, taken from guest 0 by force',
};

const GUESTS: RunParameter = {
  name: 'guests',
  title: 'guests at boot: 0 both, 1 guest 0 dying, 2 guest 1 dying, 3 no guest 1',
  default: 0,
  max: 3,
};

function configuration(
  id: string,
  title: string,
  rest: Partial<PkvmConfiguration> = {},
): PkvmConfiguration {
  return {
    id,
    title,
    kind: 'correct',
    geometry: GUEST_GEOMETRY,
    isReal: false,
    fidelity: 'F1',
    vcpus: 2,
    hosts: 1,
    weight: 100,
    parameters: [FIRST, SECOND, GUESTS],
    part: 'ownership',
    orderBound: 'inclusive',
    poolPages: 8,
    ...rest,
  };
}

const BOOT: Partial<PkvmConfiguration> = { part: 'boot', hosts: 0, weight: 30, parameters: [] };

const POOL: Partial<PkvmConfiguration> = { part: 'pool', hosts: 0, weight: 20, parameters: [] };

export const CONFIGURATIONS: readonly PkvmConfiguration[] = Object.freeze([
  configuration('pkvm-toy', 'three CPUs of a hostile host, a protected and a plain guest'),
  configuration('pkvm-toy-one-page', 'the same, and all calls are about one page', {
    isAboutOnePage: true,
    weight: 200,
    parameters: [FIRST, GUESTS],
  }),
  configuration('pkvm-toy-logged', 'the host logs what the plain guest writes', {
    isLogged: true,
    weight: 40,
    // states without the protected guest, whose pages have the numbers of logged ones
    parameters: [{ ...FIRST, max: 4 }, { ...SECOND, max: 4 }, GUESTS],
  }),
  configuration(
    'pkvm-toy-delayed',
    'with pending stores and late registers (F2); vCPUs have a lock of their own',
    { fidelity: 'F2', hasVcpuLock: true, weight: 40 },
  ),
  configuration('pkvm-toy-vcpus', 'the same, about how vCPUs come and go', {
    fidelity: 'F2',
    hasVcpuLock: true,
    isAboutVcpus: true,
    weight: 20,
  }),
  configuration('boot-toy', 'the boot flow; other CPUs come in at any time', BOOT),
  configuration('boot-toy-delayed', 'the same with pending stores and late registers (F2)', {
    ...BOOT,
    fidelity: 'F2',
  }),
  configuration(
    'boot-toy-sections',
    'the same at F1, and the host shares a section, which is mapped twice',
    {
      ...BOOT,
      hasSections: true,
      weight: 15,
    },
  ),
  configuration('pool-8', 'the allocator alone: 8 pages, inclusive bound', POOL),
  configuration('pool-8-exclusive', 'the allocator alone: 8 pages, exclusive bound', {
    ...POOL,
    orderBound: 'exclusive',
  }),
  configuration('pool-7', 'the allocator alone: 7 pages, exclusive bound', {
    ...POOL,
    orderBound: 'exclusive',
    poolPages: 7,
  }),
]);
