/**
 * Who has touched each object in any run so far, and under which locks: whether an event of one source can
 * conflict with what another one does meanwhile. Two accesses that are only ever made under a common lock,
 * held alone by one of the two, are never made while the other source stands before its own
 * (Savage et al. 1997, "Eraser", for the sets of locks).
 */
import { Event } from '../../sim/event.ts';
import { Mode } from '../../sim/locks.ts';
import type { Machine } from '../../sim/machine.ts';

export class Accesses {
  /** Something was learned that may change an earlier answer. */
  grew = false;
  readonly #machine: Machine;
  /** Actors, and one more for all arrivals. */
  readonly #sources: number;
  /** By object: bit mask of the sources that have read or written it. */
  readonly #readers: Int32Array;
  readonly #writers: Int32Array;
  /** By object and source: locks held at every access so far, alone or in any mode, as bit masks. */
  readonly #alone: Int32Array;
  readonly #anyhow: Int32Array;
  /** By source: locks held before its event. */
  readonly #heldAlone: Int32Array;
  readonly #held: Int32Array;

  /** @param arrivals objects that arrivals write, known beforehand: a run may end before the last of them */
  constructor(machine: Machine, objects: number, arrivals: readonly number[]) {
    this.#machine = machine;
    this.#sources = machine.actorCount + 1;
    this.#readers = new Int32Array(objects);
    this.#writers = new Int32Array(objects);
    this.#alone = new Int32Array(objects * this.#sources);
    this.#anyhow = new Int32Array(objects * this.#sources);
    this.#heldAlone = new Int32Array(this.#sources);
    this.#held = new Int32Array(this.#sources);
    for (const object of arrivals) this.#writers[object] = 1 << machine.actorCount;
  }

  begin(): void {
    this.#heldAlone.fill(0);
    this.#held.fill(0);
  }

  /** An event of `source` touches the object: whether another source may do what conflicts, meanwhile. */
  note(object: number, source: number, writes: boolean): boolean {
    const index = Math.min(source, this.#sources - 1);
    const bit = 1 << index;
    const isNews = this.#record(object, index, writes);
    const mask = this.#writers[object]! | (writes ? this.#readers[object]! : 0);
    for (let left = mask & ~bit; left !== 0; left &= left - 1) {
      const other = object * this.#sources + 31 - Math.clz32(left & -left);
      const common =
        (this.#heldAlone[index]! & this.#anyhow[other]!) |
        (this.#held[index]! & this.#alone[other]!);
      if (common !== 0) continue;
      if (isNews) this.grew = true;
      return true;
    }
    return false;
  }

  /** True when it was not known that the source does this with no more locks than now. */
  #record(object: number, index: number, writes: boolean): boolean {
    const bit = 1 << index;
    const at = object * this.#sources + index;
    const known = this.#readers[object]! | this.#writers[object]!;
    const isNew = ((writes ? this.#writers : this.#readers)[object]! & bit) === 0;
    if (isNew && writes) this.#writers[object]! |= bit;
    else if (isNew) this.#readers[object]! |= bit;
    const isFirst = (known & bit) === 0;
    const alone = isFirst ? this.#heldAlone[index]! : this.#alone[at]! & this.#heldAlone[index]!;
    const anyhow = isFirst ? this.#held[index]! : this.#anyhow[at]! & this.#held[index]!;
    const isLess = alone !== this.#alone[at] || anyhow !== this.#anyhow[at];
    this.#alone[at] = alone;
    this.#anyhow[at] = anyhow;
    return isNew || isLess;
  }

  /** The event of `source`, whose first row this is, is over: the locks that it holds from now on. */
  follow(source: number, first: number): void {
    const { trace } = this.#machine;
    for (let row = first; row < trace.count; row += 1) {
      const kind = trace.kind(row);
      if (kind !== Event.LockTake && kind !== Event.LockDrop) continue;
      const bit = 1 << trace.operand(row, 0);
      this.#held[source]! &= ~bit;
      this.#heldAlone[source]! &= ~bit;
      if (kind === Event.LockDrop) continue;
      this.#held[source]! |= bit;
      if (trace.operand(row, 1) === Mode.Exclusive) this.#heldAlone[source]! |= bit;
    }
  }
}
