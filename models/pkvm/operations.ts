/** Operations that programs of pkvm may contain: who runs them, with which arguments. */
import fc from 'fast-check';
import { Result } from '../../sim/card.ts';
import type { OperationSpec, Parameter } from '../system.ts';
import { BOOT_OPERATIONS } from './boot-operations.ts';
import * as card from './cards.ts';
import type { PkvmConfiguration } from './configurations.ts';
import { LOG_OPERATIONS, WITH_LOG } from './log-operations.ts';
import {
  ABOUT_MORE,
  ABOUT_VCPUS,
  hardwareSites,
  OWNERSHIP_OPERATIONS,
  UNLOGGED,
} from './owner-operations.ts';
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

/** An operation of the configurations after boot, which is another one where the host logs. */
function withLog(spec: Spec): Spec {
  const isIn = ({ part, ...one }: PkvmConfiguration): boolean => {
    if (one.isAboutOnePage && ABOUT_MORE.includes(spec.id)) return false;
    if (one.isAboutVcpus && !ABOUT_VCPUS.includes(spec.id)) return false;
    return part === 'ownership' && !(one.isLogged && UNLOGGED.includes(spec.id));
  };
  const logged = WITH_LOG[spec.id];
  if (logged === undefined) return { ...spec, isIn };
  return {
    ...spec,
    isIn,
    cardIn: ({ isLogged }) => (isLogged ? logged.card : spec.card),
    start: (self, world, args) =>
      (world.configuration.isLogged ? logged : spec).start(self, world, args),
  };
}

export const OPERATIONS: readonly Spec[] = Object.freeze([
  ...POOL_OPERATIONS,
  ...OWNERSHIP_OPERATIONS.map(withLog),
  ...LOG_OPERATIONS.map((spec): Spec => ({ ...spec, isIn: (one) => one.isLogged === true })),
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
