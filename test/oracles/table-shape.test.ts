import test from 'ava';
import { tableShape } from '../../oracles/table-shape.ts';
import { ACCESSED, CONTIGUOUS, leaf, READ, TABLE, table } from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { Role } from '../../sim/pages.ts';
import { judgesAfresh, passes, READ_WRITE, reports, Stage, TreeIndex } from './stage.ts';

function stageWithPage(): { stage: Stage; word: number } {
  const stage = new Stage(tableShape);
  return { stage, word: stage.map(0, stage.take(Role.Data)) };
}

test('pages, aligned blocks and tables where they belong', (t) => {
  const { stage } = stageWithPage();
  stage.mapBlock(4, stage.takeRun(Role.Data, 4));
  stage.map(0, 3, READ_WRITE, TreeIndex.Hypervisor);
  passes(t, stage);
});

test('a table with two parents', (t) => {
  const { stage } = stageWithPage();
  stage.store(stage.word(4, 2), stage.load(stage.word(0, 2)));
  reports(t, stage, 'two-parents');
});

test('a table moved from one parent to another', (t) => {
  const { stage } = stageWithPage();
  const entry = stage.load(stage.word(0, 2));
  stage.store(stage.word(0, 2), 0);
  stage.store(stage.word(4, 2), entry);
  passes(t, stage);
});

test('a table that names its root, another root, or itself', (t) => {
  for (const index of [TreeIndex.Guest, TreeIndex.Shadow] as const) {
    const { stage } = stageWithPage();
    stage.store(stage.word(4, 2), table(stage.tree(index).root));
    reports(t, stage, 'two-parents');
  }
  const { stage } = stageWithPage();
  const word = stage.word(4, 2);
  stage.store(word, table(stage.machine.memory.frame(word)));
  reports(t, stage, 'two-parents');
});

test('a free page linked as a table', (t) => {
  const { stage } = stageWithPage();
  const frame = stage.take(Role.Table);
  stage.free(frame);
  stage.store(stage.word(4, 2), table(frame));
  reports(t, stage, 'linked-free-page');
  t.is(stage.scene.report.violation?.frame, frame);
});

test('a page that was set aside may be linked', (t) => {
  const { stage } = stageWithPage();
  const frame = stage.take(Role.Cached);
  stage.store(stage.word(4, 2), table(frame));
  passes(t, stage);
  t.is(stage.machine.pages.role[frame], Role.Table);
});

test('a table below the last level', (t) => {
  const { stage } = stageWithPage();
  // no store leads here: the machine does not follow table entries of the last level
  stage.emit(Event.Linked, stage.take(Role.Table), 4, 0, 0);
  reports(t, stage, 'too-deep');
});

test('the reserved form at the last level', (t) => {
  const { stage, word } = stageWithPage();
  stage.store(word, stage.load(word) | TABLE);
  reports(t, stage, 'reserved-form');
});

test('a block at a level that has none', (t) => {
  const stage = new Stage(tableShape);
  stage.store(stage.path(0, 1), leaf(32, READ_WRITE));
  reports(t, stage, 'leaf-level');
});

test('a block whose output is not aligned', (t) => {
  for (const offset of [1, 2, 3]) {
    const stage = new Stage(tableShape);
    stage.mapBlock(4, 32 + offset);
    reports(t, stage, 'misaligned-block');
  }
});

test('a page needs no alignment', (t) => {
  const stage = new Stage(tableShape);
  stage.map(4, 33);
  passes(t, stage);
});

test('a leaf with a contiguous hint', (t) => {
  for (const level of [2, 3]) {
    const stage = new Stage(tableShape);
    stage.store(stage.path(4, level), leaf(32, READ_WRITE | CONTIGUOUS));
    reports(t, stage, 'contiguous');
  }
});

test('an invalid word may hold anything', (t) => {
  const { stage, word } = stageWithPage();
  stage.store(word, (leaf(33, READ_WRITE | CONTIGUOUS) | TABLE) & ~1);
  passes(t, stage);
});

test('an attribute changed by the walker is judged as any store', (t) => {
  const stage = new Stage(tableShape);
  const word = stage.map(0, 32, READ);
  stage.storeByHardware(word, stage.load(word) | ACCESSED);
  passes(t, stage);
});

test('a run after a reset is judged afresh', (t) => {
  const stage = new Stage(tableShape);
  judgesAfresh(t, stage, 'misaligned-block', () => {
    stage.mapBlock(4, 33);
  });
});

// ---- found wanting once ----

/** Links a table that holds `value` already. */
function linkFilled(value: number): Stage {
  const { stage } = stageWithPage();
  const child = stage.take(Role.Table);
  stage.store(stage.machine.memory.address(child, 0), value);
  stage.store(stage.word(4, 2), table(child));
  return stage;
}

test('what a table holds when it is linked: the reserved form', (t) => {
  reports(t, linkFilled(leaf(32, READ_WRITE) | TABLE), 'reserved-form');
});

test('what a table holds when it is linked: a contiguous hint', (t) => {
  reports(t, linkFilled(leaf(32, READ_WRITE | CONTIGUOUS)), 'contiguous');
});

test('what a table holds when it is linked: a misaligned block', (t) => {
  const stage = new Stage(tableShape);
  const child = stage.take(Role.Table);
  stage.store(stage.machine.memory.address(child, 0), leaf(33, READ_WRITE));
  stage.store(stage.word(0, 1), table(child));
  reports(t, stage, 'misaligned-block');
});

test('a table that names itself before it is linked', (t) => {
  const stage = new Stage(tableShape);
  const child = stage.take(Role.Table);
  stage.store(stage.machine.memory.address(child, 0), table(child));
  stage.store(stage.word(0, 1), table(child));
  reports(t, stage, 'two-parents');
});

test('a page of data linked as a table', (t) => {
  const { stage } = stageWithPage();
  stage.store(stage.word(4, 2), table(stage.take(Role.Data)));
  t.not(stage.rule, undefined);
});

test('two entries of a table that name the same table before they are linked', (t) => {
  const stage = new Stage(tableShape);
  const [upper, lower] = [stage.take(Role.Table), stage.take(Role.Table)];
  for (const at of [0, 2]) {
    stage.store(stage.machine.memory.address(upper, at), table(lower));
  }
  stage.store(stage.word(0, 1), table(upper));
  reports(t, stage, 'two-parents');
  t.is(stage.scene.report.violation?.page, 8);
});
