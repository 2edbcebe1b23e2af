/** Configurations of kvm-arm64: geometries, features, and what a case may vary. */

import type { Geometry } from '../../sim/geometry.ts';
import type { Configuration, RunParameter } from '../system.ts';
import { defaultWordBits, rootShape } from './geometry.ts';

export interface KvmConfiguration extends Configuration {
  /** The walker sets the accessed flag itself; otherwise access-flag faults reach the handler. */
  readonly hardwareAccessed: boolean;
  /** Physical pages of the machine. */
  readonly frames: number;
}

const PARAMETERS: readonly RunParameter[] = [
  { name: 'logging', title: 'the slot is being logged when the run begins', default: 0, max: 1 },
  {
    name: 'huge',
    title: 'bit mask of block-sized regions that the host may back with a block',
    default: 1,
    max: 3,
  },
];

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
    id,
    title,
    kind: 'correct',
    geometry,
    isReal: false,
    fidelity: 'F1',
    vcpus: 2,
    hosts: 2,
    weight: 100,
    parameters: PARAMETERS,
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
    'exclusive-toy-delayed',
    'exclusive-toy with pending stores and registers',
    toy(2, 1),
    {
      fidelity: 'F2',
      weight: 60,
    },
  ),
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
      weight: 5,
      frames: 12288,
    },
  ),
  configuration(
    'exclusive-64k',
    'one lock (2020), 64K granule, 43-bit addresses',
    real(16, 43, 2),
    {
      isReal: true,
      weight: 4,
      frames: 49152,
    },
  ),
]);
