/** `explore`: every inequivalent execution of a small case, or of a small case for every pair of operations. */

import { join } from 'node:path';
import { openSessions } from '../campaign/catalogue.ts';
import { caseName, readCase, writeCase } from '../campaign/corpus.ts';
import { parseCount, parseDuration, UsageError } from '../campaign/options.ts';
import type { Case } from '../fuzz/case.ts';
import { formatCase } from '../fuzz/case-text.ts';
import { describeFinding, explain } from '../fuzz/explain.ts';
import { estimateUnpruned } from '../fuzz/explore/estimate.ts';
import { explore } from '../fuzz/explore/explore.ts';
import type { Exploration, ExploredFinding } from '../fuzz/explore/result.ts';
import { type Finding, findingOf } from '../fuzz/finding.ts';
import { operationCount, type Program } from '../fuzz/program.ts';
import { deriveSchedule, type Plan, runAnswers, runPlan } from '../fuzz/schedule.ts';
import type { Session } from '../fuzz/session.ts';
import { assert } from '../sim/assert.ts';
import { explorePairs } from './explore-pairs.ts';
import {
  boundText,
  checkFidelity,
  type ExploreFlags,
  type Limits,
  statusText,
  Watch,
  watched,
} from './explore-run.ts';
import { Exit, print, printJson, StatusLine, seconds, thousands } from './terminal.ts';

/** Executions spent on the unpruned search; above, the figure is an estimate. */
const UNPRUNED_EXECUTIONS = 20_000;
const PROBES = 2000;

export async function exploreCommand(
  file: string | undefined,
  flags: ExploreFlags,
): Promise<number> {
  const limits: Limits = {
    switches: whole('--switches', flags.switches),
    answers: whole('--answers', flags.answers),
    executions:
      flags.executions === undefined ? undefined : parseCount('--executions')(flags.executions),
    seconds: flags.time === undefined ? undefined : parseDuration(flags.time),
  };
  if (flags.pairs === undefined) {
    if (file === undefined) throw new UsageError('explore needs a case FILE, or --pairs SYSTEM');
    if (flags.configuration !== undefined)
      throw new UsageError('--configuration goes with --pairs; a case names its own');
    return exploreFile(file, flags, limits);
  }
  if (file !== undefined)
    throw new UsageError(`explore takes FILE or --pairs, and got both ("${file}")`);
  return explorePairs(flags.pairs, flags, limits);
}

function whole(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new UsageError(`${name} is "${text}"; a whole number from 0 is allowed`);
}

async function exploreFile(file: string, flags: ExploreFlags, limits: Limits): Promise<number> {
  const value = readCase(file);
  const sessions = openSessions();
  const bugs = value.bug === undefined || flags.withoutBug === true ? [] : [value.bug];
  const session = sessions.get(value.system, value.configuration, bugs);
  checkFidelity(session.configuration);
  const watch = new Watch(limits.seconds);
  const line = new StatusLine(flags.json === true);
  const result = await watched(session, value, limits, watch, (progress) =>
    line.show(statusText(progress, watch.elapsed)),
  );
  const elapsed = watch.elapsed;
  const found = result.findings.map((finding) => makeCase(session, value, finding));
  const files = found.map((finding) => save(finding, flags.save));
  const saved =
    result.ended === 'stopped' ? undefined : savedFactor(session, value, limits, result);
  line.clear();
  watch.close();
  if (flags.json === true)
    printJson(summary(file, limits, result, saved, elapsed, watch.isInterrupted, files));
  else {
    found.forEach((finding, i) => {
      for (const text of explain(session, finding.minimised.plan, finding.minimised.run))
        print(text);
      print(`\n${formatCase(finding.case).trimEnd()}\n`);
      if (flags.save !== undefined) print(`(case ${files[i]})\n`);
    });
    print(`${sentence(value.program, limits, result)}`);
    for (const text of figures(result, saved, elapsed)) print(text);
  }
  return found.length > 0 ? Exit.Finding : Exit.Clean;
}

/** The first schedule that shows a finding, as a case of the explored program. */
function makeCase(session: Session, value: Case, finding: ExploredFinding): Finding {
  const plan: Plan = {
    program: value.program,
    parameters: value.parameters,
    order: [],
    choices: [],
  };
  const exact = runAnswers(session, plan, finding.answers);
  assert(exact !== undefined, 'the answers of an exploration replay');
  const ordered: Plan = { ...plan, ...deriveSchedule(session, exact.recorder) };
  const run = runPlan(session, ordered);
  assert(run.violation !== undefined, 'the order of an exploration replays');
  const minimised = { session, plan: ordered, run, executions: 0, others: new Map() };
  return findingOf(minimised, describeFinding(minimised));
}

function save(finding: Finding, folder: string | undefined): string {
  const name = join(finding.case.system, caseName(finding.case));
  if (folder === undefined) return name;
  const file = join(folder, name);
  writeCase(file, finding.case);
  return file;
}

interface Saved {
  /** Executions of the search without pruning. */
  readonly executions: number;
  readonly isMeasured: boolean;
}

function savedFactor(session: Session, value: Case, limits: Limits, result: Exploration): Saved {
  const { switches, answers } = limits;
  const plain = explore(session, value, {
    switches,
    answers,
    isUnpruned: true,
    executions: Math.min(UNPRUNED_EXECUTIONS, 1000 + 2 * result.executions),
  });
  if (plain.ended === 'all') return { executions: plain.executions, isMeasured: true };
  const estimate = estimateUnpruned(session, value, { switches, answers }, PROBES);
  return { executions: estimate, isMeasured: false };
}

/** `2 vCPUs x 2 operations x 3 pages`: the size of a program. */
export function sizeText(program: Program): string {
  const pages = new Set(
    program.flatMap(({ operations }) => operations.flatMap(({ args }) => args.slice(0, 1))),
  );
  const most = Math.max(...program.map(({ operations }) => operations.length));
  const isEven = program.length * most === operationCount(program);
  const kind = program.every(({ actor }) => actor.startsWith('vcpu')) ? 'vCPU' : 'actor';
  const many = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;
  return [
    many(program.length, kind),
    `${isEven ? '' : 'up to '}${many(most, 'operation')}`,
    many(pages.size, 'page'),
  ].join(' x ');
}

/** The sentence that one may quote. */
function sentence(program: Program, limits: Limits, result: Exploration): string {
  const size = sizeText(program);
  const { findings, classes, complete, unbounded } = result;
  const verdict =
    findings.length === 0
      ? 'no violation'
      : findings.length === 1
        ? `1 violation, first with ${findings[0]!.switches} switches`
        : `${findings.length} kinds of violations, the first with ${Math.min(...findings.map((one) => one.switches))} switches`;
  const bound = unbounded ? '' : boundText(limits);
  if (complete)
    return `all ${thousands(classes)} inequivalent schedules of ${size}${bound}: ${verdict}`;
  const why =
    result.ended === 'executions'
      ? `bound reached after ${thousands(result.executions)} executions`
      : result.ended === 'stopped'
        ? `stopped after ${thousands(result.executions)} executions`
        : `${thousands(result.truncated)} executions ran out of steps`;
  return `${why}; ${thousands(classes)} inequivalent schedules of ${size}${bound}, not all: ${verdict}`;
}

function figures(result: Exploration, saved: Saved | undefined, elapsed: number): string[] {
  const { executions, pruned, passes, progress, endStates, bySwitches } = result;
  const lines = [
    `${thousands(executions)} executions in ${seconds(elapsed)} s (${thousands(executions / Math.max(elapsed, 0.001))}/s), ` +
      `of which ${thousands(pruned)} met an earlier one; ${passes} passes; ${endStates.size} end states; ` +
      `by switches: ${bySwitches.map((count, i) => `${i}: ${thousands(count)}`).join(', ')}`,
  ];
  if (!result.complete)
    lines.push(
      `at most ${(100 * progress.fraction).toFixed(1)} % of the search was done: ${thousands(progress.pending)} schedules are known and were not run`,
    );
  if (saved !== undefined) {
    const factor = saved.executions / executions;
    lines.push(
      `without pruning ${saved.isMeasured ? '' : 'about '}${thousands(saved.executions)} executions ` +
        `(${saved.isMeasured ? 'measured' : `estimate from ${PROBES} random descents`}): factor ${factor.toPrecision(3)}`,
    );
  }
  return lines;
}

function summary(
  file: string,
  limits: Limits,
  result: Exploration,
  saved: Saved | undefined,
  elapsed: number,
  isInterrupted: boolean,
  files: readonly string[],
): unknown {
  return {
    command: 'explore',
    file,
    executions: result.executions,
    pruned: result.pruned,
    complete: result.complete,
    bound: {
      switches: limits.switches ?? null,
      answers: limits.answers ?? null,
      executions: limits.executions ?? null,
      seconds: limits.seconds ?? null,
    },
    ended: isInterrupted ? 'interrupted' : result.ended,
    unbounded: result.unbounded,
    classes: result.classes,
    bySwitches: result.bySwitches,
    truncated: result.truncated,
    passes: result.passes,
    fraction: result.progress.fraction,
    seconds: elapsed,
    unpruned: saved ?? null,
    endStates: [...result.endStates].sort((a, b) => (a < b ? -1 : 1)),
    findings: result.findings.map(
      ({ signature, violation, switches, answersChanged, hits }, i) => ({
        signature,
        oracle: violation.oracle,
        switches,
        answers: answersChanged,
        hits,
        case: files[i],
      }),
    ),
  };
}
