/** The schedule with the fewest switches: exploring goes through them in that order. */
import { Explorer } from '../explore/explore.ts';
import type { ExploredFinding } from '../explore/result.ts';
import { deriveSchedule, type Plan, runAnswers, runPlan } from '../schedule.ts';
import type { Attempts } from './attempts.ts';
import { shrinkChoices, shrinkOrder } from './lists.ts';
import { isReachable, withoutUnreachable } from './reachable.ts';

/** Executions that it may take. */
const EXPLORE_RUNS = 600;

export function fewerSwitches(work: Attempts): void {
  exchange(work, 1, 0);
  // an answer more is worth two switches
  exchange(work, 2, 1);
}

/** Looks for a schedule with at least `gain` fewer switches and at most so many answers more. */
function exchange(work: Attempts, gain: number, answersMore: number): void {
  const { session, best } = work;
  const { switches } = runPlan(session, best).recorder;
  // exploring covers F1, and real geometries take too long
  if (switches < gain || session.machine.delays || session.configuration.isReal) return;
  const answers = best.choices.length + answersMore;
  if (!work.isNew(`at most ${switches - gain} switches, ${answers} answers`, best)) return;
  const found = firstWithin(work, switches - gain, answers);
  if (found === undefined) return;
  const plain: Plan = { ...best, order: [], choices: [] };
  const run = runAnswers(session, plain, found.answers);
  if (run === undefined) return;
  const plan = { ...plain, ...deriveSchedule(session, run.recorder) };
  if (!work.fails(plan)) return;
  work.best = withoutUnreachable(work, plan);
  shrinkChoices(work);
  shrinkOrder(work);
  // a schedule that the correct model cannot follow is no better, nor is one with more to say
  const isBetter =
    sayings(work.best) <= sayings(best) &&
    runPlan(session, work.best).recorder.switches <= switches - gain &&
    isReachable(work, work.best);
  if (!isBetter) work.best = best;
}

function sayings({ order, choices }: Plan): number {
  return order.length + choices.length;
}

/** The first failure of ours among the schedules within these bounds: none has fewer switches. */
function firstWithin(
  work: Attempts,
  switches: number,
  answers: number,
): ExploredFinding | undefined {
  const executions = Math.min(EXPLORE_RUNS, work.left);
  const explorer = new Explorer(work.session, work.best, { switches, answers, executions });
  let known = 0;
  let ours: ExploredFinding | undefined;
  while (work.hasBudget && ours === undefined) {
    const { events } = explorer;
    if (!explorer.step()) break;
    work.executions += 1;
    work.events += explorer.events - events;
    if (explorer.progress.findings === known) continue;
    const { findings } = explorer.exploration;
    known = findings.length;
    ours = findings.find(({ signature }) => signature === work.signature);
  }
  return ours;
}
