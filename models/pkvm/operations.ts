/** Operations that programs of pkvm may contain: who runs them, with which arguments. */
import fc from 'fast-check';
import { Result } from '../../sim/card.ts';
import type { OperationSpec, Parameter } from '../system.ts';
import { BOOT_OPERATIONS } from './boot-operations.ts';
import * as card from './cards.ts';
import type { PkvmConfiguration } from './configurations.ts';
import { ABOUT_MORE, hardwareSites, OWNERSHIP_OPERATIONS } from './owner-operations.ts';
import { ORDERS } from './pool.ts';
import * as calls from './pool-calls.ts';
import type { PkvmWorld } from './world.ts';

type Spec = OperationSpec<PkvmConfiguration, PkvmWorld>;

const order: Parameter<PkvmConfiguration> = {
  name: 'order',
  kind: 'count',
  arbitrary: () => fc.constantFrom(0, 0, 0, 1, 1, 2, 3),
  max: () => ORDERS - 1,
};

const index: Parameter<PkvmConfiguration> = {
  name: 'index',
  kind: 'count',
  arbitrary: () => fc.constantFrom(0, 0, 1, 2, 3),
  max: () => 15,
};

const pool = (spec: Omit<Spec, 'roles' | 'isIn'>): Spec => ({
  ...spec,
  roles: ['vcpu'],
  isIn: ({ part }) => part === 'pool',
});

const POOL_OPERATIONS: readonly Spec[] = [
  pool({
    id: 'allocate',
    title: 'a CPU takes a block from the pool',
    parameters: [order],
    card: card.ALLOCATE_CARD,
    weight: 8,
    start: (self, world, [at = 0]) => calls.allocate(self, world, at),
  }),
  pool({
    id: 'get',
    title: 'a CPU takes another reference to a block that it has',
    parameters: [index],
    card: card.HELD_CARD,
    weight: 2,
    start: (self, world, [at = 0]) => calls.get(self, world, at),
  }),
  pool({
    id: 'put',
    title: 'a CPU drops a reference to a block that it has',
    parameters: [index],
    card: card.HELD_CARD,
    weight: 5,
    start: (self, world, [at = 0]) => calls.put(self, world, at),
  }),
  pool({
    id: 'split',
    title: 'a CPU makes single pages of a block that it has',
    parameters: [index],
    card: card.HELD_CARD,
    weight: 3,
    start: (self, world, [at = 0]) => calls.split(self, world, at),
  }),
  pool({
    id: 'adopt',
    title: 'a page from outside becomes one of the pool’s',
    parameters: [],
    card: card.HELD_CARD,
    weight: 2,
    start: (self, world) => calls.adopt(self, world),
  }),
];

export const OPERATIONS: readonly Spec[] = Object.freeze([
  ...POOL_OPERATIONS,
  ...OWNERSHIP_OPERATIONS.map(
    (spec): Spec => ({
      ...spec,
      isIn: ({ part, isAboutOnePage }) =>
        part === 'ownership' && (isAboutOnePage !== true || !ABOUT_MORE.includes(spec.id)),
    }),
  ),
  ...BOOT_OPERATIONS.map((spec): Spec => ({ ...spec, isIn: ({ part }) => part === 'boot' })),
  {
    id: 'leave',
    title: 'a CPU gives back what it has, and does no more',
    roles: ['vcpu'],
    parameters: [],
    card: card.NO_CARD,
    weight: 0,
    *start(self, world) {
      if (world.configuration.part === 'pool') return yield* calls.giveBack(self, world);
      yield* self.leaveGuest(hardwareSites.leave);
      return Result.Ok;
    },
  } satisfies Spec,
]);
