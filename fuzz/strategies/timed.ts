/**
 * By virtual time: the source whose next event would be ready first goes first, with a speed for
 * each source and an occasional delay, both drawn. The only strategy that orders by time.
 */
import type { Scheduler, Scheduling } from '../../sim/scheduler.ts';
import type { Random } from '../random.ts';
import { type Temper, temperedAnswer } from '../temper.ts';

/** A picked source is delayed once in so many picks, by up to so many nanoseconds. */
const DELAY_ODDS = 16;
const DELAY_NS_MAX = 4000;

export class TimedStrategy implements Scheduler {
  readonly id = 'timed';
  readonly #random: Random;
  readonly #temper: Temper;
  #speed = new Float64Array(0);
  /** Nanoseconds that each source is still held back. */
  #delay = new Float64Array(0);

  constructor(random: Random, temper: Temper) {
    this.#random = random;
    this.#temper = temper;
  }

  begin(machine: Scheduling): void {
    const sources = machine.ready.length;
    if (this.#speed.length !== sources) {
      this.#speed = new Float64Array(sources);
      this.#delay = new Float64Array(sources);
    }
    for (let i = 0; i < sources; i += 1) {
      this.#speed[i] = (1 + this.#random.below(32)) / 8;
      this.#delay[i] = this.#random.below(DELAY_NS_MAX);
    }
  }

  pick(machine: Scheduling): number {
    const { ready, readyCount } = machine;
    let best = -1;
    let bestDue = 0;
    for (let i = 0; i < readyCount; i += 1) {
      const source = ready[i]!;
      const due = machine.latency(source) * this.#speed[source]! + this.#delay[source]!;
      if (best >= 0 && (due > bestDue || (due === bestDue && source > best))) continue;
      best = source;
      bestDue = due;
    }
    // time passes for everybody who was held back
    const passed = this.#delay[best]!;
    if (passed > 0) {
      for (let i = 0; i < readyCount; i += 1) {
        const source = ready[i]!;
        this.#delay[source] = Math.max(0, this.#delay[source]! - passed);
      }
    }
    if (this.#random.below(DELAY_ODDS) === 0) this.#delay[best] = this.#random.below(DELAY_NS_MAX);
    return best;
  }

  choose(_machine: Scheduling, site: number, alternatives: number): number {
    return temperedAnswer(this.#random, this.#temper, site, alternatives);
  }
}
