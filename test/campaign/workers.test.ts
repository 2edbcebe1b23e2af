/** What a campaign finds depends on its seed and number of executions, not on who performs them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'ava';
import { Campaign, type CampaignOptions } from '../../campaign/campaign.ts';
import type { Engine } from '../../campaign/engine.ts';
import { targetsOf } from '../../campaign/options.ts';
import { ThreadEngine } from '../../campaign/threads.ts';
import { runZoo } from '../../campaign/zoo.ts';
import { findSystem } from '../../models/registry.ts';
import { InternalError } from '../../sim/assert.ts';
import { ScrambledEngine } from './scrambled.ts';
import { told } from './told.ts';

/** Two systems, three planted bugs, of which one is found late or not at all. */
const OPTIONS: CampaignOptions = {
  seed: 5,
  targets: targetsOf({
    systems: [],
    bugs: ['canary-free', 'A07', 'A21'],
    configuration: undefined,
    fidelity: undefined,
  }),
  strategy: undefined,
  runs: 500,
  seconds: undefined,
  stopOnFinding: false,
  minimiseBudget: 40,
};

/** Small, so that every worker has some. */
const SHARD = 128;

async function resultOf(
  engine?: Engine,
  more: Partial<CampaignOptions> = {},
): Promise<ReturnType<typeof told>> {
  try {
    return told(await new Campaign({ ...OPTIONS, ...more }, engine).run());
  } finally {
    await engine?.close();
  }
}

const alone = resultOf();

test('there is something to compare: findings of two systems, and one system has two bugs', async (t) => {
  const { findings, cells } = await alone;
  t.is(new Set(findings.map(({ failure }) => failure.system)).size, 2);
  t.true(findings.some(({ failure }) => failure.hits > 1));
  t.true(cells.length > 2);
});

for (const workers of [2, 8]) {
  test(`${workers} workers that end in any order find what one finds`, async (t) => {
    t.deepEqual(await resultOf(new ScrambledEngine(workers, workers)), await alone);
  });
}

test('two threads find what one process finds', async (t) => {
  t.deepEqual(await resultOf(new ThreadEngine(2)), await alone);
});

test('eight threads find what one process finds', async (t) => {
  // shards enough for all of them
  const more = { runs: 2200 };
  const engine = new ThreadEngine(8, undefined, SHARD);
  t.deepEqual(await resultOf(engine, more), await resultOf(undefined, more));
  t.is(engine.deaths, 0);
});

test('the first finding that ends a campaign is the one with the lowest index', async (t) => {
  const until = { stopOnFinding: true };
  t.deepEqual(await resultOf(new ScrambledEngine(8, 4), until), await resultOf(undefined, until));
});

const DYING = new URL('dying-worker.mjs', import.meta.url);
process.env.DEATH_MARK = join(mkdtempSync(join(tmpdir(), 'stagewright-')), 'dead');
test.after.always(() => rmSync(dirname(process.env.DEATH_MARK!), { recursive: true }));

test('a worker that dies costs no execution', async (t) => {
  const engine = new ThreadEngine(2, DYING, SHARD);
  t.deepEqual(await resultOf(engine), await alone);
  t.is(engine.deaths, 1);
});

test('what kills two workers is a fault of ours, and says where', async (t) => {
  const engine = new ThreadEngine(2, DYING, SHARD);
  const error = await t.throwsAsync(resultOf(engine, { seed: 13 }), { instanceOf: InternalError });
  t.regex(error?.message ?? '', /^two workers died in minimising execution \d+ of seed 13: /);
});

test('a fault in a thread arrives with its execution', async (t) => {
  const engine = new ThreadEngine(1, undefined, SHARD);
  const plan = {
    seed: 1,
    targets: [{ system: 'none', configurations: [], bugs: [] }],
    strategy: null,
    learns: false,
  };
  const task = { kind: 'shard', plan, from: 0, to: 1, untilFailure: false, fold: null } as const;
  const error = await t.throwsAsync(engine.run(task), { instanceOf: InternalError });
  t.is(error?.message, 'system none is registered');
  t.regex(error?.stack ?? '', /task\.ts/);
  await engine.close();
});

test('the zoo: how many executions a bug takes does not depend on the workers', async (t) => {
  const system = findSystem('kvm-arm64')!;
  const bugs = ['A07', 'A42', 'M28-'].map((prefix) => ({
    system,
    bug: system.bugs.find(({ id }) => id.startsWith(prefix))!,
  }));
  const options = { seed: 1, seconds: 600, strategy: undefined };
  const [one, many] = await Promise.all([
    runZoo(bugs, options),
    runZoo(bugs, options, () => {}, new ScrambledEngine(5, 1)),
  ]);
  const toldOf = (entries: typeof one) =>
    entries.map(({ bug, executions, finding }) => [bug.id, executions, finding?.signature]);
  t.deepEqual(toldOf(many), toldOf(one));
  t.true(one.every(({ finding }) => finding !== undefined));
});
