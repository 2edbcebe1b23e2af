/** The trace of a run: rows as written, a digest that sees each field, checkpoints, growth. */
import test from 'ava';
import fc from 'fast-check';
import { Event, type EventCode } from '../../sim/event.ts';
import { CHECKPOINT_EVENTS, Trace } from '../../sim/trace.ts';

interface Fields {
  readonly kind: EventCode;
  readonly step: number;
  readonly actor: number;
  readonly operation: number;
  readonly site: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

const ROW: Fields = {
  kind: Event.Read,
  step: 3,
  actor: 1,
  operation: 2,
  site: 0x1234567,
  a: 11,
  b: 12,
  c: 13,
  d: 14,
};

/** The step is shown, and bounds count it; who did what to what is the digest's business. */
const HASHED = ['kind', 'actor', 'operation', 'site', 'a', 'b', 'c', 'd'] as const;

function fresh(): Trace {
  const trace = new Trace();
  trace.reset();
  return trace;
}

function add(trace: Trace, row: Fields): number {
  const { kind, step, actor, operation, site, a, b, c, d } = row;
  return trace.add(kind, step, actor, operation, site, a, b, c, d);
}

function digestOf(rows: readonly Fields[]): string {
  const trace = fresh();
  for (const row of rows) add(trace, row);
  return trace.digest;
}

const row: fc.Arbitrary<Fields> = fc.record({
  kind: fc.integer({ min: 1, max: 43 }) as fc.Arbitrary<EventCode>,
  step: fc.nat(100_000),
  actor: fc.integer({ min: -1, max: 30 }),
  operation: fc.integer({ min: -1, max: 200 }),
  site: fc.nat(0x3fffffff),
  // the first field names something (a word, a page, a PE, a code) and is never negative
  a: fc.nat(),
  b: fc.integer(),
  c: fc.integer(),
  d: fc.integer(),
});

test('a row reads back as it was written', (t) => {
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 20 }), (rows) => {
      const trace = fresh();
      rows.forEach((one, i) => {
        t.is(add(trace, one), i);
      });
      t.is(trace.count, rows.length);
      rows.forEach((one, i) => {
        t.deepEqual(trace.at(i), { row: i, ...one });
        t.is(trace.kind(i), one.kind);
        t.is(trace.field(i, 5), one.a);
      });
    }),
    { numRuns: 100 },
  );
});

test('the digest is 16 hexadecimal digits', (t) => {
  t.regex(digestOf([]), /^[0-9a-f]{16}$/);
  t.regex(digestOf([ROW]), /^[0-9a-f]{16}$/);
});

test('the digest changes when any field of an event changes', (t) => {
  const plain = digestOf([ROW]);
  for (const field of HASHED) {
    for (const by of [1, 2, 64, 256]) {
      if (field === 'actor' && by > 2) continue;
      t.not(digestOf([{ ...ROW, [field]: ROW[field] + by }]), plain, `${field} + ${by}`);
    }
  }
});

test('two rows that differ in one field have two digests, whatever the rest', (t) => {
  fc.assert(
    fc.property(row, fc.constantFrom(...HASHED), row, (one, field, other) => {
      fc.pre(one[field] !== other[field]);
      return digestOf([one]) !== digestOf([{ ...one, [field]: other[field] }]);
    }),
    { numRuns: 1000 },
  );
  t.pass();
});

test('exchanging two fields changes the digest', (t) => {
  t.not(digestOf([{ ...ROW, a: ROW.b, b: ROW.a }]), digestOf([ROW]));
  t.not(digestOf([{ ...ROW, c: ROW.d, d: ROW.c }]), digestOf([ROW]));
});

test('an early difference is still seen after many equal events', (t) => {
  const tail = Array.from({ length: 3000 }, (_, i) => ({ ...ROW, a: i }));
  t.not(digestOf([ROW, ...tail]), digestOf([{ ...ROW, d: 15 }, ...tail]));
});

test('order and number of events are part of the digest', (t) => {
  const other = { ...ROW, a: 99 };
  t.not(digestOf([ROW, other]), digestOf([other, ROW]));
  t.not(digestOf([ROW, ROW]), digestOf([ROW]));
  t.not(digestOf([]), digestOf([ROW]));
});

test('the same events give the same digest after a reset', (t) => {
  const trace = fresh();
  for (let i = 0; i < 700; i += 1) add(trace, { ...ROW, a: i });
  const { digest } = trace;
  trace.reset();
  t.is(trace.count, 0);
  for (let i = 0; i < 700; i += 1) add(trace, { ...ROW, a: i });
  t.is(trace.digest, digest);
});

test('a checkpoint is kept after each full block of events', (t) => {
  const trace = fresh();
  const expected: string[] = [];
  for (let i = 0; i < 4 * CHECKPOINT_EVENTS; i += 1) {
    add(trace, { ...ROW, a: i });
    if ((i + 1) % CHECKPOINT_EVENTS === 0) expected.push(trace.digest);
  }
  const lanes = [...trace.checkpoints].map((lane) => (lane >>> 0).toString(16).padStart(8, '0'));
  t.is(lanes.length, 8);
  t.deepEqual(
    expected,
    [0, 1, 2, 3].map((i) => `${lanes[2 * i]}${lanes[2 * i + 1]}`),
  );
});

test('two runs agree in the checkpoints before the first difference and in none after', (t) => {
  const runWith = (different: number): Int32Array => {
    const trace = fresh();
    for (let i = 0; i < 8 * CHECKPOINT_EVENTS; i += 1) {
      add(trace, { ...ROW, a: i, d: i === different ? 1 : 0 });
    }
    return trace.checkpoints;
  };
  const plain = runWith(-1);
  const other = runWith(3 * CHECKPOINT_EVENTS + 5);
  t.deepEqual(plain.slice(0, 6), other.slice(0, 6));
  for (let i = 3; i < 8; i += 1) {
    t.false(plain[2 * i] === other[2 * i] && plain[2 * i + 1] === other[2 * i + 1]);
  }
});

test('a trace longer than its first arrays keeps every row and checkpoint', (t) => {
  const trace = fresh();
  const events = 40 * CHECKPOINT_EVENTS;
  for (let i = 0; i < events; i += 1) add(trace, { ...ROW, step: i, a: i });
  t.is(trace.count, events);
  t.is(trace.checkpoints.length, 80);
  for (let i = 0; i < events; i += 97) {
    t.is(trace.at(i).a, i);
    t.is(trace.at(i).step, i);
  }
});
