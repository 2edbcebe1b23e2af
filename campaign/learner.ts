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
import { CoverageCounter, CoverageTotals } from './coverage.ts';
import { type CampaignPlan, isLookedAt, targetsOfPlan } from './task.ts';

/** Folds that are kept; older ones are made again from their steps. */
const KEPT = LAG + 2;

export class Learner {
  /** What was learnt, one step per epoch; the first is what the campaign started from. */
  readonly steps: FoldStep[] = [];
  readonly #executor: Executor;
  readonly #coverage: CoverageTotals;
  /** By epoch: what is known after it, and the same as text. */
  readonly #folds = new Map<number, { readonly fold: Fold; readonly text: string }>();

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

  /** What executions of this epoch depend on is known. */
  isReady(index: number): boolean {
    return this.steps.length >= epochOf(index) - LAG + 2;
  }

  /** What an execution depends on, as text. */
  textFor(index: number): string {
    return this.#after(epochOf(index) - LAG).text;
  }

  /** Seeds that are known now. */
  get size(): number {
    return this.#after(this.steps.length - 2).fold.seeds.length;
  }

  foldFor(index: number): Fold {
    return this.#after(epochOf(index) - LAG).fold;
  }

  /** @param merged all executions below are @returns steps of epochs that are complete now */
  advance(merged: number): readonly FoldStep[] {
    const added: FoldStep[] = [];
    for (;;) {
      const epoch = this.steps.length - 1;
      const end = epochStart(epoch + 1);
      if (merged < end) return added;
      const fresh = this.#coverage.takeFresh(end);
      const { fold } = this.#after(epoch - LAG);
      const step = guarded(() => learn(this.#executor, fold, epoch, fresh));
      this.#add(step);
      added.push(step);
    }
  }

  /** What is known after an epoch; after the first step when it is before all epochs. */
  #after(epoch: number): { readonly fold: Fold; readonly text: string } {
    const count = Math.max(0, epoch + 1);
    const known = this.#folds.get(count);
    if (known !== undefined) return known;
    const fold = this.steps.slice(0, count + 1).reduce(folded, NOTHING_LEARNT);
    return { fold, text: JSON.stringify(fold) };
  }

  #add(step: FoldStep): void {
    const count = this.steps.length;
    const before = this.#folds.get(count - 1)?.fold ?? NOTHING_LEARNT;
    this.steps.push(step);
    const fold = folded(before, step);
    this.#folds.set(count, { fold, text: JSON.stringify(fold) });
    this.#folds.delete(count - KEPT);
  }
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
      const counter = new CoverageCounter();
      counter.add(systemIn(among, session.system.id).id, at, look);
      coverage.merge(counter.result);
    }
    learner.advance(at + 1);
  }
  return learner.foldFor(index);
}
