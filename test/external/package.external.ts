/**
 * The packed package in an empty folder: it installs, its command runs a campaign, its types compile in
 * a strict project, and the tutorial can be followed word by word. Fetches its dependencies from the registry.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import test from 'ava';
import { blocksOf, follow } from '../tutorial.ts';

const folder = mkdtempSync(join(tmpdir(), 'stagewright-package-'));
test.after.always(() => rmSync(folder, { recursive: true }));

function shell(command: string, args: readonly string[], cwd = folder): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function tarball(): string {
  return readdirSync(folder).find((name) => name.endsWith('.tgz'))!;
}

/** Packed and installed once; the tests that follow use it. */
function install(): void {
  shell('npm', ['pack', '--pack-destination', folder], '.');
  const manifest = { name: 'user', private: true, type: 'module' };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  shell('npm', ['install', `./${tarball()}`]);
}

test.before(install);

/** A file that uses every exported function with its types. */
const PROGRAM = `
import { BugFlags, defineOracle, defineSystem, fc, fuzz, ORACLES, programs, run, schedules, SYSTEMS } from 'stagewright';
import { Claim, Event, type Machine, sites } from 'stagewright/sim';
const [system] = SYSTEMS;
if (system === undefined) throw new Error('there are systems');
fc.assert(fc.property(programs(system, { configuration: 'exclusive-toy' }), schedules(), (program, schedule) => {
  const outcome = run(system, program, { configuration: 'exclusive-toy', schedule });
  return outcome.violation === undefined;
}), { numRuns: 20 });
const canary = SYSTEMS.find(({ id }) => id === 'canary') ?? system;
const { findings } = await fuzz(canary, { bug: 'canary-free-before-invalidation', runs: 200 });
const at = sites('own', ['read']);
const machine: Machine | undefined = undefined;
console.log(findings[0]?.oracle, typeof at.read, typeof defineSystem, typeof defineOracle, machine, ORACLES.length > 10, Claim.HostGrants, Event.Use, typeof BugFlags);
`;

test.serial('its command runs a campaign with threads, and finds', (t) => {
  const args = ['stagewright', 'fuzz', 'canary', '--runs', '20000', '--jobs', '2', '--json'];
  const clean = JSON.parse(shell('npx', [...args, '--out', 'kept'])) as {
    executions: number;
    findings: unknown[];
  };
  t.is(clean.executions, 20_000);
  t.deepEqual(clean.findings, []);
  const error = t.throws(() => shell('npx', [...args, '--bug', 'canary', '--stop-on-finding']));
  const { status, stdout } = error as unknown as { status: number; stdout: string };
  t.is(status, 1);
  t.is((JSON.parse(stdout) as { findings: unknown[] }).findings.length, 1);
});

test.serial('its corpus verifies', (t) => {
  t.regex(
    shell('npx', [
      'stagewright',
      'corpus',
      'verify',
      'node_modules/stagewright/corpus/kvm-arm64/A20-table-level-as-hint.yaml',
    ]),
    /1 of 1 cases are as recorded/,
  );
});

test.serial('its pages come with it', (t) => {
  const file = 'node_modules/stagewright/corpus/kvm-arm64/A20-table-level-as-hint.yaml';
  shell('npx', ['stagewright', 'replay', file, '--html', 'viewer.html']);
  const page = readFileSync(join(folder, 'viewer.html'), 'utf8');
  t.regex(page, /<script type="application\/json" id="data">/);
});

test.serial(
  'its types compile in a strict project, without the libraries’ being skipped, and plain Node runs it',
  (t) => {
    writeFileSync(
      join(folder, 'program.ts'),
      PROGRAM.replace(
        /^console/m,
        'declare const console: { log(...all: unknown[]): void };\nconsole',
      ),
    );
    const tsc = resolve('node_modules/.bin/tsc');
    const flags =
      '--ignoreConfig --outDir out --strict --exactOptionalPropertyTypes --noUncheckedIndexedAccess --module nodenext --target es2023 --lib es2023 --skipLibCheck false';
    shell(tsc, [...flags.split(' '), 'program.ts']);
    t.regex(
      shell('node', ['out/program.js']),
      /^freed-page number function function undefined true 1 20 function/,
    );
  },
);

test.serial('the tutorial can be followed word by word in an empty folder', (t) => {
  const empty = mkdtempSync(join(folder, 'tutorial-'));
  const { commands, wrong } = follow(blocksOf('docs/tutorial.md'), empty, (command) => {
    const [program = '', ...args] = command.split(' ');
    // the package is not published from here: what was packed stands for it
    const isInstall = command === 'npm install stagewright';
    return [program, isInstall ? ['install', join(folder, tarball())] : args];
  });
  t.deepEqual(wrong, []);
  t.is(commands[2], 'npm install stagewright');
});
