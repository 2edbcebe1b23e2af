/** `zoo`: every known bug until found; `demo`: the newcomer's minute. */

import { join } from 'node:path';
import { Campaign } from '../campaign/campaign.ts';
import { caseName, writeCase } from '../campaign/corpus.ts';
import {
  bugNamed,
  checkStrategy,
  configurationsOf,
  listedSystems,
  parseDuration,
  parseJobs,
  parseSeed,
  type SystemBug,
  systemsNamed,
  UsageError,
} from '../campaign/options.ts';
import { openEngine } from '../campaign/threads.ts';
import { runZoo, type ZooEntry } from '../campaign/zoo.ts';
import { formatCase } from '../fuzz/case-text.ts';
import { findSystem } from '../models/registry.ts';
import { Exit, print, printJson, StatusLine, seconds, table, thousands } from './terminal.ts';

export interface ZooFlags {
  readonly bug?: string[];
  readonly time?: string;
  readonly jobs?: string;
  readonly seed?: string;
  readonly strategy?: string;
  readonly out?: string;
  readonly json?: boolean;
}

const DEFAULT_SECONDS = 60;

export async function zoo(systems: readonly string[], flags: ZooFlags): Promise<number> {
  const seed = flags.seed === undefined ? 1 : parseSeed(flags.seed);
  const time = flags.time === undefined ? DEFAULT_SECONDS : parseDuration(flags.time);
  const named = systemsNamed(systems);
  const bugs: readonly SystemBug[] =
    flags.bug !== undefined
      ? flags.bug.map((text) => bugNamed(text, named))
      : named.flatMap((system) =>
          system.bugs.filter(({ isHidden }) => isHidden !== true).map((bug) => ({ system, bug })),
        );
  if (bugs.length === 0) throw new UsageError('these systems have no bugs in the zoo');
  const line = new StatusLine(flags.json === true);
  const strategy = checkStrategy(flags.strategy);
  const engine = openEngine(parseJobs(flags.jobs));
  const show = (entry: ZooEntry): void => {
    line.show(`found ${entry.bug.id} after ${thousands(entry.executions)} executions`);
    if (flags.out !== undefined && entry.finding !== undefined) {
      writeCase(join(flags.out, entry.system.id, caseName(entry.finding.case)), entry.finding.case);
    }
  };
  const entries = await runZoo(bugs, { seed, seconds: time, strategy }, show, engine);
  await engine.close();
  line.clear();
  if (flags.json === true) printJson({ command: 'zoo', seed, bugs: entries.map(zooItem) });
  else printZoo(entries, seed);
  return entries.every(({ finding }) => finding !== undefined) ? Exit.Clean : Exit.Finding;
}

function zooItem({ system, bug, finding, executions, seconds: spent }: ZooEntry): unknown {
  return {
    system: system.id,
    bug: bug.id,
    found: finding !== undefined,
    ...(finding === undefined ? {} : { oracle: finding.case.expect?.oracle }),
    expected: [...bug.caughtBy],
    executions,
    seconds: spent,
    ...(finding === undefined
      ? {}
      : { operations: finding.operations, switches: finding.switches }),
  };
}

function printZoo(entries: readonly ZooEntry[], seed: number): void {
  print(
    table(
      ['bug', 'found by', 'executions', 'seconds', 'operations', 'switches'],
      entries.map(({ bug, finding, executions, seconds: spent }) => [
        bug.id,
        finding?.case.expect?.oracle ?? 'not found',
        thousands(executions),
        seconds(spent),
        finding === undefined ? '-' : String(finding.operations),
        finding === undefined ? '-' : String(finding.switches),
      ]),
    ),
  );
  const found = entries.filter(({ finding }) => finding !== undefined);
  print(
    `seed ${seed}: ${found.length} of ${entries.length} found; minimised to a median of ` +
      `${median(found.map(({ finding }) => finding!.operations))} operations and ` +
      `${median(found.map(({ finding }) => finding!.switches))} switches`,
  );
  const [only] = entries;
  if (entries.length !== 1 || only?.finding === undefined) return;
  print('');
  for (const text of only.finding.explanation) print(text);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length === 0 ? 0 : sorted[Math.floor((sorted.length - 1) / 2)]!;
}

const DEMO_SECONDS = 40;
const DEMO_BUGS = [
  'A07-reference-taken-twice',
  'A20-table-level-as-hint',
  'M28-log-taken-after-protect',
] as const;

export interface DemoFlags {
  readonly time?: string;
}

/** Correct systems for a while, then three bugs of kvm-arm64: each found, minimised and explained. */
export async function demo(flags: DemoFlags): Promise<number> {
  const time = flags.time === undefined ? DEMO_SECONDS : parseDuration(flags.time);
  print(
    'Stagewright runs hypervisors’ page-table code against every ordering that it can think of.',
  );
  print(`\n1. The correct models, for ${time} s: no oracle should object.`);
  const systems = listedSystems();
  const engine = openEngine(parseJobs(undefined));
  const options = {
    seed: 1,
    targets: systems.map((system) => ({
      system,
      configurations: configurationsOf(system, undefined, undefined),
      bugs: [],
    })),
    strategy: undefined,
    runs: undefined,
    seconds: time,
    stopOnFinding: true,
  };
  const line = new StatusLine(false);
  const result = await new Campaign(options, engine).run(({ totals, seconds: elapsed }) =>
    line.show(`${elapsed.toFixed(0)} s  ${thousands(totals.executions)} executions`),
  );
  line.clear();
  print(
    `   ${thousands(result.totals.executions)} executions, ${thousands(result.totals.steps)} steps, ${result.findings.length} findings.`,
  );

  const kvm = findSystem('kvm-arm64')!;
  print('\n2. Three real bugs, put back one at a time:');
  const bugs = DEMO_BUGS.map((id) => ({
    system: kvm,
    bug: kvm.bugs.find((bug) => bug.id === id)!,
  }));
  const limits = { seed: 1, seconds: time, strategy: undefined };
  const entries = await runZoo(bugs, limits, () => {}, engine);
  await engine.close();
  for (const { bug, finding, executions, seconds: spent } of entries) {
    print(`\n== ${bug.id}: ${bug.title}\n   (${bug.upstream})`);
    if (finding === undefined) {
      print('   not found');
      continue;
    }
    print(
      `   found in execution ${thousands(executions)} after ${seconds(spent)} s, minimised to ${finding.operations} operations:\n`,
    );
    for (const text of finding.explanation) print(`   ${text}`.trimEnd());
    print(`\n${indent(formatCase(finding.case))}`);
  }
  const isGood =
    result.findings.length === 0 && entries.every(({ finding }) => finding !== undefined);
  print(
    isGood
      ? 'The correct models are clean, and all three bugs were found.'
      : 'This is not as it should be.',
  );
  print(
    'Next: npm run stagewright -- fuzz kvm-arm64 --time 10m, or replay corpus/kvm-arm64/*.yaml (see README.md).',
  );
  return isGood ? Exit.Clean : Exit.Finding;
}

function indent(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((one) => `   ${one}`.trimEnd())
    .join('\n');
}
