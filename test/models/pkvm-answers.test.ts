/**
 * The table of answers of spec/arm.md 6.7: every call on a page in every state, with the result and what may have changed.
 * A refused call changes nothing: the oracle `ownership` compares the records at each release of the lock.
 */
import test from 'ava';
import { runPlan } from '../../fuzz/schedule.ts';
import { Session } from '../../fuzz/session.ts';
import { GUEST_PAGES } from '../../models/pkvm/after-boot.ts';
import { MEMORY } from '../../models/pkvm/layout.ts';
import { record } from '../../models/pkvm/records.ts';
import type { PkvmWorld } from '../../models/pkvm/world.ts';
import { findSystem } from '../../models/registry.ts';
import { RESULT_NAMES, Result } from '../../sim/card.ts';
import { Event } from '../../sim/event.ts';
import { PageState } from '../../sim/ownership.ts';

const system = findSystem('pkvm')!;
const configuration = system.configurations.find(({ id }) => id === 'pkvm-toy')!;

const PAGE = MEMORY;
/** Where guests have the page, and a place where they have nothing. */
const [AT] = GUEST_PAGES;
const OTHER = AT + 2;
/** A page that the host shares with the hypervisor, pinned by the vCPUs of guest 0. */
const PINNED = MEMORY + 14;

const { Owned, SharedOwned, SharedBorrowed, None } = PageState;

interface Start {
  readonly first: number;
  readonly page: number;
  readonly record: number;
  readonly shares: number;
}

const STATES: Readonly<Record<string, Start>> = {
  'EL2-owned': { first: 1, page: PAGE, record: record(None, Owned), shares: 0 },
  'host-owned': { first: 0, page: PAGE, record: record(Owned, None), shares: 0 },
  'shared EL2, no pins': {
    first: 2,
    page: PAGE,
    record: record(SharedOwned, SharedBorrowed),
    shares: 0,
  },
  'shared EL2, pinned': {
    first: 0,
    page: PINNED,
    record: record(SharedOwned, SharedBorrowed),
    shares: 0,
  },
  'shared FF-A': { first: 3, page: PAGE, record: record(SharedOwned, None), shares: 0 },
  'shared guest': { first: 4, page: PAGE, record: record(SharedOwned, None), shares: 1 },
  'guest-owned': { first: 5, page: PAGE, record: record(None, None), shares: 0 },
};

type Arguments = (page: number) => readonly number[];
const alone: Arguments = (page) => [page];

interface Call {
  readonly operation: string;
  readonly args: Arguments;
}

const CALLS: Readonly<Record<string, Call>> = {
  'host donate EL2': { operation: 'donate', args: (page) => [page, 1] },
  'EL2 donate host': { operation: 'return', args: alone },
  'host share EL2': { operation: 'share', args: alone },
  'host unshare EL2': { operation: 'unshare', args: alone },
  // the only vCPU that is not set up yet pins the page
  'pin shared': { operation: 'vcpu', args: (page) => [1, 1, page] },
  'FF-A share': { operation: 'ffa-share', args: alone },
  'FF-A unshare': { operation: 'ffa-unshare', args: alone },
  'share guest, same gfn': { operation: 'guest-share', args: (page) => [1, AT, page] },
  'share guest, other gfn': { operation: 'guest-share', args: (page) => [1, OTHER, page] },
  'unshare guest': { operation: 'guest-unshare', args: () => [1, AT] },
  'donate guest, same gfn': { operation: 'guest-donate', args: (page) => [0, AT, page] },
  'donate guest, other gfn': { operation: 'guest-donate', args: (page) => [0, OTHER, page] },
};

const E = Result.Refused;
const B = Result.Busy;
const N = Result.NoEntry;
const OK = Result.Ok;

/** By call, in the order of STATES. Cells that the specification leaves open follow from its rules. */
const ANSWERS: Readonly<Record<string, readonly number[]>> = {
  'host donate EL2': [E, OK, E, E, E, E, E],
  'EL2 donate host': [OK, E, E, E, E, E, E],
  'host share EL2': [E, OK, E, E, E, E, E],
  'host unshare EL2': [E, E, OK, B, E, E, E],
  'pin shared': [E, E, OK, OK, E, E, E],
  'FF-A share': [E, OK, E, E, E, E, E],
  'FF-A unshare': [E, E, E, E, OK, E, E],
  'share guest, same gfn': [E, OK, E, E, E, E, E],
  'share guest, other gfn': [E, OK, E, E, E, OK, E],
  'unshare guest': [N, N, N, N, N, OK, N],
  'donate guest, same gfn': [E, OK, E, E, E, E, E],
  'donate guest, other gfn': [E, OK, E, E, E, E, E],
};

/** One call on a page, from boot: its result, and what is written down about the page afterwards. */
function answer(session: Session, start: Start, { operation, args }: Call) {
  const operations = [{ key: 'c1', operation, args: args(start.page) }];
  const plan = {
    program: [{ actor: 'vcpu0', operations }],
    parameters: { first: start.first, second: 0, guests: 0 },
    order: [],
    choices: [],
  };
  const { violation } = runPlan(session, plan);
  const { trace, memory } = session.machine;
  let result = -1;
  for (let row = 0; row < trace.count; row += 1) {
    const { kind, operation: of, b } = trace.at(row);
    if (kind === Event.OperationEnd && of === 0) result = b;
  }
  const world = session.world as PkvmWorld;
  return {
    violation: violation?.rule,
    result,
    record: memory.load(world.record(start.page)),
    shares: memory.load(world.shares(start.page)),
  };
}

for (const [name, call] of Object.entries(CALLS)) {
  test(`${name}: the answer for a page in each state`, (t) => {
    const session = new Session(system, configuration);
    Object.entries(STATES).forEach(([state, start], index) => {
      const expected = ANSWERS[name]![index]!;
      const found = answer(session, start, call);
      t.is(found.violation, undefined, state);
      t.is(RESULT_NAMES[found.result], RESULT_NAMES[expected], state);
      if (expected === Result.Ok) return;
      // a call that was refused has changed nothing
      t.is(found.record, start.record, state);
      t.is(found.shares, start.shares, state);
    });
  });
}

test('each successful call leaves what its row of the table says', (t) => {
  const session = new Session(system, configuration);
  const after = (state: string, call: string) => {
    const { record: word, shares } = answer(session, STATES[state]!, CALLS[call]!);
    return [word, shares];
  };
  t.deepEqual(after('host-owned', 'host donate EL2'), [record(None, Owned), 0]);
  t.deepEqual(after('host-owned', 'host share EL2'), [record(SharedOwned, SharedBorrowed), 0]);
  t.deepEqual(after('shared EL2, no pins', 'host unshare EL2'), [record(Owned, None), 0]);
  t.deepEqual(after('host-owned', 'FF-A share'), [record(SharedOwned, None), 0]);
  t.deepEqual(after('shared FF-A', 'FF-A unshare'), [record(Owned, None), 0]);
  t.deepEqual(after('host-owned', 'share guest, same gfn'), [record(SharedOwned, None), 1]);
  t.deepEqual(after('shared guest', 'share guest, other gfn'), [record(SharedOwned, None), 2]);
  t.deepEqual(after('shared guest', 'unshare guest'), [record(Owned, None), 0]);
  t.deepEqual(after('host-owned', 'donate guest, same gfn'), [record(None, None), 0]);
});
