/** Operations that programs of kvm-arm64 may contain: who runs them, with which arguments. */
import fc from 'fast-check';
import { NO_CARD } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { Intent } from '../../sim/descriptor.ts';
import { hardwareOperations } from '../hardware.ts';
import type { OperationSpec } from '../system.ts';
import * as card from './cards.ts';
import { EAGER, type KvmConfiguration } from './configurations.ts';
import { mapDevice } from './devices.ts';
import { clearLog, collectLog, startLog, stopLog } from './dirty-log.ts';
import { FaultLock } from './generation.ts';
import { accessPage, putVcpu } from './guest.ts';
import { retractTable } from './host-tables.ts';
import { accessHypervisor, mapHypervisor } from './hypervisor.ts';
import { changePage, remapRegion } from './layout.ts';
import { STAGE2, treeOfActor } from './machine.ts';
import { agePages, testAge, unmapFromHost } from './notifier.ts';
import { SLOT_OPERATIONS } from './operations-slots.ts';
import {
  backedPage,
  count,
  exitCount,
  hypervisorPage,
  insideWindow,
  isAlone,
  page,
  place,
} from './parameters.ts';
import { exitOwner } from './teardown.ts';
import { runCallbacks } from './unlinked.ts';
import {
  accessPageOnPe,
  moveVcpu,
  putVcpuOnPe,
  remapPrivate,
  runOtherGuest,
  writePrivate,
} from './vcpu.ts';
import type { KvmWorld } from './world.ts';

type Spec = OperationSpec<KvmConfiguration, KvmWorld>;

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
    cardIn: ({ generation, hasLayout, hasDevice }) => {
      if (hasLayout) return layout;
      const own = cards[generation.faultLock];
      return hasDevice ? card.layoutCard(own) : own;
    },
    weight,
    isGuestAccess: true,
    start: (self, world, [at = 0]) =>
      world.sharesPes
        ? accessPageOnPe(self, world, at, intent)
        : accessPage(self, world, at, intent),
  };
}

const ALL: readonly Spec[] = [
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
    cardIn: ({ parameters, hasLayout, generation }) => {
      if (hasLayout) return card.LAYOUT_START_LOG_CARD;
      if (generation.hasDirtyState) return card.CLEANING_START_LOG_CARD;
      return parameters.includes(EAGER) ? card.SPLITTING_START_LOG_CARD : card.START_LOG_CARD;
    },
    weight: 5,
    isIn: isAlone,
    start: (self, world) => startLog(self, world),
  },
  {
    id: 'log-collect',
    title: 'one round of the dirty log: take marks, write-protect, flush, report',
    roles: ['host'],
    parameters: [],
    card: card.COLLECT_LOG_CARD,
    weight: 5,
    isIn: isAlone,
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
    isIn: isAlone,
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
    cardIn: ({ hasMoves }) => (hasMoves === true ? card.CHANGE_MOVING_CARD : card.CHANGE_CARD),
    constrain: backedPage,
    weight: 8,
    isIn: ({ hasLayout }) => hasLayout,
    start: (self, world, [at = 0]) => changePage(self, world, at),
  },
  ...SLOT_OPERATIONS,
  {
    id: 'retract',
    title: 'the host takes a page table of its own away; the pages stay',
    roles: ['host'],
    parameters: [page],
    card: NO_CARD,
    weight: 10,
    isIn: ({ hasHostTables }) => hasHostTables === true,
    start: (self, world, [at = 0]) => retractTable(self, world, at),
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
    weight: 4,
    isIn: isAlone,
    start: (self, world, [at = 0, pages = 1]) => mapHypervisor(self, world, at, pages),
  },
  {
    id: 'hyp-write',
    title: 'the hypervisor writes one of its pages',
    roles: ['host'],
    parameters: [hypervisorPage],
    card: card.HYPERVISOR_ACCESS_CARD,
    weight: 6,
    isIn: isAlone,
    start: (self, _world, [at = 0]) => accessHypervisor(self, at, Intent.Write),
  },
  {
    id: 'own-write',
    title: 'the guest writes a page that the vCPU’s own stage 1 maps',
    roles: ['vcpu'],
    parameters: [],
    card: card.ACCESS_CARD,
    cardIn: ({ generation }) => card.privateCard(ACCESS_CARDS[generation.faultLock]),
    weight: 8,
    isGuestAccess: true,
    isIn: ({ guests }) => guests > 1,
    start: (self, world) => writePrivate(self, world),
  },
  {
    id: 'own-remap',
    title: 'the guest maps that page anew and invalidates what its PE has cached of it',
    roles: ['vcpu'],
    parameters: [],
    card: NO_CARD,
    weight: 5,
    isIn: ({ guests }) => guests > 1,
    start: (self, world) => remapPrivate(self, world),
  },
  {
    id: 'map-device',
    title: 'all pages of the device are mapped before the guest comes to them',
    roles: ['host'],
    parameters: [],
    card: card.MAP_DEVICE_CARD,
    weight: 6,
    isIn: ({ hasDevice }) => hasDevice,
    start: (self, world) => mapDevice(self, world),
  },
  {
    id: 'move',
    title: 'the host’s scheduler takes the vCPU off its PE, and lets it go on on another',
    roles: ['vcpu'],
    parameters: [place],
    card: NO_CARD,
    weight: 8,
    isIn: ({ guests }) => guests > 1,
    start: (self, world, [pe = 0]) => moveVcpu(self, world, pe),
  },
  {
    id: 'other-guest',
    title: 'another guest starts, runs on the PE of the host thread, and is gone',
    roles: ['host'],
    parameters: [],
    card: NO_CARD,
    weight: 12,
    isIn: ({ guests }) => guests > 1,
    start: (self, world) => runOtherGuest(self, world),
  },
  ...hardwareOperations(page),
  {
    id: 'callbacks',
    title: 'tables that were taken out of the tree are freed after a grace period',
    roles: ['rcu'],
    parameters: [],
    card: NO_CARD,
    weight: 0,
    isIn: ({ generation }) => generation.freesLater,
    start: (self, world) => runCallbacks(self, world),
  },
  {
    id: 'put',
    title: 'the vCPU leaves for good',
    roles: ['vcpu'],
    parameters: [],
    card: NO_CARD,
    weight: 0,
    start: (self, world) => (world.sharesPes ? putVcpuOnPe(self, world) : putVcpu(self, world)),
  },
];

/** What programs about slots contain. */
const ABOUT_SLOTS: readonly string[] = [
  'read',
  'write',
  'change',
  'slot-delete',
  'slot-create',
  'slot-move',
  'callbacks',
  'put',
];

/** Each for the guest of the actor that runs it. */
export const OPERATIONS: readonly Spec[] = Object.freeze(
  ALL.map(
    (spec): Spec => ({
      ...spec,
      cardIn: (configuration, actor) => {
        const own = spec.cardIn?.(configuration) ?? spec.card;
        const tree = actor === undefined ? STAGE2 : treeOfActor(configuration, actor);
        const isFault = own.claims.includes(Claim.FaultHandled);
        const keeps = isFault && configuration.generation.leavesRights;
        return card.cardFor(keeps ? card.keepsLeaf(own) : own, tree);
      },
      isIn: (configuration) =>
        spec.isIn?.(configuration) !== false &&
        (!configuration.isAboutSlots || ABOUT_SLOTS.includes(spec.id)),
      start: (self, world, args) => spec.start(self, world.of(self), args),
    }),
  ),
);
