/**
 * PCT: random priorities and d - 1 random points at which the running source drops to the bottom.
 *
 * Paper: Burckhardt, Kothari, Musuvathi, Nagarakatte, "A Randomized Scheduler with Probabilistic
 * Guarantees of Finding Bugs", ASPLOS 2010.
 * Departs from it: hardware events have priorities of their own; the length of the run is an
 * estimate from the size of the program, not known beforehand.
 */
import type { Scheduler, Scheduling } from '../../sim/scheduler.ts';
import type { Random } from '../random.ts';
import { type Temper, temperedAnswer } from '../temper.ts';

export class PctStrategy implements Scheduler {
  readonly id = 'pct';
  readonly #random: Random;
  readonly #temper: Temper;
  readonly #depth: number;
  readonly #length: number;
  /** By source; higher goes first; 0 while it is not drawn. */
  readonly #priority: number[] = [];
  /** Event counts at which the running source drops, ascending. */
  readonly #changes: number[] = [];
  #dropped = 0;

  /**
   * @param depth d of the paper: orderings that the bug needs
   * @param length estimated events of a run
   */
  constructor(random: Random, temper: Temper, depth: number, length: number) {
    this.#random = random;
    this.#temper = temper;
    this.#depth = depth;
    this.#length = length;
  }

  begin(_machine: Scheduling): void {
    if (this.#priority.length > 0) this.#priority.length = 0;
    this.#changes.length = 0;
    for (let i = 1; i < this.#depth; i += 1)
      this.#changes.push(1 + this.#random.below(this.#length));
    this.#changes.sort((a, b) => a - b);
    this.#dropped = 0;
  }

  pick(machine: Scheduling): number {
    while (
      this.#dropped < this.#changes.length &&
      machine.events >= this.#changes[this.#dropped]!
    ) {
      this.#dropped += 1;
      if (machine.current >= 0) this.#priority[machine.current] = -this.#dropped;
    }
    const { ready, readyCount } = machine;
    let best = -1;
    let highest = 0;
    for (let i = 0; i < readyCount; i += 1) {
      const source = ready[i]!;
      let priority = this.#priority[source] ?? 0;
      // drawn when the source is met first
      if (priority === 0) {
        priority = 1 + this.#random.below(0x3fffffff);
        this.#priority[source] = priority;
      }
      if (best >= 0 && priority <= highest) continue;
      best = source;
      highest = priority;
    }
    const next = this.#changes[this.#dropped];
    machine.grant = next === undefined ? 0x3fffffff : Math.max(0, next - machine.events - 1);
    return best;
  }

  choose(_machine: Scheduling, site: number, alternatives: number): number {
    return temperedAnswer(this.#random, this.#temper, site, alternatives);
  }
}
