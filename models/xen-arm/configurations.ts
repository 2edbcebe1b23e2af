/** Configurations of xen-arm: the hypervisor's own tables (`pt-*`) and the stage 2 of a domain (`p2m-*`). */
import { type Geometry, levelPages } from '../../sim/geometry.ts';
import { type Configuration, type RunParameter, USUAL } from '../system.ts';

export interface XenConfiguration extends Configuration {
  /** What is modelled: the hypervisor's own tables, or the p2m of a domain. */
  readonly part: 'pt' | 'p2m';
  /** The update family as posted in November 2020, or as it is today. */
  readonly form: 'rfc' | 'today';
  /** Adjacent entries that carry the contiguous hint together: 16 on real tables. */
  readonly groupEntries: number;
  /** Physical pages besides the kernel's. */
  readonly frames: number;
  /** Cards say nothing about the lock of the hypervisor's tables: its absence must show in the tables. */
  readonly isLockUntold: boolean;
  /** Access monitoring: every page has an entry of its own, with rights of its own. */
  readonly isMonitored: boolean;
  /** The first two vCPUs run on one PE, in turn. */
  readonly sharesPe: boolean;
  /** Pages that are free after boot; all that the machine has left when not given. */
  readonly sparePages?: number;
}

const MAPPED: RunParameter = {
  name: 'mapped',
  title: 'what is mapped at boot: 0 nothing, 1 a block and pages, 2 a contiguous group as well',
  default: 0,
  max: 2,
};

/** First frame that the hypervisor's own tables map: as aligned as the largest group of blocks. */
export function firstFrame(geometry: Geometry): number {
  return Math.min(1 << (3 * geometry.bitsPerLevel), 1 << 13);
}

/** Frames that the hypervisor's own tables may map, from the first one on. */
export function mappableFrames(geometry: Geometry): number {
  return 2 * Math.min(levelPages(geometry, 0), 1 << 13);
}

/** Two index bits per level: four entries per table. */
function toyTables(startLevel: number): Geometry {
  return {
    granuleBits: 12,
    bitsPerLevel: 2,
    startLevel,
    rootPages: 1,
    blockLevels: [1, 2],
    windowPages: startLevel === 0 ? 96 : 64,
  };
}

const REAL_TABLES: Geometry = {
  granuleBits: 12,
  bitsPerLevel: 9,
  startLevel: 0,
  rootPages: 1,
  blockLevels: [1, 2],
  windowPages: 1 << 14,
};

function tables(
  id: string,
  title: string,
  geometry: Geometry,
  rest: Partial<XenConfiguration> = {},
): XenConfiguration {
  return {
    ...USUAL,
    id,
    title,
    geometry,
    parameters: [MAPPED],
    part: 'pt',
    form: 'today',
    groupEntries: 2,
    frames: 48,
    isLockUntold: false,
    isMonitored: false,
    sharesPe: false,
    ...rest,
  };
}

const MEMORY: RunParameter = {
  name: 'mapped',
  title:
    'at boot: 0 nothing, 1 two pages, a block and registers, 2 a large block instead of registers',
  default: 1,
  max: 2,
};

/** A stage-2 tree with its root at level 1, of one or two pages. */
function toyP2m(rootPages: number): Geometry {
  return {
    granuleBits: 12,
    bitsPerLevel: 2,
    startLevel: 1,
    rootPages,
    blockLevels: [1, 2],
    windowPages: rootPages === 1 ? 32 : 80,
  };
}

/** 40-bit addresses with 4K pages. */
const REAL_P2M: Geometry = {
  granuleBits: 12,
  bitsPerLevel: 9,
  startLevel: 1,
  rootPages: 2,
  blockLevels: [1, 2],
  windowPages: 1536,
};

function p2m(
  id: string,
  title: string,
  geometry: Geometry,
  rest: Partial<XenConfiguration> = {},
): XenConfiguration {
  return tables(id, title, geometry, { part: 'p2m', parameters: [MEMORY], frames: 128, ...rest });
}

export const CONFIGURATIONS: readonly XenConfiguration[] = Object.freeze([
  tables(
    'pt-toy',
    'the hypervisor’s own tables on arm64: 4 levels of 4 entries, groups of 2',
    toyTables(0),
  ),
  tables('pt-toy-arm32', 'the same with the root at level 1, as on arm32', toyTables(1), {
    weight: 50,
  }),
  tables(
    'pt-toy-untold',
    'pt-toy with three vCPUs and cards that do not name the lock',
    toyTables(0),
    {
      weight: 30,
      vcpus: 3,
      isLockUntold: true,
    },
  ),
  tables('pt-toy-delayed', 'pt-toy with pending stores', toyTables(0), {
    fidelity: 'F2',
    weight: 60,
  }),
  tables('pt-4k', 'the same tables with 512 entries, groups of 16', REAL_TABLES, {
    isReal: true,
    weight: 4,
    groupEntries: 16,
    frames: 128,
  }),
  p2m('p2m-toy', 'the p2m of a domain: 3 levels of 4 entries', toyP2m(1)),
  p2m('p2m-toy-tight', 'the same with no page left for tables and memory', toyP2m(1), {
    weight: 50,
    sparePages: 0,
  }),
  p2m('p2m-toy-concatenated', 'the same with two root pages', toyP2m(2), {
    weight: 50,
    frames: 144,
  }),
  p2m('p2m-toy-device', 'the same with a device that uses the tables of the domain', toyP2m(1), {
    weight: 60,
    devices: 1,
  }),
  p2m('p2m-toy-monitored', 'the same while accesses are monitored', toyP2m(1), {
    weight: 40,
    isMonitored: true,
  }),
  p2m('p2m-toy-shared', 'the same with two of three vCPUs on one PE', toyP2m(1), {
    weight: 40,
    vcpus: 3,
    sharesPe: true,
  }),
  p2m('p2m-4k', 'the same tables with 512 entries and two root pages', REAL_P2M, {
    isReal: true,
    weight: 4,
    frames: 4096,
  }),
  tables('pt-rfc', 'the update family as posted in November 2020', toyTables(0), {
    kind: 'historical',
    form: 'rfc',
  }),
]);
