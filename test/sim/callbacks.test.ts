/** Deferred callbacks: due after every section that was open, run before the program ends. */
import test from 'ava';
import fc from 'fast-check';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Event } from '../../sim/event.ts';
import { Sections } from '../../sim/sections.ts';
import { at, Drawn, isReady, Script, Workbench } from './workbench.ts';

const ACTORS = 5;

test('a callback waits for the sections that are open, its caller’s included, and for no later one', (t) => {
  const sections = new Sections(1, ACTORS);
  sections.enter(0, 0);
  sections.enter(0, 1);
  sections.defer(0, 7);
  sections.enter(0, 2);
  sections.exit(0, 0);
  t.false(sections.isDue(0));
  t.is(sections.takeDue(0), -1);
  sections.exit(0, 1);
  t.true(sections.isDue(0));
  t.is(sections.takeDue(0), 7);
  t.is(sections.deferred, 0);
});

test('a reader that leaves and comes back is a later section', (t) => {
  const sections = new Sections(1, ACTORS);
  sections.enter(0, 0);
  sections.defer(0, 7);
  sections.exit(0, 0);
  sections.enter(0, 0);
  t.is(sections.takeDue(0), 7);
});

test('callbacks of one domain do not wait for the sections of another', (t) => {
  const sections = new Sections(2, ACTORS);
  sections.enter(1, 0);
  sections.defer(0, 7);
  sections.defer(1, 8);
  t.is(sections.takeDue(0), 7);
  t.is(sections.takeDue(1), -1);
  t.is(sections.deferred, 1);
});

test('reset forgets callbacks', (t) => {
  const sections = new Sections(1, ACTORS);
  sections.defer(0, 7);
  sections.reset();
  t.is(sections.deferred, 0);
  t.is(sections.takeDue(0), -1);
});

test('callbacks become due in the order in which they were deferred', (t) => {
  const step = fc.record({ actor: fc.nat(ACTORS - 1), defers: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const sections = new Sections(1, ACTORS);
      const open = new Set<number>();
      // the naive twin: for each callback the sections that it still waits for
      const waiting: Set<number>[] = [];
      const taken: number[] = [];
      for (const { actor, defers } of steps) {
        if (defers) {
          sections.defer(0, waiting.length);
          waiting.push(new Set(open));
        } else if (open.delete(actor)) {
          sections.exit(0, actor);
          for (const readers of waiting) readers.delete(actor);
        } else {
          open.add(actor);
          sections.enter(0, actor);
        }
        const due = waiting.findIndex((readers, i) => readers.size === 0 && !taken.includes(i));
        t.is(sections.isDue(0), due >= 0);
        if (due >= 0 && actor % 2 === 0) {
          t.is(sections.takeDue(0), due);
          taken.push(due);
        }
      }
      t.deepEqual(
        taken,
        [...taken].sort((a, b) => a - b),
      );
    }),
    { numRuns: 300, seed: 1 },
  );
});

// ---- in a run ----

function* serve(self: Actor): Operation<number> {
  let taken = 0;
  for (;;) {
    const value = yield* self.nextCallback(at.callback, 0);
    if (value < 0) return taken;
    taken = taken * 10 + value;
  }
}

function* reader(self: Actor): Operation<number> {
  yield* self.enterSection(at.enter, 0);
  yield* self.exitSection(at.exit, 0);
  return 0;
}

const defers = (value: number) =>
  function* writer(self: Actor): Operation<number> {
    yield* self.enterSection(at.enter, 0);
    yield* self.defer(at.defer, 0, value);
    yield* self.exitSection(at.exit, 0);
    return 0;
  };

test('the callback runs when the reader that was inside has left, whoever came later', (t) => {
  const bench = new Workbench();
  const script = new Script(bench, [
    'vcpu0', // inside before the callback is deferred
    'host0*2',
    'vcpu1', // inside after it
    'host0',
    (machine) => t.false(isReady(machine, 'rcu')),
    'vcpu0',
    (machine) => t.true(isReady(machine, 'rcu')),
    'rcu',
  ]);
  const program = { vcpu0: [reader], vcpu1: [reader], host0: [defers(3)], rcu: [serve] };
  const results = bench.run(program, script);
  t.is(script.left, 0);
  t.is(results.at(-1), 3);
  t.deepEqual(
    bench.rows(Event.Callback).map(({ b }) => b),
    [3, -1],
  );
});

test('a run does not end before its callbacks have run, and ends when none can come any more', (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(1000), { minLength: 1, maxLength: 30 }), (numbers) => {
      const bench = new Workbench();
      const program = { vcpu0: [reader, reader], host0: [defers(1)], host1: [defers(2)] };
      bench.run({ ...program, rcu: [serve] }, new Drawn(numbers));
      t.true(bench.machine.finished);
      const values = bench.rows(Event.Callback).map(({ b }) => b);
      t.deepEqual(
        [...values].sort((a, b) => a - b),
        [-1, 1, 2],
      );
      t.is(values.at(-1), -1);
      const deferred = bench.rows(Event.Deferred).map(({ b }) => b);
      t.deepEqual(values.slice(0, -1), deferred);
    }),
    { numRuns: 200, seed: 1 },
  );
});

test('a callback that nobody will ever let run is a deadlock, not a clean end', (t) => {
  const bench = new Workbench();
  function* stuck(self: Actor): Operation<number> {
    yield* self.enterSection(at.enter, 0);
    yield* self.defer(at.defer, 0, 1);
    return 0;
  }
  bench.run({ host0: [stuck], rcu: [serve] }, new Script(bench, []));
  t.false(bench.machine.finished);
  t.is(bench.rows(Event.Deadlock).length, 1);
});
