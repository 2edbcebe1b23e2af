/** Operations on the p2m of a domain: its vCPUs and devices, the toolstack in another domain, its end. */
import fc from 'fast-check';
import type { ActorRole } from '../../sim/actor.ts';
import { Intent } from '../../sim/descriptor.ts';
import { entriesPerTable, levelPages } from '../../sim/geometry.ts';
import { hardwareOperations } from '../hardware.ts';
import type { OperationSpec, Parameter } from '../system.ts';
import type { XenConfiguration } from './configurations.ts';
import * as card from './p2m-cards.ts';
import type { Access } from './p2m-entry.ts';
import { accessByDevice, accessPage } from './p2m-guest.ts';
import { destroyDomain, rebootDomain } from './p2m-lifetime.ts';
import {
  changeAccess,
  changeType,
  lookUp,
  mapDevice,
  mapForeign,
  populate,
  releaseForeign,
  removePages,
  trackUse,
  unmapDevice,
} from './p2m-toolstack.ts';
import { deviceFrames, foreignPages, type P2mWorld } from './p2m-world.ts';

type Spec = OperationSpec<XenConfiguration, P2mWorld>;
type Parameters = Parameter<XenConfiguration>;

const isP2m = ({ part }: XenConfiguration): boolean => part === 'p2m';

/** Pages at which things happen: the first ones, both sides of blocks, and the second root page. */
function interestingPages({ geometry }: XenConfiguration): readonly number[] {
  const block = levelPages(geometry, 2);
  const large = levelPages(geometry, 1);
  const root = large * entriesPerTable(geometry);
  const pages = [0, 1, block, large, root, large + 1, 2 * block, block + 1, block - 1, root + 1];
  return pages.filter((page) => page < geometry.windowPages);
}

const page: Parameters = {
  name: 'page',
  kind: 'page',
  arbitrary: (configuration) => {
    const pages = interestingPages(configuration);
    return fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom(...pages.slice(0, 4)) },
      { weight: 4, arbitrary: fc.constantFrom(...pages) },
      { weight: 1, arbitrary: fc.nat(Math.min(configuration.geometry.windowPages, 80) - 1) },
    );
  },
  max: ({ geometry }) => geometry.windowPages - 1,
};

/** Lengths that are one entry of some level: what allocators give. */
const order: Parameters = {
  name: 'pages',
  kind: 'count',
  arbitrary: ({ geometry }) => {
    const block = levelPages(geometry, 2);
    const large = Math.min(levelPages(geometry, 1), geometry.windowPages);
    return fc.constantFrom(1, 1, 1, block, block, large <= 64 ? large : 1);
  },
  max: ({ geometry }) => Math.min(levelPages(geometry, 1), 512),
};

const pages: Parameters = {
  name: 'pages',
  kind: 'count',
  arbitrary: ({ geometry }) => {
    const block = levelPages(geometry, 2);
    const large = Math.min(levelPages(geometry, 1), 4 * block);
    return fc.constantFrom(1, 1, 1, 2, block, block, block + 1, large);
  },
  max: ({ geometry }) => geometry.windowPages,
};

/** Mostly where registers are at boot. */
const registerPage: Parameters = {
  ...page,
  arbitrary: (configuration) => {
    const first = 2 * levelPages(configuration.geometry, 2);
    const pages = interestingPages(configuration);
    return fc.oneof(
      { weight: 3, arbitrary: fc.constant(first) },
      { weight: 2, arbitrary: fc.constantFrom(...pages) },
    );
  },
};

/** ... or more than a large block, with whatever is not mapped in between. */
const wideRange: Parameters = {
  ...pages,
  arbitrary: ({ geometry }) => {
    const block = levelPages(geometry, 2);
    const wide = Math.min(16, 4 * block) + 1;
    return fc.constantFrom(1, block, wide, wide);
  },
};

/** Which of the other domain's pages, or of the devices' registers. */
const index: Parameters = {
  name: 'index',
  kind: 'count',
  arbitrary: ({ geometry }) => fc.constantFrom(0, 0, 0, 1, entriesPerTable(geometry)),
  max: ({ geometry }) => foreignPages(geometry) - 1,
};

/** One page of the other domain, or a block of them. */
const foreignCount: Parameters = {
  name: 'pages',
  kind: 'count',
  arbitrary: ({ geometry }) => fc.constantFrom(1, 1, entriesPerTable(geometry)),
  max: ({ geometry }) => entriesPerTable(geometry),
};

const flag = (name: string): Parameters => ({
  name,
  kind: 'count',
  arbitrary: () => fc.constantFrom(0, 1, 1),
  max: () => 1,
});

function inside(args: readonly number[], { geometry }: XenConfiguration): readonly number[] {
  const [first = 0, count = 1] = args;
  return [first, Math.max(1, Math.min(count, geometry.windowPages - first))];
}

/** A power of two of pages, as allocators give, inside the window. */
function insideOrder(args: readonly number[], { geometry }: XenConfiguration): readonly number[] {
  const [first = 0, count = 1] = args;
  const most = Math.min(count, geometry.windowPages - first);
  return [first, 1 << (31 - Math.clz32(Math.max(1, most)))];
}

/** Page, index and pages, inside the window and the other domain's pages. */
function insideForeign(args: readonly number[], { geometry }: XenConfiguration): readonly number[] {
  const [first = 0, from = 0, count = 1] = args;
  const most = Math.min(count, geometry.windowPages - first, foreignPages(geometry) - from);
  return [first, from, Math.max(1, most)];
}

function insideDevice(args: readonly number[], { geometry }: XenConfiguration): readonly number[] {
  const [first = 0, from = 0, count = 1] = args;
  const most = Math.min(count, geometry.windowPages - first, deviceFrames(geometry)[1] - from);
  return [first, from, Math.max(1, most)];
}

function access(id: string, title: string, intent: Intent, weight: number): Spec {
  return {
    id,
    title,
    roles: ['vcpu'],
    isIn: isP2m,
    parameters: [page],
    card: card.ACCESS_CARD,
    weight,
    start: (self, world, [at = 0]) => accessPage(self, world, at, intent),
  };
}

function dma(id: string, title: string, intent: Intent): Spec {
  return {
    id,
    title,
    roles: ['device'],
    isIn: ({ part, devices }) => part === 'p2m' && devices !== undefined,
    parameters: [page],
    card: card.DEVICE_CARD,
    weight: 10,
    start: (self, world, [at = 0]) => accessByDevice(self, world, at, intent),
  };
}

const TOOLS: readonly ActorRole[] = ['host'];

const tool = (spec: Omit<Spec, 'roles'>): Spec => ({ isIn: isP2m, ...spec, roles: TOOLS });

export const P2M_OPERATIONS: readonly Spec[] = [
  access('read', 'the guest reads a page', Intent.Read, 10),
  access('write', 'the guest writes a page', Intent.Write, 8),
  access('fetch', 'the guest executes a page', Intent.Execute, 2),
  dma('dma-read', 'a device reads a page', Intent.Read),
  dma('dma-write', 'a device writes a page', Intent.Write),
  tool({
    id: 'add-memory',
    title: 'new memory is mapped for the domain',
    parameters: [page, order],
    constrain: insideOrder,
    card: card.POPULATE_CARD,
    cardIn: ({ isMonitored }) => (isMonitored ? card.MONITORED_POPULATE_CARD : card.POPULATE_CARD),
    weight: 8,
    start: (self, world, [at = 0, count = 1]) => populate(self, world, at, count),
  }),
  tool({
    id: 'remove-pages',
    title: 'memory or others’ pages are taken away from the domain, and memory is freed',
    parameters: [page, pages],
    constrain: inside,
    card: card.REMOVE_CARD,
    weight: 10,
    start: (self, world, [at = 0, count = 1]) => removePages(self, world, at, count),
  }),
  tool({
    id: 'map-foreign',
    title: 'pages of another domain are mapped, with a reference each',
    parameters: [page, index, foreignCount],
    constrain: insideForeign,
    card: card.MAP_FOREIGN_CARD,
    weight: 10,
    start: (self, world, [at = 0, from = 0, count = 1]) => mapForeign(self, world, at, from, count),
  }),
  tool({
    id: 'give-up-foreign',
    title: 'the other domain gives one of its pages up',
    parameters: [index],
    card: card.RELEASE_CARD,
    weight: 1,
    start: (self, world, [from = 0]) => releaseForeign(self, world, from),
  }),
  tool({
    id: 'map-device',
    title: 'registers of a device are mapped',
    parameters: [page, index, pages],
    constrain: insideDevice,
    card: card.MAP_DEVICE_CARD,
    weight: 4,
    start: (self, world, [at = 0, from = 0, count = 1]) => mapDevice(self, world, at, from, count),
  }),
  tool({
    id: 'unmap-device',
    title: 'registers of a device are taken away',
    parameters: [registerPage, wideRange],
    constrain: inside,
    card: card.REMOVE_CARD,
    weight: 5,
    start: (self, world, [at = 0, count = 1]) => unmapDevice(self, world, at, count),
  }),
  tool({
    id: 'look-up',
    title: 'the toolstack looks a page up and takes a reference to it',
    parameters: [page],
    card: card.LOOK_UP_CARD,
    weight: 2,
    start: (self, world, [at = 0]) => lookUp(self, world, at),
  }),
  tool({
    id: 'change-type',
    title: 'a page of memory becomes read-only, or writable again',
    parameters: [page, flag('read-only')],
    card: card.CHANGE_CARD,
    weight: 3,
    start: (self, world, [at = 0, isReadOnly = 0]) => changeType(self, world, at, isReadOnly === 1),
  }),
  tool({
    id: 'change-access',
    title: 'what monitoring allows with a page changes',
    parameters: [page, flag('read-only')],
    card: card.CHANGE_CARD,
    isIn: ({ part, isMonitored }) => part === 'p2m' && isMonitored,
    weight: 8,
    start: (self, world, [at = 0, allowed = 0]) => changeAccess(self, world, at, allowed as Access),
  }),
  tool({
    id: 'track',
    title: 'use is tracked: hardware sees no entry of the root until a fault shows it again',
    parameters: [],
    card: card.TRACK_CARD,
    // devices' faults are not resolved
    isIn: ({ part, devices }) => part === 'p2m' && devices === undefined,
    weight: 5,
    start: (self, world) => trackUse(self, world),
  }),
  tool({
    id: 'destroy',
    title: 'the domain dies: mappings are given up, the root is cleared, tables are freed',
    parameters: [],
    card: card.DESTROY_CARD,
    weight: 8,
    start: (self, world) => destroyDomain(self, world),
  }),
  tool({
    id: 'reboot',
    title: 'the domain dies, and another one is made with its VMID',
    parameters: [],
    card: card.REBOOT_CARD,
    weight: 4,
    start: (self, world) => rebootDomain(self, world),
  }),
  ...hardwareOperations(page, isP2m),
];
