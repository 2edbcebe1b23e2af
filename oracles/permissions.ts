/**
 * Claim: an operation gives a page no right that its card does not let it give; a page that is mapped can
 * be read; and its memory type is the one that its tree uses for memory.
 *
 * Why it matters: rights beyond what was asked for are not noticed by any access that should work: a page
 * that can be executed and never was asked to be, a write that the host did not see coming.
 * Blind to: rights that an operation may give and should have withheld this time (dirty-log and
 * freed-page judge writes); rights that are missing (progress); privileged and user execution apart.
 * Cost: the pages covered per descriptor change.
 * Source: spec/arm.md 4.2 f12, 2.5.7; spec/x86-xen.md O-PERM.
 */
import { FRAME_MASK, isValid, MemoryType, READ, RIGHTS, TYPE_MASK } from '../sim/descriptor.ts';
import { Event, type EventCode } from '../sim/event.ts';
import { placeIsHardware, placeTree } from '../sim/machine.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';

export const permissions: OracleSpec = {
  id: 'permissions',
  claim: 'an operation gives only the rights that its card names, to memory of the right type',
  listens: [Event.Descriptor],
  create: (scene) => new Permissions(scene),
};

class Permissions implements Oracle {
  judgements = 0;
  readonly #scene: Scene;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  reset(): void {}

  onEvent(_kind: EventCode, word: number, _old: number, next: number, where: number): void {
    if (!isValid(next) || placeIsHardware(where)) return;
    const { machine, duties } = this.#scene;
    const tree = machine.tables.trees[placeTree(where)]!;
    const card = duties[machine.operation]?.card;
    if (!tree.live || card?.grants === undefined || card.tree !== tree.index) return;
    const { changedFirst, changedCount } = machine.tables;
    for (let page = changedFirst; page < changedFirst + changedCount; page += 1) {
      const after = tree.entries[page]!;
      if (isValid(after)) this.#judge(word, page, tree.before[page]!, after, card.grants);
    }
  }

  #judge(word: number, page: number, before: number, after: number, grants: number): void {
    const { report } = this.#scene;
    this.judgements += 1;
    const isSamePage = isValid(before) && ((before ^ after) & FRAME_MASK) === 0;
    const gained = after & RIGHTS & ~(isSamePage ? before : 0);
    const facts = { page, word, expected: grants, found: after };
    if ((gained & ~grants) !== 0) report.add('permissions', 'right-not-asked-for', 'entry', facts);
    else if ((after & READ) === 0) report.add('permissions', 'unreadable', 'entry', facts);
    else if ((after & TYPE_MASK) !== MemoryType.Normal)
      report.add('permissions', 'memory-type', 'entry', facts);
  }
}
