/**
 * Busy waits. An actor that comes to its declared retry again, and in the round since the last one saw
 * nothing that it had not seen in the round before, would go round for ever under a policy that lets it:
 * it sleeps until a word that it looks at changes, or something arrives at its PE. What is left out are
 * rounds that repeat one in which nothing was new.
 *
 * Who sleeps depends on the happens-before relation only, never on the order of independent events.
 */
import { Access } from '../../sim/access.ts';
import type { Footprint } from '../../sim/footprint.ts';
import type { Machine } from '../../sim/machine.ts';

/** The words that an actor looked at in a round, and which of their values it saw. */
class Round {
  readonly words: number[] = [];
  readonly instances: number[] = [];
  /** Arrivals and events of hardware at the actor's PE so far. */
  hardware = -1;

  clear(): void {
    this.words.length = 0;
    this.instances.length = 0;
    this.hardware = -1;
  }

  see(word: number, instance: number): void {
    const at = this.words.indexOf(word);
    if (at >= 0) {
      this.instances[at] = instance;
      return;
    }
    this.words.push(word);
    this.instances.push(instance);
  }

  /** Saw nothing that `before` did not see. */
  repeats(before: Round): boolean {
    if (this.hardware !== before.hardware) return false;
    return this.words.every((word, i) => {
      const at = before.words.indexOf(word);
      return at >= 0 && before.instances[at] === this.instances[i];
    });
  }
}

export class Spinners {
  readonly #machine: Machine;
  /** By actor: the round that goes on, and the last one that ended. */
  readonly #now: Round[];
  readonly #last: Round[];
  readonly #isSpinning: boolean[];
  /** By PE. */
  readonly #hardware: Int32Array;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#now = machine.actors.map(() => new Round());
    this.#last = machine.actors.map(() => new Round());
    this.#isSpinning = machine.actors.map(() => false);
    this.#hardware = new Int32Array(machine.pes.length);
  }

  begin(): void {
    for (const round of this.#now) round.clear();
    for (const round of this.#last) round.clear();
    this.#isSpinning.fill(false);
    this.#hardware.fill(0);
  }

  /** The event that `source` is about to make is a retry. */
  isRetry(source: number): boolean {
    return this.#machine.actors[source]?.access === Access.Retry;
  }

  /** An event is over. */
  event(source: number, wasRetry: boolean, print: Footprint): void {
    const actor = this.#machine.actors[source];
    if (actor === undefined) {
      this.#hardware[(source - this.#machine.actorCount) % this.#hardware.length]! += 1;
      return;
    }
    if (actor.isHardware) {
      this.#hardware[actor.pe]! += 1;
      return;
    }
    const round = this.#now[source]!;
    for (let i = 0; i < print.count; i += 1) {
      const word = print.touched[i]!;
      if (word < print.words) round.see(word, this.#machine.memory.instance(word));
    }
    this.#isSpinning[source] = false;
    if (wasRetry) this.#roundEnds(source, actor.pe);
  }

  #roundEnds(source: number, pe: number): void {
    const round = this.#now[source]!;
    const before = this.#last[source]!;
    round.hardware = this.#hardware[pe]!;
    this.#isSpinning[source] = round.repeats(before);
    this.#now[source] = before;
    this.#last[source] = round;
    before.clear();
  }

  /** Ready, but only to do again what it has just done. */
  isAsleep(source: number): boolean {
    if (this.#isSpinning[source] !== true) return false;
    const { memory, actors } = this.#machine;
    const { words, instances, hardware } = this.#last[source]!;
    if (hardware !== this.#hardware[actors[source]!.pe]) return false;
    return words.every((word, i) => memory.instance(word) === instances[i]);
  }
}
