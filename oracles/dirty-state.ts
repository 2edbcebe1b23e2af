/** A part of `dirty-log`: pages that hardware found written, where it keeps that in their entries (spec/arm.md 1.9). */
import { DIRTY_MODIFIER, isValid, WRITE } from '../sim/descriptor.ts';
import type { Machine } from '../sim/machine.ts';
import type { Tree } from '../sim/tables.ts';

const STATE = DIRTY_MODIFIER | WRITE;

export class DirtyState {
  readonly isKept: boolean;
  readonly #guest: Tree;

  constructor({ spec, tables }: Machine) {
    this.isKept = spec.hardwareDirty === true;
    this.#guest = tables.trees[spec.guestTree]!;
  }

  /** The page's entry says that it was written. */
  isFound(page: number): boolean {
    return this.isKept && isDirty(this.#guest.entries[page]!);
  }

  /** The entry said so before it was changed, and does not any more. */
  isTakenOut(tree: Tree, page: number): boolean {
    if (!this.isKept || !tree.loadable) return false;
    return isDirty(tree.before[page]!) && !isDirty(tree.entries[page]!);
  }
}

function isDirty(entry: number): boolean {
  return isValid(entry) && (entry & STATE) === STATE;
}
