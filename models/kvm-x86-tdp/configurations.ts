/** Configurations of kvm-x86-tdp: geometries, features, and what a case may vary. */
import type { Geometry } from '../../sim/geometry.ts';
import { type Configuration, type RunParameter, USUAL } from '../system.ts';

export interface TdpConfiguration extends Configuration {
  /** The hardware sets accessed and dirty flags; otherwise accesses are tracked by faults. */
  readonly hardwareAccessed: boolean;
  /**
   * 6.12: the host is told of a dirty page when its leaf goes or forgets it; aging takes the lock
   * exclusively. 6.17: it is told when the leaf is made; aging takes no lock.
   */
  readonly generation: '6.12' | '6.17';
  /** The iterator and the locking of 2020, and no more operations than there were. */
  readonly isOf2020: boolean;
  /** All tables are kept on a list (5.15). */
  readonly listsTables: boolean;
  /** Recovery of large pages from the mitigation shares the lock (6.18). */
  readonly sharesRecovery: boolean;
  /** Shadow tables of nested guests that the pool keeps; 0 when there are none at all. */
  readonly shadowTables: number;
  /**
   * Places in each vCPU's hardware log of writes; 0 when there is none. With it the normal role is logged by the
   * dirty flag, the other one, which runs without, by write protection.
   */
  readonly writeLog: number;
  /** Memory comes to the last region and goes; without, accesses there are left to user space (MMIO entries). */
  readonly hasMmio: boolean;
  /** Large pages are never executable, whatever a case sets. */
  readonly alwaysMitigates: boolean;
  /** Physical pages of the machine besides the kernel's. */
  readonly frames: number;
  /** Deferred frees that may be outstanding. */
  readonly reclaims: number;
}

/** Roots are kept apart by role: the normal address space, and system management mode's. */
export const ROLES = ['normal', 'smm'] as const;

const PARAMETERS: readonly RunParameter[] = [
  { name: 'logging', title: 'the slot is being logged when the run begins', default: 0, max: 1 },
  {
    name: 'huge',
    title: 'bit mask of block-sized regions that the host may back with a block',
    default: 1,
    max: 3,
  },
  {
    name: 'mapped',
    title: 'the first region: 1 every other page, 2 as a large page',
    default: 0,
    max: 2,
  },
  { name: 'nx', title: 'large pages must not be executable', default: 0, max: 1 },
  { name: 'sequence', title: 'invalidations that ended before the run', default: 0, max: 15 },
];

/** Where the mitigation is on: a run may also begin with tables that recovery can take. */
const CANDIDATES: readonly RunParameter[] = PARAMETERS.filter(
  ({ name }) => name !== 'nx' && name !== 'sequence',
).map((parameter) =>
  parameter.name === 'mapped'
    ? {
        ...parameter,
        title: `${parameter.title}, 3 both first regions by tables on the recovery list`,
        max: 3,
      }
    : parameter,
);

const MMIO: readonly RunParameter[] = [
  {
    name: 'edge',
    title: 'the last region has memory when the run begins',
    default: 0,
    max: 1,
  },
  { name: 'generation', title: 'generation of the slots when the run begins', default: 0, max: 1 },
];

/** Two index bits per level; root level = largest leaf level + 1 (E18). */
function toy(levels: number, windowPages: number): Geometry {
  const startLevel = 4 - levels;
  const blockLevels = [1, 2, 3].filter((level) => level > startLevel && level < 3);
  return { granuleBits: 12, bitsPerLevel: 2, startLevel, rootPages: 1, blockLevels, windowPages };
}

/** 4- and 5-level tables of 512 entries; leaves of 4K, 2M and 1G. */
function real(levels: number): Geometry {
  return {
    granuleBits: 12,
    bitsPerLevel: 9,
    startLevel: 4 - levels,
    rootPages: 1,
    blockLevels: [1, 2],
    windowPages: 1024,
  };
}

function configuration(
  id: string,
  title: string,
  geometry: Geometry,
  rest: Partial<TdpConfiguration> = {},
): TdpConfiguration {
  return {
    ...USUAL,
    id,
    title,
    geometry,
    parameters: PARAMETERS,
    hardwareAccessed: true,
    generation: '6.17',
    isOf2020: false,
    listsTables: false,
    sharesRecovery: false,
    shadowTables: 0,
    writeLog: 0,
    hasMmio: false,
    alwaysMitigates: false,
    frames: 160,
    reclaims: 48,
    ...rest,
  };
}

export const CONFIGURATIONS: readonly TdpConfiguration[] = Object.freeze([
  configuration('tdp-toy', '6.17, 3 levels of 4 entries, A/D flags by hardware', toy(3, 16)),
  configuration(
    'tdp-toy-6.12',
    '6.12: dirty pages written back, aging under the lock',
    toy(3, 32),
    {
      generation: '6.12',
      weight: 60,
    },
  ),
  configuration('tdp-toy-nx', '6.17; large pages are not executable', toy(3, 16), {
    alwaysMitigates: true,
    parameters: PARAMETERS.filter(({ name }) => name !== 'nx' && name !== 'sequence'),
    weight: 50,
  }),
  configuration(
    'tdp-toy-nx-shared',
    '6.18; recovery from the mitigation shares the lock',
    toy(3, 16),
    {
      alwaysMitigates: true,
      sharesRecovery: true,
      parameters: CANDIDATES,
      weight: 50,
    },
  ),
  configuration(
    'tdp-toy-listed',
    '6.12 with the list of all tables of 5.15, and nested guests',
    toy(3, 16),
    {
      generation: '6.12',
      listsTables: true,
      shadowTables: 1,
      parameters: PARAMETERS.filter(({ name }) => name === 'logging' || name === 'huge'),
      weight: 40,
    },
  ),
  configuration(
    'tdp-toy-write-log',
    '6.17; logged by the dirty flag and the hardware log, the other role by protection',
    toy(3, 16),
    { writeLog: 2, weight: 50 },
  ),
  configuration(
    'tdp-toy-mmio',
    '6.17; the last region has memory at times, and MMIO entries of two generations without',
    toy(3, 16),
    {
      hasMmio: true,
      parameters: [
        ...PARAMETERS.filter(({ name }) => name !== 'nx' && name !== 'sequence'),
        ...MMIO,
      ],
      weight: 40,
    },
  ),
  configuration('tdp-toy-tso', '6.17; stores wait in a queue of their CPU', toy(3, 16), {
    fidelity: 'tso',
    weight: 40,
  }),
  configuration('tdp-toy-soft-ad', '6.17; accesses are tracked by faults', toy(3, 16), {
    hardwareAccessed: false,
    weight: 60,
  }),
  configuration(
    'tdp-toy-deep',
    '6.12, 4 levels of 4 entries, 3 vCPUs, tracked by faults',
    toy(4, 80),
    {
      generation: '6.12',
      hardwareAccessed: false,
      vcpus: 3,
      weight: 30,
      frames: 320,
      reclaims: 96,
    },
  ),
  configuration(
    'iter-2020',
    'the iterator first proposed, under one exclusive lock; dirty pages written back',
    toy(3, 16),
    {
      kind: 'historical',
      generation: '6.12',
      isOf2020: true,
      parameters: PARAMETERS.filter(({ name }) => name !== 'nx' && name !== 'sequence'),
    },
  ),
  configuration('tdp-4-level', '6.17, 4 levels of 512 entries', real(4), {
    isReal: true,
    weight: 5,
    frames: 3072,
  }),
  configuration('tdp-5-level', '6.12, 5 levels of 512 entries', real(5), {
    generation: '6.12',
    isReal: true,
    weight: 5,
    frames: 3072,
  }),
]);
