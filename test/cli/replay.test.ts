/** Finding, keeping and replaying a case at the terminal. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { caseFiles } from '../../campaign/corpus.ts';
import { inFolder, stagewright } from './run.ts';

const LINES_MAX = 40;

test('fuzz writes a case that replays, with the bug and without', async (t) => {
  await inFolder(async (folder) => {
    const words = ['fuzz', '--bug', 'A07', '--runs', '50', '--stop-on-finding', '--out', folder];
    const found = await stagewright(words);
    t.is(found.code, 1);
    t.regex(found.stdout, /^to repeat: stagewright fuzz --seed 1 --bug A07 /);
    const file = join(folder, 'kvm-arm64', 'A07-reference-taken-twice.yaml');
    t.true(existsSync(file));
    t.true(found.stdout.includes(readFileSync(file, 'utf8').trimEnd()));
    t.true(found.stdout.includes(file));

    const [replayed, without] = await Promise.all([
      stagewright(['replay', file]),
      stagewright(['replay', file, '--without-bug']),
    ]);
    t.is(replayed.code, 0);
    t.regex(replayed.stdout, /: reproduced \(the stored order leads to the violation\)/);
    t.regex(replayed.stdout, /reference-counts \(too-high\)/);
    t.is(without.code, 0);
    t.regex(without.stdout, /: (fixed|clean) \(/);

    // a case that expects something else: exit 1
    const other = join(folder, 'other.yaml');
    writeFileSync(other, readFileSync(file, 'utf8').replace('rule: too-high', 'rule: too-low'));
    const { code, stdout } = await stagewright(['replay', file, other]);
    t.is(code, 1);
    t.regex(stdout, /other\.yaml: other \(/);
  });
});

test(`the text replay of every case of the corpus explains it in at most ${LINES_MAX} lines`, async (t) => {
  const files = caseFiles('corpus');
  const { code, stdout, stderr } = await stagewright(['replay', ...files]);
  t.is(code, 0, stderr);
  const lines = stdout.split('\n');
  const starts = files.map((file) => lines.findIndex((line) => line.startsWith(`${file}: `)));
  t.true(starts.every((start) => start >= 0));
  for (const [i, file] of files.entries()) {
    const text = lines
      .slice(starts[i]! + 1, starts[i + 1] ?? lines.length)
      .join('\n')
      .trim();
    if (lines[starts[i]!]!.includes(': reproduced')) {
      t.true(text.split('\n').length > 3, file);
      t.regex(text, /broken promise: /, file);
    }
    t.true(text.split('\n').length <= LINES_MAX, `${file}: ${text.split('\n').length} lines`);
    t.notRegex(text, /undefined|NaN|undeclared-|\[object/, file);
  }
});

test('Ctrl-C ends a campaign cleanly, with the summary and the exit code of what was found', async (t) => {
  const { code, stdout } = await stagewright(['fuzz', 'canary', '--time', '60s'], (child) => {
    child.stdout?.once('data', () => setTimeout(() => child.kill('SIGINT'), 300));
  });
  t.is(code, 0);
  t.regex(stdout, /no finding; interrupted\n$/);
});
