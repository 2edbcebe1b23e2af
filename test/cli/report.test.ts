/** The morning report of a campaign's folder, as a page and as text. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { inFolder, stagewright } from './run.ts';

/** A campaign that finds something. */
async function campaign(folder: string): Promise<string> {
  const words = ['fuzz', 'canary', '--bug', 'canary', '--runs', '60', '--jobs', '1'];
  const { code, stderr } = await stagewright([...words, '--out', folder]);
  if (code !== 1) throw new Error(`the campaign ended with ${code}: ${stderr}`);
  return folder;
}

test('it says what ran and what was found, with case, explanation and a viewer', async (t) => {
  await inFolder(async (parent) => {
    const folder = await campaign(join(parent, 'night'));
    const { code, stdout } = await stagewright(['report', folder]);
    t.is(code, 0);
    t.is(stdout, `${folder}/report.html: the report; any browser opens it\n`);
    const html = readFileSync(join(folder, 'report.html'), 'utf8');
    t.regex(html, /<h1>\w+ findings? in 60 executions<\/h1>/);
    t.regex(html, /page 5 was freed while PE 0 still has a translation/i);
    t.regex(html, /decided by the order of two events/);
    t.regex(html, /bug: canary-free-before-invalidation/);
    t.regex(html, /<svg class="curve"/);
    t.notRegex(html, /undefined|NaN|\[object|https?:\/\/(?!www\.w3\.org)/);
    const viewers = [...html.matchAll(/href="([^"]+\.html)"/g)].map(([, name]) => name!);
    t.true(viewers.length > 0);
    for (const name of viewers) {
      t.true(existsSync(join(folder, name)), name);
      t.true(readFileSync(join(folder, name), 'utf8').includes('id="data"'));
    }
  });
});

test('as Markdown it is printed, and fits in an issue', async (t) => {
  await inFolder(async (parent) => {
    const folder = await campaign(join(parent, 'night'));
    const { code, stdout } = await stagewright(['report', folder, '--format', 'md']);
    t.is(code, 0);
    t.regex(stdout, /^## \w+ findings? in 60 executions\n/);
    t.regex(stdout, /\| canary \| 60 \| 1 \|/);
    t.regex(stdout, /Signature: `freed-page:freed-while-cached/);
    t.regex(stdout, /```yaml\n# freed-page/);
    t.true(stdout.includes(`stagewright replay ${folder}/canary/`));
    t.is((stdout.match(/```/g) ?? []).length % 2, 0);
    t.false(existsSync(join(folder, 'report.html')));
  });
});

test('what is no folder of a campaign is said in a line', async (t) => {
  await inFolder(async (folder) => {
    const none = await stagewright(['report', folder]);
    t.is(none.code, 2);
    t.regex(none.stderr, /is no folder of a campaign: it has no summary\.json/);
    writeFileSync(join(folder, 'summary.json'), '{"command": "campaign"}');
    const torn = await stagewright(['report', folder]);
    t.is(torn.code, 2);
    t.regex(torn.stderr, /summary\.json: seed: /);
    const format = await stagewright(['report', folder, '--format', 'pdf']);
    t.is(format.code, 2);
    t.regex(format.stderr, /--format is "pdf"; allowed are html, md/);
  });
});

test('it says what was sampled, what is unseen by an estimate, and what was explored beside it', async (t) => {
  await inFolder(async (parent) => {
    const folder = await campaign(join(parent, 'night'));
    const without = await stagewright(['report', folder, '--format', 'md']);
    t.regex(without.stdout, /Sampled: 60 executions, drawn at random;/);
    t.regex(without.stdout, /They covered \d+ conflict pairs; by an estimate .* about \d+ more\./);
    t.regex(without.stdout, /Nothing was explored exhaustively beside it/);
    const pairs = ['explore', '--pairs', 'canary', '--switches', '1', '--json'];
    const { code, stdout } = await stagewright(pairs);
    t.is(code, 0);
    writeFileSync(join(folder, 'explore-pairs.json'), stdout);
    const beside = await stagewright(['report', folder, '--format', 'md']);
    t.regex(
      beside.stdout,
      /Explored: a small program for each of \d+ pairs of operations of canary in canary\. For \d+ of them all inequivalent schedules with at most 1 switch and /,
    );
    t.notRegex(beside.stdout, /Nothing was explored/);
    writeFileSync(join(folder, 'explore-pairs.json'), '{"command": "fuzz"}');
    const wrong = await stagewright(['report', folder, '--format', 'md']);
    t.is(wrong.code, 2);
    t.regex(wrong.stderr, /explore-pairs\.json: command: .*; "explore FILE --json" writes what is/);
  });
});
