/**
 * The trace of one run: numbers in one typed array, formatted only when someone looks, and a
 * rolling 64-bit digest (two 32-bit lanes) with a checkpoint every 256 events.
 */
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
  count = 0;

  reset(): void {
    this.count = 0;
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
    const who = kind | ((actor + 1) << 8) | ((operation + 1) << 16);
    rows[at] = who;
    rows[at + 1] = step;
    rows[at + 2] = site;
    rows[at + 3] = a;
    rows[at + 4] = b;
    rows[at + 5] = c;
    rows[at + 6] = d;

    // the row folded into three words, one mixing step each; the second lane follows the first
    const x = Math.imul(who, 0x2c1b3c6d) ^ site;
    const y = Math.imul(a, 0x3c6ef373) + b;
    const z = Math.imul(c, 0x7f4a7c15) + d;
    let high = Math.imul(this.#high ^ x, 0x5bd1e995);
    high = Math.imul(((high << 13) | (high >>> 19)) + y, 0x2545f491);
    high = ((high << 11) | (high >>> 21)) ^ z;
    this.#high = high;
    this.#low = Math.imul(this.#low ^ (high >>> 9) ^ (y + z), 0x297a2d39) + high;

    this.count = row + 1;
    if ((this.count & (CHECKPOINT_EVENTS - 1)) === 0) this.#checkpoint();
    return row;
  }

  /** 16 hexadecimal digits. */
  get digest(): string {
    return hex(this.#high) + hex(this.#low);
  }

  /** The digest as it is now, written out when somebody asks. */
  get digestLater(): () => string {
    const high = this.#high;
    const low = this.#low;
    return () => hex(high) + hex(low);
  }

  /** Digest lanes after each full block of CHECKPOINT_EVENTS events. */
  get checkpoints(): Int32Array {
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

  #checkpoint(): void {
    const at = (this.count / CHECKPOINT_EVENTS - 1) * 2;
    if (at + 2 > this.#checkpoints.length) {
      const wider = new Int32Array(this.#checkpoints.length * 2);
      wider.set(this.#checkpoints);
      this.#checkpoints = wider;
    }
    this.#checkpoints[at] = this.#high;
    this.#checkpoints[at + 1] = this.#low;
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
