/**
 * Claim: the tables form trees: every table page has one parent, is a page for tables, leaves lie
 * only at levels and alignments that allow them, and no leaf carries a contiguous hint; a table that
 * is linked filled is judged by what it holds.
 *
 * Why it matters: walkers compute addresses from level and index alone; a leaf of the wrong size
 * maps pages nobody asked for.
 * Blind to: tables that are not linked (until they are).
 * Cost: constant per descriptor stored; a scan of each table that is linked.
 * Source: spec/arm.md 7.2 I-TREE, I-SIZE; 1.1.
 */
import { CONTIGUOUS, frameOf, isLeaf, isTable, isValid } from '../sim/descriptor.ts';
import { Event, type EventCode } from '../sim/event.ts';
import { entriesPerTable, type Geometry, LAST_LEVEL, levelPages } from '../sim/geometry.ts';
import { placeLevel, placeTree } from '../sim/machine.ts';
import { Role } from '../sim/pages.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';

export const tableShape: OracleSpec = {
  id: 'table-shape',
  claim: 'tables form trees, and leaves lie where their size allows',
  listens: [Event.Descriptor, Event.Linked],
  create: (scene) => new TableShape(scene),
};

class TableShape implements Oracle {
  judgements = 0;
  readonly #scene: Scene;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  reset(): void {}

  onEvent(kind: EventCode, a: number, b: number, c: number, d: number): void {
    this.judgements += 1;
    if (kind === Event.Linked) this.#linked(a, b, c, d);
    else if (isValid(c)) {
      const { tables } = this.#scene.machine;
      const { geometry } = tables.trees[placeTree(d)]!;
      this.#judge(geometry, placeLevel(d), tables.changedFirst, a, c);
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
    const { geometry } = tables.trees[index]!;
    const pages = levelPages(geometry, level);
    for (let i = 0; i < entriesPerTable(geometry); i += 1) {
      const word = memory.address(frame, i);
      const value = memory.load(word);
      if (isValid(value)) this.#judge(geometry, level, first + i * pages, word, value);
    }
  }

  #judge(geometry: Geometry, level: number, page: number, word: number, next: number): void {
    const { report } = this.#scene;
    const facts = { page, word, found: next };
    if (level === LAST_LEVEL && isTable(next)) {
      report.add('table-shape', 'reserved-form', 'entry', facts);
    } else if (isLeaf(next)) {
      const isAllowed = level === LAST_LEVEL || geometry.blockLevels.includes(level);
      const isAligned = (frameOf(next) & (levelPages(geometry, level) - 1)) === 0;
      if (!isAllowed) report.add('table-shape', 'leaf-level', 'entry', facts);
      else if (!isAligned) report.add('table-shape', 'misaligned-block', 'entry', facts);
      else if ((next & CONTIGUOUS) !== 0) report.add('table-shape', 'contiguous', 'entry', facts);
    }
  }
}
