/** Operations that programs of kvm-x86-tdp may contain: who runs them, with which arguments. */
import fc from 'fast-check';
import { NO_CARD } from '../../sim/card.ts';
import { Intent } from '../../sim/descriptor.ts';
import { hardwareOperations } from '../hardware.ts';
import type { OperationSpec, Parameter } from '../system.ts';
import * as card from './cards.ts';
import { ROLES, type TdpConfiguration } from './configurations.ts';
import { destroyVm } from './exit.ts';
import { blockPages } from './geometry.ts';
import { accessPage, putVcpu } from './guest.ts';
import { allowWrites, collectLog, forbidWrites, startLog, stopLog } from './log.ts';
import { addSlot, removeSlot } from './mmio.ts';
import { agePages, testAge, unmapFromHost } from './notifier.ts';
import { recoverExecution } from './recovery.ts';
import { makeShadowTable } from './shadow.ts';
import { moveSlot } from './slots.ts';
import type { KvmWorld } from './world.ts';

type Spec = OperationSpec<TdpConfiguration, KvmWorld>;

/** Pages at which things happen: the first ones, both sides of block and root entry boundaries. */
function interestingPages({ geometry }: TdpConfiguration): readonly number[] {
  const size = blockPages(geometry);
  const half = geometry.windowPages / 2;
  const pages = [0, 1, size - 1, size, size + 1, half - 1, half, half + 1];
  return [...new Set(pages.filter((page) => page < geometry.windowPages))];
}

/** Mostly few pages, so that operations meet; the whole window now and then. */
const page: Parameter<TdpConfiguration> = {
  name: 'page',
  kind: 'page',
  arbitrary: (configuration) => {
    const pages = interestingPages(configuration);
    const edge = configuration.geometry.windowPages - blockPages(configuration.geometry);
    const few = configuration.hasMmio ? [edge, edge, edge + 1, 0] : pages.slice(0, 3);
    return fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...few) },
      { weight: 3, arbitrary: fc.constantFrom(...pages) },
      { weight: 1, arbitrary: fc.nat(Math.min(configuration.geometry.windowPages, 64) - 1) },
    );
  },
  max: (configuration) => configuration.geometry.windowPages - 1,
};

/** What is protected is also to be released. */
const trackedPage: Parameter<TdpConfiguration> = {
  ...page,
  arbitrary: () => fc.constantFrom(0, 0, 1),
};

const count: Parameter<TdpConfiguration> = {
  name: 'pages',
  kind: 'count',
  arbitrary: () => fc.constantFrom(1, 1, 2, 3, 4, 8),
  max: (configuration) => configuration.geometry.windowPages,
};

const exitCount: Parameter<TdpConfiguration> = {
  ...count,
  arbitrary: () => fc.constantFrom(1, 2, 4),
};

/** Which of the vCPU's roots: 0 for the normal address space. */
const role: Parameter<TdpConfiguration> = {
  name: 'role',
  kind: 'count',
  arbitrary: () => fc.constantFrom(0, 0, 0, 0, 0, 1),
  max: () => ROLES.length - 1,
};

function insideWindow(args: readonly number[], configuration: TdpConfiguration): readonly number[] {
  const [first = 0, pages = 1] = args;
  return [first, Math.min(pages, configuration.geometry.windowPages - first)];
}

/** Roots are torn down, and large pages recovered, in ways of later kernels only. */
const isOfToday = ({ isOf2020 }: TdpConfiguration): boolean => !isOf2020;

const access = (id: string, title: string, intent: Intent, weight: number): Spec => ({
  id,
  title,
  roles: ['vcpu'],
  parameters: [page, role],
  card: card.ACCESS_CARD,
  cardIn: ({ hasMmio }) => (hasMmio ? card.MMIO_ACCESS_CARD : card.ACCESS_CARD),
  weight,
  isGuestAccess: true,
  start: (self, world, [at = 0, which = 0]) => accessPage(self, world, at, intent, which),
});

const host = (spec: Omit<Spec, 'roles' | 'parameters'> & Partial<Spec>): Spec => ({
  roles: ['host'],
  parameters: [],
  ...spec,
});

export const OPERATIONS: readonly Spec[] = Object.freeze([
  access('read', 'the guest reads a page', Intent.Read, 8),
  access('write', 'the guest writes a page', Intent.Write, 10),
  access('fetch', 'the guest executes a page', Intent.Execute, 6),
  host({
    id: 'unmap',
    title: 'the host takes pages away (begin, unmap, free, end)',
    parameters: [page, count],
    constrain: insideWindow,
    card: card.UNMAP_CARD,
    weight: 8,
    start: (self, world, [at = 0, pages = 1]) => unmapFromHost(self, world, at, pages),
  }),
  host({
    id: 'age',
    title: 'the host clears accessed flags and asks whether one was set',
    parameters: [page, count],
    constrain: insideWindow,
    card: card.AGE_CARD,
    weight: 4,
    start: (self, world, [at = 0, pages = 1]) => agePages(self, world, at, pages),
  }),
  host({
    id: 'test-age',
    title: 'the host asks whether a page was used',
    parameters: [page],
    card: card.TEST_AGE_CARD,
    weight: 2,
    start: (self, world, [at = 0]) => testAge(self, world, at),
  }),
  host({
    id: 'log-start',
    title: 'dirty logging starts: publish, wait for readers, perhaps split, write-protect, flush',
    card: card.START_LOG_CARD,
    cardIn: ({ writeLog, hasMmio }) => {
      if (hasMmio) return card.MMIO_START_LOG_CARD;
      return writeLog > 0 ? card.START_HARDWARE_LOG_CARD : card.START_LOG_CARD;
    },
    weight: 6,
    start: (self, world) => startLog(self, world),
  }),
  host({
    id: 'log-collect',
    title: 'one round of the dirty log: take marks, write-protect, flush, report',
    card: card.COLLECT_LOG_CARD,
    cardIn: ({ writeLog }) =>
      writeLog > 0 ? card.COLLECT_HARDWARE_LOG_CARD : card.COLLECT_LOG_CARD,
    weight: 5,
    start: (self, world) => collectLog(self, world),
  }),
  host({
    id: 'log-stop',
    title: 'dirty logging stops, and large pages are recovered',
    card: card.STOP_LOG_CARD,
    cardIn: ({ hasMmio }) => (hasMmio ? card.MMIO_STOP_LOG_CARD : card.STOP_LOG_CARD),
    weight: 6,
    start: (self, world) => stopLog(self, world),
  }),
  host({
    id: 'forbid-writes',
    title: 'a page is write-protected for good',
    parameters: [trackedPage],
    card: card.FORBID_CARD,
    weight: 2,
    start: (self, world, [at = 0]) => forbidWrites(self, world, at),
  }),
  host({
    id: 'allow-writes',
    title: 'a page may be written again',
    parameters: [trackedPage],
    card: card.ALLOW_CARD,
    weight: 2,
    start: (self, world, [at = 0]) => allowWrites(self, world, at),
  }),
  host({
    id: 'recover-nx',
    title: 'tables that the execution mitigation needed are zapped',
    card: card.RECOVER_CARD,
    cardIn: ({ sharesRecovery }) => (sharesRecovery ? card.RECOVER_SHARED_CARD : card.RECOVER_CARD),
    isIn: isOfToday,
    weight: 5,
    start: (self, world) => recoverExecution(self, world),
  }),
  host({
    id: 'move-slot',
    title: 'the slot is deleted and made anew: all roots are invalidated and torn down',
    card: card.MOVE_SLOT_CARD,
    isIn: isOfToday,
    weight: 5,
    start: (self, world) => moveSlot(self, world),
  }),
  host({
    id: 'slot-add',
    title: 'memory comes to the last region: new slots, and perhaps all entries go',
    card: card.CHANGE_SLOTS_CARD,
    weight: 6,
    isIn: ({ hasMmio }) => hasMmio,
    start: (self, world) => addSlot(self, world),
  }),
  host({
    id: 'slot-remove',
    title: 'the memory of the last region goes: all roots are invalidated and torn down',
    card: card.CHANGE_SLOTS_CARD,
    weight: 5,
    isIn: ({ hasMmio }) => hasMmio,
    start: (self, world) => removeSlot(self, world),
  }),
  host({
    id: 'exit',
    title: 'the VM is destroyed, then pages are freed',
    parameters: [exitCount],
    card: card.EXIT_CARD,
    isIn: isOfToday,
    weight: 4,
    once: true,
    start: (self, world, [pages = 1]) => destroyVm(self, world, pages),
  }),
  ...hardwareOperations<TdpConfiguration, KvmWorld>(page),
  {
    id: 'shadow',
    title: 'a nested guest faults and gets a shadow table; old ones make room',
    roles: ['vcpu'],
    parameters: [],
    card: card.SHADOW_CARD,
    weight: 4,
    isIn: ({ shadowTables }) => shadowTables > 0,
    start: (self, world) => makeShadowTable(self, world),
  },
  {
    id: 'put',
    title: 'the vCPU leaves for good',
    roles: ['vcpu'],
    parameters: [],
    card: NO_CARD,
    weight: 0,
    start: (self, world) => putVcpu(self, world),
  },
]);
