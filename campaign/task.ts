/**
 * What workers are asked to do, as plain data: it crosses threads, processes and machines. A task says
 * everything that its result depends on, so that it may be done anywhere, and done twice.
 */
import type { Case } from '../fuzz/case.ts';
import { type Catalogue, configurationIn, systemIn } from '../fuzz/catalogue.ts';
import type { Signal } from '../fuzz/coverage.ts';
import type { Target } from '../fuzz/execution.ts';
import type { OtherCase } from '../fuzz/finding.ts';
import type { Counts } from '../fuzz/session.ts';

/** What a campaign runs: with an index, all that an execution depends on. */
export interface CampaignPlan {
  readonly seed: number;
  readonly targets: readonly TargetPlan[];
  /** Id of the only strategy; null for the portfolio. */
  readonly strategy: string | null;
  /** Executions depend on what the epochs before covered (fuzz/guided/fold.ts). */
  readonly learns: boolean;
}

export interface TargetPlan {
  readonly system: string;
  readonly configurations: readonly string[];
  readonly bugs: readonly string[];
}

/** Executions of a campaign by index, `from` to before `to`. */
export interface ShardTask {
  readonly kind: 'shard';
  readonly plan: CampaignPlan;
  readonly from: number;
  readonly to: number;
  /** Ends after the first execution that fails. */
  readonly untilFailure: boolean;
  /** What was learnt before, a `Fold` as JSON; null in plans that do not learn. */
  readonly fold: string | null;
}

/** An execution that fails, to be minimised. */
export interface FindingTask {
  readonly kind: 'finding';
  readonly plan: CampaignPlan;
  readonly index: number;
  /** Executions that it may take; the minimiser's own number when null. */
  readonly budget: number | null;
  /** The case is all that is asked for: no explanation, and no other failures that were met. */
  readonly isPlain: boolean;
  /** As that of its shard. */
  readonly fold: string | null;
}

export type Task = ShardTask | FindingTask;

export interface ShardResult {
  readonly from: number;
  /** Before this index; lower than asked for when the shard was stopped, or ended at a failure. */
  readonly to: number;
  readonly cells: readonly Cell[];
  /** One for each key, the lowest index first. */
  readonly failures: readonly Failure[];
  readonly coverage: readonly SystemCoverage[];
}

/**
 * What executions covered, by signal (fuzz/coverage.ts): three numbers for each key: the key, in how many
 * of the executions that were looked at (at most COUNT_MAX), and the index of the first.
 */
export interface SystemCoverage {
  readonly system: string;
  readonly keys: Readonly<Record<Signal, readonly number[]>>;
}

/** Keys seen once and twice tell how many are unseen; more is not counted. */
export const COUNT_MAX = 3;

/**
 * One execution in four is looked at, of every target: reading a trace costs about a twelfth of a run.
 */
export function isLookedAt(index: number): boolean {
  return (Math.imul(index, 0x9e3779b1) >>> 16) % 4 === 0;
}

/** Counts of one system with some bugs in one configuration. */
export interface Cell extends Counts {
  readonly system: string;
  readonly bugs: readonly string[];
  readonly configuration: string;
  readonly executions: number;
  readonly steps: number;
  readonly vacuous: number;
  /** Index of the first execution that reached each goal, of those that were looked at; goals that none did are left out. */
  readonly goals: Readonly<Record<string, number>>;
}

export interface Failure {
  /** What makes two failing executions one finding: system, bugs and coarse signature. */
  readonly key: string;
  readonly system: string;
  readonly bugs: readonly string[];
  readonly signature: string;
  readonly oracle: string;
  readonly rule: string;
  /** Of the first in the shard. */
  readonly index: number;
  readonly strategy: string;
  /** How many there are, and the index of the last. */
  readonly hits: number;
  readonly last: number;
}

export function keyOf(system: string, bugs: readonly string[], signature: string): string {
  return `${system} ${bugs.join(',')} ${signature}`;
}

/** A finding as a minimised case, with what people are shown of it. */
export interface FoundCase {
  readonly case: Case;
  readonly signature: string;
  readonly fine: string;
  readonly operations: number;
  readonly switches: number;
  readonly steps: number;
  /** Lanes and causes, when they were asked for; see fuzz/explain.ts. */
  readonly explanation: readonly string[];
  /** Other failures that were met while it was minimised. */
  readonly others: readonly OtherCase[];
}

export type TaskResult = ShardResult | FoundCase;

export function planOf(
  seed: number,
  targets: readonly Target[],
  strategy: string | undefined,
  learns = false,
): CampaignPlan {
  return {
    seed,
    targets: targets.map(({ system, configurations, bugs }) => ({
      system: system.id,
      configurations: configurations.map(({ id }) => id),
      bugs,
    })),
    strategy: strategy ?? null,
    learns,
  };
}

/** The targets that a plan names. The plan was made by `planOf`: unknown names are our fault. */
export function targetsOfPlan({ targets }: CampaignPlan, among: Catalogue): readonly Target[] {
  return targets.map(({ system: id, configurations, bugs }) => {
    const system = systemIn(among, id);
    return {
      system,
      configurations: configurations.map((name) => configurationIn(system, name)),
      bugs,
    };
  });
}

/** What a task does, for people: how to say which executions were lost. */
export function taskName(task: Task): string {
  const of = `seed ${task.plan.seed}`;
  if (task.kind === 'finding') return `minimising execution ${task.index} of ${of}`;
  return `executions ${task.from} to ${task.to - 1} of ${of}`;
}
