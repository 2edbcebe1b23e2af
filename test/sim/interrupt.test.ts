/** Arm: interrupts that make a PE leave its guest, masks that hold them back, threads that move, private addresses. */
import test from 'ava';
import { Domain, FaultClass, faultClass } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { ACCESSED, Intent, leaf, READ, table, WRITE } from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { Shareability, Tlbi } from '../../sim/invalidation.ts';
import { TlbKind } from '../../sim/tlb.ts';
import { at, type Body, isReady, Script, type Setup, Workbench } from './workbench.ts';

const DATA = 40;
const PRIVATE = 1 << 20;

/** Input pages 0 and 1 mapped to two frames. */
function bench(setup: Setup = {}): Workbench {
  const made = new Workbench(setup);
  let frame = made.root;
  const { startLevel } = made.machine.spec.trees[0]!.geometry;
  for (let level = startLevel; level < 3; level += 1) {
    const child = made.takeTable();
    made.put(made.word(frame, 0), table(child));
    frame = child;
  }
  for (const page of [0, 1])
    made.put(made.word(frame, page), leaf(DATA + page, READ | WRITE | ACCESSED));
  return made;
}

function* read(self: Actor, page: number): Operation<number> {
  return yield* self.guestAccess(at.access, page, Intent.Read, 0);
}

const kicks: Body = function* (self) {
  yield* self.tlbi(at.store, Tlbi.Kick, Shareability.Inner, 0, 0, 0);
  yield* self.dsb(at.read, Domain.Inner);
  return 0;
};

test('a PE that runs the guest leaves it, and the access that comes next is not made', (t) => {
  const made = bench();
  const reader: Body = function* (self) {
    yield* read(self, 0);
    return yield* read(self, 0);
  };
  // a look at the TLB, a read per level, and the access
  const inside = made.machine.spec.trees[0]!.geometry.startLevel;
  const script = new Script(made, [`vcpu0*${6 - inside}`, 'host1', 'tlbi@0', 'host1', 'vcpu0']);
  const results = made.run({ vcpu0: [reader], host1: [kicks] }, script);
  t.is(script.left, 0);
  t.true(results.some((result) => faultClass(result) === FaultClass.Interrupted));
  t.is(made.rows(Event.Use).length, 1);
  t.deepEqual(made.rows(Event.Fault), []);
});

test('where exceptions mask interrupts, a PE leaves its guest at once and answers when it unmasks them', (t) => {
  const made = bench({ masksAtExit: true });
  const reader: Body = function* (self) {
    yield* read(self, 0);
    yield* read(self, 0);
    yield* self.maskInterrupts(at.exit, false);
    return 0;
  };
  const inside = made.machine.spec.trees[0]!.geometry.startLevel;
  const answered = (expected: boolean) => (): void => {
    t.is(made.machine.pes[1]!.outstanding === 0, expected);
  };
  const script = new Script(made, [
    `vcpu0*${6 - inside}`,
    'host1',
    answered(false),
    'tlbi@0',
    () => t.false(made.machine.pes[0]!.guest),
    answered(false),
    () => t.false(isReady(made.machine, 'tlbi@0')),
    'vcpu0*2',
    answered(false),
    'tlbi@0',
    answered(true),
    'host1',
  ]);
  made.run({ vcpu0: [reader], host1: [kicks] }, script);
  t.is(script.left, 0);
});

test('a PE outside the guest has nothing to do', (t) => {
  const made = bench();
  made.run({ host1: [kicks] }, new Script(made, []));
  t.deepEqual(made.rows(Event.InvalidateArrive), []);
  t.is(made.rows(Event.InvalidateIssue)[0]?.d, 0);
});

test('an interrupt waits while interrupts are masked, until the guest is entered or they are let through', (t) => {
  for (const enters of [true, false]) {
    const made = bench();
    const runner: Body = function* (self) {
      yield* self.maskInterrupts(at.enter, true);
      yield* self.readOnce(at.read, made.variable(1));
      if (enters) return yield* read(self, 0);
      yield* self.maskInterrupts(at.exit, false);
      yield* self.readOnce(at.read, made.variable(1));
      return 0;
    };
    const held = (expected: boolean) => (): void => {
      t.is(isReady(made.machine, 'tlbi@0'), !expected, `enters: ${enters}`);
    };
    const script = new Script(made, [
      'vcpu0',
      'host1',
      held(true),
      'vcpu0',
      // the step that parks at the access has entered the guest
      ...(enters ? [] : ['vcpu0']),
      held(false),
      'tlbi@0',
    ]);
    made.run({ vcpu0: [runner], host1: [kicks] }, script);
    t.is(script.left, 0);
    t.false(made.machine.pes[0]!.guest);
  }
});

test('a thread that moves makes its accesses on the other PE, and is back after a reset', (t) => {
  const made = bench();
  const mover: Body = function* (self) {
    yield* read(self, 0);
    yield* self.leaveGuest(at.exit);
    self.moveTo(1);
    yield* read(self, 1);
    yield* self.leaveGuest(at.exit);
    return 0;
  };
  made.run({ vcpu0: [mover] }, new Script(made, []));
  const cached = (pe: number): number[] => {
    const { tlb } = made.machine.pes[pe]!;
    return [...tlb.first.subarray(0, tlb.count)].filter((_, i) => tlb.kind[i] === TlbKind.Leaf);
  };
  t.deepEqual(cached(0), [0]);
  t.deepEqual(cached(1), [1]);
  t.is(made.machine.actors[0]!.pe, 1);
  made.reset();
  t.is(made.machine.actors[0]!.pe, 0);
  t.deepEqual(
    made.machine.walkers[0]!.map(({ name }) => name),
    ['vcpu0', 'host0', 'pe0'],
  );
});

test('an access by an address of its own is cached under that address, and only that', (t) => {
  const made = bench();
  const user: Body = function* (self) {
    yield* self.privateAccess(at.access, PRIVATE, 1, Intent.Read, 0);
    // the entry answers, whatever the stage 1 of this access says
    return yield* self.privateAccess(at.access, PRIVATE, 0, Intent.Read, 0);
  };
  made.run({ vcpu0: [user] }, new Script(made, []));
  const uses = made.rows(Event.Use).map(({ a, b }) => [a, b]);
  t.deepEqual(uses, [
    [1, DATA + 1],
    [0, DATA + 1],
  ]);
  const { tlb } = made.machine.pes[0]!;
  const combined = [...tlb.first.subarray(0, tlb.count)].filter(
    (_, i) => tlb.kind[i] === TlbKind.Combined,
  );
  t.deepEqual(combined, [PRIVATE]);
});
