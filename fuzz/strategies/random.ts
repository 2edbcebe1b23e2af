/** Uniform random walk: every enabled event is equally likely, at every step. The reference. */
import type { Scheduler, Scheduling } from '../../sim/scheduler.ts';
import type { Random } from '../random.ts';
import { type Temper, temperedAnswer } from '../temper.ts';

export class RandomStrategy implements Scheduler {
  readonly id = 'random';
  readonly #random: Random;
  readonly #temper: Temper;

  constructor(random: Random, temper: Temper) {
    this.#random = random;
    this.#temper = temper;
  }

  begin(_machine: Scheduling): void {}

  pick(machine: Scheduling): number {
    const count = machine.readyCount;
    return machine.ready[count === 1 ? 0 : this.#random.below(count)]!;
  }

  choose(_machine: Scheduling, site: number, alternatives: number): number {
    return temperedAnswer(this.#random, this.#temper, site, alternatives);
  }
}
