/** Cards that say which entry a page is given, at which level, and that its own PE translates it. */
import test from 'ava';
import { abstractMap } from '../../oracles/abstract-map.ts';
import { staleTranslation } from '../../oracles/stale-translation.ts';
import { tableShape } from '../../oracles/table-shape.ts';
import { type Card, Change } from '../../sim/card.ts';
import { ACCESSED, CONTIGUOUS, leaf, READ, table, VALID } from '../../sim/descriptor.ts';
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

/** Maps pages from the frame in the first argument on, one by one. */
const MAPS: Partial<Card> = {
  tree: TreeIndex.Guest,
  lock: 'exclusive',
  inside: [Change.Install, Change.Rights],
  gives: ([frame = 0], page) => leaf(frame + page, READ_WRITE),
  level: () => 3,
};

function stageFor(card: Partial<Card>, range: readonly [number, number] = [0, 8]): Stage {
  const stage = new Stage(abstractMap, { hints: true });
  stage.duty(0, { ...MAPS, ...card }, range, range, [20]);
  return stage;
}

test('the entry that the card names, with or without the hint', (t) => {
  const stage = stageFor({});
  stage.begin();
  stage.map(0, 20);
  stage.map(1, 21, READ_WRITE | CONTIGUOUS);
  passes(t, stage);
});

test('another page, or other rights', (t) => {
  const stage = stageFor({});
  judgesAfresh(t, stage, 'other-entry', () => {
    stage.begin();
    stage.map(1, 20);
  });
  t.is(stage.scene.report.violation?.expected, leaf(21, READ_WRITE));
  const rights = stageFor({});
  rights.begin();
  rights.map(1, 21, READ_ONLY);
  reports(t, rights, 'other-entry');
});

test('an entry that keeps its page and gets other rights is judged as well, but not its level', (t) => {
  const stage = stageFor({ level: () => 2 }, [1, 1]);
  const word = stage.unheard(() => stage.map(1, 21, READ_ONLY));
  stage.begin();
  stage.store(word, leaf(21, READ_WRITE));
  passes(t, stage);
  stage.store(word, leaf(21, READ_ONLY));
  reports(t, stage, 'other-entry');
});

test('another level', (t) => {
  const stage = stageFor({ gives: ([frame = 0], page) => leaf(frame + page - 4, READ_WRITE) });
  judgesAfresh(t, stage, 'other-level', () => {
    stage.begin();
    stage.mapBlock(4, 20);
  });
  t.deepEqual(
    [stage.scene.report.violation?.expected, stage.scene.report.violation?.found],
    [3, 2],
  );
});

test('what the walker sets is not what the operation gives', (t) => {
  const stage = stageFor({}, [1, 1]);
  const old = READ_WRITE & ~ACCESSED;
  const word = stage.unheard(() => stage.map(1, 21, old));
  stage.begin();
  stage.storeByHardware(word, leaf(21, READ_WRITE));
  passes(t, stage);
});

// ---- table-shape ----

test('a contiguous hint where the tree has them, and where it has none', (t) => {
  const without = new Stage(tableShape);
  without.map(0, 5, READ_WRITE | CONTIGUOUS);
  reports(t, without, 'contiguous');
  const having = new Stage(tableShape, { hints: true });
  having.map(0, 5, READ_WRITE | CONTIGUOUS);
  passes(t, having);
});

// ---- stale-translation ----

const TRANSLATES: Partial<Card> = { tree: TreeIndex.Guest, translates: true };

function inserted(delays: boolean): Stage {
  const stage = new Stage(staleTranslation, { delays });
  stage.duty(0, TRANSLATES, [0, 2]);
  stage.lock(Lock.Mmu);
  stage.map(0, 5);
  return stage;
}

test('a PE that has not synchronised since it mapped a page may fault on it', (t) => {
  const stage = inserted(true);
  stage.unlock(Lock.Mmu);
  reports(t, stage, 'not-synchronised');
  t.is(stage.scene.report.violation?.pe, stage.machine.actors[Who.Host0]!.pe);
});

test('... one that has, or that runs where stores are seen at once, does not', (t) => {
  const stage = inserted(true);
  const { pe } = stage.machine.actors[Who.Host0]!;
  stage.machine.pes[pe]!.synchronisedAt = stage.machine.instance;
  stage.unlock(Lock.Mmu);
  passes(t, stage);
  const plain = inserted(false);
  plain.unlock(Lock.Mmu);
  t.is(plain.rule, undefined);
});

test('entries outside the range, of another tree, or gone again, are not the operation’s', (t) => {
  const stage = new Stage(staleTranslation, { delays: true });
  stage.duty(0, TRANSLATES, [0, 2]);
  stage.lock(Lock.Mmu);
  stage.path(0);
  const { pe } = stage.machine.actors[Who.Host0]!;
  stage.machine.pes[pe]!.synchronisedAt = stage.machine.instance;
  stage.map(2, 5);
  stage.map(0, 6, READ_WRITE, TreeIndex.Hypervisor);
  const gone = stage.map(1, 7);
  stage.store(gone, 0);
  stage.unlock(Lock.Mmu);
  passes(t, stage);
});

// ---- the map of what software knows ----

/** Bit 12 stands for an entry that software keeps, whether hardware sees it or not. */
const KEPT = 1 << 12;
const known = (word: number): number => ((word & KEPT) !== 0 ? word | VALID : word);

test('an entry or a table that is hidden from hardware stays in the map', (t) => {
  const stage = new Stage(abstractMap, { known });
  stage.duty(0, { tree: TreeIndex.Guest }, [0, 8]);
  const page = stage.unheard(() => stage.map(0, 5, READ_WRITE | KEPT));
  const parent = stage.word(0, 2);
  const keptTable = stage.load(parent) | KEPT;
  stage.unheard(() => stage.store(parent, keptTable));
  stage.begin();
  stage.store(page, stage.load(page) & ~VALID);
  stage.store(parent, keptTable & ~VALID);
  passes(t, stage);
  const { entries } = stage.tree(TreeIndex.Guest);
  t.is(entries[0], leaf(5, READ_WRITE | KEPT));
  stage.store(page, 0);
  reports(t, stage, 'change');
  t.is(entries[0], 0);
});

test('a hidden table is linked, and found when it is linked with its parent', (t) => {
  const stage = new Stage(tableShape, { known });
  const child = stage.take(Role.Table);
  const parent = stage.take(Role.Table);
  const { memory, tables } = stage.machine;
  memory.store(memory.address(parent, 0), (table(child) | KEPT) & ~VALID, 1);
  memory.store(memory.address(child, 1), leaf(9, READ | ACCESSED | KEPT) & ~VALID, 1);
  const top = stage.word(16, 1);
  stage.store(top, table(parent) | KEPT);
  passes(t, stage);
  t.is(tables.treeOf[child], TreeIndex.Guest);
  t.is(stage.tree(TreeIndex.Guest).entries[17], leaf(9, READ | ACCESSED | KEPT));
  stage.store(top, (table(parent) | KEPT) & ~VALID);
  t.is(tables.treeOf[child], TreeIndex.Guest);
  stage.store(top, 0);
  t.is(tables.treeOf[child], -1);
});
