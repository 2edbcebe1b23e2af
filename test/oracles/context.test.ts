import test from 'ava';
import { context } from '../../oracles/context.ts';
import type { Card } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { ACCESSED } from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { Tlbi } from '../../sim/invalidation.ts';
import { Mode } from '../../sim/locks.ts';
import { Role } from '../../sim/pages.ts';
import {
  GUEST_VMID,
  judgesAfresh,
  Lock,
  passes,
  READ_WRITE,
  reports,
  SHADOW_VMID,
  Stage,
  TreeIndex,
  Who,
} from './stage.ts';

function stageFor(card: Partial<Card>): { stage: Stage; word: number } {
  const stage = new Stage(context);
  stage.duty(0, { tree: TreeIndex.Guest, lock: 'exclusive', ...card });
  const word = stage.unheard(() => stage.map(0, stage.take(Role.Data)));
  return { stage, word };
}

// ---- the lock ----

const { Exclusive, Shared } = Mode;

const HOLDS: readonly (readonly [Card['lock'], Mode | undefined, boolean])[] = [
  ['exclusive', Exclusive, true],
  ['exclusive', Shared, false],
  ['exclusive', undefined, false],
  ['shared', Exclusive, true],
  ['shared', Shared, true],
  ['shared', undefined, false],
  ['none', undefined, true],
];

for (const [needed, mode, isFine] of HOLDS) {
  const held = mode === undefined ? 'no lock' : mode === Exclusive ? 'exclusive' : 'shared';
  test(`a store that needs ${needed}, made with ${held}`, (t) => {
    const { stage, word } = stageFor({ lock: needed });
    if (mode !== undefined) stage.lock(Lock.Mmu, mode);
    stage.store(word, 0);
    if (isFine) passes(t, stage);
    else reports(t, stage, 'store-without-lock');
  });
}

test('a lock that somebody else holds is no lock', (t) => {
  const { stage, word } = stageFor({});
  stage.as(Who.Vcpu0, 1).lock(Lock.Mmu);
  stage.as(Who.Host0, 0).store(word, 0);
  reports(t, stage, 'store-without-lock');
});

test('the lock of another tree is no lock', (t) => {
  const { stage, word } = stageFor({});
  stage.lock(Lock.Shadow);
  stage.store(word, 0);
  reports(t, stage, 'store-without-lock');
});

test('an operation without a card needs the lock', (t) => {
  const { stage, word } = stageFor({});
  stage.as(Who.Host1, 9).store(word, 0);
  reports(t, stage, 'store-without-lock');
});

test('the walker, tables that are not linked, and trees that no PE can load need no lock', (t) => {
  const { stage, word } = stageFor({});
  stage.storeByHardware(word, stage.load(word) & ~ACCESSED);
  stage.store(stage.machine.memory.address(stage.take(Role.Table), 0), 1);
  stage.claim(Claim.ContextRetired, TreeIndex.Guest);
  stage.store(word, 0);
  t.is(stage.rule, undefined);
  t.is(stage.judgements, 0);
});

// ---- sleep ----

test('what may sleep under no lock, or under a mutex', (t) => {
  const { stage } = stageFor({});
  stage.emit(Event.MaySleep);
  stage.lock(Lock.Slots);
  stage.lock(Lock.Hypervisor);
  stage.emit(Event.MaySleep);
  passes(t, stage);
});

for (const [name, lock, mode] of [
  ['a spin lock', Lock.Shadow, Exclusive],
  ['a reader-writer lock, to write', Lock.Mmu, Exclusive],
  ['a reader-writer lock, to read', Lock.Mmu, Shared],
] as const) {
  test(`what may sleep under ${name}`, (t) => {
    const { stage } = stageFor({});
    stage.lock(lock, mode);
    stage.emit(Event.MaySleep);
    reports(t, stage, 'sleep-under-lock');
    t.is(stage.scene.report.violation?.found, lock);
  });

  test(`a mutex taken under ${name}`, (t) => {
    const { stage } = stageFor({});
    stage.lock(lock, mode);
    stage.lock(Lock.Slots);
    reports(t, stage, 'sleep-under-lock');
  });
}

test('spinning locks may nest, inside mutexes and in each other', (t) => {
  const { stage } = stageFor({});
  stage.lock(Lock.Slots);
  stage.lock(Lock.Mmu);
  stage.lock(Lock.Shadow);
  stage.lock(Lock.Second, Shared);
  passes(t, stage);
});

test('what may sleep after the spin lock was dropped', (t) => {
  const { stage } = stageFor({});
  stage.lock(Lock.Shadow);
  stage.unlock(Lock.Shadow);
  stage.emit(Event.MaySleep);
  passes(t, stage);
});

test('a spin lock that somebody else holds does not matter', (t) => {
  const { stage } = stageFor({});
  stage.as(Who.Vcpu0, 1).lock(Lock.Shadow);
  stage.as(Who.Host0, 0).emit(Event.MaySleep);
  passes(t, stage);
});

// ---- invalidations ----

function invalidate(stage: Stage, operation: Tlbi, vmid: number): void {
  stage.emit(Event.InvalidateIssue, operation | (1 << 8) | (vmid << 16), 0, 1);
}

const BY_VMID = [Tlbi.Ipas2e1, Tlbi.Ipas2le1, Tlbi.Ripas2e1, Tlbi.Vmalle1, Tlbi.Vmalls12e1];

test('invalidations of the guest name its VMID', (t) => {
  for (const operation of BY_VMID) {
    const { stage } = stageFor({});
    invalidate(stage, operation, GUEST_VMID);
    passes(t, stage);
    invalidate(stage, operation, SHADOW_VMID);
    reports(t, stage, 'wrong-vmid');
    t.is(stage.scene.report.violation?.expected, GUEST_VMID);
    t.is(stage.scene.report.violation?.found, SHADOW_VMID);
  }
});

test('an invalidation before the context was entered has no VMID', (t) => {
  const { stage } = stageFor({});
  invalidate(stage, Tlbi.Ipas2e1, 0);
  reports(t, stage, 'wrong-vmid');
});

test('invalidations of everything and of the hypervisor name no VMID', (t) => {
  const { stage } = stageFor({});
  for (const operation of [Tlbi.Alle1, Tlbi.Vae2, Tlbi.Vale2, Tlbi.Alle2]) {
    invalidate(stage, operation, 0);
  }
  t.is(stage.rule, undefined);
  t.is(stage.judgements, 0);
});

test('operations without a guest tree are not judged', (t) => {
  for (const tree of [-1, TreeIndex.Hypervisor]) {
    const { stage } = stageFor({ tree });
    invalidate(stage, Tlbi.Ipas2e1, 0);
    t.is(stage.judgements, 0);
  }
  const { stage } = stageFor({});
  stage.as(Who.Host1, 9);
  invalidate(stage, Tlbi.Ipas2e1, 0);
  t.is(stage.judgements, 0);
});

test('an operation on the shadow tree names its VMID', (t) => {
  const { stage } = stageFor({ tree: TreeIndex.Shadow });
  invalidate(stage, Tlbi.Ipas2e1, SHADOW_VMID);
  passes(t, stage);
});

test('a run after a reset is judged afresh', (t) => {
  const { stage } = stageFor({});
  stage.reset();
  judgesAfresh(t, stage, 'store-without-lock', () => {
    stage.map(0, 40, READ_WRITE);
  });
});

// ---- found wanting once ----

test('the mode of a card is for its own tree', (t) => {
  const { stage } = stageFor({ tree: TreeIndex.Guest, lock: 'none' });
  stage.map(0, 40, READ_WRITE, TreeIndex.Shadow);
  reports(t, stage, 'store-without-lock');
});

test('waiting for a mutex under a spin lock is sleep, even in vain', (t) => {
  const { stage } = stageFor({});
  const { machine } = stage;
  const { host, vcpu } = { host: machine.actors[Who.Host0]!, vcpu: machine.actors[Who.Vcpu0]! };
  machine.locks.take(Lock.Slots, Exclusive, vcpu.index);
  machine.load([[], [], [{ key: 'o', implicit: false, start: lockBoth }], [], []]);
  machine.run({ id: 'host', begin() {}, pick: () => host.index, choose: () => 0 }, LIMITS);
  reports(t, stage, 'sleep-under-lock');
});

const LIMITS = { steps: 10, tail: 10 };

function* lockBoth(self: Stage['machine']['actors'][number]) {
  yield* self.acquire(1, Lock.Shadow, Exclusive);
  yield* self.acquire(1, Lock.Slots, Exclusive);
  return 0;
}

test('an actor that waits for a spin lock under a spin lock does not sleep', (t) => {
  const { stage } = stageFor({});
  const { machine } = stage;
  machine.locks.take(Lock.Mmu, Exclusive, Who.Vcpu0);
  machine.load([[], [], [{ key: 'o', implicit: false, start: lockSpinning }], [], []]);
  machine.run({ id: 'host', begin() {}, pick: () => Who.Host0, choose: () => 0 }, LIMITS);
  t.is(stage.rule, undefined);
});

function* lockSpinning(self: Stage['machine']['actors'][number]) {
  yield* self.acquire(1, Lock.Shadow, Exclusive);
  yield* self.acquire(1, Lock.Mmu, Exclusive);
  return 0;
}

// ---- what is loaded ----

test('a host thread that loads a guest context and puts the old one back', (t) => {
  const { stage } = stageFor({});
  const pe = stage.machine.pes[2]!;
  const before = pe.vttbr;
  stage.as(Who.Host0, 0).begin();
  pe.vttbr = before ^ 1;
  stage.emit(Event.Register, 1, pe.vttbr);
  pe.vttbr = before;
  stage.end();
  passes(t, stage);
});

test('a host thread that leaves a guest context loaded', (t) => {
  const { stage } = stageFor({});
  stage.as(Who.Host0, 0).begin();
  stage.machine.pes[2]!.vttbr ^= 1;
  stage.end();
  reports(t, stage, 'context-left');
  t.is(stage.scene.report.violation?.pe, 2);
});

test('a vCPU may load another context', (t) => {
  const { stage } = stageFor({});
  stage.as(Who.Vcpu0, 0).begin();
  stage.machine.pes[0]!.vttbr ^= 1;
  stage.end();
  t.is(stage.rule, undefined);
});
