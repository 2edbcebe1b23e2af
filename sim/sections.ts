/**
 * Read-side critical sections (RCU, SRCU): who is inside, and what a grace period waits for. A
 * grace period waits for the sections that were open when it began, and for no later one.
 */
import { assert } from './assert.ts';

export class Sections {
  readonly domains: number;
  /** Actors inside a section, as a bit mask per domain. */
  readonly inside: Int32Array;
  /** Per domain and actor: the readers that this actor's grace period still waits for. */
  readonly #awaited: Int32Array;
  readonly #actors: number;

  constructor(domains: number, actors: number) {
    this.domains = domains;
    this.inside = new Int32Array(domains);
    this.#awaited = new Int32Array(domains * actors);
    this.#actors = actors;
  }

  reset(): void {
    this.inside.fill(0);
    this.#awaited.fill(0);
  }

  enter(domain: number, actor: number): void {
    assert((this.inside[domain]! & (1 << actor)) === 0, 'sections of one domain do not nest');
    this.inside[domain]! |= 1 << actor;
  }

  exit(domain: number, actor: number): void {
    this.inside[domain]! &= ~(1 << actor);
    for (let waiter = 0; waiter < this.#actors; waiter += 1) {
      this.#awaited[domain * this.#actors + waiter]! &= ~(1 << actor);
    }
  }

  /** The actor starts to wait for all sections open now. */
  await(domain: number, actor: number): void {
    this.#awaited[domain * this.#actors + actor] = this.inside[domain]! & ~(1 << actor);
  }

  waits(domain: number, actor: number): boolean {
    return this.#awaited[domain * this.#actors + actor] !== 0;
  }
}
