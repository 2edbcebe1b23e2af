import test from 'ava';
import fc from 'fast-check';
import type { Oracle, OracleSpec, Scene } from '../../oracles/oracle.ts';
import { referenceCounts } from '../../oracles/reference-counts.ts';
import { Claim } from '../../sim/claims.ts';
import { frameOf, isTable, isValid, leaf, table } from '../../sim/descriptor.ts';
import { Event, type EventCode } from '../../sim/event.ts';
import { Mode } from '../../sim/locks.ts';
import { Role } from '../../sim/pages.ts';
import {
  COUNT_BASE,
  judgesAfresh,
  KERNEL_FRAMES,
  Lock,
  passes,
  READ_ONLY,
  READ_WRITE,
  reports,
  Stage,
  TreeIndex,
  Who,
} from './stage.ts';

/** Adds to the count of a table page, as the operation that runs. */
function add(stage: Stage, frame: number, delta: number): void {
  stage.store(stage.count(frame), stage.load(stage.count(frame)) + delta);
}

/** Page 0 is mapped, with all counts right and no lock held; nothing has been heard. */
function mapped(countBase: number = COUNT_BASE) {
  const stage = new Stage(referenceCounts, { countBase });
  const word = stage.unheard(() => {
    const leafWord = stage.map(0, stage.take(Role.Data));
    const path = [1, 2, 3].map((level) => stage.machine.memory.frame(stage.word(0, level)));
    for (const frame of path) stage.store(stage.count(frame), 2);
    return leafWord;
  });
  return { stage, word, child: stage.machine.memory.frame(word), parent: stage.word(0, 2) };
}

test('a leaf made and counted', (t) => {
  const { stage, child } = mapped();
  stage.lock(Lock.Mmu);
  stage.map(1, stage.take(Role.Data));
  add(stage, child, 1);
  stage.unlock(Lock.Mmu);
  passes(t, stage);
});

test('a leaf made and not counted', (t) => {
  const { stage, child } = mapped();
  stage.lock(Lock.Mmu);
  stage.map(1, stage.take(Role.Data));
  t.is(stage.rule, undefined, 'while the lock is held counts may be behind');
  stage.unlock(Lock.Mmu);
  reports(t, stage, 'too-low');
  const { violation } = stage.scene.report;
  t.is(violation?.frame, child);
  t.is(violation?.expected, 3);
  t.is(violation?.found, 2);
});

test('a leaf counted twice', (t) => {
  const { stage, child } = mapped();
  stage.lock(Lock.Mmu);
  add(stage, child, 1);
  stage.unlock(Lock.Mmu);
  reports(t, stage, 'too-high');
});

test('a leaf removed and still counted', (t) => {
  const { stage, word } = mapped();
  stage.lock(Lock.Mmu);
  stage.store(word, 0);
  stage.unlock(Lock.Mmu);
  reports(t, stage, 'too-high');
});

test('a table linked and not counted', (t) => {
  const { stage, parent } = mapped();
  stage.lock(Lock.Mmu);
  const sibling = parent + 1;
  const child = stage.take(Role.Table);
  add(stage, child, 1);
  stage.store(sibling, table(child));
  stage.unlock(Lock.Mmu);
  reports(t, stage, 'too-low');
  t.is(stage.scene.report.violation?.frame, stage.machine.memory.frame(parent));
});

test('counts of a page are judged when its own tree’s lock is dropped', (t) => {
  const { stage, child } = mapped();
  stage.lock(Lock.Mmu);
  stage.lock(Lock.Slots);
  add(stage, child, 1);
  stage.unlock(Lock.Slots);
  t.is(stage.rule, undefined);
  t.is(stage.judgements, 0);
  stage.unlock(Lock.Mmu);
  reports(t, stage, 'too-high');
});

test('annotations count where the tree has them', (t) => {
  for (const annotations of [false, true]) {
    const stage = new Stage(referenceCounts, { annotations });
    stage.lock(Lock.Mmu);
    stage.store(stage.path(0, 1), 0x40);
    stage.unlock(Lock.Mmu);
    if (annotations) reports(t, stage, 'too-low');
    else passes(t, stage);
  }
});

test('a page that was unlinked before the lock was dropped is not judged', (t) => {
  const { stage, child, parent } = mapped();
  stage.lock(Lock.Mmu);
  add(stage, child, 5);
  stage.store(parent, 0);
  add(stage, stage.machine.memory.frame(parent), -1);
  stage.unlock(Lock.Mmu);
  passes(t, stage);
});

test('the tables of a tree that is not counted', (t) => {
  const { stage } = mapped();
  stage.lock(Lock.Hypervisor);
  stage.map(0, 3, READ_WRITE, TreeIndex.Hypervisor);
  stage.unlock(Lock.Hypervisor);
  t.is(stage.rule, undefined);
  t.is(stage.judgements, 0);
});

test('the tables of a tree that no PE can load', (t) => {
  const { stage, child } = mapped();
  stage.lock(Lock.Mmu);
  add(stage, child, 5);
  stage.claim(Claim.ContextRetired, TreeIndex.Guest);
  stage.unlock(Lock.Mmu);
  t.is(stage.rule, undefined);
});

test('a second tree has a lock of its own', (t) => {
  const { stage } = mapped();
  stage.lock(Lock.Mmu);
  stage.lock(Lock.Shadow);
  stage.map(0, stage.take(Role.Data), READ_WRITE, TreeIndex.Shadow);
  stage.unlock(Lock.Mmu);
  t.is(stage.rule, undefined);
  stage.unlock(Lock.Shadow);
  reports(t, stage, 'too-low');
});

// ---- freed pages ----

test('a table freed with its last reference', (t) => {
  const { stage, child, parent } = mapped();
  stage.store(parent, 0);
  add(stage, child, -2);
  stage.free(child);
  passes(t, stage);
});

test('a table freed while it is counted', (t) => {
  const { stage, child, parent } = mapped();
  stage.store(parent, 0);
  stage.free(child);
  reports(t, stage, 'freed-while-counted');
  t.is(stage.scene.report.violation?.found, 2);
});

test('pages that are no tables may be freed whatever their count word says', (t) => {
  const { stage } = mapped();
  const frame = stage.take(Role.Cached);
  add(stage, frame, 1);
  stage.free(frame);
  t.is(stage.rule, undefined);
  t.is(stage.judgements, 0);
});

test('a page freed twice', (t) => {
  const { stage } = mapped();
  stage.emit(Event.DoubleFree, 40);
  reports(t, stage, 'freed-twice');
});

// ---- the end ----

test('linked tables may be there at the end', (t) => {
  const { stage } = mapped();
  stage.emit(Event.RunEnd);
  passes(t, stage);
});

test('an unlinked table is left over at the end', (t) => {
  const { stage, child, parent } = mapped();
  stage.store(parent, 0);
  stage.emit(Event.RunEnd);
  reports(t, stage, 'leaked');
  t.is(stage.scene.report.violation?.frame, child);
});

test('the table of a retired tree is left over at the end', (t) => {
  const { stage } = mapped();
  stage.claim(Claim.ContextRetired, TreeIndex.Guest);
  stage.emit(Event.RunEnd);
  reports(t, stage, 'leaked');
});

test('a page that was set aside is left over at the end', (t) => {
  const { stage } = mapped();
  stage.take(Role.Cached);
  stage.emit(Event.RunEnd);
  reports(t, stage, 'leaked');
});

test('a run that a deadlock ended is not asked for its pages', (t) => {
  const { stage } = mapped();
  stage.take(Role.Cached);
  const scheduler = { id: 'first', begin() {}, pick: () => 0, choose: () => 0 };
  const waits = {
    key: 'w',
    implicit: false,
    start: (self: (typeof stage.machine.actors)[number]) =>
      (function* () {
        yield* self.waitFor(1, 1, 7);
        return 0;
      })(),
  };
  stage.machine.load([[waits], [], [], [], []]);
  stage.machine.run(scheduler, { steps: 10, tail: 10 });
  t.false(stage.machine.finished);
  t.is(stage.machine.trace.kind(stage.machine.trace.count - 1), Event.RunEnd);
  t.is(stage.rule, undefined);
});

test('counts of systems that count nothing are not judged', (t) => {
  const { stage, word } = mapped(-1);
  stage.lock(Lock.Mmu);
  stage.store(word, 0);
  stage.unlock(Lock.Mmu);
  t.is(stage.rule, undefined);
  t.is(stage.judgements, 0);
});

test('a table that is left over is a leak also where nothing is counted', (t) => {
  const { stage } = mapped(-1);
  stage.take(Role.Cached);
  stage.emit(Event.RunEnd);
  reports(t, stage, 'leaked');
});

test('a run after a reset is judged afresh', (t) => {
  const stage = new Stage(referenceCounts);
  const { root } = stage.tree(TreeIndex.Guest);
  judgesAfresh(t, stage, 'too-high', () => {
    stage.lock(Lock.Mmu);
    add(stage, root, 1);
    stage.unlock(Lock.Mmu);
  });
  // a page touched by a run that was cut off is not judged in the next one
  stage.reset();
  stage.lock(Lock.Mmu);
  add(stage, root, 1);
  stage.reset();
  const { judgements } = stage;
  stage.lock(Lock.Mmu);
  stage.unlock(Lock.Mmu);
  t.is(stage.judgements, judgements);
  t.is(stage.rule, undefined);
});

// ---- found wanting once ----

test('another reader still holds the lock, and its update is not done', (t) => {
  const { stage, word, child } = mapped();
  stage.as(Who.Vcpu1, 1).lock(Lock.Mmu, Mode.Shared);
  stage.as(Who.Vcpu0, 0).lock(Lock.Mmu, Mode.Shared);
  stage.as(Who.Vcpu1, 1).store(word, 0);
  add(stage, child, -1);
  stage.store(word, leaf(40, READ_ONLY));
  stage.as(Who.Vcpu0, 0).unlock(Lock.Mmu);
  stage.as(Who.Vcpu1, 1);
  add(stage, child, 1);
  stage.unlock(Lock.Mmu);
  passes(t, stage);
});

test('a table that was filled before it is linked is judged', (t) => {
  const { stage, parent } = mapped();
  const child = stage.take(Role.Table);
  stage.machine.memory.store(stage.count(child), 1, 0);
  stage.lock(Lock.Mmu);
  stage.store(stage.machine.memory.address(child, 0), leaf(40, READ_ONLY));
  stage.store(parent + 1, table(child));
  add(stage, stage.machine.memory.frame(parent), 1);
  stage.unlock(Lock.Mmu);
  reports(t, stage, 'too-low');
});

// ---- a slow oracle that judges every table at every unlock ----

/** Frames of the tables that a walk from the root reaches. */
function reachable(scene: Scene, root: number, levels: number): readonly number[] {
  const { memory } = scene.machine;
  if (levels === 0) return [root];
  const words = [0, 1, 2, 3].map((index) => memory.load(memory.address(root, index)));
  return [root, ...words.filter(isTable).flatMap((w) => reachable(scene, frameOf(w), levels - 1))];
}

class SlowCounts implements Oracle {
  judgements = 0;
  readonly #scene: Scene;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  reset(): void {}

  onEvent(_kind: EventCode, lock: number): void {
    const { machine, report } = this.#scene;
    for (const tree of machine.tables.trees) {
      if (!tree.live || !tree.counted || tree.lock !== lock) continue;
      for (const frame of reachable(this.#scene, tree.root, 3 - tree.geometry.startLevel)) {
        const excess = this.#excess(frame);
        if (excess !== 0)
          report.add('slow', excess > 0 ? 'too-high' : 'too-low', 'count', { frame });
      }
    }
  }

  #excess(frame: number): number {
    const { memory } = this.#scene.machine;
    const words = [0, 1, 2, 3].map((index) => memory.load(memory.address(frame, index)));
    return memory.load(COUNT_BASE + frame) - 1 - words.filter(isValid).length;
  }
}

const slowCounts: OracleSpec = {
  id: 'slow',
  claim: 'as reference-counts',
  listens: [Event.LockDrop],
  create: (scene) => new SlowCounts(scene),
};

/** A deed, a page, and one chance in sixteen to forget the count. */
type Deed = readonly [number, number, number];

const deeds = fc.array(fc.tuple(fc.nat(9), fc.nat(15), fc.nat(15)), {
  minLength: 5,
  maxLength: 60,
});

/** Tables that have been linked; one that was unlinked does not come back. */
function play(stage: Stage, [deed, page, care]: Deed, tables: Set<number>): void {
  const index = (page & 8) === 0 ? TreeIndex.Guest : TreeIndex.Shadow;
  const parent = stage.word(page & 7, 2, index);
  const isForgotten = care === 0;
  if (deed < 5) changeLeaf(stage, parent, page & 3, deed, isForgotten);
  else if (deed < 7) changeTable(stage, parent, isForgotten, tables);
  else unlockOne(stage, [Lock.Mmu, Lock.Shadow, Lock.Slots][deed - 7]!);
}

function changeLeaf(
  stage: Stage,
  parent: number,
  at: number,
  deed: number,
  isForgotten: boolean,
): void {
  const entry = stage.load(parent);
  if (!isTable(entry)) return;
  const word = stage.machine.memory.address(frameOf(entry), at);
  const before = isValid(stage.load(word)) ? 1 : 0;
  stage.store(word, deed === 0 ? 0 : leaf(60 + (deed & 1), READ_WRITE));
  if (!isForgotten) add(stage, frameOf(entry), (deed === 0 ? 0 : 1) - before);
}

function changeTable(stage: Stage, parent: number, isForgotten: boolean, used: Set<number>): void {
  const isLinked = isTable(stage.load(parent));
  let frame = KERNEL_FRAMES + 8;
  while (used.has(frame)) frame += 1;
  if (!isLinked) {
    used.add(frame);
    stage.machine.memory.store(stage.count(frame), 1, 0);
  }
  stage.store(parent, isLinked ? 0 : table(frame));
  if (!isForgotten) add(stage, stage.machine.memory.frame(parent), isLinked ? -1 : 1);
}

function unlockOne(stage: Stage, lock: number): void {
  stage.lock(lock);
  stage.unlock(lock);
}

test('it agrees with a slow oracle that judges every table at every unlock', (t) => {
  const stage = new Stage(referenceCounts);
  const slow = stage.attach(slowCounts);
  const seen = new Set<string>();
  const agree = (stream: readonly Deed[]): void => {
    stage.reset();
    stage.unheard(() => countedPaths(stage));
    const tables = new Set<number>();
    for (const deed of stream) {
      play(stage, deed, tables);
      const { violation } = stage.scene.report;
      t.is(violation === undefined, slow.violation === undefined);
      if (violation !== undefined) break;
    }
    seen.add(stage.rule ?? 'nothing');
  };
  fc.assert(fc.property(deeds, agree), { numRuns: 1500, seed: 13 });
  t.deepEqual([...seen].sort(), ['nothing', 'too-high', 'too-low']);
});

/** The level-2 table of the guest's first pages is there from the start, and counted. */
function countedPaths(stage: Stage): void {
  const middle = stage.machine.memory.frame(stage.path(0, 2));
  stage.store(stage.count(middle), 1);
  stage.store(stage.count(stage.tree(TreeIndex.Guest).root), 2);
}

test('pages that were touched while another reader held the lock are judged with the last one', (t) => {
  const { stage, child } = mapped();
  stage.as(Who.Vcpu1, 1).lock(Lock.Mmu, Mode.Shared);
  stage.as(Who.Vcpu0, 0).lock(Lock.Mmu, Mode.Shared);
  add(stage, child, 1);
  stage.unlock(Lock.Mmu);
  t.is(stage.rule, undefined);
  stage.as(Who.Vcpu1, 1).unlock(Lock.Mmu);
  reports(t, stage, 'too-high');
});

test('the tables of a tree that counts nothing may be freed whatever their count says', (t) => {
  const stage = new Stage(referenceCounts);
  const word = stage.map(0, 3, READ_WRITE, TreeIndex.Hypervisor);
  const child = stage.machine.memory.frame(word);
  add(stage, child, 1);
  stage.store(stage.word(0, 2, TreeIndex.Hypervisor), 0);
  stage.free(child);
  t.is(stage.rule, undefined);
  t.is(stage.judgements, 0);
});

// ---- tables that are emptied ----

/** The only leaf of a table is removed by an operation; the table stays linked or not. */
function emptied(prunes: boolean, isUnlinked: boolean) {
  const { stage, word, child, parent } = mapped();
  stage.duty(0, { tree: TreeIndex.Guest, prunes });
  stage.as(Who.Host0, 0).lock(Lock.Mmu);
  stage.store(word, 0);
  add(stage, child, -1);
  if (isUnlinked) {
    stage.store(parent, 0);
    add(stage, stage.machine.memory.frame(parent), -1);
    add(stage, child, -1);
    stage.free(child);
    // the table above is empty now, and goes the same way
    const above = stage.word(0, 1);
    const next = stage.machine.memory.frame(parent);
    stage.store(above, 0);
    add(stage, stage.machine.memory.frame(above), -1);
    add(stage, next, -1);
    stage.free(next);
  }
  stage.unlock(Lock.Mmu);
  return { stage, child };
}

test('an operation that is to prune unlinks the tables that it has emptied', (t) => {
  passes(t, emptied(true, true).stage);
});

test('an operation that is to prune leaves a table that it has emptied', (t) => {
  const { stage, child } = emptied(true, false);
  reports(t, stage, 'left-empty');
  t.is(stage.scene.report.violation?.frame, child);
});

test('an operation that is not to prune may leave an empty table', (t) => {
  passes(t, emptied(false, false).stage);
});
