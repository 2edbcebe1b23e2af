/**
 * What may happen next, by number: the next event of an actor, the arrival of an invalidation (by slot and PE), the
 * effect of a delayed store or register write (by PE and place). Schedulers pick among these; the machine performs them.
 */
import { pendingSite } from './hardware.ts';
import type { Machine } from './machine.ts';
import type { Pending } from './scheduler.ts';
import { DELAYED_SOURCES, delayedEvent, EFFECT, isDelayed } from './stores.ts';

export class Sources {
  readonly actors: number;
  /** The first effect; what lies between it and the actors are arrivals. */
  readonly firstEffect: number;
  readonly count: number;
  readonly #pes: number;

  /**
   * @param pes with the place where deferred frees arrive, where there is one
   * @param delayed PEs whose stores are delayed; 0 where they are visible at once
   */
  constructor(actors: number, slots: number, pes: number, delayed: number) {
    this.actors = actors;
    this.#pes = pes;
    this.firstEffect = actors + slots * pes;
    this.count = this.firstEffect + DELAYED_SOURCES * delayed;
  }

  arrival(slot: number, pe: number): number {
    return this.actors + slot * this.#pes + pe;
  }

  effect(pe: number, index: number): number {
    return this.firstEffect + pe * DELAYED_SOURCES + index;
  }

  isArrival(source: number): boolean {
    return source >= this.actors && source < this.firstEffect;
  }

  /** Where an arrival or an effect is. */
  peOf(source: number): number {
    return source < this.firstEffect
      ? (source - this.actors) % this.#pes
      : Math.floor((source - this.firstEffect) / DELAYED_SOURCES);
  }

  /** Slot of an arrival; place of an effect among those of its PE. */
  indexOf(source: number): number {
    return source < this.firstEffect
      ? Math.floor((source - this.actors) / this.#pes)
      : (source - this.firstEffect) % DELAYED_SOURCES;
  }
}

/** The name of the source's next event, as far as numbers go. */
export function pendingOf(machine: Machine, source: number): Pending {
  const { sources } = machine;
  if (source < sources.actors) {
    const actor = machine.actors[source]!;
    return { operation: actor.operation, site: pendingSite(actor), pe: -1 };
  }
  const pe = sources.peOf(source);
  const index = sources.indexOf(source);
  if (source >= sources.firstEffect) {
    const { operation, site } = delayedEvent(machine, pe, index);
    return { operation, site, pe: EFFECT };
  }
  const { instance, site } = machine.invalidations;
  return { operation: instance[index]!, site: site[index]!, pe };
}

/** The source is an invalidation on its way or a pending store, held back or not. */
export function isOnItsWay(machine: Machine, source: number): boolean {
  const { sources } = machine;
  const pe = sources.peOf(source);
  const index = sources.indexOf(source);
  if (source >= sources.firstEffect) return isDelayed(machine, pe, index);
  return (machine.invalidations.pending[index]! & (1 << pe)) !== 0;
}
