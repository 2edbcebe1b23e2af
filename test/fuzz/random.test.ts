/** The one source of randomness. */
import test from 'ava';
import fc from 'fast-check';
import { ArbitrarySource, executionSeed, Random } from '../../fuzz/random.ts';

const SEED_MAX = Number.MAX_SAFE_INTEGER;

function draws(random: Random, count = 4): string {
  return Array.from({ length: count }, () => random.int32()).join(' ');
}

test('seeds that are short as text do not collide', (t) => {
  const seeds = [
    ...Array(3000).keys(),
    11,
    111,
    1111,
    11111,
    111111,
    1111111,
    10,
    100,
    1000,
    10000,
  ];
  const distinct = new Set(seeds);
  t.is(new Set([...distinct].map((seed) => draws(new Random(seed)))).size, distinct.size);
});

test('labels give streams of their own', (t) => {
  const streams = new Set<string>();
  for (let seed = 0; seed < 40; seed += 1) {
    streams.add(draws(new Random(seed)));
    for (let a = 0; a < 5; a += 1) {
      streams.add(draws(new Random(seed, a)));
      for (let b = 0; b < 5; b += 1) streams.add(draws(new Random(seed, a, b)));
    }
  }
  t.is(streams.size, 40 * 31);
});

test('streams are uniform from their first draw on, whatever the seeds are', (t) => {
  for (const seedOf of [
    (i: number) => i,
    (i: number) => i * 2 ** 32,
    (i: number) => SEED_MAX - i,
  ]) {
    for (let draw = 0; draw < 4; draw += 1) {
      const counts = Array.from({ length: 16 }, () => 0);
      for (let i = 0; i < 16_000; i += 1) {
        const random = new Random(seedOf(i), 7);
        for (let skip = 0; skip < draw; skip += 1) random.int32();
        counts[random.below(16)]! += 1;
      }
      // 1,000 each, six standard deviations are 184
      for (const count of counts) t.true(Math.abs(count - 1000) < 184, counts.join(' '));
    }
  }
});

test('the same seed gives the same stream and state, and drawing changes the state', (t) => {
  fc.assert(
    fc.property(fc.nat(SEED_MAX), fc.nat(100), (seed, label) => {
      const [one, other] = [new Random(seed, label), new Random(seed, label)];
      t.is(one.state, other.state);
      const before = one.state;
      t.is(draws(one), draws(other));
      t.is(one.state, other.state);
      t.not(one.state, before);
    }),
    { seed: 1 },
  );
});

for (const seed of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, SEED_MAX + 1]) {
  test(`${seed} is no seed`, (t) => {
    t.throws(() => new Random(seed), { message: /a seed is a whole number/ });
  });
}

test('below stays below its limit and reaches every value', (t) => {
  fc.assert(
    fc.property(fc.nat(SEED_MAX), fc.integer({ min: 1, max: 2 ** 31 }), (seed, limit) => {
      const random = new Random(seed);
      for (let i = 0; i < 20; i += 1) {
        const value = random.below(limit);
        t.true(Number.isInteger(value) && value >= 0 && value < limit);
      }
    }),
    { seed: 2 },
  );
  const random = new Random(3);
  const counts = Array.from({ length: 10 }, () => 0);
  for (let i = 0; i < 10_000; i += 1) counts[random.below(10)]! += 1;
  // 1,000 each, six standard deviations are 180
  for (const count of counts) t.true(Math.abs(count - 1000) < 180, counts.join(' '));
});

test('weighted draws each index in proportion, and never one of weight 0', (t) => {
  const weights = [1, 0, 3, 4, 0, 2];
  const random = new Random(4);
  const counts = weights.map(() => 0);
  for (let i = 0; i < 10_000; i += 1) counts[random.weighted(weights, 10)]! += 1;
  weights.forEach((weight, index) => {
    const expected = weight * 1000;
    if (weight === 0) t.is(counts[index], 0);
    else t.true(Math.abs(counts[index]! - expected) < 300, counts.join(' '));
  });
});

test('weighted stays inside the list for all weights', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(9), { minLength: 1, maxLength: 8 }),
      fc.nat(SEED_MAX),
      (weights, seed) => {
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        if (total === 0) return;
        const index = new Random(seed).weighted(weights, total);
        t.true(index >= 0 && index < weights.length);
        t.true(weights[index]! > 0, `${weights.join(' ')}: ${index}`);
      },
    ),
    { seed: 5 },
  );
});

test('chance and pick keep their proportions', (t) => {
  const random = new Random(6);
  let hits = 0;
  for (let i = 0; i < 9000; i += 1) if (random.chance(1, 3)) hits += 1;
  t.true(Math.abs(hits - 3000) < 270, String(hits));
  t.false(random.chance(0, 5));
  t.true(random.chance(5, 5));
  const picked = new Set(Array.from({ length: 200 }, () => random.pick(['a', 'b', 'c'])));
  t.deepEqual([...picked].sort(), ['a', 'b', 'c']);
  t.throws(() => random.pick([]), { message: /one of no values/ });
});

test('arbitraries draw from our stream and from nothing else', (t) => {
  const arbitrary = fc.array(fc.tuple(fc.nat(), fc.string()), { maxLength: 5 });
  const values = (seed: number) => {
    const random = new Random(seed);
    const source = new ArbitrarySource(random);
    const drawn = Array.from({ length: 5 }, () => source.draw(arbitrary));
    return { drawn, state: random.state };
  };
  t.deepEqual(values(1), values(1));
  t.notDeepEqual(values(1), values(2));
  t.not(values(1).state, new Random(1).state);
});

// ---- seeds of executions ----

test('executions of a campaign have seeds of their own, also of neighbouring campaigns', (t) => {
  const seeds = new Set<number>();
  for (let campaign = 0; campaign < 20; campaign += 1) {
    for (let index = 0; index < 5000; index += 1) seeds.add(executionSeed(campaign, index));
  }
  // 100,000 of 2^53: two alike are expected once in 1.8 million such samples
  t.is(seeds.size, 100_000);
});

test('seeds of executions are whole numbers of 53 bits, each bit set half of the time', (t) => {
  const runs = 4000;
  const ones = Array.from({ length: 53 }, () => 0);
  for (let index = 0; index < runs; index += 1) {
    const seed = executionSeed(1, index);
    t.true(Number.isSafeInteger(seed) && seed >= 0);
    for (let bit = 0; bit < 53; bit += 1) {
      if (Math.floor(seed / 2 ** bit) % 2 === 1) ones[bit]! += 1;
    }
  }
  // six standard deviations of 2,000 in 4,000 are 190
  for (const [bit, count] of ones.entries())
    t.true(Math.abs(count - 2000) < 190, `bit ${bit}: ${count}`);
});

test('the upper bits of campaign and index count', (t) => {
  const one = executionSeed(5, 7);
  t.not(executionSeed(5 + 2 ** 32, 7), one);
  t.not(executionSeed(5, 7 + 2 ** 32), one);
  t.not(executionSeed(7, 5), one);
});
