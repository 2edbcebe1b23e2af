/** What oracles know of domains: references to others' pages, devices, tags that change hands, shared PEs. */
import test from 'ava';
import { abstractMap } from '../../oracles/abstract-map.ts';
import { breakBeforeMake } from '../../oracles/break-before-make.ts';
import { freedPage } from '../../oracles/freed-page.ts';
import { referenceCounts } from '../../oracles/reference-counts.ts';
import { staleTranslation } from '../../oracles/stale-translation.ts';
import { type Card, Change, Result } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { Intent, leaf } from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { x86Hardware } from '../../sim/hardware-x86.ts';
import { Role } from '../../sim/pages.ts';
import { TlbKind } from '../../sim/tlb.ts';
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

const { Remove, Install, Replace } = Change;

// ---- abstract-map: what is outside the range comes back; no table for one entry ----

const SETS: Partial<Card> = {
  tree: TreeIndex.Guest,
  lock: 'exclusive',
  inside: [Remove, Install, Replace],
  outside: [Remove, Install],
  restores: true,
  spares: true,
};

/** The operation works on page 0 of a block of four, with the lock. */
function splitting(): { stage: Stage; word: number; frame: number } {
  const stage = new Stage(abstractMap);
  const frame = stage.takeRun(Role.Data, 4);
  const word = stage.unheard(() => stage.mapBlock(0, frame));
  stage.duty(0, SETS, [0, 1], [0, 4]);
  stage.begin();
  stage.lock(Lock.Mmu);
  return { stage, word, frame };
}

test('a block that is taken away and comes back as pages is restored', (t) => {
  const { stage, word, frame } = splitting();
  stage.store(word, 0);
  for (let page = 0; page < 4; page += 1) stage.map(page, frame + page);
  stage.store(stage.word(0), 0);
  stage.unlock(Lock.Mmu);
  stage.end();
  passes(t, stage);
});

test('... with a page outside the range missing, or another one there, it is not', (t) => {
  for (const other of [0, 7]) {
    const { stage, word, frame } = splitting();
    stage.store(word, 0);
    for (let page = 0; page < 3; page += 1) stage.map(page, frame + page);
    if (other !== 0) stage.map(3, other);
    stage.unlock(Lock.Mmu);
    reports(t, stage, 'not-restored');
    t.is(stage.scene.report.violation?.page, 3);
  }
});

test('another lock, or a card that restores nothing, settles nothing', (t) => {
  const { stage, word } = splitting();
  stage.store(word, 0);
  stage.lock(Lock.Second);
  stage.unlock(Lock.Second);
  t.is(stage.rule, undefined);
  stage.unlock(Lock.Mmu);
  reports(t, stage, 'not-restored');
  const free = new Stage(abstractMap);
  const block = free.unheard(() => free.mapBlock(0, free.takeRun(Role.Data, 4)));
  const { restores: _, ...others } = SETS;
  free.duty(0, others, [0, 1], [0, 4]);
  free.begin();
  free.lock(Lock.Mmu);
  free.store(block, 0);
  free.unlock(Lock.Mmu);
  passes(t, free);
});

test('a table made to take away exactly one block is needless; for a part of it, it is not', (t) => {
  for (const [range, isNeedless] of [
    [[0, 4], true],
    [[0, 1], false],
    [[0, 8], false],
  ] as const) {
    const stage = new Stage(abstractMap);
    stage.unheard(() => stage.mapBlock(0, stage.takeRun(Role.Data, 4)));
    stage.duty(0, SETS, range, range);
    stage.begin();
    stage.emit(Event.Allocate, stage.take(Role.Table), Role.Table);
    if (isNeedless) reports(t, stage, 'needless-table');
    else passes(t, stage);
  }
});

test('where nothing is mapped a table may be made, and data always', (t) => {
  const stage = new Stage(abstractMap);
  stage.duty(0, SETS, [0, 4], [0, 4]);
  stage.begin();
  stage.emit(Event.Allocate, stage.take(Role.Table), Role.Table);
  stage.unheard(() => stage.mapBlock(0, stage.takeRun(Role.Data, 4)));
  stage.emit(Event.Allocate, stage.take(Role.Data), Role.Data);
  stage.end(Result.Ok);
  passes(t, stage);
});

// ---- reference-counts: pages of others ----

function borrowing(): { stage: Stage; frame: number } {
  const stage = new Stage(referenceCounts, { countBase: -1 });
  return { stage, frame: stage.take(Role.Data) };
}

test('a page of another that is mapped with a reference, and given back when it is not', (t) => {
  const { stage, frame } = borrowing();
  stage.claim(Claim.PageReferenced, frame);
  stage.lock(Lock.Mmu);
  const word = stage.map(0, frame);
  stage.unlock(Lock.Mmu);
  stage.lock(Lock.Mmu);
  stage.store(word, 0);
  stage.claim(Claim.PageReleased, frame);
  stage.unlock(Lock.Mmu);
  stage.emit(Event.RunEnd);
  passes(t, stage);
});

test('mapped twice with one reference, or released while it is mapped', (t) => {
  const { stage, frame } = borrowing();
  judgesAfresh(t, stage, 'mapped-unreferenced', () => {
    stage.claim(Claim.PageReferenced, frame);
    stage.lock(Lock.Mmu);
    stage.map(0, frame);
    stage.map(1, frame);
    stage.unlock(Lock.Mmu);
  });
  t.deepEqual(
    [stage.scene.report.violation?.expected, stage.scene.report.violation?.found],
    [2, 1],
  );
});

test('a reference that is left at the end; while the run goes on somebody may hold one', (t) => {
  const { stage, frame } = borrowing();
  stage.claim(Claim.PageReferenced, frame);
  stage.lock(Lock.Mmu);
  stage.unlock(Lock.Mmu);
  passes(t, stage);
  stage.emit(Event.RunEnd);
  reports(t, stage, 'reference-left');
});

test('who gets a page that was freed needs no reference; who maps it still does', (t) => {
  for (const isMapped of [false, true]) {
    const { stage, frame } = borrowing();
    stage.claim(Claim.PageReferenced, frame);
    stage.lock(Lock.Mmu);
    if (isMapped) stage.map(0, frame);
    stage.unlock(Lock.Mmu);
    stage.claim(Claim.PageReleased, frame);
    stage.free(frame);
    t.is(stage.take(Role.Data), frame);
    stage.lock(Lock.Mmu);
    stage.map(isMapped ? 1 : 0, frame);
    stage.unlock(Lock.Mmu);
    if (isMapped) reports(t, stage, 'mapped-unreferenced');
    else passes(t, stage);
  }
});

test('mappings of a tree that is gone hold nothing', (t) => {
  const { stage, frame } = borrowing();
  stage.claim(Claim.PageReferenced, frame);
  const { memory } = stage.machine;
  const tables = [stage.map(0, frame), stage.word(0, 2)].map((word) => memory.frame(word));
  stage.claim(Claim.ContextRetired, TreeIndex.Guest);
  for (const table of [...tables, stage.tree(TreeIndex.Guest).root]) stage.free(table);
  stage.emit(Event.RunEnd);
  reports(t, stage, 'reference-left');
});

// ---- stale-translation: tags and shared PEs ----

test('a context is created with a tag under which something is cached', (t) => {
  const stage = new Stage(staleTranslation);
  const word = stage.map(0, stage.take(Role.Data));
  stage.cache(0, word);
  stage.claim(Claim.ContextRetired, TreeIndex.Guest);
  const root = stage.take(Role.Table);
  stage.claim(Claim.ContextCreated, TreeIndex.Guest, root);
  reports(t, stage, 'of-old-context');
});

test('... nothing, something under another tag, or hardware that forgets when it loads a context', (t) => {
  const stage = new Stage(staleTranslation);
  const own = stage.map(0, stage.take(Role.Data));
  stage.cache(0, stage.map(0, 9, READ_WRITE, TreeIndex.Shadow));
  stage.claim(Claim.ContextRetired, TreeIndex.Guest);
  stage.claim(Claim.ContextCreated, TreeIndex.Guest, stage.take(Role.Table));
  passes(t, stage);
  t.true(own > 0);
  const x86 = new Stage(staleTranslation, { hardware: x86Hardware });
  x86.cache(0, x86.map(0, x86.take(Role.Data)));
  x86.claim(Claim.ContextRetired, TreeIndex.Guest);
  x86.claim(Claim.ContextCreated, TreeIndex.Guest, x86.take(Role.Table));
  t.is(x86.rule, undefined);
});

test('a vCPU enters where another one has left combined translations', (t) => {
  for (const kind of [TlbKind.Combined, TlbKind.Leaf] as const) {
    const stage = new Stage(staleTranslation);
    const word = stage.map(0, stage.take(Role.Data));
    stage.as(Who.Vcpu0, 1).emit(Event.GuestEnter, 0);
    stage.cache(0, word, { kind });
    // the same one again
    stage.emit(Event.GuestEnter, 0);
    t.is(stage.rule, undefined);
    stage.as(Who.Vcpu1, 2).emit(Event.GuestEnter, 0);
    if (kind === TlbKind.Combined) reports(t, stage, 'of-another-vcpu');
    else passes(t, stage);
  }
});

// ---- devices ----

const DEVICE_PE = 3;

test('break-before-make is judged for PEs, not for the TLBs of devices', (t) => {
  for (const pe of [0, DEVICE_PE]) {
    const stage = new Stage(breakBeforeMake, { firstDevice: DEVICE_PE });
    const word = stage.map(0, 5);
    stage.cache(pe, word);
    stage.store(word, 0);
    stage.store(word, leaf(6, READ_ONLY));
    if (pe === DEVICE_PE) passes(t, stage);
    else reports(t, stage, 'made-while-cached');
  }
});

/** Page 0 was granted twice, the second time by who holds the lock; PE 3 is a device's. */
function replaced(): Stage {
  const stage = new Stage(freedPage, { firstDevice: DEVICE_PE });
  stage.claim(Claim.HostGrants, 0, 5, 1);
  stage.as(Who.Host0, 0);
  stage.lock(Lock.Mmu);
  stage.claim(Claim.HostGrants, 0, 6, 1);
  return stage;
}

test('a device may use what was replaced until the lock is dropped', (t) => {
  const stage = replaced();
  stage.as(Who.Host1, 1).emit(Event.Use, 0, 5, Intent.Read, 0);
  passes(t, stage);
  stage.as(Who.Host0, 0).unlock(Lock.Mmu);
  stage.as(Who.Host1, 1).emit(Event.Use, 0, 5, Intent.Read, 0);
  reports(t, stage, 'used');
});

test('... a vCPU may not, and a device nothing older', (t) => {
  const vcpu = replaced();
  vcpu.as(Who.Vcpu0, 1).emit(Event.Use, 0, 5, Intent.Read, 0);
  reports(t, vcpu, 'used');
  const device = replaced();
  device.as(Who.Host1, 1).emit(Event.Use, 0, 7, Intent.Read, 0);
  reports(t, device, 'used');
});
