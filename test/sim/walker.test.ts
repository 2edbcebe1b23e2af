/**
 * The hardware walker, one read per event: what it caches, the accessed flag, faults, speculation,
 * eviction (spec/arm.md 1.4, 1.5, 1.9), and its result against a naive translation of memory.
 */
import test from 'ava';
import fc from 'fast-check';
import { baseRegister, FaultClass, fault } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import {
  ACCESSED,
  DIRTY_MODIFIER,
  frameOf,
  Intent,
  leaf,
  permits,
  READ,
  table,
  WRITE,
} from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import type { Geometry } from '../../sim/geometry.ts';
import { choiceSites, walkSites } from '../../sim/hardware.ts';
import { TlbKind } from '../../sim/tlb.ts';
import { type Translation, translate } from '../reference/tables.ts';
import { at, type Body, Drawn, isReady, Script, TOY, VMID, Workbench } from './workbench.ts';

const RIGHTS = READ | WRITE;
const DATA = 40;

function access(page: number, intent: Intent = Intent.Read, value = 1): Body {
  return function* body(self: Actor): Operation<number> {
    return yield* self.guestAccess(at.access, page, intent, value);
  };
}

function store(word: number, value: number): Body {
  return function* body(self: Actor): Operation<number> {
    yield* self.store(at.store, word, value);
    return 0;
  };
}

/** A table page for pages 0 to 3; the word of page 0. */
function mapFirst(bench: Workbench, word = leaf(DATA, RIGHTS | ACCESSED)): number {
  const child = bench.takeTable();
  bench.put(bench.word(child, 0), word);
  bench.put(bench.word(bench.root, 0), table(child));
  return bench.word(child, 0);
}

function kinds(bench: Workbench, pe = 0): number[] {
  const { tlb } = bench.machine.pes[pe]!;
  return [...tlb.kind.subarray(0, tlb.count)];
}

// ---- a walk ----

test('a walk reads one descriptor per event and then makes the access', (t) => {
  const bench = new Workbench();
  mapFirst(bench);
  t.deepEqual(bench.run({ vcpu0: [access(0)] }, new Script(bench, ['vcpu0*4'])), [0]);
  t.is(bench.machine.events, 4);
  // the walker's reads are no steps of the program
  t.is(bench.machine.steps, 2);
  const reads = bench.rows(Event.WalkRead).map((row) => [row.site, row.c]);
  t.deepEqual(reads, [
    [walkSites.level2, 2],
    [walkSites.level3, 3],
  ]);
  t.is(bench.rows(Event.Use)[0]!.b, DATA);
});

test('a walk caches the table, the leaf and the combined translation by default', (t) => {
  const bench = new Workbench();
  mapFirst(bench);
  bench.run({ vcpu0: [access(0)] }, new Script(bench, []));
  t.deepEqual(kinds(bench), [TlbKind.Table, TlbKind.Leaf, TlbKind.Combined]);
  t.deepEqual(kinds(bench, 1), []);
});

test('whether a walk caches anything is three choices', (t) => {
  const { cacheTable, cacheLeaf, cacheCombined } = walkSites;
  const rows: readonly (readonly [number, number[]])[] = [
    [cacheTable, [TlbKind.Leaf, TlbKind.Combined]],
    [cacheLeaf, [TlbKind.Table, TlbKind.Combined]],
    [cacheCombined, [TlbKind.Table, TlbKind.Leaf]],
  ];
  for (const [site, left] of rows) {
    const bench = new Workbench();
    mapFirst(bench);
    bench.run({ vcpu0: [access(0)] }, new Script(bench, [], [[site, 1]]));
    t.deepEqual(kinds(bench), left);
  }
});

test('a cached translation is used without a walk, in one event', (t) => {
  const bench = new Workbench();
  mapFirst(bench);
  bench.run({ vcpu0: [access(0), access(0, Intent.Write)] }, new Script(bench, []));
  t.is(bench.rows(Event.WalkStart).length, 1);
  t.is(bench.machine.events, 5);
  t.is(bench.load(bench.word(DATA, 0)), 1);
});

test('a walk for a neighbour starts at the table that is cached', (t) => {
  const bench = new Workbench();
  const word = mapFirst(bench);
  bench.put(word + 1, leaf(DATA + 5, READ | ACCESSED));
  bench.run({ vcpu0: [access(0), access(1)] }, new Script(bench, []));
  const reads = bench.rows(Event.WalkRead).map((row) => [row.c, row.d]);
  t.deepEqual(reads, [
    [2, 0],
    [3, 0],
    [3, 1],
  ]);
});

test('a block translates each of its pages to the frame beside', (t) => {
  const bench = new Workbench();
  bench.put(bench.word(bench.root, 1), leaf(DATA, RIGHTS | ACCESSED));
  bench.run({ vcpu0: [access(7), access(4), access(6)] }, new Script(bench, []));
  t.deepEqual(
    bench.rows(Event.Use).map((row) => row.b),
    [DATA + 3, DATA, DATA + 2],
  );
  t.is(bench.rows(Event.WalkStart).length, 1);
});

test('the second root page translates the second half of the input', (t) => {
  const bench = new Workbench({ geometry: { ...TOY, rootPages: 2, windowPages: 32 } });
  bench.put(bench.word(bench.root + 1, 3), leaf(DATA, RIGHTS | ACCESSED));
  t.deepEqual(bench.run({ vcpu0: [access(29)] }, new Script(bench, [])), [0]);
  t.is(bench.rows(Event.Use)[0]!.b, DATA + 1);
});

test('a translation fault names its level and is not cached', (t) => {
  const bench = new Workbench();
  const word = mapFirst(bench, 0);
  const results = bench.run(
    { vcpu0: [access(4), access(0), access(0)], host0: [store(word, leaf(DATA, READ | ACCESSED))] },
    new Script(bench, ['vcpu0*5', 'host0']),
  );
  t.deepEqual(results, [fault(FaultClass.Translation, 2), fault(FaultClass.Translation, 3), 0, 0]);
});

test('a permission fault comes from memory or from the TLB, and the leaf may be cached', (t) => {
  const bench = new Workbench();
  mapFirst(bench, leaf(DATA, READ | ACCESSED));
  const write = access(0, Intent.Write, 9);
  const denied = fault(FaultClass.Permission, 3);
  t.deepEqual(bench.run({ vcpu0: [write, write] }, new Script(bench, [])), [denied, denied]);
  t.is(bench.rows(Event.WalkStart).length, 1);
  t.is(bench.load(bench.word(DATA, 0)), 0);
});

test('a successful access leaves the PE in the guest, and a fault takes it out', (t) => {
  const bench = new Workbench();
  mapFirst(bench);
  const script = new Script(bench, [
    'vcpu0*4',
    (machine) => t.true(machine.pes[0]!.guest),
    'host1',
  ]);
  bench.run({ vcpu0: [access(0)], host1: [store(bench.variable(0), 1)] }, script);
  t.is(script.left, 0);
  t.true(bench.machine.pes[0]!.guest);
  bench.reset();
  bench.run({ vcpu0: [access(4)] }, new Script(bench, []));
  t.false(bench.machine.pes[0]!.guest);
});

test('a vCPU that leaves takes its PE out of the guest, once the walks there have ended', (t) => {
  const bench = new Workbench();
  mapFirst(bench);
  function* leave(self: Actor): Operation<number> {
    yield* self.leaveGuest(at.leave);
    return 0;
  }
  const script = new Script(bench, [
    'vcpu0',
    'pe0',
    'vcpu0*3',
    (machine) => t.false(isReady(machine, 'vcpu0')),
    'pe0',
    'vcpu0',
  ]);
  bench.run({ vcpu0: [access(0), leave], pe0: [speculate(8)] }, script);
  t.is(script.left, 0);
  t.is(bench.rows(Event.GuestExit).length, 1);
  t.false(bench.machine.pes[0]!.guest);
});

test('an entry of another VMID is not used, and the walk goes through the new root', (t) => {
  const bench = new Workbench();
  mapFirst(bench);
  const other = bench.takeTable();
  bench.put(bench.word(other, 0), leaf(DATA + 8, RIGHTS | ACCESSED));
  function* change(self: Actor): Operation<number> {
    yield* self.writeRegister(at.store, 1, baseRegister(other, VMID + 1));
    return 0;
  }
  bench.run({ vcpu0: [access(0), change, access(0)] }, new Script(bench, []));
  t.deepEqual(
    bench.rows(Event.Use).map((row) => row.b),
    [DATA, DATA + 8],
  );
});

test("the hypervisor's own access goes through its own table", (t) => {
  const bench = new Workbench();
  mapFirst(bench);
  bench.put(bench.word(bench.hypervisorRoot, 0), leaf(DATA + 4, RIGHTS | ACCESSED));
  function* body(self: Actor): Operation<number> {
    return yield* self.hypervisorAccess(at.access, 2, Intent.Write, 3);
  }
  t.deepEqual(bench.run({ host0: [body] }, new Script(bench, [])), [0]);
  t.is(bench.load(bench.word(DATA + 6, 0)), 3);
  t.deepEqual(kinds(bench), [TlbKind.Leaf2]);
  t.false(bench.machine.pes[0]!.guest);
});

// ---- accessed flag ----

test('without hardware updates an old leaf faults and is not cached', (t) => {
  const bench = new Workbench({ hardwareAccessed: false });
  const word = mapFirst(bench, leaf(DATA, RIGHTS));
  const results = bench.run({ vcpu0: [access(0)] }, new Script(bench, []));
  t.deepEqual(results, [fault(FaultClass.AccessFlag, 3)]);
  t.deepEqual(kinds(bench), [TlbKind.Table]);
  t.is(bench.load(word), leaf(DATA, RIGHTS));
});

test('with hardware updates the walker sets the flag in an event of its own', (t) => {
  const bench = new Workbench();
  const word = mapFirst(bench, leaf(DATA, RIGHTS));
  const script = new Script(bench, [
    'vcpu0*3',
    () => t.is(bench.load(word), leaf(DATA, RIGHTS)),
    'vcpu0',
    () => t.is(bench.load(word), leaf(DATA, RIGHTS | ACCESSED)),
  ]);
  t.deepEqual(bench.run({ vcpu0: [access(0)] }, script), [0]);
  t.is(script.left, 0);
  t.is(bench.machine.tables.trees[0]!.entries[0], leaf(DATA, RIGHTS | ACCESSED));
  // what is cached is the descriptor as the walker left it
  const { tlb } = bench.machine.pes[0]!;
  const cached = tlb.find(TlbKind.Leaf, VMID, 0, 0);
  t.is(tlb.word[cached], leaf(DATA, RIGHTS | ACCESSED));
  t.is(tlb.instance[cached], bench.machine.memory.instance(word));
});

test('the update never brings back a descriptor that was made invalid meanwhile', (t) => {
  const bench = new Workbench();
  const word = mapFirst(bench, leaf(DATA, RIGHTS));
  const results = bench.run(
    { vcpu0: [access(0)], host1: [store(word, 0)] },
    new Script(bench, ['vcpu0*3', 'host1', 'vcpu0*2']),
  );
  t.deepEqual(results, [0, fault(FaultClass.Translation, 3)]);
  t.is(bench.load(word), 0);
  t.is(bench.rows(Event.CompareFailed).length, 1);
  t.deepEqual(kinds(bench), [TlbKind.Table]);
});

test('a descriptor that changed before the update is read again and used as it is now', (t) => {
  const bench = new Workbench();
  const word = mapFirst(bench, leaf(DATA, RIGHTS));
  const next = leaf(DATA + 7, READ);
  const results = bench.run(
    { vcpu0: [access(0)], host1: [store(word, next)] },
    new Script(bench, ['vcpu0*3', 'host1', 'vcpu0*4']),
  );
  t.deepEqual(results, [0, 0]);
  t.is(bench.load(word), next | ACCESSED);
  t.is(bench.rows(Event.Use)[0]!.b, DATA + 7);
});

test('a plain store over a leaf may lose the flag that the walker set', (t) => {
  const bench = new Workbench();
  const old = leaf(DATA, RIGHTS);
  const word = mapFirst(bench, old);
  function* protect(self: Actor): Operation<number> {
    const seen = yield* self.readOnce(at.read, word);
    yield* self.store(at.store, word, seen & ~WRITE);
    return 0;
  }
  const script = new Script(bench, ['vcpu0*3', 'host1', 'vcpu0*2', 'host1']);
  bench.run({ vcpu0: [access(0)], host1: [protect] }, script);
  t.is(bench.load(word), leaf(DATA, READ));
});

// ---- what hardware does by itself ----

function speculate(page: number): Body {
  return function* body(self: Actor): Operation<number> {
    yield* self.speculate(at.speculate, page);
    return 0;
  };
}

function evict(page: number): Body {
  return function* body(self: Actor): Operation<number> {
    yield* self.evict(at.evict, page);
    return 0;
  };
}

test('a speculative walk starts only while its PE executes the guest (E8)', (t) => {
  const bench = new Workbench();
  mapFirst(bench);
  function* body(self: Actor): Operation<number> {
    yield* self.readOnce(at.read, bench.variable(0));
    const result = yield* self.guestAccess(at.access, 1, Intent.Read, 0);
    yield* self.readOnce(at.read, bench.variable(0));
    return result;
  }
  const script = new Script(bench, [
    (machine) => t.false(isReady(machine, 'pe0')),
    'vcpu0', // the next access is one of the guest
    (machine) => t.true(isReady(machine, 'pe0')),
    'vcpu0*3', // the fault ends the guest phase
    (machine) => t.false(isReady(machine, 'pe0')),
    'vcpu0',
  ]);
  bench.run({ vcpu0: [body], pe0: [speculate(0)], pe1: [speculate(0)] }, script);
  t.is(script.left, 0);
  t.is(bench.rows(Event.WalkStart).length, 1);
  t.true(bench.machine.finished);
});

test('a speculative walk that has started goes on after the guest has left', (t) => {
  const bench = new Workbench();
  mapFirst(bench);
  const script = new Script(bench, [
    'vcpu0',
    'pe0*2',
    'vcpu0*2',
    (machine) => t.false(machine.pes[0]!.guest),
    'pe0',
  ]);
  function* body(self: Actor): Operation<number> {
    const result = yield* self.guestAccess(at.access, 1, Intent.Read, 0);
    yield* self.readOnce(at.read, bench.variable(0));
    return result;
  }
  bench.run({ vcpu0: [body], pe0: [speculate(0)] }, script);
  t.is(script.left, 0);
  t.true(kinds(bench).includes(TlbKind.Leaf));
});

test('a speculative walk fills the TLB, reports nothing and makes no access', (t) => {
  const bench = new Workbench();
  mapFirst(bench);
  const script = new Script(bench, ['vcpu0', 'pe0*3']);
  bench.run({ vcpu0: [access(8)], pe0: [speculate(0), speculate(4)] }, script);
  t.deepEqual(kinds(bench), [TlbKind.Table, TlbKind.Leaf, TlbKind.Combined]);
  t.is(bench.rows(Event.Use).length, 0);
  t.deepEqual(
    bench.rows(Event.Fault).map((row) => row.actor),
    [0],
  );
});

test('whether speculation sets an accessed flag is a choice', (t) => {
  for (const answer of [0, 1]) {
    const bench = new Workbench();
    const word = mapFirst(bench, leaf(DATA, RIGHTS));
    const choices: [number, number][] = [[walkSites.speculativeAccess, answer]];
    bench.run(
      { vcpu0: [access(8)], pe0: [speculate(0)] },
      new Script(bench, ['vcpu0', 'pe0*3', ...(answer === 0 ? ['pe0'] : [])], choices),
    );
    t.is((bench.load(word) & ACCESSED) !== 0, answer === 0);
    t.is(kinds(bench).includes(TlbKind.Leaf), answer === 0);
  }
});

test('an eviction waits for an entry of its page and drops one', (t) => {
  const bench = new Workbench();
  mapFirst(bench);
  const script = new Script(
    bench,
    [
      (machine) => t.false(isReady(machine, 'pe0')),
      'vcpu0*3',
      (machine) => t.true(isReady(machine, 'pe0')),
      'pe0',
      () => t.deepEqual(kinds(bench), []),
    ],
    [
      [walkSites.cacheTable, 1],
      [walkSites.cacheLeaf, 1],
    ],
  );
  bench.run({ vcpu0: [access(0), access(0)], pe0: [evict(0)] }, script);
  t.is(script.left, 0);
  t.is(bench.rows(Event.TlbDrop).length, 1);
  // the second access has to walk again
  t.is(bench.rows(Event.WalkStart).length, 2);
});

test('any entry of the page may be the one that is evicted', (t) => {
  const all = [TlbKind.Table, TlbKind.Leaf, TlbKind.Combined];
  all.forEach((evicted, answer) => {
    const bench = new Workbench();
    mapFirst(bench);
    const choices: [number, number][] = [[choiceSites.evictOther, answer]];
    bench.run(
      { vcpu0: [access(0)], pe0: [evict(0)] },
      new Script(bench, ['vcpu0*3', 'pe0'], choices),
    );
    t.deepEqual(
      kinds(bench),
      all.filter((kind) => kind !== evicted),
    );
  });
});

test('an eviction of a page that no entry covers never happens, and holds nobody up', (t) => {
  const bench = new Workbench();
  mapFirst(bench);
  bench.run({ vcpu0: [access(0)], pe0: [evict(9)], pe1: [evict(0)] }, new Script(bench, []));
  t.is(bench.rows(Event.TlbDrop).length, 0);
  t.true(bench.machine.finished);
});

test('of two leaves for one page the machine may use either (E5)', (t) => {
  for (const answer of [0, 1]) {
    const bench = new Workbench();
    const word = mapFirst(bench);
    // an entry stays while its descriptor is replaced without a break, and speculation adds another
    const choices: [number, number][] = [[walkSites.useOther, answer]];
    const script = new Script(bench, ['vcpu0*4', 'host1', 'pe0*2'], choices);
    bench.run(
      {
        vcpu0: [access(0), access(0)],
        host1: [store(word, leaf(DATA + 9, RIGHTS | ACCESSED))],
        pe0: [speculate(0)],
      },
      script,
    );
    t.deepEqual(
      bench.rows(Event.Use).map((row) => row.b),
      [DATA, answer === 0 ? DATA : DATA + 9],
    );
  }
});

test('a walk that goes through a freed page is told, with what the page holds now', (t) => {
  const bench = new Workbench();
  const word = mapFirst(bench);
  const child = bench.machine.memory.frame(word);
  function* free(self: Actor): Operation<number> {
    yield* self.free(at.free, child);
    return 0;
  }
  const script = new Script(bench, ['vcpu0*2', 'host1', 'vcpu0*2']);
  t.deepEqual(bench.run({ vcpu0: [access(0)], host1: [free] }, script), [0, 0]);
  t.deepEqual(
    bench.rows(Event.WalkFreed).map((row) => row.b),
    [child],
  );
});

// ---- against a naive translation ----

const DEEP: Geometry = { ...TOY, startLevel: 1, rootPages: 2, windowPages: 128 };

/** A word of any form: tables and leaves inside the machine and outside, reserved forms, anything. */
const anyWord = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 8, max: 30 }).map(table) },
  {
    weight: 5,
    arbitrary: fc
      .tuple(fc.integer({ min: 8, max: 70 }), fc.nat(0xfff))
      .map(([frame, bits]) => leaf(frame, bits & ~2)),
  },
  { weight: 1, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer() },
);

const TABLE_FRAMES = 24;
const picture = fc.record({
  geometry: fc.constantFrom(TOY, { ...TOY, blockLevels: [] }, DEEP, { ...DEEP, blockLevels: [1] }),
  words: fc.array(anyWord, { minLength: TABLE_FRAMES * 4, maxLength: TABLE_FRAMES * 4 }),
  page: fc.nat(127),
  intent: fc.constantFrom(Intent.Read, Intent.Write, Intent.Execute),
  isGuest: fc.boolean(),
  hardwareAccessed: fc.boolean(),
  choices: fc.array(fc.nat(5), { minLength: 1, maxLength: 12 }),
});

function paint(bench: Workbench, words: readonly number[], root: number): void {
  // the words lie in all pages that a walk can reach; the map of the machine is not asked
  words.forEach((word, i) => {
    bench.machine.memory.store(bench.word(8 + (i >>> 2), i & 3), word, i + 1);
  });
  words.slice(0, 8).forEach((word, i) => {
    bench.machine.memory.store(bench.word(root + (i >>> 2), i & 3), word, 1000 + i);
  });
}

/** What a lone access must report, given the translation that memory shows. */
function expectedResult(found: Translation, intent: Intent): number {
  if (found.kind === 'page') {
    return permits(found.word, intent) ? 0 : fault(FaultClass.Permission, found.level);
  }
  const cause = found.cause === 'translation' ? FaultClass.Translation : FaultClass.AccessFlag;
  return fault(cause, found.level);
}

test('a lone walk finds what a naive reading of memory finds', (t) => {
  fc.assert(
    fc.property(picture, (drawn) => {
      const { geometry, words, intent, isGuest, hardwareAccessed } = drawn;
      const page = drawn.page % geometry.windowPages;
      const bench = new Workbench({ geometry, hardwareAccessed });
      const { memory } = bench.machine;
      const root = isGuest ? bench.root : bench.hypervisorRoot;
      // nothing is linked, so the walker alone gives the words their meaning
      bench.machine.tables.uproot(0);
      bench.machine.tables.uproot(1);
      paint(bench, words, root);
      const found = translate(memory, geometry, root, page, hardwareAccessed);
      function* body(self: Actor): Operation<number> {
        return isGuest
          ? yield* self.guestAccess(at.access, page, intent, 7)
          : yield* self.hypervisorAccess(at.access, page, intent, 7);
      }
      const [result] = bench.run({ vcpu0: [body] }, new Drawn(drawn.choices));
      t.is(result, expectedResult(found, intent));
      const uses = bench.rows(Event.Use).map((row) => row.b);
      t.deepEqual(uses, result === 0 && found.kind === 'page' ? [found.frame] : []);
    }),
    { numRuns: 600 },
  );
});

test('what a walk leaves in the TLB translates as memory does', (t) => {
  fc.assert(
    fc.property(picture, fc.array(fc.nat(127), { maxLength: 6 }), (drawn, pages) => {
      const { geometry, words } = drawn;
      const bench = new Workbench({ geometry, hardwareAccessed: false });
      const { memory } = bench.machine;
      bench.machine.tables.uproot(0);
      paint(bench, words, bench.root);
      const wanted = [drawn.page, ...pages].map((page) => page % geometry.windowPages);
      const bodies = wanted.map((page) => access(page));
      const results = bench.run({ vcpu0: bodies }, new Drawn(drawn.choices));
      wanted.forEach((page, i) => {
        const found = translate(memory, geometry, bench.root, page, false);
        t.is(results[i], expectedResult(found, Intent.Read));
      });
      const { tlb } = bench.machine.pes[0]!;
      for (let i = 0; i < tlb.count; i += 1) {
        if (tlb.kind[i] === TlbKind.Table) continue;
        const found = translate(memory, geometry, bench.root, tlb.first[i]!, false);
        t.is(found.kind === 'page' ? found.frame : -1, frameOf(tlb.word[i]!));
      }
    }),
    { numRuns: 200 },
  );
});

// ---- dirty state (spec/arm.md 1.9) ----

const CLEAN = READ | ACCESSED | DIRTY_MODIFIER;

test('a write makes an entry with the modifier writable, in memory first, and then goes through', (t) => {
  for (const hardwareDirty of [true, false]) {
    const bench = new Workbench({ hardwareDirty });
    const word = mapFirst(bench, leaf(DATA, CLEAN));
    const [result] = bench.run({ vcpu0: [access(0, Intent.Write)] }, new Script(bench, []));
    t.is(result, hardwareDirty ? 0 : fault(FaultClass.Permission, 3));
    t.is(bench.machine.memory.load(word), leaf(DATA, hardwareDirty ? CLEAN | WRITE : CLEAN));
  }
});

test('a clean entry that is cached is no fault: the walker goes to the entry in memory', (t) => {
  const bench = new Workbench({ hardwareDirty: true });
  const word = mapFirst(bench, leaf(DATA, CLEAN));
  t.deepEqual(
    bench.run({ vcpu0: [access(0), access(0, Intent.Write)] }, new Script(bench, [])),
    [0, 0],
  );
  t.is(bench.machine.memory.load(word), leaf(DATA, CLEAN | WRITE));
  t.is(bench.rows(Event.Use).length, 2);
});

test('... which has gone, or lost its modifier: the write faults', (t) => {
  for (const next of [0, leaf(DATA, READ | ACCESSED)]) {
    const bench = new Workbench({ hardwareDirty: true });
    const word = mapFirst(bench, leaf(DATA, CLEAN));
    const program = { vcpu0: [access(0), access(0, Intent.Write)], host0: [store(word, next)] };
    const results = bench.run(program, new Script(bench, ['vcpu0*4', 'host0*1', 'vcpu0*9']));
    const cause = next === 0 ? FaultClass.Translation : FaultClass.Permission;
    t.deepEqual(results, [0, 0, fault(cause, 3)]);
    t.is(bench.machine.memory.load(word), next);
  }
});

test('reads and fetches do not write the entry', (t) => {
  for (const intent of [Intent.Read, Intent.Execute]) {
    const bench = new Workbench({ hardwareDirty: true });
    const word = mapFirst(bench, leaf(DATA, CLEAN));
    bench.run({ vcpu0: [access(0, intent)] }, new Script(bench, []));
    t.is(bench.machine.memory.load(word), leaf(DATA, CLEAN));
  }
});
