/**
 * Claim: the tables form trees: every table page has one parent, is a page for tables, leaves lie
 * only at levels and alignments that allow them, and no leaf carries a contiguous hint where the tree has none; a table that
 * is linked filled is judged by what it holds. An entry is busy only while the actor that took it holds
 * the tree's lock, and nobody else writes it.
 *
 * Why it matters: walkers compute addresses from level and index alone; a leaf of the wrong size
 * maps pages nobody asked for. An entry that stays busy is a page that never comes back.
 * Blind to: tables that are not linked (until they are).
 * Cost: constant per descriptor stored; a scan of each table that is linked.
 * Source: spec/arm.md 7.2 I-TREE, I-SIZE, I-BUSY; 1.1, 3.2.
 */
import { CONTIGUOUS, frameOf, isLeaf, isTable, isValid } from '../sim/descriptor.ts';
import { Event, type EventCode } from '../sim/event.ts';
import { entriesPerTable, LAST_LEVEL, levelPages } from '../sim/geometry.ts';
import { Mode } from '../sim/locks.ts';
import { Role } from '../sim/pages.ts';
import { placeLevel, placeTree } from '../sim/place.ts';
import type { Tree } from '../sim/tables.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';

export const tableShape: OracleSpec = {
  id: 'table-shape',
  claim: 'tables form trees, and leaves lie where their size allows',
  listens: [Event.Descriptor, Event.Linked, Event.LockTake, Event.LockDrop],
  // no entry is ever busy
  skips: ({ machine }) =>
    machine.tables.trees.some(({ busy }) => busy !== 0) ? [] : [Event.LockTake, Event.LockDrop],
  concerns: ({ machine }) => machine.spec.hasTables !== false,
  create: (scene) => new TableShape(scene),
};

class TableShape implements Oracle {
  judgements = 0;
  readonly #scene: Scene;
  /** Entries that are busy, in no order: word and the actor that took it. */
  readonly #busy: number[] = [];
  readonly #owner: number[] = [];

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  reset(): void {
    this.#busy.length = 0;
    this.#owner.length = 0;
  }

  onEvent(kind: EventCode, a: number, b: number, c: number, d: number): void {
    if (kind === Event.LockTake || kind === Event.LockDrop) {
      if (this.#busy.length > 0) this.#noneBusy(a, kind === Event.LockTake, b);
      return;
    }
    this.judgements += 1;
    if (kind === Event.Descriptor) this.#follow(a, b, c, placeTree(d));
    if (kind === Event.Linked) this.#linked(a, b, c, d);
    else if (isValid(c)) {
      const { tables } = this.#scene.machine;
      this.#judge(tables.trees[placeTree(d)]!, placeLevel(d), tables.changedFirst, a, c);
    }
  }

  #follow(word: number, old: number, next: number, index: number): void {
    const { machine, report } = this.#scene;
    const { busy } = machine.tables.trees[index]!;
    if (busy === 0) return;
    if (old === busy) {
      const at = this.#busy.indexOf(word);
      if (at >= 0) {
        if (this.#owner[at] !== machine.actor) {
          report.add('table-shape', 'busy-overwritten', 'entry', {
            page: machine.tables.changedFirst,
            word,
            pe: machine.actors[this.#owner[at]!]!.pe,
            found: next,
          });
        }
        this.#forget(at);
      }
    }
    if (next === busy) {
      this.#busy.push(word);
      this.#owner.push(machine.actor);
    }
  }

  #forget(at: number): void {
    const word = this.#busy.pop()!;
    const owner = this.#owner.pop()!;
    if (at === this.#busy.length) return;
    this.#busy[at] = word;
    this.#owner[at] = owner;
  }

  /** Whoever drops a tree's lock has made what it took; whoever holds it alone finds nothing busy. */
  #noneBusy(lock: number, isTaken: boolean, mode: number): void {
    if (isTaken && mode !== Mode.Exclusive) return;
    const { machine, report } = this.#scene;
    const { tables, memory } = machine;
    for (let at = this.#busy.length - 1; at >= 0; at -= 1) {
      const word = this.#busy[at]!;
      const tree = tables.trees[tables.treeOf[memory.frame(word)]!];
      // an entry of a table that was taken out meanwhile is nobody's concern any more
      if (tree === undefined || memory.load(word) !== tree.busy) {
        this.#forget(at);
        continue;
      }
      if (tree.lock !== lock || (!isTaken && this.#owner[at] !== machine.actor)) continue;
      this.judgements += 1;
      report.add('table-shape', isTaken ? 'busy-when-alone' : 'busy-left', 'entry', {
        word,
        frame: memory.frame(word),
        pe: machine.actors[this.#owner[at]!]!.pe,
      });
      return;
    }
  }

  /** Told before the link takes effect. */
  #linked(frame: number, level: number, page: number, word: number): void {
    const { machine, report } = this.#scene;
    const facts = { frame, page, word };
    const role = machine.pages.role[frame];
    if (machine.tables.treeOf[frame]! >= 0) {
      report.add('table-shape', 'two-parents', 'table', facts);
    } else if (role === Role.Free) {
      report.add('table-shape', 'linked-free-page', 'table', facts);
    } else if (role !== Role.Table && role !== Role.Cached) {
      report.add('table-shape', 'linked-other-page', 'table', facts);
    } else if (level > LAST_LEVEL) {
      report.add('table-shape', 'too-deep', 'table', facts);
    } else {
      this.#filled(frame, level, page, machine.tables.treeOf[machine.memory.frame(word)]!);
    }
  }

  /** What the table holds when it is linked; tables in it are told by links of their own. */
  #filled(frame: number, level: number, first: number, index: number): void {
    const { memory, tables } = this.#scene.machine;
    const tree = tables.trees[index]!;
    const { geometry } = tree;
    const pages = levelPages(geometry, level);
    for (let i = 0; i < entriesPerTable(geometry); i += 1) {
      const word = memory.address(frame, i);
      const value = memory.load(word);
      if (isValid(value)) this.#judge(tree, level, first + i * pages, word, value);
    }
  }

  #judge({ geometry, hints }: Tree, level: number, page: number, word: number, next: number): void {
    const { report } = this.#scene;
    const facts = { page, word, found: next };
    if (level === LAST_LEVEL && isTable(next)) {
      report.add('table-shape', 'reserved-form', 'entry', facts);
    } else if (isLeaf(next)) {
      const isAllowed = level === LAST_LEVEL || geometry.blockLevels.includes(level);
      const isAligned = (frameOf(next) & (levelPages(geometry, level) - 1)) === 0;
      if (!isAllowed) report.add('table-shape', 'leaf-level', 'entry', facts);
      else if (!isAligned) report.add('table-shape', 'misaligned-block', 'entry', facts);
      else if ((next & CONTIGUOUS) !== 0 && !hints)
        report.add('table-shape', 'contiguous', 'entry', facts);
    }
  }
}
