/**
 * A run as a trace for casemate. The pages of tables, what software writes to them and reads, barriers,
 * invalidations, registers and locks; no data pages, no hardware, no reference counts.
 *
 * Source: casemate's manual; the differences of that tool are in docs/conformance.md.
 */
import { Domain, Register } from '../../sim/access.ts';
import { frameOf, isTable } from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { LAST_LEVEL } from '../../sim/geometry.ts';
import { SET_ACCESSED, SET_DIRTY } from '../../sim/hardware.ts';
import { Tlbi } from '../../sim/invalidation.ts';
import type { Machine } from '../../sim/machine.ts';
import { Role } from '../../sim/pages.ts';
import { Regime } from '../../sim/tables.ts';
import type { Row } from '../../sim/trace.ts';
import { type CasemateEvent, formatRecord, PAGE_BYTES, THREADS_MAX } from './format.ts';
import {
  descriptorBits,
  inputAddress,
  lockAddress,
  pageAddress,
  rootAddress,
  upperAddress,
  wordAddress,
} from './layout.ts';

/** The run cannot be said in this format. */
export class NotExportable extends Error {}

const DOMAINS: Readonly<Record<number, string>> = {
  [Domain.Inner]: 'ish',
  [Domain.InnerStore]: 'ishst',
  [Domain.Local]: 'nsh',
  [Domain.LocalStore]: 'nshst',
};

/** Invalidations without address. */
const WHOLE: Readonly<Record<number, string>> = {
  [Tlbi.Vmalle1]: 'vmalle1',
  [Tlbi.Vmalls12e1]: 'vmalls12e1',
  [Tlbi.Alle1]: 'alle1',
  [Tlbi.Alle2]: 'alle2',
};

const BY_ADDRESS: Readonly<Record<number, string>> = {
  [Tlbi.Ipas2e1]: 'ipas2e1',
  [Tlbi.Ripas2e1]: 'ipas2e1',
  [Tlbi.Ipas2le1]: 'ipas2le1',
  [Tlbi.Vae2]: 'vae2',
  [Tlbi.Vale2]: 'vale2',
};

/** Rows of a run, copied before the machine goes back to its start. */
export function rowsOf(machine: Machine): Row[] {
  return Array.from({ length: machine.trace.count }, (_, index) => ({
    ...machine.trace.at(index),
  }));
}

/**
 * @param machine at the start of the run: after boot, before the first event
 * @param rows of the run
 * @param source name of the case; each record names its row as the line
 */
export function exportCasemate(machine: Machine, rows: readonly Row[], source: string): string[] {
  return new Exporter(machine, source).run(rows);
}

class Exporter {
  readonly #machine: Machine;
  readonly #source: string;
  readonly #lines: string[] = [];
  /** Tree and level of each table page. */
  readonly #tables = new Map<number, { tree: number; level: number }>();
  /** Words of pages that were allocated for tables and are linked nowhere yet: their level is not known. */
  readonly #unlinked = new Map<number, Map<number, number>>();
  readonly #tids = new Map<number, number>();
  #tid = 0;
  #line = 0;

  constructor(machine: Machine, source: string) {
    this.#machine = machine;
    this.#source = source;
  }

  run(rows: readonly Row[]): string[] {
    this.#check();
    this.#nameThreads(rows);
    this.#boot();
    rows.forEach((row, index) => {
      // what boot did is in the initial state
      if (row.actor < 0) return;
      this.#tid = this.#tids.get(this.#machine.actors[row.actor]!.pe)!;
      this.#line = index + 1;
      this.#row(row);
    });
    return this.#lines;
  }

  #check(): void {
    for (const { geometry, name } of this.#machine.tables.trees) {
      if (geometry.rootPages > 1) throw new NotExportable(`${name} has concatenated root pages`);
      if (geometry.granuleBits !== 12 || geometry.bitsPerLevel > 9)
        throw new NotExportable(`${name} has no 4K pages`);
      if (geometry.startLevel < 0) throw new NotExportable(`${name} has five levels`);
    }
  }

  /** PEs that do something, in their order. */
  #nameThreads(rows: readonly Row[]): void {
    const pes = new Set(
      rows.filter(({ actor }) => actor >= 0).map(({ actor }) => this.#machine.actors[actor]!.pe),
    );
    if (pes.size > THREADS_MAX)
      throw new NotExportable(`${pes.size} PEs; the checker knows ${THREADS_MAX} threads`);
    for (const pe of [...pes].sort((a, b) => a - b)) this.#tids.set(pe, this.#tids.size);
  }

  #emit(event: CasemateEvent): void {
    const source = `${this.#source}:${this.#line}`;
    this.#lines.push(formatRecord({ tid: this.#tid, event, source }, this.#lines.length));
  }

  // ---- the initial state ----

  #boot(): void {
    const { tables, pes } = this.#machine;
    for (const tree of tables.trees) if (tree.live) this.#bootTree(tree.index);
    for (const [pe, tid] of this.#tids) {
      this.#tid = tid;
      const { vttbr, ttbr0 } = pes[pe]!;
      if (vttbr !== 0) this.#register(Register.Vttbr, vttbr);
      if (ttbr0 !== 0) this.#register(Register.Ttbr0El2, ttbr0);
    }
  }

  #bootTree(index: number): void {
    const tree = this.#machine.tables.trees[index]!;
    const { geometry, root } = tree;
    const top = rootAddress(index, geometry, root);
    for (let level = 0; level < geometry.startLevel; level += 1)
      this.#emit({ kind: 'mem-init', address: upperAddress(index, level), size: PAGE_BYTES });
    this.#emit({ kind: 'mem-init', address: pageAddress(root), size: PAGE_BYTES });
    this.#emit({ kind: 'hint', hint: 'set_root_lock', location: top, value: lockAddress(index) });
    for (let level = 1; level < geometry.startLevel; level += 1)
      this.#own(upperAddress(index, level), top);
    if (geometry.startLevel > 0) this.#own(pageAddress(root), top);
    for (let level = 0; level < geometry.startLevel; level += 1) {
      const last = level === geometry.startLevel - 1;
      const next = last ? pageAddress(root) : upperAddress(index, level + 1);
      const address = upperAddress(index, level);
      this.#emit({ kind: 'mem-write', isRelease: false, address, value: next | 3n });
    }
    this.#tables.set(root, { tree: index, level: geometry.startLevel });
    this.#bootTable(root);
  }

  /** Below a table that is linked already, children first. */
  #bootTable(frame: number): void {
    const { memory } = this.#machine;
    const { tree, level } = this.#tables.get(frame)!;
    for (let index = 0; index < memory.wordsPerPage; index += 1) {
      const word = memory.load(memory.address(frame, index));
      if (word === 0) continue;
      if (level < LAST_LEVEL && isTable(word)) {
        const child = frameOf(word);
        this.#emit({ kind: 'mem-init', address: pageAddress(child), size: PAGE_BYTES });
        this.#adopt(child, tree, level + 1);
        this.#bootTable(child);
      }
      this.#write(frame, index, word, false);
    }
  }

  // ---- rows ----

  #row(row: Row): void {
    const { memory } = this.#machine;
    switch (row.kind) {
      case Event.StoreVisible:
        this.#store(memory.frame(row.a), memory.index(row.a), row);
        break;
      case Event.Read:
        this.#read(memory.frame(row.a), memory.index(row.a), row.b);
        break;
      case Event.Barrier:
        if (DOMAINS[row.a] !== undefined) this.#emit({ kind: 'barrier', domain: DOMAINS[row.a]! });
        break;
      case Event.Synchronise:
        this.#emit({ kind: 'barrier', domain: 'isb' });
        break;
      case Event.InvalidateIssue:
        this.#invalidate(row);
        break;
      case Event.Register:
        this.#register(row.a, row.b);
        break;
      case Event.LockTake:
      case Event.LockDrop:
        this.#lock(row.a, row.kind === Event.LockTake);
        break;
      case Event.Allocate:
        if (row.b !== Role.Table && row.b !== Role.Cached) break;
        this.#unlinked.set(row.a, new Map());
        this.#emit({ kind: 'mem-init', address: pageAddress(row.a), size: PAGE_BYTES });
        break;
      case Event.Free:
        this.#release(row.a);
        break;
      default:
    }
  }

  /** Software stores to a table, or to a page that may become one; updates by walkers are not said. */
  #store(frame: number, index: number, { site, c }: Row): void {
    if (site === SET_ACCESSED || site === SET_DIRTY) return;
    if (this.#tables.has(frame)) this.#write(frame, index, c, false);
    else this.#unlinked.get(frame)?.set(index, c);
  }

  #write(frame: number, index: number, word: number, isRelease: boolean): void {
    const table = this.#tables.get(frame);
    if (table === undefined) return;
    const { tree, level } = table;
    if (level < LAST_LEVEL && isTable(word)) this.#adopt(frameOf(word), tree, level + 1);
    const value = this.#bits(word, tree, level);
    this.#emit({ kind: 'mem-write', isRelease, address: wordAddress(frame, index), value });
  }

  #read(frame: number, index: number, word: number): void {
    const table = this.#tables.get(frame);
    if (table === undefined) return;
    const value = this.#bits(word, table.tree, table.level);
    this.#emit({ kind: 'mem-read', address: wordAddress(frame, index), value });
  }

  #bits(word: number, tree: number, level: number): bigint {
    const { regime } = this.#machine.tables.trees[tree]!;
    return descriptorBits(word, level, regime === Regime.Guest);
  }

  /** A page becomes a table of the tree: owned before it is linked. */
  #adopt(frame: number, tree: number, level: number): void {
    if (this.#tables.has(frame)) return;
    this.#tables.set(frame, { tree, level });
    const { geometry, root } = this.#machine.tables.trees[tree]!;
    this.#own(pageAddress(frame), rootAddress(tree, geometry, root));
    // what was written before it was linked
    this.#contents(frame);
  }

  #contents(frame: number): void {
    const known = this.#unlinked.get(frame);
    this.#unlinked.delete(frame);
    for (const [index, word] of known ?? []) this.#write(frame, index, word, false);
  }

  #own(location: bigint, value: bigint): void {
    this.#emit({ kind: 'hint', hint: 'set_owner_root', location, value });
  }

  /** With a root goes its tree. */
  #release(frame: number): void {
    if (!this.#tables.delete(frame)) return;
    const tree = this.#machine.tables.trees.find(({ root }) => root === frame);
    const location =
      tree === undefined ? pageAddress(frame) : rootAddress(tree.index, tree.geometry, frame);
    this.#emit({ kind: 'hint', hint: 'release_table', location, value: 0n });
  }

  #lock(lock: number, isTaken: boolean): void {
    for (const tree of this.#machine.tables.trees) {
      if (tree.lock !== lock || !tree.live) continue;
      this.#emit({ kind: isTaken ? 'lock' : 'unlock', address: lockAddress(tree.index) });
    }
  }

  #register(register: number, value: number): void {
    const tree = this.#machine.tables.trees.find(({ root }) => root === value >>> 8);
    if (tree === undefined) return;
    const root = rootAddress(tree.index, tree.geometry, tree.root);
    const isGuest = register === Register.Vttbr;
    this.#emit({
      kind: 'sysreg-write',
      register: isGuest ? 'vttbr_el2' : 'ttbr0_el2',
      value: isGuest ? root | (BigInt(value & 0xff) << 48n) : root,
    });
  }

  /** A range is as many invalidations of a page. */
  #invalidate({ a, b, c }: Row): void {
    const operation = a & 0xff;
    const suffix = ((a >>> 8) & 0xff) === 0 ? '' : 'is';
    const whole = WHOLE[operation];
    if (whole !== undefined) {
      this.#emit({ kind: 'tlbi', operation: `${whole}${suffix}`, value: undefined });
      return;
    }
    const name = BY_ADDRESS[operation];
    if (name === undefined) throw new NotExportable('an invalidation of x86');
    const { tables, spec } = this.#machine;
    const isGuest = operation < Tlbi.Vae2;
    const { geometry } = tables.trees[isGuest ? spec.guestTree : spec.hypervisorTree]!;
    const level = (c >>> 24) - 1;
    const hint = level < 0 ? 0n : BigInt(4 | level) << 44n;
    const pages = operation === Tlbi.Ripas2e1 ? c & 0xffffff : 1;
    for (let page = b; page < b + pages; page += 1) {
      const value = (inputAddress(geometry, page) >> 12n) | hint;
      this.#emit({ kind: 'tlbi', operation: `${name}${suffix}`, value });
    }
  }
}
