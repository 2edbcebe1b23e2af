/**
 * The table of answers of spec/arm.md 6.7: every call on a page in every state, as data. Cells that the specification leaves
 * open follow from its rules.
 */
import { Result } from '../../sim/card.ts';
import { GUEST_PAGES, PINNED_PAGES } from './after-boot.ts';
import { MEMORY } from './layout.ts';
import { bit } from './transitions.ts';
import { Owner } from './world.ts';

/** A state of a page, as it is claimed. */
export interface PageStart {
  readonly name: string;
  readonly page: number;
  readonly owner: number;
  readonly reach: number;
  /** Value of the run parameter `first` with which a run begins so. */
  readonly first: number;
}

const host = bit(Owner.Host);
const GUEST_0 = Owner.Guest;
const GUEST_1 = Owner.Guest + 1;

/** The columns. What pins a page is told apart by the page: one that vCPUs have pinned from the beginning. */
export const PAGE_STATES: readonly PageStart[] = [
  { name: 'EL2-owned', page: MEMORY, owner: Owner.Hyp, reach: bit(Owner.Hyp), first: 1 },
  { name: 'host-owned', page: MEMORY, owner: Owner.Host, reach: host, first: 0 },
  {
    name: 'shared-EL2',
    page: MEMORY,
    owner: Owner.Host,
    reach: host | bit(Owner.Hyp),
    first: 2,
  },
  {
    name: 'shared-EL2-pinned',
    page: PINNED_PAGES[0],
    owner: Owner.Host,
    reach: host | bit(Owner.Hyp),
    first: 0,
  },
  {
    name: 'shared-FF-A',
    page: MEMORY,
    owner: Owner.Host,
    reach: host | bit(Owner.Secure),
    first: 3,
  },
  {
    name: 'shared-guest',
    page: MEMORY,
    owner: Owner.Host,
    reach: host | bit(GUEST_1),
    first: 4,
  },
  { name: 'guest-owned', page: MEMORY, owner: GUEST_0, reach: bit(GUEST_0), first: 5 },
];

export interface PageCall {
  readonly name: string;
  readonly operation: string;
  readonly args: (page: number) => readonly number[];
  /** By state, in the order of PAGE_STATES. */
  readonly answers: readonly Result[];
}

const { Refused: E, Busy: B, NoEntry: N, Ok: OK } = Result;
const [SAME, OTHER] = GUEST_PAGES;

function call(
  name: string,
  operation: string,
  args: PageCall['args'],
  answers: PageCall['answers'],
): PageCall {
  return { name, operation, args, answers };
}

/** The rows. */
export const PAGE_CALLS: readonly PageCall[] = [
  call('host-donate-EL2', 'donate', (page) => [page, 1], [E, OK, E, E, E, E, E]),
  call('EL2-donate-host', 'return', (page) => [page], [OK, E, E, E, E, E, E]),
  call('host-share-EL2', 'share', (page) => [page], [E, OK, E, E, E, E, E]),
  call('host-unshare-EL2', 'unshare', (page) => [page], [E, E, OK, B, E, E, E]),
  // the only vCPU that is not set up from the beginning pins the page
  call('pin', 'vcpu', (page) => [1, 1, page], [E, E, OK, OK, E, E, E]),
  call('FF-A-share', 'ffa-share', (page) => [page], [E, OK, E, E, E, E, E]),
  call('FF-A-unshare', 'ffa-unshare', (page) => [page], [E, E, E, E, OK, E, E]),
  call('share-guest', 'guest-share', (page) => [1, SAME, page], [E, OK, E, E, E, E, E]),
  call('share-guest-elsewhere', 'guest-share', (page) => [1, OTHER, page], [E, OK, E, E, E, OK, E]),
  call('unshare-guest', 'guest-unshare', () => [1, SAME], [N, N, N, N, N, OK, N]),
  call('donate-guest', 'guest-donate', (page) => [0, SAME, page], [E, OK, E, E, E, E, E]),
  call('donate-guest-elsewhere', 'guest-donate', (page) => [0, OTHER, page], [
    E,
    OK,
    E,
    E,
    E,
    E,
    E,
  ]),
];
