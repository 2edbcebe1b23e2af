/**
 * Runs a program under ordering constraints and choices, and turns a run back into them: for each
 * switch, the last event of every other source before it, and what must not happen before the end.
 */

import { Access } from '../sim/access.ts';
import { assert } from '../sim/assert.ts';
import type { Answers, Pending, Scheduler } from '../sim/scheduler.ts';
import { EFFECT } from '../sim/stores.ts';
import type { CaseChoice } from './case.ts';
import { type EventName, nameOf, resolveName } from './names.ts';
import type { Constraint } from './order.ts';
import type { Program } from './program.ts';
import { type RecordedEvent, Recorder } from './recorder.ts';
import { limitsFor, type RunResult, type Session } from './session.ts';
import { AnswerStrategy } from './strategies/answers.ts';
import { PolicyStrategy, policyOrder } from './strategies/policy.ts';

export interface Plan {
  readonly program: Program;
  readonly parameters: Readonly<Record<string, number>>;
  readonly order: readonly Constraint[];
  readonly choices: readonly CaseChoice[];
}

export interface PlannedRun extends RunResult {
  readonly recorder: Recorder;
  readonly answers: Answers;
  /** Constraints (indexes) that could not be honoured. */
  readonly broken: readonly number[];
}

/** Runs the plan by the default policy. Constraints that name what is not there are ignored. */
export function runPlan(session: Session, plan: Plan): PlannedRun {
  session.load(plan.program);
  const { machine, directory } = session;
  const kept: number[] = [];
  const keyed = plan.order.flatMap(({ before, after }, index) => {
    const one = resolveName(machine, directory, before);
    const other = resolveName(machine, directory, after);
    if (one === undefined || other === undefined) return [];
    kept.push(index);
    return [{ before: one, after: other }];
  });
  const choices = plan.choices.flatMap(({ event, answer }) => {
    const key = resolveName(machine, directory, event);
    return key === undefined ? [] : [{ key, answer }];
  });
  const known = plan.program.map(({ actor }) => actor);
  const policy = new PolicyStrategy(keyed, choices, policyOrder(machine.actors, known));
  const recorder = new Recorder(policy);
  const result = runRecorded(session, plan, recorder);
  return {
    ...whole(result),
    recorder,
    answers: session.answers,
    broken: policy.broken.map((index) => kept[index]!),
  };
}

/**
 * Runs recorded answers; undefined when they do not fit the program any more.
 * @param wrap looks at the run while it is made
 */
export function runAnswers(
  session: Session,
  plan: Plan,
  answers: Answers,
  wrap: (exact: Scheduler) => Scheduler = (exact) => exact,
): PlannedRun | undefined {
  session.load(plan.program);
  const exact = new AnswerStrategy(answers);
  const recorder = new Recorder(wrap(exact));
  const result = runRecorded(session, plan, recorder);
  if (exact.divergedAt >= 0) return undefined;
  return { ...whole(result), recorder, answers: session.answers, broken: [] };
}

/** A result as a plain object: its digest is a getter that a spread would leave behind. */
export function whole({ violation, steps, events, digest, vacuous }: RunResult): RunResult {
  return { violation, steps, events, digest, vacuous };
}

/** Runs the loaded program under any scheduler. */
export function runRecorded(session: Session, plan: Plan, scheduler: Scheduler): RunResult {
  return session.run(plan.parameters, scheduler, limitsFor(session.configuration, plan.program));
}

/** The schedule of the run that the session has just made, as constraints and choices. */
export function deriveSchedule(
  session: Session,
  recorder: Recorder,
): { order: Constraint[]; choices: CaseChoice[] } {
  const { machine, directory } = session;
  const order: Constraint[] = [];
  const nameEvent = (event: Pending, occurrence: number): EventName =>
    nameOf(machine, directory, event, occurrence);
  const finals = finalEvents(session, recorder);
  // the last event of an operation is named as its end: ends survive changes inside
  const nameBefore = (event: RecordedEvent): EventName =>
    finals.has(event)
      ? nameEvent({ operation: event.operation, site: 0, pe: -1 }, 1)
      : nameEvent(event, event.occurrence);
  /** By operation stream (actor or arrival's PE): its last event so far. */
  const last = new Map<string, RecordedEvent>();
  let previous = '';
  for (const event of recorder.events) {
    const stream = streamOf(machine.course.actorOf[event.operation]!, event);
    if (stream !== previous) {
      for (const [other, before] of last) {
        if (other === stream) continue;
        order.push({
          before: nameBefore(before),
          after: nameEvent(event, event.occurrence),
        });
      }
    }
    last.set(stream, event);
    previous = stream;
  }
  // what was parked at the end must not come before the last event
  const final = recorder.events.at(-1);
  if (final !== undefined) {
    for (const pending of parked(session)) {
      order.push({
        before: nameEvent(final, final.occurrence),
        after: nameEvent(pending, recorder.occurrenceOf(pending)),
      });
    }
  }
  const choices = recorder.choices.map(({ operation, site, occurrence, answer }) => ({
    event: nameOf(machine, directory, { operation, site, pe: -1 }, occurrence),
    answer,
  }));
  return { order, choices };
}

/** The last event of each operation that has ended. */
function finalEvents({ machine }: Session, recorder: Recorder): ReadonlySet<RecordedEvent> {
  const last = new Map<number, RecordedEvent>();
  for (const event of recorder.events) if (event.pe === -1) last.set(event.operation, event);
  return new Set([...last.values()].filter(({ operation }) => machine.hasEnded(operation)));
}

function streamOf(actor: number, { pe, operation, site }: Pending): string {
  if (pe === -1) return `a${actor}`;
  // stores of one PE have no order among them but that of their location
  return pe === EFFECT ? `a${actor}@${operation} ${site}` : `a${actor}@${pe}`;
}

/** Next events of sources that did not get to them. */
function parked(session: Session): readonly Pending[] {
  const { machine } = session;
  const list: Pending[] = [];
  for (const actor of machine.actors) {
    if (actor.ended || actor.access === Access.Invalid || actor.operation < 0) continue;
    list.push(machine.pending(actor.index));
  }
  for (let source = machine.actorCount; source < machine.ready.length; source += 1) {
    // an arrival that a walk holds back counts as well: it must not come earlier on replay
    if (machine.isExpected(source)) list.push(machine.pending(source));
  }
  return list;
}

/** The name of the event at which the session's violation was reported. */
export function violationName(session: Session, recorder: Recorder): EventName {
  const final = recorder.events.at(-1);
  assert(final !== undefined, 'a violation is reported at an event');
  const { violation } = session.scene.report;
  if (session.machine.inTail && violation !== undefined && violation.operation >= 0) {
    // nobody is asked in the fair tail: where it begins depends on the number of steps before
    const { operation, site } = violation;
    return nameOf(session.machine, session.directory, { operation, site, pe: -1 }, 1);
  }
  return nameOf(session.machine, session.directory, final, final.occurrence);
}
