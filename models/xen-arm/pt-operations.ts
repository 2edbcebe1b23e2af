/** Operations on the hypervisor's own tables: any PE may run each of them. */
import fc from 'fast-check';
import { Intent } from '../../sim/descriptor.ts';
import { levelPages } from '../../sim/geometry.ts';
import type { OperationSpec, Parameter } from '../system.ts';
import { firstFrame, mappableFrames, type XenConfiguration } from './configurations.ts';
import * as card from './pt-cards.ts';
import { ATTRIBUTES, Kind, NO_FRAME } from './pt-request.ts';
import { updateTables, useTables } from './pt-update.ts';
import type { PtWorld } from './pt-world.ts';

type Spec = OperationSpec<XenConfiguration, PtWorld>;
type Parameters = Parameter<XenConfiguration>;

/** Pages at which things happen: the first ones, and both sides of entries of every level. */
function interestingPages({ geometry, groupEntries }: XenConfiguration): readonly number[] {
  const block = levelPages(geometry, 2);
  const group = groupEntries * block;
  const pages = [0, 1, 2, 3, block, block + 1, block - 1, group, group + 1, 2 * group];
  const large = levelPages(geometry, 1);
  return [...pages, large, large - 1].filter((page) => page < geometry.windowPages);
}

/** Lengths that make pages, blocks, groups, and one more or less than these. */
function interestingCounts({ geometry, groupEntries }: XenConfiguration): readonly number[] {
  const block = levelPages(geometry, 2);
  const counts = [1, 1, 2, block, block, block + 1, block - 1, groupEntries, groupEntries * block];
  const large = levelPages(geometry, 1);
  return [...counts, 2 * block, large].filter((count) => count <= geometry.windowPages);
}

const page: Parameters = {
  name: 'page',
  kind: 'page',
  arbitrary: (configuration) => {
    const pages = interestingPages(configuration);
    return fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...pages.slice(0, 6)) },
      { weight: 4, arbitrary: fc.constantFrom(...pages) },
      { weight: 1, arbitrary: fc.nat(Math.min(configuration.geometry.windowPages, 96) - 1) },
    );
  },
  max: ({ geometry }) => geometry.windowPages - 1,
};

const frame: Parameters = {
  name: 'frame',
  kind: 'count',
  arbitrary: (configuration) => fc.constantFrom(...interestingPages(configuration)),
  max: ({ geometry }) => mappableFrames(geometry) - 1,
};

const pages: Parameters = {
  name: 'pages',
  kind: 'count',
  arbitrary: (configuration) => fc.constantFrom(...interestingCounts(configuration)),
  max: ({ geometry }) => geometry.windowPages,
};

const attributes: Parameters = {
  name: 'attributes',
  kind: 'count',
  // mostly memory that is read and written
  arbitrary: () => fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 4),
  max: () => ATTRIBUTES.length - 1,
};

const block: Parameters = {
  name: 'block',
  kind: 'count',
  arbitrary: () => fc.constantFrom(0, 1),
  max: () => 1,
};

/** A range that ends inside the window. */
function inside(
  [first = 0, count = 1, ...rest]: readonly number[],
  { geometry }: XenConfiguration,
) {
  return [first, Math.max(1, Math.min(count, geometry.windowPages - first)), ...rest];
}

/** ... and, for an insert, inside the frames that may be mapped. */
function insideFrames(
  [first = 0, from = 0, count = 1, ...rest]: readonly number[],
  { geometry }: XenConfiguration,
) {
  const most = Math.min(geometry.windowPages - first, mappableFrames(geometry) - from);
  return [first, from, Math.max(1, Math.min(count, most)), ...rest];
}

function update(spec: Omit<Spec, 'roles' | 'isIn' | 'cardIn'>): Spec {
  const untold = card.untold(spec.card);
  return {
    ...spec,
    roles: ['vcpu', 'host'],
    isIn: ({ part }) => part === 'pt',
    cardIn: ({ isLockUntold }) => (isLockUntold ? untold : spec.card),
  };
}

const NO_ATTRIBUTES = { rights: 0, type: 0 };

export const PT_OPERATIONS: readonly Spec[] = [
  update({
    id: 'map',
    title: 'pages are added to the hypervisor’s own tables (insert)',
    parameters: [page, frame, pages, attributes, block],
    constrain: insideFrames,
    card: card.INSERT_CARD,
    weight: 10,
    start: (self, world, [at = 0, from = 0, count = 1, kind = 0, isBlock = 0]) =>
      updateTables(self, world, {
        kind: Kind.Insert,
        page: at,
        pages: count,
        frame: firstFrame(world.geometry) + from,
        ...ATTRIBUTES[kind]!,
        isBlock: isBlock !== 0,
      }),
  }),
  update({
    id: 'modify',
    title: 'rights of mapped pages change',
    parameters: [page, pages, attributes, block],
    constrain: inside,
    card: card.MODIFY_CARD,
    weight: 6,
    start: (self, world, [at = 0, count = 1, kind = 0, isBlock = 0]) =>
      updateTables(self, world, {
        kind: Kind.Modify,
        page: at,
        pages: count,
        frame: NO_FRAME,
        ...ATTRIBUTES[kind]!,
        isBlock: isBlock !== 0,
      }),
  }),
  update({
    id: 'remove',
    title: 'pages are taken out of the hypervisor’s own tables (destroy)',
    parameters: [page, pages, block],
    constrain: inside,
    card: card.REMOVE_CARD,
    weight: 8,
    start: (self, world, [at = 0, count = 1, isBlock = 0]) =>
      updateTables(self, world, {
        kind: Kind.Remove,
        page: at,
        pages: count,
        frame: NO_FRAME,
        ...NO_ATTRIBUTES,
        isBlock: isBlock !== 0,
      }),
  }),
  update({
    id: 'populate',
    title: 'tables are made for pages that are mapped later',
    parameters: [page, pages],
    constrain: inside,
    card: card.POPULATE_CARD,
    weight: 3,
    start: (self, world, [at = 0, count = 1]) =>
      updateTables(self, world, {
        kind: Kind.Populate,
        page: at,
        pages: count,
        frame: NO_FRAME,
        ...NO_ATTRIBUTES,
        isBlock: false,
      }),
  }),
  use('xen-read', 'a PE reads one of the hypervisor’s pages', Intent.Read, 10),
  use('xen-write', 'a PE writes one of the hypervisor’s pages', Intent.Write, 6),
];

function use(id: string, title: string, intent: Intent, weight: number): Spec {
  return {
    id,
    title,
    roles: ['vcpu', 'host'],
    isIn: ({ part }) => part === 'pt',
    parameters: [page],
    card: card.USE_CARD,
    weight,
    start: (self, _world, [at = 0]) => useTables(self, at, intent),
  };
}
