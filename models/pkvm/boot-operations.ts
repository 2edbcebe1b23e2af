/** Operations of the boot flow: who runs them, with which arguments. */
import fc from 'fast-check';
import type { OperationSpec, Parameter } from '../system.ts';
import { changeMapping, enterLater, freeReserved, initialise } from './boot.ts';
import { stackPage } from './boot-layout.ts';
import * as card from './cards.ts';
import type { PkvmConfiguration } from './configurations.ts';
import { HYP_GEOMETRY, MEMORY } from './layout.ts';
import { hardwareSites } from './owner-operations.ts';
import type { PkvmWorld } from './world.ts';

type Spec = OperationSpec<PkvmConfiguration, PkvmWorld>;

const page: Parameter<PkvmConfiguration> = {
  name: 'page',
  kind: 'page',
  arbitrary: () => fc.constantFrom(MEMORY + 16, MEMORY + 17, stackPage(1)),
  max: () => HYP_GEOMETRY.windowPages - 1,
};

const anyPage: Parameter<PkvmConfiguration> = {
  ...page,
  arbitrary: () => fc.constantFrom(stackPage(0), stackPage(0), 8, 9, 48),
};

const call = (spec: Omit<Spec, 'roles' | 'card'> & Partial<Pick<Spec, 'card'>>): Spec => ({
  card: card.BOOT_CARD,
  ...spec,
  roles: ['vcpu', 'host'],
});

const hardware = (spec: Omit<Spec, 'roles' | 'card'>): Spec => ({
  ...spec,
  roles: ['pe'],
  card: card.NO_CARD,
});

export const BOOT_OPERATIONS: readonly Spec[] = [
  call({
    id: 'init',
    title: 'the host has the hypervisor initialise itself on this CPU',
    parameters: [],
    weight: 12,
    once: true,
    start: (self, world) => initialise(self, world),
  }),
  call({
    id: 'enter',
    title: 'another CPU comes in with the new root',
    parameters: [],
    weight: 6,
    start: (self, world) => enterLater(self, world),
  }),
  call({
    id: 'map',
    title: 'the host has a page mapped for the hypervisor',
    parameters: [page],
    card: card.MAP_CARD,
    weight: 6,
    start: (self, world, [at = 0]) => changeMapping(self, world, at, true),
  }),
  call({
    id: 'unmap',
    title: 'the host has a mapping of the hypervisor removed',
    parameters: [page],
    weight: 4,
    start: (self, world, [at = 0]) => changeMapping(self, world, at, false),
  }),
  call({
    id: 'release',
    title: 'the host frees what the boot needs no more',
    parameters: [],
    weight: 4,
    start: (self, world) => freeReserved(self, world),
  }),
  hardware({
    id: 'hyp-speculate',
    title: 'the walker of a CPU translates a page of the hypervisor that nobody asked for',
    parameters: [anyPage],
    weight: 4,
    *start(self, _world, [at = 0]) {
      return yield* self.speculateHypervisor(hardwareSites.hypSpeculate, at);
    },
  }),
  hardware({
    id: 'prefetch',
    title: 'a CPU fetches instructions ahead while the hypervisor does not translate',
    parameters: [],
    weight: 4,
    *start(self) {
      yield* self.prefetch(hardwareSites.prefetch);
      return 0;
    },
  }),
];
