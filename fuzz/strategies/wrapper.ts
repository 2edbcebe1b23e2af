/** A scheduler around another one: what it does not override, the inner one decides. */
import type { Scheduler, Scheduling } from '../../sim/scheduler.ts';
import type { Site } from '../../sim/site.ts';

export abstract class Wrapper implements Scheduler {
  readonly id: string;
  readonly #inner: Scheduler;

  constructor(inner: Scheduler) {
    this.id = inner.id;
    this.#inner = inner;
  }

  begin(machine: Scheduling): void {
    this.#inner.begin(machine);
  }

  pick(machine: Scheduling): number {
    return this.#inner.pick(machine);
  }

  choose(machine: Scheduling, site: Site, alternatives: number): number {
    return this.#inner.choose(machine, site, alternatives);
  }
}
