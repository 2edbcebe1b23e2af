/** The allocator of pkvm under every program of two CPUs with two calls each, in every inequivalent order. */
import test from 'ava';
import { exploreOrders, sequences } from '../../bench/pool-orders.ts';
import { Session } from '../../fuzz/session.ts';
import { findSystem } from '../../models/registry.ts';

const system = findSystem('pkvm')!;

function orders(id: string, bugs: readonly string[] = []) {
  const configuration = system.configurations.find((one) => one.id === id)!;
  return exploreOrders(new Session(system, configuration, { bugs }), 2);
}

for (const id of ['pool-8', 'pool-8-exclusive', 'pool-7']) {
  test(`${id}: every order of two calls on each of two CPUs leaves the pool whole`, (t) => {
    const { programs, complete, executions, findings } = orders(id);
    t.log(`${programs} programs, ${executions} executions`);
    t.is(sequences(2).length, 24);
    t.is(programs, (24 * 25) / 2);
    t.is(complete, programs);
    t.deepEqual(findings, []);
  });
}

test('a buddy beyond the end, and one of another order, are found so', (t) => {
  t.true(orders('pool-7', ['M19a-buddy-beyond-the-end']).findings.length > 0);
  t.true(orders('pool-8', ['M19b-buddy-of-another-order']).findings.length > 0);
});
