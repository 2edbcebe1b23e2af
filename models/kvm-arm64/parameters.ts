/** Arguments of operations of kvm-arm64: what is drawn, and what a case may say. */
import fc from 'fast-check';
import type { Geometry } from '../../sim/geometry.ts';
import type { Parameter } from '../system.ts';
import type { KvmConfiguration } from './configurations.ts';
import { blockPages, deviceRange, slotRange } from './geometry.ts';
import { HYPERVISOR_GEOMETRY } from './machine.ts';
import { hostPageAt } from './slots.ts';
import { BOOT_PAGE } from './world.ts';

/** Pages at which things happen, the likeliest first: both ends of a block, and the next one's first pages. */
function interestingPages(configuration: KvmConfiguration): readonly number[] {
  const size = blockPages(configuration.geometry);
  const { windowPages } = configuration.geometry;
  // the slot that comes and goes, its neighbour in the same table, and a page outside
  const first = configuration.hasLayout ? [size, 2 * size - 1, 0] : [];
  if (configuration.hasMoves === true) first.splice(1, 0, 2 * size);
  const devices = configuration.hasDevice ? deviceRange(configuration.geometry) : [];
  const pages = [
    ...devices.slice(0, 1),
    ...first,
    0,
    size - 1,
    size,
    1,
    size + 1,
    2 * size - 1,
    2 * size,
  ];
  return [...new Set(pages.filter((page) => page < windowPages))];
}

/** Mostly few pages, so that operations meet; the whole window now and then. */
export const page: Parameter<KvmConfiguration> = {
  name: 'page',
  kind: 'page',
  arbitrary: (configuration) => {
    const pages = interestingPages(configuration);
    const near = pages.slice(0, 3);
    return fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...near) },
      { weight: 3, arbitrary: fc.constantFrom(...pages) },
      { weight: 1, arbitrary: fc.nat(Math.min(configuration.geometry.windowPages, 64) - 1) },
    );
  },
  max: (configuration) => configuration.geometry.windowPages - 1,
};

const COUNT_MAX = 8;

export const count: Parameter<KvmConfiguration> = {
  name: 'pages',
  kind: 'count',
  arbitrary: () => fc.constantFrom(1, 1, 2, 3, 4, COUNT_MAX),
  max: (configuration) => configuration.geometry.windowPages,
};

export const exitCount: Parameter<KvmConfiguration> = {
  ...count,
  arbitrary: () => fc.constantFrom(1, 2, 4),
};

export const hypervisorPage: Parameter<KvmConfiguration> = {
  name: 'page',
  kind: 'page',
  // few pages, so that what is mapped is also used
  arbitrary: () => fc.constantFrom(0, 0, 1, 4, BOOT_PAGE, BOOT_PAGE),
  max: () => HYPERVISOR_GEOMETRY.windowPages - 1,
};

/** Places of a slot that is moved: where it is created, and another. */
export const slotPlace: Parameter<KvmConfiguration> = {
  name: 'place',
  kind: 'count',
  arbitrary: () => fc.constantFrom(1, 1, 0),
  max: () => 1,
};

export const place: Parameter<KvmConfiguration> = {
  name: 'pe',
  kind: 'count',
  arbitrary: ({ vcpus, hosts }) => fc.nat(vcpus + hosts - 1),
  max: ({ vcpus, hosts }) => vcpus + hosts - 1,
};

/**
 * With several guests there is neither a log nor the hypervisor's own table: what they are about has no VMID. Slots
 * with devices are not logged.
 */
export function isAlone({ guests, hasDevice }: KvmConfiguration): boolean {
  return guests === 1 && !hasDevice;
}

/** The page, or the one beside the slot that comes and goes if it is in it. */
export function outsideSlot(page: number, geometry: Geometry): number {
  const [first, pages] = slotRange(geometry);
  return page >= first && page < first + pages ? page + pages : page;
}

/** A slot that is moved lies over the host pages of its first place. */
export function backedPage(
  [at = 0]: readonly number[],
  { geometry, hasMoves }: KvmConfiguration,
): readonly number[] {
  const moved = hasMoves === true ? hostPageAt(geometry, at, 1) : -1;
  return [moved >= 0 ? moved : at];
}

export function insideWindow(
  args: readonly number[],
  configuration: KvmConfiguration,
): readonly number[] {
  const [page = 0, pages = 1] = args;
  // the host does not take a device away
  const { geometry, hasDevice } = configuration;
  const end = hasDevice ? deviceRange(geometry)[0] : geometry.windowPages;
  const first = Math.min(page, end - 1);
  return [first, Math.min(pages, end - first)];
}
