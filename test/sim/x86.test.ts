/** x86 hardware: rights along the path, flags, flushes by request, kicks; and deferred frees. */
import test from 'ava';
import { Domain, FaultClass, fault, Register } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import {
  ACCESSED,
  DIRTY,
  Intent,
  leaf,
  READ,
  RIGHTS,
  table,
  VALID,
  WRITE,
} from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { x86Hardware } from '../../sim/hardware-x86.ts';
import { Shareability, Tlbi } from '../../sim/invalidation.ts';
import type { Machine } from '../../sim/machine.ts';
import { Role } from '../../sim/pages.ts';
import { TlbKind } from '../../sim/tlb.ts';
import { at, type Body, isReady, Script, Workbench } from './workbench.ts';

const DATA = 40;
const RW = READ | WRITE;

/** Input page 0 mapped with these rights, through a table with those. */
function bench(attributes: number, tableRights = RIGHTS): { bench: Workbench; entry: number } {
  const made = new Workbench({ hardware: x86Hardware, reclaims: 4 });
  const child = made.takeTable();
  made.put(made.word(child, 0), leaf(DATA, attributes));
  made.put(made.word(made.root, 0), (table(child) & ~RIGHTS) | tableRights);
  return { bench: made, entry: made.word(child, 0) };
}

const access =
  (intent: Intent): Body =>
  (self) =>
    enterAndAccess(self, intent);

function* enterAndAccess(self: Actor, intent: Intent): Operation<number> {
  yield* self.enterGuest(at.enter);
  return yield* self.guestAccess(at.access, 0, intent, 7);
}

function cached(made: Workbench, pe: number): number[] {
  const { tlb } = made.machine.pes[pe]!;
  return [...tlb.kind.subarray(0, tlb.count)];
}

test('a write sets both flags in memory, a read only the accessed one', (t) => {
  const read = bench(RW);
  t.deepEqual(read.bench.run({ vcpu0: [access(Intent.Read)] }, new Script(read.bench, [])), [0]);
  t.is(read.bench.load(read.entry) & (ACCESSED | DIRTY), ACCESSED);
  const write = bench(RW);
  t.deepEqual(write.bench.run({ vcpu0: [access(Intent.Write)] }, new Script(write.bench, [])), [0]);
  t.is(write.bench.load(write.entry) & (ACCESSED | DIRTY), ACCESSED | DIRTY);
});

test('a write through a cached entry that is not dirty looks at memory again, and faults if it may not', (t) => {
  const { bench: made, entry } = bench(RW);
  const protect: Body = function* (self) {
    yield* self.and(at.store, entry, ~WRITE);
    return 0;
  };
  const results = made.run(
    { vcpu0: [access(Intent.Read), access(Intent.Write)], host1: [protect] },
    new Script(made, ['vcpu0*6', 'host1']),
  );
  t.deepEqual(results.sort(), [0, 0, fault(FaultClass.Permission, 3)].sort());
  t.is(made.load(entry) & DIRTY, 0);
});

test('rights are those of the whole path', (t) => {
  const { bench: made } = bench(RW, RIGHTS & ~WRITE);
  const results = made.run(
    { vcpu0: [access(Intent.Read), access(Intent.Write)] },
    new Script(made, []),
  );
  t.deepEqual(results, [0, fault(FaultClass.Permission, 3)]);
});

test('before a fault is delivered the PE drops what it cached for the page (E1)', (t) => {
  const { bench: made } = bench(READ);
  made.run({ vcpu0: [access(Intent.Read), access(Intent.Write)] }, new Script(made, []));
  t.deepEqual(cached(made, 0), []);
  t.true(made.rows(Event.TlbFill).length >= 2);
});

test('nobody enters the guest by accident: outside it an access is interrupted', (t) => {
  const { bench: made } = bench(RW);
  const outside: Body = (self) => plainAccess(self);
  t.deepEqual(made.run({ vcpu0: [outside] }, new Script(made, [])), [
    fault(FaultClass.Interrupted, 0),
  ]);
  t.deepEqual(made.rows(Event.Fault), []);
});

test('no walk starts by itself between the entry and the first access: software looks for requests first', (t) => {
  const { bench: made } = bench(RW);
  const enters: Body = function* (self) {
    yield* self.enterGuest(at.enter);
    yield* self.readOnce(at.read, made.variable(0));
    return yield* self.guestAccess(at.access, 0, Intent.Read, 7);
  };
  const speculates: Body = function* (self) {
    return yield* self.speculate(at.speculate, 0);
  };
  const ready: boolean[] = [];
  const look = (machine: Machine): void => void ready.push(isReady(machine, 'pe0'));
  made.run(
    { vcpu0: [enters], pe0: [speculates] },
    new Script(made, [look, 'vcpu0', look, 'vcpu0', look, 'vcpu0', look]),
  );
  t.deepEqual(ready, [false, false, false, true]);
});

function* plainAccess(self: Actor): Operation<number> {
  return yield* self.guestAccess(at.access, 0, Intent.Read, 7);
}

const flush =
  (operation: Tlbi, page: number, pages: number): Body =>
  (self) =>
    request(self, operation, page, pages);

function* request(self: Actor, operation: Tlbi, page: number, pages: number): Operation<number> {
  yield* self.tlbi(at.invalidate, operation, Shareability.Inner, page, 0, pages);
  yield* self.dsb(at.barrier, Domain.Request);
  return 0;
}

test('a PE in the guest is asked to flush, and the flush ends when it has', (t) => {
  const { bench: made } = bench(RW);
  const script = new Script(made, [
    'vcpu0*6',
    'host1',
    ({ pes }) => t.is(pes[1]!.outstanding, 1),
    () => t.deepEqual(cached(made, 0), [TlbKind.Table, TlbKind.Leaf]),
    'tlbi@0',
    () => t.deepEqual(cached(made, 0), []),
    'host1',
  ]);
  made.run({ vcpu0: [access(Intent.Read)], host1: [flush(Tlbi.FlushAll, 0, 0)] }, script);
  t.is(script.left, 0);
});

test('a flush of a range drops leaf and table entries that overlap it, and no others', (t) => {
  for (const [page, isDropped] of [
    [0, true],
    [4, false],
  ] as const) {
    const { bench: made } = bench(RW);
    made.run(
      { vcpu0: [access(Intent.Read)], host1: [flush(Tlbi.FlushRange, page, 4)] },
      new Script(made, ['vcpu0*6', 'host1', ...(isDropped ? ['tlbi@0'] : []), 'host1']),
    );
    t.is(cached(made, 0).length, isDropped ? 0 : 2);
  }
});

test('a page of the table’s span takes the table entry along, but not the leaf of another page', (t) => {
  const { bench: made } = bench(RW);
  made.run(
    { vcpu0: [access(Intent.Read)], host1: [flush(Tlbi.FlushRange, 3, 1)] },
    new Script(made, ['vcpu0*6', 'host1', 'tlbi@0', 'host1']),
  );
  t.deepEqual(cached(made, 0), [TlbKind.Leaf]);
});

test('a kick makes a PE leave the guest without anything cached', (t) => {
  const { bench: made } = bench(RW);
  made.run(
    { vcpu0: [access(Intent.Read)], host1: [flush(Tlbi.Kick, 0, 0)] },
    new Script(made, ['vcpu0*6', 'host1', 'tlbi@0', 'host1']),
  );
  t.false(made.machine.pes[0]!.guest);
  t.deepEqual(cached(made, 0), []);
});

test('a kick waits for the walk in flight', (t) => {
  const { bench: made } = bench(RW);
  const script = new Script(made, [
    'vcpu0*3',
    'host1',
    (machine) => {
      const arrivals = [...machine.ready.subarray(0, machine.readyCount)];
      t.false(arrivals.some((source) => source >= machine.actorCount));
    },
    'vcpu0*3',
    'tlbi@0',
  ]);
  made.run({ vcpu0: [access(Intent.Read)], host1: [flush(Tlbi.Kick, 0, 0)] }, script);
  t.is(script.left, 0);
});

// ---- the log of writes ----

/** PE 0 has a log with two places, and logs or not what the guest writes to input pages 0 to 2. */
function logging(isOn: boolean): { bench: Workbench; log: number; entry: number; turnOn: Body } {
  const { bench: made, entry } = bench(RW);
  for (const page of [1, 2]) made.put(entry + page, leaf(DATA + page, RW));
  const pe = made.machine.pes[0]!;
  pe.writeLog = made.variable(0);
  pe.writeLogSize = 2;
  const turnOn: Body = function* (self) {
    yield* self.writeRegister(at.store, Register.WriteLog, isOn ? 1 : 0);
    return 0;
  };
  return { bench: made, log: pe.writeLog, entry, turnOn };
}

const writes = (page: number): Body =>
  function* (self) {
    yield* self.enterGuest(at.enter);
    return yield* self.guestAccess(at.access, page, Intent.Write, 7);
  };

test('a write that sets the dirty flag is noted once, if the PE logs writes', (t) => {
  for (const isOn of [true, false]) {
    const { bench: made, log, turnOn } = logging(isOn);
    made.run({ vcpu0: [turnOn, writes(1), writes(1)] }, new Script(made, []));
    t.deepEqual([made.load(log), made.load(log + 1)], isOn ? [1, 1] : [0, 0]);
    t.is(made.rows(Event.Claim).length, isOn ? 1 : 0);
  }
});

test('a full log is left before anything has happened; the access is to be tried again', (t) => {
  const { bench: made, log, entry, turnOn } = logging(true);
  const results = made.run(
    { vcpu0: [turnOn, writes(0), writes(1), writes(2)] },
    new Script(made, []),
  );
  t.deepEqual(results, [0, 0, 0, fault(FaultClass.Interrupted, 0)]);
  t.is(made.load(entry + 2) & (ACCESSED | DIRTY), 0);
  t.deepEqual([made.load(log), made.load(log + 1), made.load(log + 2)], [2, 0, 1]);
  t.false(made.machine.pes[0]!.guest);
  t.deepEqual(made.rows(Event.Fault), []);
});

// ---- deferred frees ----

test('a deferred free waits for the sections that are open at the request, its own included', (t) => {
  const made = new Workbench({ hardware: x86Hardware, reclaims: 4 });
  const page = made.takeTable();
  const reader: Body = function* (self) {
    yield* self.enterSection(at.enter, 0);
    yield* self.readOnce(at.read, made.variable(1));
    yield* self.exitSection(at.exit, 0);
    return 0;
  };
  const remover: Body = function* (self) {
    yield* self.enterSection(at.enter, 0);
    yield* self.freeLater(at.free, page, 0);
    yield* self.exitSection(at.exit, 0);
    return 0;
  };
  const isFree = (): boolean => made.machine.pages.role[page] === Role.Free;
  const script = new Script(made, [
    'host0',
    'host1*3',
    () => t.false(isFree()),
    'host0*2',
    () => t.false(isFree()),
    'tlbi@2',
    () => t.true(isFree()),
  ]);
  made.run({ host0: [reader], host1: [remover] }, script);
  t.true(isFree());
});

test('a section that opens after the request is not waited for, and a run ends with everything freed', (t) => {
  const made = new Workbench({ hardware: x86Hardware, reclaims: 4 });
  const pages = [made.takeTable(), made.takeTable()];
  const remover: Body = function* (self) {
    for (const page of pages) yield* self.freeLater(at.free, page, 0);
    yield* self.enterSection(at.enter, 0);
    yield* self.readOnce(at.read, made.variable(1));
    t.is(made.machine.reclaimer.count, 2);
    yield* self.exitSection(at.exit, 0);
    return 0;
  };
  made.run({ host0: [remover] }, new Script(made, ['host0*5']));
  t.is(made.machine.reclaimer.count, 0);
  t.deepEqual(
    pages.map((page) => made.machine.pages.role[page]),
    [Role.Free, Role.Free],
  );
  t.is(made.rows(Event.Free).length, 2);
});

test('a valid entry is what hardware sees; anything else faults', (t) => {
  const { bench: made, entry } = bench(RW);
  made.put(entry, leaf(DATA, RW) & ~VALID);
  const results = made.run({ vcpu0: [access(Intent.Read)] }, new Script(made, []));
  t.deepEqual(results, [fault(FaultClass.Translation, 3)]);
});
