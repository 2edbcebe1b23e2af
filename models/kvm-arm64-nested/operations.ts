/** Operations that programs of kvm-arm64-nested may contain: who runs them, with which arguments. */
import fc from 'fast-check';
import type { Card } from '../../sim/card.ts';
import { NO_CARD } from '../../sim/card.ts';
import { Intent } from '../../sim/descriptor.ts';
import { hardwareOperations } from '../hardware.ts';
import { stopLog } from '../kvm-arm64/dirty-log.ts';
import { blockPages } from '../kvm-arm64/geometry.ts';
import { page as anyPage, count, exitCount, insideWindow } from '../kvm-arm64/parameters.ts';
import { runCallbacks } from '../kvm-arm64/unlinked.ts';
import type { OperationSpec, Parameter } from '../system.ts';
import * as card from './cards.ts';
import type { NestedConfiguration } from './configurations.ts';
import { exitOwner, unmapFromHost } from './global.ts';
import { changeBlock, changePage, flushGuest, flushGuestStage1 } from './guest-hypervisor.ts';
import { GIVES_ALL, GIVES_READ, GUEST_TABLES } from './guest-tables.ts';
import { collectLog, startLog } from './log.ts';
import { accessNested, accessOwn, chooseContext, putVcpu, scheduleOut } from './run.ts';
import { moveVncr, useVncr } from './vncr.ts';
import type { NestedWorld } from './world.ts';

type Spec = OperationSpec<NestedConfiguration, NestedWorld>;

/** Half of the time the first two pages, and the first of the region that is a block in the guest's tables. */
const page: Parameter<NestedConfiguration> = {
  ...anyPage,
  arbitrary: (configuration) =>
    fc.oneof(
      { weight: 1, arbitrary: fc.constantFrom(0, 1, blockPages(configuration.geometry)) },
      { weight: 1, arbitrary: anyPage.arbitrary(configuration) },
    ),
};

const table: Parameter<NestedConfiguration> = {
  name: 'table',
  kind: 'count',
  arbitrary: () => fc.constantFrom(0, 0, 1),
  max: () => GUEST_TABLES - 1,
};

/** A table of the guest, or GUEST_TABLES for none. */
const context: Parameter<NestedConfiguration> = {
  name: 'table',
  kind: 'count',
  arbitrary: () => fc.constantFrom(0, 1, 1, GUEST_TABLES),
  max: () => GUEST_TABLES,
};

const vcpu: Parameter<NestedConfiguration> = {
  name: 'vcpu',
  kind: 'count',
  arbitrary: ({ vcpus }) => fc.nat(vcpus - 1),
  max: ({ vcpus }) => vcpus - 1,
};

/** 1: what is mapped does not allow the access. */
const isDenied: Parameter<NestedConfiguration> = {
  name: 'denied',
  kind: 'count',
  arbitrary: () => fc.constantFrom(0, 0, 1),
  max: () => 1,
};

/** 0 lets it sleep until something happens, 1 preempts it. */
const isPreempted: Parameter<NestedConfiguration> = {
  name: 'preempted',
  kind: 'count',
  arbitrary: () => fc.constantFrom(0, 1),
  max: () => 1,
};

function own(id: string, title: string, intent: Intent, weight: number): Spec {
  return {
    id,
    title,
    roles: ['vcpu'],
    parameters: [page],
    card: card.OWN_ACCESS_CARD,
    weight,
    isGuestAccess: true,
    start: (self, world, [at = 0]) => accessOwn(self, world, at, intent),
  };
}

function nested(id: string, title: string, intent: Intent, weight: number): Spec {
  return {
    id,
    title,
    roles: ['vcpu'],
    parameters: [page],
    card: intent === Intent.Execute ? card.NESTED_FETCH_CARD : card.NESTED_ACCESS_CARD,
    weight,
    isGuestAccess: true,
    start: (self, world, [at = 0]) => accessNested(self, world, at, intent),
  };
}

/** The guest hypervisor does something that may invalidate. */
function guest(
  id: string,
  title: string,
  weight: number,
  parameters: Spec['parameters'],
  start: Spec['start'],
  promise: Card = card.GUEST_CHANGE_CARD,
  isIn: (configuration: NestedConfiguration) => boolean = () => true,
): Spec {
  return { id, title, roles: ['vcpu'], parameters, card: promise, weight, isIn, start };
}

/** Not in the design as first posted. */
function isToday({ design }: NestedConfiguration): boolean {
  return design === 'today';
}

const ALL: readonly Spec[] = [
  own('read', 'the guest hypervisor reads one of its pages', Intent.Read, 3),
  own('write', 'the guest hypervisor writes one of its pages', Intent.Write, 4),
  nested('nested-read', 'the guest of the guest reads a page', Intent.Read, 12),
  nested('nested-write', 'the guest of the guest writes a page', Intent.Write, 12),
  nested('nested-fetch', 'the guest of the guest executes a page', Intent.Execute, 2),
  guest(
    'run-with',
    'the guest hypervisor chooses the table that its guest runs with, or none',
    10,
    [context],
    (self, world, [at = 0]) => chooseContext(self, world, at),
    card.RUN_WITH_CARD,
  ),
  guest(
    'guest-map',
    'the guest hypervisor maps a page for its guest: break, invalidate, make',
    8,
    [table, page, page],
    (self, world, [at = 0, first = 0, target = 0]) =>
      changePage(self, world, at, first, target, GIVES_ALL),
  ),
  guest(
    'guest-protect',
    'the guest hypervisor maps a page for its guest, read-only',
    5,
    [table, page, page],
    (self, world, [at = 0, first = 0, target = 0]) =>
      changePage(self, world, at, first, target, GIVES_READ),
  ),
  guest(
    'guest-unmap',
    'the guest hypervisor takes a page away from its guest, and invalidates it',
    10,
    [table, page],
    (self, world, [at = 0, first = 0]) => changePage(self, world, at, first, 0, 0),
  ),
  guest(
    'guest-map-block',
    'the guest hypervisor maps a whole region for its guest by one block',
    5,
    [table, page, page],
    (self, world, [at = 0, first = 0, target = 0]) => changeBlock(self, world, at, first, target),
  ),
  guest(
    'guest-make-table',
    'the guest hypervisor gives a region of its guest an empty table of pages',
    3,
    [table, page],
    (self, world, [at = 0, first = 0]) => changeBlock(self, world, at, first, -1),
  ),
  {
    ...guest(
      'flush-range',
      'the guest hypervisor invalidates a range for its present VMID',
      2,
      [page, count],
      (self, world, [first = 0, pages = 1]) => flushGuest(self, world, first, pages, false),
      card.GUEST_FLUSH_CARD,
    ),
    constrain: insideWindow,
  },
  guest(
    'flush-vmid',
    'the guest hypervisor invalidates everything for its present VMID',
    2,
    [],
    (self, world) => flushGuest(self, world, 0, world.configuration.geometry.windowPages, false),
    card.GUEST_FLUSH_CARD,
  ),
  guest(
    'flush-all',
    'the guest hypervisor invalidates everything, whatever the VMID',
    2,
    [],
    (self, world) => flushGuest(self, world, 0, world.configuration.geometry.windowPages, true),
    card.GUEST_FLUSH_CARD,
  ),
  guest(
    'flush-stage1',
    'the guest hypervisor invalidates stage 1 for its present VMID',
    1,
    [],
    (self, world) => flushGuestStage1(self, world),
    card.STAGE1_FLUSH_CARD,
    isToday,
  ),
  guest(
    'schedule-out',
    'the host’s scheduler takes the vCPU off its PE, preempted or asleep',
    4,
    [isPreempted],
    (self, world, [preempted = 0]) => scheduleOut(self, world, preempted === 0),
    NO_CARD,
  ),
  {
    ...guest(
      'vncr-use',
      'the vCPU uses the page in which its registers lie',
      14,
      [isDenied],
      (self, world, [denied = 0]) => useVncr(self, world, denied === 1),
      card.VNCR_CARD,
    ),
    isIn: ({ hasVncr }) => hasVncr,
  },
  {
    ...guest(
      'vncr-move',
      'the guest hypervisor maps the page of a vCPU elsewhere, and invalidates its own stage 1',
      8,
      [vcpu, page],
      (self, world, [which = 0, at = 0]) => moveVncr(self, world, which, at),
      NO_CARD,
    ),
    isIn: ({ hasVncr }) => hasVncr,
  },
  {
    id: 'unmap',
    title: 'the host takes pages away (notifier start, unmap, free, end)',
    roles: ['host'],
    parameters: [page, count],
    constrain: insideWindow,
    card: card.UNMAP_CARD,
    weight: 10,
    start: (self, world, [at = 0, pages = 1]) => unmapFromHost(self, world, at, pages),
  },
  {
    id: 'log-start',
    title: 'dirty logging starts: publish, wait for readers, write-protect all trees, flush',
    roles: ['host'],
    parameters: [],
    card: card.START_LOG_CARD,
    weight: 4,
    isIn: isToday,
    start: (self, world) => startLog(self, world),
  },
  {
    id: 'log-collect',
    title: 'one round of the dirty log: take marks, write-protect all trees, flush, report',
    roles: ['host'],
    parameters: [],
    card: card.NESTED_COLLECT_CARD,
    weight: 4,
    isIn: isToday,
    start: (self, world) => collectLog(self, world),
  },
  {
    id: 'log-stop',
    title: 'dirty logging stops',
    roles: ['host'],
    parameters: [],
    card: card.STOP_LOG_CARD,
    weight: 2,
    isIn: isToday,
    start: (self, world) => stopLog(self, world.host),
  },
  {
    id: 'exit',
    title: 'the owner exits: all tables are destroyed, then pages are freed',
    roles: ['host'],
    parameters: [exitCount],
    card: card.EXIT_CARD,
    weight: 4,
    once: true,
    isIn: isToday,
    start: (self, world, [pages = 1]) => exitOwner(self, world, pages),
  },
  ...hardwareOperations(page),
  {
    id: 'callbacks',
    title: 'tables that were taken out of a tree are freed after a grace period',
    roles: ['rcu'],
    parameters: [],
    card: NO_CARD,
    weight: 0,
    start: (self, world) => runCallbacks(self, world.host),
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
];

/** What programs about VNCR pages contain. */
const ABOUT_VNCR: readonly string[] = [
  'vncr-use',
  'vncr-move',
  'nested-write',
  'guest-unmap',
  'schedule-out',
  'unmap',
  'exit',
  'callbacks',
  'put',
];

export const OPERATIONS: readonly Spec[] = Object.freeze(
  ALL.map(
    (spec): Spec => ({
      ...spec,
      isIn: (configuration) =>
        spec.isIn?.(configuration) !== false &&
        (!configuration.hasVncr || ABOUT_VNCR.includes(spec.id)),
    }),
  ),
);
