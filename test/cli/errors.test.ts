/** What the user gets wrong is answered in one line on standard error, with exit code 2. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { batch, inFolder, stagewright } from './run.ts';

const CASE = 'corpus/kvm-arm64/A07-reference-taken-twice.yaml';

const MISTAKES: Readonly<Record<string, readonly [command: string, says: RegExp]>> = {
  'an unknown command': ['fuzs --json', /unknown command 'fuzs'/],
  'an unknown command of corpus': ['corpus verfy --json', /unknown command 'verfy'/],
  'explore without a file': ['explore --json', /needs a case FILE, or --pairs SYSTEM/],
  'explore with a file and pairs': [
    'explore x.yaml --pairs kvm-arm64 --json',
    /takes FILE or --pairs, and got both/,
  ],
  'switches that are no number': [
    'explore x.yaml --switches few --json',
    /--switches is "few"; a whole number from 0/,
  ],
  'an unknown flag': ['fuzz --bgu A07 --json', /unknown option '--bgu'/],
  'an unknown system': ['fuzz kvm-arm46 --json', /unknown system "kvm-arm46" \(kvm-arm64, /],
  'an unknown bug': ['fuzz --bug Z99 --json', /unknown bug "Z99" \(A01/],
  'a bug that is not unique': ['fuzz --bug M1 --json', /bug "M1" is not unique \(M10-/],
  'a bug of another system': ['zoo canary --bug A07 --json', /unknown bug "A07" \(canary/],
  'an unknown configuration': [
    'fuzz kvm-arm64 --configuration toy --json',
    /unknown configuration "toy" of kvm-arm64 \(exclusive-toy, /,
  ],
  'an unknown fidelity': [
    'fuzz --fidelity F9 --json',
    /no configuration of fidelity "F9" \(F1, F2\)/,
  ],
  'an unknown engine': ['fuzz --engine gas --json', /--engine is "gas" \(local, bullmq\)/],
  'an engine without its Redis': ['fuzz --engine bullmq --json', /needs --redis URL/],
  'a Redis without its engine': ['fuzz --redis redis://x --json', /--redis needs --engine bullmq/],
  'a worker without a Redis': ['worker', /worker needs --redis URL/],
  'a Redis that is none': ['worker --redis http://:a@b', /--redis is "http:\/\/:\*\*\*@b"; redis:/],
  'a folder without a campaign': ['fuzz --resume nowhere --json', /nowhere holds no campaign/],
  'a comparison that is kept nowhere': ['fuzz --before x --json', /--before needs --out DIR/],
  'too many jobs': ['fuzz --jobs 1000 --json', /--jobs is "1000"; at most 256/],
  'an unknown strategy': ['fuzz --strategy lucky --json', /unknown strategy "lucky" \(random, pct/],
  'an unknown strategy of the zoo': ['zoo --strategy lucky --json', /unknown strategy "lucky"/],
  'a bad duration': ['fuzz --time 5x --json', /"5x" is no duration/],
  'a duration of nothing': ['fuzz --time 0s --json', /--time is 0/],
  'a bad seed': ['fuzz --seed -3 --json', /"-3" is no seed/],
  'a bad number of runs': ['fuzz --runs 0 --json', /--runs is "0"/],
  'a number of runs that is none': ['minimise x.yaml --runs many --json', /--runs is "many"/],
  'a list of what there is not': ['list wishes --json', /cannot list "wishes" \(systems, /],
  'mutants of an unknown system': ['mutants kvm --json', /unknown system "kvm"/],
  'mutants without time': ['mutants canary --time 0s --json', /--time is 0/],
  'mutants of which there are none': [
    'mutants canary --only nothing --json',
    /no mutant of canary has "nothing" in its id/,
  ],
  'a missing argument': ['replay --json', /missing required argument 'file'/],
  'too many arguments': ['list bugs oracles --json', /too many arguments/],
  'a file that is not there': [
    'replay nowhere.yaml --json',
    /cannot read nowhere\.yaml: no such file/,
  ],
  'a folder that is not there': [
    'corpus verify nowhere --json',
    /cannot read nowhere: no such file/,
  ],
  'an execution of an unknown system': ['replay kvm:1:2 --json', /unknown system "kvm"/],
  'a case that is in the corpus already': [`corpus add ${CASE}`, /is in the corpus already/],
};

const outcomes = batch(Object.values(MISTAKES).map(([command]) => command.split(' ')));

for (const [index, [what, [, says]]] of Object.entries(MISTAKES).entries()) {
  test(`${what} is an error of one line`, async (t) => {
    const { code, stdout, stderr } = (await outcomes)[index]!;
    t.is(code, 2, stderr);
    t.is(stdout, '');
    t.regex(stderr, says);
    t.regex(stderr, /^stagewright: [^\n]+\n$/);
  });
}

test('the program itself ends with the exit code, for mistakes of the command line and of ours', async (t) => {
  const commands = ['fuzs', 'fuzz --bgu A07 --json', 'fuzz --bug Z99 --json'];
  for (const command of commands) {
    const { code, stdout, stderr } = await stagewright(command.split(' '));
    t.is(code, 2, command);
    t.is(stdout, '');
    t.regex(stderr, /^stagewright: [^\n]+\n$/);
  }
});

test('who stops reading what is printed gets no complaint', (t) => {
  const main = `${process.execPath} --import=tsx cli/main.ts replay ${CASE} --trace`;
  const { stdout, stderr } = spawnSync('sh', ['-c', `${main} | head -1`], { encoding: 'utf8' });
  t.is(stdout.split('\n').length, 2);
  t.is(stderr, '');
});

test('a broken case is an error with file, line and column, for every command that reads cases', async (t) => {
  await inFolder(async (folder) => {
    const text = readFileSync(CASE, 'utf8');
    const line = text.split('\n').findIndex((one) => one.startsWith('system:')) + 1;
    const file = join(folder, 'broken.yaml');
    writeFileSync(file, text.replace('system: kvm-arm64', 'system: kvm-arm46'));
    const readers = ['replay', 'minimise', 'corpus add', 'corpus list', 'corpus refresh'];
    const commands = readers.map((command) => [...command.split(' '), file]);
    for (const { code, stdout, stderr } of await batch(commands)) {
      t.is(code, 2);
      t.is(stdout, '');
      t.is(stderr.split('\n').length, 2, stderr);
      const place = `${file}:${line}:9`;
      t.true(stderr.startsWith(`stagewright: ${place}: unknown system "kvm-arm46"`), stderr);
    }
  });
});

test('a broken case among others is found by corpus verify, with its place', async (t) => {
  await inFolder(async (folder) => {
    const file = join(folder, 'broken.yaml');
    writeFileSync(file, 'format: 1\npolicy: [\n');
    const [outcome] = await batch([['corpus', 'verify', folder]]);
    const { code, stdout } = outcome!;
    t.is(code, 2);
    t.regex(stdout, new RegExp(`${file}:\\d+:\\d+: not YAML`));
  });
});

test('an empty corpus is an error: it verifies nothing', async (t) => {
  await inFolder(async (folder) => {
    mkdirSync(join(folder, 'kvm-arm64'));
    const commands = ['verify', 'list', 'refresh'].map((command) => ['corpus', command, folder]);
    for (const { code, stdout, stderr } of await batch(commands)) {
      t.is(code, 2);
      t.is(stdout, '');
      t.regex(stderr, /^stagewright: .* holds no case .*\n$/);
    }
  });
});

test('a case that does not fail is not minimised', async (t) => {
  await inFolder(async (folder) => {
    const file = join(folder, 'clean.yaml');
    const text = readFileSync(CASE, 'utf8').replace(/^expect:\n(?: .*\n)+/m, 'expect: clean\n');
    writeFileSync(file, text);
    const [outcome] = await batch([['minimise', file]]);
    const { code, stderr } = outcome!;
    t.is(code, 2);
    t.regex(stderr, /expects no finding: there is nothing to minimise/);
    t.is(readFileSync(file, 'utf8'), text);
  });
});
