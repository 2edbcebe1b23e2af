/**
 * What the guest's tables have said, and what it has invalidated: which translations a shadow may hold.
 *
 * A shadow may hold what was in the guest's table at some moment since the last invalidation by the guest that covers
 * the page and that was complete. An invalidation is about everything that was gone when it was issued. Nothing here
 * is seen by the operations: it is what their promises are measured by.
 * Source: spec/arm.md 5.3 N4.
 */
import { isValid } from '../../sim/descriptor.ts';
import { alignDown, LAST_LEVEL } from '../../sim/geometry.ts';
import { blockPages } from '../kvm-arm64/geometry.ts';
import { GUEST_TABLES, type GuestTables } from './guest-tables.ts';

/** A leaf of the guest's table as it was, its level, and the moment at which it was replaced. */
interface Past {
  readonly leaf: number;
  readonly level: number;
  readonly until: number;
}

export class History {
  readonly #tables: GuestTables;
  readonly #pages: number;
  /** By table and page. */
  readonly #leaf: Int32Array;
  readonly #level: Uint8Array;
  readonly #past: Past[][];
  /** The VMID that the guest uses for a table. */
  readonly #vmidOf: (table: number) => number;
  #now = 1;
  #isRead = false;
  /** Entries that differ from boot, or once did. */
  readonly #touched: number[] = [];

  constructor(tables: GuestTables, vmidOf: (table: number) => number) {
    this.#tables = tables;
    this.#vmidOf = vmidOf;
    this.#pages = tables.pages;
    this.#leaf = new Int32Array(GUEST_TABLES * this.#pages);
    this.#level = new Uint8Array(GUEST_TABLES * this.#pages);
    this.#past = Array.from({ length: GUEST_TABLES * this.#pages }, () => []);
  }

  /** Begins with what the tables hold, which is the same at every boot. */
  reset(): void {
    this.#now = 1;
    if (!this.#isRead) {
      for (let at = 0; at < this.#leaf.length; at += 1) this.#read(at);
      this.#isRead = true;
    }
    for (const at of this.#touched) {
      this.#past[at]!.length = 0;
      this.#read(at);
    }
    this.#touched.length = 0;
  }

  #read(at: number): void {
    const table = Math.floor(at / this.#pages);
    const page = at % this.#pages;
    this.#leaf[at] = this.#tables.leafAt(table, page);
    this.#level[at] = this.#tables.levelAt(table, page);
  }

  /** The moment from which on everything that is gone by now counts as invalidated. */
  get now(): number {
    return this.#now;
  }

  /** The guest changes something else that it invalidates: the moment at which it does. */
  tick(): number {
    this.#now += 1;
    return this.#now - 1;
  }

  /** The guest has stored to a table what may change the leaves of these pages: in the step of the store. */
  stored(table: number, first: number, pages: number): void {
    const base = table * this.#pages;
    for (let at = base + first; at < base + first + pages; at += 1) {
      const leaf = this.#leaf[at]!;
      const level = this.#level[at]!;
      this.#read(at);
      if (leaf === this.#leaf[at] && level === this.#level[at]) continue;
      this.#touched.push(at);
      if (isValid(leaf)) this.#past[at]!.push({ leaf, level, until: this.#now });
    }
    this.#now += 1;
  }

  /** An invalidation of these pages for a VMID, issued at `since`, is complete. */
  invalidated(vmid: number, first: number, pages: number, since: number): void {
    const end = Math.min(first + pages, this.#pages);
    for (let page = first; page < end; page += 1) {
      this.#forget(vmid, page, ({ until }) => until < since);
    }
  }

  /** The same for whatever translated one page: a block goes with all of its pages. */
  invalidatedAt(vmid: number, page: number, since: number): void {
    this.invalidated(vmid, page, 1, since);
    const size = blockPages(this.#tables.geometry);
    const first = alignDown(page, size);
    for (let other = first; other < Math.min(first + size, this.#pages); other += 1) {
      this.#forget(vmid, other, ({ until, level }) => until < since && level < LAST_LEVEL);
    }
  }

  #forget(vmid: number, page: number, isGone: (past: Past) => boolean): void {
    for (let table = 0; table < GUEST_TABLES; table += 1) {
      const at = table * this.#pages + page;
      if (this.#vmidOf(table) !== vmid || this.#past[at]!.length === 0) continue;
      this.#past[at] = this.#past[at]!.filter((past) => !isGone(past));
    }
  }

  /** Whether some leaf that the guest has had for the page, and has not invalidated since, fits. */
  some(table: number, page: number, fits: (leaf: number, level: number) => boolean): boolean {
    if (page >= this.#pages) return false;
    const at = table * this.#pages + page;
    if (isValid(this.#leaf[at]!) && fits(this.#leaf[at]!, this.#level[at]!)) return true;
    return this.#past[at]!.some(({ leaf, level }) => fits(leaf, level));
  }
}
