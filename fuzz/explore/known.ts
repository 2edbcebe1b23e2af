/**
 * The least number of switches with which each 64-bit key was reached: open addressing in typed arrays,
 * doubled when it is two thirds full.
 */
export class KnownKeys {
  #high: Int32Array;
  #low: Int32Array;
  #switches: Int32Array;
  #mask: number;
  size = 0;

  constructor(bits = 12) {
    this.#high = new Int32Array(1 << bits);
    this.#low = new Int32Array(1 << bits);
    this.#switches = new Int32Array(1 << bits);
    this.#mask = (1 << bits) - 1;
  }

  clear(): void {
    this.#high.fill(0);
    this.#low.fill(0);
    this.size = 0;
  }

  /** True when the key is new, or was reached with more switches only. */
  reach(high: number, low: number, switches: number): boolean {
    // both lanes zero marks an empty place
    const l = high === 0 && low === 0 ? 1 : low;
    const at = this.#place(high, l);
    if (this.#high[at] !== 0 || this.#low[at] !== 0) {
      if (this.#switches[at]! <= switches) return false;
      this.#switches[at] = switches;
      return true;
    }
    this.#high[at] = high;
    this.#low[at] = l;
    this.#switches[at] = switches;
    this.size += 1;
    if (this.size * 3 > this.#mask * 2) this.#grow();
    return true;
  }

  has(high: number, low: number): boolean {
    const at = this.#place(high, high === 0 && low === 0 ? 1 : low);
    return this.#high[at] !== 0 || this.#low[at] !== 0;
  }

  /** Number of keys by their least number of switches. */
  get bySwitches(): readonly number[] {
    const counts: number[] = [];
    for (let at = 0; at <= this.#mask; at += 1) {
      if (this.#high[at] === 0 && this.#low[at] === 0) continue;
      const switches = this.#switches[at]!;
      while (counts.length <= switches) counts.push(0);
      counts[switches]! += 1;
    }
    return counts;
  }

  #place(high: number, low: number): number {
    let at = (low ^ (high << 7)) & this.#mask;
    for (;;) {
      const h = this.#high[at]!;
      const l = this.#low[at]!;
      if ((h === 0 && l === 0) || (h === high && l === low)) return at;
      at = (at + 1) & this.#mask;
    }
  }

  #grow(): void {
    const oldHigh = this.#high;
    const oldLow = this.#low;
    const oldSwitches = this.#switches;
    const length = oldHigh.length * 2;
    this.#high = new Int32Array(length);
    this.#low = new Int32Array(length);
    this.#switches = new Int32Array(length);
    this.#mask = length - 1;
    for (let i = 0; i < oldHigh.length; i += 1) {
      const high = oldHigh[i]!;
      const low = oldLow[i]!;
      if (high === 0 && low === 0) continue;
      const at = this.#place(high, low);
      this.#high[at] = high;
      this.#low[at] = low;
      this.#switches[at] = oldSwitches[i]!;
    }
  }
}
