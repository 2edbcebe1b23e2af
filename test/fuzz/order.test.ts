/** Ordering constraints: text, and orders that cannot be. */
import test from 'ava';
import fc from 'fast-check';
import { END, type EventName, formatName } from '../../fuzz/names.ts';
import { type Constraint, findCycle, formatConstraint, parseConstraint } from '../../fuzz/order.ts';

/** Operations of every actor in program order: a1, a2, ... */
const position = ({ key }: EventName): number => Number(key.slice(1)) - 1;

function constraint(text: string): Constraint {
  const read = parseConstraint(text);
  if (typeof read === 'string') throw new Error(read);
  return read;
}

function cycleOf(...texts: readonly string[]): readonly string[] | undefined {
  return findCycle(texts.map(constraint), position);
}

// ---- text ----

for (const text of [
  'vcpu0.a1/access.use < host.a1/unmap.lockStart',
  'vcpu0.a1/end < host.a1/unmap.lockStart#3',
  'host.a1/flush.invalidateStage2@pe1#2 < vcpu1.a1/access.use',
]) {
  test(`${text} is read back as it was written`, (t) => {
    t.is(formatConstraint(constraint(text)), text);
  });
}

const BAD: Readonly<Record<string, RegExp>> = {
  'vcpu0.a1/access.use': /has the form/,
  'a.a1/x.y < b.a1/x.y < c.a1/x.y': /has the form/,
  'vcpu0.a1/access.use > host.a1/unmap.lock': /has the form/,
  '< host.a1/unmap.lockStart': /"" is no event name/,
  'vcpu0.a1/access.use <': /"" is no event name/,
  'vcpu0.a1/access use < host.a1/unmap.lock': /"vcpu0.a1\/access use" is no event name/,
  'vcpu0.a1/access.use < host.a1/end': /cannot wait/,
};

for (const [text, says] of Object.entries(BAD)) {
  test(`${text} is refused with a sentence`, (t) => {
    const read = parseConstraint(text);
    t.is(typeof read, 'string');
    t.regex(String(read), says);
  });
}

// ---- cycles ----

test('no constraints are no cycle', (t) => {
  t.is(findCycle([], position), undefined);
});

test('two events that wait for each other are a cycle', (t) => {
  const cycle = cycleOf('a.a1/x.one < b.a1/x.two', 'b.a1/x.two < a.a1/x.one');
  t.deepEqual(cycle, ['a.a1/x.one', 'b.a1/x.two', 'a.a1/x.one']);
});

test('an event that waits for itself is a cycle', (t) => {
  t.deepEqual(cycleOf('a.a1/x.one < a.a1/x.one'), ['a.a1/x.one', 'a.a1/x.one']);
});

test('an operation that waits for a later one of its actor is a cycle', (t) => {
  t.not(cycleOf('a.a2/x.one < a.a1/x.one'), undefined);
  t.is(cycleOf('a.a1/x.one < a.a2/x.one'), undefined);
  t.not(
    cycleOf('a.a2/x.one < b.a1/x.one', 'b.a1/x.two < a.a1/x.one', 'b.a1/x.one < b.a1/x.two'),
    undefined,
  );
});

test('an occurrence that waits for a later one is a cycle', (t) => {
  t.not(cycleOf('a.a1/x.one#2 < b.a1/x.two', 'b.a1/x.two < a.a1/x.one'), undefined);
  t.is(cycleOf('a.a1/x.one < b.a1/x.two', 'b.a1/x.two < a.a1/x.one#2'), undefined);
});

test('an event that waits for the end of its own operation is a cycle', (t) => {
  t.not(cycleOf('a.a1/end < a.a1/x.one'), undefined);
  t.not(cycleOf('a.a1/end < b.a1/x.two', 'b.a1/x.two < a.a1/x.one'), undefined);
});

test('an arrival may come after later operations of its issuer', (t) => {
  t.is(cycleOf('a.a2/x.one < a.a1/x.flush@pe1'), undefined);
  t.not(cycleOf('a.a2/x.one < a.a1/x.flush@pe1', 'a.a1/x.flush@pe1 < a.a2/x.one'), undefined);
});

/** Events of three actors with two operations each, in some order that respects the programs. */
const interleaving = fc.array(fc.nat(2), { minLength: 24, maxLength: 24 }).map((actors) => {
  const next = [0, 0, 0];
  return actors.flatMap((actor): EventName[] => {
    const index = next[actor]!;
    next[actor] = index + 1;
    if (index >= 8) return [];
    const [operation, step] = [Math.floor(index / 4), index % 4];
    const name = { actor: 'abc'[actor]!, key: `a${operation + 1}`, pe: undefined };
    // a step of its own, the same step twice, and the end
    const sites = ['x.one', 'x.two', 'x.two', END];
    const occurrence = step === 2 ? 2 : 1;
    return [{ ...name, site: sites[step]!, occurrence }];
  });
});

function pairsOf(events: readonly EventName[], picks: readonly (readonly [number, number])[]) {
  return picks.flatMap(([x, y]): Constraint[] => {
    const [i, j] = [Math.min(x, y) % events.length, Math.max(x, y) % events.length];
    const [before, after] = [events[Math.min(i, j)]!, events[Math.max(i, j)]!];
    return i === j || after.site === END ? [] : [{ before, after }];
  });
}

const picks = fc.array(fc.tuple(fc.nat(23), fc.nat(23)), { maxLength: 20 });

test('constraints that one interleaving satisfies are never a cycle', (t) => {
  fc.assert(
    fc.property(interleaving, picks, (events, chosen) => {
      t.is(findCycle(pairsOf(events, chosen), position), undefined);
    }),
    { seed: 3, numRuns: 300 },
  );
});

test('a constraint against a chain of others closes a cycle that names them', (t) => {
  fc.assert(
    fc.property(interleaving, fc.integer({ min: 2, max: 5 }), (events, length) => {
      const chain = events.filter(({ site }) => site !== END).slice(0, length);
      if (chain.length < 2) return;
      const links = chain.slice(1).map((after, i) => ({ before: chain[i]!, after }));
      const back = { before: chain.at(-1)!, after: chain[0]! };
      const cycle = findCycle([...links, back], position);
      t.not(cycle, undefined);
      t.is(cycle?.[0], cycle?.at(-1));
      const names = new Set(chain.map(formatName));
      for (const name of cycle ?? []) t.true(names.has(name), name);
    }),
    { seed: 4, numRuns: 200 },
  );
});
