/** Names of memory locations in a litmus test. */
import type { Cursor } from './cursor.ts';

/** Names of locations in the order in which they were met. */
export class Names {
  readonly #numbers = new Map<string, number>();

  number(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    this.#numbers.set(name, this.#numbers.size);
    return this.#numbers.size - 1;
  }

  get all(): string[] {
    return [...this.#numbers.keys()];
  }
}

/** `x`, `pte_x`, `PTE(x)` or `TTD(x)`. */
export function readPlace(cursor: Cursor, names: Names): { location: number; isEntry: boolean } {
  const word = cursor.word();
  if (word === undefined) cursor.fail('a location, PTE(location) or a number');
  if ((word === 'PTE' || word === 'TTD') && cursor.take('(')) {
    const name = cursor.word();
    if (name === undefined) cursor.fail('a location');
    cursor.expect(')');
    return { location: names.number(name), isEntry: true };
  }
  if (word.startsWith('pte_')) return { location: names.number(word.slice(4)), isEntry: true };
  return { location: names.number(word), isEntry: false };
}
