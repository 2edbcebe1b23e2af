/** Spin locks, reader-writer locks and mutexes: who may take what, and in which mode it is held. */
import test from 'ava';
import fc from 'fast-check';
import { InternalError } from '../../sim/assert.ts';
import { LockKind, Locks, Mode } from '../../sim/locks.ts';

const SPIN = 0;
const READ_WRITE = 1;
const MUTEX = 2;

function locks(): Locks {
  return new Locks([
    { name: 'spin', kind: LockKind.Spin },
    { name: 'read-write', kind: LockKind.ReadWrite },
    { name: 'mutex', kind: LockKind.Mutex },
  ]);
}

test('a free lock may be taken in either mode', (t) => {
  const all = locks();
  t.true(all.available(READ_WRITE, Mode.Exclusive));
  t.true(all.available(READ_WRITE, Mode.Shared));
  t.is(all.mode(READ_WRITE, 0), Mode.Invalid);
});

test('an exclusive holder keeps everybody out', (t) => {
  const all = locks();
  all.take(READ_WRITE, Mode.Exclusive, 3);
  t.false(all.available(READ_WRITE, Mode.Exclusive));
  t.false(all.available(READ_WRITE, Mode.Shared));
  t.is(all.mode(READ_WRITE, 3), Mode.Exclusive);
  t.is(all.mode(READ_WRITE, 2), Mode.Invalid);
});

test('readers share, and a writer waits for the last of them', (t) => {
  const all = locks();
  all.take(READ_WRITE, Mode.Shared, 0);
  all.take(READ_WRITE, Mode.Shared, 30);
  t.true(all.available(READ_WRITE, Mode.Shared));
  t.is(all.drop(READ_WRITE, 0), Mode.Shared);
  t.false(all.available(READ_WRITE, Mode.Exclusive));
  t.is(all.drop(READ_WRITE, 30), Mode.Shared);
  t.true(all.available(READ_WRITE, Mode.Exclusive));
});

test('dropping tells in which mode the lock was held', (t) => {
  const all = locks();
  all.take(SPIN, Mode.Exclusive, 1);
  t.is(all.drop(SPIN, 1), Mode.Exclusive);
  t.is(all.mode(SPIN, 1), Mode.Invalid);
});

test('taking a lock that is not available and dropping one that is not held are refused', (t) => {
  const all = locks();
  all.take(SPIN, Mode.Exclusive, 1);
  t.throws(() => all.take(SPIN, Mode.Exclusive, 1), { instanceOf: InternalError });
  t.throws(() => all.take(SPIN, Mode.Shared, 2), { instanceOf: InternalError });
  t.throws(() => all.drop(SPIN, 2), { instanceOf: InternalError });
  t.throws(() => all.drop(MUTEX, 1), { instanceOf: InternalError });
});

test('one lock does not stand in the way of another', (t) => {
  const all = locks();
  all.take(SPIN, Mode.Exclusive, 1);
  t.true(all.available(READ_WRITE, Mode.Exclusive));
  t.true(all.available(MUTEX, Mode.Exclusive));
});

test('a holder of a spinning lock must not sleep, a holder of a mutex may', (t) => {
  const all = locks();
  t.is(all.spinningLock(1), -1);
  all.take(MUTEX, Mode.Exclusive, 1);
  t.is(all.spinningLock(1), -1);
  all.take(READ_WRITE, Mode.Shared, 1);
  t.is(all.spinningLock(1), READ_WRITE);
  all.take(SPIN, Mode.Exclusive, 1);
  t.is(all.spinningLock(1), SPIN);
  t.is(all.spinningLock(2), -1);
});

test('reset frees every lock', (t) => {
  const all = locks();
  all.take(SPIN, Mode.Exclusive, 1);
  all.take(READ_WRITE, Mode.Shared, 2);
  all.reset();
  t.true(all.available(SPIN, Mode.Exclusive));
  t.true(all.available(READ_WRITE, Mode.Exclusive));
});

test('there is never a writer beside anybody else', (t) => {
  const command = fc.record({
    actor: fc.nat(4),
    verb: fc.constantFrom(Mode.Exclusive, Mode.Shared, 'drop' as const),
  });
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const all = locks();
      const held = new Map<number, Mode>();
      for (const { actor, verb } of commands) {
        if (verb === 'drop') {
          if (held.has(actor)) all.drop(READ_WRITE, actor);
          held.delete(actor);
          continue;
        }
        const others = [...held.values()];
        const isFree =
          verb === Mode.Shared ? !others.includes(Mode.Exclusive) : others.length === 0;
        if (all.available(READ_WRITE, verb) !== isFree) return false;
        if (!isFree || held.has(actor)) continue;
        all.take(READ_WRITE, verb, actor);
        held.set(actor, verb);
      }
      return [...held].every(([actor, mode]) => all.mode(READ_WRITE, actor) === mode);
    }),
    { numRuns: 200 },
  );
  t.pass();
});
