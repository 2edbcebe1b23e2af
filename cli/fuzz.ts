/** `fuzz`: a campaign, with its summary for people and for programs. */

import { BullEngine } from '../campaign/bull.ts';
import { Campaign, type CampaignOptions, type CampaignResult } from '../campaign/campaign.ts';
import { canaryText } from '../campaign/canary.ts';
import { catalogue } from '../campaign/catalogue.ts';
import { type Engine, SHARD } from '../campaign/engine.ts';
import { CampaignFolder } from '../campaign/folder.ts';
import { lifecycle } from '../campaign/lifecycle.ts';
import {
  checkStrategy,
  parseCount,
  parseDuration,
  parseEngine,
  parseJobs,
  parseSeed,
  targetsOf,
  UsageError,
} from '../campaign/options.ts';
import { startOf } from '../campaign/start.ts';
import { folderSummary, fuzzDocument, type GoalReached, goalsOf } from '../campaign/summary.ts';
import { type Cell, planOf, targetsOfPlan } from '../campaign/task.ts';
import { openEngine } from '../campaign/threads.ts';
import type { Finding } from '../campaign/totals.ts';
import { formatCase } from '../fuzz/case-text.ts';
import { compare } from './compare.ts';
import { LiveStatus } from './live-status.ts';
import { Exit, print, printJson, seconds, table, thousands } from './terminal.ts';

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
  readonly resume?: string;
  readonly before?: string;
  readonly compare?: string[];
  readonly engine?: string;
  readonly redis?: string;
  readonly load?: string[];
  readonly json?: boolean;
}

const DEFAULT_SECONDS = 60;
/** How often summary.json is written anew. */
const SUMMARY_SECONDS = 30;

/** What to run, and where it is kept. */
interface Order {
  readonly options: CampaignOptions;
  readonly folder: CampaignFolder | undefined;
  /** The command that does the same again. */
  readonly repeat: string;
}

export async function fuzz(systems: readonly string[], flags: FuzzFlags): Promise<number> {
  if (flags.compare !== undefined) return compare(systems, flags.compare, flags);
  const jobs = parseJobs(flags.jobs);
  const redis = parseEngine(flags.engine, flags.redis);
  // before a folder is made for a campaign that cannot begin
  const far = redis === null ? undefined : await BullEngine.open(redis);
  try {
    const order = flags.resume === undefined ? newOrder(systems, flags) : resumed(systems, flags);
    if (flags.json !== true) print(`to repeat: ${order.repeat}`);
    const done = order.folder?.history.totals.executions ?? 0;
    const left = (order.options.runs ?? Number.MAX_SAFE_INTEGER) - done;
    // a few shards are done before a thread has started
    const engine: Engine = far ?? openEngine(left <= 16 * SHARD ? 1 : jobs);
    try {
      return await carryOut(order, engine, jobs, flags.json === true);
    } finally {
      await engine.close();
      order.folder?.close();
    }
  } finally {
    await far?.close();
  }
}

async function carryOut(
  { options, folder }: Order,
  engine: Engine,
  jobs: number,
  isJson: boolean,
): Promise<number> {
  folder?.start({ at: new Date().toISOString(), jobs: engine.workers, engine: engine.name });
  const result = await watch(new Campaign(options, engine, folder), folder, isJson);
  if (isJson) printJson({ ...fuzzDocument(result, folder?.path), jobs });
  else printSummary(result, folder?.path);
  // after all is told: the disk may be full
  folder?.finish(folderSummary(result, folder));
  if (folder !== undefined && !isJson) printLives(result, folder);
  return result.findings.length > 0 ? Exit.Finding : Exit.Clean;
}

/** Runs a campaign with its status and Ctrl-C: once to end it, twice to stop at once. */
async function watch(
  campaign: Campaign,
  folder: CampaignFolder | undefined,
  isQuiet: boolean,
): Promise<CampaignResult> {
  const stop = (): void => {
    if (campaign.interrupted)
      process.exit(campaign.result.findings.length > 0 ? Exit.Finding : Exit.Clean);
    campaign.interrupt();
  };
  process.on('SIGINT', stop);
  const live = new LiveStatus(isQuiet);
  let written = 0;
  try {
    return await campaign.run((status) => {
      live.show(status);
      if (folder === undefined || status.seconds - written < SUMMARY_SECONDS) return;
      written = status.seconds;
      tryToWrite(campaign.result, folder);
    });
  } finally {
    process.off('SIGINT', stop);
    live.clear();
  }
}

/** The disk may be full for a while: the end of the campaign says so if it still is. */
function tryToWrite(result: CampaignResult, folder: CampaignFolder): void {
  try {
    folder.writeSummary(folderSummary(result, folder));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
  }
}

function newOrder(systems: readonly string[], flags: FuzzFlags): Order {
  const seed = flags.seed === undefined ? 1 : parseSeed(flags.seed);
  if (flags.before !== undefined && flags.out === undefined)
    throw new UsageError('--before needs --out DIR: the comparison is kept there');
  const { runs, time } = limitsOf(flags);
  const targets = targetsOf({
    systems,
    bugs: flags.bug ?? [],
    configuration: flags.configuration,
    fidelity: flags.fidelity,
  });
  const strategy = checkStrategy(flags.strategy);
  const learnsFrom = startOf(targets, strategy);
  const options: CampaignOptions = {
    seed,
    targets,
    strategy,
    learnsFrom,
    runs,
    seconds: time ?? (runs === undefined ? DEFAULT_SECONDS : undefined),
    stopOnFinding: flags.stopOnFinding === true,
  };
  const folder =
    flags.out === undefined
      ? undefined
      : CampaignFolder.create(flags.out, {
          plan: planOf(seed, targets, strategy, learnsFrom !== undefined),
          runs: runs ?? null,
          seconds: options.seconds ?? null,
          stopOnFinding: options.stopOnFinding,
          before: flags.before === undefined ? null : CampaignFolder.known(flags.before),
        });
  return { options, folder, repeat: repeatCommand(systems, flags, seed) };
}

/** Flags that a campaign has from its folder when it is resumed. */
const FROM_FOLDER = [
  'bug',
  'configuration',
  'fidelity',
  'seed',
  'strategy',
  'stopOnFinding',
  'out',
  'before',
] as const;

function resumed(systems: readonly string[], flags: FuzzFlags): Order {
  const given = FROM_FOLDER.find((name) => flags[name] !== undefined);
  const word =
    systems.length > 0 ? 'a system' : given?.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
  if (word !== undefined) {
    const what = systems.length > 0 ? word : `--${word}`;
    throw new UsageError(
      `--resume takes what it runs from its folder: ${what} is not allowed (--runs, --time, --jobs, --json are)`,
    );
  }
  const path = flags.resume!;
  const { runs, time } = limitsOf(flags);
  const folder = CampaignFolder.resume(path);
  const { plan, ...first } = folder.manifest;
  const hasLimit = runs !== undefined || time !== undefined;
  const left = first.seconds === null ? undefined : first.seconds - folder.history.totals.seconds;
  const targets = targetsOfPlan(plan, catalogue());
  const strategy = plan.strategy ?? undefined;
  const options: CampaignOptions = {
    seed: plan.seed,
    targets,
    strategy,
    learnsFrom: plan.learns ? startOf(targets, strategy) : undefined,
    runs: hasLimit ? runs : (first.runs ?? undefined),
    seconds: hasLimit ? time : left === undefined ? undefined : Math.max(0, left),
    stopOnFinding: first.stopOnFinding,
  };
  return { options, folder, repeat: `stagewright fuzz --resume ${path}` };
}

function limitsOf(flags: FuzzFlags): { runs: number | undefined; time: number | undefined } {
  const runs = flags.runs === undefined ? undefined : parseCount('--runs')(flags.runs);
  const time = flags.time === undefined ? undefined : parseDuration(flags.time);
  if (time !== undefined && time <= 0)
    throw new UsageError('--time is 0; a duration above 0 is allowed');
  return { runs, time };
}

function repeatCommand(systems: readonly string[], flags: FuzzFlags, seed: number): string {
  const words = ['stagewright', 'fuzz', ...systems, '--seed', String(seed)];
  for (const file of flags.load ?? []) words.push('--load', file);
  for (const bug of flags.bug ?? []) words.push('--bug', bug);
  if (flags.configuration !== undefined) words.push('--configuration', flags.configuration);
  if (flags.strategy !== undefined) words.push('--strategy', flags.strategy);
  if (flags.runs !== undefined) words.push('--runs', flags.runs);
  if (flags.time !== undefined) words.push('--time', flags.time);
  return words.join(' ');
}

function printSummary(result: CampaignResult, folder: string | undefined): void {
  for (const finding of result.findings) {
    print('');
    printFinding(finding);
    if (finding.found !== undefined) print(`\n${formatCase(finding.found.case).trimEnd()}`);
    const file = folder === undefined ? finding.file : `${folder}/${finding.file}`;
    print(
      `\n(case ${file}; hit ${finding.hits} times, first in execution ${finding.failure.index})`,
    );
  }
  const { totals, plan } = result;
  for (const { signature, by, file } of totals.met) {
    print(`\nmet while minimising ${by}:\n  ${signature}`);
    if (folder !== undefined) print(`  (case ${folder}/${file})`);
  }
  const cells = [...totals.cells.values()];
  const ids = [...new Set(plan.targets.map(({ system }) => system))];
  print('');
  print(
    table(
      ['system', 'executions', 'vacuous', 'goals', 'configurations'],
      ids.map((id) => {
        const own = cells.filter(({ system }) => system === id);
        const executions = own.reduce((sum, cell) => sum + cell.executions, 0);
        const vacuous = own.reduce((sum, cell) => sum + cell.vacuous, 0);
        return [
          id,
          thousands(executions),
          `${((100 * vacuous) / Math.max(1, executions)).toFixed(2)} %`,
          goalCount(goalsOf(id, own)),
          own
            .map((cell) => `${cell.configuration} ${thousands(cell.executions)}${ofGoals(cell)}`)
            .join(', '),
        ];
      }),
    ),
  );
  for (const id of ids) {
    const own = cells.filter(({ system }) => system === id);
    const missing = goalsOf(id, own).filter(({ reached }) => !reached);
    if (missing.length > 0)
      print(`${id}: goals not reached: ${missing.map((goal) => goal.id).join(', ')}`);
  }
  const { executions, steps, vacuous } = totals;
  print(
    `${thousands(executions)} executions, ${thousands(steps)} steps in ${seconds(result.seconds)} s ` +
      `(${thousands(executions / Math.max(0.001, result.seconds))}/s); ${vacuous} vacuous; ` +
      `${result.findings.length === 0 ? 'no finding' : `${result.findings.length} findings`}` +
      `${result.interrupted ? '; interrupted' : ''}`,
  );
  const canary = canaryText(result);
  if (canary !== '') print(canary);
}

/** Reached, of those that the configurations can reach. */
function goalCount(goals: readonly GoalReached[]): string {
  return `${goals.filter(({ reached }) => reached).length}/${goals.length}`;
}

function ofGoals(cell: Cell): string {
  const goals = goalsOf(cell.system, [cell]);
  return goals.length === 0 ? '' : ` (goals ${goalCount(goals)})`;
}

/** The explanation of a finding, as `replay` would print it. */
export function printFinding({ failure, found }: Finding): void {
  const { system, bugs, strategy, signature } = failure;
  const bug = bugs[0] === undefined ? '' : ` with ${bugs[0]}`;
  print(`${system}${bug} (found by ${strategy}): ${signature}`);
  for (const line of found?.explanation ?? []) print(line);
}

/** What became of the signatures of the campaign before. */
function printLives({ totals }: CampaignResult, { manifest }: CampaignFolder): void {
  if (manifest.before === null) return;
  for (const { state, signature, hits, executions } of lifecycle(totals, manifest.before))
    print(`${state.padEnd(10)} ${signature} (${hits} hits in ${thousands(executions)} executions)`);
}
