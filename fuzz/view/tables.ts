/** Values that occur often, each once, and numbered. */
export class Numbered<Value> {
  readonly list: Value[] = [];
  readonly #numbers = new Map<string, number>();

  /** The number of a value; equal keys are equal values. */
  of(key: string, make: () => Value): number {
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.list.length;
    this.#numbers.set(key, number);
    this.list.push(make());
    return number;
  }

  find(key: string): number | undefined {
    return this.#numbers.get(key);
  }
}

export function numberedTexts(): Numbered<string> & { text(text: string): number } {
  const numbered = new Numbered<string>();
  return Object.assign(numbered, { text: (text: string) => numbered.of(text, () => text) });
}
