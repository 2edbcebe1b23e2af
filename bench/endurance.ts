/**
 * Whether a long campaign stays as it began: memory and throughput of a kept campaign of all systems, sampled. Throughput is
 * taken relative to a bare loop that is timed at each sample, so that a machine that slows down is not taken for ours.
 *
 *   npx tsx bench/endurance.ts [--minutes 30] [--jobs 2]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Campaign } from '../campaign/campaign.ts';
import { CampaignFolder } from '../campaign/folder.ts';
import { targetsOf } from '../campaign/options.ts';
import { startOf } from '../campaign/start.ts';
import { planOf } from '../campaign/task.ts';
import { openEngine } from '../campaign/threads.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    jobs: { type: 'string', default: '2' },
  },
});
const SECONDS = 60 * Number(values.minutes);
const SAMPLES = 30;
/** Workers load and compile in the first tenth. */
const WARM = 0.1;

interface Sample {
  readonly seconds: number;
  readonly executions: number;
  readonly megabytes: number;
  /** Bare loops per millisecond. */
  readonly bare: number;
}

function bareLoop(): number {
  const from = performance.now();
  let value = 1;
  let loops = 0;
  while (performance.now() - from < 20) {
    for (let i = 0; i < 10_000; i += 1) value = (Math.imul(value, 1664525) + 1013904223) | 0;
    loops += 1;
  }
  // the value is used: the loop is not optimised away
  return value === 0 ? 0 : loops / 20;
}

const targets = targetsOf({
  systems: [],
  bugs: [],
  configuration: undefined,
  fidelity: undefined,
});
const root = mkdtempSync(join(tmpdir(), 'stagewright-endurance-'));
const folder = CampaignFolder.create(join(root, 'campaign'), {
  plan: planOf(1, targets, undefined, true),
  runs: null,
  seconds: SECONDS,
  stopOnFinding: false,
  before: null,
});
const engine = openEngine(Number(values.jobs));
const learnsFrom = startOf(targets, undefined);
const limits = { runs: undefined, seconds: SECONDS, stopOnFinding: false };
const campaign = new Campaign(
  { seed: 1, targets, strategy: undefined, learnsFrom, ...limits },
  engine,
  folder,
);
const samples: Sample[] = [];
const result = await campaign.run(({ seconds, totals }) => {
  if (seconds < ((samples.length + 1) * SECONDS) / SAMPLES) return;
  const megabytes = process.memoryUsage().rss / 2 ** 20;
  samples.push({ seconds, executions: totals.executions, megabytes, bare: bareLoop() });
  const { executions } = totals;
  process.stdout.write(
    `${seconds.toFixed(0)} s: ${executions} executions, ${megabytes.toFixed(0)} MB\n`,
  );
});
await engine.close();
folder.close();
rmSync(root, { recursive: true });

const warm = samples.filter(({ seconds }) => seconds >= WARM * SECONDS);
const rates = warm.slice(1).map((sample, index) => {
  const before = warm[index]!;
  const rate = (sample.executions - before.executions) / (sample.seconds - before.seconds);
  return rate / ((sample.bare + before.bare) / 2);
});
const median = (list: readonly number[]): number =>
  [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]!;
const third = Math.floor(rates.length / 3);
const throughput = median(rates.slice(-third)) / median(rates.slice(0, third));
const megabytes = warm.map((sample) => sample.megabytes);
const memory = median(megabytes.slice(-third)) / median(megabytes.slice(0, third));
process.stdout.write(
  `${result.totals.executions} executions, ${result.findings.length} findings; ` +
    `last third over first third: throughput ${throughput.toFixed(3)}, memory ${memory.toFixed(3)}\n`,
);
process.exitCode = Math.abs(throughput - 1) <= 0.1 && memory < 1.1 ? 0 : 1;
