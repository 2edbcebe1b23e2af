/**
 * Delayed stores and registers (F2, tso): litmus tests whose sets of outcomes are found by trying every
 * schedule, and what each waiting access waits for.
 */
import test, { type ExecutionContext } from 'ava';
import { Domain, FaultClass, faultClass, Register } from '../../sim/access.ts';
import type { Step as Access, Actor, Operation } from '../../sim/actor.ts';
import { ACCESSED, Intent, leaf, READ, table, WRITE } from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { x86Hardware } from '../../sim/hardware-x86.ts';
import { Shareability, Tlbi } from '../../sim/invalidation.ts';
import { Mode } from '../../sim/locks.ts';
import { Role } from '../../sim/pages.ts';
import type { Scheduler, Scheduling } from '../../sim/scheduler.ts';
import { STORE_SLOTS, StoreOrder } from '../../sim/stores.ts';
import { at, type Body, ONE_LOCK, type Program, VMID, Workbench } from './workbench.ts';

const EVERY = [StoreOrder.Immediate, StoreOrder.Location, StoreOrder.Queue] as const;
const RUNS_MAX = 60_000;

/** Follows a path of answers, then always the first; notes how many there were. */
class Path implements Scheduler {
  readonly id = 'path';
  readonly taken: { answer: number; of: number }[] = [];
  readonly #path: readonly number[];

  constructor(path: readonly number[]) {
    this.#path = path;
  }

  begin(): void {}

  pick(machine: Scheduling): number {
    const ready = [...machine.ready.subarray(0, machine.readyCount)].sort((a, b) => a - b);
    return ready[this.#answer(ready.length)]!;
  }

  choose(_machine: Scheduling, _site: number, alternatives: number): number {
    return this.#answer(alternatives);
  }

  #answer(of: number): number {
    const answer = this.#path[this.taken.length] ?? 0;
    this.taken.push({ answer, of });
    return answer;
  }
}

/** What every schedule of a program leads to. */
function outcomes(
  order: StoreOrder,
  program: (bench: Workbench) => Program,
  observe: (bench: Workbench, results: number[]) => string,
): readonly string[] {
  const bench = new Workbench({ storeOrder: order });
  const found = new Set<string>();
  let path: number[] | undefined = [];
  for (let run = 0; path !== undefined; run += 1) {
    if (run > RUNS_MAX) throw new Error('the program is too large to try every schedule');
    bench.reset();
    const scheduler = new Path(path);
    const results = bench.run(program(bench), scheduler);
    found.add(observe(bench, results));
    const { taken } = scheduler;
    while (taken.length > 0 && taken.at(-1)!.answer + 1 >= taken.at(-1)!.of) taken.pop();
    const last = taken.at(-1);
    path = last && [...taken.slice(0, -1).map(({ answer }) => answer), last.answer + 1];
  }
  return [...found].sort();
}

/** A body from a list of steps; registers are collected by name. */
type Step = (self: Actor, registers: Record<string, number>) => Operation<void>;

function stores(index: number, value: number): (bench: Workbench) => Step {
  return (bench) =>
    function* step(self) {
      yield* self.store(at.store, bench.variable(index), value);
    };
}

function releases(index: number, value: number): (bench: Workbench) => Step {
  return (bench) =>
    function* step(self) {
      yield* self.storeRelease(at.store, bench.variable(index), value);
    };
}

function loads(index: number, register: string): (bench: Workbench) => Step {
  return (bench) =>
    function* step(self, registers) {
      registers[register] = yield* self.readOnce(at.read, bench.variable(index));
    };
}

const fence = (): Step =>
  function* step(self) {
    yield* self.dsb(at.barrier, Domain.InnerStore);
  };
const storeFence = (): Step =>
  function* step(self) {
    yield* self.dmb(at.barrier);
  };

type Thread = readonly ((bench: Workbench) => Step)[];

/** Final registers of two threads on two PEs, under every schedule. */
function litmus(order: StoreOrder, first: Thread, second: Thread): readonly string[] {
  const registers: Record<string, number> = {};
  const body = (bench: Workbench, thread: Thread): Body =>
    function* run(self) {
      for (const make of thread) yield* make(bench)(self, registers);
      return 0;
    };
  return outcomes(
    order,
    (bench) => ({ host0: [body(bench, first)], host1: [body(bench, second)] }),
    () =>
      Object.keys(registers)
        .sort()
        .map((name) => `${name}=${registers[name]}`)
        .join(' '),
  );
}

function allows(
  t: ExecutionContext,
  outcome: string,
  expected: Record<StoreOrder, boolean>,
  first: Thread,
  second: Thread,
): void {
  for (const order of EVERY)
    t.is(litmus(order, first, second).includes(outcome), expected[order], `order ${order}`);
}

test('store buffering: both see the old value unless stores are immediate', (t) => {
  const one = [stores(0, 1), loads(1, 'a')];
  const other = [stores(1, 1), loads(0, 'b')];
  allows(t, 'a=0 b=0', { 0: false, 1: true, 2: true }, one, other);
});

test('store buffering with barriers: one of them sees the new value', (t) => {
  const one = [stores(0, 1), fence, loads(1, 'a')];
  const other = [stores(1, 1), fence, loads(0, 'b')];
  allows(t, 'a=0 b=0', { 0: false, 1: false, 2: false }, one, other);
});

test('message passing: without ordering the flag may be seen before the data', (t) => {
  const other = [loads(1, 'a'), loads(0, 'b')];
  allows(t, 'a=1 b=0', { 0: false, 1: true, 2: false }, [stores(0, 1), stores(1, 1)], other);
});

for (const [what, thread] of Object.entries({
  'a release': [stores(0, 1), releases(1, 1)],
  'a DMB': [stores(0, 1), storeFence, stores(1, 1)],
  'a DSB': [stores(0, 1), fence, stores(1, 1)],
})) {
  test(`message passing with ${what}: whoever sees the flag sees the data`, (t) => {
    const other = [loads(1, 'a'), loads(0, 'b')];
    allows(t, 'a=1 b=0', { 0: false, 1: false, 2: false }, thread, other);
  });
}

test('coherence: two stores to one location are seen in their order', (t) => {
  const other = [loads(0, 'a'), loads(0, 'b')];
  allows(t, 'a=2 b=1', { 0: false, 1: false, 2: false }, [stores(0, 1), stores(0, 2)], other);
});

test('a PE sees its own newest store at once, and nobody else does', (t) => {
  const one = [stores(0, 1), stores(0, 2), loads(0, 'a')];
  for (const order of EVERY) {
    for (const outcome of litmus(order, one, [loads(0, 'b')])) t.regex(outcome, /^a=2 b=[012]$/);
  }
});

test('two writers: the stores of each keep their own order in memory', (t) => {
  // 2+2W: a location may end with each writer's first store only if its stores are reordered
  const run = (order: StoreOrder): readonly string[] =>
    outcomes(
      order,
      (bench) => ({
        host0: [pair(bench, 0, 1, 1, 2)],
        host1: [pair(bench, 1, 1, 0, 2)],
      }),
      (bench) => `x=${bench.load(bench.variable(0))} y=${bench.load(bench.variable(1))}`,
    );
  t.false(run(StoreOrder.Immediate).includes('x=1 y=1'));
  t.true(run(StoreOrder.Location).includes('x=1 y=1'));
  t.false(run(StoreOrder.Queue).includes('x=1 y=1'));
});

function pair(bench: Workbench, first: number, a: number, second: number, b: number): Body {
  return function* body(self) {
    yield* self.store(at.store, bench.variable(first), a);
    yield* self.store(at.store, bench.variable(second), b);
    return 0;
  };
}

test('what is stored under a lock is visible to the next holder', (t) => {
  const locked = (bench: Workbench): Body =>
    function* body(self) {
      yield* self.acquire(at.lock, ONE_LOCK, Mode.Exclusive);
      const old = yield* self.readOnce(at.read, bench.variable(0));
      yield* self.store(at.store, bench.variable(0), old + 1);
      yield* self.release(at.unlock, ONE_LOCK);
      return old;
    };
  for (const order of EVERY) {
    const found = outcomes(
      order,
      (bench) => ({ host0: [locked(bench)], host1: [locked(bench)] }),
      (bench) => String(bench.load(bench.variable(0))),
    );
    t.deepEqual(found, ['2']);
  }
});

test('atomic operations do not lose updates, and a full one is ordered after earlier stores', (t) => {
  const adds = (bench: Workbench): Body =>
    function* body(self) {
      yield* self.store(at.store, bench.variable(1), 1);
      yield* self.compareExchange(at.store, bench.variable(0), 0, 1);
      return 0;
    };
  const looks = (bench: Workbench): Body =>
    function* body(self) {
      const flag = yield* self.readOnce(at.read, bench.variable(0));
      return flag * 2 + (yield* self.readOnce(at.read, bench.variable(1)));
    };
  for (const order of EVERY) {
    const found = outcomes(
      order,
      (bench) => ({ host0: [adds(bench)], host1: [looks(bench)] }),
      (_bench, results) => String(Math.max(...results)),
    );
    t.false(found.includes('2'), `order ${order}`);
  }
});

test('a run ends with every store visible', (t) => {
  const bench = new Workbench({ storeOrder: StoreOrder.Location });
  bench.run({ host0: [pair(bench, 0, 7, 1, 8)] }, new Path([]));
  t.is(bench.load(bench.variable(0)), 7);
  t.is(bench.load(bench.variable(1)), 8);
  t.is(bench.rows(Event.StoreIssue).length, 2);
  t.is(bench.rows(Event.StoreVisible).length, 2);
});

test('on x86 locked operations, entries to the guest and requests to other CPUs wait for stores', (t) => {
  const accesses: Readonly<Record<string, (self: Actor) => Access<number>>> = {
    and: (self) => self.and(at.store, 1, 0),
    lock: (self) => self.acquire(at.lock, 0, Mode.Exclusive),
    enter: (self) => self.enterGuest(at.enter),
    request: (self) => self.tlbi(at.invalidate, Tlbi.FlushAll, Shareability.Inner, 0, 0, 0),
  };
  for (const [name, access] of Object.entries(accesses)) {
    const bench = new Workbench({ storeOrder: StoreOrder.Queue, hardware: x86Hardware });
    function* body(self: Actor): Operation<number> {
      yield* self.store(at.store, bench.word(2, 0), 5);
      yield* access(self);
      return bench.load(bench.word(2, 0));
    }
    t.deepEqual(bench.run({ vcpu0: [body] }, new Path([])), [5], name);
  }
});

test('more stores than slots wait, and none is lost', (t) => {
  const bench = new Workbench({ storeOrder: StoreOrder.Queue });
  function* body(self: Actor): Operation<number> {
    for (let i = 0; i < 12; i += 1) yield* self.store(at.store, bench.word(2, i % 4), i);
    return 0;
  }
  bench.run({ host0: [body] }, new Path([]));
  const seen = bench.rows(Event.StoreVisible).map(({ c }) => c);
  t.deepEqual(seen, [...Array(12).keys()]);
});

// ---- pages ----

test('a new page has its old words until its zeroing is visible, for others only', (t) => {
  const run = (order: StoreOrder): readonly string[] => {
    let seen = -1;
    let isSame = false;
    const program = (bench: Workbench): Program => {
      const frame = bench.takeTable();
      const word = bench.word(frame, 2);
      bench.put(word, 99);
      bench.machine.pages.give(frame);
      return {
        host0: [
          function* owner(self) {
            isSame = (yield* self.allocate(at.allocate, Role.Table, false)) === frame;
            if (isSame) t.is(yield* self.readOnce(at.read, word), 0);
            return 0;
          },
        ],
        host1: [
          function* other(self) {
            yield* self.waitFor(at.wait, bench.variable(0), 0);
            seen = yield* self.readOnce(at.read, word);
            return 0;
          },
        ],
      };
    };
    return outcomes(order, program, (bench) => {
      const rows = bench.rows(Event.Allocate, Event.Read);
      const isAfter = rows[0]?.kind === Event.Allocate;
      return isSame && isAfter ? `saw ${seen}` : 'no reuse';
    });
  };
  t.deepEqual(run(StoreOrder.Immediate), ['no reuse', 'saw 0']);
  const delayed = run(StoreOrder.Location);
  for (const seen of ['no reuse', 'saw 0', 'saw 99']) t.true(delayed.includes(seen), seen);
  // the words may also be hostile ones that no program of this machine wrote
  t.is(delayed.length, 4);
});

// ---- registers ----

test('a register write has its effect by the next context synchronisation, not before it must', (t) => {
  const found = new Set<number>();
  for (const path of [[], [0, 1], [0, 0, 1]]) {
    const bench = new Workbench({ storeOrder: StoreOrder.Location });
    const pe = bench.machine.pes[0]!;
    const before = pe.vttbr;
    function* body(self: Actor): Operation<number> {
      yield* self.writeRegister(at.store, Register.Vttbr, before + 1);
      t.is(self.vttbr, before + 1, 'program order is kept');
      yield* self.tlbi(at.invalidate, Tlbi.Vmalls12e1, Shareability.Inner, 0, 0, 0);
      yield* self.isb(at.barrier);
      t.is(pe.vttbr, before + 1);
      return 0;
    }
    bench.run({ host0: [body] }, new Path(path));
    found.add(bench.rows(Event.InvalidateIssue)[0]!.a >>> 16);
    t.is(bench.rows(Event.RegisterEffect).length, 1);
  }
  // the invalidation may use the old VMID or the new one
  t.deepEqual([...found].sort(), [VMID, VMID + 1]);
});

// ---- early faults ----

function mapThenAccess(synchronises: boolean): readonly string[] {
  return outcomes(
    StoreOrder.Location,
    (bench) => {
      const child = bench.takeTable();
      bench.put(bench.word(bench.hypervisorRoot, 0), table(child));
      const page = leaf(40, READ | WRITE | ACCESSED);
      return {
        host0: [
          function* body(self) {
            yield* self.store(at.store, bench.word(child, 0), page);
            yield* self.dsb(at.barrier, Domain.InnerStore);
            if (synchronises) yield* self.isb(at.barrier);
            return yield* self.hypervisorAccess(at.access, 0, Intent.Read, 0);
          },
        ],
      };
    },
    (_bench, [result = -1]) =>
      result === 0 ? 'works' : faultClass(result) === FaultClass.Translation ? 'faults' : 'other',
  );
}

test('an access after a new entry may still fault without a context synchronisation (R3)', (t) => {
  t.deepEqual(mapThenAccess(false), ['faults', 'works']);
  t.deepEqual(mapThenAccess(true), ['works']);
});

/** The thread of the host stores until its PE has no room; then whoever is ready, vCPUs first. */
class HostFirst implements Scheduler {
  readonly id = 'host first';
  #stores = 0;

  begin(): void {}

  pick(machine: Scheduling): number {
    const ready = [...machine.ready.subarray(0, machine.readyCount)].sort((a, b) => a - b);
    if (this.#stores === STORE_SLOTS || !ready.includes(HOST0)) return ready[0]!;
    this.#stores += 1;
    return HOST0;
  }

  choose(): number {
    return 0;
  }
}

const HOST0 = 2;

for (const order of [StoreOrder.Location, StoreOrder.Queue]) {
  test(`a thread that is parked at a store waits when another one of its PE has filled the slots: ${order}`, (t) => {
    const bench = new Workbench({ storeOrder: order });
    const storesTo = (count: number, first: number): Body =>
      function* body(self) {
        for (let i = 0; i < count; i += 1)
          yield* self.store(at.store, bench.variable(first + i), 1);
        return 0;
      };
    bench.run({ vcpu0: [storesTo(1, 0)], host0: [storesTo(STORE_SLOTS, 1)] }, new HostFirst());
    for (let i = 0; i <= STORE_SLOTS; i += 1) t.is(bench.machine.memory.load(bench.variable(i)), 1);
  });
}
