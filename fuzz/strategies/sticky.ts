/**
 * Random walk that stays: the actor that made the last event goes on but for one time in so many, so that
 * runs have few switches in random places. How many is drawn per execution.
 */
import type { Scheduler, Scheduling } from '../../sim/scheduler.ts';
import type { Random } from '../random.ts';
import { type Temper, temperedAnswer } from '../temper.ts';

/** Switches per 256 events. */
const ODDS = [26, 51, 77, 128] as const;
/** No run stays longer than this without being asked. */
const STAY_MAX = 4096;

export class StickyStrategy implements Scheduler {
  readonly id = 'sticky';
  readonly #random: Random;
  readonly #temper: Temper;
  readonly #odds: number;
  /** Events that the source may still make. */
  #left = 0;

  constructor(random: Random, temper: Temper) {
    this.#random = random;
    this.#temper = temper;
    this.#odds = random.pick(ODDS);
  }

  begin(_machine: Scheduling): void {
    this.#left = 0;
  }

  pick(machine: Scheduling): number {
    const { current, ready, readyCount } = machine;
    // a grant that ended early goes on: staying has no memory
    if (this.#left > 0 && current >= 0 && machine.isReady(current)) {
      this.#left -= 1;
      return current;
    }
    this.#left = 0;
    while (this.#left < STAY_MAX && this.#random.below(256) >= this.#odds) this.#left += 1;
    return ready[readyCount === 1 ? 0 : this.#random.below(readyCount)]!;
  }

  choose(_machine: Scheduling, site: number, alternatives: number): number {
    return temperedAnswer(this.#random, this.#temper, site, alternatives);
  }
}
