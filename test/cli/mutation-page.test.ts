/** One page of mutants: rates, survivors, the trend; a mutant that is killed no more is a failure. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { MutantItem } from '../../campaign/mutants.ts';
import { changesSince, killRate } from '../../campaign/mutation-page.ts';
import { batch, inFolder } from './run.ts';

function mutant(id: string, verdict: MutantItem['verdict']): MutantItem {
  const rest = { kind: 'store', operator: 'drop', site: id, other: null, rule: null, by: null };
  return { id, verdict, ...rest, oracle: null, executions: 10, reached: 5, changed: 3 };
}

function text(mutants: readonly MutantItem[]): string {
  const totals = {
    ...{ mutants: mutants.length, killed: 0, survivors: 0, equivalent: 0, notReached: 0 },
    ...{ needsFidelity: 0, killRate: 0, equivalentShare: 0 },
  };
  const more = { unreached: [], profiled: 9, interrupted: false, totals };
  return JSON.stringify({
    command: 'mutants',
    system: 'canary',
    seed: 1,
    runs: 10,
    mutants,
    ...more,
  });
}

const BEFORE = [
  mutant('drop a', 'killed'),
  mutant('drop b', 'killed'),
  mutant('drop c', 'equivalent'),
];
const NOW = [
  mutant('drop a', 'killed'),
  mutant('drop <b>', 'survivor'),
  mutant('drop c', 'equivalent'),
];

test('the rate is of those that were tried and are not equivalent', (t) => {
  t.is(killRate(BEFORE), 100);
  t.is(killRate(NOW), 50);
  t.is(killRate([mutant('x', 'equivalent')]), 0);
});

test('changes name mutants that have another verdict, that are new, and that are gone', (t) => {
  const [base, now] = [BEFORE, NOW].map((mutants) => [{ system: 'canary', mutants }]);
  t.deepEqual(changesSince(base!, now!), [
    { system: 'canary', id: 'drop <b>', before: undefined, now: 'survivor' },
    { system: 'canary', id: 'drop b', before: 'killed', now: undefined },
  ]);
  t.deepEqual(changesSince(base!, base!), []);
});

test('the page has the survivors and the trend; what is killed no more fails', async (t) => {
  await inFolder(async (folder) => {
    const file = (name: string, content: string): string => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    };
    const before = file('before.json', text(BEFORE));
    const now = file('now.json', text(NOW));
    const worse = file('worse.json', text([mutant('drop a', 'survivor'), ...BEFORE.slice(1)]));
    const out = join(folder, 'page.html');
    const outcomes = await batch([
      ['mutants-page', now, '--base', before, '--out', out],
      ['mutants-page', worse, '--base', before, '--out', join(folder, 'worse.html')],
      ['mutants-page', file('wrong.json', '{}'), '--out', out],
      ['mutants-page', join(folder, 'none.json')],
    ]);
    t.deepEqual(
      outcomes.map(({ code }) => code),
      [0, 1, 2, 2],
    );
    const page = readFileSync(out, 'utf8');
    t.regex(page, /<td>drop &lt;b&gt;<\/td><td>store<\/td><td>survivor<\/td>/);
    t.regex(page, /50 %<\/td>.*<td>-50\.0<\/td>/);
    t.notRegex(page, /https?:\/\//);
    t.regex(outcomes[1]!.stdout, /canary drop a: killed -> survivor/);
    t.regex(outcomes[2]!.stderr, /wrong\.json was not printed by "mutants SYSTEM --json"/);
  });
});
