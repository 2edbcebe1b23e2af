/** `explore`: every inequivalent execution of a small case, or of a small case for every pair of operations. */
import { join } from 'node:path';
import { caseName, readCase, writeCase } from '../campaign/corpus.ts';
import {
  configurationsOf,
  parseCount,
  parseDuration,
  systemsNamed,
  UsageError,
} from '../campaign/options.ts';
import type { Case } from '../fuzz/case.ts';
import { formatCase } from '../fuzz/case-text.ts';
import { describeFinding, explain } from '../fuzz/explain.ts';
import { estimateUnpruned } from '../fuzz/explore/estimate.ts';
import {
  type Exploration,
  type ExploredFinding,
  Explorer,
  explore,
  type Progress,
  type Subject,
} from '../fuzz/explore/explore.ts';
import { pairsOf } from '../fuzz/explore/pairs.ts';
import { type Finding, findingOf } from '../fuzz/finding.ts';
import { operationCount, type Program } from '../fuzz/program.ts';
import { deriveSchedule, type Plan, runAnswers, runPlan } from '../fuzz/schedule.ts';
import type { Session } from '../fuzz/session.ts';
import { Sessions } from '../fuzz/sessions.ts';
import { assert } from '../sim/assert.ts';
import { Exit, print, printJson, StatusLine, seconds, table, thousands } from './terminal.ts';

export interface ExploreFlags {
  readonly switches?: string;
  readonly answers?: string;
  readonly executions?: string;
  readonly time?: string;
  readonly withoutBug?: boolean;
  readonly save?: string;
  readonly pairs?: string;
  readonly configuration?: string;
  readonly json?: boolean;
}

/** Executions spent on the unpruned search; above, the figure is an estimate. */
const UNPRUNED_EXECUTIONS = 20_000;
const PROBES = 2000;
/** Between two looks at the terminal and at signals. */
const SHOW_SECONDS = 0.2;

interface Limits {
  readonly switches: number | undefined;
  readonly answers: number | undefined;
  readonly executions: number | undefined;
  readonly seconds: number | undefined;
}

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

/** Ctrl-C and the time limit, asked before every execution. */
class Watch {
  isInterrupted = false;
  readonly #began = performance.now();
  readonly #seconds: number | undefined;
  readonly #stop = (): void => {
    if (this.isInterrupted) process.exit(Exit.Finding);
    this.isInterrupted = true;
  };

  constructor(limit: number | undefined) {
    this.#seconds = limit;
    process.on('SIGINT', this.#stop);
  }

  get elapsed(): number {
    return (performance.now() - this.#began) / 1000;
  }

  get isOver(): boolean {
    return this.isInterrupted || (this.#seconds !== undefined && this.elapsed >= this.#seconds);
  }

  close(): void {
    process.off('SIGINT', this.#stop);
  }
}

/** Explores until it is done or the watch ends it; lets signals in now and then. */
async function watched(
  session: Session,
  subject: Subject,
  limits: Limits,
  watch: Watch,
  show: (progress: Progress) => void,
): Promise<Exploration> {
  const explorer = new Explorer(session, subject, limits);
  let shown = watch.elapsed;
  while (!watch.isOver && explorer.step()) {
    if (watch.elapsed - shown < SHOW_SECONDS) continue;
    shown = watch.elapsed;
    show(explorer.progress);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return explorer.exploration;
}

function statusText(progress: Progress, elapsed: number): string {
  const { executions, classes, switches, pending, fraction, findings } = progress;
  return (
    `${elapsed.toFixed(0)} s  ${thousands(executions)} executions (${thousands(executions / Math.max(elapsed, 0.001))}/s), ` +
    `${thousands(classes)} inequivalent; at ${switches} switches, ${thousands(pending)} schedules known to come, ` +
    `at most ${(100 * fraction).toFixed(1)} % done; ${findings} findings`
  );
}

// ---- one case ----

async function exploreFile(file: string, flags: ExploreFlags, limits: Limits): Promise<number> {
  const value = readCase(file);
  const sessions = new Sessions();
  const bugs = value.bug === undefined || flags.withoutBug === true ? [] : [value.bug];
  const session = sessions.get(value.system, value.configuration, bugs);
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
  const minimised = { session, plan: ordered, run, executions: 0, others: new Map<string, Plan>() };
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

function boundText({ switches, answers }: Limits): string {
  const texts = [
    ...(switches === undefined
      ? []
      : [`at most ${switches} ${switches === 1 ? 'switch' : 'switches'}`]),
    ...(answers === undefined
      ? []
      : [`at most ${answers} ${answers === 1 ? 'answer' : 'answers'} other than the default`]),
  ];
  return texts.length === 0 ? '' : ` with ${texts.join(' and ')}`;
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

// ---- pairs ----

const PAIR_SWITCHES = 3;
const PAIR_ANSWERS = 1;

interface PairRow {
  readonly one: string;
  readonly other: string;
  readonly shape: string;
  /** Undefined: there was no time for it. */
  readonly result: Exploration | undefined;
  readonly seconds: number;
}

async function explorePairs(id: string, flags: ExploreFlags, given: Limits): Promise<number> {
  if (flags.save !== undefined) throw new UsageError('--save goes with a case FILE');
  const [system] = systemsNamed([id]);
  const [configuration] = configurationsOf(system!, flags.configuration, undefined);
  const session = new Sessions().get(system!.id, configuration!.id, []);
  const limits: Limits = {
    ...given,
    switches: given.switches ?? PAIR_SWITCHES,
    answers: given.answers ?? PAIR_ANSWERS,
  };
  const watch = new Watch(limits.seconds);
  const line = new StatusLine(flags.json === true);
  const pairs = pairsOf(session);
  const rows: PairRow[] = [];
  for (const [index, { operations, shape, program }] of pairs.entries()) {
    const [one, other] = operations;
    const name = { one, other, shape };
    if (watch.isOver) {
      rows.push({ ...name, result: undefined, seconds: 0 });
      continue;
    }
    const began = watch.elapsed;
    const label = `${index + 1}/${pairs.length} ${one} || ${other} (${shape}): `;
    const result = await watched(session, { program, parameters: {} }, limits, watch, (progress) =>
      line.show(label + statusText(progress, watch.elapsed - began)),
    );
    rows.push({ ...name, result, seconds: watch.elapsed - began });
  }
  line.clear();
  watch.close();
  const done = rows.filter(({ result }) => result?.complete === true);
  const failing = rows.filter(({ result }) => (result?.findings.length ?? 0) > 0);
  if (flags.json === true) {
    printJson({
      command: 'explore pairs',
      system: system!.id,
      configuration: configuration!.id,
      bound: { switches: limits.switches ?? null, answers: limits.answers ?? null },
      pairs: rows.map(({ one, other, shape, result, seconds: took }) => ({
        operations: [one, other],
        shape,
        schedules: result?.classes ?? 0,
        executions: result?.executions ?? 0,
        complete: result?.complete ?? false,
        seconds: took,
        findings: result?.findings.map(({ signature }) => signature) ?? [],
      })),
    });
  } else {
    print(
      table(
        ['pair', 'where', 'schedules', 'executions', 'seconds', 'verdict'],
        rows.map(({ one, other, shape, result, seconds: took }) => [
          `${one} || ${other}`,
          shape,
          thousands(result?.classes ?? 0),
          thousands(result?.executions ?? 0),
          seconds(took),
          pairVerdict(result),
        ]),
      ),
    );
    print(
      `${done.length} of ${rows.length} programs of ${system!.id} (${configuration!.id}) explored completely` +
        `${boundText(limits)}; ${failing.length === 0 ? 'no violation' : `${failing.length} with violations`}`,
    );
  }
  return failing.length > 0 ? Exit.Finding : Exit.Clean;
}

function pairVerdict(result: Exploration | undefined): string {
  if (result === undefined) return 'not run';
  if (result.findings.length > 0)
    return result.findings.map(({ signature }) => signature).join(', ');
  return result.complete ? 'clean' : `clean so far (${result.ended})`;
}
