/**
 * What a campaign has learnt: the corpus that programs and schedules are mutated from, and which configurations still
 * show something new. It is frozen while an epoch runs; at the end of the epoch a step is made of what the epoch covered
 * first, and folded in. Plain data: it crosses threads and machines, and the journal keeps the steps.
 */
import type { Answers } from '../../sim/scheduler.ts';
import type { Draft } from '../generate.ts';
import type { Temper } from '../temper.ts';

/** An execution to mutate. */
export interface Seed extends Draft {
  readonly system: string;
  readonly configuration: string;
  readonly temper: Temper;
  readonly answers: Answers;
}

/** What one epoch adds. */
export interface FoldStep {
  /** The epoch that it was made of; -1 for what a campaign starts from. */
  readonly epoch: number;
  readonly seeds: readonly Seed[];
  /** By arm (a target in a configuration, counted through): keys that it covered first. */
  readonly gains: readonly (readonly [arm: number, keys: number])[];
}

export interface Fold {
  /** The last epoch that is in it. */
  readonly epoch: number;
  readonly seeds: readonly Seed[];
  /** By arm: keys that it covered first; what is an epoch older counts less. */
  readonly scores: readonly number[];
}

/** An execution that covered keys which none before it had. */
export interface Fresh {
  readonly index: number;
  readonly keys: number;
}

/**
 * Executions of an epoch depend on what was learnt up to so many epochs before: workers that begin an epoch need not
 * wait for the last ones of the epoch before.
 */
export const LAG = 2;

/** Seeds of one system; the oldest go first, the newest have what is hard to reach. */
const SEEDS_MAX = 64;
/** Seeds that an epoch adds. */
export const SEEDS_PER_EPOCH = 16;
/** What scores keep from one epoch to the next. */
const KEPT = 0.8;

export const NOTHING_LEARNT: Fold = { epoch: -2, seeds: [], scores: [] };

export function folded(fold: Fold, { epoch, seeds, gains }: FoldStep): Fold {
  const scores = fold.scores.map((score) => score * KEPT);
  for (const [arm, keys] of gains) {
    while (scores.length <= arm) scores.push(0);
    scores[arm]! += keys;
  }
  return { epoch, seeds: newest([...fold.seeds, ...seeds]), scores };
}

/** The newest of each system, in their order. */
function newest(seeds: readonly Seed[]): readonly Seed[] {
  const counts = new Map<string, number>();
  const kept: Seed[] = [];
  for (let i = seeds.length - 1; i >= 0; i -= 1) {
    const { system } = seeds[i]!;
    const count = counts.get(system) ?? 0;
    counts.set(system, count + 1);
    if (count < SEEDS_MAX) kept.push(seeds[i]!);
  }
  return kept.reverse();
}
