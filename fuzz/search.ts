/**
 * A bounded search over the schedules of one program: the re-search of replays and of the
 * minimiser. Fixed seed, budget in executions, so that the result is the same every time.
 */
import type { Scheduler } from '../sim/scheduler.ts';
import { operationCount } from './program.ts';
import { Random } from './random.ts';
import type { Plan } from './schedule.ts';
import { limitsFor, type RunResult, type Session } from './session.ts';
import { PctStrategy } from './strategies/pct.ts';
import { RandomStrategy } from './strategies/random.ts';
import { CALM, type Temper } from './temper.ts';

/** Events that an operation takes, roughly: the length estimate of PCT. */
export const EVENTS_PER_OPERATION = 40;

const RESTLESS: Temper = { failure: 16, hardware: 32, other: 128 };

/** The `index`-th scheduler of a search: random and PCT in turn, calm and restless in turn. */
export function searchScheduler(seed: number, index: number, plan: Plan): Scheduler {
  const random = new Random(seed, index);
  const temper = index % 4 < 2 && plan.choices.length === 0 ? CALM : RESTLESS;
  if (index % 2 === 0) return new RandomStrategy(random, temper);
  return new PctStrategy(
    random,
    temper,
    2 + (index % 3),
    operationCount(plan.program) * EVENTS_PER_OPERATION,
  );
}

/**
 * Runs up to `budget` executions of the plan's program and stops when `visit` returns true.
 * @returns the number of executions made
 */
export function search(
  session: Session,
  plan: Plan,
  seed: number,
  budget: number,
  wrap: (scheduler: Scheduler) => Scheduler,
  visit: (result: RunResult) => boolean,
): number {
  session.load(plan.program);
  const limits = limitsFor(session.configuration, plan.program);
  for (let index = 0; index < budget; index += 1) {
    const scheduler = wrap(searchScheduler(seed, index, plan));
    if (visit(session.run(plan.parameters, scheduler, limits))) return index + 1;
  }
  return budget;
}
