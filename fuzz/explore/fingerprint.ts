/**
 * What can be told apart of a run so far: a 64-bit fingerprint of its happens-before relation. Every event
 * is hashed with the events that it depends on, and the hashes are added up, so that runs which differ only
 * in the order of independent events have the same fingerprint (Musuvathi and Qadeer 2007, "Partial-order
 * reduction for context-bounded state exploration").
 *
 * Also tells which events are *visible*: they conflict with what another source has done in any run so
 * far and may do meanwhile (accesses.ts).
 */
import { assert } from '../../sim/assert.ts';
import { Event } from '../../sim/event.ts';
import type { Footprint } from '../../sim/footprint.ts';
import type { Machine } from '../../sim/machine.ts';
import type { Session } from '../session.ts';
import { Accesses } from './accesses.ts';

/** Two 32-bit lanes. */
export interface Lanes {
  high: number;
  low: number;
}

export class Fingerprint {
  /** Fingerprint of the events so far. */
  readonly ideal: Lanes = { high: 0, low: 0 };
  readonly #machine: Machine;
  /** Of the last event. */
  readonly print: Footprint;
  /** What all runs so far have shown of who touches what. */
  readonly accesses: Accesses;
  // by object: hash of the last write, and the sum of the hashes of the reads after it
  readonly #writeHigh: Int32Array;
  readonly #writeLow: Int32Array;
  readonly #readHigh: Int32Array;
  readonly #readLow: Int32Array;
  /** Objects that the run has touched, for the reset. */
  readonly #dirty: Int32Array;
  #dirtyCount = 0;
  readonly #isDirty: Uint8Array;
  // by source: hash of its last event; of an arrival: of the event that issued it
  readonly #lastHigh: Int32Array;
  readonly #lastLow: Int32Array;
  #row = 0;
  #answersHigh = 0;
  #answersLow = 0;

  constructor(session: Session) {
    const { machine } = session;
    assert(machine.actorCount < 31, 'actors and arrivals fit in a bit mask');
    this.#machine = machine;
    this.print = session.footprint();
    const { objects } = this.print;
    const column = (): Int32Array => new Int32Array(objects);
    this.#writeHigh = column();
    this.#writeLow = column();
    this.#readHigh = column();
    this.#readLow = column();
    this.#dirty = column();
    this.#isDirty = new Uint8Array(objects);
    this.accesses = new Accesses(machine, objects, this.print.arrivals);
    this.#lastHigh = new Int32Array(machine.ready.length);
    this.#lastLow = new Int32Array(machine.ready.length);
  }

  /** A run begins: what happened before the first event belongs to none. */
  begin(): void {
    for (let i = 0; i < this.#dirtyCount; i += 1) {
      const object = this.#dirty[i]!;
      this.#writeHigh[object] = 0;
      this.#writeLow[object] = 0;
      this.#readHigh[object] = 0;
      this.#readLow[object] = 0;
      this.#isDirty[object] = 0;
    }
    this.#dirtyCount = 0;
    for (let source = 0; source < this.#lastHigh.length; source += 1) {
      this.#lastHigh[source] = mix(0x51ed270b, source);
      this.#lastLow[source] = mix(0x2545f491, source);
    }
    this.accesses.begin();
    this.ideal.high = 0;
    this.ideal.low = 0;
    this.#row = this.#machine.trace.count;
    this.#answersHigh = 0;
    this.#answersLow = 0;
  }

  /** A question was answered during the event that is being performed. */
  answered(answer: number): void {
    this.#answersHigh = mix(this.#answersHigh + 1, answer);
    this.#answersLow = mix(this.#answersLow + 3, answer + 0x1f);
  }

  /**
   * The event of `source` is over: takes its rows in.
   * @returns whether it is visible
   */
  event(source: number): boolean {
    const { trace, actorCount } = this.#machine;
    const print = this.print;
    const first = this.#row;
    print.clear();
    print.add(trace, first, trace.count);
    this.#row = trace.count;
    let high = mix(this.#lastHigh[source]!, this.#answersHigh);
    let low = mix(this.#lastLow[source]!, this.#answersLow);
    this.#answersHigh = 0;
    this.#answersLow = 0;
    let isVisible = false;
    let causesHigh = 0;
    let causesLow = 0;
    for (let i = 0; i < print.count; i += 1) {
      const object = print.touched[i]!;
      const writes = print.writes(object);
      if (this.accesses.note(object, source, writes)) isVisible = true;
      let h = this.#writeHigh[object]!;
      let l = this.#writeLow[object]!;
      if (writes) {
        h = (h + this.#readHigh[object]!) | 0;
        l = (l + this.#readLow[object]!) | 0;
      }
      causesHigh = (causesHigh + mix(h, object)) | 0;
      causesLow = (causesLow + mix(l, ~object)) | 0;
    }
    high = mix(high, causesHigh);
    low = mix(low, causesLow);
    if (source < actorCount) this.accesses.follow(source, first);
    this.#leaves(high, low);
    this.#lastHigh[source] = high;
    this.#lastLow[source] = low;
    this.#issues(first, high, low);
    // mixed once more: sums of hashes must not cancel out along a chain
    this.ideal.high = (this.ideal.high + mix(high, low)) | 0;
    this.ideal.low = (this.ideal.low + mix(low, ~high)) | 0;
    return isVisible;
  }

  #leaves(high: number, low: number): void {
    const print = this.print;
    for (let i = 0; i < print.count; i += 1) {
      const object = print.touched[i]!;
      if (this.#isDirty[object] === 0) {
        this.#isDirty[object] = 1;
        this.#dirty[this.#dirtyCount] = object;
        this.#dirtyCount += 1;
      }
      if (print.writes(object)) {
        this.#writeHigh[object] = high;
        this.#writeLow[object] = low;
        this.#readHigh[object] = 0;
        this.#readLow[object] = 0;
      } else {
        this.#readHigh[object] = (this.#readHigh[object]! + high) | 0;
        this.#readLow[object] = (this.#readLow[object]! + low) | 0;
      }
    }
  }

  /** Arrivals are caused by the event that issued them, not named by their slot. */
  #issues(first: number, high: number, low: number): void {
    const { trace, invalidations, pes } = this.#machine;
    for (let row = first; row < trace.count; row += 1) {
      if (trace.kind(row) !== Event.InvalidateIssue) continue;
      for (let slot = 0; slot < invalidations.row.length; slot += 1) {
        if (invalidations.row[slot] !== row || invalidations.pending[slot] === 0) continue;
        for (let pe = 0; pe < pes.length; pe += 1) {
          const source = this.#machine.sources.arrival(slot, pe);
          this.#lastHigh[source] = mix(high, pe + 1);
          this.#lastLow[source] = mix(low, pe + 0x101);
        }
      }
    }
  }
}

/** One round of a multiplicative hash of two words. */
export function mix(one: number, other: number): number {
  let h = Math.imul(one ^ (one >>> 15), 0x85ebca6b) ^ Math.imul(other + 0x3c6ef372, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 13), 0x27d4eb2f);
  return h ^ (h >>> 16);
}
