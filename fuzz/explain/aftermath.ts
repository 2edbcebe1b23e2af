/** What comes of a violation when the run goes on: who uses what should be gone. */
import type { Violation } from '../../oracles/oracle.ts';
import { Event } from '../../sim/event.ts';
import type { Answers, Scheduler, Scheduling } from '../../sim/scheduler.ts';
import type { Row } from '../../sim/trace.ts';
import { describeRow } from '../describe.ts';
import type { Plan } from '../schedule.ts';
import { operationName } from '../sentence.ts';
import { limitsFor, type Session } from '../session.ts';
import { AnswerStrategy } from '../strategies/answers.ts';

const AFTERMATH_EVENTS = 300;

export interface LaterUse {
  readonly step: number;
  readonly who: string;
  readonly what: string;
}

/**
 * Goes on after the violation that the session's run ended with, with the same schedule as far as it
 * reaches; the first use of what survived. The session has the trace of the violation again afterwards.
 */
export function laterUse(session: Session, plan: Plan, violation: Violation): LaterUse | undefined {
  const answers = session.answers;
  const { report } = session.scene;
  const limits = limitsFor(session.configuration, plan.program);
  report.aftermath = AFTERMATH_EVENTS;
  try {
    session.load(plan.program);
    session.run(plan.parameters, new Onwards(answers), limits);
  } catch {
    // what a broken run does afterwards is not judged
  } finally {
    report.aftermath = 0;
  }
  const row = useIn(session, violation);
  const use =
    row === undefined
      ? undefined
      : {
          step: row.step,
          who: operationName(session, row.operation),
          what: describeRow(session, row),
        };
  session.run(plan.parameters, new AnswerStrategy(answers), limits);
  return use;
}

function useIn({ machine }: Session, violation: Violation): Row | undefined {
  const { trace } = machine;
  for (let index = violation.row; index < trace.count; index += 1) {
    const row = trace.at(index);
    const isUse = row.kind === Event.Use && row.d === violation.survivor;
    const isWalk = row.kind === Event.WalkFreed && row.b === violation.frame;
    if (isUse || isWalk) return row;
  }
  return undefined;
}

/** Recorded answers first, then round robin. */
class Onwards implements Scheduler {
  readonly id = 'onwards';
  readonly #exact: AnswerStrategy;
  #turn = 0;

  constructor(answers: Answers) {
    this.#exact = new AnswerStrategy(answers);
  }

  begin(machine: Scheduling): void {
    this.#exact.begin(machine);
  }

  pick(machine: Scheduling): number {
    const source = this.#exact.pick(machine);
    if (this.#exact.divergedAt < 0) return source;
    this.#turn += 1;
    return machine.ready[this.#turn % machine.readyCount]!;
  }

  choose(machine: Scheduling, site: number, alternatives: number): number {
    return this.#exact.choose(machine, site, alternatives);
  }
}
