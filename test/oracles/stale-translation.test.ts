import test from 'ava';
import fc from 'fast-check';
import type { Oracle, OracleSpec, Scene } from '../../oracles/oracle.ts';
import { staleTranslation } from '../../oracles/stale-translation.ts';
import type { Card } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import {
  ACCESSED,
  EXEC,
  FRAME_MASK,
  isLeaf,
  leaf,
  MemoryType,
  READ,
  RIGHTS,
  SOFTWARE_MASK,
  TYPE_MASK,
  table,
  WRITE,
} from '../../sim/descriptor.ts';
import { Event, type EventCode } from '../../sim/event.ts';
import { x86Hardware } from '../../sim/hardware-x86.ts';
import { Role } from '../../sim/pages.ts';
import { Regime } from '../../sim/tables.ts';
import { TlbKind } from '../../sim/tlb.ts';
import { Held, Phase } from '../../sim/walk.ts';
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

const REMOVED_BY_UNLOCK: Partial<Card> = {
  tree: TreeIndex.Guest,
  unusable: 'removed',
  by: 'unlock',
};
const TIGHTENED_BY_END: Partial<Card> = { tree: TreeIndex.Guest, unusable: 'tightened', by: 'end' };

/** Page 0 is mapped and cached on PE 1; operation 0 of the host begins and takes the lock. */
function held(card: Partial<Card>, attributes: number = READ_WRITE) {
  const stage = new Stage(staleTranslation);
  stage.duty(0, card);
  stage.duty(1, card);
  const word = stage.unheard(() => stage.map(0, stage.take(Role.Data), attributes));
  stage.cache(1, word);
  stage.lock(Lock.Mmu);
  return { stage, word };
}

test('an entry removed is still cached when the lock is dropped', (t) => {
  const { stage, word } = held(REMOVED_BY_UNLOCK);
  stage.store(word, 0);
  t.is(stage.rule, undefined, 'not before the promise falls due');
  stage.unlock(Lock.Mmu);
  reports(t, stage, 'removed');
  const { violation } = stage.scene.report;
  t.is(violation?.page, 0);
  t.is(violation?.pe, 1);
  t.is(violation?.word, word);
});

test('the entry is gone when the lock is dropped', (t) => {
  const { stage, word } = held(REMOVED_BY_UNLOCK);
  stage.store(word, 0);
  stage.flush(1);
  stage.unlock(Lock.Mmu);
  stage.end();
  passes(t, stage);
});

test('a promise by unlock is judged at the unlock of the tree’s own lock', (t) => {
  const { stage, word } = held(REMOVED_BY_UNLOCK);
  stage.lock(Lock.Slots);
  stage.store(word, 0);
  stage.unlock(Lock.Slots);
  t.is(stage.rule, undefined);
  t.is(stage.judgements, 0);
});

test('a promise by unlock that was never judged at an unlock is judged at the end', (t) => {
  const { stage, word } = held(REMOVED_BY_UNLOCK);
  stage.store(word, 0);
  stage.end();
  reports(t, stage, 'removed');
});

test('a promise by the end leaves time after the unlock', (t) => {
  const { stage, word } = held({ ...REMOVED_BY_UNLOCK, by: 'end' });
  stage.store(word, 0);
  stage.unlock(Lock.Mmu);
  t.is(stage.rule, undefined);
  stage.flush(1);
  stage.end();
  passes(t, stage);
});

test('a promise by the end is broken', (t) => {
  const { stage, word } = held({ ...REMOVED_BY_UNLOCK, by: 'end' });
  stage.store(word, 0);
  stage.unlock(Lock.Mmu);
  stage.end();
  reports(t, stage, 'removed');
});

test('each chunk keeps the promise before the lock is dropped (E13)', (t) => {
  const { stage, word } = held(REMOVED_BY_UNLOCK);
  stage.store(word, 0);
  stage.flush(1);
  stage.unlock(Lock.Mmu);
  stage.lock(Lock.Mmu);
  const next = stage.unheard(() => stage.map(4, stage.take(Role.Data)));
  stage.cache(0, next);
  stage.store(next, 0);
  stage.unlock(Lock.Mmu);
  reports(t, stage, 'removed');
  t.is(stage.scene.report.violation?.page, 4);
});

test('a walk in flight holds the removed entry', (t) => {
  const { stage, word } = held(REMOVED_BY_UNLOCK);
  stage.flush(1);
  stage.walkHolds(Who.Walker0, word, 0);
  stage.store(word, 0);
  stage.unlock(Lock.Mmu);
  reports(t, stage, 'removed');
  t.is(stage.scene.report.violation?.pe, 0);
});

for (const kind of [TlbKind.Combined, TlbKind.Leaf] as const) {
  test(`either kind of entry counts (kind ${kind})`, (t) => {
    const { stage, word } = held(REMOVED_BY_UNLOCK);
    stage.flush(1);
    stage.cache(3, word, { kind });
    stage.store(word, 0);
    stage.unlock(Lock.Mmu);
    reports(t, stage, 'removed');
  });
}

test('another page and another memory type are removals', (t) => {
  for (const bits of [1 << 16, MemoryType.Device]) {
    const { stage, word } = held(REMOVED_BY_UNLOCK);
    stage.store(word, stage.load(word) ^ bits);
    stage.unlock(Lock.Mmu);
    reports(t, stage, 'removed');
  }
});

test('a block that becomes a table is a removal', (t) => {
  const stage = new Stage(staleTranslation);
  stage.duty(0, REMOVED_BY_UNLOCK);
  const word = stage.mapBlock(4, stage.takeRun(Role.Data, 4));
  stage.cache(0, word);
  stage.lock(Lock.Mmu);
  stage.store(word, 0);
  stage.store(word, table(stage.take(Role.Table)));
  stage.unlock(Lock.Mmu);
  reports(t, stage, 'removed');
});

test('a translation made from the descriptor that came after is nobody’s debt', (t) => {
  const { stage, word } = held(REMOVED_BY_UNLOCK);
  const value = stage.load(word);
  stage.store(word, 0);
  stage.flush(1);
  stage.store(word, value);
  stage.cache(1, word);
  stage.unlock(Lock.Mmu);
  passes(t, stage);
});

test('walk-cache entries are left to freed-table', (t) => {
  const { stage, word } = held(REMOVED_BY_UNLOCK);
  stage.flush(1);
  stage.cache(1, stage.word(0, 2));
  stage.store(word, 0);
  stage.store(stage.word(0, 2), 0);
  stage.unlock(Lock.Mmu);
  passes(t, stage);
});

// ---- tightened ----

test('a right taken away is still cached at the end', (t) => {
  const { stage, word } = held(TIGHTENED_BY_END);
  stage.store(word, stage.load(word) & ~WRITE);
  stage.unlock(Lock.Mmu);
  stage.end();
  reports(t, stage, 'tightened');
});

test('every right counts, not only the one to write', (t) => {
  const { stage, word } = held(TIGHTENED_BY_END, READ | EXEC | ACCESSED);
  stage.store(word, stage.load(word) & ~EXEC);
  stage.end();
  reports(t, stage, 'tightened');
});

test('a card that promises removals only does not owe restrictions', (t) => {
  const { stage, word } = held(REMOVED_BY_UNLOCK);
  stage.store(word, stage.load(word) & ~WRITE);
  stage.unlock(Lock.Mmu);
  stage.end();
  passes(t, stage);
});

test('a card that promises restrictions owes removals too', (t) => {
  const { stage, word } = held(TIGHTENED_BY_END);
  stage.store(word, 0);
  stage.end();
  reports(t, stage, 'removed');
});

test('the right was granted again meanwhile', (t) => {
  const { stage, word } = held(TIGHTENED_BY_END);
  const value = stage.load(word);
  stage.store(word, value & ~WRITE);
  stage.unlock(Lock.Mmu);
  stage.as(Who.Vcpu0, 1).store(word, value);
  stage.as(Who.Host0, 0).end();
  passes(t, stage);
});

test('one of two rights was granted again', (t) => {
  const { stage, word } = held(TIGHTENED_BY_END, READ_WRITE | EXEC);
  const value = stage.load(word);
  stage.store(word, value & ~(WRITE | EXEC));
  stage.as(Who.Vcpu0, 1).store(word, value & ~EXEC);
  stage.as(Who.Host0, 0).end();
  reports(t, stage, 'tightened');
});

test('rights added, flags and software bits owe nothing', (t) => {
  const { stage, word } = held(TIGHTENED_BY_END, READ_ONLY);
  stage.store(word, stage.load(word) | WRITE);
  stage.store(word, stage.load(word) ^ (ACCESSED | SOFTWARE_MASK));
  stage.end();
  t.is(stage.rule, undefined);
  t.is(stage.judgements, 0);
});

// ---- whose debt ----

test('an operation is not blamed for what another one removed', (t) => {
  const { stage, word } = held(REMOVED_BY_UNLOCK);
  const other = stage.unheard(() => stage.map(1, stage.take(Role.Data)));
  stage.cache(0, other);
  stage.store(word, 0);
  stage.flush(1);
  stage.as(Who.Host1, 1).store(other, 0);
  stage.as(Who.Host0, 0).end();
  passes(t, stage);
  stage.as(Who.Host1, 1).end();
  reports(t, stage, 'removed');
  t.is(stage.scene.report.violation?.operation, 1);
});

test('an operation that promises nothing owes nothing', (t) => {
  const { stage, word } = held({ tree: TreeIndex.Guest, unusable: 'nothing' });
  stage.store(word, 0);
  stage.unlock(Lock.Mmu);
  stage.end();
  t.is(stage.rule, undefined);
  t.is(stage.judgements, 0);
});

test('what the walker stores is no removal', (t) => {
  const { stage, word } = held(REMOVED_BY_UNLOCK, READ | WRITE);
  stage.storeByHardware(word, 0);
  stage.end();
  t.is(stage.rule, undefined);
  t.is(stage.judgements, 0);
});

test('a right taken away in a tree that died since is nobody’s concern', (t) => {
  const { stage, word } = held(TIGHTENED_BY_END);
  stage.store(word, stage.load(word) & ~WRITE);
  stage.claim(Claim.ContextRetired, TreeIndex.Guest);
  stage.end();
  passes(t, stage);
});

test('an entry made before an attribute changed is a translation, too', (t) => {
  const { stage, word } = held(REMOVED_BY_UNLOCK);
  // another operation ages the page; what PE 1 caches was made from the descriptor before
  stage.as(Who.Host1, 1).store(word, stage.load(word) & ~ACCESSED);
  stage.as(Who.Host0, 0).store(word, 0);
  stage.unlock(Lock.Mmu);
  reports(t, stage, 'removed');
});

test('removing what another operation has only restricted', (t) => {
  const { stage, word } = held(REMOVED_BY_UNLOCK);
  stage.duty(1, TIGHTENED_BY_END);
  stage.as(Who.Host1, 1).store(word, stage.load(word) & ~WRITE);
  stage.as(Who.Host0, 0).store(word, 0);
  stage.unlock(Lock.Mmu);
  reports(t, stage, 'removed');
});

test('an entry made before the walker set the flag again', (t) => {
  const { stage, word } = held(REMOVED_BY_UNLOCK);
  stage.as(Who.Host1, 1).store(word, stage.load(word) & ~ACCESSED);
  stage.as(Who.Walker0, 2).storeByHardware(word, stage.load(word) | ACCESSED);
  stage.as(Who.Host0, 0).store(word, 0);
  stage.unlock(Lock.Mmu);
  reports(t, stage, 'removed');
});

test('what the word holds after the entry was gone is another translation', (t) => {
  const { stage, word } = held(REMOVED_BY_UNLOCK);
  const value = stage.load(word);
  stage.as(Who.Host1, 1).store(word, 0);
  stage.store(word, value);
  stage.as(Who.Host0, 0).store(word, 0);
  stage.unlock(Lock.Mmu);
  passes(t, stage);
});

test('many descriptors: debts and lives go on when the tables of the oracle grow', (t) => {
  const stage = new Stage(staleTranslation);
  stage.duty(0, REMOVED_BY_UNLOCK);
  stage.duty(1, REMOVED_BY_UNLOCK);
  const first = stage.map(0, stage.take(Role.Data));
  const second = stage.map(1, stage.take(Role.Data));
  stage.cache(0, first);
  stage.cache(1, second);
  stage.store(first, 0);
  for (let i = 0; i < 3000; i += 1) stage.store(second, stage.load(second) ^ SOFTWARE_MASK);
  stage.end();
  reports(t, stage, 'removed');
  t.is(stage.scene.report.violation?.pe, 0);
  stage.flush(0);
  stage.scene.report.reset();
  stage.as(Who.Host1, 1).store(second, 0);
  stage.end();
  reports(t, stage, 'removed');
  t.is(stage.scene.report.violation?.pe, 1);
});

test('many operations: debts stay when there are more of them than expected', (t) => {
  const stage = new Stage(staleTranslation);
  stage.duty(0, REMOVED_BY_UNLOCK);
  stage.duty(500, REMOVED_BY_UNLOCK);
  const first = stage.map(0, stage.take(Role.Data));
  const second = stage.map(1, stage.take(Role.Data));
  stage.cache(0, first);
  stage.cache(1, second);
  stage.store(first, 0);
  stage.as(Who.Host1, 500).store(second, 0);
  stage.as(Who.Host0, 0).end();
  reports(t, stage, 'removed');
  t.is(stage.scene.report.violation?.pe, 0);
  stage.scene.report.reset();
  stage.as(Who.Host1, 500).end();
  reports(t, stage, 'removed');
  t.is(stage.scene.report.violation?.pe, 1);
});

test('a run after a reset is judged afresh', (t) => {
  const stage = new Stage(staleTranslation);
  stage.duty(0, REMOVED_BY_UNLOCK);
  const remove = (): void => {
    const word = stage.map(0, stage.take(Role.Data));
    stage.cache(1, word);
    stage.store(word, 0);
  };
  judgesAfresh(t, stage, 'removed', () => {
    remove();
    stage.end();
  });
  // debts of a run that was cut off are forgotten, although instances get the same numbers again
  stage.reset();
  remove();
  stage.reset();
  stage.cache(1, stage.map(0, stage.take(Role.Data)));
  stage.end();
  t.is(stage.rule, undefined);
});

// ---- found wanting once ----

test('removing a table removes the leaves in it', (t) => {
  const { stage } = held(REMOVED_BY_UNLOCK);
  stage.store(stage.word(0, 2), 0);
  stage.unlock(Lock.Mmu);
  reports(t, stage, 'removed');
});

test('translations of a context that no PE can load are exempt', (t) => {
  const { stage, word } = held({ ...REMOVED_BY_UNLOCK, by: 'end' });
  stage.store(word, 0);
  stage.unlock(Lock.Mmu);
  stage.claim(Claim.ContextRetired, TreeIndex.Guest);
  stage.end();
  passes(t, stage);
});

test('a block is granted again only if all of its pages are', (t) => {
  const stage = new Stage(staleTranslation);
  stage.duty(0, TIGHTENED_BY_END);
  const run = stage.takeRun(Role.Data, 4);
  const word = stage.mapBlock(4, run);
  stage.cache(0, word);
  stage.store(word, leaf(run, READ_ONLY));
  stage.as(Who.Vcpu0, 1).store(word, 0);
  stage.map(4, run);
  stage.as(Who.Host0, 0).end();
  reports(t, stage, 'tightened');
});

// ---- a slow oracle that keeps the whole history ----

/** One translation from the leaf that made it to the store that ended it: its instances, its losses. */
interface Life {
  readonly instances: number[];
  readonly losses: {
    readonly operation: number;
    readonly since: number;
    readonly isRemoval: boolean;
  }[];
}

interface Usable {
  readonly pe: number;
  readonly instance: number;
  readonly word: number;
  readonly vmid: number;
  readonly first: number;
  readonly isGuest: boolean;
}

/** Leaves that a PE could use: its TLB, then what its walkers hold. */
function usable(scene: Scene): readonly Usable[] {
  const { machine } = scene;
  return machine.pes.flatMap(({ index: pe, tlb }) => {
    const cached = Array.from({ length: tlb.count }, (_, i) => ({
      pe,
      kind: tlb.kind[i]!,
      instance: tlb.instance[i]!,
      word: tlb.word[i]!,
      vmid: tlb.vmid[i]!,
      first: tlb.first[i]!,
      isGuest: tlb.kind[i]! < TlbKind.Leaf2,
    })).filter(({ kind }) => kind !== TlbKind.Table && kind !== TlbKind.Table2);
    const walking = machine.actors
      .filter(({ pe: at, walk }) => at === pe && walk.phase !== Phase.Lookup)
      .filter(({ walk }) => walk.held === Held.Leaf)
      .map(({ walk }) => ({
        pe,
        instance: walk.instance,
        word: walk.word,
        vmid: walk.vmid,
        first: walk.heldLevel === 3 ? walk.page : walk.page & ~3,
        isGuest: walk.regime === Regime.Guest,
      }));
    return [...cached, ...walking];
  });
}

class SlowStale implements Oracle {
  judgements = 0;
  readonly #scene: Scene;
  #lives: Life[] = [];

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  reset(): void {
    this.#lives = [];
  }

  onEvent(kind: EventCode, a: number, b: number, c: number, d: number): void {
    if (kind === Event.Descriptor) this.#note(b, c, (d & 256) !== 0);
    else this.#due(kind === Event.LockDrop ? a : -1);
  }

  #note(before: number, after: number, isHardware: boolean): void {
    if (!isLeaf(before)) return;
    const { replaced, instance, operation } = this.#scene.machine;
    const life = this.#lifeOf(replaced);
    const isSamePage = isLeaf(after) && ((before ^ after) & (FRAME_MASK | TYPE_MASK)) === 0;
    const loses = !isSamePage || (before & ~after & RIGHTS) !== 0;
    // a loss is one for every translation made from this instance or an earlier one
    const since = life.instances.length;
    if (loses && !isHardware) life.losses.push({ operation, since, isRemoval: !isSamePage });
    if (isLeaf(after)) life.instances.push(instance);
  }

  #lifeOf(instance: number): Life {
    const known = this.#lives.find(({ instances }) => instances.includes(instance));
    if (known !== undefined) return known;
    const life: Life = { instances: [instance], losses: [] };
    this.#lives.push(life);
    return life;
  }

  #due(lock: number): void {
    const { machine, duties, report } = this.#scene;
    const card = duties[machine.operation]?.card;
    if (card === undefined || card.unusable === 'nothing') return;
    if (lock >= 0 && (card.by === 'end' || machine.tables.trees[card.tree]!.lock !== lock)) return;
    for (const entry of usable(this.#scene)) {
      const losses = this.#lossesOf(entry.instance);
      const isRemoved = losses.some(({ isRemoval }) => isRemoval);
      const isTightened = card.unusable === 'tightened' && losses.length > 0;
      if (!isRemoved && (!isTightened || this.#isGranted(entry))) continue;
      const rule = isRemoved ? 'removed' : 'tightened';
      report.add('slow', rule, 'translation', { page: entry.first, pe: entry.pe });
    }
  }

  /** What the operation that runs took away from a translation made from this instance. */
  #lossesOf(made: number): Life['losses'] {
    const { operation } = this.#scene.machine;
    const life = this.#lives.find(({ instances }) => instances.includes(made));
    if (life === undefined) return [];
    const from = life.instances.indexOf(made) + 1;
    return life.losses.filter((loss) => loss.operation === operation && loss.since >= from);
  }

  #isGranted(entry: Usable): boolean {
    const tree = this.#scene.machine.tables.trees.find(
      ({ live, vmid, regime }) =>
        live && vmid === entry.vmid && (regime === Regime.Guest) === entry.isGuest,
    );
    if (tree === undefined) return true;
    const now = tree.entries[entry.first]!;
    const isSamePage = ((now ^ entry.word) & FRAME_MASK) === 0;
    return (now & 1) === 1 && isSamePage && (entry.word & RIGHTS & ~now) === 0;
  }
}

const slowStale: OracleSpec = {
  id: 'slow',
  claim: 'as stale-translation',
  listens: [Event.Descriptor, Event.LockDrop, Event.OperationEnd],
  create: (scene) => new SlowStale(scene),
};

const PAGES = 6;
const OPERATIONS = 4;

/** What a random stream consists of: a deed, who does it, to which page, with which value. */
type Deed = readonly [number, number, number, number];

const deeds = fc.array(
  fc.tuple(fc.nat(15), fc.nat(OPERATIONS - 1), fc.nat(PAGES - 1), fc.nat(63)),
  { minLength: 20, maxLength: 90 },
);

const CARDS: readonly Partial<Card>[] = [
  REMOVED_BY_UNLOCK,
  TIGHTENED_BY_END,
  { ...TIGHTENED_BY_END, by: 'unlock' },
  { tree: TreeIndex.Guest, unusable: 'nothing' },
];

/** Pages 0 to 3 lie in one table and 4, 5 in another, so words are found without a search. */
function play(stage: Stage, [deed, operation, page, value]: Deed): void {
  stage.as(operation, operation);
  const word = stage.word(page);
  if (deed < 4) stage.store(word, leaf(40 + (value & 1), (value & 60) | ACCESSED));
  else if (deed === 4) stage.store(word, 0);
  else if (deed === 5) stage.store(word, stage.load(word) & ~WRITE);
  else if (deed === 6) stage.storeByHardware(word, stage.load(word) ^ ACCESSED);
  else if (deed < 10) fill(stage, value & 3, word, value);
  else if (deed === 10) stage.flush(value & 3);
  else if (deed === 11 && isLeaf(stage.load(word))) stage.walkHolds(value & 3, word, page);
  else if (deed === 12) stage.walkEnds(value & 3);
  else if (deed === 13) stage.end();
  else unlockNow(stage, value);
}

function fill(stage: Stage, pe: number, word: number, value: number): void {
  if (stage.machine.pes[pe]!.tlb.count > 8 || !isLeaf(stage.load(word))) return;
  stage.cache(pe, word, { kind: (value & 4) === 0 ? TlbKind.Leaf : TlbKind.Combined });
}

function unlockNow(stage: Stage, value: number): void {
  const lock = (value & 7) === 0 ? Lock.Slots : Lock.Mmu;
  stage.unheard(() => stage.lock(lock));
  stage.unlock(lock);
}

test('it agrees with a slow oracle that keeps the whole history', (t) => {
  const stage = new Stage(staleTranslation);
  const slow = stage.attach(slowStale);
  CARDS.forEach((card, operation) => {
    stage.duty(operation, card);
  });
  const seen = new Set<string>();
  const agree = (stream: readonly Deed[]): void => {
    stage.reset();
    stage.unheard(() => [0, 4].map((page) => stage.path(page)));
    for (const deed of stream) {
      play(stage, deed);
      const { violation } = stage.scene.report;
      t.deepEqual(
        [violation?.rule, violation?.page, violation?.pe],
        [slow.violation?.rule, slow.violation?.page, slow.violation?.pe],
      );
      if (violation !== undefined) break;
    }
    seen.add(stage.rule ?? 'nothing');
  };
  fc.assert(fc.property(deeds, agree), { numRuns: 1500, seed: 7 });
  t.deepEqual([...seen].sort(), ['nothing', 'removed', 'tightened']);
});

test('removing a table two levels up removes the leaves in it, unless it stays the same table', (t) => {
  for (const isRemoved of [true, false]) {
    const { stage } = held(REMOVED_BY_UNLOCK);
    const top = stage.word(0, 1);
    stage.store(top, isRemoved ? 0 : stage.load(top) | SOFTWARE_MASK);
    stage.unlock(Lock.Mmu);
    t.is(stage.rule, isRemoved ? 'removed' : undefined);
  }
});

test('a right is granted again only for the page that is cached', (t) => {
  const { stage, word } = held(TIGHTENED_BY_END);
  stage.store(word, stage.load(word) & ~WRITE);
  stage.as(Who.Vcpu0, 1).store(word, leaf(41, READ_WRITE));
  stage.as(Who.Host0, 0).end();
  reports(t, stage, 'tightened');
});

// ---- hardware that lets one valid descriptor take the place of another ----

/** A block with these rights, cached by PE 0, on hardware that needs no break. */
function cachedBlock(attributes: number): { stage: Stage; word: number; frame: number } {
  const stage = new Stage(staleTranslation, { hardware: x86Hardware });
  const frame = stage.takeRun(Role.Data, 4);
  const word = stage.mapBlock(4, frame, attributes);
  stage.cache(0, word);
  stage.duty(0, { tree: TreeIndex.Guest, unusable: 'removed', by: 'end' }, [4, 4]);
  stage.as(Who.Vcpu0, 0).begin();
  return { stage, word, frame };
}

/** A table of pages that translate as the block does, with these rights. */
function tableLike(stage: Stage, frame: number, attributes: number): number {
  const child = stage.take(Role.Table);
  const { memory } = stage.machine;
  for (let i = 0; i < 4; i += 1)
    memory.store(memory.address(child, i), leaf(frame + i, attributes), 0);
  return table(child);
}

test('a block that is split into the same pages takes no translation away', (t) => {
  const { stage, word, frame } = cachedBlock(READ_WRITE);
  stage.store(word, tableLike(stage, frame, READ_WRITE));
  stage.end();
  t.is(stage.rule, undefined);
});

test('a block that is split into pages with fewer rights does', (t) => {
  const { stage, word, frame } = cachedBlock(READ_WRITE);
  stage.store(word, tableLike(stage, frame, READ_ONLY));
  stage.end();
  reports(t, stage, 'removed');
});

test('a block that is split into other pages does', (t) => {
  const { stage, word } = cachedBlock(READ_WRITE);
  stage.store(word, tableLike(stage, stage.takeRun(Role.Data, 4), READ_WRITE));
  stage.end();
  reports(t, stage, 'removed');
});
