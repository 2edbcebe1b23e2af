/**
 * Coverage of one run, read from its trace: which accesses met which. Three signals:
 *
 *   pairs     ordered pairs of sites of two actors that touch one object next to each other, at least one of them writing
 *   states    the same for table entries, with what the second made of the entry (kinds before and after, level)
 *   segments  three such accesses in a row on one object
 *
 * Objects are words, the TLB of a PE, locks and pages of the pool. Keys are numbers that depend on the names of sites only.
 */
import { isTable, isValid } from '../sim/descriptor.ts';
import { Event } from '../sim/event.ts';
import { placeLevel } from '../sim/place.ts';
import type { Session } from './session.ts';

export const SIGNALS = ['pairs', 'states', 'segments'] as const;
export type Signal = (typeof SIGNALS)[number];

/** Site numbers are below this: a pair fits in 24 bits, a segment in 36. */
const SITES = 4096;

export class Coverage {
  /** Keys that the last run touched, each once, by signal. */
  readonly pairs = new Set<number>();
  readonly states = new Set<number>();
  readonly segments = new Set<number>();
  readonly #session: Session;
  readonly #numbers = new Map<number, number>();
  readonly #words: number;
  /** By object: last actor + 1, its site, whether it wrote, and the site before it of another actor. */
  readonly #actor: Int16Array;
  readonly #site: Int16Array;
  readonly #wrote: Uint8Array;
  readonly #before: Int16Array;
  readonly #touched: Int32Array;
  #count = 0;

  constructor(session: Session) {
    const { machine, directory } = session;
    this.#session = session;
    directory.names.forEach((name, index) => {
      this.#numbers.set(directory.find(name)!, index + 1);
    });
    this.#words = machine.memory.frames << machine.memory.shift;
    const objects = this.#words + machine.pes.length + machine.spec.locks.length + 1;
    this.#actor = new Int16Array(objects);
    this.#site = new Int16Array(objects);
    this.#wrote = new Uint8Array(objects);
    this.#before = new Int16Array(objects);
    this.#touched = new Int32Array(objects);
  }

  /** Looks at the run that the session has just made. */
  read(): void {
    this.pairs.clear();
    this.states.clear();
    this.segments.clear();
    const { machine } = this.#session;
    const { trace } = machine;
    const tlbs = this.#words;
    const locks = tlbs + machine.pes.length;
    const pool = locks + machine.spec.locks.length;
    for (let row = 0; row < trace.count; row += 1) {
      const a = trace.operand(row, 0);
      switch (trace.kind(row)) {
        case Event.Read:
        case Event.Wait:
        case Event.CompareFailed:
        case Event.WalkRead:
          this.#touch(a, row, false);
          break;
        case Event.StoreVisible:
          this.#touch(a, row, true);
          break;
        case Event.Descriptor:
          this.#state(row, trace.operand(row, 1), trace.operand(row, 2), trace.operand(row, 3));
          break;
        case Event.TlbFill:
        case Event.TlbDrop:
          this.#touch(tlbs + (a & 0xff), row, true);
          break;
        case Event.InvalidateArrive:
          this.#touch(tlbs + trace.operand(row, 1), row, true);
          break;
        case Event.LockTake:
          this.#touch(locks + a, row, true);
          break;
        case Event.Allocate:
        case Event.Free:
          this.#touch(pool, row, true);
          break;
        default:
      }
    }
    for (let i = 0; i < this.#count; i += 1) this.#actor[this.#touched[i]!] = 0;
    this.#count = 0;
  }

  #touch(object: number, row: number, isWrite: boolean): void {
    const { trace } = this.#session.machine;
    const actor = trace.actor(row) + 1;
    const site = this.#numbers.get(trace.site(row)) ?? 0;
    const last = this.#actor[object]!;
    if (last === 0) {
      this.#touched[this.#count] = object;
      this.#count += 1;
      this.#before[object] = 0;
    } else if (last !== actor) {
      const lastSite = this.#site[object]!;
      if (isWrite || this.#wrote[object] === 1) {
        this.pairs.add(lastSite * SITES + site);
        const before = this.#before[object]!;
        if (before > 0) this.segments.add((before * SITES + lastSite) * SITES + site);
      }
      this.#before[object] = lastSite;
    }
    this.#actor[object] = actor;
    this.#site[object] = site;
    this.#wrote[object] = isWrite ? 1 : 0;
  }

  /** A descriptor row follows the store that made it: who touched the word before is what `#before` says. */
  #state(row: number, from: number, to: number, where: number): void {
    const { trace } = this.#session.machine;
    const site = this.#numbers.get(trace.site(row)) ?? 0;
    const before = this.#before[trace.operand(row, 0)]!;
    const level = placeLevel(where) + 1;
    this.states.add(((before * SITES + site) * 8 + level) * 16 + kindOf(from) * 4 + kindOf(to));
  }

  /** `site -> site` of a pair, for people. */
  name(key: number): string {
    const { names } = this.#session.directory;
    const one = names[Math.floor(key / SITES) - 1] ?? '?';
    return `${one} -> ${names[(key % SITES) - 1] ?? '?'}`;
  }
}

/** Places of the two sites of a pair among the names of a directory, from 0. */
export function pairOf(key: number): readonly [before: number, after: number] {
  return [Math.floor(key / SITES) - 1, (key % SITES) - 1];
}

/** What became of a table entry, and at which level. */
export interface Transition {
  readonly level: number;
  readonly from: EntryKind;
  readonly to: EntryKind;
}

export const ENTRY_KINDS = ['empty', 'marked', 'table', 'leaf'] as const;
export type EntryKind = (typeof ENTRY_KINDS)[number];

/** The transition of a key of the signal `states`. */
export function transitionOf(key: number): Transition {
  const level = (Math.floor(key / 16) % 8) - 1;
  return { level, from: ENTRY_KINDS[Math.floor(key / 4) % 4]!, to: ENTRY_KINDS[key % 4]! };
}

/** Empty, marked (invalid and not empty), table, leaf. */
function kindOf(word: number): number {
  if (!isValid(word)) return word === 0 ? 0 : 1;
  return isTable(word) ? 2 : 3;
}
