/**
 * Busy waits. An actor that comes to its declared retry a second time, nothing having changed in between,
 * would go round for ever under a policy that lets it: it sleeps until something changes. What is left
 * out are rounds that repeat one in which nothing was new.
 */
import { Access } from '../../sim/access.ts';
import type { Machine } from '../../sim/machine.ts';

export class Spinners {
  readonly #machine: Machine;
  /** By actor: what had happened when it last retried, and when it fell asleep; -1 for never. */
  readonly #retried: Int32Array;
  readonly #asleep: Int32Array;
  /** Arrivals and events of hardware: what may help a spinner besides changed words. */
  #hardware = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#retried = new Int32Array(machine.actorCount);
    this.#asleep = new Int32Array(machine.actorCount);
  }

  begin(): void {
    this.#retried.fill(-1);
    this.#asleep.fill(-1);
    this.#hardware = 0;
  }

  /** The event that `source` is about to make is a retry. */
  isRetry(source: number): boolean {
    return this.#machine.actors[source]?.access === Access.Retry;
  }

  /** An event is over. */
  event(source: number, wasRetry: boolean): void {
    const actor = this.#machine.actors[source];
    if (actor === undefined || actor.isHardware) this.#hardware += 1;
    else if (wasRetry) {
      const now = this.#happened;
      if (this.#retried[source] === now) this.#asleep[source] = now;
      this.#retried[source] = now;
    }
  }

  /** Ready, but only to do again what it has just done. */
  isAsleep(source: number): boolean {
    return source < this.#asleep.length && this.#asleep[source] === this.#happened;
  }

  /** Who sleeps, as a bit mask. */
  get mask(): number {
    let mask = 0;
    for (let source = 0; source < this.#asleep.length; source += 1)
      if (this.isAsleep(source)) mask |= 1 << source;
    return mask;
  }

  get #happened(): number {
    return this.#machine.changes + this.#hardware;
  }
}
