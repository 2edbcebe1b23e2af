import test from 'ava';
import { dirtyLog } from '../../oracles/dirty-log.ts';
import { RESULT_NAMES, Result } from '../../sim/card.ts';
import { CLAIM_NAMES, Claim, type ClaimCode } from '../../sim/claims.ts';
import { DIRTY, Intent, leaf, WRITE } from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { Role } from '../../sim/pages.ts';
import { Regime } from '../../sim/tables.ts';
import { TlbKind } from '../../sim/tlb.ts';
import {
  judgesAfresh,
  passes,
  READ_ONLY,
  READ_WRITE,
  reports,
  SHADOW_VMID,
  Stage,
  TreeIndex,
  Who,
} from './stage.ts';

const FIRST = 4;
const PAGES = 40;

function start(stage: Stage): void {
  stage.claim(Claim.LogStarted, FIRST, PAGES);
}

/** A slot of pages 4 to 43 is logged; page 5 is mapped read-only. */
function logged(): { stage: Stage; word: number; frame: number } {
  const stage = new Stage(dirtyLog);
  const frame = stage.take(Role.Data);
  const word = stage.map(5, frame, READ_ONLY);
  start(stage);
  return { stage, word, frame };
}

function write(stage: Stage, page: number, regime: Regime = Regime.Guest, row = 0): void {
  stage.as(Who.Vcpu0, 1).emit(Event.Use, page, 40, Intent.Write | (regime << 4), row);
}

function mark(stage: Stage, page: number): void {
  stage.claim(Claim.LogMarked, page);
}

function takeMarks(stage: Stage, first: number, mask: number): void {
  stage.claim(Claim.LogTaken, first, mask);
}

function harvest(stage: Stage): void {
  stage.claim(Claim.LogHarvested);
}

// ---- writes ----

test('a write to a marked page', (t) => {
  const { stage } = logged();
  mark(stage, 5);
  write(stage, 5);
  passes(t, stage);
});

test('a write to a page without a mark', (t) => {
  const { stage } = logged();
  write(stage, 5, Regime.Guest, 6);
  reports(t, stage, 'write-lost');
  t.is(stage.scene.report.violation?.page, 5);
  t.is(stage.scene.report.violation?.survivor, 6);
  t.is(stage.scene.report.violation?.pe, 0);
});

test('reads and fetches, writes outside the slot and the hypervisor’s writes need no mark', (t) => {
  const { stage } = logged();
  const { judgements } = stage;
  stage.as(Who.Vcpu0, 1).emit(Event.Use, 5, 40, Intent.Read);
  stage.emit(Event.Use, 5, 40, Intent.Execute);
  write(stage, FIRST - 1);
  write(stage, FIRST + PAGES);
  write(stage, 5, Regime.Hypervisor);
  t.is(stage.rule, undefined);
  t.is(stage.judgements, judgements);
});

test('the first and the last page of the slot are logged', (t) => {
  for (const page of [FIRST, FIRST + PAGES - 1]) {
    const { stage } = logged();
    write(stage, page);
    reports(t, stage, 'write-lost');
  }
});

test('a write while the page’s mark is being reported', (t) => {
  const { stage } = logged();
  mark(stage, 5);
  takeMarks(stage, 0, 1 << 5);
  write(stage, 5);
  passes(t, stage);
});

test('a write after the round that took the mark has ended', (t) => {
  const { stage } = logged();
  mark(stage, 5);
  takeMarks(stage, 0, 1 << 5);
  harvest(stage);
  write(stage, 5);
  reports(t, stage, 'write-lost');
});

test('a mark made while the round ran counts for the next one', (t) => {
  const { stage } = logged();
  mark(stage, 5);
  takeMarks(stage, 0, 1 << 5);
  mark(stage, 5);
  harvest(stage);
  write(stage, 5);
  passes(t, stage);
});

test('marks are taken by words of 32 pages', (t) => {
  const { stage } = logged();
  mark(stage, 33);
  mark(stage, 31);
  takeMarks(stage, 32, 0b10);
  harvest(stage);
  write(stage, 31);
  passes(t, stage);
  write(stage, 33);
  reports(t, stage, 'write-lost');
});

test('the topmost page of a word', (t) => {
  const { stage } = logged();
  mark(stage, 31);
  takeMarks(stage, 0, 1 << 31);
  harvest(stage);
  write(stage, 31);
  reports(t, stage, 'write-lost');
});

test('before the log starts and after it stops nothing is judged', (t) => {
  const stage = new Stage(dirtyLog);
  write(stage, 5);
  start(stage);
  const { judgements } = stage;
  stage.claim(Claim.LogStopped);
  write(stage, 5);
  harvest(stage);
  t.is(stage.rule, undefined);
  t.is(stage.judgements, judgements);
});

test('marks are forgotten when the log stops', (t) => {
  const { stage } = logged();
  mark(stage, 5);
  stage.claim(Claim.LogStopped);
  start(stage);
  write(stage, 5);
  reports(t, stage, 'write-lost');
});

// ---- the end of a round ----

test('a page that can still be written when the log has started', (t) => {
  const stage = new Stage(dirtyLog);
  stage.map(5, stage.take(Role.Data));
  start(stage);
  reports(t, stage, 'writable-unmarked');
  t.is(stage.scene.report.violation?.page, 5);
});

test('a page that was marked before the start had ended', (t) => {
  const stage = new Stage(dirtyLog);
  stage.cache(1, stage.map(5, stage.take(Role.Data)));
  mark(stage, 5);
  start(stage);
  passes(t, stage);
});

test('writable pages outside the slot', (t) => {
  const stage = new Stage(dirtyLog);
  stage.cache(1, stage.map(FIRST - 1, stage.take(Role.Data)));
  stage.cache(1, stage.map(FIRST + PAGES, stage.take(Role.Data)));
  start(stage);
  passes(t, stage);
});

test('a round that leaves the page writable', (t) => {
  const { stage, word, frame } = logged();
  mark(stage, 5);
  stage.store(word, leaf(frame, READ_WRITE));
  takeMarks(stage, 0, 1 << 5);
  t.is(stage.rule, undefined);
  harvest(stage);
  reports(t, stage, 'writable-unmarked');
});

test('a round that protects the page but leaves it writable in a TLB', (t) => {
  const { stage, word, frame } = logged();
  mark(stage, 5);
  stage.store(word, leaf(frame, READ_WRITE));
  stage.cache(1, word, { kind: TlbKind.Combined });
  takeMarks(stage, 0, 1 << 5);
  stage.store(word, leaf(frame, READ_ONLY));
  harvest(stage);
  reports(t, stage, 'writable-cached');
  t.is(stage.scene.report.violation?.pe, 1);
});

test('a round that leaves a walk in flight with a writable leaf', (t) => {
  const { stage, word, frame } = logged();
  stage.store(word, leaf(frame, READ_WRITE));
  stage.walkHolds(Who.Vcpu1, word, 5);
  stage.store(word, leaf(frame, READ_ONLY));
  harvest(stage);
  reports(t, stage, 'writable-cached');
});

test('a round that protects and flushes', (t) => {
  const { stage, word, frame } = logged();
  mark(stage, 5);
  stage.store(word, leaf(frame, READ_WRITE));
  stage.cache(1, word);
  takeMarks(stage, 0, 1 << 5);
  stage.store(word, leaf(frame, READ_ONLY));
  stage.flush(1);
  harvest(stage);
  passes(t, stage);
});

test('one page of a cached block has no mark', (t) => {
  const stage = new Stage(dirtyLog);
  const block = stage.mapBlock(8, stage.takeRun(Role.Data, 4));
  stage.cache(0, block);
  stage.store(block, stage.load(block) & ~WRITE);
  for (const page of [8, 9, 11]) mark(stage, page);
  start(stage);
  reports(t, stage, 'writable-cached');
  t.is(stage.scene.report.violation?.page, 10);
});

test('contexts that no PE can load and the hypervisor’s own translations are exempt', (t) => {
  const stage = new Stage(dirtyLog);
  const word = stage.map(5, stage.take(Role.Data));
  stage.cache(1, word);
  stage.claim(Claim.ContextRetired, TreeIndex.Guest);
  stage.cache(2, stage.map(6, 4, READ_WRITE, TreeIndex.Hypervisor));
  start(stage);
  passes(t, stage);
});

test('every live guest tree is looked at (E1)', (t) => {
  const stage = new Stage(dirtyLog);
  stage.map(5, stage.take(Role.Data), READ_WRITE, TreeIndex.Shadow);
  start(stage);
  reports(t, stage, 'writable-unmarked');
  const other = new Stage(dirtyLog);
  const word = other.map(5, other.take(Role.Data));
  other.cache(1, word, { vmid: SHADOW_VMID });
  other.store(word, 0);
  start(other);
  reports(t, other, 'writable-cached');
});

test('a run after a reset is judged afresh', (t) => {
  const stage = new Stage(dirtyLog);
  judgesAfresh(t, stage, 'write-lost', () => {
    start(stage);
    mark(stage, 5);
    write(stage, 5);
    write(stage, 6);
  });
  stage.reset();
  write(stage, 5);
  t.is(stage.rule, undefined, 'no log runs');
  start(stage);
  write(stage, 5);
  reports(t, stage, 'write-lost');
});

// ---- found wanting once ----

test('a vCPU is between its map and its mark when a round ends', (t) => {
  const { stage, word, frame } = logged();
  stage.as(Who.Vcpu0, 1).store(word, leaf(frame, READ_WRITE));
  stage.as(Who.Host0, 0);
  harvest(stage);
  stage.as(Who.Vcpu0, 1);
  mark(stage, 5);
  passes(t, stage);
});

test('another vCPU writes before the mark of the first is set', (t) => {
  const { stage, word, frame } = logged();
  stage.as(Who.Vcpu1, 2).store(word, leaf(frame, READ_WRITE));
  write(stage, 5);
  stage.as(Who.Vcpu1, 2);
  mark(stage, 5);
  passes(t, stage);
});

test('the entry goes before its mark is set: who has it cached may write until the mark that is owed', (t) => {
  const { stage, word, frame } = logged();
  stage.as(Who.Vcpu1, 2).store(word, leaf(frame, READ_WRITE));
  stage.as(Who.Host0, 0).store(word, 0);
  write(stage, 5);
  t.is(stage.rule, undefined);
  stage.as(Who.Vcpu1, 2);
  mark(stage, 5);
  passes(t, stage);
});

test('marks that were taken before the log stopped excuse no later write', (t) => {
  const { stage } = logged();
  mark(stage, 5);
  takeMarks(stage, 0, 1 << 5);
  stage.claim(Claim.LogStopped);
  start(stage);
  write(stage, 5);
  reports(t, stage, 'write-lost');
});

test('an operation ends without a mark for what it made writable', (t) => {
  const { stage, word, frame } = logged();
  stage.as(Who.Vcpu0, 1).store(word, leaf(frame, READ_WRITE));
  stage.as(Who.Vcpu1, 2).end();
  t.is(stage.rule, undefined, 'not the operation that owes the mark');
  stage.as(Who.Vcpu0, 1).end();
  reports(t, stage, 'writable-unmarked');
  t.is(stage.scene.report.violation?.page, 5);
});

test('an operation ends after the mark, or after the page was protected again', (t) => {
  for (const isMarked of [true, false]) {
    const { stage, word, frame } = logged();
    stage.as(Who.Vcpu0, 1).store(word, leaf(frame, READ_WRITE));
    if (isMarked) mark(stage, 5);
    else stage.store(word, leaf(frame, READ_ONLY));
    stage.end();
    passes(t, stage);
  }
});

test('a write of the operation itself comes after the mark', (t) => {
  const { stage, word, frame } = logged();
  stage.as(Who.Vcpu0, 1).store(word, leaf(frame, READ_WRITE));
  write(stage, 5);
  reports(t, stage, 'write-lost');
});

test('a write on the strength of a mark that never comes, although the page is protected again', (t) => {
  const { stage, word, frame } = logged();
  stage.as(Who.Vcpu1, 2).store(word, leaf(frame, READ_WRITE));
  write(stage, 5);
  stage.as(Who.Host0, 0).store(word, leaf(frame, READ_ONLY));
  harvest(stage);
  t.is(stage.rule, undefined);
  stage.as(Who.Vcpu1, 2).end();
  reports(t, stage, 'write-lost');
});

test('what was made writable while no log ran is judged when one has started', (t) => {
  const stage = new Stage(dirtyLog);
  const word = stage.map(5, stage.take(Role.Data));
  stage.end();
  start(stage);
  reports(t, stage, 'writable-unmarked');
  const other = new Stage(dirtyLog);
  other.as(Who.Vcpu0, 1).map(5, other.take(Role.Data));
  other.as(Who.Host0, 0);
  start(other);
  t.is(other.rule, undefined, 'its operation has not ended');
  other.as(Who.Vcpu0, 1).end();
  reports(t, other, 'writable-unmarked');
  t.is(stage.load(word) & WRITE, WRITE);
});

test('marks made after the log stopped are forgotten, in every slot', (t) => {
  const { stage } = logged();
  stage.claim(Claim.LogStopped);
  mark(stage, 50);
  stage.claim(Claim.LogStopped);
  stage.claim(Claim.LogStarted, 45, 10);
  write(stage, 50);
  reports(t, stage, 'write-lost');
});

test('an operation ends while the round that took the mark goes on: the round is judged', (t) => {
  const { stage, word, frame } = logged();
  mark(stage, 5);
  takeMarks(stage, 0, 1 << 5);
  stage.as(Who.Vcpu0, 1).store(word, leaf(frame, READ_WRITE));
  stage.end();
  t.is(stage.rule, undefined);
  stage.as(Who.Host0, 0);
  harvest(stage);
  reports(t, stage, 'writable-unmarked');
});

// ---- what the host knows ----

function hostStage(): { stage: Stage; frame: number } {
  const stage = new Stage(dirtyLog, { tellsHost: true });
  return { stage, frame: stage.take(Role.Data) };
}

function writeThrough(stage: Stage, frame: number): void {
  stage.as(Who.Vcpu0, 0).emit(Event.Use, 3, frame, Intent.Write, 0);
  stage.as(Who.Host0, 1);
}

test('the host is told of a page that was written before it takes it back', (t) => {
  const { stage, frame } = hostStage();
  writeThrough(stage, frame);
  stage.claim(Claim.HostDirtied, frame);
  stage.free(frame);
  passes(t, stage);
});

test('the host takes back a page that was written and does not know it', (t) => {
  const { stage, frame } = hostStage();
  writeThrough(stage, frame);
  stage.free(frame);
  reports(t, stage, 'host-not-told');
});

test('a page that was only read, and the next life of one that was written', (t) => {
  const { stage, frame } = hostStage();
  writeThrough(stage, frame);
  stage.claim(Claim.HostDirtied, frame);
  stage.free(frame);
  const again = stage.take(Role.Data);
  t.is(again, frame);
  stage.emit(Event.Use, 3, frame, Intent.Read, 0);
  stage.free(frame);
  passes(t, stage);
  stage.take(Role.Data);
  writeThrough(stage, frame);
  stage.free(frame);
  reports(t, stage, 'host-not-told');
});

test('hosts that are told nothing are not judged by what they know', (t) => {
  const stage = new Stage(dirtyLog);
  const frame = stage.take(Role.Data);
  writeThrough(stage, frame);
  stage.free(frame);
  t.is(stage.rule, undefined);
});

// ---- marks and results ----

test('a round that takes a mark which nobody made', (t) => {
  const { stage } = logged();
  takeMarks(stage, 0, 1 << 6);
  reports(t, stage, 'marks-differ');
  t.is(stage.scene.report.violation?.page, 6);
});

test('a round that says which marks it leaves', (t) => {
  const { stage } = logged();
  mark(stage, 5);
  mark(stage, 6);
  stage.claim(Claim.LogTaken, 0, 1 << 6, 1 << 5);
  passes(t, stage);
  stage.claim(Claim.LogTaken, 0, 1 << 5, 0);
  passes(t, stage);
});

test('a mark that was neither taken nor left', (t) => {
  const { stage } = logged();
  mark(stage, 5);
  mark(stage, 6);
  mark(stage, 7);
  stage.claim(Claim.LogTaken, 0, 1 << 6, 1 << 5);
  reports(t, stage, 'marks-differ');
  t.is(stage.scene.report.violation?.page, 7);
});

test('a round that misses a mark', (t) => {
  const { stage } = logged();
  mark(stage, 5);
  mark(stage, 6);
  takeMarks(stage, 0, 1 << 6);
  reports(t, stage, 'marks-differ');
  t.is(stage.scene.report.violation?.page, 5);
});

const ROUND = [Claim.LogHarvested];
const START = [Claim.LogStarted];
const STOP = [Claim.LogStopped];

/** Claims of the card, whether the log is on, the result, and what is to be said. */
const RESULTS: readonly (readonly [readonly ClaimCode[], boolean, Result, string | undefined])[] = [
  [ROUND, true, Result.Ok, undefined],
  [ROUND, true, Result.Invalid, 'refused'],
  [ROUND, false, Result.Ok, 'not-done'],
  [ROUND, false, Result.Invalid, undefined],
  [ROUND, true, Result.NoMemory, undefined],
  [START, true, Result.Ok, 'not-done'],
  [START, true, Result.Invalid, undefined],
  [START, false, Result.Ok, 'not-done'],
  [START, false, Result.Invalid, 'refused'],
  [STOP, true, Result.Ok, 'not-done'],
  [STOP, true, Result.Invalid, 'refused'],
  [STOP, false, Result.Ok, undefined],
];

for (const [claims, isOn, result, rule] of RESULTS) {
  const names = claims.map((claim) => CLAIM_NAMES[claim]).join();
  const state = isOn ? 'on' : 'off';
  test(`"${names}" ends with "${RESULT_NAMES[result]}" while the log is ${state}`, (t) => {
    const stage = isOn ? logged().stage : new Stage(dirtyLog);
    stage.duty(2, { claims });
    stage.as(Who.Host0, 2).begin();
    stage.end(result);
    if (rule === undefined) passes(t, stage);
    else reports(t, stage, rule);
  });
}

test('a result is not judged when the log was stopped meanwhile', (t) => {
  const { stage } = logged();
  stage.duty(2, { claims: ROUND });
  stage.as(Who.Host0, 2).begin();
  stage.as(Who.Host1, 3).claim(Claim.LogStopped);
  stage.as(Who.Host0, 2).end(Result.Invalid);
  passes(t, stage);
});

function stopped(late: 'late mark' | 'none'): Stage {
  const { stage } = logged();
  stage.duty(2, { claims: STOP });
  stage.as(Who.Host0, 2).begin();
  mark(stage, 5);
  stage.claim(Claim.LogStopped);
  if (late === 'late mark') stage.as(Who.Vcpu0, 1).claim(Claim.LogMarked, 7);
  stage.as(Who.Host0, 2).end();
  return stage;
}

test('a log that was stopped leaves no mark', (t) => {
  passes(t, stopped('none'));
});

test('a log that was stopped leaves the mark of a late reader', (t) => {
  const stage = stopped('late mark');
  reports(t, stage, 'marks-left');
  t.is(stage.scene.report.violation?.page, 7);
});

// ---- writes that the hardware logs when they set the dirty flag ----

/** As `logged`, the tree being one whose writes the hardware logs; page 5 is writable and clean. */
function hardwareLogged(attributes = READ_WRITE & ~DIRTY): { stage: Stage; word: number } {
  const stage = new Stage(dirtyLog);
  stage.claim(Claim.ContextCreated, TreeIndex.Guest, 0, 1);
  const word = stage.unheard(() => stage.map(5, stage.take(Role.Data), attributes));
  return { stage, word };
}

function queue(stage: Stage, page: number, isIn: boolean): void {
  stage.as(Who.Vcpu0, 1).claim(Claim.LogQueued, page, 0, isIn ? 1 : 0);
}

test('a writable entry without the dirty flag hides nothing, one with the flag does', (t) => {
  for (const isDirty of [false, true]) {
    const { stage } = hardwareLogged(READ_WRITE | (isDirty ? DIRTY : 0));
    start(stage);
    if (isDirty) reports(t, stage, 'writable-unmarked');
    else passes(t, stage);
  }
});

test('in another tree the dirty flag hides nothing and shows nothing', (t) => {
  const { stage } = hardwareLogged();
  stage.claim(Claim.ContextCreated, TreeIndex.Guest, 0, 0);
  start(stage);
  reports(t, stage, 'writable-unmarked');
});

test('a TLB entry with the dirty flag hides writes when the round ends', (t) => {
  for (const isDirty of [false, true]) {
    const { stage, word } = hardwareLogged(READ_WRITE | (isDirty ? DIRTY : 0));
    stage.cache(1, word);
    stage.unheard(() => stage.store(word, stage.load(word) & ~DIRTY));
    start(stage);
    if (isDirty) reports(t, stage, 'writable-cached');
    else passes(t, stage);
  }
});

test('a page in a hardware log counts as marked, for writes and for rounds', (t) => {
  const { stage, word } = hardwareLogged();
  start(stage);
  queue(stage, 5, true);
  stage.storeByHardware(word, stage.load(word) | DIRTY);
  write(stage, 5);
  stage.cache(0, word);
  harvest(stage);
  passes(t, stage);
});

test('software takes a page out of a hardware log after it has marked it, or loses the write', (t) => {
  for (const isMarked of [true, false]) {
    const { stage } = hardwareLogged();
    start(stage);
    queue(stage, 5, true);
    if (isMarked) mark(stage, 5);
    queue(stage, 5, false);
    if (isMarked) passes(t, stage);
    else reports(t, stage, 'write-lost');
  }
});

test('a page in two logs is in one when it was taken out of the other; none after a reset', (t) => {
  const { stage } = hardwareLogged();
  for (const isIn of [true, true, false]) queue(stage, 5, isIn);
  start(stage);
  write(stage, 5);
  t.is(stage.rule, undefined);
  stage.reset();
  start(stage);
  write(stage, 5);
  reports(t, stage, 'write-lost');
});

test('what is taken out while no log runs, or outside the slot, needs no mark', (t) => {
  const { stage } = hardwareLogged();
  for (const isIn of [true, false]) queue(stage, 5, isIn);
  start(stage);
  for (const isIn of [true, false]) queue(stage, FIRST - 1, isIn);
  passes(t, stage);
});
