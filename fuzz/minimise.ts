/**
 * The joint minimiser: program, schedule, choices, parameters and configuration, smallest first in
 * that order, guarded by the coarse signature. Deterministic, budgeted in executions, and anytime:
 * every improvement is handed to `improved` at once. The passes are in fuzz/minimise/.
 */
import type { Answers } from '../sim/scheduler.ts';
import { Attempts, type OtherFailure } from './minimise/attempts.ts';
import { canonicalise } from './minimise/canonical.ts';
import { shrinkChoices, shrinkOrder } from './minimise/lists.ts';
import { planText } from './minimise/plans.ts';
import {
  shrinkArguments,
  shrinkConfiguration,
  shrinkParameters,
  shrinkProgram,
} from './minimise/program.ts';
import { preferReachable, withoutUnreachable } from './minimise/reachable.ts';
import { fewerSwitches } from './minimise/switches.ts';
import { deriveSchedule, type Plan, type PlannedRun, runAnswers, runPlan } from './schedule.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';
import { coarseSignature } from './signature.ts';

export interface Minimised {
  readonly session: Session;
  readonly plan: Plan;
  readonly run: PlannedRun;
  readonly executions: number;
  /** By coarse signature: other failures that were met on the way. */
  readonly others: ReadonlyMap<string, OtherFailure>;
}

export interface MinimiseOptions {
  /** Executions that may be spent. */
  readonly budget: number;
  /** Told of every smaller plan at once. */
  readonly improved?: (best: Minimised) => void;
}

export const MINIMISE_BUDGET = 6000;

/** Shrinks a failing run; undefined when its schedule cannot be replayed (our defect, or no failure). */
export function minimise(
  sessions: Sessions,
  session: Session,
  plan: Plan,
  answers: Answers | undefined,
  options: MinimiseOptions,
): Minimised | undefined {
  const work = start(sessions, session, plan, answers, options.budget);
  return work === undefined ? undefined : shrink(work, options);
}

/** Reproduces twice, and turns the recorded answers into constraints that reproduce. */
function start(
  sessions: Sessions,
  session: Session,
  plan: Plan,
  answers: Answers | undefined,
  budget: number,
): Attempts | undefined {
  const run = answers === undefined ? runPlan(session, plan) : runAnswers(session, plan, answers);
  if (run?.violation === undefined) return undefined;
  const signature = coarseSignature(session, run.violation);
  const current =
    answers === undefined ? plan : { ...plan, ...deriveSchedule(session, run.recorder) };
  const work = new Attempts(sessions, session, current, signature, budget);
  return work.fails(current) && work.reproduces(current) ? work : undefined;
}

function shrink(work: Attempts, { improved }: MinimiseOptions): Minimised {
  const report = (): void => improved?.(resultOf(work));
  work.onSmaller = report;
  // executions of a real geometry cost a hundred times as much: leave it first if the failure does
  if (work.session.configuration.isReal) shrinkConfiguration(work);
  work.best = withoutUnreachable(work, work.best);
  shrinkOrder(work);
  report();
  for (let before = ''; before !== planText(work.best) && work.hasBudget; ) {
    before = planText(work.best);
    shrinkProgram(work);
    shrinkArguments(work);
    shrinkParameters(work);
    shrinkChoices(work);
    shrinkOrder(work);
    report();
  }
  fewerSwitches(work);
  shrinkConfiguration(work);
  preferReachable(work);
  shrinkChoices(work);
  shrinkOrder(work);
  fewerSwitches(work);
  canonicalise(work);
  return resultOf(work);
}

function resultOf({ session, best, executions, others }: Attempts): Minimised {
  return { session, plan: best, run: runPlan(session, best), executions, others };
}
