/**
 * Mutants of a system, each tried in turn. Results can be kept in a file, a line each, so that a run that
 * was stopped goes on where it was. The clock, the files and the order of trials are here.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { Executor } from '../fuzz/execution.ts';
import { type Profile, profile } from '../fuzz/mutants.ts';
import { type Mutant, Mutation } from '../fuzz/mutation.ts';
import { Sessions } from '../fuzz/sessions.ts';
import { type Judge, MutantVerdict, Trial, type TrialResult } from '../fuzz/trial.ts';
import type { Workload } from '../fuzz/workload.ts';
import type { Configuration, System } from '../models/system.ts';
import { InternalError } from '../sim/assert.ts';
import { caseFiles, readCase } from './corpus.ts';
import { UsageError } from './options.ts';

export interface MutantOptions {
  readonly system: System;
  readonly configurations: readonly Configuration[];
  readonly corpus: string;
  readonly seed: number;
  /** Executions of the campaign per mutant, and again as many of programs that come to its place. */
  readonly runs: number;
  /** Seconds per mutant; no limit when undefined. */
  readonly seconds: number | undefined;
  /** Part of the ids of the mutants that are wanted; all when undefined. */
  readonly only: string | undefined;
  /** File of results, continued when it is there. */
  readonly out: string | undefined;
  /** Makes the judge of survivors. */
  readonly judge: (mutation: Mutation) => Judge;
}

/** A mutant's result as it is printed and kept. */
export const mutantSchema = z.strictObject({
  id: z.string(),
  kind: z.string(),
  operator: z.string(),
  site: z.string(),
  other: z.string().nullable(),
  verdict: z.enum(Object.values(MutantVerdict) as [MutantVerdict, ...MutantVerdict[]]),
  oracle: z.string().nullable(),
  rule: z.string().nullable(),
  by: z.string().nullable(),
  executions: z.int().min(0),
  reached: z.int().min(0),
  changed: z.int().min(0),
});
export type MutantItem = z.infer<typeof mutantSchema>;

export interface MutationReport {
  readonly mutants: readonly MutantItem[];
  /** Declared sites that no run came to: no mutant is made for them. */
  readonly unreached: readonly string[];
  readonly profiled: number;
  readonly interrupted: boolean;
}

/** Executions of the correct model that show which accesses there are. */
const PROFILE_RUNS = 5000;
/** Executions between looks at the clock. */
const SLICE = 256;

export class MutationRun {
  readonly #options: MutantOptions;
  readonly #workload: Workload;
  /** Only configurations where stores and registers are delayed; undefined when there are none. */
  readonly #delayed: Workload | undefined;
  readonly #judge: Judge;
  interrupted = false;

  constructor(options: MutantOptions) {
    const mutation = new Mutation();
    const sessions = new Sessions({ mutation });
    const { configurations } = options;
    const delayed = configurations.filter(({ fidelity }) => fidelity !== 'F1');
    this.#options = options;
    this.#judge = options.judge(mutation);
    this.#workload = workloadOf(options, mutation, sessions, configurations);
    if (delayed.length > 0) this.#delayed = workloadOf(options, mutation, sessions, delayed);
  }

  /** @param progress called with each result as it is known, and how many there will be */
  async run(
    progress: (item: MutantItem, done: number, all: number) => void,
  ): Promise<MutationReport> {
    const { system, only } = this.#options;
    const { mutants, unreached, executions } = this.#profile();
    const wanted = mutants.filter(({ id }) => only === undefined || id.includes(only));
    const journal = new Journal(this.#options);
    const items: MutantItem[] = [];
    for (const mutant of wanted) {
      if (this.interrupted) break;
      let item = journal.known.get(mutant.id);
      if (item === undefined) {
        item = itemOf(await this.#try(mutant));
        // what was stopped is not the mutant's verdict
        if (this.interrupted && item.verdict !== MutantVerdict.Killed) break;
        journal.add(item);
      }
      items.push(item);
      progress(item, items.length, wanted.length);
    }
    if (wanted.length === 0)
      throw new UsageError(`no mutant of ${system.id} has "${only}" in its id`);
    return { mutants: items, unreached, profiled: executions, interrupted: this.interrupted };
  }

  #profile(): Profile {
    const found = profile(this.#options.system, this.#workload, PROFILE_RUNS);
    if (found.violations === 0) return found;
    throw new InternalError(
      `oracles object to the correct model in ${found.violations} of ${found.executions} executions`,
    );
  }

  async #try(mutant: Mutant): Promise<TrialResult> {
    const { runs, seconds } = this.#options;
    const workload = mutant.needs === 'F1' ? this.#workload : this.#delayed;
    if (workload === undefined) return untried(mutant);
    const trial = new Trial(workload, mutant, runs);
    const started = performance.now();
    while (trial.advance(SLICE)) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.interrupted) break;
      if (seconds !== undefined && (performance.now() - started) / 1000 >= seconds) break;
    }
    const result = trial.finish(this.interrupted ? UNJUDGED : this.#judge);
    // the places of some accesses are in configurations of another fidelity only
    const isOutOfReach = mutant.needs !== 'F1' && result.verdict === MutantVerdict.NotReached;
    return isOutOfReach ? untried(mutant) : result;
  }
}

function workloadOf(
  { system, corpus, seed }: MutantOptions,
  mutation: Mutation,
  sessions: Sessions,
  configurations: readonly Configuration[],
): Workload {
  const cases = caseFiles(corpus)
    .map(readCase)
    .filter((value) => value.system === system.id)
    .filter((value) => configurations.some(({ id }) => id === value.configuration));
  const targets = [{ system, configurations, bugs: [] }];
  return { sessions, mutation, cases, executor: new Executor(seed, targets, undefined, sessions) };
}

/** Leaves every survivor open. */
export const UNJUDGED: Judge = () => undefined;

/** Nothing can come of the mutant at the fidelity of the configurations. */
function untried(mutant: Mutant): TrialResult {
  return {
    mutant,
    verdict: MutantVerdict.NeedsFidelity,
    oracle: undefined,
    rule: undefined,
    by: undefined,
    executions: 0,
    reached: 0,
    changed: 0,
  };
}

function itemOf({ mutant, oracle, rule, by, ...rest }: TrialResult): MutantItem {
  const [operator = '', site = '', other] = mutant.id.split(' ');
  return {
    id: mutant.id,
    kind: mutant.operator.kind,
    operator,
    site,
    other: other ?? null,
    oracle: oracle ?? null,
    rule: rule ?? null,
    by: by ?? null,
    ...rest,
  };
}

/** Results in a file: a first line that says of what, then a line per mutant. */
class Journal {
  readonly known = new Map<string, MutantItem>();
  readonly #file: string | undefined;

  constructor({ system, configurations, seed, runs, seconds, out }: MutantOptions) {
    this.#file = out;
    if (out === undefined) return;
    const head = JSON.stringify({
      format: 1,
      system: system.id,
      configurations: configurations.map(({ id }) => id),
      seed,
      runs,
      seconds: seconds ?? null,
    });
    try {
      if (existsSync(out)) this.#read(out, head);
      else writeFileSync(out, `${head}\n`);
    } catch (error) {
      if (error instanceof UsageError) throw error;
      throw new UsageError(`cannot use ${out}: ${error instanceof Error ? error.message : error}`);
    }
  }

  #read(file: string, head: string): void {
    const text = readFileSync(file, 'utf8');
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    const [first, ...lines] = whole.split('\n').filter((line) => line !== '');
    if (first !== head)
      throw new UsageError(`${file}:1:1: holds ${first ?? 'nothing'}; allowed is ${head}`);
    lines.forEach((line, i) => {
      const item = mutantSchema.safeParse(parseLine(line));
      if (!item.success) throw new UsageError(`${file}:${i + 2}:1: no result of a mutant`);
      this.known.set(item.data.id, item.data);
    });
    // a last line that was torn is made again
    if (whole !== text) writeFileSync(file, whole);
  }

  add(item: MutantItem): void {
    if (this.#file !== undefined) appendFileSync(this.#file, `${JSON.stringify(item)}\n`);
  }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
