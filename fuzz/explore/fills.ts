/**
 * Questions whose answer may not matter: whether something is cached. An entry that nothing looks at (no
 * lookup hits it, no walk starts from it, nothing removes it, no violation is reported) might as well not be
 * there, so "not cached" is tried only once some run notices the entry.
 */
import { Event } from '../../sim/event.ts';
import type { Machine } from '../../sim/machine.ts';
import { type Site, siteOf } from '../../sim/site.ts';
import { TLB_CAPACITY } from '../../sim/tlb.ts';

const CACHING: ReadonlySet<Site> = new Set(
  ['walk.cacheLeaf', 'walk.cacheCombined', 'walk.cacheTable'].map(siteOf),
);
/** One of several entries is picked: tells that all of them are there. */
const PICKING: ReadonlySet<Site> = new Set(['walk.useOther', 'choice.evictOther'].map(siteOf));

/** A question of this run that was answered "cache". */
export interface Fill {
  readonly question: number;
  readonly event: number;
  readonly switches: number;
  /** Answers changed before it. */
  readonly changed: number;
  /** Row of the fill, if one was made. */
  readonly row: number;
  isNoticed: boolean;
  /** The alternatives to its event are known. */
  isExpanded: boolean;
}

export class Fills {
  readonly #machine: Machine;
  readonly #fills: Fill[] = [];
  readonly #noticed: Fill[] = [];
  #row = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  begin(): void {
    this.#fills.length = 0;
    this.#noticed.length = 0;
    this.#row = this.#machine.trace.count;
  }

  isCaching(site: Site): boolean {
    return CACHING.has(site);
  }

  /** The question was answered with the default. */
  cached(question: number, event: number, switches: number, changed: number): void {
    // the fill is the next row, unless an equal entry is there already
    const { count } = this.#machine.trace;
    this.#fills.push({
      question,
      event,
      switches,
      changed,
      row: count,
      isNoticed: false,
      isExpanded: false,
    });
  }

  /** Any other question. */
  asked(site: Site): void {
    if (PICKING.has(site)) this.noticeAll();
  }

  markExpanded(event: number, isExpanded: boolean): void {
    for (const fill of this.#fills) if (fill.event === event) fill.isExpanded = isExpanded;
  }

  /** An event is over. */
  event(): void {
    const { trace, actors, pes } = this.#machine;
    const first = this.#row;
    this.#row = trace.count;
    if (this.#fills.length === 0) return;
    let walked = false;
    for (let row = first; row < trace.count; row += 1) {
      switch (trace.kind(row)) {
        case Event.Use:
        case Event.TlbDrop:
          this.#notice(trace.operand(row, 3));
          break;
        case Event.WalkStart:
          if (trace.operand(row, 3) >= 0) this.#notice(actors[trace.actor(row)]!.walk.from);
          break;
        case Event.Fault:
          // a hit without the rights does not say which entry it hit
          if (!walked) this.noticeAll();
          break;
        case Event.WalkRead:
          walked = true;
          break;
        case Event.TlbFill:
          // a full TLB drops one for the next
          if (pes[trace.operand(row, 0) & 0xff]!.tlb.count === TLB_CAPACITY) this.noticeAll();
          break;
        default:
          break;
      }
    }
  }

  #notice(row: number): void {
    for (const fill of this.#fills) if (fill.row === row) this.#note(fill);
  }

  noticeAll(): void {
    for (const fill of this.#fills) this.#note(fill);
  }

  #note(fill: Fill): void {
    if (fill.isNoticed) return;
    fill.isNoticed = true;
    if (this.#machine.trace.kind(fill.row) === Event.TlbFill) this.#noticed.push(fill);
  }

  get hasNoticed(): boolean {
    return this.#noticed.length > 0;
  }

  /** What was noticed since the last call. */
  take(): readonly Fill[] {
    return this.#noticed.splice(0);
  }
}
