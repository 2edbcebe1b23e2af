/**
 * The trace of one run: numbers in one typed array, formatted only when someone looks, and a
 * rolling 64-bit digest (two 32-bit lanes) with a checkpoint every 256 events. The digest is made of the rows
 * when it is asked for: nobody asks for that of most executions.
 */
import { assert } from './assert.ts';
import type { EventCode } from './event.ts';

/** kind, step, actor, operation, site, a, b, c, d: the fields of a row, in this order. */
export const ROW_FIELDS = 9;

/** Words of a row: kind, actor and operation share the first. */
const ROW_WORDS = 7;
export const CHECKPOINT_EVENTS = 256;

/** Bits of a row's first word: its kind, and whether an oracle looked at the TLBs when it judged it. */
const KIND = 0x7f;
const LOOKED = 0x80;

/** Digest of an empty trace: the first digits of pi. */
const SEED_HIGH = 0x243f6a88;
const SEED_LOW = 0x13198a2e;

export interface Row {
  readonly row: number;
  readonly kind: EventCode;
  readonly step: number;
  readonly actor: number;
  readonly operation: number;
  readonly site: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

export class Trace {
  #rows = new Int32Array(4096 * ROW_WORDS);
  #checkpoints = new Int32Array(64);
  #high = SEED_HIGH;
  #low = SEED_LOW;
  /** Rows that are in the two lanes. */
  #digested = 0;
  /** Runs so far: a digest is of one of them. */
  #run = 0;
  count = 0;

  reset(): void {
    this.count = 0;
    this.#digested = 0;
    this.#run += 1;
    this.#high = SEED_HIGH;
    this.#low = SEED_LOW;
  }

  add(
    kind: EventCode,
    step: number,
    actor: number,
    operation: number,
    site: number,
    a: number,
    b: number,
    c: number,
    d: number,
  ): number {
    const row = this.count;
    const at = row * ROW_WORDS;
    if (at === this.#rows.length) this.#grow();
    const rows = this.#rows;
    rows[at] = kind | ((actor + 1) << 8) | ((operation + 1) << 16);
    rows[at + 1] = step;
    rows[at + 2] = site;
    rows[at + 3] = a;
    rows[at + 4] = b;
    rows[at + 5] = c;
    rows[at + 6] = d;
    this.count = row + 1;
    return row;
  }

  /** 16 hexadecimal digits. */
  get digest(): string {
    this.#digestRows();
    return hex(this.#high) + hex(this.#low);
  }

  /** The digest of this run, for somebody who may ask before the next one. */
  get digestLater(): () => string {
    const run = this.#run;
    return () => {
      assert(run === this.#run, 'a digest is asked for before the next run');
      return this.digest;
    };
  }

  /** Digest lanes after each full block of CHECKPOINT_EVENTS events. */
  get checkpoints(): Int32Array {
    this.#digestRows();
    return this.#checkpoints.slice(0, Math.floor(this.count / CHECKPOINT_EVENTS) * 2);
  }

  /** An oracle looks at the TLBs while it judges the last row: what they hold matters to that event. */
  noteLook(): void {
    const at = (this.count - 1) * ROW_WORDS;
    if (at >= 0) this.#rows[at]! |= LOOKED;
  }

  looked(row: number): boolean {
    return (this.#rows[row * ROW_WORDS]! & LOOKED) !== 0;
  }

  kind(row: number): EventCode {
    return (this.#rows[row * ROW_WORDS]! & KIND) as EventCode;
  }

  /** One field of a row, by its place in ROW_FIELDS. */
  field(row: number, index: number): number {
    const { kind, step, actor, operation, site, a, b, c, d } = this.at(row);
    return [kind, step, actor, operation, site, a, b, c, d][index]!;
  }

  /** One of the fields a, b, c, d (0 to 3), without an object for the row. */
  operand(row: number, index: number): number {
    return this.#rows[row * ROW_WORDS + 3 + index]!;
  }

  actor(row: number): number {
    return ((this.#rows[row * ROW_WORDS]! >>> 8) & 0xff) - 1;
  }

  /** Instance of an operation; -1 for none. */
  operation(row: number): number {
    return (this.#rows[row * ROW_WORDS]! >>> 16) - 1;
  }

  site(row: number): number {
    return this.#rows[row * ROW_WORDS + 2]!;
  }

  at(row: number): Row {
    const from = row * ROW_WORDS;
    const rows = this.#rows;
    const who = rows[from]!;
    return {
      row,
      kind: (who & KIND) as EventCode,
      step: rows[from + 1]!,
      actor: ((who >>> 8) & 0xff) - 1,
      operation: (who >>> 16) - 1,
      site: rows[from + 2]!,
      a: rows[from + 3]!,
      b: rows[from + 4]!,
      c: rows[from + 5]!,
      d: rows[from + 6]!,
    };
  }

  /** Takes the rows that are new into the lanes: each folded into three words, and mixed in one step a word. */
  #digestRows(): void {
    const rows = this.#rows;
    let high = this.#high;
    let low = this.#low;
    for (let row = this.#digested; row < this.count; row += 1) {
      const at = row * ROW_WORDS;
      const who = rows[at]! & ~LOOKED;
      const x = Math.imul(who, 0x2c1b3c6d) ^ rows[at + 2]!;
      const y = Math.imul(rows[at + 3]!, 0x3c6ef373) + rows[at + 4]!;
      const z = Math.imul(rows[at + 5]!, 0x7f4a7c15) + rows[at + 6]!;
      high = Math.imul(high ^ x, 0x5bd1e995);
      high = Math.imul(((high << 13) | (high >>> 19)) + y, 0x2545f491);
      high = ((high << 11) | (high >>> 21)) ^ z;
      // the second lane follows the first
      low = Math.imul(low ^ (high >>> 9) ^ (y + z), 0x297a2d39) + high;
      if ((row + 1) % CHECKPOINT_EVENTS === 0) this.#checkpoint(row + 1, high, low);
    }
    this.#high = high;
    this.#low = low;
    this.#digested = this.count;
  }

  #checkpoint(count: number, high: number, low: number): void {
    const at = (count / CHECKPOINT_EVENTS - 1) * 2;
    if (at + 2 > this.#checkpoints.length) {
      const wider = new Int32Array(this.#checkpoints.length * 2);
      wider.set(this.#checkpoints);
      this.#checkpoints = wider;
    }
    this.#checkpoints[at] = high;
    this.#checkpoints[at + 1] = low;
  }

  #grow(): void {
    const wider = new Int32Array(this.#rows.length * 2);
    wider.set(this.#rows);
    this.#rows = wider;
  }
}

function hex(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, '0');
}
