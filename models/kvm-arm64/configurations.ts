/** Configurations of kvm-arm64: geometries, features, and what a case may vary. */
import type { Geometry } from '../../sim/geometry.ts';
import { type Configuration, type RunParameter, USUAL } from '../system.ts';
import {
  DIRTY_STATE,
  EXCLUSIVE,
  type Generation,
  IMMEDIATE,
  ONE_LOCK,
  PARALLEL,
  PARALLEL_WITHOUT_RANGES,
  READERS,
  RECENT,
} from './generation.ts';
import { defaultWordBits, rootShape } from './geometry.ts';

export interface KvmConfiguration extends Configuration {
  readonly generation: Generation;
  /** The host's address space has VMAs, pages are replaced, and memory slots come and go. */
  readonly hasLayout: boolean;
  /** Programs contain accesses, slots that come and go, and replaced pages only. */
  readonly isAboutSlots: boolean;
  /** The slot may be moved to another place. */
  readonly hasMoves?: true;
  /** The slot may be created read-only, and its neighbour is. */
  readonly hasReadOnly?: true;
  /** The host's page tables are pages, which it may take away. */
  readonly hasHostTables?: true;
  /** The last region of the window is a device's. */
  readonly hasDevice: boolean;
  /** Guests, each with vCPUs, a host thread and tables of its own, that share PEs and VMIDs when there are two. */
  readonly guests: 1 | 2;
  /** The walker sets the accessed flag itself; otherwise access-flag faults reach the handler. */
  readonly hardwareAccessed: boolean;
  /** Physical pages of the machine. */
  readonly frames: number;
}

const HUGE: readonly RunParameter[] = [
  {
    name: 'huge',
    title: 'bit mask of block-sized regions that the host may back with a block',
    default: 1,
    max: 3,
  },
];

const SHARED: readonly RunParameter[] = [
  ...HUGE,
  { name: 'spent', title: 'VMIDs that were given out before the run begins', default: 0, max: 3 },
];

const PARAMETERS: readonly RunParameter[] = [
  { name: 'logging', title: 'the slot is being logged when the run begins', default: 0, max: 1 },
  ...HUGE,
];

/** From 6.4 on. */
export const EAGER: RunParameter = {
  name: 'eager',
  title: 'blocks are split when logging starts',
  default: 0,
  max: 1,
};

const ALL_SET: RunParameter = {
  name: 'allset',
  title: 'logging starts with every page marked and protects nothing (initially all set)',
  default: 0,
  max: 1,
};

const VMAS: RunParameter = {
  name: 'vmas',
  title: 'bit mask of block-sized regions that the host maps as one block by rule (hugetlb)',
  default: 1,
  max: 3,
};

const READ_ONLY: RunParameter = {
  name: 'readonly',
  title: 'the slot that comes and goes is read-only when the run begins',
  default: 0,
  max: 1,
};

/** Two index bits per level: four entries per table. */
function toy(startLevel: number, rootPages: number): Geometry {
  return {
    granuleBits: 12,
    bitsPerLevel: 2,
    startLevel,
    rootPages,
    blockLevels: [1, 2],
    windowPages: rootPages << (2 * (4 - startLevel)),
  };
}

function real(granuleBits: number, inputBits: number, blocks: number): Geometry {
  const { startLevel, rootPages } = rootShape(granuleBits, inputBits);
  const bitsPerLevel = defaultWordBits(granuleBits);
  return {
    granuleBits,
    bitsPerLevel,
    startLevel,
    rootPages,
    blockLevels: granuleBits === 12 ? [1, 2] : [2],
    windowPages: blocks << bitsPerLevel,
  };
}

function configuration(
  id: string,
  title: string,
  geometry: Geometry,
  rest: Partial<KvmConfiguration> = {},
): KvmConfiguration {
  return {
    ...USUAL,
    id,
    title,
    geometry,
    parameters: PARAMETERS,
    generation: EXCLUSIVE,
    hasLayout: false,
    isAboutSlots: false,
    hasDevice: false,
    guests: 1,
    hardwareAccessed: true,
    frames: 96,
    ...rest,
  };
}

export const CONFIGURATIONS: readonly KvmConfiguration[] = Object.freeze([
  configuration('exclusive-toy', 'one lock (2020), 2 levels of 4 entries', toy(2, 1)),
  configuration('exclusive-toy-soft-af', 'the same; access-flag faults go to software', toy(2, 1), {
    hardwareAccessed: false,
    weight: 60,
  }),
  configuration('exclusive-toy-concatenated', 'the same with two root pages', toy(2, 2), {
    weight: 60,
    frames: 160,
  }),
  configuration(
    'exclusive-toy-deep',
    'one lock (2020), 3 levels of 4 entries, 3 vCPUs',
    toy(1, 1),
    {
      weight: 60,
      vcpus: 3,
      frames: 224,
    },
  ),
  configuration(
    'exclusive-toy-dbm',
    'one lock; hardware marks written pages of a logged slot in their leaves (HD = 1; no kernel does)',
    toy(2, 1),
    { generation: DIRTY_STATE, weight: 40 },
  ),
  configuration('readers-toy', 'readers relax pages (5.18), 2 levels of 4 entries', toy(2, 1), {
    generation: READERS,
    weight: 40,
  }),
  configuration(
    'parallel-toy',
    'parallel faults (6.2 to 6.12), range invalidation, 2 levels of 4 entries, 3 vCPUs',
    toy(2, 1),
    { generation: PARALLEL, parameters: [...PARAMETERS, EAGER], vcpus: 3, frames: 112 },
  ),
  configuration(
    'parallel-toy-soft-af',
    'the same without ranges and with two vCPUs; access-flag faults go to software',
    toy(2, 1),
    {
      generation: PARALLEL_WITHOUT_RANGES,
      parameters: [...PARAMETERS, EAGER],
      hardwareAccessed: false,
      weight: 60,
    },
  ),
  configuration(
    'parallel-toy-wide',
    'parallel faults with two root pages and 52-bit addresses, where level 0 is a level hint',
    { ...toy(2, 2), isWide: true },
    { generation: PARALLEL, parameters: [...PARAMETERS, EAGER], weight: 40, frames: 160 },
  ),
  configuration(
    'parallel-toy-layout',
    'parallel faults; VMAs, replaced pages, and a memory slot that is deleted and created',
    toy(2, 1),
    {
      generation: PARALLEL,
      parameters: [...PARAMETERS, EAGER, ALL_SET, VMAS],
      hasLayout: true,
      weight: 60,
      frames: 112,
    },
  ),
  configuration(
    'parallel-toy-immediate',
    'the walker of 6.4 with faults alone and unlinked tables freed at once, as the hypervisor uses it',
    toy(2, 1),
    { generation: IMMEDIATE, parameters: [...PARAMETERS, EAGER], weight: 40 },
  ),
  configuration(
    'recent-toy-deep',
    'the walker of 2026, 3 levels of 4 entries, 3 vCPUs',
    toy(1, 1),
    {
      generation: RECENT,
      parameters: [...PARAMETERS, EAGER],
      weight: 60,
      vcpus: 3,
      frames: 224,
    },
  ),
  configuration(
    'exclusive-toy-delayed',
    'exclusive-toy with pending stores and registers',
    toy(2, 1),
    {
      fidelity: 'F2',
      weight: 60,
    },
  ),
  configuration(
    'parallel-toy-delayed',
    'parallel-toy with pending stores and registers, two vCPUs',
    toy(2, 1),
    { generation: PARALLEL, parameters: [...PARAMETERS, EAGER], fidelity: 'F2', weight: 60 },
  ),
  configuration(
    'parallel-toy-slots',
    'parallel-toy-layout with nothing but accesses, a slot that comes and goes, and replaced pages',
    toy(2, 1),
    {
      generation: PARALLEL,
      parameters: [VMAS],
      hasLayout: true,
      isAboutSlots: true,
      weight: 20,
      frames: 112,
    },
  ),
  configuration(
    'parallel-toy-read-only',
    'parallel-toy-layout with two vCPUs; a slot is read-only, and the one that comes and goes may be',
    toy(2, 1),
    {
      generation: PARALLEL,
      parameters: [...PARAMETERS, VMAS, READ_ONLY],
      hasLayout: true,
      hasReadOnly: true,
      weight: 60,
      frames: 112,
    },
  ),
  configuration(
    'parallel-toy-moves',
    'parallel-toy-slots with a slot that is moved as well',
    toy(2, 1),
    {
      generation: PARALLEL,
      parameters: [VMAS],
      hasLayout: true,
      isAboutSlots: true,
      hasMoves: true,
      weight: 20,
      frames: 112,
    },
  ),
  configuration(
    'exclusive-toy-device',
    'one lock (2020); a region of the guest is a device, which is not logged',
    toy(2, 1),
    { hasDevice: true, parameters: HUGE, weight: 30, frames: 112 },
  ),
  configuration(
    'parallel-toy-device',
    'parallel faults (6.2 to 6.12); a region of the guest is a device, which is not logged',
    toy(2, 1),
    { generation: PARALLEL, hasDevice: true, parameters: HUGE, weight: 30, frames: 112 },
  ),
  configuration(
    'parallel-toy-retracted',
    'parallel-toy with two vCPUs; the host takes page tables of its own away, which faults walk',
    toy(2, 1),
    { generation: PARALLEL, hasHostTables: true, weight: 30, frames: 112 },
  ),
  configuration(
    'guests-toy',
    'one lock (5.17); two guests share PEs and a few VMIDs, vCPUs move; one VMID generation',
    toy(2, 1),
    {
      generation: ONE_LOCK,
      guests: 2,
      movesThreads: true,
      vcpus: 3,
      parameters: SHARED,
      weight: 60,
      frames: 128,
    },
  ),
  configuration(
    'guests-toy-parallel',
    'parallel faults; two guests share PEs and a few VMIDs, vCPUs move; active VMIDs per PE (5.18)',
    toy(2, 1),
    {
      generation: PARALLEL,
      guests: 2,
      movesThreads: true,
      vcpus: 3,
      parameters: SHARED,
      weight: 60,
      frames: 128,
    },
  ),
  configuration('guests-toy-delayed', 'guests-toy with pending stores and registers', toy(2, 1), {
    generation: ONE_LOCK,
    guests: 2,
    movesThreads: true,
    vcpus: 3,
    parameters: SHARED,
    fidelity: 'F2',
    weight: 40,
    frames: 128,
  }),
  configuration(
    'exclusive-4k',
    'one lock (2020), 4K granule, 40-bit addresses: 2 concatenated roots',
    real(12, 40, 3),
    {
      isReal: true,
      weight: 8,
      frames: 2560,
    },
  ),
  configuration(
    'exclusive-16k',
    'one lock (2020), 16K granule, 36-bit addresses',
    real(14, 36, 2),
    {
      isReal: true,
      weight: 8,
      frames: 12288,
    },
  ),
  configuration(
    'exclusive-64k',
    'one lock (2020), 64K granule, 43-bit addresses',
    real(16, 43, 2),
    {
      isReal: true,
      weight: 8,
      frames: 49152,
    },
  ),
  configuration(
    'parallel-4k',
    'parallel faults (6.2 to 6.12), 4K granule, 40-bit addresses: 2 concatenated roots',
    real(12, 40, 3),
    {
      generation: PARALLEL,
      parameters: [...PARAMETERS, EAGER],
      isReal: true,
      weight: 8,
      frames: 2560,
    },
  ),
  configuration(
    'parallel-16k',
    'parallel faults (6.2 to 6.12), 16K granule, 40-bit addresses: 16 concatenated roots',
    real(14, 40, 2),
    {
      generation: PARALLEL,
      parameters: [...PARAMETERS, EAGER],
      isReal: true,
      weight: 8,
      frames: 12288,
    },
  ),
]);
