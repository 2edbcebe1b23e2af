/**
 * What runs of the correct model must come to: every cell of the table of answers (spec/arm.md 6.7), every transition that changes a
 * page while another one about the same page is under way, and each step of the boot (6.1, 6.2) with another CPU in it.
 */
import { Claim } from '../../sim/claims.ts';
import { Event } from '../../sim/event.ts';
import {
  ANYBODY,
  ANYWHERE,
  changes,
  type GoalOperation,
  type GoalStep,
  locks,
  reads,
  step,
} from '../../sim/goal-steps.ts';
import type { Goal } from '../system.ts';
import { GUEST_PAGES } from './after-boot.ts';
import { PAGE_CALLS, PAGE_STATES } from './answers.ts';
import type { PkvmConfiguration } from './configurations.ts';
import { MEMORY } from './layout.ts';

type PkvmGoal = Goal<PkvmConfiguration>;

const isOwnership = ({ part }: PkvmConfiguration): boolean => part === 'ownership';
const isBoot = ({ part }: PkvmConfiguration): boolean => part === 'boot';

const HOST_LOCK = ['transition.lockHost', 'guest-page.lockHost'];

/** The step, as part of an operation. */
const within = (operation: GoalOperation, one: GoalStep): GoalStep => ({ ...one, operation });

const claimed = (who: string, page: number, rest: Partial<GoalStep> = {}): GoalStep =>
  step(who, ANYWHERE, Event.Claim, { a: Claim.OwnershipChanged, b: page, ...rest });

/** Where a call sees what it answers by: under the host's lock, or in the list of pages that the host has lent. */
function decides(who: string, operation: GoalOperation): GoalStep {
  const isListed = operation.id === 'return';
  return within(operation, isListed ? changes(who, 'transition.writeLent') : locks(who, HOST_LOCK));
}

// ---- answers ----

const CELLS = PAGE_CALLS.flatMap((call) =>
  PAGE_STATES.map(({ name, page, owner, reach }, index): PkvmGoal => {
    const operation = { id: call.operation, args: call.args(page) };
    return {
      id: `answer-${call.name}-${name}`,
      title: `${call.name} is answered for a page that is ${name}`,
      steps: [
        claimed(ANYBODY, page, { c: owner, d: reach, stands: true }),
        decides('a', operation),
        within(
          operation,
          step('a', 'machine.run', Event.OperationEnd, { b: call.answers[index]! }),
        ),
      ],
      isIn: isOwnership,
    };
  }),
);

// ---- races ----

/** A transition of the table in 6.7, about the first memory page, which guests have at the first of their pages. */
interface Transition {
  readonly name: string;
  readonly operation: GoalOperation;
  /** It works on a guest that lives, or on one that dies. */
  readonly guest?: 'living' | 'dying';
  /** It changes how often the page is pinned, so many times. */
  readonly pins?: number;
}

const AT = GUEST_PAGES[0];
const any = undefined;

const TRANSITIONS: readonly Transition[] = [
  { name: 'share', operation: { id: 'share', args: [MEMORY] } },
  { name: 'unshare', operation: { id: 'unshare', args: [MEMORY] } },
  { name: 'pin', operation: { id: 'vcpu', args: [any, any, MEMORY] }, pins: 1 },
  // a vCPU that cannot be set up is unpinned after it was pinned
  { name: 'unpin', operation: { id: 'vcpu', args: [any, any, MEMORY] }, pins: 2 },
  { name: 'donate', operation: { id: 'donate', args: [MEMORY] } },
  { name: 'return', operation: { id: 'return', args: [MEMORY] } },
  { name: 'ffa-share', operation: { id: 'ffa-share', args: [MEMORY] } },
  { name: 'ffa-unshare', operation: { id: 'ffa-unshare', args: [MEMORY] } },
  {
    name: 'guest-donate',
    operation: { id: 'guest-donate', args: [0, any, MEMORY] },
    guest: 'living',
  },
  { name: 'guest-share', operation: { id: 'guest-share', args: [1, any, MEMORY] } },
  { name: 'guest-unshare', operation: { id: 'guest-unshare', args: [1, AT] } },
  { name: 'lend', operation: { id: 'lend', args: [0, AT] }, guest: 'living' },
  { name: 'unlend', operation: { id: 'unlend', args: [0, AT] }, guest: 'living' },
  { name: 'reclaim', operation: { id: 'reclaim', args: [0, AT] }, guest: 'dying' },
  { name: 'force', operation: { id: 'force', args: [MEMORY] } },
];

/** It has been called; who unpins a page has pinned it before. */
function called(who: string, { name, operation }: Transition): GoalStep {
  const one =
    name === 'unpin'
      ? changes(who, 'transition.writePins')
      : step(who, 'hypercall.enter', Event.GuestExit);
  return within(operation, one);
}

/** It changes who may reach the page, or its pins. */
function changed(who: string, { operation, pins = 0 }: Transition): readonly GoalStep[] {
  if (pins === 0) return [within(operation, claimed(who, MEMORY))];
  return Array.from({ length: pins }, () =>
    within(operation, changes(who, 'transition.writePins')),
  );
}

/** One changes the page while the other has been called already, and looks at the page afterwards. */
function race(first: Transition, second: Transition): PkvmGoal {
  return {
    id: `race-${first.name}-before-${second.name}`,
    title: `${first.name} changes a page while ${second.name} is about to look at it`,
    steps: [
      called('b', second),
      decides('a', first.operation),
      ...changed('a', first),
      decides('b', second.operation),
    ],
    isIn: isOwnership,
  };
}

function canRace(first: Transition, second: Transition): boolean {
  // whoever needs the guest alive is sent away before it looks at a page, unless the guest is finished, made anew and given a vCPU meanwhile
  if (first.guest === 'dying' && second.guest === 'living') return false;
  // nothing else changes a page that is pinned
  return second.name !== 'unpin' || first.pins !== undefined;
}

const RACES = TRANSITIONS.flatMap((first) =>
  TRANSITIONS.filter((second) => canRace(first, second)).map((second) => race(first, second)),
);

// ---- boot ----

/** Steps of the boot in their order: what they are, and an event that only they have. */
const BOOT: readonly (readonly [string, GoalStep])[] = [
  ['host-tables', step('a', 'boot.oldRoot', Event.Register)],
  ['mmu-on', step('a', 'boot.mmuOn', Event.Register)],
  ['divide', changes('a', 'boot.writeBump')],
  ['root', changes('a', 'boot.writeRoot')],
  ['map', changes('a', 'pkvm-table.makeLeaf')],
  ['publish', changes('a', 'boot.publishRoot')],
  ['mmu-off', step('a', 'switch.mmuOff', Event.Register)],
  ['invalidate', step('a', 'switch.invalidate', Event.InvalidateIssue)],
  ['new-root', step('a', 'switch.newRoot', Event.Register)],
  ['complete', step('a', 'switch.complete', Event.Barrier)],
  ['mmu-on-again', step('a', 'switch.mmuOn', Event.Register)],
  ['jump', step('a', 'switch.jump', Event.Fetch)],
  ['pool', changes('a', 'pool.writeRange')],
  ['install', changes('a', 'boot.install')],
  ['own', changes('a', 'boot.writeRecord')],
  ['done', changes('a', 'boot.writeProgress')],
];

/** Before the root is known another CPU can do no more than look for it; then it begins with it. */
const PUBLISHED = BOOT.findIndex(([name]) => name === 'publish');

const INTERRUPTED = BOOT.slice(1).flatMap(([name, after], index): readonly PkvmGoal[] => {
  const [last, before] = BOOT[index]!;
  const isKnown = index >= PUBLISHED;
  const enter = { id: 'enter' };
  const init = { id: 'init' };
  const goal = (id: string, title: string, other: GoalStep): PkvmGoal => ({
    id: `boot-${id}-between-${last}-and-${name}`,
    title: `${title} between the steps ${last} and ${name} of the boot`,
    steps: [within(init, before), within(enter, other), within(init, after)],
    isIn: isBoot,
  });
  const looks = goal('looked-for', 'another CPU looks for the root', reads('b', 'boot.readRoot'));
  if (!isKnown) return [looks];
  return [
    looks,
    goal('entered', 'another CPU turns its MMU on', step('b', 'switch.mmuOn', Event.Register)),
  ];
});

export const GOALS: readonly PkvmGoal[] = Object.freeze([...CELLS, ...RACES, ...INTERRUPTED]);
