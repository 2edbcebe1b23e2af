/**
 * Claim: when asked whether a range was accessed, the answer is one that was true at some instant of
 * the question: "old" only if no page kept its accessed flag all the time, "young" only if some page
 * had it at some time. Clearing a flag by the question itself does not count against it.
 *
 * Why it matters: pages wrongly called old are reclaimed while the guest uses them.
 * Blind to: pages whose entry changes its size meanwhile (x86, E6); flags lost by a software store that races with the walker (benign by the specification);
 * answers about pages that the question's card does not name.
 * Cost: the pages of the range per question; constant per descriptor change meanwhile.
 * Source: spec/arm.md 7.2 I-AF, 2.5.7; zoo A45; spec/x86-xen.md E6.
 */
import { concerns } from '../sim/card.ts';
import { Claim } from '../sim/claims.ts';
import { ACCESSED, isValid } from '../sim/descriptor.ts';
import { Event, type EventCode } from '../sim/event.ts';
import { placeTree } from '../sim/place.ts';
import type { Duty, Oracle, OracleSpec, Scene } from './oracle.ts';

export const accessedBit: OracleSpec = {
  id: 'accessed-bit',
  claim: 'a question about recent use is answered by what was true while it was asked',
  listens: [Event.OperationBegin, Event.Descriptor, Event.Claim],
  claims: [Claim.ContextCreated, Claim.ContextDoomed, Claim.ContextRetired, Claim.YoungAnswered],
  needs: Claim.YoungAnswered,
  create: (scene) => new AccessedBit(scene),
};

class AccessedBit implements Oracle {
  judgements = 0;
  readonly #scene: Scene;
  /** Per actor: the question that runs; by tree and page: young all along; young at any time. */
  readonly #duties: (Duty | undefined)[];
  readonly #steady: Uint8Array[];
  readonly #ever: Uint8Array[];
  readonly #pages: number;
  readonly #isDoomed: boolean[];
  #asking = 0;

  constructor(scene: Scene) {
    this.#scene = scene;
    const { actors, tables } = scene.machine;
    this.#pages = Math.max(...tables.trees.map((tree) => tree.geometry.windowPages));
    const size = this.#pages * tables.trees.length;
    this.#isDoomed = tables.trees.map(() => false);
    this.#duties = actors.map(() => undefined);
    this.#steady = actors.map(() => new Uint8Array(size));
    this.#ever = actors.map(() => new Uint8Array(size));
  }

  reset(): void {
    this.#duties.fill(undefined);
    this.#isDoomed.fill(false);
    this.#asking = 0;
  }

  onEvent(kind: EventCode, a: number, b: number, c: number, d: number): void {
    if (kind === Event.OperationBegin) this.#begin();
    else if (kind === Event.Descriptor) {
      if (this.#asking > 0) this.#changed(placeTree(d));
    } else if (a === Claim.YoungAnswered) this.#answered(b, c, d !== 0);
    else if (a === Claim.ContextRetired || a === Claim.ContextDoomed) this.#retired(b);
    else if (a === Claim.ContextCreated) this.#isDoomed[b] = false;
  }

  #begin(): void {
    const { machine, duties } = this.#scene;
    const { actor } = machine;
    const duty = duties[machine.operation];
    if (this.#duties[actor] !== undefined) {
      this.#duties[actor] = undefined;
      this.#asking -= 1;
    }
    if (duty === undefined || !duty.card.claims.includes(Claim.YoungAnswered)) return;
    this.#duties[actor] = duty;
    this.#asking += 1;
    for (const tree of machine.tables.trees) {
      if (!concerns(duty.card, tree)) continue;
      const base = tree.index * this.#pages;
      for (let page = duty.first; page < duty.first + duty.count; page += 1) {
        const isNow = isYoung(tree.entries[page]!);
        this.#steady[actor]![base + page] = isNow && !this.#isDoomed[tree.index] ? 1 : 0;
        this.#ever[actor]![base + page] = isNow ? 1 : 0;
      }
    }
  }

  #changed(index: number): void {
    const { machine } = this.#scene;
    const { tables } = machine;
    const tree = tables.trees[index]!;
    for (let actor = 0; actor < this.#duties.length; actor += 1) {
      const duty = this.#duties[actor];
      if (duty === undefined || !concerns(duty.card, tree) || actor === machine.actor) continue;
      const base = index * this.#pages;
      const from = Math.max(duty.first, tables.changedFirst);
      const to = Math.min(duty.first + duty.count, tables.changedFirst + tables.changedCount);
      for (let page = from; page < to; page += 1) {
        const isNow = isYoung(tree.entries[page]!);
        if (isNow) this.#ever[actor]![base + page] = 1;
        // a walk may step over an entry that changes its size between two looks (E6)
        const isResized = tree.levels[page] !== tree.levelsBefore[page];
        if (!isNow || isResized) this.#steady[actor]![base + page] = 0;
      }
    }
  }

  /** Nobody asks about the pages of a tree that no PE is to use. */
  #retired(index: number): void {
    this.#isDoomed[index] = true;
    const base = index * this.#pages;
    for (let actor = 0; actor < this.#duties.length; actor += 1) {
      if (this.#duties[actor] !== undefined) this.#steady[actor]!.fill(0, base, base + this.#pages);
    }
  }

  #answered(first: number, count: number, young: boolean): void {
    const { machine, report } = this.#scene;
    const { actor } = machine;
    const duty = this.#duties[actor];
    if (duty === undefined) return;
    this.judgements += 1;
    // what was not asked about was not watched
    const from = Math.max(first, duty.first);
    const to = Math.min(first + count, duty.first + duty.count);
    if (young) {
      if (to - from < count) return;
      if (this.#find(this.#ever[actor]!, duty, from, to) >= 0) return;
      report.add('accessed-bit', 'young-without-use', 'entry', { page: first });
      return;
    }
    const steady = this.#find(this.#steady[actor]!, duty, from, to);
    if (steady < 0) return;
    const page = steady % this.#pages;
    const tree = machine.tables.trees[Math.floor(steady / this.#pages)]!;
    report.add('accessed-bit', 'old-though-used', 'entry', { page, found: tree.entries[page]! });
  }

  /** First set element of a page of [from, to) in a tree that the question is about; -1 if none. */
  #find(set: Uint8Array, duty: Duty, from: number, to: number): number {
    for (const tree of this.#scene.machine.tables.trees) {
      if (!concerns(duty.card, tree)) continue;
      const base = tree.index * this.#pages;
      for (let page = from; page < to; page += 1) if (set[base + page] === 1) return base + page;
    }
    return -1;
  }
}

function isYoung(entry: number): boolean {
  return isValid(entry) && (entry & ACCESSED) !== 0;
}
