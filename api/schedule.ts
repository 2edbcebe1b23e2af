/** Schedules as small values that shrink well: who goes on by default, but for these switches. */
import type { Scheduler, Scheduling } from '../sim/scheduler.ts';

/** At some event somebody else goes on. */
export interface Switch {
  /** Events since the last switch, or since the beginning. */
  readonly after: number;
  /** Place among what is ready then, modulo its number. */
  readonly to: number;
}

/**
 * The running actor goes on as long as it can, then the first one that is ready; the switches are
 * the exceptions. No switches and no answers: the plainest schedule.
 */
export interface Schedule {
  readonly switches: readonly Switch[];
  /** Answers to choices in the order in which they are asked, modulo their number; then 0. */
  readonly answers: readonly number[];
}

export const PLAIN: Schedule = Object.freeze({ switches: [], answers: [] });

export class SwitchStrategy implements Scheduler {
  readonly id = 'switches';
  readonly #schedule: Schedule;
  #next = 0;
  #since = 0;
  #asked = 0;

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  begin(_machine: Scheduling): void {
    this.#next = 0;
    this.#since = 0;
    this.#asked = 0;
  }

  pick(machine: Scheduling): number {
    const due = this.#schedule.switches[this.#next];
    this.#since += 1;
    if (due !== undefined && this.#since > due.after) {
      this.#next += 1;
      this.#since = 0;
      const ready = machine.ready.slice(0, machine.readyCount).sort((a, b) => a - b);
      return ready[due.to % ready.length]!;
    }
    const { current } = machine;
    if (current >= 0 && machine.isReady(current)) return current;
    return machine.ready.subarray(0, machine.readyCount).reduce((a, b) => Math.min(a, b));
  }

  choose(_machine: Scheduling, _site: number, alternatives: number): number {
    const answer = this.#schedule.answers[this.#asked] ?? 0;
    this.#asked += 1;
    return answer % alternatives;
  }
}
