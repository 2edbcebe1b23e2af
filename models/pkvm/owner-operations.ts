/** Operations of a hostile host on three CPUs, and of its guests: who runs them, with which arguments. */
import fc from 'fast-check';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Intent } from '../../sim/descriptor.ts';
import { sites } from '../../sim/site.ts';
import type { OperationSpec, Parameter } from '../system.ts';
import { GUEST_PAGES, LENT, PINNED_PAGES } from './after-boot.ts';
import * as card from './cards.ts';
import type { PkvmConfiguration } from './configurations.ts';
import {
  changeGuestShare,
  donateToGuest,
  reclaimByForce,
  reclaimDying,
  shareWithGuest,
  unshareWithGuest,
} from './guest-pages.ts';
import { initialiseVcpu, runGuest, startTeardown } from './guests.ts';
import { accessAsHost } from './host.ts';
import { BLOCK, DEVICE, FRAMES, MEMORY, WINDOW } from './layout.ts';
import { createGuest, finishTeardown } from './lifecycle.ts';
import { offerPages, topUp } from './page-cache.ts';
import * as change from './transitions.ts';
import { GUESTS, type PkvmWorld, PLAIN, PROTECTED, VCPUS } from './world.ts';

export const hardwareSites = sites('pkvm-hardware', [
  'speculate',
  'hypSpeculate',
  'prefetch',
  'evict',
  'leave',
]);

type Spec = OperationSpec<PkvmConfiguration, PkvmWorld>;

/** Mostly the first, now and then the other. */
const oneOf = (usual: number, other: number): fc.Arbitrary<number> =>
  fc.oneof(
    { weight: 8, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constant(other) },
  );

/** Mostly the two pages whose state a case chooses; others that mean something; now and then any. */
const frame: Parameter<PkvmConfiguration> = {
  name: 'page',
  kind: 'page',
  arbitrary: ({ isAboutOnePage }) =>
    isAboutOnePage
      ? oneOf(MEMORY, PINNED_PAGES[0])
      : fc.oneof(
          { weight: 8, arbitrary: fc.constantFrom(MEMORY, MEMORY, MEMORY + 1) },
          {
            weight: 2,
            arbitrary: fc.constantFrom(MEMORY + 2, MEMORY + 3, LENT, DEVICE - 1, DEVICE),
          },
          { weight: 1, arbitrary: fc.nat(FRAMES - 1) },
        ),
  max: () => FRAMES - 1,
};

/** Likewise, or one that is shared with the hypervisor already. */
const sharedFrame: Parameter<PkvmConfiguration> = {
  ...frame,
  arbitrary: ({ isAboutOnePage }) =>
    isAboutOnePage
      ? oneOf(MEMORY, PINNED_PAGES[0])
      : fc.constantFrom(MEMORY, MEMORY + 1, ...PINNED_PAGES),
};

const guestPage: Parameter<PkvmConfiguration> = {
  name: 'at',
  kind: 'count',
  arbitrary: ({ isAboutOnePage, isLogged }) =>
    isAboutOnePage || isLogged
      ? oneOf(...GUEST_PAGES)
      : fc.oneof(
          {
            weight: 8,
            arbitrary: fc.constantFrom(GUEST_PAGES[0], GUEST_PAGES[0], GUEST_PAGES[1]),
          },
          { weight: 1, arbitrary: fc.constantFrom(0, BLOCK, WINDOW - BLOCK) },
        ),
  max: () => WINDOW - 1,
};

const small = (name: string, max: number, ...usual: number[]): Parameter<PkvmConfiguration> => ({
  name,
  kind: 'count',
  arbitrary: () => fc.constantFrom(...usual),
  max: () => max,
});

const guest: Parameter<PkvmConfiguration> = {
  ...small('guest', GUESTS - 1),
  arbitrary: ({ isLogged, isAboutOnePage }) => {
    if (isAboutOnePage) return oneOf(PROTECTED, PLAIN);
    return isLogged ? fc.constant(PLAIN) : fc.constantFrom(0, 1);
  },
};
const protectedGuest = small('guest', GUESTS - 1, 0, 0, 0, 0, 1);
const plainGuest = small('guest', GUESTS - 1, 1, 1, 1, 1, 0);
const vcpu = small('vcpu', VCPUS - 1, 0, 1);
const pages = small('pages', BLOCK, 1, 1, 1, 2, 3);

type Call = (self: Actor, world: PkvmWorld, args: readonly number[]) => Operation<number>;

function hypercall(
  id: string,
  title: string,
  weight: number,
  parameters: Spec['parameters'],
  call: Call,
  rest: Partial<Spec> = {},
): Spec {
  return {
    id,
    title,
    roles: ['vcpu', 'host'],
    parameters,
    card: card.HYPERCALL_CARD,
    weight,
    start: call,
    ...rest,
  };
}

function access(id: string, title: string, intent: Intent): Spec {
  return {
    id,
    title,
    roles: ['vcpu', 'host'],
    parameters:
      intent === Intent.Write ? [frame, small('value', FRAMES - 1, 0, MEMORY + 2)] : [frame],
    card: card.HOST_ACCESS_CARD,
    weight: 8,
    isGuestAccess: true,
    // what the host writes may be the address of a page: lists of pages are made so
    start: (self, world, [at = 0, value = 0]) => accessAsHost(self, world, at, intent, value << 16),
  };
}

const guestRun = (id: string, title: string, intent: Intent): Spec =>
  hypercall(id, title, 5, [guest, guestPage], (self, world, [who = 0, at = 0]) =>
    runGuest(self, world, who, at, intent),
  );

const inside = (args: readonly number[]): readonly number[] => {
  const [first = 0, count = 1] = args;
  return [first, Math.min(count, FRAMES - first)];
};

/** Not in programs that are about one page. */
export const ABOUT_MORE: readonly string[] = [
  'read',
  'offer',
  'top-up',
  'create',
  'finish',
  'guest-share-block',
  'guest-unshare-block',
];

/** In programs that are about vCPUs, and nothing else. */
export const ABOUT_VCPUS: readonly string[] = [
  'share',
  'unshare',
  'write',
  'guest-read',
  'guest-write',
  'vcpu',
  'teardown',
  'finish',
  'speculate',
  'evict',
];

/** Not where the plain guest is logged: about the protected guest, about blocks, or about nothing that a guest has. */
export const UNLOGGED: readonly string[] = [
  'donate',
  'return',
  'ffa-share',
  'ffa-unshare',
  'offer',
  'top-up',
  'guest-donate',
  'lend',
  'unlend',
  'reclaim',
  'force',
  'guest-share-block',
  'guest-unshare-block',
];

export const OWNERSHIP_OPERATIONS: readonly Spec[] = [
  access('read', 'the host reads a page', Intent.Read),
  access('write', 'the host writes a page', Intent.Write),
  hypercall(
    'share',
    'the host shares a page with the hypervisor',
    5,
    [frame],
    (self, world, [at = 0]) => change.shareWithHyp(self, world, at),
  ),
  hypercall('unshare', 'the host ends that', 5, [frame], (self, world, [at = 0]) =>
    change.unshareWithHyp(self, world, at),
  ),
  hypercall(
    'donate',
    'the host gives pages to the hypervisor',
    6,
    [frame, pages],
    (self, world, [at = 0, count = 1]) => change.lend(self, world, at, count),
    { constrain: inside },
  ),
  hypercall('return', 'the hypervisor gives a page back', 6, [frame], (self, world, [at = 0]) =>
    change.takeBack(self, world, at),
  ),
  hypercall(
    'ffa-share',
    'the host shares a page with the secure world',
    3,
    [frame],
    (self, world, [at = 0]) => change.shareSecure(self, world, at),
  ),
  hypercall('ffa-unshare', 'the host ends that', 3, [frame], (self, world, [at = 0]) =>
    change.unshareSecure(self, world, at),
  ),
  hypercall(
    'guest-donate',
    'the host gives a page to a protected guest',
    6,
    [protectedGuest, guestPage, frame],
    (self, world, [who = 0, at = 0, page = 0]) => donateToGuest(self, world, who, at, page),
  ),
  hypercall(
    'guest-share',
    'the host shares a page with a plain guest',
    6,
    [plainGuest, guestPage, frame],
    (self, world, [who = 0, at = 0, page = 0]) => shareWithGuest(self, world, who, at, page, false),
  ),
  hypercall(
    'guest-share-block',
    'the host shares a block with a plain guest',
    4,
    [
      plainGuest,
      small('at', WINDOW - BLOCK, 0, BLOCK, BLOCK),
      {
        ...frame,
        arbitrary: () => fc.constantFrom(MEMORY + 2 * BLOCK, MEMORY + 2 * BLOCK, MEMORY),
      },
    ],
    (self, world, [who = 0, at = 0, page = 0]) => shareWithGuest(self, world, who, at, page, true),
  ),
  hypercall(
    'guest-unshare',
    'the host takes a shared page back',
    6,
    [plainGuest, guestPage],
    (self, world, [who = 0, at = 0]) => unshareWithGuest(self, world, who, at, false),
  ),
  hypercall(
    'guest-unshare-block',
    'the host takes a shared block back',
    4,
    [plainGuest, small('at', WINDOW - BLOCK, 0, BLOCK, BLOCK)],
    (self, world, [who = 0, at = 0]) => unshareWithGuest(self, world, who, at, true),
  ),
  guestRun('guest-read', 'a guest reads a page', Intent.Read),
  guestRun('guest-write', 'a guest writes a page', Intent.Write),
  hypercall(
    'lend',
    'a protected guest shares a page with the host',
    5,
    [protectedGuest, guestPage],
    (self, world, [who = 0, at = 0]) => changeGuestShare(self, world, who, at, true),
  ),
  hypercall(
    'unlend',
    'a protected guest ends that',
    5,
    [protectedGuest, guestPage],
    (self, world, [who = 0, at = 0]) => changeGuestShare(self, world, who, at, false),
  ),
  hypercall(
    'reclaim',
    'the host takes a page of a dying guest back',
    5,
    [guest, guestPage],
    (self, world, [who = 0, at = 0]) => reclaimDying(self, world, who, at),
  ),
  hypercall(
    'force',
    'the host takes a page of a guest away by force',
    5,
    [frame],
    (self, world, [at = 0]) => reclaimByForce(self, world, at),
  ),
  hypercall(
    'offer',
    'the host offers a list of pages for a vCPU',
    5,
    [guest, vcpu, frame, small('misaligned', 1, 0, 0, 0, 1), small('count', 4, 1, 1, 2)],
    (self, world, [who = 0, which = 0, at = 0, middle = 0, count = 1]) =>
      offerPages(self, world, who, which, at, middle, count),
  ),
  hypercall(
    'top-up',
    'the hypervisor takes over what is offered',
    7,
    [guest, vcpu],
    (self, world, [who = 0, which = 0]) => topUp(self, world, who, which),
  ),
  hypercall(
    'create',
    'the host makes a guest',
    4,
    [
      small('guest', GUESTS - 1, 1, 1, 0),
      { ...frame, arbitrary: () => fc.constantFrom(MEMORY + 2, MEMORY, MEMORY + 8) },
    ],
    (self, world, [who = 0, at = 0]) => createGuest(self, world, who, at),
  ),
  hypercall(
    'vcpu',
    'the host sets a vCPU up around a shared page',
    4,
    [small('guest', GUESTS - 1, 1, 1, 0), small('vcpu', VCPUS - 1, 1, 1, 0), sharedFrame],
    (self, world, [who = 0, which = 0, at = 0]) => initialiseVcpu(self, world, who, which, at),
  ),
  hypercall(
    'teardown',
    'the host begins to tear a guest down',
    3,
    [guest],
    (self, world, [who = 0]) => startTeardown(self, world, who),
  ),
  hypercall('finish', 'the host finishes a dying guest', 4, [guest], (self, world, [who = 0]) =>
    finishTeardown(self, world, who),
  ),
  {
    id: 'speculate',
    title: 'the walker of a CPU translates a page that nobody asked for',
    roles: ['pe'],
    parameters: [frame],
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
    parameters: [frame],
    card: card.NO_CARD,
    weight: 1,
    *start(self, _world, [at = 0]) {
      yield* self.evict(hardwareSites.evict, at);
      return 0;
    },
  },
];
