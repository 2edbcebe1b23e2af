/**
 * Claim: the tables form trees: every table page has one parent, none is free, leaves lie only at
 * levels and alignments that allow them, and no leaf carries a contiguous hint.
 *
 * Why it matters: walkers compute addresses from level and index alone; a leaf of the wrong size
 * maps pages nobody asked for.
 * Blind to: tables that are not linked.
 * Cost: constant per descriptor stored.
 * Source: spec/arm.md 7.2 I-TREE, I-SIZE; 1.1.
 */
import { CONTIGUOUS, frameOf, isLeaf, isTable, isValid } from '../sim/descriptor.ts';
import { Event, type EventCode } from '../sim/event.ts';
import { LAST_LEVEL, levelPages } from '../sim/geometry.ts';
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
    else if (isValid(c)) this.#stored(a, c, d);
  }

  /** Told before the link takes effect. */
  #linked(frame: number, level: number, page: number, word: number): void {
    const { machine, report } = this.#scene;
    const facts = { frame, page, word };
    if (machine.tables.treeOf[frame]! >= 0) {
      report.add('table-shape', 'two-parents', 'table', facts);
    } else if (machine.pages.role[frame] === Role.Free) {
      report.add('table-shape', 'linked-free-page', 'table', facts);
    } else if (level > LAST_LEVEL) {
      report.add('table-shape', 'too-deep', 'table', facts);
    }
  }

  #stored(word: number, next: number, where: number): void {
    const { machine, report } = this.#scene;
    const { geometry } = machine.tables.trees[placeTree(where)]!;
    const level = placeLevel(where);
    const page = machine.tables.changedFirst;
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
