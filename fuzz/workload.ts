/**
 * What mutants are run on: the cases of a system without their bugs, a campaign over its correct
 * configurations, and then more schedules of the programs that came to the mutant's place.
 */
import type { Case } from './case.ts';
import type { Executor } from './execution.ts';
import type { Mutation } from './mutation.ts';
import type { Program } from './program.ts';
import { type Plan, runPlan } from './schedule.ts';
import { searchScheduler } from './search.ts';
import { limitsFor, type RunResult, type Session } from './session.ts';
import type { Sessions } from './sessions.ts';

/** Schedules of each case of the corpus, besides the stored order. */
const SCHEDULES_PER_CASE = 24;
const CASE_SEED = 0x4d55;
/** Programs that are kept to be run again, and schedules of each per turn. */
const FOCUS_PROGRAMS = 128;
const FOCUS_SLICE = 20;
const FOCUS_SEED = 0x464f;

export interface Workload {
  readonly sessions: Sessions;
  readonly mutation: Mutation;
  /** Cases of the system; their bugs are left out. */
  readonly cases: readonly Case[];
  readonly executor: Executor;
}

/** One execution: where it came from, and enough to run its program again. */
export interface Sample {
  readonly result: RunResult;
  readonly place: string;
  readonly session: Session;
  readonly plan: Plan;
}

/** Every case: its stored order and some schedules; then the first `runs` executions of the campaign. */
export function* broadSamples(workload: Workload, runs: number): Generator<Sample> {
  const { sessions, cases, executor } = workload;
  for (const value of cases) {
    const session = sessions.get(value.system, value.configuration, []);
    const place = `case ${value.bug ?? 'clean'}`;
    yield { result: runPlan(session, value), place, session, plan: value };
    yield* schedules({ place, session, plan: value }, CASE_SEED, SCHEDULES_PER_CASE);
  }
  for (let index = 0; index < runs; index += 1) {
    const { result, session, draft } = executor.run(index);
    const plan: Plan = { ...draft, order: [], choices: [] };
    yield { result, place: `execution ${index}`, session, plan };
  }
}

/** About `runs` more executions of some programs, in turns. */
export function* focusedSamples(kept: readonly Sample[], runs: number): Generator<Sample> {
  if (kept.length === 0) return;
  const turns = Math.ceil(runs / (FOCUS_SLICE * kept.length));
  for (let turn = 0; turn < turns; turn += 1) {
    for (const sample of kept) {
      const place = `schedules of ${sample.place}`;
      yield* schedules({ ...sample, place }, FOCUS_SEED + turn, FOCUS_SLICE);
    }
  }
}

function* schedules(
  { place, session, plan }: Omit<Sample, 'result'>,
  seed: number,
  count: number,
): Generator<Sample> {
  session.load(plan.program);
  const limits = limitsFor(session.configuration, plan.program);
  for (let index = 0; index < count; index += 1) {
    const result = session.run(plan.parameters, searchScheduler(seed, index, plan), limits);
    yield { result, place, session, plan };
  }
}

/** Keeps the first programs in which a mutant made a difference. */
export class Keeper {
  readonly kept: Sample[] = [];
  readonly #mutation: Mutation;
  #changed = 0;
  #last: Program | undefined;

  constructor(mutation: Mutation) {
    this.#mutation = mutation;
  }

  see(sample: Sample): void {
    const { changed } = this.#mutation;
    const isChanged = changed > this.#changed;
    this.#changed = changed;
    if (!isChanged || this.kept.length === FOCUS_PROGRAMS) return;
    if (sample.plan.program === this.#last) return;
    this.#last = sample.plan.program;
    this.kept.push(sample);
  }
}
