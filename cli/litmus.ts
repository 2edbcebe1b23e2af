/** `litmus`: litmus tests in herd's format on our machine. */
import { type LitmusFile, litmusFiles, runLitmusFile } from '../campaign/litmus.ts';
import { parseCount, parseSeed, UsageError } from '../campaign/options.ts';
import type { LitmusResult, SearchPlan } from '../fuzz/litmus/verdict.ts';
import { Fidelity, type Rules } from '../models/litmus/gates.ts';
import type { LitmusTest } from '../models/litmus/program.ts';
import { conformance } from './conformance.ts';
import { Exit, print, printJson, StatusLine, thousands } from './terminal.ts';

export interface LitmusFlags {
  readonly explore?: boolean;
  readonly runs?: string;
  readonly fidelity?: string;
  readonly ets2?: boolean;
  readonly seed?: string;
  readonly witness?: boolean;
  readonly verdicts?: string;
  readonly report?: string;
  readonly json?: boolean;
}

/** Runs that visiting every state may take, without a word about it and with --explore. */
export const EXPLORE_RUNS = 60_000;
const EXPLORE_RUNS_MAX = 2_000_000;
export const SAMPLE_RUNS = 100_000;

export function litmus(paths: readonly string[], flags: LitmusFlags): number {
  if (flags.verdicts !== undefined) return conformance(flags.verdicts, paths, flags);
  if (paths.length === 0)
    throw new UsageError('litmus needs files or folders, or --verdicts TABLE');
  if (flags.report !== undefined) throw new UsageError('--report goes with --verdicts');
  const rules: Rules = {
    fidelity: fidelityNamed(flags.fidelity ?? 'F3'),
    ets2: flags.ets2 === true,
  };
  const plan = planOf(flags);
  const files = litmusFiles(paths);
  const status = new StatusLine(flags.json === true);
  const results = files.map((file, index) => {
    if (files.length > 1) status.show(`${index + 1} of ${files.length}: ${file.file}`);
    const result = file.error === '' ? runLitmusFile(file, rules, plan) : file.error;
    if (flags.json !== true) {
      status.clear();
      printResult(file, result, flags);
    }
    return summary(file, result);
  });
  status.clear();
  if (flags.json === true) printJson({ command: 'litmus', tests: results });
  const wrong = files.filter(({ error }) => error !== '');
  if (flags.json === true)
    for (const { error } of wrong) process.stderr.write(`stagewright: ${error}\n`);
  return wrong.length > 0 ? Exit.Usage : Exit.Clean;
}

export function fidelityNamed(text: string): Fidelity {
  const found = Object.entries(Fidelity).find(([name]) => name === text);
  if (found !== undefined) return found[1];
  throw new UsageError(`no fidelity "${text}" (${Object.keys(Fidelity).join(', ')})`);
}

function planOf(flags: LitmusFlags): SearchPlan {
  if (flags.explore === true && flags.runs !== undefined)
    throw new UsageError('litmus takes --explore or --runs, and got both');
  const seed = flags.seed === undefined ? 1 : parseSeed(flags.seed);
  if (flags.runs !== undefined)
    return { exploreRuns: 0, sampleRuns: parseCount('--runs')(flags.runs), seed };
  if (flags.explore === true) return { exploreRuns: EXPLORE_RUNS_MAX, sampleRuns: 0, seed };
  return { exploreRuns: EXPLORE_RUNS, sampleRuns: SAMPLE_RUNS, seed };
}

function summary(file: LitmusFile, result: LitmusResult | string): object {
  const test = file.test?.name ?? file.file;
  if (typeof result === 'string') {
    const verdict = file.error === '' ? 'unsupported' : 'error';
    const none = { observed: false, states: [], counts: [], executions: 0, complete: false };
    return { test, file: file.file, verdict, ...none, reason: result };
  }
  const { verdict, observed, states, executions, complete, breaks } = result;
  return {
    test,
    file: file.file,
    verdict,
    observed,
    states: states.map(({ text }) => text),
    counts: states.map(({ count }) => count),
    executions,
    complete,
    breaksBeforeMake: !breaks,
  };
}

/** A table like herd's own output. */
function printResult(file: LitmusFile, result: LitmusResult | string, flags: LitmusFlags): void {
  if (typeof result === 'string') {
    if (file.error !== '') process.stderr.write(`stagewright: ${result}\n`);
    else print(`Test ${file.test?.name ?? file.file} unsupported: ${result}\n`);
    return;
  }
  const test = file.test!;
  const { states, verdict, executions, complete } = result;
  const width = Math.max(...states.map(({ count }) => `${count}`.length), 1);
  print(`Test ${test.name} ${verdict}`);
  print(`States ${states.length}`);
  for (const { count, holds, text } of states)
    print(`${`${count}`.padStart(width)} ${holds ? '*' : ':'}> ${text}`);
  const positive = states.filter(({ holds }) => holds).reduce((sum, { count }) => sum + count, 0);
  print(`Condition ${test.conditionText}`);
  print(
    `Observation ${test.name} ${how(positive, executions)} ${positive} ${executions - positive}`,
  );
  const what = complete ? 'every inequivalent execution' : 'a sample';
  print(`${thousands(executions)} executions: ${what}`);
  if (result.breaks) print('Warning: break-before-make expected');
  if (flags.witness === true) printWitnesses(test, result);
  print('');
}

function how(positive: number, executions: number): string {
  if (positive === 0) return 'Never';
  return positive === executions ? 'Always' : 'Sometimes';
}

/** One execution that satisfies the condition, or of every state when none does, as lanes. */
function printWitnesses(test: LitmusTest, result: LitmusResult): void {
  const shown = result.states.filter(({ holds }) => holds).slice(0, 1);
  for (const { text, witness } of shown.length > 0 ? shown : result.states) {
    const { litmus, search } = result;
    litmus.journal = [];
    search.replay(witness);
    print(`\nWitness of ${text}`);
    const widths = test.threads.map(({ name }, thread) =>
      Math.max(
        name.length,
        ...litmus.journal!.filter((note) => note.thread === thread).map((note) => note.text.length),
      ),
    );
    print(
      lane(
        test.threads.map(({ name }) => name),
        widths,
      ),
    );
    for (const note of litmus.journal)
      print(
        lane(
          widths.map((_, thread) => (thread === note.thread ? note.text : '')),
          widths,
        ),
      );
    litmus.journal = undefined;
  }
}

function lane(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, i) => cell.padEnd(widths[i]!))
    .join(' | ')
    .trimEnd();
}
