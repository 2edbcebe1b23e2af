/**
 * The one source of randomness: seedrandom's Alea behind a small integer API. Seeds are fixed-width
 * hexadecimal with a prefix, because string seeds such as "1" and "11" collide and a missing seed
 * would be taken from the clock.
 */
import fc from 'fast-check';
import seedrandom from 'seedrandom';
import { assert } from '../sim/assert.ts';

type Alea = (() => number) & { int32(): number; state(): object };

export class Random {
  readonly #next: Alea;

  /** @param seed a whole number of at most 53 bits */
  constructor(seed: number, ...labels: readonly number[]) {
    this.#next = seedrandom.alea(seedText(seed, labels), { state: true }) as unknown as Alea;
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.#next() * limit);
  }

  /** True `numerator` times out of `denominator`. */
  chance(numerator: number, denominator: number): boolean {
    return this.below(denominator) < numerator;
  }

  pick<Value>(values: readonly Value[]): Value {
    assert(values.length > 0, 'one of no values cannot be picked');
    return values[this.below(values.length)]!;
  }

  /** Index drawn with the given relative weights, whose sum is `total`. */
  weighted(weights: ArrayLike<number>, total: number): number {
    let left = this.below(total);
    let index = 0;
    for (; index < weights.length - 1; index += 1) {
      left -= weights[index]!;
      if (left < 0) break;
    }
    return index;
  }

  int32(): number {
    return this.#next.int32();
  }

  /** The generator's state as text, to compare two runs. */
  get state(): string {
    return JSON.stringify(this.#next.state());
  }
}

export function seedText(seed: number, labels: readonly number[]): string {
  assert(Number.isSafeInteger(seed) && seed >= 0, 'a seed is a whole number');
  let hash = seed;
  for (const label of labels) hash = executionSeed(hash, label + 1);
  // two halves with a leading one each: fixed width without padding
  const high = 0x1000000 + Math.floor(hash / 0x100000000);
  const low = 0x100000000 + (hash >>> 0);
  return `sw${high.toString(16)}${low.toString(16)}`;
}

/** Lets fast-check arbitraries draw from our stream. The adapter shares it: cloning copies nothing. */
export class ArbitrarySource {
  readonly #random: fc.Random;

  constructor(random: Random) {
    const generator = {
      clone: () => generator,
      next: () => random.int32(),
      getState: () => [],
    };
    this.#random = new fc.Random(generator);
  }

  draw<Value>(arbitrary: fc.Arbitrary<Value>): Value {
    return arbitrary.generate(this.#random, undefined).value;
  }
}

/** A 53-bit hash of two numbers: seed of execution `index` of a campaign. */
export function executionSeed(campaign: number, index: number): number {
  let high = 0x9e3779b9 ^ (campaign | 0) ^ Math.imul((campaign / 0x100000000) | 0, 0x85ebca6b);
  let low = 0x243f6a88 ^ (index | 0) ^ Math.imul((index / 0x100000000) | 0, 0xc2b2ae35);
  for (let round = 0; round < 4; round += 1) {
    high = Math.imul(high ^ (high >>> 16), 0x85ebca6b) + low;
    low = Math.imul(low ^ (low >>> 13), 0xc2b2ae35) ^ high;
  }
  return ((high >>> 0) & 0x1fffff) * 0x100000000 + (low >>> 0);
}
