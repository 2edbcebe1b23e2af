/** Trees that software makes from a table of the guest's own: their input pages are not the host's. */
import test from 'ava';
import { context } from '../../oracles/context.ts';
import { dirtyLog } from '../../oracles/dirty-log.ts';
import { freedPage } from '../../oracles/freed-page.ts';
import type { OracleSpec } from '../../oracles/oracle.ts';
import { progress } from '../../oracles/progress.ts';
import { baseRegister, FaultClass } from '../../sim/access.ts';
import { Claim } from '../../sim/claims.ts';
import { frameOf, Intent, WRITE } from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { Tlbi } from '../../sim/invalidation.ts';
import { Role } from '../../sim/pages.ts';
import {
  passes,
  READ_ONLY,
  READ_WRITE,
  reports,
  SHADOW_VMID,
  Stage,
  TreeIndex,
  Who,
} from './stage.ts';

const WRITABLE = 1;
/** What the guest's own table maps page 5 to. */
const NESTED = 2;
const { Shadow } = TreeIndex;

/** Page 5 is granted a frame, and vCPU 0 runs with the derived tree. */
function running(spec: OracleSpec, derived = true): { stage: Stage; frame: number } {
  const stage = new Stage(spec, { derived });
  const frame = stage.take(Role.Data);
  stage.claim(Claim.HostGrants, 5, frame, WRITABLE);
  stage.machine.pes[0]!.vttbr = baseRegister(stage.tree(Shadow).root, SHADOW_VMID);
  return { stage, frame };
}

test('a granted page is used through another input page, which only a derived tree allows', (t) => {
  for (const derived of [true, false]) {
    const { stage, frame } = running(freedPage, derived);
    stage.as(Who.Vcpu0, 0).emit(Event.Use, NESTED, frame, Intent.Read);
    if (derived) passes(t, stage);
    else reports(t, stage, 'used');
  }
});

test('a PE that has the guest’s own tree loaded uses pages by their own numbers', (t) => {
  const { stage, frame } = running(freedPage);
  stage.as(Who.Vcpu1, 0).emit(Event.Use, NESTED, frame, Intent.Read);
  reports(t, stage, 'used');
});

test('what the host took back is used through a derived tree', (t) => {
  const { stage, frame } = running(freedPage);
  stage.claim(Claim.HostRevokes, 5, frame);
  stage.as(Who.Vcpu0, 0).emit(Event.Use, NESTED, frame, Intent.Read);
  reports(t, stage, 'used');
});

test('a derived tree maps what is granted, and nothing else', (t) => {
  const { stage, frame } = running(freedPage);
  stage.map(NESTED, frame, READ_WRITE, Shadow);
  passes(t, stage);
  stage.map(NESTED + 1, frame + 1, READ_WRITE, Shadow);
  reports(t, stage, 'mapped');
});

test('a page that the host backs read-only is mapped writable', (t) => {
  const { stage, frame } = running(freedPage);
  stage.claim(Claim.HostGrants, 5, frame, 0);
  stage.map(NESTED, frame, READ_WRITE, Shadow);
  reports(t, stage, 'mapped-writable');
});

test('a page is freed while a derived tree still maps it', (t) => {
  const { stage, frame } = running(freedPage);
  stage.map(NESTED, frame, READ_WRITE, Shadow);
  stage.claim(Claim.HostRevokes, 5, frame);
  stage.free(frame);
  reports(t, stage, 'freed-while-mapped');
});

/** A write fault on a page, whose entry was read-only and has been relaxed; its old copy is still cached or not. */
function relaxed(isCached: boolean): Stage {
  const { stage, frame } = running(progress);
  stage.duty(0, { tree: TreeIndex.Guest, lock: 'shared', everyGuestTree: true });
  const word = stage.unheard(() => stage.map(NESTED, frame, READ_ONLY, Shadow));
  if (isCached) stage.cache(0, word);
  stage.as(Who.Vcpu0, 0).begin();
  stage.emit(Event.Fault, NESTED, FaultClass.Permission, 3, Intent.Write);
  stage.store(word, stage.load(word) | READ_WRITE);
  stage.claim(Claim.FaultHandled, NESTED, 1);
  return stage;
}

test('the entry that faulted is looked for under the tree that is loaded', (t) => {
  reports(t, relaxed(true), 'faulting-entry-left');
  passes(t, relaxed(false));
});

test('an operation on all trees invalidates each with its own number, and no other', (t) => {
  for (const [vmid, everyGuestTree, isFine] of [
    [SHADOW_VMID, true, true],
    [SHADOW_VMID, false, false],
    [SHADOW_VMID + 1, true, false],
  ] as const) {
    const stage = new Stage(context, { derived: true });
    const every = everyGuestTree ? ({ everyGuestTree } as const) : {};
    stage.duty(0, { tree: TreeIndex.Guest, lock: 'exclusive', ...every });
    stage.emit(Event.InvalidateIssue, Tlbi.Ipas2e1 | (1 << 8) | (vmid << 16), 0, 1);
    if (isFine) passes(t, stage);
    else reports(t, stage, 'wrong-vmid');
  }
});

// ---- the dirty log ----

/** Page 5 is logged, and the derived tree has an entry for it at another input page, made before. */
function logged(attributes: number, isMarked: boolean): Stage {
  const { stage, frame } = running(dirtyLog);
  stage.unheard(() => stage.map(NESTED, frame, attributes, Shadow));
  stage.as(Who.Host0, 1);
  if (isMarked) stage.claim(Claim.LogMarked, 5);
  stage.claim(Claim.LogStarted, 0, 16);
  return stage;
}

test('a page of the slot that may be written through a derived tree needs a mark of its own', (t) => {
  const open = logged(READ_WRITE, false);
  reports(t, open, 'writable-unmarked');
  t.is(open.scene.report.violation?.page, 5);
  passes(t, logged(READ_WRITE, true));
  passes(t, logged(READ_ONLY, false));
});

test('a write through a derived tree is one to the page of the slot', (t) => {
  const stage = logged(READ_ONLY, false);
  const entry = stage.machine.tables.trees[Shadow]!.entries[NESTED]!;
  stage.as(Who.Vcpu0, 0).emit(Event.Use, NESTED, frameOf(entry), Intent.Write);
  reports(t, stage, 'write-lost');
  t.is(stage.scene.report.violation?.page, 5);
});

test('what a PE has cached of a derived tree is writable under the page of the slot', (t) => {
  for (const isMarked of [true, false]) {
    const { stage, frame } = running(dirtyLog);
    const word = stage.unheard(() => stage.map(NESTED, frame, READ_WRITE, Shadow));
    stage.cache(0, word);
    stage.unheard(() => stage.store(word, stage.load(word) & ~WRITE));
    stage.as(Who.Host0, 1);
    if (isMarked) stage.claim(Claim.LogMarked, 5);
    stage.claim(Claim.LogStarted, 0, 16);
    if (isMarked) passes(t, stage);
    else reports(t, stage, 'writable-cached');
  }
});
