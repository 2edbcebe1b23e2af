/**
 * A part of `progress`: leaves that an operation breaks and makes again although only their rights differ, where its card
 * says that such leaves are kept. What the handler saw is not known: where the hardware has set the entry's accessed flag
 * since the handler took the lock, it may have broken the leaf for that flag.
 */
import { isValid, RIGHTS } from '../sim/descriptor.ts';
import type { Scene } from './oracle.ts';

export class KeptLeaves {
  readonly #scene: Scene;
  /** Words of entries that the hardware has updated in this run; and how many when each actor took its tree's lock. */
  readonly #byHardware: number[] = [];
  readonly #lockedAt: Int32Array;
  /** Per actor: the leaf that its operation broke last, and where. */
  readonly #word: Int32Array;
  readonly #leaf: Int32Array;

  constructor(scene: Scene) {
    this.#scene = scene;
    const actors = scene.machine.actors.length;
    this.#lockedAt = new Int32Array(actors);
    this.#word = new Int32Array(actors);
    this.#leaf = new Int32Array(actors);
  }

  reset(): void {
    this.#byHardware.length = 0;
    this.#lockedAt.fill(0);
  }

  /** The hardware has updated the entry in this word. */
  updated(word: number): void {
    this.#byHardware.push(word);
  }

  /** The actor has taken the lock of its tree. */
  locked(actor: number): void {
    this.#lockedAt[actor] = this.#byHardware.length;
  }

  /** The actor begins an operation. */
  begun(actor: number): void {
    this.#word[actor] = 0;
  }

  /** Software changes an entry. @returns whether there was something to judge */
  judges(word: number, old: number, next: number): boolean {
    const { machine, report, duties } = this.#scene;
    const { actor } = machine;
    if (actor < 0) return false;
    if (!isValid(next)) {
      if (!isValid(old)) return false;
      this.#word[actor] = word;
      this.#leaf[actor] = old;
      return false;
    }
    if (isValid(old) || this.#word[actor] !== word) return false;
    this.#word[actor] = 0;
    const was = this.#leaf[actor]!;
    if (duties[machine.operation]?.card.keepsLeaf !== true) return false;
    if (((was ^ next) & ~RIGHTS) !== 0) return true;
    if (this.#byHardware.includes(word, this.#lockedAt[actor]!)) return true;
    const facts = { page: machine.tables.changedFirst, word, expected: was, found: next };
    report.add('progress', 'broken-for-rights', 'entry', facts);
    return true;
  }
}
