/** Every row of docs/review-questions.md does what it says. */
import { existsSync, readFileSync } from 'node:fs';
import test from 'ava';
import { readCase } from '../campaign/corpus.ts';
import { replayCase } from '../fuzz/replay.ts';
import { Sessions } from '../fuzz/sessions.ts';

interface Question {
  readonly question: string;
  readonly verdict: string;
  readonly command: string;
}

const rows: readonly Question[] = readFileSync('docs/review-questions.md', 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('|') && line.includes('`'))
  .map((line) => {
    const [, question = '', verdict = '', command = ''] = line
      .split('|')
      .map((cell) => cell.trim());
    return { question, verdict, command: command.replaceAll('`', '') };
  });

test('the page has the questions of seed 000', (t) => {
  t.true(rows.length >= 6);
});

for (const { question, verdict, command } of rows) {
  test(question, (t) => {
    const replayed = /^stagewright replay (\S+)$/.exec(command);
    if (replayed !== null) {
      const value = readCase(replayed[1]!);
      const done = replayCase(new Sessions(), value);
      t.is(done.verdict, verdict.split(':')[0] as typeof done.verdict, done.reason);
      return;
    }
    // the named file is part of this suite and fails on its own
    const file = /^npx ava (\S+\.test\.ts)$/.exec(command)?.[1];
    t.true(file !== undefined && existsSync(file), `"${command}" is a replay or names a test file`);
    t.regex(readFileSync(file!, 'utf8'), /\btest\(/);
  });
}
