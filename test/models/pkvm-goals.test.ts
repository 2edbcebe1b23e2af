/** A directed schedule for each race that pkvm has a goal for: so none of them is impossible, however seldom campaigns come to it. */
import test from 'ava';
import { GoalSeeker, soughtGoals } from '../../fuzz/goals.ts';
import { type Constraint, parseConstraint } from '../../fuzz/order.ts';
import { runPlan } from '../../fuzz/schedule.ts';
import { Session } from '../../fuzz/session.ts';
import { GUEST_PAGES } from '../../models/pkvm/after-boot.ts';
import { MEMORY } from '../../models/pkvm/layout.ts';
import { findSystem } from '../../models/registry.ts';

const system = findSystem('pkvm')!;
const configuration = system.configurations.find(({ id }) => id === 'pkvm-toy')!;
const [AT] = GUEST_PAGES;

interface Move {
  readonly operation: string;
  readonly args: readonly number[];
  /** State of the page in which it succeeds: value of the parameter `first`. */
  readonly first: number;
  /** Where it goes on after it has been called. */
  readonly next: string;
  readonly needs?: 'living' | 'dying';
}

const move = (
  operation: string,
  args: readonly number[],
  first: number,
  next: string,
  needs?: Move['needs'],
): Move => ({ operation, args, first, next, ...(needs === undefined ? {} : { needs }) });

const MOVES: Readonly<Record<string, Move>> = {
  share: move('share', [MEMORY], 0, 'transition.lockHost'),
  unshare: move('unshare', [MEMORY], 2, 'transition.lockHost'),
  pin: move('vcpu', [1, 1, MEMORY], 2, 'transition.lockHost'),
  // there is such a vCPU: the page is pinned and unpinned
  unpin: move('vcpu', [1, 0, MEMORY], 2, 'transition.lockHost'),
  donate: move('donate', [MEMORY, 1], 0, 'transition.lockHost'),
  return: move('return', [MEMORY], 1, 'transition.writeLent'),
  'ffa-share': move('ffa-share', [MEMORY], 0, 'transition.lockHost'),
  'ffa-unshare': move('ffa-unshare', [MEMORY], 3, 'transition.lockHost'),
  'guest-donate': move('guest-donate', [0, AT, MEMORY], 0, 'guest.lock', 'living'),
  'guest-share': move('guest-share', [1, AT, MEMORY], 0, 'guest.lock'),
  'guest-unshare': move('guest-unshare', [1, AT], 4, 'guest-page.lockGuests'),
  lend: move('lend', [0, AT], 5, 'guest.lock', 'living'),
  unlend: move('unlend', [0, AT], 6, 'guest.lock', 'living'),
  reclaim: move('reclaim', [0, AT], 5, 'guest-page.lockGuests', 'dying'),
  force: move('force', [MEMORY], 5, 'guest-page.lockHost', 'living'),
};

/** vcpu0 changes the page; the host has called before, and goes on when vcpu0 has ended. */
function directed(first: Move, second: Move, isUnpin: boolean) {
  const dies = second.needs === 'dying' && first.needs === 'living';
  const program = [
    {
      actor: 'vcpu0',
      operations: [
        { key: 'm1', operation: first.operation, args: first.args },
        ...(dies ? [{ key: 't1', operation: 'teardown', args: [0] }] : []),
      ],
    },
    {
      actor: 'host',
      operations: [{ key: 'm1', operation: second.operation, args: second.args }],
    },
  ];
  const last = dies ? 'vcpu0.t1/end' : 'vcpu0.m1/end';
  const called = isUnpin ? 'host.m1/transition.unlockHost' : 'host.m1/hypercall.enter';
  const order = [
    `${called} < vcpu0.m1/hypercall.enter`,
    `${last} < host.m1/${isUnpin ? 'guest.lock' : second.next}`,
  ].map((text) => parseConstraint(text) as Constraint);
  const isDying = [first, second].some(({ needs }) => needs === 'dying') && !dies;
  const parameters = { first: first.first, second: 0, guests: isDying ? 1 : 0 };
  return { program, parameters, order, choices: [] };
}

test('each race has a schedule that comes to it, and is clean', (t) => {
  const session = new Session(system, configuration);
  const races = system.goals.filter(({ id }) => id.startsWith('race-'));
  const missed = races.filter((goal) => {
    const [one = '', other = ''] = goal.id.slice('race-'.length).split('-before-');
    const run = runPlan(session, directed(MOVES[one]!, MOVES[other]!, other === 'unpin'));
    t.is(run.violation, undefined, goal.id);
    const { machine, loaded } = session;
    return new GoalSeeker(soughtGoals([goal])).find(machine.trace, loaded).length === 0;
  });
  t.is(races.length, 209);
  t.deepEqual(
    missed.map(({ id }) => id),
    [],
  );
});
