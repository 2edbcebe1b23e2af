/**
 * The one source of randomness: seedrandom's Alea behind a small integer API. Its state is set from
 * hashes of the seed: no seed text, so that no two seeds collide as "1" and "11" would, and hashing
 * a text was a twentieth of a short run.
 */
import fc from 'fast-check';
import seedrandom from 'seedrandom';
import { assert } from '../sim/assert.ts';

type Alea = (() => number) & { int32(): number; state(): object };

export class Random {
  readonly #next: Alea;

  /** @param seed a whole number of at most 53 bits */
  constructor(seed: number, ...labels: readonly number[]) {
    const state = aleaState(seed, labels);
    this.#next = seedrandom.alea('', { state }) as unknown as Alea;
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

interface AleaState {
  /** Fractions of 32 bits. */
  readonly s0: number;
  readonly s1: number;
  readonly s2: number;
  /** The carry. */
  readonly c: number;
}

const FRACTION = 2 ** -32;

function aleaState(seed: number, labels: readonly number[]): AleaState {
  assert(Number.isSafeInteger(seed) && seed >= 0, 'a seed is a whole number');
  let hash = seed;
  for (const label of labels) hash = executionSeed(hash, label + 1);
  const first = executionSeed(hash, 0);
  const second = executionSeed(first, 0);
  // the 53 bits of the first hash are all there, so that different hashes are different states
  return {
    s0: (first >>> 0) * FRACTION,
    s1: (second >>> 0) * FRACTION,
    s2: ((Math.floor(first / 0x100000000) << 11) >>> 0) * FRACTION,
    c: 1,
  };
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
