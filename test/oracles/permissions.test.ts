import test from 'ava';
import { permissions } from '../../oracles/permissions.ts';
import {
  ACCESSED,
  EXEC,
  leaf,
  MemoryType,
  READ,
  SOFTWARE_MASK,
  WRITE,
} from '../../sim/descriptor.ts';
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
