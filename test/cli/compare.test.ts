/** `fuzz --compare`, and executions of a kept campaign by number. */
import { join } from 'node:path';
import test from 'ava';
import { compareSchema, fuzzSchema, replaySchema } from '../../cli/schemas.ts';
import { inFolder, stagewright } from './run.ts';

test('a bug shows where the correct model is clean, in the same executions', async (t) => {
  const words = ['fuzz', 'kvm-arm64', '--compare', 'correct', 'A07', '--runs', '150', '--json'];
  const { code, stdout } = await stagewright(words);
  const { executions, onlyFirst, onlySecond, both, same, unfit } = compareSchema.parse(
    JSON.parse(stdout),
  );
  t.is(code, 1);
  t.is(executions, 150);
  t.deepEqual([onlyFirst, both, unfit], [[], [], 0]);
  t.true(onlySecond.length > 0);
  for (const { signature } of onlySecond) t.regex(signature, /^reference-counts:/);
  const hits = onlySecond.reduce((sum, one) => sum + one.hits, 0);
  // what never reads the flag runs the same way
  t.true(same > 0 && same + hits <= executions);
});

test('a variant compared with itself differs nowhere', async (t) => {
  const words = ['fuzz', 'canary', '--compare', 'canary-free', 'canary-free', '--runs', '150'];
  const { code, stdout } = await stagewright([...words, '--json']);
  const { same, both, onlyFirst, onlySecond } = compareSchema.parse(JSON.parse(stdout));
  t.is(code, 0);
  t.is(same, 150);
  t.true(both.length > 0);
  t.deepEqual([onlyFirst, onlySecond], [[], []]);
});

test('what cannot be compared is said in a line', async (t) => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['fuzz --compare correct A07', /--compare needs one system, before it/],
    ['fuzz kvm-arm64 --compare correct', /--compare takes two variants; it has correct/],
    ['fuzz kvm-arm64 --compare correct Z99', /knows no variant "Z99" of kvm-arm64/],
  ];
  for (const [command, message] of wrong) {
    const { code, stderr } = await stagewright(command.split(' '));
    t.is(code, 2);
    t.regex(stderr, message);
  }
});

test('an execution of a kept campaign is found by its number', async (t) => {
  await inFolder(async (path) => {
    const folder = join(path, 'kept');
    const words = ['fuzz', '--bug', 'canary-free', '--bug', 'A07', '--runs', '60', '--seed', '8'];
    const run = await stagewright([...words, '--json', '--out', folder]);
    const [finding] = fuzzSchema.parse(JSON.parse(run.stdout)).findings;
    const place = `${folder}:${finding?.executions}`;
    const { code, stdout } = await stagewright(['replay', place, '--json']);
    t.is(code, 0);
    const [replayed] = replaySchema.parse(JSON.parse(stdout)).cases;
    t.is(replayed?.verdict, 'reproduced');
    t.is(replayed?.oracle, finding?.oracle);
  });
});
