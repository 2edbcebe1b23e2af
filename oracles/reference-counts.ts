/**
 * Claim: whenever the lock of a tree is dropped and no other reader holds it, the count of every
 * linked table page that was touched is one more than its counted entries; a table of a counted tree
 * is freed with count 0; at the end no table page is left over; no page is freed twice; an operation
 * whose card says so leaves no table linked that it has emptied. Where mappings hold references to pages of
 * others, a page that is mapped is referenced as often when the lock is dropped, and no more at the end.
 *
 * Why it matters: the count is the emptiness test of unmap: too high leaks the table, too low frees
 * it under its entries.
 * Blind to: counts of systems and trees that count nothing; pages while anybody holds their lock.
 * Cost: one comparison per store, one scan of each touched or linked page per lock hold.
 * Source: spec/arm.md 2.4 law RC, 7.2 I-RC, I-LEAK.
 */
import { Claim } from '../sim/claims.ts';
import { frameOf, isValid } from '../sim/descriptor.ts';
import { Event, type EventCode } from '../sim/event.ts';
import { entriesPerTable } from '../sim/geometry.ts';
import { Role } from '../sim/pages.ts';
import type { Tree } from '../sim/tables.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';

export const referenceCounts: OracleSpec = {
  id: 'reference-counts',
  claim: 'a table page is counted once for itself and once per counted entry, and none leaks',
  listens: [
    Event.Descriptor,
    Event.StoreVisible,
    Event.Linked,
    Event.LockDrop,
    Event.Free,
    Event.DoubleFree,
    Event.RunEnd,
    Event.Claim,
  ],
  claims: [Claim.PageReferenced, Claim.PageReleased],
  create: (scene) => new ReferenceCounts(scene),
};

class ReferenceCounts implements Oracle {
  judgements = 0;
  readonly #scene: Scene;
  /** Frames touched since their tree's lock was last dropped. */
  readonly #touched: Int32Array;
  readonly #isTouched: Uint8Array;
  #touchedCount = 0;
  /** By frame: it was linked into a tree that counts nothing. */
  readonly #isUncounted: Uint8Array;
  /** By frame: the operation (+1) that dropped the last reference but the page's own, or 0. */
  readonly #emptiedBy: Int32Array;
  /** By frame: references that others than its owner hold; and frames of which there were any, each once. */
  readonly #held: Int32Array;
  readonly #isHeld: Uint8Array;
  readonly #heldFrames: number[] = [];

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#touched = new Int32Array(scene.machine.spec.frames);
    this.#isTouched = new Uint8Array(scene.machine.spec.frames);
    this.#isUncounted = new Uint8Array(scene.machine.spec.frames);
    this.#emptiedBy = new Int32Array(scene.machine.spec.frames);
    this.#held = new Int32Array(scene.machine.spec.frames);
    this.#isHeld = new Uint8Array(scene.machine.spec.frames);
  }

  reset(): void {
    for (let i = 0; i < this.#touchedCount; i += 1) this.#isTouched[this.#touched[i]!] = 0;
    this.#touchedCount = 0;
    this.#isUncounted.fill(0);
    this.#emptiedBy.fill(0);
    for (const frame of this.#heldFrames) {
      this.#held[frame] = 0;
      this.#isHeld[frame] = 0;
    }
    this.#heldFrames.length = 0;
  }

  onEvent(kind: EventCode, a: number, b: number, c: number, d: number): void {
    const { machine, countBase, report } = this.#scene;
    if (kind === Event.DoubleFree) {
      this.judgements += 1;
      report.add('reference-counts', 'freed-twice', 'table', { frame: a });
      return;
    }
    if (kind === Event.RunEnd) {
      if (machine.finished) this.#ended();
      if (machine.finished && this.#heldFrames.length > 0) this.#judgeHeld(true);
      return;
    }
    if (kind === Event.Claim) {
      this.#hold(b, a === Claim.PageReferenced ? 1 : -1);
      return;
    }
    if (kind === Event.LockDrop && this.#heldFrames.length > 0) {
      if (machine.tables.trees.some((tree) => tree.lock === a)) this.#judgeHeld(false);
    }
    if (kind === Event.Free && this.#isHeld[a] === 1) this.#forget(a);
    if (countBase < 0) return;
    if (kind === Event.StoreVisible) {
      const frame = a - countBase;
      if (frame < 0 || frame >= machine.spec.frames) return;
      this.#touch(frame);
      this.#emptiedBy[frame] = c === 1 && b > c ? machine.operation + 1 : 0;
    } else if (kind === Event.Descriptor) {
      this.#touch(machine.memory.frame(a));
    } else if (kind === Event.Linked) {
      this.#linked(a, d);
    } else if (kind === Event.LockDrop) {
      if (this.#touchedCount > 0 && !this.#isShared(a)) this.#unlocked(a);
    } else {
      this.#freed(a, b);
    }
  }

  #hold(frame: number, change: number): void {
    if (this.#isHeld[frame] === 0) {
      this.#isHeld[frame] = 1;
      this.#heldFrames.push(frame);
    }
    this.#held[frame]! += change;
  }

  /** A page that nobody holds or maps is freed: who gets it next is its owner, and needs no references to map it. */
  #forget(frame: number): void {
    if (this.#held[frame] !== 0 || this.#mappings(frame) > 0) return;
    this.#isHeld[frame] = 0;
    this.#heldFrames.splice(this.#heldFrames.indexOf(frame), 1);
  }

  /** References against mappings of live trees: as many at the end, no fewer while some are in hand. */
  #judgeHeld(isEnd: boolean): void {
    const { report } = this.#scene;
    for (const frame of this.#heldFrames) {
      this.judgements += 1;
      const found = this.#held[frame]!;
      const expected = this.#mappings(frame);
      if (found < expected) {
        report.add('reference-counts', 'mapped-unreferenced', 'page', { frame, expected, found });
        return;
      }
      if (!isEnd || found === expected) continue;
      report.add('reference-counts', 'reference-left', 'page', { frame, expected, found });
      return;
    }
  }

  #mappings(frame: number): number {
    let count = 0;
    for (const { live, entries } of this.#scene.machine.tables.trees) {
      if (!live) continue;
      for (let page = 0; page < entries.length; page += 1) {
        if (isValid(entries[page]!) && frameOf(entries[page]!) === frame) count += 1;
      }
    }
    return count;
  }

  #touch(frame: number): void {
    if (this.#isTouched[frame] === 1) return;
    this.#isTouched[frame] = 1;
    this.#touched[this.#touchedCount] = frame;
    this.#touchedCount += 1;
  }

  /** The entries that a table holds when it is linked are to be counted, too. */
  #linked(frame: number, parent: number): void {
    const { memory, tables } = this.#scene.machine;
    const tree = tables.trees[tables.treeOf[memory.frame(parent)]!];
    this.#isUncounted[frame] = tree?.counted === false ? 1 : 0;
    this.#touch(frame);
  }

  /** Another reader holds the lock: its update of a page may not be done. */
  #isShared(lock: number): boolean {
    const { locks, actor } = this.#scene.machine;
    return (locks.readers[lock]! & ~(1 << actor)) !== 0;
  }

  #unlocked(lock: number): void {
    const { machine } = this.#scene;
    let kept = 0;
    for (let i = 0; i < this.#touchedCount; i += 1) {
      const frame = this.#touched[i]!;
      const index = machine.tables.treeOf[frame]!;
      const tree = index < 0 ? undefined : machine.tables.trees[index]!;
      if (tree?.live === true && (tree.lock !== lock || !tree.counts)) {
        this.#touched[kept] = frame;
        kept += 1;
        continue;
      }
      this.#isTouched[frame] = 0;
      if (tree?.live === true && tree.counted) this.#judge(tree, frame);
    }
    this.#touchedCount = kept;
  }

  #judge(tree: Tree, frame: number): void {
    const { machine, report, countBase } = this.#scene;
    this.judgements += 1;
    let expected = 1;
    for (let index = 0; index < entriesPerTable(tree.geometry); index += 1) {
      const word = machine.memory.load(machine.memory.address(frame, index));
      if (tree.annotations ? word !== 0 : isValid(word)) expected += 1;
    }
    const found = machine.memory.load(countBase + frame);
    const page = machine.tables.firstOf[frame]!;
    if (found !== expected) {
      const rule = found > expected ? 'too-high' : 'too-low';
      report.add('reference-counts', rule, 'count', { frame, page, expected, found });
    } else if (found === 1 && this.#isLeftEmpty(frame)) {
      report.add('reference-counts', 'left-empty', 'table', { frame, page });
    }
  }

  /** The operation that runs has taken the table's last entry and was to unlink it. */
  #isLeftEmpty(frame: number): boolean {
    const { machine, duties } = this.#scene;
    if (machine.tables.parentOf[frame]! < 0) return false;
    if (this.#emptiedBy[frame] !== machine.operation + 1) return false;
    return duties[machine.operation]?.card.prunes === true;
  }

  #freed(frame: number, role: number): void {
    const { machine, report, countBase } = this.#scene;
    if (role !== Role.Table || this.#isOfUncounted(frame)) return;
    this.judgements += 1;
    const found = machine.memory.load(countBase + frame);
    if (found !== 0)
      report.add('reference-counts', 'freed-while-counted', 'count', { frame, expected: 0, found });
  }

  /** A table of a tree without counts: linked into one, or its root. */
  #isOfUncounted(frame: number): boolean {
    if (this.#isUncounted[frame] === 1) return true;
    for (const { counted, root, geometry } of this.#scene.machine.tables.trees) {
      if (!counted && frame >= root && frame < root + geometry.rootPages) return true;
    }
    return false;
  }

  #ended(): void {
    const { machine, report } = this.#scene;
    this.judgements += 1;
    const { pages, tables } = machine;
    for (let frame = 0; frame < pages.count; frame += 1) {
      const role = pages.role[frame];
      if (role !== Role.Cached && (role !== Role.Table || tables.treeOf[frame]! >= 0)) continue;
      const { countBase } = this.#scene;
      const found = countBase < 0 ? 0 : machine.memory.load(countBase + frame);
      report.add('reference-counts', 'leaked', 'table', { frame, found });
      return;
    }
  }
}
