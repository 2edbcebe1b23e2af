/** Failures that are only met while a finding is minimised are kept with the campaign, whoever comes first. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { readCase } from '../../campaign/corpus.ts';
import type { Failure, FoundCase } from '../../campaign/task.ts';
import { Totals } from '../../campaign/totals.ts';
import { summarySchema } from '../../cli/schemas.ts';
import type { OtherCase } from '../../fuzz/finding.ts';
import { replayCase, Verdict } from '../../fuzz/replay.ts';
import { Sessions } from '../../fuzz/sessions.ts';
import { inFolder, stagewright } from '../cli/run.ts';

const BUG = 'M15-stage1-flush-omitted';
const VALUE = readCase(`corpus/kvm-arm64/${BUG}.yaml`);

function failure(signature: string, index: number): Failure {
  const [system, bugs] = ['kvm-arm64', [BUG]];
  const key = `${system} ${BUG} ${signature}`;
  const [oracle, rule, strategy] = ['o', 'r', 's'];
  return { key, system, bugs, signature, oracle, rule, index, strategy, hits: 1, last: index };
}

function found(signature: string, others: readonly string[]): FoundCase {
  return {
    case: VALUE,
    signature,
    fine: signature,
    operations: 2,
    switches: 0,
    steps: 1,
    explanation: [],
    others: others.map((other): OtherCase => ({ signature: other, case: VALUE })),
  };
}

/** Findings a and b of one shard, minimised in the order that is given. */
function totalsOf(minimised: Readonly<Record<string, readonly string[]>>): Totals {
  const totals = new Totals();
  const failures = [failure('a', 3), failure('b', 5)];
  totals.merge({ from: 0, to: 10, cells: [], failures, coverage: [] }, 1);
  for (const [signature, others] of Object.entries(minimised)) {
    const finding = [...totals.findings.values()].find(
      (one) => one.failure.signature === signature,
    );
    finding!.found = found(signature, others);
  }
  return totals;
}

const metBy = (totals: Totals): readonly string[] =>
  totals.met.map(({ signature, by }) => `${signature} by ${by}`);

test('each is kept once, with the first finding that led to it, whatever was minimised first', (t) => {
  const expected = ['c by a', 'd by b'];
  t.deepEqual(metBy(totalsOf({ a: ['c'], b: ['d', 'c'] })), expected);
  t.deepEqual(metBy(totalsOf({ b: ['d', 'c'], a: ['c'] })), expected);
  t.deepEqual(metBy(totalsOf({ b: ['d', 'c'] })), ['d by b', 'c by b']);
});

test('what an execution shows is a finding, not one that was only met', (t) => {
  const totals = totalsOf({ a: ['b', 'c'], b: ['a'] });
  t.deepEqual(metBy(totals), ['c by a']);
  const failures = [failure('c', 12)];
  totals.merge({ from: 10, to: 20, cells: [], failures, coverage: [] }, 2);
  t.deepEqual(metBy(totals), []);
});

test('a campaign keeps them as cases that fail so, with any number of workers, and reports them', async (t) => {
  await inFolder(async (parent) => {
    const words = ['fuzz', 'kvm-arm64', '--bug', BUG, '--configuration', 'exclusive-toy'];
    const summaries = [];
    for (const jobs of ['1', '2']) {
      const folder = join(parent, `jobs-${jobs}`);
      const run = [...words, '--seed', '3', '--runs', '12', '--jobs', jobs, '--out', folder];
      const { code, stdout } = await stagewright(run);
      t.is(code, 1);
      const text = readFileSync(join(folder, 'summary.json'), 'utf8');
      const { met, findings } = summarySchema.parse(JSON.parse(text));
      t.true(met.length > 0);
      for (const { signature, by, case: file } of met) {
        t.true(stdout.includes(`met while minimising ${by}:\n  ${signature}\n`));
        t.false(findings.some((finding) => finding.signature === signature));
        t.is(replayCase(new Sessions(), readCase(join(folder, file))).verdict, Verdict.Reproduced);
      }
      summaries.push(met);
    }
    t.deepEqual(summaries[1], summaries[0]);
    const folder = join(parent, 'jobs-1');
    const markdown = await stagewright(['report', folder, '--format', 'md']);
    await stagewright(['report', folder]);
    const html = readFileSync(join(folder, 'report.html'), 'utf8');
    for (const { by, case: file } of summaries[0]!) {
      t.true(markdown.stdout.includes(`met while minimising \`${by}\``));
      t.true(html.includes(`href="${file}"`));
    }
  });
});
