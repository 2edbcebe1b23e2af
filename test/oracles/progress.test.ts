import test from 'ava';
import { progress, SPURIOUS_FAULTS_MAX } from '../../oracles/progress.ts';
import { Result } from '../../sim/card.ts';
import { Claim, RetryReason } from '../../sim/claims.ts';
import { ACCESSED, leaf, READ, SOFTWARE_MASK, WRITE } from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { Role } from '../../sim/pages.ts';
import {
  judgesAfresh,
  Lock,
  passes,
  READ_ONLY,
  READ_WRITE,
  reports,
  Stage,
  TreeIndex,
  Who,
} from './stage.ts';

const PAGE = 5;

/** vCPU 0 makes one access, operation 0, to page 5, which is mapped. */
function accessing(): Stage {
  const stage = new Stage(progress);
  stage.unheard(() => {
    stage.map(PAGE, stage.take(Role.Data), READ_ONLY);
    stage.map(PAGE, stage.take(Role.Data), READ_ONLY, TreeIndex.Shadow);
  });
  stage.as(Who.Vcpu0, 0).begin();
  return stage;
}

/** A fault of vCPU 0 and its handler, which does `repair` under the lock. */
function handle(stage: Stage, repair: () => void = () => {}, page = PAGE): void {
  stage.as(Who.Vcpu0, 0);
  stage.emit(Event.Fault, page, 1, 3, 0);
  stage.lock(Lock.Mmu);
  repair();
  stage.unlock(Lock.Mmu);
  stage.claim(Claim.FaultHandled, page, 1);
}

function handleTimes(stage: Stage, times: number, repair?: () => void): void {
  for (let i = 0; i < times; i += 1) handle(stage, repair);
}

/** Somebody else changes entries under the lock, between two faults. */
function byOther(stage: Stage, change: () => void, lock: number = Lock.Mmu): void {
  stage.as(Who.Host1, 3).lock(lock);
  change();
  stage.unlock(lock);
}

function flip(stage: Stage, bits: number, index: TreeIndex = TreeIndex.Guest): void {
  const word = stage.word(PAGE, 3, index);
  stage.store(word, stage.load(word) ^ bits);
}

/** The first fault is no repetition; then a few spurious ones are forgiven. */
const FORGIVEN = 1 + SPURIOUS_FAULTS_MAX;

test('a retry loop that went round for ever', (t) => {
  const stage = accessing();
  stage.emit(Event.Stuck, 9);
  reports(t, stage, 'retries-for-ever');
  t.is(stage.scene.report.violation?.found, 9);
});

test('an operation that the fair tail did not finish', (t) => {
  const stage = accessing();
  stage.emit(Event.Unfinished, Who.Vcpu0);
  reports(t, stage, 'does-not-finish');
  t.is(stage.scene.report.violation?.actor, Who.Vcpu0);
});

test('a few spurious faults', (t) => {
  const stage = accessing();
  handleTimes(stage, FORGIVEN);
  passes(t, stage);
  t.is(stage.judgements, FORGIVEN);
});

test('one spurious fault too many', (t) => {
  const stage = accessing();
  handleTimes(stage, FORGIVEN + 1);
  reports(t, stage, 'faults-again');
  t.is(stage.scene.report.violation?.page, PAGE);
});

test('each time somebody else has changed the entry', (t) => {
  const stage = accessing();
  for (let i = 0; i < 10; i += 1) {
    handle(stage);
    byOther(stage, () => flip(stage, WRITE));
  }
  passes(t, stage);
});

test('each time the entry was removed and made again by somebody else, under two locks', (t) => {
  const stage = accessing();
  const word = stage.word(PAGE);
  const value = stage.load(word);
  for (let i = 0; i < 10; i += 1) {
    handle(stage);
    byOther(stage, () => stage.store(word, 0));
    byOther(stage, () => stage.store(word, value));
  }
  passes(t, stage);
});

test('an entry that is broken and made again under one lock is no lasting change', (t) => {
  const stage = accessing();
  const word = stage.word(PAGE);
  const value = stage.load(word);
  const remake = (): void => {
    stage.store(word, 0);
    stage.store(word, value);
  };
  for (let i = 0; i < FORGIVEN; i += 1) {
    handle(stage);
    byOther(stage, remake);
  }
  handle(stage);
  reports(t, stage, 'faults-again');
});

test('the handler’s own repair is no reason for the next fault', (t) => {
  const stage = accessing();
  handleTimes(stage, FORGIVEN + 1, () => flip(stage, WRITE));
  reports(t, stage, 'faults-again');
});

test('the same page at another level is a lasting change', (t) => {
  const stage = new Stage(progress);
  const run = stage.takeRun(Role.Data, 4);
  const block = stage.unheard(() => stage.mapBlock(4, run));
  const tables = [stage.take(Role.Table)];
  for (let i = 0; i < 4; i += 1) {
    stage.machine.memory.store(
      stage.machine.memory.address(tables[0]!, i),
      leaf(run + i, READ_WRITE),
      0,
    );
  }
  stage.as(Who.Vcpu0, 0).begin();
  for (let i = 0; i < 8; i += 1) {
    handle(stage);
    const next = (i & 1) === 0 ? (tables[0]! << 16) | 3 : leaf(run, READ_WRITE);
    byOther(stage, () => stage.store(block, next));
  }
  passes(t, stage);
});

test('a tree that nobody uses any more is a reason: the next one has nothing of what was repaired', (t) => {
  const stage = accessing();
  for (let i = 0; i < 10; i += 1) {
    handle(stage);
    byOther(stage, () => stage.claim(Claim.ContextDoomed, TreeIndex.Guest));
  }
  passes(t, stage);
});

test('... but no tree of another guest', (t) => {
  const stage = accessing();
  for (let i = 0; i < FORGIVEN; i += 1) {
    handle(stage);
    byOther(stage, () => stage.claim(Claim.ContextDoomed, TreeIndex.Shadow), Lock.Shadow);
  }
  handle(stage);
  reports(t, stage, 'faults-again');
});

test('changes of other pages, of other trees and by the walker are no reason', (t) => {
  const stage = accessing();
  for (let i = 0; i < FORGIVEN; i += 1) {
    handle(stage);
    byOther(stage, () => flip(stage, WRITE, TreeIndex.Shadow), Lock.Shadow);
    stage.storeByHardware(stage.word(PAGE), stage.load(stage.word(PAGE)) ^ ACCESSED);
    byOther(stage, () => stage.map(PAGE + 1, 40 + i));
  }
  handle(stage);
  reports(t, stage, 'faults-again');
});

test('a change counts when the tree’s own lock is dropped', (t) => {
  const stage = accessing();
  for (let i = 0; i < FORGIVEN; i += 1) {
    handle(stage);
    byOther(stage, () => flip(stage, SOFTWARE_MASK), Lock.Shadow);
    // the other half of the change follows before the lock of the tree is dropped
    byOther(stage, () => flip(stage, SOFTWARE_MASK));
  }
  handle(stage);
  reports(t, stage, 'faults-again');
});

test('a retry by reason of an invalidation is no handled fault', (t) => {
  const stage = accessing();
  for (let i = 0; i < 10; i += 1) {
    handle(stage);
    stage.claim(Claim.FaultRetry, 1, PAGE);
  }
  passes(t, stage);
});

test('the fault handled last is forgotten when another page faults', (t) => {
  const stage = accessing();
  for (let i = 0; i < 10; i += 1) {
    handle(stage);
    handle(stage, undefined, PAGE + 1);
  }
  passes(t, stage);
});

test('a handler that says twice that it is done counts one fault', (t) => {
  const stage = accessing();
  handle(stage);
  for (let i = 0; i < 10; i += 1) stage.claim(Claim.FaultHandled, PAGE, 1);
  passes(t, stage);
});

test('each operation has its own spurious faults', (t) => {
  const stage = accessing();
  for (let i = 0; i < 4; i += 1) {
    stage.as(Who.Vcpu0, 0).begin();
    handleTimes(stage, FORGIVEN);
  }
  passes(t, stage);
});

test('the faults of two vCPUs are counted apart', (t) => {
  const stage = accessing();
  for (let i = 0; i < FORGIVEN; i += 1) {
    handle(stage);
    stage.as(Who.Vcpu1, 1).emit(Event.Fault, PAGE, 1, 3, 0);
    stage.lock(Lock.Mmu);
    stage.unlock(Lock.Mmu);
    stage.claim(Claim.FaultHandled, PAGE, 1);
  }
  passes(t, stage);
});

test('an operation that begins outside every actor', (t) => {
  const stage = accessing();
  stage.as(-1, -1);
  t.notThrows(() => stage.begin());
});

test('a run after a reset is judged afresh', (t) => {
  const stage = new Stage(progress);
  judgesAfresh(t, stage, 'faults-again', () => {
    stage.map(PAGE, stage.take(Role.Data), READ | ACCESSED);
    stage.as(Who.Vcpu0, 0).begin();
    handleTimes(stage, FORGIVEN + 1);
  });
  // neither faults nor half a change of a run that was cut off are counted in the next one
  stage.reset();
  handleTimes(stage, FORGIVEN);
  stage.lock(Lock.Mmu);
  stage.map(PAGE, stage.take(Role.Data));
  stage.reset();
  handleTimes(stage, FORGIVEN);
  t.is(stage.rule, undefined);
  handle(stage);
  reports(t, stage, 'faults-again');
});

test('a change that a run cut off is forgotten', (t) => {
  const stage = accessing();
  stage.lock(Lock.Mmu);
  flip(stage, WRITE);
  stage.reset();
  stage.unheard(() => stage.map(PAGE, stage.take(Role.Data), READ_WRITE));
  stage.as(Who.Vcpu0, 0).begin();
  // handled without the lock, so that the next unlock is the first of this run
  stage.emit(Event.Fault, PAGE, 1, 3, 0);
  stage.claim(Claim.FaultHandled, PAGE, 1);
  byOther(stage, () => {});
  handleTimes(stage, FORGIVEN);
  reports(t, stage, 'faults-again');
});

// ---- found wanting once ----

test('a lasting change forgives the spurious faults before it', (t) => {
  const stage = accessing();
  handleTimes(stage, FORGIVEN);
  byOther(stage, () => flip(stage, WRITE));
  handleTimes(stage, FORGIVEN);
  passes(t, stage);
});

/** A fault of vCPU 0 whose handler finds that the host is changing something. */
function giveUp(stage: Stage): void {
  stage.as(Who.Vcpu0, 0);
  stage.emit(Event.Fault, PAGE, 1, 3, 0);
  stage.lock(Lock.Mmu);
  stage.unlock(Lock.Mmu);
  stage.claim(Claim.FaultRetry, RetryReason.Invalidation, PAGE);
}

test('a lasting change forgives them also when the next handler repairs nothing because of it', (t) => {
  const stage = accessing();
  handleTimes(stage, FORGIVEN);
  byOther(stage, () => flip(stage, WRITE));
  giveUp(stage);
  handleTimes(stage, FORGIVEN);
  passes(t, stage);
});

test('a handler that gives up although nothing has changed forgives nothing', (t) => {
  const stage = accessing();
  handleTimes(stage, FORGIVEN);
  giveUp(stage);
  handleTimes(stage, FORGIVEN);
  reports(t, stage, 'faults-again');
});

test('a run that ends is judged, although no fault was handled', (t) => {
  const stage = accessing();
  stage.emit(Event.RunEnd);
  passes(t, stage);
});

test('a handler that does not believe it repaired the entry has not', (t) => {
  const stage = accessing();
  for (let i = 0; i <= FORGIVEN; i += 1) {
    stage.emit(Event.Fault, PAGE, 1, 3, 0);
    stage.lock(Lock.Mmu);
    stage.unlock(Lock.Mmu);
    stage.claim(Claim.FaultHandled, PAGE, 0);
  }
  passes(t, stage);
});

test('a run that goes on after a fault that was not repaired', (t) => {
  const stage = accessing();
  handleTimes(stage, FORGIVEN);
  stage.emit(Event.Fault, PAGE, 1, 3, 0);
  stage.claim(Claim.FaultHandled, PAGE, 0);
  handle(stage);
  passes(t, stage);
});

// ---- accesses that are made ----

test('an access that faulted, was repaired and then made', (t) => {
  const stage = accessing();
  handle(stage);
  stage.as(Who.Vcpu0, 0).emit(Event.Use, PAGE, 30, 0);
  stage.end();
  passes(t, stage);
});

test('an operation that ends well after a fault, without its access', (t) => {
  const stage = accessing();
  handle(stage);
  stage.as(Who.Vcpu0, 0).end();
  reports(t, stage, 'access-not-made');
  t.is(stage.scene.report.violation?.pe, 0);
});

test('an operation that says that its access failed', (t) => {
  const stage = accessing();
  handle(stage);
  stage.as(Who.Vcpu0, 0).end(Result.Refused);
  passes(t, stage);
});

test('the fault of another actor, or of the operation before', (t) => {
  const stage = accessing();
  stage.emit(Event.Fault, PAGE, 1, 3, 0);
  stage.as(Who.Host0, 1).begin();
  stage.end();
  stage.as(Who.Vcpu0, 2).begin();
  stage.end();
  passes(t, stage);
});

// ---- leaves that are kept ----

/** A leaf that the operation breaks, and makes again with these attributes of another frame or the same. */
function remake(keepsLeaf: boolean, next: number): Stage {
  const stage = new Stage(progress);
  const rest = keepsLeaf ? ({ keepsLeaf: true } as const) : {};
  stage.duty(0, { tree: TreeIndex.Guest, lock: 'exclusive', ...rest });
  const word = stage.unheard(() => stage.map(PAGE, 30, READ_ONLY));
  stage.as(Who.Vcpu0, 0).begin();
  stage.lock(Lock.Mmu);
  stage.store(word, 0);
  stage.store(word, next);
  stage.unlock(Lock.Mmu);
  stage.end();
  return stage;
}

test('a leaf that is broken and made again for its rights alone, where it is to be kept', (t) => {
  reports(t, remake(true, leaf(30, READ_WRITE)), 'broken-for-rights');
  reports(t, remake(true, leaf(30, READ_ONLY)), 'broken-for-rights');
});

test('the hardware sets its accessed flag while the handler works: it may have looked before', (t) => {
  for (const isUnderLock of [true, false]) {
    const stage = new Stage(progress);
    stage.duty(0, { tree: TreeIndex.Guest, lock: 'exclusive', keepsLeaf: true });
    const word = stage.unheard(() => stage.map(PAGE, 30, READ_WRITE & ~ACCESSED));
    stage.as(Who.Vcpu0, 0).begin();
    const age = (): void => stage.storeByHardware(word, leaf(30, READ_WRITE));
    if (!isUnderLock) age();
    stage.lock(Lock.Mmu);
    if (isUnderLock) age();
    stage.store(word, 0);
    stage.store(word, leaf(30, READ_WRITE));
    if (isUnderLock) passes(t, stage);
    else reports(t, stage, 'broken-for-rights');
  }
});

test('a leaf that is broken for another page or accessed flag, or where nobody keeps it', (t) => {
  passes(t, remake(true, leaf(31, READ_WRITE)));
  passes(t, remake(true, leaf(30, READ_WRITE & ~ACCESSED)));
  passes(t, remake(false, leaf(30, READ_WRITE)));
});
