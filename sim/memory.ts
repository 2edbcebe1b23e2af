/**
 * One physical memory: pages of 32-bit words. A page keeps its words when its role changes, so a
 * freed table that becomes a guest page is still walked as what it holds. Pages get backing when
 * they are first written; zeroing and reset cost the words touched.
 *
 * A word's address is `frame << shift | index`. Every word has an *instance*: a number given anew
 * by each visible change of it, so that a cached translation can name the descriptor that it
 * was made from.
 */
import { assert } from './assert.ts';

/** Address of a word: frame and index packed. */
export type WordAddress = number;

/** Backed words up to which a reset clears them all instead of the touched ones of each page. */
const SMALL_WORDS = 1024;

export class Memory {
  readonly frames: number;
  readonly shift: number;
  readonly wordsPerPage: number;
  readonly #mask: number;
  /** Offset of each frame's words in `#words`; -1 without backing. */
  readonly #base: Int32Array;
  #words: Int32Array;
  #instances: Int32Array;
  /** Touched index range of each backed page. */
  #low: Int32Array;
  #high: Int32Array;
  #backed: Int32Array;
  #backedCount = 0;

  constructor(frames: number, wordBits: number, backedPages: number) {
    assert(frames > 0 && frames <= 0x10000, 'a machine has at most 65,536 frames');
    this.frames = frames;
    this.shift = wordBits;
    this.wordsPerPage = 1 << wordBits;
    this.#mask = this.wordsPerPage - 1;
    this.#base = new Int32Array(frames).fill(-1);
    this.#words = new Int32Array(backedPages << wordBits);
    this.#instances = new Int32Array(backedPages << wordBits);
    this.#low = new Int32Array(backedPages);
    this.#high = new Int32Array(backedPages);
    this.#backed = new Int32Array(backedPages);
  }

  address(frame: number, index: number): WordAddress {
    return (frame << this.shift) | index;
  }

  frame(address: WordAddress): number {
    return address >>> this.shift;
  }

  index(address: WordAddress): number {
    return address & this.#mask;
  }

  load(address: WordAddress): number {
    const base = this.#base[address >>> this.shift]!;
    return base < 0 ? 0 : this.#words[base + (address & this.#mask)]!;
  }

  instance(address: WordAddress): number {
    const base = this.#base[address >>> this.shift]!;
    return base < 0 ? 0 : this.#instances[base + (address & this.#mask)]!;
  }

  store(address: WordAddress, value: number, instance: number): void {
    const frame = address >>> this.shift;
    let base = this.#base[frame]!;
    if (base < 0) base = this.#back(frame);
    const index = address & this.#mask;
    const slot = base >>> this.shift;
    if (index < this.#low[slot]!) this.#low[slot] = index;
    if (index > this.#high[slot]!) this.#high[slot] = index;
    this.#words[base + index] = value;
    this.#instances[base + index] = instance;
  }

  /** All words of the page become zero; their instances end. */
  zero(frame: number): void {
    const base = this.#base[frame]!;
    if (base < 0) return;
    const slot = base >>> this.shift;
    this.#words.fill(0, base + this.#low[slot]!, base + this.#high[slot]! + 1);
    this.#instances.fill(0, base + this.#low[slot]!, base + this.#high[slot]! + 1);
  }

  reset(): void {
    // small pages lie side by side: clearing them all at once costs less than one by one
    const words = this.#backedCount << this.shift;
    const isSmall = words <= SMALL_WORDS;
    if (isSmall) {
      this.#words.fill(0, 0, words);
      this.#instances.fill(0, 0, words);
    }
    for (let slot = 0; slot < this.#backedCount; slot += 1) {
      const frame = this.#backed[slot]!;
      if (!isSmall) this.zero(frame);
      this.#base[frame] = -1;
    }
    this.#backedCount = 0;
  }

  #back(frame: number): number {
    assert(frame < this.frames, 'a word lies in a frame of this machine');
    const slot = this.#backedCount;
    if (slot === this.#backed.length) this.#grow();
    this.#backedCount = slot + 1;
    this.#backed[slot] = frame;
    this.#low[slot] = this.wordsPerPage;
    this.#high[slot] = -1;
    const base = slot << this.shift;
    this.#base[frame] = base;
    return base;
  }

  #grow(): void {
    const pages = this.#backed.length * 2;
    const widen = (from: Int32Array, length: number): Int32Array => {
      const to = new Int32Array(length);
      to.set(from);
      return to;
    };
    this.#words = widen(this.#words, pages << this.shift);
    this.#instances = widen(this.#instances, pages << this.shift);
    this.#low = widen(this.#low, pages);
    this.#high = widen(this.#high, pages);
    this.#backed = widen(this.#backed, pages);
  }
}
