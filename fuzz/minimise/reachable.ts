/**
 * A case must be replayable on the correct model: its order should name only events that the correct model reaches.
 */
import { END, formatName, nameOf } from '../names.ts';
import type { Constraint } from '../order.ts';
import { Recorder } from '../recorder.ts';
import type { Plan } from '../schedule.ts';
import { search } from '../search.ts';
import type { Attempts } from './attempts.ts';

/** Executions of one search on a program whose stored order does not do. */
export const RESEARCH_RUNS = 96;
export const RESEARCH_SEED = 20170222;
/** Executions and failing schedules that are looked at for one that the correct model can replay. */
const REACHABLE_RUNS = 3000;
const REACHABLE_CANDIDATES = 60;

/** Drops constraints that name events which the correct model never reaches, where it does no harm. */
export function withoutUnreachable(work: Attempts, plan: Plan): Plan {
  if (work.session.bugs.length === 0) return plan;
  const filtered = { ...plan, order: reachableOnly(plan.order, reachedBy(work, plan)) };
  return filtered.order.length < plan.order.length && work.fails(filtered) ? filtered : plan;
}

/** The correct model reaches every event that the order names; of a correct model itself nothing is asked. */
export function isReachable(work: Attempts, plan: Plan): boolean {
  if (work.session.bugs.length === 0) return true;
  return reachableOnly(plan.order, reachedBy(work, plan)).length === plan.order.length;
}

/**
 * A case must be replayable on the correct model. When the order names events that only the bug
 * makes happen, other failing schedules are looked for until one does without them.
 */
export function preferReachable(work: Attempts): void {
  if (work.session.bugs.length === 0 || !work.hasBudget) return;
  const plan = work.best;
  const reached = reachedBy(work, plan);
  if (reachableOnly(plan.order, reached).length === plan.order.length) return;
  const candidates = work.failing(plan, REACHABLE_RUNS, REACHABLE_CANDIDATES);
  for (const candidate of candidates) {
    const order = reachableOnly(candidate.order, reached);
    if (work.accept({ ...candidate, order })) return;
  }
}

function reachedBy(work: Attempts, plan: Plan): ReadonlySet<string> {
  return work.reached(plan, () => sampleReached(work, plan));
}

/** Names of the events that a sample of the correct model's executions reaches. */
function sampleReached(work: Attempts, plan: Plan): ReadonlySet<string> {
  const { system, configuration } = work.session;
  const correct = work.sessions.get(system.id, configuration.id, []);
  const reached = new Set<string>();
  let current: Recorder | undefined;
  work.executions += search(
    correct,
    plan,
    RESEARCH_SEED,
    RESEARCH_RUNS / 2,
    (scheduler) => {
      current = new Recorder(scheduler);
      return current;
    },
    () => {
      for (const event of current?.events ?? []) {
        reached.add(
          formatName(nameOf(correct.machine, correct.directory, event, event.occurrence)),
        );
      }
      return false;
    },
  );
  return reached;
}

function reachableOnly(
  order: readonly Constraint[],
  reached: ReadonlySet<string>,
): readonly Constraint[] {
  return order.filter(
    ({ before, after }) =>
      (before.site === END || reached.has(formatName(before))) && reached.has(formatName(after)),
  );
}
