/**
 * Claim: no descriptor becomes valid while a TLB may still hold, or still holds, a conflicting one
 * for the same input pages: the old one was made invalid and invalidated everywhere before.
 *
 * Why it matters: with both in a TLB the result of an access is either, a mix, or a conflict abort.
 * Blind to: descriptors in tables that are not linked, trees that no PE can load, stage-1 attributes.
 * Cost: a scan of all TLB entries for each valid leaf or table that is stored.
 * Source: spec/arm.md 1.10, amendments E4, E5, E26.
 */
import {
  ACCESSED,
  CONTIGUOUS,
  FRAME_MASK,
  frameOf,
  isTable,
  isValid,
  TYPE_MASK,
  WRITE,
} from '../sim/descriptor.ts';
import { Event, type EventCode } from '../sim/event.ts';
import { LAST_LEVEL, levelShift } from '../sim/geometry.ts';
import { type Machine, placeIsHardware, placeLevel, placeTree } from '../sim/machine.ts';
import type { Tree } from '../sim/tables.ts';
import { conflicts } from '../sim/tlb.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';
import { nextTranslation, Translation } from './translations.ts';

export const breakBeforeMake: OracleSpec = {
  id: 'break-before-make',
  claim: 'a valid descriptor is made only after the conflicting old one was broken and invalidated',
  listens: [Event.Descriptor],
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
  // a leaf whose accessed flag is clear is held by no TLB, unless the walker may set the flag
  const isHoldable = oldIsTable || hardwareAccessed || (old & ACCESSED) !== 0;
  if (!isHoldable) return Break.NotNeeded;
  if (oldIsTable !== nextIsTable) return Break.Needed;
  const changed = old ^ next;
  if ((changed & (TYPE_MASK | CONTIGUOUS)) !== 0) return Break.Needed;
  if ((changed & FRAME_MASK) === 0) return Break.NotNeeded;
  return ((old | next) & WRITE) === 0 && equalContents ? Break.NotNeeded : Break.Needed;
}

class BreakBeforeMake implements Oracle {
  judgements = 0;
  readonly #scene: Scene;
  readonly #held = new Translation();

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  reset(): void {}

  onEvent(_kind: EventCode, word: number, old: number, next: number, where: number): void {
    if (!isValid(next) || placeIsHardware(where)) return;
    const { machine, report } = this.#scene;
    const tree = machine.tables.trees[placeTree(where)]!;
    if (!tree.live) return;
    this.judgements += 1;
    const level = placeLevel(where);
    const first = machine.tables.changedFirst;
    const equal = isValid(old) && sameContents(machine, frameOf(old), frameOf(next));
    if (breakNeeded(old, next, level, machine.spec.hardwareAccessed, equal) === Break.Needed) {
      report.add('break-before-make', 'replaced-while-valid', 'entry', {
        page: first,
        word,
        expected: 0,
        found: old,
      });
      return;
    }
    this.#againstTranslations(tree, word, next, level, first);
  }

  #againstTranslations(tree: Tree, word: number, next: number, level: number, first: number): void {
    const { machine, report } = this.#scene;
    const bits = levelShift(tree.geometry, level);
    const nextIsTable = level < LAST_LEVEL && isTable(next);
    const held = this.#held;
    for (
      let at = nextTranslation(machine, 0, held);
      at >= 0;
      at = nextTranslation(machine, at, held)
    ) {
      if (held.isTable || held.regime !== tree.regime || held.vmid !== tree.vmid) continue;
      const wider = Math.max(held.bits, bits);
      if (held.first >>> wider !== first >>> wider) continue;
      const isConflict = nextIsTable
        ? held.level <= level
        : conflicts(held.word, held.first, held.bits, next, first, bits);
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
}

function sameContents(machine: Machine, one: number, other: number): boolean {
  const { memory } = machine;
  for (let index = 0; index < memory.wordsPerPage; index += 1) {
    if (memory.load(memory.address(one, index)) !== memory.load(memory.address(other, index)))
      return false;
  }
  return true;
}
