import test from 'ava';
import { permissions } from '../../oracles/permissions.ts';
import { Claim } from '../../sim/claims.ts';
import {
  ACCESSED,
  DIRTY,
  EXEC,
  Intent,
  leaf,
  MemoryType,
  READ,
  RIGHTS,
  SOFTWARE_MASK,
  table,
  WRITE,
} from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { x86Hardware } from '../../sim/hardware-x86.ts';
import { Role } from '../../sim/pages.ts';
import {
  judgesAfresh,
  passes,
  READ_ONLY,
  READ_WRITE,
  reports,
  Stage,
  TreeIndex,
  Who,
} from './stage.ts';

/** Operation 0 may give the right to read and write pages of the guest. */
function granting(grants: number | undefined = READ | WRITE): { stage: Stage; frame: number } {
  const stage = new Stage(permissions);
  const frame = stage.takeRun(Role.Data, 4);
  stage.duty(0, { tree: TreeIndex.Guest, ...(grants === undefined ? {} : { grants }) });
  return { stage: stage.as(Who.Vcpu0, 0), frame };
}

test('a page mapped with the rights that the operation may give, and with fewer', (t) => {
  const { stage, frame } = granting();
  stage.map(0, frame, READ_WRITE | SOFTWARE_MASK);
  stage.map(1, frame + 1, READ_ONLY);
  passes(t, stage);
});

test('a page mapped with a right that nobody asked for', (t) => {
  const { stage, frame } = granting();
  stage.map(5, frame, READ_WRITE | EXEC);
  reports(t, stage, 'right-not-asked-for');
  t.is(stage.scene.report.violation?.page, 5);
});

test('a block is judged like a page', (t) => {
  const { stage, frame } = granting();
  stage.mapBlock(4, frame, READ_WRITE | EXEC);
  reports(t, stage, 'right-not-asked-for');
});

test('a table that is linked is judged by what it holds', (t) => {
  const { stage, frame } = granting();
  const parent = stage.path(0, 2);
  const table = stage.load(stage.path(4, 2)) === 0 ? stage.take(Role.Table) : -1;
  stage.machine.memory.store(stage.machine.memory.address(table, 1), leaf(frame, READ | EXEC), 0);
  stage.store(parent, (table << 16) | 3);
  reports(t, stage, 'right-not-asked-for');
  t.is(stage.scene.report.violation?.page, 1);
});

test('a right that the page has already is kept', (t) => {
  const { stage, frame } = granting();
  const word = stage.unheard(() => stage.map(0, frame, READ_ONLY | EXEC));
  stage.store(word, leaf(frame, READ_WRITE | EXEC));
  passes(t, stage);
});

test('a right that another page had before is not kept', (t) => {
  const { stage, frame } = granting();
  const word = stage.unheard(() => stage.map(0, frame, READ_ONLY | EXEC));
  stage.store(word, leaf(frame + 1, READ_ONLY | EXEC));
  reports(t, stage, 'right-not-asked-for');
});

test('a page that cannot be read', (t) => {
  const { stage, frame } = granting();
  stage.map(0, frame, WRITE | ACCESSED);
  reports(t, stage, 'unreadable');
});

test('memory of another type', (t) => {
  const { stage, frame } = granting();
  stage.map(0, frame, READ_WRITE | MemoryType.Device);
  reports(t, stage, 'memory-type');
});

test('cards that name no rights, other trees and removals are not judged', (t) => {
  const { stage, frame } = granting(undefined);
  stage.duty(0, { tree: TreeIndex.Guest });
  stage.map(0, frame, READ_WRITE | EXEC);
  stage.duty(1, { tree: TreeIndex.Guest, grants: READ });
  stage.as(Who.Host0, 1).map(0, frame, READ_WRITE, TreeIndex.Shadow);
  stage.store(stage.word(0), 0);
  t.is(stage.rule, undefined);
  t.is(stage.judgements, 0);
});

test('what the walker stores is not judged', (t) => {
  const { stage, frame } = granting();
  const word = stage.unheard(() => stage.map(0, frame, READ | EXEC));
  stage.storeByHardware(word, leaf(frame, READ | EXEC | ACCESSED));
  t.is(stage.judgements, 0);
});

test('nothing of a run is left for the next one', (t) => {
  const stage = new Stage(permissions);
  stage.duty(0, { tree: TreeIndex.Guest, grants: READ | WRITE });
  judgesAfresh(t, stage, 'right-not-asked-for', () => {
    stage.as(Who.Vcpu0, 0).map(0, stage.takeRun(Role.Data, 4), READ_WRITE | EXEC);
  });
});

// ---- rights of tables, final protection, values that were displaced ----

const onX86 = (): Stage => new Stage(permissions, { hardware: x86Hardware });

test('a table that gives all rights, and one that takes the right to write away', (t) => {
  const stage = onX86();
  const parent = stage.unheard(() => stage.path(0, 2));
  stage.store(parent, table(stage.take(Role.Table)) | RIGHTS);
  passes(t, stage);
  stage.store(parent, stage.load(parent) & ~WRITE);
  reports(t, stage, 'table-rights');
});

test('tables without rights of their own are not judged by them', (t) => {
  const stage = new Stage(permissions);
  stage.store(stage.path(0, 2), table(stage.take(Role.Table)));
  t.is(stage.rule, undefined);
});

function write(stage: Stage, page: number, frame: number): void {
  stage.as(Who.Vcpu0, 0).emit(Event.Use, page, frame, Intent.Write, 3);
}

test('a guest write to a page that was forbidden for good', (t) => {
  const stage = onX86();
  write(stage, 2, 9);
  stage.claim(Claim.WriteForbidden, 2, 1);
  stage.emit(Event.Use, 2, 9, Intent.Read, 3);
  write(stage, 3, 10);
  passes(t, stage);
  write(stage, 2, 9);
  reports(t, stage, 'written-though-forbidden');
  t.is(stage.scene.report.violation?.page, 2);
});

test('a page that may be written again', (t) => {
  const stage = onX86();
  stage.claim(Claim.WriteForbidden, 2, 1);
  stage.claim(Claim.WriteForbidden, 2, 0);
  write(stage, 2, 9);
  passes(t, stage);
});

/** A store over an entry that holds `old`, by somebody who believes that it held `believed`. */
function replace(stage: Stage, old: number, believed: number): void {
  const word = stage.unheard(() => stage.path(0));
  stage.unheard(() => stage.store(word, old));
  stage.store(word, 0);
  stage.claim(Claim.EntryReplaced, word, believed, 0);
}

test('who overwrites an entry knows what was in it; the accessed flag may be missed (Rule V)', (t) => {
  const stage = onX86();
  replace(stage, leaf(9, READ_WRITE), leaf(9, READ_WRITE));
  replace(stage, leaf(9, READ_WRITE), leaf(9, READ_WRITE & ~ACCESSED));
  passes(t, stage);
});

for (const [what, lost] of [
  ['right to write', WRITE],
  ['dirty flag', DIRTY],
] as const) {
  test(`a ${what} that came in between is lost`, (t) => {
    const stage = onX86();
    replace(stage, leaf(9, READ_ONLY | lost), leaf(9, READ_ONLY));
    reports(t, stage, 'lost-update');
  });
}

test('where stores are delayed the claim is judged when the store has its effect', (t) => {
  for (const isLost of [false, true]) {
    const stage = new Stage(permissions, { hardware: x86Hardware, delays: true });
    const word = stage.unheard(() => stage.map(0, stage.take(Role.Data), READ_ONLY));
    const old = stage.load(word);
    const { stores, actors } = stage.machine;
    stores.add(0, 1, word, 0, actors[Who.Vcpu0]!);
    stage.as(Who.Vcpu0, 0).claim(Claim.EntryReplaced, word, old, 0);
    t.is(stage.rule, undefined);
    if (isLost) stage.unheard(() => stage.store(word, old | DIRTY));
    stores.remove(0);
    stage.store(word, 0);
    if (isLost) reports(t, stage, 'lost-update');
    else passes(t, stage);
    t.is(stage.judgements, 1);
  }
});

test('a claim about another word than the one just stored', (t) => {
  const stage = onX86();
  const word = stage.unheard(() => stage.path(0));
  stage.store(word, leaf(9, READ_WRITE));
  stage.claim(Claim.EntryReplaced, word + 1, 0, 0);
  reports(t, stage, 'lost-update');
});

// ---- devices ----

/** Pages 4 to 7 are a device's, and the operation may give the right to execute. */
function withDevice(): { stage: Stage; frame: number } {
  const made = granting(READ | WRITE | EXEC);
  made.stage.claim(Claim.DevicePages, 4, 4);
  return made;
}

test('a device is mapped as one, memory as memory', (t) => {
  const { stage, frame } = withDevice();
  stage.map(3, frame, READ_WRITE | EXEC);
  stage.map(4, frame + 1, READ_WRITE | MemoryType.Device);
  stage.map(7, frame + 2, READ_WRITE | MemoryType.Device);
  stage.map(8, frame + 3, READ_WRITE);
  passes(t, stage);
});

test('a device that is mapped as memory, and memory that is mapped as a device', (t) => {
  const device = withDevice();
  device.stage.map(4, device.frame, READ_WRITE);
  reports(t, device.stage, 'memory-type');
  const memory = withDevice();
  memory.stage.map(8, memory.frame, READ_WRITE | MemoryType.Device);
  reports(t, memory.stage, 'memory-type');
});

test('a device that can be executed', (t) => {
  const { stage, frame } = withDevice();
  stage.map(5, frame, READ_WRITE | EXEC | MemoryType.Device);
  reports(t, stage, 'device-executable');
});

test('no device is left after a reset', (t) => {
  const { stage, frame } = withDevice();
  stage.reset();
  stage.as(Who.Vcpu0, 0).map(4, frame, READ_WRITE);
  passes(t, stage);
});
