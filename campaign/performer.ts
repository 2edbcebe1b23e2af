/**
 * Performs tasks, in whatever thread or process it lives in. Booted sessions are kept from one task to
 * the next; no result depends on what was done before.
 */

import type { Catalogue } from '../fuzz/catalogue.ts';
import { Coverage } from '../fuzz/coverage.ts';
import { type Execution, Executor } from '../fuzz/execution.ts';
import { describeFinding, explain } from '../fuzz/explain.ts';
import { makeFinding, othersOf } from '../fuzz/finding.ts';
import { GoalSeeker, goalsIn, type SoughtGoal, soughtGoals } from '../fuzz/goals.ts';
import type { Fold } from '../fuzz/guided/fold.ts';
import { guarded } from '../fuzz/leak-guard.ts';
import type { Session } from '../fuzz/session.ts';
import { Sessions } from '../fuzz/sessions.ts';
import { coarseSignature } from '../fuzz/signature.ts';
import { InternalError } from '../sim/assert.ts';
import { CoverageTotals } from './coverage.ts';
import {
  type CampaignPlan,
  type Cell,
  type Failure,
  type FindingTask,
  type FoundCase,
  isLookedAt,
  keyOf,
  type ShardResult,
  type ShardTask,
  type Task,
  type TaskResult,
  targetsOfPlan,
} from './task.ts';

/**
 * Executions between two looks at whether to stop. Putting the guard up makes V8 forget what it had compiled on the
 * understanding that nobody touches these functions: seldom is better.
 */
const SLICE = 512;

export class Performer {
  readonly #catalogue: Catalogue;
  readonly #sessions: Sessions;
  readonly #executors = new Map<string, Executor>();
  /** The fold of the last task, and its text: tasks of an epoch have the same. */
  #fold: { readonly text: string; readonly value: Fold } | undefined;
  readonly #coverages = new Map<Session, Coverage>();
  readonly #goals = new Map<Session, readonly SoughtGoal[]>();

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
    this.#sessions = new Sessions({}, catalogue);
  }

  /** Yields between slices, so that whoever drives it can let others in. */
  *perform(task: Task, isStopped: () => boolean): Generator<void, TaskResult> {
    return task.kind === 'shard' ? yield* this.#shard(task, isStopped) : this.#finding(task);
  }

  *#shard(task: ShardTask, isStopped: () => boolean): Generator<void, ShardResult> {
    const { plan, from, to, untilFailure, fold } = task;
    const executor = this.#executor(plan, fold);
    const counter = new Counter(this.#coverages, this.#goals);
    let index = from;
    let isOver = false;
    while (!isOver && index < to && !isStopped()) {
      const until = Math.min(to, index + SLICE);
      guarded(() => {
        while (!isOver && index < until) {
          isOver = counter.add(execute(executor, plan, index)) && untilFailure;
          index += 1;
        }
      });
      yield;
    }
    return counter.result(from, index);
  }

  #finding({ plan, index, budget, isPlain, fold }: FindingTask): FoundCase {
    const { session, draft } = guarded(() => execute(this.#executor(plan, fold), plan, index));
    const found = { program: draft.program, parameters: draft.parameters, order: [], choices: [] };
    return guarded(() => {
      const { answers } = session;
      const limit = budget ?? undefined;
      const made = makeFinding(this.#sessions, session, found, answers, describeFinding, limit);
      if (made === undefined)
        throw new InternalError(
          `execution ${index} of seed ${plan.seed} does not fail again when replayed`,
        );
      const { minimised, ...rest } = made;
      const explanation = isPlain ? [] : explain(minimised.session, minimised.plan, minimised.run);
      const others = isPlain ? [] : othersOf(this.#sessions, minimised, describeFinding);
      // what was tried meanwhile is no execution of the campaign
      for (const one of this.#sessions.all) one.takeCounts();
      return { ...rest, explanation, others };
    });
  }

  #executor(plan: CampaignPlan, fold: string | null): Executor {
    const key = JSON.stringify(plan);
    let known = this.#executors.get(key);
    if (known === undefined) {
      const strategy = plan.strategy ?? undefined;
      const targets = targetsOfPlan(plan, this.#catalogue);
      known = new Executor(plan.seed, targets, strategy, this.#sessions);
      this.#executors.set(key, known);
    }
    known.use(fold === null ? undefined : this.#foldOf(fold));
    return known;
  }

  #foldOf(text: string): Fold {
    if (this.#fold?.text !== text) this.#fold = { text, value: JSON.parse(text) as Fold };
    return this.#fold.value;
  }
}

function execute(executor: Executor, { seed }: CampaignPlan, index: number): Execution {
  try {
    return executor.run(index);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new InternalError(`execution ${index} of seed ${seed}: ${message}`, { cause: error });
  }
}

interface Tally {
  readonly bugs: readonly string[];
  executions: number;
  steps: number;
  vacuous: number;
  readonly goals: Record<string, number>;
  readonly seeker: GoalSeeker;
}

/** Counts the executions of a shard. */
class Counter {
  readonly #tallies = new Map<Session, Tally>();
  readonly #failures = new Map<string, Failure>();
  readonly #coverage = new CoverageTotals();
  readonly #coverages: Map<Session, Coverage>;
  readonly #goals: Map<Session, readonly SoughtGoal[]>;

  constructor(coverages: Map<Session, Coverage>, goals: Map<Session, readonly SoughtGoal[]>) {
    this.#coverages = coverages;
    this.#goals = goals;
  }

  /** @returns whether the execution failed */
  add({ session, target, result, index, strategy }: Execution): boolean {
    let tally = this.#tallies.get(session);
    if (tally === undefined) {
      // goals are about the correct model
      const seeker = new GoalSeeker(target.bugs.length > 0 ? [] : this.#goalsOf(session));
      tally = { bugs: target.bugs, executions: 0, steps: 0, vacuous: 0, goals: {}, seeker };
      this.#tallies.set(session, tally);
    }
    tally.executions += 1;
    tally.steps += result.steps;
    if (isLookedAt(index)) this.#look(session, tally, index, result.violation === undefined);
    const { violation } = result;
    if (violation === undefined) {
      if (result.vacuous) tally.vacuous += 1;
      return false;
    }
    const system = target.system.id;
    const signature = coarseSignature(session, violation);
    const key = keyOf(system, target.bugs, signature);
    const known = this.#failures.get(key);
    const hits = (known?.hits ?? 0) + 1;
    const { oracle, rule } = violation;
    const first = { key, system, bugs: target.bugs, signature, oracle, rule, index, strategy };
    this.#failures.set(key, { ...(known ?? first), hits, last: index });
    return true;
  }

  #goalsOf(session: Session): readonly SoughtGoal[] {
    const known = this.#goals.get(session);
    if (known !== undefined) return known;
    const goals = soughtGoals(goalsIn(session.system, session.configuration));
    this.#goals.set(session, goals);
    return goals;
  }

  /** Reads the trace for coverage, and for goals when the run was clean. */
  #look(session: Session, tally: Tally, index: number, isClean: boolean): void {
    if (isClean) {
      const { machine, loaded } = session;
      for (const id of tally.seeker.find(machine.trace, loaded)) tally.goals[id] = index;
    }
    let coverage = this.#coverages.get(session);
    if (coverage === undefined) {
      coverage = new Coverage(session);
      this.#coverages.set(session, coverage);
    }
    coverage.read();
    this.#coverage.add(session.system.id, index, coverage);
  }

  result(from: number, to: number): ShardResult {
    const cells = [...this.#tallies].map(
      ([session, { seeker: _, ...tally }]): Cell => ({
        system: session.system.id,
        configuration: session.configuration.id,
        ...tally,
        ...session.takeCounts(),
      }),
    );
    const failures = [...this.#failures.values()];
    return { from, to, cells, failures, coverage: this.#coverage.all };
  }
}
