/**
 * Completion of invalidations: what a barrier waits for, where and when an invalidation arrives,
 * and which walks in flight it has to wait for (spec/arm.md 1.7 B1-B2, 1.5 T5, E7).
 */
import test from 'ava';
import fc from 'fast-check';
import { baseRegister, Domain, Register } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { ACCESSED, Intent, leaf, READ, table, WRITE } from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { walkSites } from '../../sim/hardware.ts';
import { Shareability, Tlbi, ttl } from '../../sim/invalidation.ts';
import { TlbKind } from '../../sim/tlb.ts';
import { at, type Body, Drawn, isReady, Script, VMID, Workbench } from './workbench.ts';

const RIGHTS = READ | WRITE | ACCESSED;
const DATA = 40;

function read(page: number): Body {
  return function* body(self: Actor): Operation<number> {
    return yield* self.guestAccess(at.access, page, Intent.Read, 0);
  };
}

interface Order {
  readonly operation?: Tlbi;
  readonly share?: Shareability;
  readonly page?: number;
  readonly hint?: number;
  readonly domain?: Domain;
}

/** One invalidation and a barrier. */
function invalidate({
  operation = Tlbi.Ipas2e1,
  share = Shareability.Inner,
  page = 0,
  hint = 0,
  domain = Domain.Inner,
}: Order = {}): Body {
  return function* body(self: Actor): Operation<number> {
    yield* self.tlbi(at.invalidate, operation, share, page, hint, 1);
    yield* self.dsb(at.barrier, domain);
    return 0;
  };
}

function speculate(page: number): Body {
  return function* body(self: Actor): Operation<number> {
    yield* self.speculate(at.speculate, page);
    return 0;
  };
}

/** Pages 0 to 3 mapped through one table. */
function mapFour(bench: Workbench): number {
  const child = bench.takeTable();
  for (let page = 0; page < 4; page += 1) {
    bench.put(bench.word(child, page), leaf(DATA + page, RIGHTS));
  }
  bench.put(bench.word(bench.root, 0), table(child));
  return child;
}

function kinds(bench: Workbench, pe = 0): number[] {
  const { tlb } = bench.machine.pes[pe]!;
  return [...tlb.kind.subarray(0, tlb.count)];
}

const NO_CACHE: readonly [number, number][] = [
  [walkSites.cacheTable, 1],
  [walkSites.cacheLeaf, 1],
  [walkSites.cacheCombined, 1],
];

// ---- arrival and barrier ----

test('a full barrier waits until the invalidation has arrived', (t) => {
  const bench = new Workbench();
  mapFour(bench);
  const script = new Script(bench, [
    'vcpu0*4',
    'host1',
    (machine) => t.false(isReady(machine, 'host1')),
    () => t.true(kinds(bench).includes(TlbKind.Leaf)),
    'tlbi@0',
    () => t.deepEqual(kinds(bench), [TlbKind.Combined]),
    'host1',
  ]);
  bench.run({ vcpu0: [read(0), read(0)], host1: [invalidate()] }, script);
  t.is(script.left, 0);
  t.is(bench.rows(Event.InvalidateArrive).length, 1);
});

test('a store barrier does not complete an invalidation', (t) => {
  const bench = new Workbench();
  mapFour(bench);
  const script = new Script(bench, [
    'vcpu0*4',
    'host1*2',
    () => t.true(kinds(bench).includes(TlbKind.Leaf)),
    'tlbi@0',
  ]);
  bench.run(
    { vcpu0: [read(0), read(0)], host1: [invalidate({ domain: Domain.InnerStore })] },
    script,
  );
  t.is(script.left, 0);
});

test('an invalidation that finds nothing to remove is complete at once', (t) => {
  const bench = new Workbench();
  mapFour(bench);
  const script = new Script(bench, ['vcpu0*4', 'host1*2']);
  bench.run({ vcpu0: [read(0)], host1: [invalidate({ page: 9 })] }, script);
  t.is(script.left, 0);
  t.is(bench.rows(Event.InvalidateArrive).length, 0);
});

test('a barrier waits for every PE that has something to remove', (t) => {
  const bench = new Workbench();
  mapFour(bench);
  const script = new Script(bench, [
    'vcpu0*4',
    'vcpu1*4',
    'host1',
    'tlbi@0',
    (machine) => t.false(isReady(machine, 'host1')),
    'tlbi@1',
    (machine) => t.true(isReady(machine, 'host1')),
    'host1',
  ]);
  bench.run({ vcpu0: [read(0)], vcpu1: [read(0)], host1: [invalidate()] }, script);
  t.is(script.left, 0);
});

test('a local invalidation leaves the other PE alone', (t) => {
  const bench = new Workbench();
  mapFour(bench);
  const script = new Script(bench, ['vcpu0*4', 'vcpu1*4', 'host1', 'tlbi@1', 'host1']);
  const order = { operation: Tlbi.Vmalls12e1, share: Shareability.Local, domain: Domain.Local };
  bench.run({ vcpu0: [read(0)], vcpu1: [read(0)], host1: [invalidate(order)] }, script);
  t.is(script.left, 0);
  t.deepEqual(kinds(bench, 1), []);
  t.is(kinds(bench, 0).length, 3);
});

test('a local barrier does not complete what was sent to other PEs (B1)', (t) => {
  const bench = new Workbench();
  mapFour(bench);
  const order = { operation: Tlbi.Vmalls12e1, domain: Domain.Local };
  const script = new Script(bench, [
    'vcpu0*4',
    'vcpu1*4',
    'host1',
    (machine) => t.false(isReady(machine, 'host1')),
    'tlbi@1',
    (machine) => t.true(isReady(machine, 'tlbi@0')),
    'host1',
  ]);
  bench.run({ vcpu0: [read(0)], vcpu1: [read(0)], host1: [invalidate(order)] }, script);
  t.is(script.left, 0);
});

test('an invalidation carries the VMID of its PE at issue', (t) => {
  const bench = new Workbench();
  mapFour(bench);
  const other = baseRegister(bench.root, VMID + 1);
  function* wrong(self: Actor): Operation<number> {
    yield* self.writeRegister(at.store, Register.Vttbr, other);
    yield* self.tlbi(at.invalidate, Tlbi.Vmalls12e1, Shareability.Inner, 0, 0, 1);
    yield* self.writeRegister(at.store, Register.Vttbr, baseRegister(bench.root, VMID));
    yield* self.dsb(at.barrier, Domain.Inner);
    return 0;
  }
  const script = new Script(bench, ['vcpu0*4', 'host1*4']);
  bench.run({ vcpu0: [read(0)], host1: [wrong] }, script);
  t.is(kinds(bench).length, 3);
});

test('an invalidation that is on its way keeps the VMID it was issued with', (t) => {
  const bench = new Workbench();
  mapFour(bench);
  function* body(self: Actor): Operation<number> {
    yield* self.tlbi(at.invalidate, Tlbi.Vmalls12e1, Shareability.Inner, 0, 0, 1);
    yield* self.writeRegister(at.store, Register.Vttbr, baseRegister(bench.root, VMID + 1));
    yield* self.dsb(at.barrier, Domain.Inner);
    return 0;
  }
  const script = new Script(bench, ['vcpu0*4', 'host1*2', 'tlbi@0', 'host1']);
  bench.run({ vcpu0: [read(0)], host1: [body] }, script);
  t.deepEqual(kinds(bench), []);
});

test('invalidations of two actors on one PE are waited for together', (t) => {
  const bench = new Workbench();
  mapFour(bench);
  function* issue(self: Actor): Operation<number> {
    yield* self.tlbi(at.invalidate, Tlbi.Ipas2e1, Shareability.Inner, 1, 0, 1);
    return 0;
  }
  function* barrier(self: Actor): Operation<number> {
    yield* self.readOnce(at.read, bench.variable(0));
    yield* self.dsb(at.barrier, Domain.Inner);
    return 0;
  }
  const script = new Script(bench, [
    'vcpu0*7',
    'host1',
    'vcpu1',
    (machine) => t.false(isReady(machine, 'vcpu1')),
    'tlbi@0',
    'vcpu1',
  ]);
  bench.run({ vcpu0: [read(0), read(1), read(2)], host1: [issue], vcpu1: [barrier] }, script);
  t.is(script.left, 0);
});

// ---- walks in flight ----

test('an arrival waits for a walk that holds the table it must remove (T5)', (t) => {
  const bench = new Workbench();
  mapFour(bench);
  const script = new Script(
    bench,
    [
      'vcpu0*2', // the table's name is held, and in no TLB
      'host1',
      (machine) => t.false(isReady(machine, 'host1') || isReady(machine, 'tlbi@0')),
      'vcpu0', // the leaf is held now: it must go as well
      (machine) => t.false(isReady(machine, 'host1') || isReady(machine, 'tlbi@0')),
      'vcpu0', // the access is made
      (machine) => t.true(isReady(machine, 'tlbi@0')),
      'tlbi@0',
      'host1',
    ],
    NO_CACHE,
  );
  bench.run({ vcpu0: [read(0), read(9)], host1: [invalidate()] }, script);
  t.is(script.left, 0);
  t.deepEqual(
    bench.rows(Event.Use).map((row) => row.b),
    [DATA],
  );
});

test('an arrival does not wait for a walk that holds what it need not remove', (t) => {
  const need: readonly Order[] = [
    { page: 9 },
    { operation: Tlbi.Ipas2le1 },
    { operation: Tlbi.Vmalle1 },
    { hint: ttl(12, 2) },
    { operation: Tlbi.Alle2 },
  ];
  for (const order of need) {
    const bench = new Workbench();
    mapFour(bench);
    const script = new Script(bench, ['vcpu0*2', 'host1*2', 'vcpu0*2'], NO_CACHE);
    bench.run({ vcpu0: [read(0)], host1: [invalidate(order)] }, script);
    t.is(script.left, 0);
    t.is(bench.rows(Event.InvalidateArrive).length, 0);
  }
});

test('a walk that holds a leaf holds up each operation that removes what it would fill', (t) => {
  const orders: readonly Order[] = [
    {},
    { operation: Tlbi.Ipas2le1 },
    { operation: Tlbi.Vmalle1 },
    { operation: Tlbi.Vmalls12e1 },
    { operation: Tlbi.Alle1 },
    { hint: ttl(12, 3) },
  ];
  for (const order of orders) {
    const bench = new Workbench();
    mapFour(bench);
    const script = new Script(
      bench,
      [
        'vcpu0*3',
        'host1',
        (machine) => t.false(isReady(machine, 'host1') || isReady(machine, 'tlbi@0')),
        'vcpu0',
        'tlbi@0',
        'host1',
      ],
      NO_CACHE,
    );
    bench.run({ vcpu0: [read(0), read(9)], host1: [invalidate(order)] }, script);
    t.is(script.left, 0);
  }
});

test('a speculative walk in flight is waited for like any other (T5)', (t) => {
  const bench = new Workbench();
  mapFour(bench);
  const script = new Script(
    bench,
    [
      'vcpu0',
      'pe0*2',
      'vcpu0*2',
      'host1',
      (machine) => t.false(isReady(machine, 'tlbi@0')),
      'pe0',
      'tlbi@0',
      'host1',
    ],
    NO_CACHE,
  );
  function* faulting(self: Actor): Operation<number> {
    yield* self.guestAccess(at.access, 9, Intent.Read, 0);
    yield* self.readOnce(at.read, bench.variable(0));
    return 0;
  }
  bench.run({ vcpu0: [faulting], pe0: [speculate(0)], host1: [invalidate()] }, script);
  t.is(script.left, 0);
});

test('a full barrier drains the walks of its own PE, a store barrier does not', (t) => {
  for (const domain of [Domain.Inner, Domain.Local, Domain.InnerStore, Domain.LocalStore]) {
    const bench = new Workbench();
    mapFour(bench);
    function* barrier(self: Actor): Operation<number> {
      yield* self.dsb(at.barrier, domain);
      return 0;
    }
    const isFull = domain === Domain.Inner || domain === Domain.Local;
    const script = new Script(bench, [
      (machine) => t.true(isReady(machine, 'host0')),
      'vcpu0*2',
      (machine) => t.is(isReady(machine, 'host0'), !isFull),
      // the barrier of the other PE does not care
      (machine) => t.true(isReady(machine, 'host1')),
      'vcpu0*2',
      (machine) => t.true(isReady(machine, 'host0')),
    ]);
    bench.run({ vcpu0: [read(0)], host0: [barrier], host1: [barrier] }, script);
    t.is(script.left, 0);
  }
});

test('a walk that must read its leaf again still holds the table it came through (T5)', (t) => {
  const bench = new Workbench();
  const child = bench.takeTable();
  bench.put(bench.word(child, 0), leaf(DATA, READ | WRITE));
  bench.put(bench.word(bench.root, 0), table(child));
  function* unlink(self: Actor): Operation<number> {
    yield* self.store(at.store, bench.word(child, 0), 0);
    yield* self.store(at.store, bench.word(bench.root, 0), 0);
    yield* self.tlbi(at.invalidate, Tlbi.Ipas2e1, Shareability.Inner, 0, 0, 1);
    yield* self.dsb(at.barrier, Domain.Inner);
    yield* self.free(at.free, child);
    return 0;
  }
  const script = new Script(
    bench,
    [
      'vcpu0*3', // an old leaf was read: the walker is about to set its flag
      'host1*3',
      'vcpu0', // the leaf has changed: back to its table
      (machine) => t.false(isReady(machine, 'tlbi@0') || isReady(machine, 'host1')),
      'vcpu0', // and finds it invalid
      'tlbi@0',
      'host1*2',
    ],
    NO_CACHE,
  );
  bench.run({ vcpu0: [read(0), read(9)], host1: [unlink] }, script);
  t.is(script.left, 0);
  t.is(bench.rows(Event.CompareFailed).length, 1);
  t.is(bench.rows(Event.WalkFreed).length, 0);
});

test('a table page is never walked after the full unlink sequence, in any schedule', (t) => {
  const numbers = fc.array(fc.nat(1000), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(numbers, (drawn) => {
      const bench = new Workbench();
      const child = mapFour(bench);
      function* unlink(self: Actor): Operation<number> {
        yield* self.store(at.store, bench.word(bench.root, 0), 0);
        yield* self.dsb(at.barrier, Domain.InnerStore);
        yield* self.tlbi(at.invalidate, Tlbi.Ipas2e1, Shareability.Inner, 0, 0, 1);
        yield* self.dsb(at.barrier, Domain.Inner);
        yield* self.free(at.free, child);
        return 0;
      }
      bench.run(
        {
          vcpu0: [read(0), read(1), read(2)],
          vcpu1: [read(3), read(0)],
          host1: [unlink],
          pe0: [speculate(1), speculate(3)],
        },
        new Drawn(drawn),
      );
      return bench.rows(Event.WalkFreed).length === 0 && bench.machine.finished;
    }),
    { numRuns: 150 },
  );
  t.pass();
});

test('without the barrier before the free some schedule walks the freed table', (t) => {
  const bench = new Workbench();
  const child = mapFour(bench);
  function* unlink(self: Actor): Operation<number> {
    yield* self.store(at.store, bench.word(bench.root, 0), 0);
    yield* self.tlbi(at.invalidate, Tlbi.Ipas2e1, Shareability.Inner, 0, 0, 1);
    yield* self.free(at.free, child);
    yield* self.dsb(at.barrier, Domain.Inner);
    return 0;
  }
  const script = new Script(bench, ['vcpu0*2', 'host1*3', 'vcpu0']);
  bench.run({ vcpu0: [read(0)], host1: [unlink] }, script);
  t.is(bench.rows(Event.WalkFreed).length, 1);
});

test('a hint of the level of the table itself leaves the table cached (E3)', (t) => {
  const bench = new Workbench();
  const child = mapFour(bench);
  function* unlink(self: Actor): Operation<number> {
    yield* self.store(at.store, bench.word(bench.root, 0), 0);
    yield* self.tlbi(at.invalidate, Tlbi.Ipas2e1, Shareability.Inner, 0, ttl(12, 2), 1);
    yield* self.dsb(at.barrier, Domain.Inner);
    yield* self.free(at.free, child);
    return 0;
  }
  // the walk of page 1 starts at the table that is still cached
  const script = new Script(bench, ['vcpu0*4', 'host1*4', 'vcpu0*2']);
  bench.run({ vcpu0: [read(0), read(1)], host1: [unlink] }, script);
  t.is(bench.rows(Event.WalkFreed).length, 1);
});

test('stage 1 first rebuilds a combined entry from the stage-2 leaf that is still cached', (t) => {
  const both = (first: Tlbi, second: Tlbi): Body =>
    function* body(self: Actor): Operation<number> {
      for (const operation of [first, second]) {
        yield* self.tlbi(at.invalidate, operation, Shareability.Inner, 0, 0, 1);
        yield* self.dsb(at.barrier, Domain.Inner);
      }
      return 0;
    };
  const remains = (first: Tlbi, second: Tlbi): number[] => {
    const bench = new Workbench();
    const child = mapFour(bench);
    function* clear(self: Actor): Operation<number> {
      yield* self.store(at.store, bench.word(child, 0), 0);
      return 0;
    }
    // the guest reads once more between the two invalidations
    const script = new Script(bench, ['vcpu0*4', 'host1*2', 'tlbi@0', 'host1', 'vcpu0']);
    bench.run({ vcpu0: [read(0), read(0), read(9)], host1: [clear, both(first, second)] }, script);
    t.is(script.left, 0);
    return kinds(bench).filter((kind) => kind === TlbKind.Combined || kind === TlbKind.Leaf);
  };
  t.deepEqual(remains(Tlbi.Ipas2e1, Tlbi.Vmalle1), []);
  t.deepEqual(remains(Tlbi.Vmalle1, Tlbi.Ipas2e1), [TlbKind.Combined]);
});
