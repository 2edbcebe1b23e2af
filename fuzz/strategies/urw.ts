/**
 * URW: a random walk in which an actor is picked in proportion to the events that it has still to make, so
 * that interleavings are about equally likely (a uniform pick per step favours those in which short actors
 * end early).
 *
 * Paper: Zhao, Wolff, Mathur, Roychoudhury, "Selectively Uniform Concurrency Testing", ASPLOS 2025 (URW is its first half).
 * Departs from it: what is left is estimated from the operations of each actor, never below one event;
 * hardware events weigh one each.
 */
import type { Scheduler, Scheduling } from '../../sim/scheduler.ts';
import type { Random } from '../random.ts';
import { type Temper, temperedAnswer } from '../temper.ts';

export class UrwStrategy implements Scheduler {
  readonly id = 'urw';
  readonly #random: Random;
  readonly #temper: Temper;
  readonly #expected: readonly number[];
  /** Events made, by actor. */
  readonly #made: number[];

  /** @param expected events that each actor of the machine will make, roughly */
  constructor(random: Random, temper: Temper, expected: readonly number[]) {
    this.#random = random;
    this.#temper = temper;
    this.#expected = expected;
    this.#made = expected.map(() => 0);
  }

  begin(_machine: Scheduling): void {
    this.#made.fill(0);
  }

  pick(machine: Scheduling): number {
    const { ready, readyCount } = machine;
    let source = ready[0]!;
    if (readyCount > 1) {
      let total = 0;
      for (let i = 0; i < readyCount; i += 1) total += this.#left(ready[i]!);
      let at = this.#random.below(total);
      for (let i = 0; i < readyCount; i += 1) {
        source = ready[i]!;
        at -= this.#left(source);
        if (at < 0) break;
      }
    }
    if (source < this.#made.length) this.#made[source]! += 1;
    return source;
  }

  #left(source: number): number {
    const expected = this.#expected[source];
    return expected === undefined ? 1 : Math.max(1, expected - this.#made[source]!);
  }

  choose(_machine: Scheduling, site: number, alternatives: number): number {
    return temperedAnswer(this.#random, this.#temper, site, alternatives);
  }
}
