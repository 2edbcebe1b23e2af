/** Wraps a scheduler and names everything that happens: events in order, choices that differ. */
import type { Pending, Scheduler, Scheduling } from '../sim/scheduler.ts';
import { OccurrenceCounter } from './names.ts';

export interface RecordedEvent extends Pending {
  readonly source: number;
  readonly occurrence: number;
  /** The source before could have gone on, and both are program actors: a switch. */
  readonly isSwitch: boolean;
}

export interface RecordedChoice {
  readonly operation: number;
  readonly site: number;
  readonly occurrence: number;
  readonly answer: number;
}

export class Recorder implements Scheduler {
  readonly id: string;
  readonly events: RecordedEvent[] = [];
  readonly choices: RecordedChoice[] = [];
  switches = 0;
  readonly #inner: Scheduler;
  readonly #counter = new OccurrenceCounter();
  readonly #asked = new OccurrenceCounter();

  constructor(inner: Scheduler) {
    this.#inner = inner;
    this.id = inner.id;
  }

  begin(machine: Scheduling): void {
    this.events.length = 0;
    this.choices.length = 0;
    this.switches = 0;
    this.#counter.reset();
    this.#asked.reset();
    this.#inner.begin(machine);
  }

  pick(machine: Scheduling): number {
    const source = this.#inner.pick(machine);
    machine.grant = 0;
    const pending = machine.pending(source);
    const { current, actorCount } = machine;
    const isSwitch =
      current >= 0 &&
      current < actorCount &&
      source < actorCount &&
      source !== current &&
      machine.isReady(current);
    if (isSwitch) this.switches += 1;
    this.events.push({ ...pending, source, occurrence: this.#counter.next(pending), isSwitch });
    return source;
  }

  choose(machine: Scheduling, site: number, alternatives: number): number {
    const answer = this.#inner.choose(machine, site, alternatives);
    const { operation } = machine;
    const occurrence = this.#asked.next({ operation, site, pe: -1 });
    if (answer !== 0) this.choices.push({ operation, site, occurrence, answer });
    return answer;
  }

  /** The number that a pending event would have. */
  occurrenceOf(pending: Pending): number {
    return this.#counter.peek(pending);
  }
}
