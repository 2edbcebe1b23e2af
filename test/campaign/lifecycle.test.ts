/** The five states of a signature between campaigns. */
import test from 'ava';
import { type Known, LifeState, lifecycle } from '../../campaign/lifecycle.ts';
import type { Failure } from '../../campaign/task.ts';
import { Totals } from '../../campaign/totals.ts';

function campaignOf(executions: number, hits: Readonly<Record<string, number>>): Totals {
  const totals = new Totals();
  const failures = Object.entries(hits).map(
    ([key, count]): Failure => ({
      key,
      system: 'x',
      bugs: [],
      signature: `signature of ${key}`,
      oracle: 'o',
      rule: 'r',
      index: 0,
      strategy: 's',
      hits: count,
      last: executions - 1,
    }),
  );
  totals.merge({ from: 0, to: executions, cells: [], failures, coverage: [] }, 1);
  return totals;
}

const states = (known: readonly Known[]): Record<string, string> =>
  Object.fromEntries(known.map(({ key, state }) => [key, state]));

test('new, ongoing, rare, resolved, regressed', (t) => {
  const monday = lifecycle(campaignOf(1000, { often: 50, seldom: 1 }), undefined);
  t.deepEqual(states(monday), { often: LifeState.New, seldom: LifeState.New });
  const tuesday = lifecycle(campaignOf(1000, { fresh: 2, often: 40 }), monday);
  t.deepEqual(states(tuesday), {
    fresh: LifeState.New,
    often: LifeState.Ongoing,
    // one hit in as many executions as now: its absence says little
    seldom: LifeState.Rare,
  });
  const wednesday = lifecycle(campaignOf(5000, {}), tuesday);
  t.deepEqual(states(wednesday), {
    fresh: LifeState.Resolved,
    often: LifeState.Resolved,
    seldom: LifeState.Resolved,
  });
  const thursday = lifecycle(campaignOf(100, { often: 1 }), wednesday);
  t.deepEqual(states(thursday), {
    fresh: LifeState.Resolved,
    often: LifeState.Regressed,
    seldom: LifeState.Resolved,
  });
});

test('how long a campaign has to be for an absence to count: 4.6 expected hits', (t) => {
  const before = lifecycle(campaignOf(10_000, { x: 10 }), undefined);
  t.deepEqual(states(lifecycle(campaignOf(4599, {}), before)), { x: LifeState.Rare });
  t.deepEqual(states(lifecycle(campaignOf(4600, {}), before)), { x: LifeState.Resolved });
});
