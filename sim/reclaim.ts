/**
 * Deferred frees: a page is freed at some time after all read sections that were open at the request
 * have ended. They wait in the queue of invalidations, for a place of their own, so that schedules and
 * cases name their arrival like any other.
 */
import type { Actor } from './actor.ts';
import { assert } from './assert.ts';
import { Event } from './event.ts';
import type { Invalidations } from './invalidation.ts';
import type { Machine } from './machine.ts';
import { freePage } from './perform.ts';
import { requested } from './requests.ts';

/** Kind of a queue slot that holds a deferred free; no invalidation has it. */
const RECLAIM = 255;

export class Reclaimer {
  /** Deferred frees that are outstanding. */
  count = 0;
  readonly #queue: Invalidations;
  readonly #place: number;
  /** By slot: actors whose sections it still waits for, as a bit mask. */
  readonly #awaited: Int32Array;

  /** @param place index of the PE at which frees arrive */
  constructor(queue: Invalidations, place: number) {
    this.#queue = queue;
    this.#place = place;
    this.#awaited = new Int32Array(queue.slots);
  }

  reset(): void {
    this.count = 0;
  }

  isReclaim(slot: number): boolean {
    return this.#queue.operation[slot] === RECLAIM;
  }

  isHeld(slot: number): boolean {
    return this.#awaited[slot] !== 0;
  }

  request(machine: Machine, actor: Actor): void {
    const queue = this.#queue;
    const slot = queue.freeSlot();
    assert(slot >= 0, 'a request waits for a free slot');
    queue.operation[slot] = RECLAIM;
    queue.page[slot] = actor.x;
    queue.hint[slot] = actor.y;
    queue.actor[slot] = actor.index;
    queue.instance[slot] = actor.operation;
    queue.site[slot] = actor.site;
    queue.issuer[slot] = this.#place;
    queue.pending[slot] = 1 << this.#place;
    queue.outstanding += 1;
    this.count += 1;
    this.#awaited[slot] = machine.sections.inside[actor.y]!;
    queue.row[slot] = machine.emit(Event.FreeRequested, actor.site, actor.x, actor.y, 0, 0);
    machine.expectArrival(slot, this.#place);
    requested(machine);
  }

  /** A read section of the actor has ended. */
  sectionEnded(machine: Machine, domain: number, actor: number): void {
    if (this.count === 0) return;
    const queue = this.#queue;
    for (let slot = 0; slot < queue.slots; slot += 1) {
      if (queue.pending[slot] === 0 || !this.isReclaim(slot) || queue.hint[slot] !== domain)
        continue;
      if (this.#awaited[slot] === 0) continue;
      this.#awaited[slot]! &= ~(1 << actor);
      if (this.#awaited[slot] === 0)
        machine.setReady(machine.sources.arrival(slot, this.#place), true);
    }
  }

  reclaim(machine: Machine, slot: number): void {
    const queue = this.#queue;
    queue.pending[slot] = 0;
    queue.operation[slot] = 0;
    queue.outstanding -= 1;
    this.count -= 1;
    freePage(machine, queue.site[slot]!, queue.page[slot]!);
  }
}
