/** Configurations of kvm-arm64-nested: shapes of the tables, and how many shadows there are. */
import type { Geometry } from '../../sim/geometry.ts';
import type { KvmConfiguration } from '../kvm-arm64/configurations.ts';
import { PARALLEL } from '../kvm-arm64/generation.ts';
import { defaultWordBits, rootShape } from '../kvm-arm64/geometry.ts';
import { type RunParameter, USUAL } from '../system.ts';

export interface NestedConfiguration extends KvmConfiguration {
  /** As first posted, or as it is today. */
  readonly design: 'rfc-2017' | 'today';
  /** vCPUs keep a translation of their VNCR page; programs are about that and about pages that go. */
  readonly hasVncr: boolean;
  /** Shadows for each vCPU that exists: two today; with one they change their use more often. */
  readonly shadowsPerVcpu: number;
}

const PARAMETERS: readonly RunParameter[] = [
  {
    name: 'huge',
    title: 'bit mask of block-sized regions that the host may back with a block',
    default: 1,
    max: 3,
  },
  { name: 'logging', title: 'the slot is being logged when the run begins', default: 0, max: 1 },
  {
    name: 'ids',
    title:
      'VMIDs of the guest’s tables: 0 differ, 1 are one, on several vCPUs at the same time, 2 differ above bit 7',
    default: 0,
    max: 2,
  },
  {
    name: 'past',
    title: 'every MMU stands for a context of the past when the run begins',
    default: 0,
    max: 1,
  },
  {
    name: 'late',
    title: 'vCPUs, from the last one, that are initialised when they first run',
    default: 0,
    max: 1,
  },
  {
    name: 'rewalk',
    title: 'a fault walks the guest’s table again under the lock, instead of comparing a count',
    default: 0,
    max: 1,
  },
];

/** Two index bits per level: four entries per table. */
function toy(startLevel: number): Geometry {
  return {
    granuleBits: 12,
    bitsPerLevel: 2,
    startLevel,
    rootPages: 1,
    blockLevels: [2],
    windowPages: 16,
  };
}

function real(granuleBits: number, inputBits: number, blocks: number): Geometry {
  const bitsPerLevel = defaultWordBits(granuleBits);
  return {
    granuleBits,
    bitsPerLevel,
    ...rootShape(granuleBits, inputBits),
    blockLevels: [2],
    windowPages: blocks << bitsPerLevel,
  };
}

function configuration(
  id: string,
  title: string,
  geometry: Geometry,
  rest: Partial<NestedConfiguration> = {},
): NestedConfiguration {
  return {
    ...USUAL,
    id,
    title,
    geometry,
    parameters: PARAMETERS,
    generation: PARALLEL,
    hasLayout: false,
    isAboutSlots: false,
    hasDevice: false,
    guests: 1,
    hardwareAccessed: true,
    frames: 128,
    shadowsPerVcpu: 1,
    design: 'today',
    hasVncr: false,
    ...rest,
  };
}

export const CONFIGURATIONS: readonly NestedConfiguration[] = Object.freeze([
  configuration('today', 'shadows of the guest’s tables, one for each vCPU', toy(2)),
  configuration('today-two-each', 'the same with two shadows for each vCPU', toy(2), {
    weight: 60,
    shadowsPerVcpu: 2,
    frames: 192,
  }),
  configuration('today-deep', 'the same with 3 levels of 4 entries and 3 vCPUs', toy(1), {
    weight: 60,
    vcpus: 3,
    frames: 256,
  }),
  configuration(
    'today-vncr',
    'the same with the pages in which registers of the guest lie',
    toy(2),
    {
      weight: 60,
      hasVncr: true,
    },
  ),
  configuration('today-4k', 'the same tables with 512 entries', real(12, 40, 4), {
    isReal: true,
    weight: 4,
    shadowsPerVcpu: 2,
    frames: 2200,
  }),
  configuration(
    'rfc-2017',
    'nested MMUs as first posted: a list, found by the guest’s VMID',
    toy(2),
    {
      kind: 'historical',
      design: 'rfc-2017',
      // as many as there may be MMUs on the list
      shadowsPerVcpu: 3,
      parameters: PARAMETERS.filter(({ name }) => name === 'huge' || name === 'ids'),
      frames: 192,
    },
  ),
]);
