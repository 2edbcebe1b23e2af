/**
 * Where a bug of the zoo first does something else than the correct code under the same schedule, and the run of the
 * correct code, which passes. With it, what decided can be told also where no order of two actors does.
 */
import type { Row } from '../../sim/trace.ts';
import { type EventName, nameOf } from '../names.ts';
import { Recorder } from '../recorder.ts';
import { type Plan, type PlannedRun, runAnswers, runRecorded, whole } from '../schedule.ts';
import { Session } from '../session.ts';
import { Follow, type Recorded } from './follow.ts';
import type { TimelineEvent } from './timeline.ts';

export interface Deviation {
  /** The event of the failing run, and the operation that made it. */
  readonly event: EventName;
  readonly operation: number;
  /** Trace row in both runs. */
  readonly row: number;
  /** The correct code. It passes; the session is its own. */
  readonly correct: Session;
  readonly neighbour: PlannedRun;
}

/**
 * Undefined for runs of correct code, and where the two runs do not differ in a trace row or both fail.
 *
 * @param recorded the failing run
 * @param events of it
 */
export function findDeviation(
  session: Session,
  plan: Plan,
  failing: PlannedRun,
  recorded: Recorded,
  events: readonly TimelineEvent[],
): Deviation | undefined {
  if (session.bugs.length === 0) return undefined;
  const { system, configuration } = session;
  const correct = new Session(system, configuration, { bugs: [] });
  correct.load(plan.program);
  const recorder = new Recorder(new Follow(correct, recorded, undefined));
  const result = runRecorded(correct, plan, recorder);
  if (result.violation !== undefined) return undefined;
  const neighbour = { ...whole(result), recorder, answers: correct.answers, broken: [] };
  runAnswers(session, plan, failing.answers);
  const row = firstDifference(session, correct);
  if (row === undefined) return undefined;
  const { machine, directory } = session;
  const event = events.find(({ to }) => row < to) ?? events.at(-1)!;
  return {
    event: nameOf(machine, directory, event, event.occurrence),
    operation: machine.trace.at(row).operation,
    row,
    correct,
    neighbour,
  };
}

/** The first trace row in which the runs that two sessions have just made differ. */
function firstDifference(session: Session, correct: Session): number | undefined {
  const one = session.machine.trace;
  const other = correct.machine.trace;
  let row = 0;
  while (row < one.count && row < other.count && isSame(one.at(row), other.at(row))) row += 1;
  return row < one.count && row < other.count ? row : undefined;
}

function isSame(one: Row, other: Row): boolean {
  return (Object.keys(one) as (keyof Row)[]).every((key) => one[key] === other[key]);
}
