/** `fuzz`: a campaign, with its summary for people and for programs. */
import { join } from 'node:path';
import {
  addCounts,
  addTallies,
  Campaign,
  type CampaignFinding,
  type CampaignResult,
  type CampaignStatus,
  SHARD,
} from '../campaign/campaign.ts';
import { caseName, writeCase } from '../campaign/corpus.ts';
import {
  checkStrategy,
  parseCount,
  parseDuration,
  parseJobs,
  parseSeed,
  targetsOf,
  UsageError,
} from '../campaign/options.ts';
import { openEngine } from '../campaign/threads.ts';
import { formatCase } from '../fuzz/case-text.ts';
import { ORACLES } from '../oracles/registry.ts';
import { Exit, print, printJson, StatusLine, seconds, table, thousands } from './terminal.ts';

export interface FuzzFlags {
  readonly bug?: string[];
  readonly configuration?: string;
  readonly fidelity?: string;
  readonly seed?: string;
  readonly runs?: string;
  readonly time?: string;
  readonly jobs?: string;
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
  const jobs = parseJobs(flags.jobs);
  const options = {
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
  };
  // a few shards are done before a thread has started
  const engine = openEngine(runs !== undefined && runs <= 16 * SHARD ? 1 : jobs);
  const campaign = new Campaign(options, engine);
  if (flags.json !== true) print(`to repeat: ${repeatCommand(systems, flags, seed)}`);
  const stop = (): void => {
    if (campaign.interrupted) process.exit(Exit.Finding);
    campaign.interrupt();
  };
  process.on('SIGINT', stop);
  const line = new StatusLine(flags.json === true);
  const result = await campaign.run((status) => line.show(statusText(status)));
  process.off('SIGINT', stop);
  await engine.close();
  line.clear();
  const taken = new Set<string>();
  const files = result.findings.map((finding) => save(finding, flags.out, taken));
  if (flags.json === true) printJson(summary(result, jobs, seed, flags.strategy, files));
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

function statusText({ seconds: elapsed, executions, steps, signatures }: CampaignStatus): string {
  const rate = executions / Math.max(elapsed, 0.001);
  return (
    `${elapsed.toFixed(0)} s  ${thousands(executions)} executions (${thousands(rate)}/s, ` +
    `${(steps / Math.max(elapsed, 0.001) / 1e6).toFixed(2)} M steps/s)  ${signatures} findings`
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
        [...counts.configurations]
          .map(([name, cell]) => `${name} ${thousands(cell.executions)}`)
          .join(', '),
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
  print(
    `${system}${bug === undefined ? '' : ` with ${bug}`} (found by ${strategy}): ${finding.signature}`,
  );
  for (const line of finding.explanation) print(line);
}

function summary(
  result: CampaignResult,
  jobs: number,
  seed: number,
  strategy: string | undefined,
  files: readonly string[],
): unknown {
  return {
    command: 'fuzz',
    seed,
    strategy: strategy ?? 'portfolio',
    jobs,
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
      const cells = [...counts.configurations].sort(([a], [b]) => (a < b ? -1 : 1));
      return {
        system: id,
        configurations: Object.fromEntries(cells.map(([name, cell]) => [name, cell.executions])),
        operations: cells.map(([, cell]) => cell.operations).reduce(addTallies, {}),
        oracles: cells
          .map(([, cell]) => cell.oracles)
          .reduce(addCounts, Object.fromEntries(ORACLES.map((oracle) => [oracle.id, 0]))),
        byConfiguration: Object.fromEntries(
          cells.map(([name, { operations, oracles }]) => [name, { operations, oracles }]),
        ),
        goals: [],
        vacuous: counts.vacuous,
      };
    }),
  };
}
