/** `litmus`, `check` and `replay --export`, as a user runs them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { checkSchema, litmusSchema } from '../../cli/schemas.ts';
import { batch, inFolder } from './run.ts';

const FOLDER = 'test/litmus';
const FAULT = join(FOLDER, 'fault-read-early.litmus');
const TRACE = 'test/casemate/break-before-make.trace';
const CASE = 'corpus/kvm-arm64/A42-no-break-before-make.yaml';

test('litmus and check as documents', async (t) => {
  const [all, sampled, ets2, checked] = await batch([
    ['litmus', FOLDER, '--json'],
    ['litmus', FAULT, '--runs', '50', '--fidelity', 'F1', '--json'],
    ['litmus', FAULT, '--ets2', '--explore', '--json'],
    ['check', TRACE, '--json'],
  ]);
  t.is(all!.code, 0);
  const { tests } = litmusSchema.parse(JSON.parse(all!.stdout));
  t.deepEqual(
    tests.map(({ test: name, verdict, complete }) => `${name} ${verdict} ${complete}`),
    [
      'dirty-once forbidden true',
      'fault-read-early allowed true',
      'message-passing allowed true',
      'release-publishes forbidden true',
      'store-buffering allowed true',
      'store-unseen-by-walker allowed true',
      'stores-overtake allowed true',
      'unmap-completes forbidden true',
    ],
  );
  for (const { observed, verdict, states, counts, executions } of tests) {
    t.is(observed, verdict === 'allowed');
    t.is(states.length, counts.length);
    t.is(
      executions,
      counts.reduce((sum, count) => sum + count, 0),
    );
  }
  const [sample] = litmusSchema.parse(JSON.parse(sampled!.stdout)).tests;
  t.is(sample?.verdict, 'unobserved', 'a sample forbids nothing');
  t.false(sample?.complete);
  const [exhaustive] = litmusSchema.parse(JSON.parse(ets2!.stdout)).tests;
  t.is(exhaustive?.verdict, 'forbidden');
  t.is(checked!.code, 1);
  const { verdict, oracle, source } = checkSchema.parse(JSON.parse(checked!.stdout));
  t.is(`${verdict} ${oracle}`, 'violation break-before-make');
  t.regex(source ?? '', /^A42-no-break-before-make\.yaml:\d+$/);
});

test('litmus for people: states with counts, and a witness as lanes', async (t) => {
  const [shown] = await batch([['litmus', FAULT, '--witness']]);
  t.is(shown!.code, 0);
  t.regex(shown!.stdout, /^Test fault-read-early allowed\nStates 4\n/);
  t.regex(shown!.stdout, /\n +\d+ \*> 1:X0=1; Fault\(P1:L0,x,D-MMU:Translation\)\n/);
  t.regex(shown!.stdout, /\nObservation fault-read-early Sometimes \d+ \d+\n/);
  t.regex(shown!.stdout, /executions: every inequivalent execution\n/);
  t.regex(shown!.stdout, /\nP0 +\| P1\n/);
  t.regex(shown!.stdout, /\| Translation fault of LDR W2,\[X1\]\n/);
});

test('an exported run is what check reads', async (t) => {
  await inFolder(async (folder) => {
    const [exported] = await batch([['replay', CASE, '--export', 'casemate']]);
    t.is(exported!.code, 0);
    t.is(exported!.stdout, readFileSync(TRACE, 'utf8'), 'the example is such an export');
    const file = join(folder, 'clean.trace');
    const [clean] = await batch([['replay', CASE, '--without-bug', '--export', 'casemate']]);
    writeFileSync(file, clean!.stdout);
    const [judged] = await batch([['check', file]]);
    t.is(judged!.code, 0);
    t.regex(judged!.stdout, /: clean \(\d+ records, \d+ judgements\)\n$/);
  });
});

const MISTAKES: Readonly<Record<string, readonly [args: readonly string[], says: RegExp]>> = {
  'litmus without anything': [['litmus'], /needs files or folders, or --verdicts TABLE/],
  'litmus of nothing': [['litmus', 'nowhere'], /cannot read nowhere: no such file/],
  'a folder without tests': [['litmus', 'test/casemate'], /holds no litmus test/],
  'a fidelity that is not there': [
    ['litmus', FAULT, '--fidelity', 'F4'],
    /no fidelity "F4" \(F1, F2, F3\)/,
  ],
  'both ways to search': [
    ['litmus', FAULT, '--explore', '--runs', '5'],
    /--explore or --runs, and got both/,
  ],
  'a file that is no test': [['litmus', TRACE], /\.trace:1:1: a test begins with "AArch64 NAME"/],
  'a table without columns': [['litmus', '--verdicts', FAULT], /:1: no column test, file, label/],
  'a trace that is none': [['check', FAULT], /:1:9: found "fault-read-early", expected one record/],
  'an export that is not there': [
    ['replay', CASE, '--export', 'herd'],
    /no export "herd" \(ava, perfetto, casemate\)/,
  ],
};

const mistakes = batch(Object.values(MISTAKES).map(([args]) => args));

for (const [index, [name, [, says]]] of Object.entries(MISTAKES).entries())
  test(`${name}: one line, exit code 2`, async (t) => {
    const { code, stdout, stderr } = (await mistakes)[index]!;
    t.is(code, 2);
    t.is(stdout, '');
    t.regex(stderr, /^stagewright: [^\n]+\n$/);
    t.regex(stderr, says);
  });
