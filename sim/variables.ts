/** Words of the kernel's own: counters, pointers, bitmaps. They lie in the machine's first frames. */
import { assert } from './assert.ts';
import type { WordAddress } from './memory.ts';

export class Variables {
  readonly #words: number;
  #next = 1;
  readonly #names: {
    readonly from: WordAddress;
    readonly to: WordAddress;
    readonly name: string;
  }[] = [];

  /** @param words room in the kernel frames; word 0 is never given out */
  constructor(words: number) {
    this.#words = words;
  }

  /** Address of the first of `count` adjacent words, all zero at boot. */
  allocate(name: string, count = 1): WordAddress {
    const from = this.#next;
    this.#next += count;
    assert(this.#next <= this.#words, `kernel frames have room for ${name}`);
    this.#names.push({ from, to: this.#next, name });
    return from;
  }

  /** Name of the variable at an address, with its index where it is one of several. */
  name(address: WordAddress): string | undefined {
    const found = this.#names.find(({ from, to }) => address >= from && address < to);
    if (found === undefined) return undefined;
    return found.to - found.from === 1 ? found.name : `${found.name}[${address - found.from}]`;
  }
}
