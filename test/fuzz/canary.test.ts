/** Smoke test of a whole campaign, on the system that fails on purpose. */
import test from 'ava';
import { Campaign, type CampaignOptions, type CampaignResult } from '../../campaign/campaign.ts';
import { formatCase, parseCase } from '../../fuzz/case-text.ts';
import { replayCase, Verdict } from '../../fuzz/replay.ts';
import { Sessions } from '../../fuzz/sessions.ts';
import { canary } from '../../models/canary/index.ts';
import { SYSTEMS } from '../../models/registry.ts';
import { told } from '../campaign/told.ts';

const RUNS = 300;
/**
 * 19.1 % of executions fail (`bench/canary-rates.ts`). Of 300 that is 57, with a standard deviation of 8.6,
 * as schedules of one program resemble each other; the band is four of them to either side.
 */
const HITS_MIN = 23;
const HITS_MAX = 91;
const SIGNATURES_MAX = 3;

function campaign(
  bugs: readonly string[],
  more: Partial<CampaignOptions> = {},
): Promise<CampaignResult> {
  return new Campaign({
    seed: 1,
    targets: [{ system: canary, configurations: canary.configurations, bugs }],
    strategy: undefined,
    runs: RUNS,
    seconds: undefined,
    stopOnFinding: false,
    ...more,
  }).run();
}

const BUGS = canary.bugs.map(({ id }) => id);

test('the canary is found at its known rate, grouped in few signatures', async (t) => {
  const { findings, totals } = await campaign(BUGS);
  t.is(totals.executions, RUNS);
  const hits = findings.reduce((sum, finding) => sum + finding.hits, 0);
  t.log(`${hits} hits, ${findings.length} signatures`);
  t.true(hits >= HITS_MIN && hits <= HITS_MAX, `${hits} hits`);
  t.true(findings.length >= 1 && findings.length <= SIGNATURES_MAX);
  const signatures = findings.map(({ found }) => found?.signature);
  t.is(new Set(signatures).size, findings.length);
});

test('what is found is minimised, is caught by the oracle that the bug names, and replays', async (t) => {
  const { findings } = await campaign(BUGS);
  const { caughtBy } = canary.bugs[0]!;
  const smallest = Math.min(...findings.map(({ found }) => found!.operations));
  t.true(smallest <= 2);
  for (const { found, failure } of findings) {
    t.is(failure.system, canary.id);
    t.deepEqual(failure.bugs, BUGS);
    t.true(failure.index < RUNS);
    t.true(caughtBy.includes(found?.case.expect?.oracle ?? 'clean'));
    const read = parseCase('found.yaml', formatCase(found!.case), SYSTEMS);
    const { verdict, digestMatches } = replayCase(new Sessions(), read);
    t.is(verdict, Verdict.Reproduced);
    t.true(digestMatches);
    const without = replayCase(new Sessions(), read, true).verdict;
    t.true(without === Verdict.Fixed || without === Verdict.Clean, without);
  }
});

test('a campaign finds the same every time', async (t) => {
  t.deepEqual(told(await campaign(BUGS)), told(await campaign(BUGS)));
});

test('the correct canary is clean, and its runs show something', async (t) => {
  const { findings, totals } = await campaign([]);
  t.deepEqual(findings, []);
  t.is(totals.executions, RUNS);
  t.true(totals.vacuous < RUNS / 20);
  t.deepEqual(
    [...totals.cells.values()].map(({ configuration, executions }) => [configuration, executions]),
    [['canary', RUNS]],
  );
});

test('a campaign that stops on a finding stops at the lowest index', async (t) => {
  const all = await campaign(BUGS);
  const { findings, totals } = await campaign(BUGS, { stopOnFinding: true });
  t.is(findings.length, 1);
  t.is(findings[0]?.failure.index, Math.min(...all.findings.map(({ failure }) => failure.index)));
  t.is(totals.executions, findings[0]!.failure.index + 1);
});

test('a campaign that is interrupted says so and keeps what it has', async (t) => {
  const stopped = new Campaign({
    seed: 1,
    targets: [{ system: canary, configurations: canary.configurations, bugs: [] }],
    strategy: undefined,
    runs: undefined,
    seconds: 60,
    stopOnFinding: false,
  });
  const running = stopped.run();
  stopped.interrupt();
  const { interrupted, totals, seconds } = await running;
  t.true(interrupted);
  t.true(totals.executions > 0);
  t.true(seconds < 30);
});
