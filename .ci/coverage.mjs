// Coverage of everything that runs: tests, corpus, and a smoke campaign in worker threads. Writes
// coverage/ (text, lcov, HTML) and fails when a folder is below its threshold in package.json.
// Arguments are test files, all by default, external ones too; --report takes what the last run left.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { relative } from 'node:path';
import { isTypesOnly, judge } from './thresholds.mjs';

const RAW = 'coverage/raw';
const args = process.argv.slice(2);
const isReport = args.includes('--report');
const tests = args.filter((one) => !one.startsWith('--'));
const { coverage } = JSON.parse(readFileSync('package.json', 'utf8'));

function run(command, words, env = {}) {
  const { status } = spawnSync(command, words, {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  return status ?? 1;
}

function measured(command, words) {
  const status = run(command, words, { NODE_V8_COVERAGE: RAW });
  if (status === 0) return;
  process.stdout.write(`${command} ${words.join(' ')} ended with ${status}\n`);
  process.exit(status);
}

if (!isReport) {
  rmSync('coverage', { recursive: true, force: true });
  mkdirSync(RAW, { recursive: true });
  measured('node_modules/.bin/ava', tests);
  if (tests.length === 0) {
    measured('node_modules/.bin/ava', ['--config', 'test/external/ava.config.js']);
    const main = ['--import=tsx', 'cli/main.ts'];
    measured(process.execPath, [...main, 'corpus', 'verify']);
    measured(process.execPath, [...main, 'fuzz', '--seed', '1', '--runs', '6000', '--jobs', '2']);
  }
}

const included = Object.keys(coverage.thresholds).flatMap((folder) => [
  '--include',
  `${folder}/**`,
]);
// scripts of pages run in browsers, which external tests start: V8 there writes nothing for us
const excluded = ['--exclude', 'cli/page/**'];
const reporters = ['text-summary', 'lcov', 'html', 'json-summary'].flatMap((one) => [
  '--reporter',
  one,
]);
const report = [
  'report',
  '--all',
  '--merge-async',
  '--temp-directory',
  RAW,
  '--reports-dir',
  'coverage',
];
const made = run('node_modules/.bin/c8', [...report, ...included, ...excluded, ...reporters]);
if (made !== 0) process.exit(made);

const summary = JSON.parse(readFileSync('coverage/coverage-summary.json', 'utf8'));
const files = Object.entries(summary)
  .filter(([name]) => name !== 'total')
  .map(([name, values]) => ({ name: relative('.', name), ...values }))
  .filter(({ name }) => !isTypesOnly(readFileSync(name, 'utf8')));
const verdicts = judge(files, coverage.thresholds);
for (const { text } of verdicts) process.stdout.write(`${text}\n`);
for (const file of [...files].sort((a, b) => a.branches.pct - b.branches.pct).slice(0, 15)) {
  const { name, statements, branches } = file;
  process.stdout.write(
    `     ${name}: statements ${statements.pct} %, branches ${branches.pct} %\n`,
  );
}
process.exitCode = verdicts.some(({ isLow }) => isLow) ? 1 : 0;
