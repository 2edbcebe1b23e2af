/** Wraps a scheduler and names everything that happens: events in order, choices that differ. */

import type { Pending, Scheduling } from '../sim/scheduler.ts';
import { OccurrenceCounter } from './names.ts';
import { Wrapper } from './strategies/wrapper.ts';

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

export class Recorder extends Wrapper {
  readonly events: RecordedEvent[] = [];
  readonly choices: RecordedChoice[] = [];
  switches = 0;
  readonly #counter = new OccurrenceCounter();
  readonly #asked = new OccurrenceCounter();

  override begin(machine: Scheduling): void {
    this.events.length = 0;
    this.choices.length = 0;
    this.switches = 0;
    this.#counter.reset();
    this.#asked.reset();
    super.begin(machine);
  }

  override pick(machine: Scheduling): number {
    const source = super.pick(machine);
    machine.grant = 0;
    const { operation, site, pe } = machine.pending(source);
    const { current, actorCount } = machine;
    const isSwitch =
      current >= 0 &&
      current < actorCount &&
      source < actorCount &&
      source !== current &&
      machine.isReady(current);
    if (isSwitch) this.switches += 1;
    const occurrence = this.#counter.next({ operation, site, pe });
    this.events.push({ operation, site, pe, source, occurrence, isSwitch });
    return source;
  }

  override choose(machine: Scheduling, site: number, alternatives: number): number {
    const answer = super.choose(machine, site, alternatives);
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
