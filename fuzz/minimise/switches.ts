/** The schedule with the fewest switches: exploring goes through them in that order. */
import { explore } from '../explore/explore.ts';
import { deriveSchedule, type Plan, runAnswers, runPlan } from '../schedule.ts';
import type { Attempts } from './attempts.ts';
import { shrinkChoices, shrinkOrder } from './lists.ts';
import { isReachable, withoutUnreachable } from './reachable.ts';

/** Executions that it may take. */
const EXPLORE_RUNS = 1500;

export function fewerSwitches(work: Attempts): void {
  const { session, best, signature } = work;
  const { recorder } = runPlan(session, best);
  const { switches } = recorder;
  // exploring covers F1; with none there is nothing to gain, and real geometries take too long
  if (switches === 0 || session.machine.delays || session.configuration.isReal) return;
  if (!work.hasBudget) return;
  const bounds = { switches: switches - 1, answers: 1, executions: EXPLORE_RUNS };
  const explored = explore(session, best, bounds);
  work.executions += explored.executions;
  work.events += explored.events;
  const found = explored.findings.find((finding) => finding.signature === signature);
  if (found === undefined) return;
  const plain: Plan = { ...best, order: [], choices: [] };
  const run = runAnswers(session, plain, found.answers);
  if (run === undefined) return;
  const plan = { ...plain, ...deriveSchedule(session, run.recorder) };
  if (!work.fails(plan)) return;
  const kept = work.best;
  work.best = withoutUnreachable(work, plan);
  shrinkChoices(work);
  shrinkOrder(work);
  // a schedule that the correct model cannot follow is no better, nor is one with more to say
  const isBetter =
    work.best.order.length <= kept.order.length &&
    runPlan(session, work.best).recorder.switches < switches &&
    isReachable(work, work.best);
  if (!isBetter) work.best = kept;
}
