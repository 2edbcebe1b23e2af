import test from 'ava';
import { deadlock } from '../../oracles/deadlock.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Event } from '../../sim/event.ts';
import { Mode } from '../../sim/locks.ts';
import type { Scheduler } from '../../sim/scheduler.ts';
import type { ProgramEntry } from '../../sim/spec.ts';
import { judgesAfresh, Lock, passes, reports, Stage } from './stage.ts';

const SITE = 1;
const LIMITS = { steps: 40, tail: 40 };

test('the machine says that nobody can go on', (t) => {
  const stage = new Stage(deadlock);
  stage.as(-1, -1).emit(Event.Deadlock);
  reports(t, stage, 'nobody-can-go-on');
});

test('a run that ends by itself', (t) => {
  const stage = new Stage(deadlock);
  stage.emit(Event.RunEnd);
  passes(t, stage);
  t.is(stage.judgements, 1);
});

function entry(start: (self: Actor) => Operation<number>): ProgramEntry {
  return { key: 'o', implicit: false, start };
}

/** Takes one lock, then another. */
function lockBoth(first: number, second: number): ProgramEntry {
  return entry(function* (self) {
    yield* self.acquire(SITE, first, Mode.Exclusive);
    yield* self.acquire(SITE, second, Mode.Exclusive);
    yield* self.release(SITE, second);
    yield* self.release(SITE, first);
    return 0;
  });
}

/** A step for each ready actor in turn, or each actor as far as it gets. */
function scheduler(isFair: boolean): Scheduler {
  return {
    id: 'turns',
    begin() {},
    pick({ ready, readyCount, current }) {
      const list = [...ready.subarray(0, readyCount)].sort((a, b) => a - b);
      if (!isFair && list.includes(current)) return current;
      return list.find((source) => source > current) ?? list[0]!;
    },
    choose: () => 0,
  };
}

function run(stage: Stage, isFair: boolean, vcpu0: ProgramEntry, vcpu1: ProgramEntry): void {
  stage.machine.load([[vcpu0], [vcpu1], [], [], []]);
  stage.machine.run(scheduler(isFair), LIMITS);
}

test('two actors take two locks in opposite order', (t) => {
  const stage = new Stage(deadlock);
  run(stage, true, lockBoth(Lock.Mmu, Lock.Slots), lockBoth(Lock.Slots, Lock.Mmu));
  reports(t, stage, 'nobody-can-go-on');
  t.false(stage.machine.finished);
});

test('the same program under a schedule that does not meet', (t) => {
  const stage = new Stage(deadlock);
  run(stage, false, lockBoth(Lock.Mmu, Lock.Slots), lockBoth(Lock.Slots, Lock.Mmu));
  passes(t, stage);
  t.true(stage.machine.finished);
});

test('two actors take two locks in the same order', (t) => {
  for (const isFair of [true, false]) {
    const stage = new Stage(deadlock);
    run(stage, isFair, lockBoth(Lock.Mmu, Lock.Slots), lockBoth(Lock.Mmu, Lock.Slots));
    passes(t, stage);
  }
});

test('an actor waits for readers that wait for its lock', (t) => {
  const stage = new Stage(deadlock);
  const reader = entry(function* (self) {
    yield* self.enterSection(SITE, 0);
    yield* self.acquire(SITE, Lock.Mmu, Mode.Exclusive);
    yield* self.exitSection(SITE, 0);
    return 0;
  });
  const writer = entry(function* (self) {
    yield* self.acquire(SITE, Lock.Mmu, Mode.Exclusive);
    yield* self.gracePeriod(SITE, 0);
    return 0;
  });
  run(stage, true, reader, writer);
  reports(t, stage, 'nobody-can-go-on');
});

test('a run after a reset is judged afresh', (t) => {
  const stage = new Stage(deadlock);
  judgesAfresh(t, stage, 'nobody-can-go-on', () => {
    stage.as(-1, -1).emit(Event.Deadlock);
  });
});
