/**
 * Claim: no software and no hardware walker touches a table page after it was freed, and no table
 * is freed while a linked entry, a walk cache or a walk in flight still names it, or while a read section is
 * open that was open when the table was taken out of its tree.
 *
 * Why it matters: the page holds somebody else's data by then, and the walker takes it for descriptors.
 * Blind to: walk caches of contexts that no PE can load (until a walk uses them); software that
 * reaches a page that has become another table meanwhile.
 * Cost: a scan of the TLBs for each table page freed; the tables that are out and not freed per section.
 * Source: spec/arm.md 3.5, 7.2 I-UAF, T5; amendments E4, E14.
 */

import { frameOf } from '../sim/descriptor.ts';
import { Event, type EventCode } from '../sim/event.ts';
import { Role } from '../sim/pages.ts';
import { Phase } from '../sim/walk.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';
import { liveTreeOf, nextTranslation, Translation } from './translations.ts';

export const freedTable: OracleSpec = {
  id: 'freed-table',
  claim: 'a table page is freed only when nobody can walk through it any more',
  listens: [Event.WalkFreed, Event.TouchFreed, Event.Free, Event.Unlinked, Event.SectionExit],
  concerns: ({ machine }) => machine.spec.frees !== false,
  create: (scene) => new FreedTable(scene),
};

class FreedTable implements Oracle {
  judgements = 0;
  readonly #scene: Scene;
  readonly #held = new Translation();
  /** By frame: actors in a read section that was open when the table was taken out, as a bit mask. */
  readonly #readers: Int32Array;
  /** Frames with readers. */
  readonly #out: number[] = [];

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#readers = new Int32Array(scene.machine.spec.frames);
  }

  reset(): void {
    for (const frame of this.#out) this.#readers[frame] = 0;
    this.#out.length = 0;
  }

  onEvent(kind: EventCode, a: number, b: number, _c: number, d: number): void {
    const { report, machine } = this.#scene;
    if (kind === Event.Free) {
      if (b === Role.Table) this.#freed(a);
      // a page that was to become a table: nobody may touch it from here on
      else if (b === Role.Cached) this.judgements += 1;
      return;
    }
    if (kind === Event.Unlinked) {
      this.#unlinked(a);
      return;
    }
    if (kind === Event.SectionExit) {
      if (this.#out.length > 0) this.#left(a);
      return;
    }
    this.judgements += 1;
    if (kind === Event.WalkFreed) {
      const walk = machine.actors[machine.actor]!.walk;
      report.add('freed-table', 'walked', 'table', {
        word: a,
        frame: b,
        page: walk.page,
        pe: machine.actors[machine.actor]!.pe,
        ...(d >= 0 ? { survivor: d } : {}),
      });
      return;
    }
    report.add('freed-table', 'touched', 'table', { word: a, frame: b });
  }

  #unlinked(frame: number): void {
    const { tables, sections, actor } = this.#scene.machine;
    const domain = tables.trees[tables.treeOf[frame]!]?.readers;
    if (domain === undefined || this.#readers[frame] !== 0) return;
    // who takes it out knows that it is out
    const readers = sections.inside[domain]! & ~(1 << actor) & ~this.#strangers(frame);
    if (readers === 0) return;
    this.#readers[frame] = readers;
    this.#out.push(frame);
  }

  /** Actors that serve another guest, whose walks never come to this one's tables; as a bit mask. */
  #strangers(frame: number): number {
    const { tables, actors } = this.#scene.machine;
    const { lock } = tables.trees[tables.treeOf[frame]!]!;
    let mask = 0;
    for (const { index, tree } of actors) if (tables.trees[tree]!.lock !== lock) mask |= 1 << index;
    return mask;
  }

  #left(domain: number): void {
    const { machine } = this.#scene;
    if (!machine.tables.trees.some(({ readers }) => readers === domain)) return;
    let kept = 0;
    for (const frame of this.#out) {
      this.#readers[frame]! &= ~(1 << machine.actor);
      if (this.#readers[frame] === 0) continue;
      this.#out[kept] = frame;
      kept += 1;
    }
    this.#out.length = kept;
  }

  #freed(frame: number): void {
    const { machine, report } = this.#scene;
    this.judgements += 1;
    if (this.#readers[frame] !== 0) {
      const reader = 31 - Math.clz32(this.#readers[frame]!);
      report.add('freed-table', 'freed-while-read', 'table', {
        frame,
        pe: machine.actors[reader]!.pe,
      });
      return;
    }
    const index = machine.tables.treeOf[frame]!;
    if (index >= 0 && machine.tables.trees[index]!.live) {
      report.add('freed-table', 'freed-while-linked', 'table', {
        frame,
        page: machine.tables.firstOf[frame]!,
        word: machine.tables.parentOf[frame]!,
      });
      return;
    }
    const held = this.#held;
    for (
      let at = nextTranslation(machine, 0, held);
      at >= 0;
      at = nextTranslation(machine, at, held)
    ) {
      if (!held.isTable || frameOf(held.word) !== frame) continue;
      if (held.generation !== machine.pages.generation[frame]) continue;
      if (liveTreeOf(machine, held) === undefined) continue;
      report.add('freed-table', 'freed-while-cached', 'table', {
        frame,
        page: held.first,
        word: held.address,
        pe: held.pe,
        survivor: held.row,
      });
      return;
    }
    for (const { walk, pe } of machine.actors) {
      // a walk that only has its access to make reads no table any more
      if (walk.phase === Phase.Lookup || walk.phase === Phase.Use) continue;
      if (walk.frame !== frame || walk.generation !== machine.pages.generation[frame]) continue;
      report.add('freed-table', 'freed-while-walked', 'table', {
        frame,
        page: walk.page,
        pe,
        ...(walk.from >= 0 ? { survivor: walk.from } : {}),
      });
      return;
    }
  }
}
