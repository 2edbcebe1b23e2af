/** The canary of a campaign: found, minimised, kept, and red when its rate is not what it was. */
import test from 'ava';
import { Campaign, type CampaignOptions } from '../../campaign/campaign.ts';
import { CANARY_BLOCK, Canary, canaryText, hasCanary } from '../../campaign/canary.ts';
import { LocalEngine, runShard } from '../../campaign/engine.ts';
import { CampaignFolder } from '../../campaign/folder.ts';
import { targetsOf } from '../../campaign/options.ts';
import { planOf, type ShardResult } from '../../campaign/task.ts';
import { STRATEGIES } from '../../fuzz/strategies/registry.ts';
import { inFolder } from '../cli/run.ts';

const TARGETS = targetsOf({
  systems: ['kvm-arm64'],
  bugs: [],
  configuration: 'exclusive-toy',
  fidelity: undefined,
});

async function songOf(canary: Canary, executions: number): Promise<ShardResult> {
  const task = { kind: 'shard', plan: canary.plan, from: 0, to: executions } as const;
  return (await runShard(new LocalEngine(), { ...task, untilFailure: false, fold: null })).result;
}

for (const strategy of [undefined, ...STRATEGIES.map(({ id }) => id)]) {
  test(`its rate is known for ${strategy ?? 'the portfolio'}`, async (t) => {
    const canary = new Canary(planOf(3, TARGETS, strategy));
    canary.totals.merge(await songOf(canary, 1500), 1);
    const { isRed, hits, low, high } = canary.health;
    t.log(`${hits} hits, ${low} to ${high}`);
    t.false(isRed);
    t.true(low > 100 && high < 750);
  });
}

test('it is red when failures are lost, and when there are too many', async (t) => {
  const plan = planOf(3, TARGETS, undefined);
  const result = await songOf(new Canary(plan), 3000);
  const deaf = new Canary(plan);
  deaf.totals.merge({ ...result, failures: [] }, 1);
  t.true(deaf.health.isRed);
  t.regex(canaryText(deaf), /^CANARY RED: 0 hits, \d+ to \d+ expected$/);
  const loud = new Canary(plan);
  const twice = result.failures.map((failure) => ({ ...failure, hits: 2 * failure.hits }));
  loud.totals.merge({ ...result, failures: twice }, 1);
  t.true(loud.health.isRed);
});

test('campaigns over the canary itself have none', (t) => {
  const request = { bugs: [], configuration: undefined, fidelity: undefined };
  t.true(hasCanary(planOf(1, targetsOf({ ...request, systems: [] }), undefined)));
  t.false(hasCanary(planOf(1, targetsOf({ ...request, systems: ['canary'] }), undefined)));
});

test('one execution in a hundred is its, also when the campaign is resumed', async (t) => {
  const options: CampaignOptions = {
    seed: 2,
    targets: TARGETS,
    strategy: undefined,
    runs: 14_000,
    seconds: undefined,
    stopOnFinding: false,
  };
  await inFolder(async (path) => {
    const folder = CampaignFolder.create(path, {
      plan: planOf(2, TARGETS, undefined),
      runs: 14_000,
      seconds: null,
      stopOnFinding: false,
      before: null,
    });
    const first = await new Campaign({ ...options, runs: 500 }, undefined, folder).run();
    t.is(first.health?.executions, 0);
    folder.close();
    const again = CampaignFolder.resume(path);
    const { health, findings } = await new Campaign(options, undefined, again).run();
    again.close();
    t.deepEqual(findings, []);
    t.is(health?.executions, CANARY_BLOCK);
    t.false(health?.isRed);
    t.true((health?.signatures ?? 0) > 0);
    t.is(health?.minimised, health?.signatures);
    const { canary } = CampaignFolder.read(path).history;
    t.is(canary.executions, CANARY_BLOCK);
    const [found] = canary.findings.values();
    t.true((found?.found?.operations ?? 9) <= 3);
  });
});
