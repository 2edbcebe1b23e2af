/**
 * Read-side critical sections (RCU, SRCU): who is inside, what a grace period waits for, and which
 * callbacks are due. A grace period, and a callback, waits for the sections that were open when it began,
 * and for no later one. A callback waits for its own caller's section as well.
 */
import { assert } from './assert.ts';

export class Sections {
  readonly domains: number;
  /** Actors inside a section, as a bit mask per domain. */
  readonly inside: Int32Array;
  /** Per domain and actor: the readers that this actor's grace period still waits for. */
  readonly #awaited: Int32Array;
  readonly #actors: number;
  /** Callbacks in the order in which they were deferred: domain, number, and readers still awaited. */
  readonly #domainOf: number[] = [];
  readonly #value: number[] = [];
  readonly #readers: number[] = [];

  constructor(domains: number, actors: number) {
    this.domains = domains;
    this.inside = new Int32Array(domains);
    this.#awaited = new Int32Array(domains * actors);
    this.#actors = actors;
  }

  reset(): void {
    this.inside.fill(0);
    this.#awaited.fill(0);
    // most runs defer nothing, and setting a length costs more than asking for it
    if (this.#domainOf.length === 0) return;
    this.#domainOf.length = 0;
    this.#value.length = 0;
    this.#readers.length = 0;
  }

  enter(domain: number, actor: number): void {
    assert((this.inside[domain]! & (1 << actor)) === 0, 'sections of one domain do not nest');
    this.inside[domain]! |= 1 << actor;
  }

  isInside(domain: number, actor: number): boolean {
    return (this.inside[domain]! & (1 << actor)) !== 0;
  }

  exit(domain: number, actor: number): void {
    this.inside[domain]! &= ~(1 << actor);
    for (let waiter = 0; waiter < this.#actors; waiter += 1) {
      this.#awaited[domain * this.#actors + waiter]! &= ~(1 << actor);
    }
    for (let i = 0; i < this.#domainOf.length; i += 1) {
      if (this.#domainOf[i] === domain) this.#readers[i]! &= ~(1 << actor);
    }
  }

  /** Callbacks that have not been taken, due or not. */
  get deferred(): number {
    return this.#domainOf.length;
  }

  defer(domain: number, value: number): void {
    this.#domainOf.push(domain);
    this.#value.push(value);
    this.#readers.push(this.inside[domain]!);
  }

  isDue(domain: number): boolean {
    return this.#oldestDue(domain) >= 0;
  }

  /** Takes the oldest callback that is due: its number, or -1 when none is. */
  takeDue(domain: number): number {
    const at = this.#oldestDue(domain);
    if (at < 0) return -1;
    const value = this.#value[at]!;
    this.#domainOf.splice(at, 1);
    this.#value.splice(at, 1);
    this.#readers.splice(at, 1);
    return value;
  }

  #oldestDue(domain: number): number {
    for (let i = 0; i < this.#domainOf.length; i += 1) {
      if (this.#domainOf[i] === domain && this.#readers[i] === 0) return i;
    }
    return -1;
  }

  /** The actor starts to wait for all sections open now. */
  await(domain: number, actor: number): void {
    this.#awaited[domain * this.#actors + actor] = this.inside[domain]! & ~(1 << actor);
  }

  waits(domain: number, actor: number): boolean {
    return this.#awaited[domain * this.#actors + actor] !== 0;
  }
}
