/**
 * POS: every pending event has a random priority and the highest goes first; events that race with the one
 * that was made get new ones, so that partial orders are about equally likely.
 *
 * Paper: Yuan, Yang, Gu, "Partial Order Aware Concurrency Sampling", CAV 2018.
 * Departs from it: whether two events race is told by what they will touch, memory by page (sim/target.ts).
 */
import type { Scheduler, Scheduling } from '../../sim/scheduler.ts';
import { targetsConflict } from '../../sim/target.ts';
import type { Random } from '../random.ts';
import { type Temper, temperedAnswer } from '../temper.ts';

export class PosStrategy implements Scheduler {
  readonly id = 'pos';
  readonly #random: Random;
  readonly #temper: Temper;
  /** By source; 0 while its pending event has none. */
  readonly #priority: number[] = [];

  constructor(random: Random, temper: Temper) {
    this.#random = random;
    this.#temper = temper;
  }

  begin(_machine: Scheduling): void {
    this.#priority.length = 0;
  }

  pick(machine: Scheduling): number {
    const { ready, readyCount } = machine;
    let best = ready[0]!;
    let highest = 0;
    for (let i = 0; i < readyCount; i += 1) {
      const source = ready[i]!;
      let priority = this.#priority[source] ?? 0;
      if (priority === 0) {
        priority = 1 + this.#random.below(0x3fffffff);
        this.#priority[source] = priority;
      }
      if (priority <= highest) continue;
      best = source;
      highest = priority;
    }
    const target = machine.target(best);
    this.#priority[best] = 0;
    for (let i = 0; i < readyCount; i += 1) {
      const source = ready[i]!;
      if (targetsConflict(target, machine.target(source))) this.#priority[source] = 0;
    }
    return best;
  }

  choose(_machine: Scheduling, site: number, alternatives: number): number {
    return temperedAnswer(this.#random, this.#temper, site, alternatives);
  }
}
