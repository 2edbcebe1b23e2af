/** Operations that programs of kvm-arm64 may contain: who runs them, with which arguments. */
import fc from 'fast-check';
import { Intent } from '../../sim/descriptor.ts';
import { sites } from '../../sim/site.ts';
import type { OperationSpec, Parameter } from '../system.ts';
import * as card from './cards.ts';
import { EAGER, type KvmConfiguration } from './configurations.ts';
import { clearLog, collectLog, startLog, stopLog } from './dirty-log.ts';
import { FaultLock } from './generation.ts';
import { blockPages } from './geometry.ts';
import { accessPage, putVcpu } from './guest.ts';
import { accessHypervisor, mapHypervisor } from './hypervisor.ts';
import { changePage, createSlot, deleteSlot, remapRegion } from './layout.ts';
import { agePages, testAge, unmapFromHost } from './notifier.ts';
import { exitOwner } from './teardown.ts';
import { runCallbacks } from './unlinked.ts';
import { BOOT_PAGE, HYPERVISOR_GEOMETRY, type KvmWorld } from './world.ts';

export const hardwareSites = sites('hardware', ['speculate', 'evict']);

type Spec = OperationSpec<KvmConfiguration, KvmWorld>;

/** Pages at which things happen: the first ones, and both sides of block boundaries. */
function interestingPages(configuration: KvmConfiguration): readonly number[] {
  const size = blockPages(configuration.geometry);
  const { windowPages } = configuration.geometry;
  // the slot that comes and goes, its neighbour in the same table, and a page outside
  const first = configuration.hasLayout ? [size, 2 * size - 1, 0] : [];
  const pages = [...first, 0, 1, size - 1, size, size + 1, 2 * size - 1, 2 * size];
  return [...new Set(pages.filter((page) => page < windowPages))];
}

/** Mostly few pages, so that operations meet; the whole window now and then. */
const page: Parameter<KvmConfiguration> = {
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

const count: Parameter<KvmConfiguration> = {
  name: 'pages',
  kind: 'count',
  arbitrary: () => fc.constantFrom(1, 1, 2, 3, 4, COUNT_MAX),
  max: (configuration) => configuration.geometry.windowPages,
};

const exitCount: Parameter<KvmConfiguration> = {
  ...count,
  arbitrary: () => fc.constantFrom(1, 2, 4),
};

const hypervisorPage: Parameter<KvmConfiguration> = {
  name: 'page',
  kind: 'page',
  // few pages, so that what is mapped is also used
  arbitrary: () => fc.constantFrom(0, 0, 1, 4, BOOT_PAGE, BOOT_PAGE),
  max: () => HYPERVISOR_GEOMETRY.windowPages - 1,
};

function insideWindow(args: readonly number[], configuration: KvmConfiguration): readonly number[] {
  const [first = 0, pages = 1] = args;
  return [first, Math.min(pages, configuration.geometry.windowPages - first)];
}

const ACCESS_CARDS = {
  [FaultLock.Exclusive]: card.ACCESS_CARD,
  [FaultLock.SharedToRelax]: card.READERS_ACCESS_CARD,
  [FaultLock.Shared]: card.SHARED_ACCESS_CARD,
};

const FETCH_CARDS = {
  [FaultLock.Exclusive]: card.fetchCard(card.ACCESS_CARD),
  [FaultLock.SharedToRelax]: card.fetchCard(card.READERS_ACCESS_CARD),
  [FaultLock.Shared]: card.fetchCard(card.SHARED_ACCESS_CARD),
};

function access(id: string, title: string, intent: Intent, weight: number): Spec {
  const cards = intent === Intent.Execute ? FETCH_CARDS : ACCESS_CARDS;
  const layout = card.layoutCard(cards[FaultLock.Shared]);
  return {
    id,
    title,
    roles: ['vcpu'],
    parameters: [page],
    card: card.ACCESS_CARD,
    cardIn: ({ generation, hasLayout }) => (hasLayout ? layout : cards[generation.faultLock]),
    weight,
    isGuestAccess: true,
    start: (self, world, [at = 0]) => accessPage(self, world, at, intent),
  };
}

export const OPERATIONS: readonly Spec[] = Object.freeze([
  access('read', 'the guest reads a page', Intent.Read, 10),
  access('write', 'the guest writes a page', Intent.Write, 10),
  access('fetch', 'the guest executes a page', Intent.Execute, 3),
  {
    id: 'unmap',
    title: 'the host takes pages away (notifier start, unmap, free, end)',
    roles: ['host'],
    parameters: [page, count],
    constrain: insideWindow,
    card: card.UNMAP_CARD,
    weight: 8,
    start: (self, world, [at = 0, pages = 1]) => unmapFromHost(self, world, at, pages),
  },
  {
    id: 'age',
    title: 'the host clears accessed flags and asks whether one was set',
    roles: ['host'],
    parameters: [page, count],
    constrain: insideWindow,
    card: card.AGE_CARD,
    weight: 3,
    start: (self, world, [at = 0, pages = 1]) => agePages(self, world, at, pages),
  },
  {
    id: 'test-age',
    title: 'the host asks whether a page was used',
    roles: ['host'],
    parameters: [page],
    card: card.TEST_AGE_CARD,
    weight: 2,
    start: (self, world, [at = 0]) => testAge(self, world, at),
  },
  {
    id: 'log-start',
    title: 'dirty logging starts: publish, wait for readers, write-protect, flush',
    roles: ['host'],
    parameters: [],
    card: card.START_LOG_CARD,
    cardIn: ({ parameters, hasLayout }) =>
      hasLayout
        ? card.LAYOUT_START_LOG_CARD
        : parameters.includes(EAGER)
          ? card.SPLITTING_START_LOG_CARD
          : card.START_LOG_CARD,
    weight: 5,
    start: (self, world) => startLog(self, world),
  },
  {
    id: 'log-collect',
    title: 'one round of the dirty log: take marks, write-protect, flush, report',
    roles: ['host'],
    parameters: [],
    card: card.COLLECT_LOG_CARD,
    weight: 5,
    start: (self, world) => collectLog(self, world),
  },
  {
    id: 'log-clear',
    title:
      'manual protection: report the marks, then clear, write-protect and flush what was reported',
    roles: ['host'],
    parameters: [],
    card: card.CLEAR_LOG_CARD,
    weight: 5,
    isIn: ({ hasLayout }) => hasLayout,
    start: (self, world) => clearLog(self, world),
  },
  {
    id: 'log-stop',
    title: 'dirty logging stops',
    roles: ['host'],
    parameters: [],
    card: card.STOP_LOG_CARD,
    weight: 3,
    start: (self, world) => stopLog(self, world),
  },
  {
    id: 'remap',
    title: 'the host unmaps a region and maps it anew with another page size',
    roles: ['host'],
    parameters: [page],
    card: card.REMAP_CARD,
    weight: 5,
    isIn: ({ hasLayout }) => hasLayout,
    start: (self, world, [at = 0]) => remapRegion(self, world, at),
  },
  {
    id: 'change',
    title: 'the host replaces the frame of a page by another one (change-pte)',
    roles: ['host'],
    parameters: [page],
    card: card.CHANGE_CARD,
    weight: 8,
    isIn: ({ hasLayout }) => hasLayout,
    start: (self, world, [at = 0]) => changePage(self, world, at),
  },
  {
    id: 'slot-delete',
    title: 'the memory slot is deleted: invalidate, wait for readers, unmap, remove',
    roles: ['host'],
    parameters: [],
    card: card.DELETE_SLOT_CARD,
    weight: 8,
    isIn: ({ hasLayout }) => hasLayout,
    start: (self, world) => deleteSlot(self, world),
  },
  {
    id: 'slot-create',
    title: 'the memory slot is created again',
    roles: ['host'],
    parameters: [],
    card: card.CREATE_SLOT_CARD,
    weight: 4,
    isIn: ({ hasLayout }) => hasLayout,
    start: (self, world) => createSlot(self, world),
  },
  {
    id: 'exit',
    title: 'the owner exits: stage 2 is destroyed, then pages are freed',
    roles: ['host'],
    parameters: [exitCount],
    card: card.EXIT_CARD,
    weight: 5,
    once: true,
    start: (self, world, [pages = 1]) => exitOwner(self, world, pages),
  },
  {
    id: 'hyp-map',
    title: 'pages are added to the hypervisor’s own table',
    roles: ['host'],
    parameters: [
      hypervisorPage,
      { ...count, arbitrary: () => fc.constantFrom(1, 1, 2), max: () => 8 },
    ],
    card: card.HYPERVISOR_MAP_CARD,
    weight: 2,
    start: (self, world, [at = 0, pages = 1]) => mapHypervisor(self, world, at, pages),
  },
  {
    id: 'hyp-write',
    title: 'the hypervisor writes one of its pages',
    roles: ['host'],
    parameters: [hypervisorPage],
    card: card.HYPERVISOR_ACCESS_CARD,
    weight: 6,
    start: (self, _world, [at = 0]) => accessHypervisor(self, at, Intent.Write),
  },
  {
    id: 'speculate',
    title: 'the walker of a PE translates a page that nobody asked for',
    roles: ['pe'],
    parameters: [page],
    card: card.NO_CARD,
    weight: 4,
    *start(self, _world, [at = 0]) {
      return yield* self.speculate(hardwareSites.speculate, at);
    },
  },
  {
    id: 'evict',
    title: 'a TLB entry for a page vanishes',
    roles: ['pe'],
    parameters: [page],
    card: card.NO_CARD,
    weight: 1,
    *start(self, _world, [at = 0]) {
      yield* self.evict(hardwareSites.evict, at);
      return 0;
    },
  },
  {
    id: 'callbacks',
    title: 'tables that were taken out of the tree are freed after a grace period',
    roles: ['rcu'],
    parameters: [],
    card: card.NO_CARD,
    weight: 0,
    isIn: ({ generation }) => generation.freesLater,
    start: (self, world) => runCallbacks(self, world),
  },
  {
    id: 'put',
    title: 'the vCPU leaves for good',
    roles: ['vcpu'],
    parameters: [],
    card: card.NO_CARD,
    weight: 0,
    start: (self, world) => putVcpu(self, world),
  },
]);
