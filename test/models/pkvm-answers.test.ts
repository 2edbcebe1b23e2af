/**
 * The table of answers of spec/arm.md 6.7: every call on a page in every state, with the result and what may have changed.
 * A refused call changes nothing: the oracle `ownership` compares the records at each release of the lock.
 */
import test from 'ava';
import { runPlan } from '../../fuzz/schedule.ts';
import { Session } from '../../fuzz/session.ts';
import {
  PAGE_CALLS,
  PAGE_STATES,
  type PageCall,
  type PageStart,
} from '../../models/pkvm/answers.ts';
import { record } from '../../models/pkvm/records.ts';
import type { PkvmWorld } from '../../models/pkvm/world.ts';
import { findSystem } from '../../models/registry.ts';
import { RESULT_NAMES, Result } from '../../sim/card.ts';
import { Event } from '../../sim/event.ts';
import { PageState } from '../../sim/ownership.ts';

const system = findSystem('pkvm')!;
const configuration = system.configurations.find(({ id }) => id === 'pkvm-toy')!;

const { Owned, SharedOwned, SharedBorrowed, None } = PageState;

/** By state, in the order of PAGE_STATES: what is written down about the page, and guest mappings. */
const WRITTEN: readonly (readonly [record: number, shares: number])[] = [
  [record(None, Owned), 0],
  [record(Owned, None), 0],
  [record(SharedOwned, SharedBorrowed), 0],
  [record(SharedOwned, SharedBorrowed), 0],
  [record(SharedOwned, None), 0],
  [record(SharedOwned, None), 1],
  [record(None, None), 0],
];

/** One call on a page, from boot: its result, and what is written down about the page afterwards. */
function answer(session: Session, { page, first }: PageStart, { operation, args }: PageCall) {
  const operations = [{ key: 'c1', operation, args: args(page) }];
  const plan = {
    program: [{ actor: 'vcpu0', operations }],
    parameters: { first, second: 0, guests: 0 },
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
    written: [memory.load(world.record(page)), memory.load(world.shares(page))],
  };
}

for (const call of PAGE_CALLS) {
  test(`${call.name}: the answer for a page in each state`, (t) => {
    const session = new Session(system, configuration);
    PAGE_STATES.forEach((state, index) => {
      const expected = call.answers[index]!;
      const found = answer(session, state, call);
      t.is(found.violation, undefined, state.name);
      t.is(RESULT_NAMES[found.result], RESULT_NAMES[expected], state.name);
      // a call that was refused has changed nothing
      if (expected !== Result.Ok) t.deepEqual(found.written, [...WRITTEN[index]!], state.name);
    });
  });
}

test('each successful call leaves what its row of the table says', (t) => {
  const session = new Session(system, configuration);
  const after = (state: string, call: string) =>
    answer(
      session,
      PAGE_STATES.find(({ name }) => name === state)!,
      PAGE_CALLS.find(({ name }) => name === call)!,
    ).written;
  t.deepEqual(after('host-owned', 'host-donate-EL2'), [record(None, Owned), 0]);
  t.deepEqual(after('host-owned', 'host-share-EL2'), [record(SharedOwned, SharedBorrowed), 0]);
  t.deepEqual(after('shared-EL2', 'host-unshare-EL2'), [record(Owned, None), 0]);
  t.deepEqual(after('host-owned', 'FF-A-share'), [record(SharedOwned, None), 0]);
  t.deepEqual(after('shared-FF-A', 'FF-A-unshare'), [record(Owned, None), 0]);
  t.deepEqual(after('host-owned', 'share-guest'), [record(SharedOwned, None), 1]);
  t.deepEqual(after('shared-guest', 'share-guest-elsewhere'), [record(SharedOwned, None), 2]);
  t.deepEqual(after('shared-guest', 'unshare-guest'), [record(Owned, None), 0]);
  t.deepEqual(after('host-owned', 'donate-guest'), [record(None, None), 0]);
});
