/** `fuzz`: a campaign, with its summary for people and for programs. */
import { join } from 'node:path';
import {
  Campaign,
  type CampaignFinding,
  type CampaignResult,
  type CampaignStatus,
} from '../campaign/campaign.ts';
import { caseName, writeCase } from '../campaign/corpus.ts';
import {
  checkStrategy,
  parseCount,
  parseDuration,
  parseSeed,
  targetsOf,
  UsageError,
} from '../campaign/options.ts';
import { formatCase } from '../fuzz/case-text.ts';
import { explain } from '../fuzz/explain.ts';
import type { Tally } from '../fuzz/session.ts';
import { ORACLES } from '../oracles/registry.ts';
import { Exit, print, printJson, StatusLine, seconds, table, thousands } from './terminal.ts';

export interface FuzzFlags {
  readonly bug?: string[];
  readonly configuration?: string;
  readonly fidelity?: string;
  readonly seed?: string;
  readonly runs?: string;
  readonly time?: string;
  readonly strategy?: string;
  readonly stopOnFinding?: boolean;
  readonly out?: string;
  readonly json?: boolean;
}

const DEFAULT_SECONDS = 60;

export async function fuzz(systems: readonly string[], flags: FuzzFlags): Promise<number> {
  const seed = flags.seed === undefined ? 1 : parseSeed(flags.seed);
  const runs = flags.runs === undefined ? undefined : parseCount('--runs')(flags.runs);
  const time = flags.time === undefined ? undefined : parseDuration(flags.time);
  if (time !== undefined && time <= 0)
    throw new UsageError('--time is 0; a duration above 0 is allowed');
  const campaign = new Campaign({
    seed,
    targets: targetsOf({
      systems,
      bugs: flags.bug ?? [],
      configuration: flags.configuration,
      fidelity: flags.fidelity,
    }),
    strategy: checkStrategy(flags.strategy),
    runs,
    seconds: time ?? (runs === undefined ? DEFAULT_SECONDS : undefined),
    stopOnFinding: flags.stopOnFinding === true,
  });
  if (flags.json !== true) print(`to repeat: ${repeatCommand(systems, flags, seed)}`);
  const stop = (): void => {
    if (campaign.interrupted) process.exit(Exit.Finding);
    campaign.interrupted = true;
  };
  process.on('SIGINT', stop);
  const line = new StatusLine(flags.json === true);
  const result = await campaign.run((status) => line.show(statusText(status)));
  process.off('SIGINT', stop);
  line.clear();
  const taken = new Set<string>();
  const files = result.findings.map((finding) => save(finding, flags.out, taken));
  if (flags.json === true) printJson(summary(result, seed, flags.strategy, files));
  else printSummary(result, files);
  return result.findings.length > 0 ? Exit.Finding : Exit.Clean;
}

function repeatCommand(systems: readonly string[], flags: FuzzFlags, seed: number): string {
  const words = ['stagewright', 'fuzz', ...systems, '--seed', String(seed)];
  for (const bug of flags.bug ?? []) words.push('--bug', bug);
  if (flags.configuration !== undefined) words.push('--configuration', flags.configuration);
  if (flags.strategy !== undefined) words.push('--strategy', flags.strategy);
  if (flags.runs !== undefined) words.push('--runs', flags.runs);
  if (flags.time !== undefined) words.push('--time', flags.time);
  return words.join(' ');
}

function statusText({ seconds: elapsed, executions, steps, findings }: CampaignStatus): string {
  const rate = executions / Math.max(elapsed, 0.001);
  return (
    `${elapsed.toFixed(0)} s  ${thousands(executions)} executions (${thousands(rate)}/s, ` +
    `${(steps / Math.max(elapsed, 0.001) / 1e6).toFixed(2)} M steps/s)  ${findings.length} findings`
  );
}

/** Writes the case when a folder was asked for; the name it has, or would have. */
function save(
  { system, finding }: CampaignFinding,
  folder: string | undefined,
  taken: Set<string>,
): string {
  const base = join(system, caseName(finding.case));
  let name = base;
  for (let number = 2; taken.has(name); number += 1)
    name = base.replace(/\.yaml$/, `-${number}.yaml`);
  taken.add(name);
  if (folder === undefined) return name;
  const file = join(folder, name);
  writeCase(file, finding.case);
  return file;
}

function printSummary(result: CampaignResult, files: readonly string[]): void {
  result.findings.forEach((finding, index) => {
    print('');
    printFinding(finding);
    print(`\n${formatCase(finding.finding.case).trimEnd()}`);
    print(
      `\n(case ${files[index]}; hit ${finding.hits} times, first in execution ${finding.index})`,
    );
  });
  const { executions, steps, vacuous } = result;
  print('');
  print(
    table(
      ['system', 'executions', 'vacuous', 'configurations'],
      [...result.systems].map(([id, counts]) => [
        id,
        thousands(counts.executions),
        `${((100 * counts.vacuous) / Math.max(1, counts.executions)).toFixed(2)} %`,
        [...counts.configurations].map(([name, times]) => `${name} ${thousands(times)}`).join(', '),
      ]),
    ),
  );
  print(
    `${thousands(executions)} executions, ${thousands(steps)} steps in ${seconds(result.seconds)} s ` +
      `(${thousands(executions / result.seconds)}/s); ${vacuous} vacuous; ` +
      `${result.findings.length === 0 ? 'no finding' : `${result.findings.length} findings`}` +
      `${result.interrupted ? '; interrupted' : ''}`,
  );
}

/** The explanation of a finding, as `replay` would print it. */
export function printFinding({ system, bug, finding, strategy }: CampaignFinding): void {
  const { session, plan, run } = finding.minimised;
  print(
    `${system}${bug === undefined ? '' : ` with ${bug}`} (found by ${strategy}): ${finding.signature}`,
  );
  for (const line of explain(session, plan, run)) print(line);
}

interface ConfigurationCounts {
  readonly operations: Record<string, Tally>;
  readonly oracles: Record<string, number>;
}

function summary(
  result: CampaignResult,
  seed: number,
  strategy: string | undefined,
  files: readonly string[],
): unknown {
  return {
    command: 'fuzz',
    seed,
    strategy: strategy ?? 'portfolio',
    jobs: 1,
    executions: result.executions,
    steps: result.steps,
    vacuous: result.vacuous,
    seconds: result.seconds,
    interrupted: result.interrupted,
    findings: result.findings.map(({ system, bug, finding, index, seconds: after }, i) => ({
      system,
      bug: bug ?? null,
      oracle: finding.case.expect?.oracle ?? '',
      signature: finding.signature,
      case: files[i],
      executions: index,
      seconds: after,
      operations: finding.operations,
      switches: finding.switches,
      step: finding.steps,
    })),
    systems: [...result.systems].map(([id, counts]) => {
      const byConfiguration = countsOf(result, id);
      return {
        system: id,
        configurations: Object.fromEntries(counts.configurations),
        operations: total(
          byConfiguration.map(([, one]) => one.operations),
          addTally,
        ),
        oracles: total(
          byConfiguration.map(([, one]) => one.oracles),
          (a: number | undefined, b) => (a ?? 0) + b,
        ),
        byConfiguration: Object.fromEntries(byConfiguration),
        goals: [],
        vacuous: counts.vacuous,
      };
    }),
  };
}

/** Operations and judgements of each configuration of a system. */
function countsOf(
  result: CampaignResult,
  system: string,
): readonly [string, ConfigurationCounts][] {
  const merged = new Map<string, ConfigurationCounts>();
  for (const session of result.sessions.all) {
    if (session.system.id !== system) continue;
    merged.set(session.configuration.id, {
      operations: Object.fromEntries([...session.tallies].map(([id, tally]) => [id, { ...tally }])),
      oracles: Object.fromEntries(
        ORACLES.map(({ id }) => [id, session.oracles.get(id)?.judgements ?? 0]),
      ),
    });
  }
  return [...merged];
}

function total<Value>(
  parts: readonly Record<string, Value>[],
  add: (sum: Value | undefined, value: Value) => Value,
): Record<string, Value> {
  const sums: Record<string, Value> = {};
  for (const part of parts)
    for (const [key, value] of Object.entries(part)) sums[key] = add(sums[key], value);
  return sums;
}

function addTally(sum: Tally | undefined, { begun, finished, failed }: Tally): Tally {
  return {
    begun: (sum?.begun ?? 0) + begun,
    finished: (sum?.finished ?? 0) + finished,
    failed: (sum?.failed ?? 0) + failed,
  };
}
