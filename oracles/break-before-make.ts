/**
 * Claim: no descriptor becomes valid while a TLB may still hold, or still holds, a conflicting one
 * for the same input pages: the old one was made invalid and invalidated everywhere before. The tables of a whole regime are
 * exchanged only while it does not translate, and with nothing cached of the old ones when it does again.
 *
 * Why it matters: with both in a TLB the result of an access is either, a mix, or a conflict abort.
 * Blind to: hardware that allows it (x86); TLBs of devices (what they hold is invalidated later, before anything is freed); descriptors in tables that are not linked (until they are), trees that no PE can load,
 * stage-1 attributes.
 * Cost: a scan of all TLB entries for each valid leaf or table that is stored; a comparison of pages
 * when one read-only leaf takes the place of another.
 * Source: spec/arm.md 1.10, amendments E4, E5, E26.
 */
import { Register } from '../sim/access.ts';
import {
  ACCESSED,
  CONTIGUOUS,
  FRAME_MASK,
  frameOf,
  isLeaf,
  isTable,
  isValid,
  TYPE_MASK,
  WRITE,
} from '../sim/descriptor.ts';
import { Event, type EventCode } from '../sim/event.ts';
import { LAST_LEVEL, levelPages, levelShift } from '../sim/geometry.ts';
import type { Machine } from '../sim/machine.ts';
import { placeIsHardware, placeLevel, placeTree } from '../sim/place.ts';
import { Regime, type Tree } from '../sim/tables.ts';
import { conflicts, samePage } from '../sim/tlb.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';
import { nextTranslation, Translation } from './translations.ts';

export const breakBeforeMake: OracleSpec = {
  id: 'break-before-make',
  claim: 'a valid descriptor is made only after the conflicting old one was broken and invalidated',
  listens: [Event.Descriptor, Event.Register, Event.RegisterEffect],
  concerns: ({ machine }) => machine.hardware.breaksBeforeMake && machine.spec.hasTables !== false,
  create: (scene) => new BreakBeforeMake(scene),
};

export const Break = { NotNeeded: 'not needed', Needed: 'needed' } as const;
export type Break = (typeof Break)[keyof typeof Break];

/**
 * Whether one word may change directly from `old` to `next` (the rows of spec/arm.md 1.10).
 * @param equalContents the two pages hold the same words, which matters when both are read-only
 */
export function breakNeeded(
  old: number,
  next: number,
  level: number,
  hardwareAccessed: boolean,
  equalContents: boolean,
): Break {
  if (!isValid(old) || !isValid(next)) return Break.NotNeeded;
  const oldIsTable = level < LAST_LEVEL && isTable(old);
  const nextIsTable = level < LAST_LEVEL && isTable(next);
  if (oldIsTable && nextIsTable)
    return ((old ^ next) & FRAME_MASK) === 0 ? Break.NotNeeded : Break.Needed;
  if (!isHoldable(old, level, hardwareAccessed)) return Break.NotNeeded;
  if (!isHoldable(next, level, hardwareAccessed)) return Break.NotNeeded;
  if (oldIsTable !== nextIsTable) return Break.Needed;
  const changed = old ^ next;
  if ((changed & (TYPE_MASK | CONTIGUOUS)) !== 0) return Break.Needed;
  if ((changed & FRAME_MASK) === 0) return Break.NotNeeded;
  return ((old | next) & WRITE) === 0 && equalContents ? Break.NotNeeded : Break.Needed;
}

/** A leaf whose accessed flag is clear is held by no TLB, unless the walker may set the flag. */
function isHoldable(word: number, level: number, hardwareAccessed: boolean): boolean {
  return hardwareAccessed || (word & ACCESSED) !== 0 || (level < LAST_LEVEL && isTable(word));
}

class BreakBeforeMake implements Oracle {
  judgements = 0;
  readonly #scene: Scene;
  readonly #held = new Translation();

  /** By PE: root of the hypervisor's regime when it translated last, or 0. */
  readonly #root: Int32Array;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#root = new Int32Array(scene.machine.pes.length);
  }

  reset(): void {
    this.#root.fill(0);
  }

  onEvent(kind: EventCode, a: number, b: number, c: number, d: number): void {
    if (kind === Event.Descriptor) this.#stored(a, b, c, d);
    else if (a !== Register.Vttbr) this.#registerWritten(kind, a, c);
  }

  /** Where register writes are delayed, what counts is the effect. */
  #registerWritten(kind: EventCode, register: number, pe: number): void {
    const { machine } = this.#scene;
    if (kind === Event.RegisterEffect) this.#switched(register, pe);
    else if (!machine.delaysRegisters) this.#switched(register, machine.actors[machine.actor]!.pe);
  }

  /** A whole regime may change its tables only while it does not translate, and with nothing left of the old ones. */
  #switched(register: number, index: number): void {
    const { machine, report } = this.#scene;
    const { mmu, ttbr0 } = machine.pes[index]!;
    if (!mmu) return;
    const root = ttbr0 >>> 8;
    const before = this.#root[index]!;
    this.#root[index] = root;
    this.judgements += 1;
    if (register === Register.Ttbr0El2 && before !== 0 && before !== root) {
      report.add('break-before-make', 'regime-switched-live', 'translation', { pe: index });
      return;
    }
    const { tables, memory } = machine;
    const held = this.#held;
    for (
      let at = nextTranslation(machine, 0, held);
      at >= 0;
      at = nextTranslation(machine, at, held)
    ) {
      if (held.pe !== index || held.regime !== Regime.Hypervisor) continue;
      const tree = tables.treeOf[memory.frame(held.address)]!;
      if (tree < 0 || tables.trees[tree]!.root === root) continue;
      report.add('break-before-make', 'regime-switched-while-cached', 'translation', {
        page: held.first,
        pe: index,
        survivor: held.row,
        found: held.word,
      });
      return;
    }
  }

  #stored(word: number, old: number, next: number, where: number): void {
    if (!isValid(next) || placeIsHardware(where)) return;
    const { machine, report } = this.#scene;
    const tree = machine.tables.trees[placeTree(where)]!;
    // no PE can use a tree that is not loadable (E4)
    if (!tree.live || !tree.loadable) return;
    this.judgements += 1;
    const level = placeLevel(where);
    const first = machine.tables.changedFirst;
    const { hardwareAccessed } = machine.spec;
    const equal =
      isValid(old) && sameContents(machine, old, next, levelPages(tree.geometry, level));
    if (breakNeeded(old, next, level, hardwareAccessed, equal) === Break.Needed) {
      report.add('break-before-make', 'replaced-while-valid', 'entry', {
        page: first,
        word,
        expected: 0,
        found: old,
      });
      return;
    }
    if (isHoldable(next, level, hardwareAccessed))
      this.#againstTranslations(tree, word, next, level, first);
  }

  #againstTranslations(tree: Tree, word: number, next: number, level: number, first: number): void {
    const { machine, report } = this.#scene;
    const bits = levelShift(tree.geometry, level);
    // an entry beyond the window that covers more than page numbers hold: nobody caches its pages
    if (bits > 30 && machine.tables.changedCount === 0) return;
    const nextIsTable = level < LAST_LEVEL && isTable(next);
    const held = this.#held;
    for (
      let at = nextTranslation(machine, 0, held);
      at >= 0;
      at = nextTranslation(machine, at, held)
    ) {
      if (machine.pes[held.pe]!.isDevice) continue;
      if (held.isTable || held.regime !== tree.regime || held.vmid !== tree.vmid) continue;
      if (!samePage(held.first, first, Math.max(held.bits, bits))) continue;
      const isConflict = nextIsTable
        ? held.level <= level || this.#conflictsBelow(tree)
        : this.#conflicts(next, first, bits);
      if (!isConflict) continue;
      report.add('break-before-make', 'made-while-cached', 'translation', {
        page: first,
        word,
        pe: held.pe,
        survivor: held.row,
        found: held.word,
      });
      return;
    }
  }

  /** The translation held and a leaf of the same pages. */
  #conflicts(next: number, first: number, bits: number): boolean {
    const held = this.#held;
    if (!conflicts(held.word, held.first, held.bits, next, first, bits)) return false;
    const isOnlyFrame = held.bits === bits && ((held.word ^ next) & (TYPE_MASK | CONTIGUOUS)) === 0;
    return !isOnlyFrame || !sameContents(this.#scene.machine, held.word, next, 1 << bits);
  }

  /** The translation held and the first leaf of its pages in a table that was linked filled. */
  #conflictsBelow(tree: Tree): boolean {
    const { first, bits } = this.#held;
    const { hardwareAccessed } = this.#scene.machine.spec;
    const end =
      bits > 30 ? tree.entries.length : Math.min(tree.entries.length, first + (1 << bits));
    for (let page = first; page < end; page += 1) {
      const entry = tree.entries[page]!;
      if (!isValid(entry) || !isHoldable(entry, LAST_LEVEL, hardwareAccessed)) continue;
      return this.#conflicts(entry, page, levelShift(tree.geometry, tree.levels[page]!));
    }
    return false;
  }
}

/** Two read-only leaves whose pages hold the same words: a PE may use either. */
function sameContents(machine: Machine, one: number, other: number, pages: number): boolean {
  if (!isLeaf(one) || !isLeaf(other) || ((one | other) & WRITE) !== 0) return false;
  const { memory } = machine;
  const [from, to] = [frameOf(one), frameOf(other)];
  if (from === to) return true;
  if (Math.max(from, to) + pages > memory.frames) return false;
  const words = pages * memory.wordsPerPage;
  const [oneBase, otherBase] = [memory.address(from, 0), memory.address(to, 0)];
  for (let i = 0; i < words; i += 1) {
    if (memory.load(oneBase + i) !== memory.load(otherBase + i)) return false;
  }
  return true;
}
