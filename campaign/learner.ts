/**
 * What a campaign learns from epoch to epoch (fuzz/guided/fold.ts), where its executions are merged. Steps are made in
 * the order of epochs, of merged results only: a resumed campaign makes those that its journal lacks, and they are the same.
 */
import { type Catalogue, systemIn } from '../fuzz/catalogue.ts';
import { Coverage } from '../fuzz/coverage.ts';
import { Executor } from '../fuzz/execution.ts';
import { epochOf, epochStart } from '../fuzz/guided/epochs.ts';
import { type Fold, type FoldStep, folded, LAG, NOTHING_LEARNT } from '../fuzz/guided/fold.ts';
import { learn } from '../fuzz/guided/learn.ts';
import { guarded } from '../fuzz/leak-guard.ts';
import type { Session } from '../fuzz/session.ts';
import { Sessions } from '../fuzz/sessions.ts';
import { CoverageTotals } from './coverage.ts';
import { type CampaignPlan, isLookedAt, targetsOfPlan } from './task.ts';

/** Folds that are kept: executions of older epochs are merged. */
const KEPT = LAG + 2;

export class Learner {
  readonly #executor: Executor;
  readonly #coverage: CoverageTotals;
  /** Steps so far: the first is what the campaign started from, then one per epoch. */
  #count = 0;
  /** By number of steps: what is known after them, and the same as text once somebody asked. */
  readonly #folds = new Map<number, { readonly fold: Fold; text?: string }>();

  /** @param steps the first one, and those that were made before the campaign was resumed */
  constructor(
    plan: CampaignPlan,
    among: Catalogue,
    coverage: CoverageTotals,
    steps: readonly FoldStep[],
  ) {
    const sessions = new Sessions({}, among);
    const strategy = plan.strategy ?? undefined;
    this.#executor = new Executor(plan.seed, targetsOfPlan(plan, among), strategy, sessions);
    this.#coverage = coverage;
    for (const step of steps) this.#add(step);
  }

  /** What the execution depends on is known. */
  isReady(index: number): boolean {
    return this.#count >= stepsBefore(index);
  }

  /** What an execution depends on, as text. Those that were merged long ago are not known any more. */
  textFor(index: number): string {
    const known = this.#folds.get(stepsBefore(index))!;
    known.text ??= JSON.stringify(known.fold);
    return known.text;
  }

  foldFor(index: number): Fold {
    return this.#folds.get(stepsBefore(index))!.fold;
  }

  /** Seeds that are known now. */
  get size(): number {
    return this.#folds.get(this.#count)!.fold.seeds.length;
  }

  /** @param merged all executions below are @returns steps of epochs that are complete now */
  advance(merged: number): readonly FoldStep[] {
    const added: FoldStep[] = [];
    for (;;) {
      const epoch = this.#count - 1;
      const end = epochStart(epoch + 1);
      if (merged < end) return added;
      const fresh = this.#coverage.takeFresh(end);
      const fold = this.foldFor(end - 1);
      const step = guarded(() => learn(this.#executor, fold, epoch, fresh));
      this.#add(step);
      added.push(step);
    }
  }

  #add(step: FoldStep): void {
    const fold = folded(this.#folds.get(this.#count)?.fold ?? NOTHING_LEARNT, step);
    this.#count += 1;
    this.#folds.set(this.#count, { fold });
    this.#folds.delete(this.#count - KEPT);
  }
}

/** Steps that executions of an epoch depend on: the first, and those of epochs long enough before. */
function stepsBefore(index: number): number {
  return 1 + Math.max(0, epochOf(index) - LAG + 1);
}

/** What an execution of a campaign that was kept depends on. */
export function knownFor(steps: readonly FoldStep[], index: number): Fold {
  return steps.slice(0, stepsBefore(index)).reduce(folded, NOTHING_LEARNT);
}

/** What execution `index` of a plan depends on: makes those before it, in this process. */
export function learntBefore(
  plan: CampaignPlan,
  among: Catalogue,
  first: FoldStep,
  index: number,
): Fold {
  const coverage = new CoverageTotals();
  const learner = new Learner(plan, among, coverage, [first]);
  const targets = targetsOfPlan(plan, among);
  const sessions = new Sessions({}, among);
  const executor = new Executor(plan.seed, targets, plan.strategy ?? undefined, sessions);
  const looks = new Map<Session, Coverage>();
  // the last epochs before it are not needed
  const end = epochStart(Math.max(0, epochOf(index) - LAG + 1));
  for (let at = 0; at < end; at += 1) {
    executor.use(learner.foldFor(at));
    const { session } = guarded(() => executor.run(at));
    if (isLookedAt(at)) {
      const look = looks.get(session) ?? new Coverage(session);
      looks.set(session, look);
      look.read();
      const counter = new CoverageTotals();
      counter.add(systemIn(among, session.system.id).id, at, look);
      coverage.merge(counter.all);
    }
    learner.advance(at + 1);
  }
  return learner.foldFor(index);
}
