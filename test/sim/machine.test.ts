/** The loop of the machine: waiting and waking, deadlock, fair tail, grants, choices, replay. */
import test from 'ava';
import fc from 'fast-check';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Event } from '../../sim/event.ts';
import { choiceSites } from '../../sim/hardware.ts';
import { Mode } from '../../sim/locks.ts';
import { RETRY_BOUND } from '../../sim/machine.ts';
import { Role } from '../../sim/pages.ts';
import type { Scheduler, Scheduling } from '../../sim/scheduler.ts';
import type { Listener } from '../../sim/spec.ts';
import {
  at,
  type Body,
  Drawn,
  isReady,
  ONE_LOCK,
  OTHER_LOCK,
  Recorded,
  Script,
  Workbench,
} from './workbench.ts';

/** Adds to a word without an atomic operation, optionally under the lock. */
function increment(word: number, locks: boolean): Body {
  return function* body(self: Actor): Operation<number> {
    if (locks) yield* self.acquire(at.lock, ONE_LOCK, Mode.Exclusive);
    const old = yield* self.readOnce(at.read, word);
    yield* self.store(at.store, word, old + 1);
    if (locks) yield* self.release(at.unlock, ONE_LOCK);
    return old;
  };
}

function reads(word: number, times: number): Body {
  return function* body(self: Actor): Operation<number> {
    for (let i = 0; i < times; i += 1) yield* self.readOnce(at.read, word);
    return 0;
  };
}

/** Picks by name of a list, in turn, and notes every question. */
class Granting implements Scheduler {
  readonly id = 'granting';
  readonly picks: number[] = [];
  readonly events: number[] = [];
  readonly #grant: number;
  readonly #prefer: number;

  constructor(grant: number, prefer = 0) {
    this.#grant = grant;
    this.#prefer = prefer;
  }

  begin(_machine: Scheduling): void {}

  pick(machine: Scheduling): number {
    const ready = [...machine.ready.subarray(0, machine.readyCount)].sort((a, b) => a - b);
    const source = ready.includes(this.#prefer) ? this.#prefer : ready[0]!;
    machine.grant = this.#grant;
    this.picks.push(source);
    this.events.push(machine.events);
    return source;
  }

  choose(): number {
    return 0;
  }
}

// ---- accesses ----

test('each verb gives the value that its contract names', (t) => {
  const bench = new Workbench();
  const word = bench.variable(0);
  const seen: number[] = [];
  function* body(self: Actor): Operation<number> {
    yield* self.store(at.store, word, 5);
    seen.push(yield* self.readOnce(at.read, word));
    seen.push(yield* self.add(at.store, word, 3));
    seen.push(yield* self.or(at.store, word, 16));
    seen.push(yield* self.exchange(at.store, word, 7));
    seen.push(yield* self.compareExchange(at.store, word, 6, 9));
    seen.push(yield* self.compareExchange(at.store, word, 7, -1));
    yield* self.storeRelease(at.store, bench.variable(1), 2);
    return 0;
  }
  bench.run({ host0: [body] }, new Script(bench, []));
  t.deepEqual(seen, [5, 8, 8, 24, 7, 7]);
  t.is(bench.load(word), -1);
  t.is(bench.load(bench.variable(1)), 2);
});

test('an access gives every visible change an instance of its own', (t) => {
  const bench = new Workbench();
  const word = bench.variable(0);
  const instances: number[] = [];
  function* body(self: Actor): Operation<number> {
    for (const value of [1, 2, 1, 1]) {
      yield* self.store(at.store, word, value);
      instances.push(bench.machine.memory.instance(word));
    }
    return 0;
  }
  bench.run({ host0: [body] }, new Script(bench, []));
  // storing what is there already changes nothing
  t.deepEqual(instances, [1, 2, 3, 3]);
  t.is(bench.machine.changes, 3);
});

test('two actors without a lock may lose an update, and the script decides', (t) => {
  const lossy = new Workbench();
  const word = lossy.variable(0);
  const program = { host0: [increment(word, false)], host1: [increment(word, false)] };
  lossy.run(program, new Script(lossy, ['host0', 'host1', 'host0', 'host1']));
  t.is(lossy.load(word), 1);
  const whole = new Workbench();
  whole.run(program, new Script(whole, ['host0*2', 'host1*2']));
  t.is(whole.load(word), 2);
});

// ---- waiting ----

test('an actor that wants a held lock is not ready, and is when the lock is dropped', (t) => {
  const bench = new Workbench();
  const word = bench.variable(0);
  const script = new Script(bench, [
    'host0',
    (machine) => t.false(isReady(machine, 'host1')),
    'host0*3',
    (machine) => t.true(isReady(machine, 'host1')),
    'host1',
  ]);
  bench.run({ host0: [increment(word, true)], host1: [increment(word, true)] }, script);
  t.is(script.left, 0);
  t.is(bench.load(word), 2);
  t.true(bench.machine.finished);
});

test('an actor that is about to take the lock stops being ready when another takes it', (t) => {
  const bench = new Workbench();
  const word = bench.variable(0);
  const script = new Script(bench, [
    (machine) => t.true(isReady(machine, 'host0') && isReady(machine, 'host1')),
    'host1',
    (machine) => t.false(isReady(machine, 'host0')),
  ]);
  bench.run({ host0: [increment(word, true)], host1: [increment(word, true)] }, script);
  t.is(script.left, 0);
  t.is(
    bench
      .rows(Event.LockTake)
      .map((row) => row.actor)
      .join(),
    '3,2',
  );
});

test('readers share the lock, a writer waits for both', (t) => {
  const bench = new Workbench();
  const holder = (mode: Mode): Body =>
    function* body(self: Actor): Operation<number> {
      yield* self.acquire(at.lock, ONE_LOCK, mode);
      yield* self.release(at.unlock, ONE_LOCK);
      return 0;
    };
  const script = new Script(bench, [
    'host0',
    'host1',
    (machine) => t.false(isReady(machine, 'vcpu0')),
    'host0',
    (machine) => t.false(isReady(machine, 'vcpu0')),
    'host1',
    (machine) => t.true(isReady(machine, 'vcpu0')),
    'vcpu0',
  ]);
  bench.run(
    { host0: [holder(Mode.Shared)], host1: [holder(Mode.Shared)], vcpu0: [holder(Mode.Exclusive)] },
    script,
  );
  t.is(script.left, 0);
});

test('no schedule loses an update that is made under the lock', (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(5), { minLength: 1, maxLength: 40 }), (numbers) => {
      const bench = new Workbench();
      const word = bench.variable(0);
      const body = increment(word, true);
      bench.run({ host0: [body, body], host1: [body], vcpu0: [body] }, new Drawn(numbers));
      return bench.load(word) === 4 && bench.machine.finished;
    }),
    { numRuns: 100 },
  );
  t.pass();
});

test('waiting for a word ends when somebody stores the value', (t) => {
  const bench = new Workbench();
  const word = bench.variable(0);
  function* waiter(self: Actor): Operation<number> {
    yield* self.waitFor(at.wait, word, 2);
    return 7;
  }
  function* writer(self: Actor): Operation<number> {
    yield* self.store(at.store, word, 1);
    yield* self.store(at.store, word, 2);
    return 0;
  }
  const script = new Script(bench, [
    (machine) => t.false(isReady(machine, 'host0')),
    'host1',
    (machine) => t.false(isReady(machine, 'host0')),
    'host1',
    (machine) => t.true(isReady(machine, 'host0')),
  ]);
  bench.run({ host0: [waiter], host1: [writer] }, script);
  t.is(script.left, 0);
  t.true(bench.machine.finished);
});

test('a grace period waits for the section that was open and not for a later one', (t) => {
  const bench = new Workbench();
  function* reader(self: Actor): Operation<number> {
    yield* self.enterSection(at.enter, 0);
    yield* self.exitSection(at.exit, 0);
    return 0;
  }
  function* writer(self: Actor): Operation<number> {
    yield* self.readOnce(at.read, bench.variable(0));
    yield* self.gracePeriod(at.grace, 0);
    return 0;
  }
  const script = new Script(bench, [
    'vcpu0', // inside before the grace period begins
    'host0',
    'host0', // it begins
    'vcpu1', // inside after it began
    (machine) => t.false(isReady(machine, 'host0')),
    'vcpu0',
    (machine) => t.true(isReady(machine, 'host0')),
    'host0',
  ]);
  bench.run({ vcpu0: [reader], vcpu1: [reader], host0: [writer] }, script);
  t.is(script.left, 0);
  const order = bench.rows(Event.GracePeriod, Event.SectionExit).map((row) => row.actor);
  t.deepEqual(order, [2, 0, 2, 1]);
});

test('actors that wait for each other are a deadlock, and the run ends unfinished', (t) => {
  const both = (first: number, second: number): Body =>
    function* body(self: Actor): Operation<number> {
      yield* self.acquire(at.lock, first, Mode.Exclusive);
      yield* self.acquire(at.lock, second, Mode.Exclusive);
      yield* self.release(at.unlock, second);
      yield* self.release(at.unlock, first);
      return 0;
    };
  const program = {
    host0: [both(ONE_LOCK, OTHER_LOCK)],
    host1: [both(OTHER_LOCK, ONE_LOCK)],
  };
  const stuck = new Workbench();
  stuck.run(program, new Script(stuck, ['host0', 'host1']));
  t.is(stuck.rows(Event.Deadlock).length, 1);
  t.false(stuck.machine.finished);
  const lucky = new Workbench();
  lucky.run(program, new Script(lucky, ['host0*2']));
  t.is(lucky.rows(Event.Deadlock).length, 0);
  t.true(lucky.machine.finished);
});

test('taking a lock twice is a deadlock with oneself', (t) => {
  const bench = new Workbench();
  function* body(self: Actor): Operation<number> {
    yield* self.acquire(at.lock, ONE_LOCK, Mode.Exclusive);
    yield* self.acquire(at.lock, ONE_LOCK, Mode.Exclusive);
    return 0;
  }
  bench.run({ host0: [body] }, new Script(bench, []));
  t.is(bench.rows(Event.Deadlock).length, 1);
});

// ---- operations ----

test('operations of an actor follow each other, and their results are in the trace', (t) => {
  const bench = new Workbench();
  const returns = (value: number): Body =>
    function* body(self: Actor): Operation<number> {
      yield* self.readOnce(at.read, bench.variable(0));
      return value;
    };
  const results = bench.run({ host0: [returns(3), returns(4)] }, new Script(bench, []));
  t.deepEqual(results, [3, 4]);
  t.deepEqual(
    bench.rows(Event.OperationBegin).map((row) => row.a),
    [0, 1],
  );
  t.true(bench.machine.hasEnded(0) && bench.machine.hasEnded(1));
});

test('an operation without an access ends without a step', (t) => {
  const bench = new Workbench();
  function* nothing(): Operation<number> {
    return 9;
  }
  t.deepEqual(bench.run({ host0: [nothing, nothing] }, new Script(bench, [])), [9, 9]);
  t.is(bench.machine.steps, 0);
});

test('an oracle that halts the machine stops the run after the event', (t) => {
  const bench = new Workbench();
  const { machine } = bench;
  const halts: Listener = {
    onEvent: () => {
      machine.halted = true;
    },
  };
  machine.listen(halts, [Event.Read]);
  bench.run({ host0: [reads(bench.variable(0), 9)] }, new Script(bench, []));
  t.is(bench.rows(Event.Read).length, 1);
  t.is(bench.rows(Event.RunEnd).length, 0);
});

// ---- grants ----

test('a grant of k steps is asked for once in k + 1 steps', (t) => {
  for (const grant of [0, 1, 3, 7]) {
    const bench = new Workbench();
    const word = bench.variable(0);
    const scheduler = new Granting(grant);
    bench.run({ vcpu0: [reads(word, 24)], host0: [reads(word, 24)] }, scheduler);
    t.is(scheduler.picks.length, 48 / (grant + 1), `grant ${grant}`);
    t.is(bench.machine.steps, 48);
  }
});

test('a grant ends when its actor blocks', (t) => {
  const bench = new Workbench();
  const word = bench.variable(0);
  function* holder(self: Actor): Operation<number> {
    yield* self.acquire(at.lock, ONE_LOCK, Mode.Exclusive);
    yield* self.waitFor(at.wait, word, 1);
    yield* self.release(at.unlock, ONE_LOCK);
    return 0;
  }
  function* other(self: Actor): Operation<number> {
    yield* self.readOnce(at.read, word);
    yield* self.store(at.store, word, 1);
    return 0;
  }
  const scheduler = new Granting(100);
  bench.run({ vcpu0: [holder], host0: [other] }, scheduler);
  // the holder blocks after one event; the other's store makes it ready again
  t.deepEqual(scheduler.picks, [0, 2, 0]);
  t.deepEqual(scheduler.events, [0, 1, 3]);
});

test('a grant ends when somebody else becomes ready', (t) => {
  const bench = new Workbench();
  const word = bench.variable(0);
  function* holder(self: Actor): Operation<number> {
    yield* self.acquire(at.lock, ONE_LOCK, Mode.Exclusive);
    yield* self.release(at.unlock, ONE_LOCK);
    for (let i = 0; i < 5; i += 1) yield* self.readOnce(at.read, word);
    return 0;
  }
  const scheduler = new Granting(100);
  bench.run({ vcpu0: [holder], host0: [increment(word, true)] }, scheduler);
  // asked again right after the release; then the grant lasts to the end
  t.deepEqual(scheduler.events.slice(0, 2), [0, 2]);
  t.deepEqual(scheduler.picks, [0, 0, 2]);
});

test('a grant ends with the program of its actor', (t) => {
  const bench = new Workbench();
  const word = bench.variable(0);
  const scheduler = new Granting(100);
  bench.run({ vcpu0: [reads(word, 3)], host0: [reads(word, 3)] }, scheduler);
  t.deepEqual(scheduler.picks, [0, 2]);
});

test('a grant changes how often one is asked and not what happens', (t) => {
  const runWith = (grant: number): unknown => {
    const bench = new Workbench();
    const body = increment(bench.variable(0), true);
    bench.run({ vcpu0: [body, body], host0: [body] }, new Granting(grant));
    return bench.outcome();
  };
  t.deepEqual(runWith(0), runWith(50));
});

// ---- the fair tail ----

test('a run that uses up its steps goes on in a fair tail and may finish there', (t) => {
  const bench = new Workbench();
  const word = bench.variable(0);
  const program = { vcpu0: [reads(word, 30)], host0: [reads(word, 30)] };
  bench.run(program, new Granting(0), { steps: 10, tail: 100 });
  t.is(bench.rows(Event.FairTail).length, 1);
  t.is(bench.rows(Event.Unfinished).length, 0);
  t.true(bench.machine.finished);
  // the tail alternates: the favourite of the scheduler does not run away
  const actors = bench
    .rows(Event.Read)
    .slice(12, 22)
    .map((row) => row.actor);
  t.is(new Set(actors).size, 2);
  t.true(actors.every((actor, i) => i === 0 || actor !== actors[i - 1]));
});

test('a run that ends within its steps has no tail', (t) => {
  const bench = new Workbench();
  bench.run({ vcpu0: [reads(bench.variable(0), 10)] }, new Granting(0), { steps: 10, tail: 5 });
  t.is(bench.rows(Event.FairTail).length, 0);
});

test('who has not ended when the tail is used up is unfinished, one by one', (t) => {
  const bench = new Workbench();
  const word = bench.variable(0);
  const program = { vcpu0: [reads(word, 500)], vcpu1: [reads(word, 2)], host1: [reads(word, 500)] };
  bench.run(program, new Granting(0), { steps: 10, tail: 40 });
  t.deepEqual(
    bench.rows(Event.Unfinished).map((row) => row.a),
    [0, 3],
  );
  t.false(bench.machine.finished);
  t.is(bench.machine.events, 50);
});

test('the tail is part of the recorded answers', (t) => {
  const bench = new Workbench();
  const word = bench.variable(0);
  const program = { vcpu0: [reads(word, 30)], host0: [reads(word, 30)] };
  bench.run(program, new Granting(0), { steps: 10, tail: 100 });
  const { counts } = bench.machine.answers.answers;
  t.is(
    counts.reduce((sum, count) => sum + count, 0),
    60,
  );
});

// ---- retry ----

/** Spins until the word is set. */
function spin(word: number): Body {
  return function* body(self: Actor): Operation<number> {
    while ((yield* self.readOnce(at.read, word)) === 0) yield* self.retry(at.retry);
    return 0;
  };
}

test('a retry loop that an unfair schedule starves is not stuck', (t) => {
  const bench = new Workbench();
  const word = bench.variable(0);
  function* setter(self: Actor): Operation<number> {
    for (let i = 0; i < 4; i += 1) yield* self.readOnce(at.read, word);
    yield* self.store(at.store, word, 1);
    return 0;
  }
  bench.run({ vcpu0: [spin(word)], host0: [setter] }, new Granting(0), { steps: 200, tail: 100 });
  t.true(bench.rows(Event.Retry).length > 4 * RETRY_BOUND);
  t.is(bench.rows(Event.Stuck).length, 0);
  t.is(bench.rows(Event.Unfinished).length, 0);
  t.true(bench.machine.finished);
});

test('a retry loop that nobody can end is stuck in the tail only', (t) => {
  const bench = new Workbench();
  bench.run({ vcpu0: [spin(bench.variable(0))] }, new Granting(0), { steps: 200, tail: 60 });
  const tail = bench.rows(Event.FairTail)[0]!.row;
  const stuck = bench.rows(Event.Stuck);
  t.is(stuck[0]!.a, RETRY_BOUND + 1);
  t.true(stuck.every(({ row }) => row > tail));
  const early = bench.rows(Event.Retry).filter(({ row }) => row < tail);
  t.true(early.length > RETRY_BOUND);
  t.true(early.every(({ a }) => a === 0));
  t.is(bench.rows(Event.Unfinished).length, 1);
});

test('a change by somebody else begins the count of retries anew', (t) => {
  const bench = new Workbench();
  const word = bench.variable(0);
  function* busy(self: Actor): Operation<number> {
    for (let i = 1; i < 60; i += 1) yield* self.store(at.store, bench.variable(1), i);
    yield* self.store(at.store, word, 1);
    return 0;
  }
  bench.run({ vcpu0: [spin(word)], host0: [busy] }, new Granting(0), { steps: 20, tail: 500 });
  t.true(bench.rows(Event.Retry).length > 2 * RETRY_BOUND);
  t.is(bench.rows(Event.Stuck).length, 0);
  t.true(bench.machine.finished);
});

test('who waits for somebody that goes on without a change is not stuck; who waits with others that wait, is', (t) => {
  const bench = new Workbench();
  const word = bench.variable(0);
  function* reader(self: Actor): Operation<number> {
    for (let i = 0; i < 60; i += 1) yield* self.readOnce(at.read, word);
    yield* self.store(at.store, word, 1);
    return 0;
  }
  bench.run({ vcpu0: [spin(word)], host0: [reader] }, new Granting(0), { steps: 20, tail: 500 });
  t.true(bench.rows(Event.Retry).length > 2 * RETRY_BOUND);
  t.is(bench.rows(Event.Stuck).length, 0);
  t.true(bench.machine.finished);
  const both = new Workbench();
  const spins = spin(both.variable(0));
  both.run({ vcpu0: [spins], host0: [spins] }, new Granting(0), { steps: 20, tail: 100 });
  t.true(both.rows(Event.Stuck).length > 0);
});

// ---- allocation ----

/** Allocates a table page, writes it, gives it back, and allocates again. */
function cycle(frames: number[]): Body {
  return function* body(self: Actor): Operation<number> {
    for (let i = 0; i < 2; i += 1) {
      const frame = yield* self.allocate(at.allocate, Role.Table, false);
      frames.push(frame);
      if (frame < 0) return -1;
      yield* self.store(at.store, self.machine.memory.address(frame, 1), 77);
      yield* self.free(at.free, frame);
    }
    return 0;
  };
}

test('an allocated page is zero, and the page freed last comes back by default', (t) => {
  const bench = new Workbench();
  const frames: number[] = [];
  const found: number[] = [];
  const looks: Listener = {
    onEvent: (_kind, frame) => found.push(bench.load(bench.word(frame, 1))),
  };
  bench.machine.listen(looks, [Event.Allocate]);
  bench.run({ host0: [cycle(frames)] }, new Script(bench, []));
  t.is(frames[0], frames[1]);
  t.deepEqual(found, [0, 0]);
});

test('that an allocation fails is a choice', (t) => {
  const bench = new Workbench();
  const frames: number[] = [];
  const choices: [number, number][] = [[choiceSites.allocationFails, 1]];
  t.deepEqual(bench.run({ host0: [cycle(frames)] }, new Script(bench, [], choices)), [-1]);
  t.deepEqual(frames, [-1]);
  t.is(bench.rows(Event.AllocateFailed).length, 1);
  t.deepEqual(
    bench.rows(Event.Choice).map((row) => [row.site, row.a]),
    [[choiceSites.allocationFails, 1]],
  );
});

test('that another page than the newest comes back is a choice', (t) => {
  const bench = new Workbench();
  const frames: number[] = [];
  const choices: [number, number][] = [[choiceSites.reuseOldest, 1]];
  bench.run({ host0: [cycle(frames)] }, new Script(bench, [], choices));
  t.not(frames[0], frames[1]);
});

test('an empty pool fails without a choice of the schedule', (t) => {
  const bench = new Workbench();
  while (bench.takeTable() >= 0);
  const frames: number[] = [];
  bench.run({ host0: [cycle(frames)] }, new Script(bench, []));
  t.deepEqual(frames, [-1]);
  t.is(bench.rows(Event.Choice).length, 0);
});

test('a run of pages is aligned, and one choice fails it as a whole', (t) => {
  function* body(self: Actor): Operation<number> {
    return yield* self.allocateRun(at.allocate, Role.Data, 4, true);
  }
  const bench = new Workbench();
  const [first] = bench.run({ host0: [body] }, new Script(bench, []));
  t.is(first! % 4, 0);
  t.is(bench.rows(Event.Allocate).length, 4);
  t.is(bench.rows(Event.MaySleep).length, 1);
  const failing = new Workbench();
  const choices: [number, number][] = [[choiceSites.allocationFails, 1]];
  t.deepEqual(failing.run({ host0: [body] }, new Script(failing, [], choices)), [-1]);
  t.is(failing.rows(Event.Allocate).length, 0);
});

test('freeing twice and touching a freed page are told, and nothing breaks', (t) => {
  const bench = new Workbench();
  function* body(self: Actor): Operation<number> {
    const frame = yield* self.allocate(at.allocate, Role.Table, false);
    yield* self.free(at.free, frame);
    yield* self.readOnce(at.read, self.machine.memory.address(frame, 0));
    yield* self.free(at.free, frame);
    return frame;
  }
  const [frame] = bench.run({ host0: [body] }, new Script(bench, []));
  t.deepEqual(
    bench.rows(Event.TouchFreed).map((row) => row.b),
    [frame],
  );
  t.deepEqual(
    bench.rows(Event.DoubleFree).map((row) => row.a),
    [frame],
  );
});

// ---- the run as a function ----

test('the recorded answers give the same run again, on the same machine and on a fresh one', (t) => {
  const numbers = fc.array(fc.nat(1000), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(numbers, (drawn) => {
      const bench = new Workbench();
      const frames: number[] = [];
      const body = increment(bench.variable(0), true);
      const program = {
        vcpu0: [body, cycle(frames)],
        host0: [increment(bench.variable(1), false), cycle(frames)],
        host1: [increment(bench.variable(1), false), body],
      };
      bench.run(program, new Drawn(drawn));
      const first = bench.outcome();
      const { answers } = bench.machine.answers;
      bench.reset();
      bench.run(program, new Recorded(answers));
      t.deepEqual(bench.outcome(), first);
      const fresh = new Workbench();
      fresh.run(program, new Recorded(answers));
      t.deepEqual(fresh.outcome(), first);
    }),
    { numRuns: 60 },
  );
});

test('time moves on with the events and is not part of the digest', (t) => {
  const bench = new Workbench();
  const word = bench.variable(0);
  bench.run({ host0: [reads(word, 3)] }, new Script(bench, []));
  t.is(bench.machine.clock, 60);
  const { digest } = bench.machine.trace;
  bench.reset();
  bench.machine.clock = 1_000_000;
  bench.run({ host0: [reads(word, 3)] }, new Script(bench, []));
  t.is(bench.machine.trace.digest, digest);
});
