import test from 'ava';
import { systemInvariant } from '../../oracles/system-invariant.ts';
import { Event } from '../../sim/event.ts';
import { AT_END, AT_TABLE_FREE } from '../../sim/invariant.ts';
import { Role } from '../../sim/pages.ts';
import { Lock, passes, reports, Stage } from './stage.ts';

/** A page that the invariant is broken for, or -1. */
function stageWith(lock: number, broken: (freed: number) => number): Stage {
  const stage = new Stage(systemInvariant);
  stage.invariants.push({ id: 'list-and-flag', title: 'they agree', lock, broken });
  return stage;
}

function touchLock(stage: Stage, lock: number): void {
  stage.lock(lock);
  stage.unlock(lock);
}

test('an invariant is tested when its lock is released', (t) => {
  let isBroken = false;
  const stage = stageWith(Lock.Mmu, () => (isBroken ? 7 : -1));
  touchLock(stage, Lock.Mmu);
  passes(t, stage);
  stage.lock(Lock.Mmu);
  isBroken = true;
  t.is(stage.rule, undefined);
  stage.unlock(Lock.Mmu);
  reports(t, stage, 'list-and-flag');
  t.is(stage.scene.report.violation?.frame, 7);
});

test('the release of another lock is not its business', (t) => {
  const stage = stageWith(Lock.Mmu, () => 7);
  touchLock(stage, Lock.Slots);
  t.is(stage.rule, undefined);
  t.is(stage.judgements, 0);
});

test('an invariant of the end is tested when the program has finished', (t) => {
  const stage = stageWith(AT_END, () => 0);
  touchLock(stage, Lock.Mmu);
  t.is(stage.judgements, 0);
  stage.emit(Event.RunEnd);
  reports(t, stage, 'list-and-flag');
  t.is(stage.scene.report.violation?.frame, undefined);
});

test('an invariant of freed tables is told which page, and other pages are not its business', (t) => {
  const freed: number[] = [];
  const stage = stageWith(AT_TABLE_FREE, (frame) => {
    freed.push(frame);
    return freed.length > 1 ? frame : -1;
  });
  stage.free(stage.take(Role.Data));
  t.is(stage.judgements, 0);
  const first = stage.take(Role.Table);
  stage.free(first);
  passes(t, stage);
  const second = stage.take(Role.Table);
  stage.free(second);
  reports(t, stage, 'list-and-flag');
  t.deepEqual(freed, [first, second]);
});

test('systems that state nothing are not judged', (t) => {
  const stage = new Stage(systemInvariant);
  touchLock(stage, Lock.Mmu);
  stage.emit(Event.RunEnd);
  t.is(stage.rule, undefined);
  t.is(stage.judgements, 0);
});
