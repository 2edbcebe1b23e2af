import test from 'ava';
import fc from 'fast-check';
import { abstractMap } from '../../oracles/abstract-map.ts';
import { isChange } from '../../oracles/changes.ts';
import type { Duty, Oracle, OracleSpec, Scene } from '../../oracles/oracle.ts';
import { type Card, Change, Result, State } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import {
  ACCESSED,
  EXEC,
  FRAME_MASK,
  frameOf,
  isTable,
  isValid,
  leaf,
  MemoryType,
  READ,
  RIGHTS,
  SOFTWARE_MASK,
  TYPE_MASK,
  table,
  VALID,
  WRITE,
} from '../../sim/descriptor.ts';
import { Event, type EventCode } from '../../sim/event.ts';
import { Role } from '../../sim/pages.ts';
import {
  judgesAfresh,
  passes,
  READ_ONLY,
  READ_WRITE,
  reports,
  Stage,
  type StageOptions,
  TreeIndex,
  Who,
} from './stage.ts';

// ---- the vocabulary of cards ----

const ANNOTATION = 0x40;
const OTHER_ANNOTATION = 0x80;
const page = leaf(5, READ_WRITE);

interface Transition {
  readonly before: number;
  readonly after: number;
  readonly levelBefore?: number;
  /** Kinds of change that a card may name to allow it. */
  readonly allowedBy: readonly Change[];
}

const { Remove, RemoveSplit, Install, Restrict, Relax, Rights } = Change;
const { SetAccessed, ClearAccessed, Annotate, Protect, Reform, Replace, Track, Untrack } = Change;

const TRANSITIONS: Readonly<Record<string, Transition>> = {
  'page removed': { before: page, after: 0, allowedBy: [Remove] },
  'page of a block removed': {
    before: page,
    after: 0,
    levelBefore: 2,
    allowedBy: [Remove, RemoveSplit],
  },
  'page installed': { before: 0, after: page, allowedBy: [Install] },
  'right taken away': {
    before: page,
    after: leaf(5, READ_ONLY),
    allowedBy: [Restrict, Rights, Protect, Reform],
  },
  'right taken away and accessed flag lost': {
    before: page,
    after: leaf(5, READ),
    allowedBy: [Restrict, Rights, Protect, Reform],
  },
  'right granted': { before: page, after: page | EXEC, allowedBy: [Relax, Rights, Reform] },
  'rights exchanged': {
    before: leaf(5, READ | ACCESSED),
    after: leaf(5, WRITE | ACCESSED),
    allowedBy: [Rights, Reform],
  },
  'accessed flag set': {
    before: page & ~ACCESSED,
    after: page,
    allowedBy: [SetAccessed, Rights, Reform],
  },
  'accessed flag cleared': {
    before: page,
    after: page & ~ACCESSED,
    allowedBy: [ClearAccessed, Rights, Reform],
  },
  'absent page annotated': { before: 0, after: ANNOTATION, allowedBy: [Annotate] },
  'mapped page annotated': { before: page, after: ANNOTATION, allowedBy: [Annotate] },
  'annotation exchanged': {
    before: ANNOTATION,
    after: OTHER_ANNOTATION,
    allowedBy: [Annotate],
  },
  'annotation removed': { before: ANNOTATION, after: 0, allowedBy: [Annotate] },
  'leaf kept by software alone': {
    before: page,
    after: page & ~(VALID | WRITE | ACCESSED),
    allowedBy: [Track, Annotate],
  },
  'page of a block kept by software alone': {
    before: leaf(7, READ_WRITE),
    after: leaf(4, READ) & ~VALID,
    allowedBy: [Track, Annotate],
  },
  'kept leaf given back to the hardware': {
    before: page & ~(VALID | WRITE | ACCESSED),
    after: page,
    allowedBy: [Untrack],
  },
  'kept with another right': {
    before: page,
    after: leaf(5, READ | EXEC) & ~VALID,
    allowedBy: [Annotate],
  },
  'write protected for good': {
    before: page | SOFTWARE_MASK,
    after: leaf(5, READ_ONLY),
    allowedBy: [Protect, Reform],
  },
  'other page': { before: page, after: leaf(6, READ_WRITE), allowedBy: [] },
  'other memory type': { before: page, after: page | MemoryType.Device, allowedBy: [] },
  'other software bits': { before: page, after: page | SOFTWARE_MASK, allowedBy: [Reform] },
};

for (const [name, { before, after, levelBefore = 3, allowedBy }] of Object.entries(TRANSITIONS)) {
  test(`${name}: ${allowedBy.length === 0 ? 'never' : allowedBy.join(', ')}`, (t) => {
    for (const change of Object.values(Change)) {
      // one mapping for another, whatever they are
      const isReplaced = change === Replace && isValid(before) && isValid(after);
      const isAllowedHere = isReplaced || allowedBy.includes(change);
      t.is(isChange(change, before, after, levelBefore), isAllowedHere, change);
    }
  });
}

test('to annotate is not to remove', (t) => {
  t.false(isChange(Annotate, page, 0, 3));
});

test('to install is not to map over an annotation', (t) => {
  t.false(isChange(Install, ANNOTATION, page, 3));
});

// ---- changes of the map ----

function stageFor(card: Partial<Card>, options: StageOptions = {}): Stage {
  const stage = new Stage(abstractMap, options);
  stage.duty(0, { tree: TreeIndex.Guest, ...card }, [4, 4], [0, 12]);
  return stage;
}

test('a change that the card allows inside the range', (t) => {
  const stage = stageFor({ inside: [Install] });
  stage.map(5, stage.take(Role.Data));
  passes(t, stage);
});

test('a change that the card does not allow', (t) => {
  const stage = stageFor({ inside: [Install] });
  const word = stage.map(5, stage.take(Role.Data));
  stage.store(word, 0);
  reports(t, stage, 'change');
  const { violation } = stage.scene.report;
  t.is(violation?.page, 5);
  t.is(violation?.found, 0);
});

test('the rest of the reach has rules of its own', (t) => {
  const stage = stageFor({ inside: [Install, Remove], outside: [Remove] });
  const word = stage.unheard(() => stage.map(2, stage.take(Role.Data)));
  stage.store(word, 0);
  passes(t, stage);
  stage.store(word, page);
  reports(t, stage, 'change');
});

test('beyond the reach nothing may change', (t) => {
  const stage = stageFor({ inside: [Remove], outside: [Remove] });
  const word = stage.unheard(() => stage.map(12, stage.take(Role.Data)));
  stage.store(word, 0);
  reports(t, stage, 'change');
});

test('another tree than the card’s may not change', (t) => {
  const stage = stageFor({ inside: [Install] });
  stage.map(5, 3, READ_WRITE, TreeIndex.Hypervisor);
  reports(t, stage, 'change');
});

test('an operation without a duty may change nothing', (t) => {
  const stage = stageFor({ inside: [Install] });
  stage.as(Who.Host1, 9).map(5, stage.take(Role.Data));
  reports(t, stage, 'change');
});

test('the split of a block may drop pages outside the range', (t) => {
  const stage = stageFor({ inside: [Remove, Install], outside: [RemoveSplit] });
  stage.duty(0, { ...stage.duties[0]!.card }, [5, 1], [4, 4]);
  const run = stage.takeRun(Role.Data, 4);
  const word = stage.unheard(() => stage.mapBlock(4, run));
  stage.store(word, 0);
  stage.store(word, table(stage.take(Role.Table)));
  stage.store(stage.word(5), leaf(run + 1, READ_WRITE));
  passes(t, stage);
});

test('a page outside the range that was no part of a block may not be dropped', (t) => {
  const stage = stageFor({ inside: [Remove, Install], outside: [RemoveSplit] });
  stage.duty(0, { ...stage.duties[0]!.card }, [5, 1], [4, 4]);
  const word = stage.unheard(() => stage.map(4, stage.take(Role.Data)));
  stage.store(word, 0);
  reports(t, stage, 'change');
  t.is(stage.scene.report.violation?.page, 4);
});

test('a table in the place of a block, with the same pages in it, changes nothing', (t) => {
  const stage = stageFor({});
  const run = stage.takeRun(Role.Data, 4);
  const word = stage.unheard(() => stage.mapBlock(4, run));
  const child = stage.take(Role.Table);
  for (let i = 0; i < 4; i += 1) {
    stage.store(stage.machine.memory.address(child, i), leaf(run + i, READ_WRITE));
  }
  stage.store(word, table(child));
  passes(t, stage);
});

test('an invalid word counts as an entry only where the tree has annotations', (t) => {
  const silent = stageFor({});
  const word = silent.unheard(() => silent.path(5));
  silent.store(word, ANNOTATION);
  passes(t, silent);
  const stage = stageFor({ inside: [Install] }, { annotations: true });
  const annotated = stage.unheard(() => stage.path(5));
  stage.store(annotated, ANNOTATION);
  reports(t, stage, 'change');
});

test('the walker may set the accessed flag and nothing else', (t) => {
  const stage = stageFor({});
  const word = stage.unheard(() => stage.map(5, stage.take(Role.Data), READ | WRITE));
  stage.as(Who.Walker0, 3).storeByHardware(word, stage.load(word) | ACCESSED);
  passes(t, stage);
  stage.storeByHardware(word, stage.load(word) & ~WRITE);
  reports(t, stage, 'change');
});

test('a retired tree has no map', (t) => {
  const stage = stageFor({});
  const word = stage.unheard(() => stage.map(5, stage.take(Role.Data)));
  stage.claim(Claim.ContextRetired, TreeIndex.Guest);
  stage.store(word, 0);
  t.is(stage.rule, undefined);
  t.is(stage.judgements, 0);
});

// ---- promises ----

/** Operation 0 has begun; it promises a state of pages 4 to 7, all mapped before. */
function promising(achieves: State, attributes: number = READ_WRITE): Stage {
  const stage = stageFor({
    achieves,
    inside: [Remove, Install, Restrict, SetAccessed, ClearAccessed],
    results: [Result.Ok, Result.Again],
  });
  const run = stage.takeRun(Role.Data, 4);
  stage.unheard(() => {
    for (let i = 0; i < 4; i += 1) stage.map(4 + i, run + i, attributes);
  });
  stage.begin();
  return stage;
}

function forEachPage(stage: Stage, change: (word: number) => number): void {
  for (let at = 4; at < 8; at += 1) stage.store(stage.word(at), change(stage.load(stage.word(at))));
}

const KEPT: Readonly<Record<State, (word: number) => number>> = {
  [State.Absent]: () => 0,
  [State.Mapped]: (word) => word,
  [State.ReadOnly]: (word) => word & ~WRITE,
  [State.Clean]: (word) => word & ~WRITE,
  [State.Old]: (word) => word & ~ACCESSED,
};

for (const state of Object.values(State)) {
  test(`the promise “${state}” is kept for every page`, (t) => {
    const stage = promising(state);
    forEachPage(stage, KEPT[state]);
    stage.end();
    passes(t, stage);
  });
}

for (const state of [State.Absent, State.ReadOnly, State.Clean, State.Old] as const) {
  test(`the promise “${state}” is not kept for the last page`, (t) => {
    const stage = promising(state);
    for (let at = 4; at < 7; at += 1) {
      stage.store(stage.word(at), KEPT[state](stage.load(stage.word(at))));
    }
    stage.end();
    reports(t, stage, 'promise');
    t.is(stage.scene.report.violation?.page, 7);
  });
}

test('absent pages are read-only and old', (t) => {
  for (const state of [State.ReadOnly, State.Old] as const) {
    const stage = promising(state);
    forEachPage(stage, () => 0);
    stage.end();
    passes(t, stage);
  }
});

test('the promise “mapped” is not kept for a page', (t) => {
  const stage = stageFor({ achieves: State.Mapped, inside: [Install] });
  stage.begin();
  for (const at of [4, 5, 7]) stage.map(at, stage.take(Role.Data));
  stage.end();
  reports(t, stage, 'promise');
  t.is(stage.scene.report.violation?.page, 6);
});

test('a promise kept for an instant is kept', (t) => {
  const stage = promising(State.Old);
  forEachPage(stage, (word) => word & ~ACCESSED);
  stage.as(Who.Vcpu0, 1);
  for (let at = 4; at < 8; at += 1) {
    stage.storeByHardware(stage.word(at), stage.load(stage.word(at)) | ACCESSED);
  }
  stage.as(Who.Host0, 0).end();
  passes(t, stage);
});

test('a promise that another operation made true is kept', (t) => {
  const stage = promising(State.Absent);
  stage.duty(1, { tree: TreeIndex.Guest, inside: [Remove] }, [4, 4]);
  stage.as(Who.Host1, 1);
  forEachPage(stage, () => 0);
  stage.as(Who.Host0, 0).end();
  passes(t, stage);
});

test('a promise that was true only before the operation began is not kept', (t) => {
  const stage = stageFor({ achieves: State.Absent, inside: [Install] });
  stage.unheard(() => stage.map(5, stage.take(Role.Data)));
  stage.begin();
  stage.end();
  reports(t, stage, 'promise');
});

test('an operation that failed owes no promise', (t) => {
  const stage = promising(State.Absent);
  stage.end(Result.Again);
  passes(t, stage);
});

test('when the tree is retired the promise is moot', (t) => {
  const stage = promising(State.Absent);
  stage.claim(Claim.ContextRetired, TreeIndex.Guest);
  stage.end();
  passes(t, stage);
});

test('no other claim makes a promise moot', (t) => {
  const stage = promising(State.Absent);
  stage.claim(Claim.RevocationReturned, TreeIndex.Guest);
  stage.end();
  reports(t, stage, 'promise');
});

test('what happens to the same pages of another tree keeps no promise', (t) => {
  const stage = promising(State.Absent);
  stage.duty(1, { tree: TreeIndex.Shadow, inside: [Install, Remove] }, [4, 4]);
  stage.as(Who.Host1, 1);
  for (let at = 4; at < 8; at += 1) {
    stage.map(at, 40, READ_WRITE, TreeIndex.Shadow);
    stage.store(stage.word(at, 3, TreeIndex.Shadow), 0);
  }
  stage.as(Who.Host0, 0).end();
  reports(t, stage, 'promise');
});

test('the promises of two actors are kept apart', (t) => {
  const stage = promising(State.Absent);
  stage.duty(1, { tree: TreeIndex.Guest, achieves: State.Absent, inside: [Remove] }, [4, 1]);
  stage.as(Who.Host1, 1).begin();
  stage.store(stage.word(4), 0);
  stage.end();
  passes(t, stage);
  stage.as(Who.Host0, 0).end();
  reports(t, stage, 'promise');
  t.is(stage.scene.report.violation?.page, 5);
});

// ---- results ----

test('a result that the card does not list', (t) => {
  const stage = stageFor({ results: [Result.Ok, Result.Again] });
  stage.begin();
  stage.end(Result.Range);
  reports(t, stage, 'result');
  t.is(stage.scene.report.violation?.found, Result.Range);
});

test('no memory although no allocation failed', (t) => {
  const stage = stageFor({ results: [Result.Ok, Result.NoMemory] });
  stage.begin();
  stage.end(Result.NoMemory);
  reports(t, stage, 'no-memory-without-cause');
});

test('no memory after an allocation of the same operation failed', (t) => {
  const stage = stageFor({ results: [Result.Ok, Result.NoMemory] });
  stage.begin();
  stage.emit(Event.AllocateFailed, Role.Table);
  stage.end(Result.NoMemory);
  passes(t, stage);
});

test('the allocation of another operation that failed is no cause', (t) => {
  const stage = stageFor({ results: [Result.Ok, Result.NoMemory] });
  stage.duty(1, { results: [Result.Ok] });
  stage.as(Who.Host0, 1).begin();
  stage.emit(Event.AllocateFailed, Role.Table);
  stage.end();
  stage.as(Who.Host0, 0).begin();
  stage.as(Who.Host1, 1).emit(Event.AllocateFailed, Role.Table);
  stage.as(Who.Host0, 0).end(Result.NoMemory);
  reports(t, stage, 'no-memory-without-cause');
});

test('a run after a reset is judged afresh', (t) => {
  const stage = stageFor({ achieves: State.Absent, inside: [Install] });
  judgesAfresh(t, stage, 'promise', () => {
    stage.map(5, stage.take(Role.Data));
    stage.begin();
    stage.end();
  });
  // an operation that a violation cut off is not missed in the next run
  stage.reset();
  stage.begin();
  stage.reset();
  stage.end();
  t.is(stage.rule, undefined);
});

// ---- found wanting once ----

test('a promise about one tree is not moot when another is retired', (t) => {
  const stage = promising(State.Absent);
  stage.claim(Claim.ContextRetired, TreeIndex.Shadow);
  stage.end();
  reports(t, stage, 'promise');
});

test('a promise about a tree that was retired before is moot, too', (t) => {
  const stage = stageFor({ achieves: State.Mapped });
  stage.claim(Claim.ContextRetired, TreeIndex.Guest);
  stage.begin();
  stage.end();
  passes(t, stage);
});

for (const [achieves, isMoot] of [
  [State.ReadOnly, true],
  [State.Absent, false],
] as const) {
  test(`a tree that was doomed before: a promise that its pages are ${achieves}`, (t) => {
    const stage = stageFor({ achieves });
    stage.unheard(() => stage.map(5, stage.take(Role.Data)));
    stage.as(Who.Host1, 1).claim(Claim.ContextDoomed, TreeIndex.Guest);
    stage.as(Who.Host0, 0).begin();
    stage.end();
    if (isMoot) passes(t, stage);
    else reports(t, stage, 'promise');
  });
}

test('a tree made anew where one was doomed is not doomed', (t) => {
  const stage = stageFor({ achieves: State.ReadOnly });
  stage.unheard(() => stage.map(5, stage.take(Role.Data)));
  stage.claim(Claim.ContextDoomed, TreeIndex.Guest);
  stage.claim(Claim.ContextCreated, TreeIndex.Guest);
  stage.begin();
  stage.end();
  reports(t, stage, 'promise');
});

// ---- a slow oracle that walks the tables anew for every store ----

interface Entry {
  readonly value: number;
  readonly level: number;
}

const PAGES = 16;
const ABSENT: Entry = { value: 0, level: 0 };

/** The map as a walk from the root finds it: one entry per page, blocks advanced page by page. */
function readMap(scene: Scene): readonly Entry[] {
  const { memory, tables } = scene.machine;
  const { root, live } = tables.trees[TreeIndex.Guest]!;
  const find = (at: number): Entry => {
    let frame = root;
    for (let level = 1; level <= 3; level += 1) {
      const span = 4 ** (3 - level);
      const word = memory.load(memory.address(frame, Math.floor(at / span) % 4));
      if (level < 3 && isTable(word)) frame = frameOf(word);
      else if (!isValid(word) || isTable(word) || level === 1) return ABSENT;
      else return { value: (word + ((at % span) << 16)) | 0, level };
    }
    return ABSENT;
  };
  return Array.from({ length: PAGES }, (_, at) => (live ? find(at) : ABSENT));
}

/** The vocabulary once more, by cases instead of masks. */
function isAllowed(change: Change, before: Entry, after: Entry): boolean {
  const was = isValid(before.value);
  const is = isValid(after.value);
  if (!was && is) return change === Install;
  if (was && is && change === Replace) return true;
  if (was && !is) return change === Remove || (change === RemoveSplit && before.level < 3);
  if (change === Reform && was) {
    return [FRAME_MASK, TYPE_MASK].every((mask) => ((before.value ^ after.value) & mask) === 0);
  }
  if (change === Protect && was) {
    const kept = [FRAME_MASK, TYPE_MASK, READ, EXEC].every(
      (mask) => (before.value & mask) === (after.value & mask),
    );
    return kept && (after.value & WRITE) === 0;
  }
  const same = FRAME_MASK | TYPE_MASK | SOFTWARE_MASK;
  if (!was || ((before.value ^ after.value) & same) !== 0) return false;
  const hasMore = (after.value & ~before.value & RIGHTS) !== 0;
  const hasLess = (before.value & ~after.value & RIGHTS) !== 0;
  if (change === Rights) return true;
  if (hasMore || hasLess) return hasMore !== hasLess && change === (hasMore ? Relax : Restrict);
  return change === ((after.value & ACCESSED) !== 0 ? SetAccessed : ClearAccessed);
}

function holds(state: State, { value }: Entry): boolean {
  if (state === State.Mapped) return isValid(value);
  if (!isValid(value)) return true;
  return state !== State.Absent && (value & (state === State.Old ? ACCESSED : WRITE)) === 0;
}

class SlowMap implements Oracle {
  judgements = 0;
  readonly #scene: Scene;
  /** Every map of this run, and by actor the number of maps when its operation began. */
  #history: (readonly Entry[])[] = [];
  #begun = new Map<number, number>();

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  reset(): void {
    this.#history = [];
    this.#begun.clear();
  }

  onEvent(kind: EventCode, a: number, b: number, _c: number, d: number): void {
    const { machine, duties } = this.#scene;
    const duty = duties[machine.operation]!;
    if (kind === Event.Descriptor) this.#compare(duty, (d & 256) !== 0);
    else if (kind === Event.Claim) {
      if (a === Claim.ContextRetired) this.#begun.clear();
    } else if (kind === Event.OperationBegin) {
      this.#begun.set(machine.actor, this.#history.length);
      this.#history.push(readMap(this.#scene));
    } else if (kind === Event.OperationEnd && b === Result.Ok) this.#end(duty);
  }

  #compare(duty: Duty, isHardware: boolean): void {
    const now = readMap(this.#scene);
    const past = this.#history.at(-1) ?? now.map(() => ABSENT);
    this.#history.push(now);
    now.forEach((after, at) => {
      const before = past[at]!;
      if (before.value === after.value) return;
      const isInside = at >= duty.first && at < duty.first + duty.count;
      const isReached = at >= duty.reachFirst && at < duty.reachFirst + duty.reachCount;
      const list = isInside ? duty.card.inside : duty.card.outside;
      const isFine = isHardware
        ? after.value === (before.value | ACCESSED)
        : isReached && list.some((change) => isAllowed(change, before, after));
      if (!isFine) this.#scene.report.add('slow', 'change', 'entry', { page: at });
    });
  }

  #end(duty: Duty): void {
    const begun = this.#begun.get(this.#scene.machine.actor);
    this.#begun.delete(this.#scene.machine.actor);
    const { achieves } = duty.card;
    if (begun === undefined || achieves === undefined) return;
    const instants = this.#history.slice(begun);
    for (let at = duty.first; at < duty.first + duty.count; at += 1) {
      if (instants.some((map) => holds(achieves, map[at]!))) continue;
      this.#scene.report.add('slow', 'promise', 'entry', { page: at });
    }
  }
}

const slowMap: OracleSpec = {
  id: 'slow',
  claim: 'as abstract-map',
  listens: [Event.Descriptor, Event.OperationBegin, Event.OperationEnd, Event.Claim],
  create: (scene) => new SlowMap(scene),
};

/** A deed, the actor that does it, the page that it is about, and a value. */
type Deed = readonly [number, number, number, number];

const deeds = fc.array(fc.tuple(fc.nat(24), fc.nat(3), fc.nat(PAGES - 1), fc.nat(255)), {
  minLength: 10,
  maxLength: 60,
});

const FREE: Partial<Card> = { inside: Object.values(Change), outside: Object.values(Change) };

/** By actor; the first two may do anything, so that streams go on. */
const CARDS: readonly [Partial<Card>, [number, number], [number, number]][] = [
  [{ ...FREE, achieves: State.Absent }, [0, 4], [0, PAGES]],
  [{ ...FREE, achieves: State.ReadOnly }, [4, 8], [0, PAGES]],
  [{ inside: [Install, Rights], outside: [RemoveSplit], achieves: State.Mapped }, [4, 2], [0, 12]],
  [
    { inside: [Restrict, ClearAccessed], outside: [Relax, SetAccessed], achieves: State.Old },
    [0, 8],
    [0, 8],
  ],
];

const SOME_RIGHTS = [READ, READ_ONLY, READ_WRITE, READ_WRITE | EXEC] as const;

function play(stage: Stage, [deed, actor, at, value]: Deed): void {
  stage.as(actor, actor);
  const isFree = (actor & 2) === 0;
  if (deed >= 3 && deed < 6) stage.end();
  else if (!stage.tree(TreeIndex.Guest).live) return;
  else if (deed < 3) stage.begin();
  else if (deed < 24) change(stage, deed, at, value, isFree);
  else if (value < 32) stage.claim(Claim.ContextRetired, TreeIndex.Guest);
}

function change(stage: Stage, deed: number, at: number, value: number, isFree: boolean): void {
  const block = stage.word(at, 2);
  if (deed < 9 && isFree) stage.store(block, leaf(32 + (value & 4), SOME_RIGHTS[value >>> 6]!));
  else if (deed === 9 && isFree) stage.store(block, stage.load(block) & ~VALID);
  else if (deed < 13) linkAgain(stage, at, value);
  else if (isTable(stage.load(block))) changePage(stage, stage.word(at), deed, value);
  else stage.store(block, recoloured(stage.load(block), deed));
}

/** One of eight tables, whatever it holds from before; each has one place in the tree. */
function linkAgain(stage: Stage, at: number, value: number): void {
  const frame = TABLES + (at >>> 2) * 2 + (value & 1);
  stage.store(stage.word(at, 2), table(frame));
}

const TABLES = 48;

function changePage(stage: Stage, word: number, deed: number, value: number): void {
  const now = stage.load(word);
  if (deed < 17) stage.store(word, leaf(32 + (value & 3), SOME_RIGHTS[value >>> 6]!));
  else if (deed < 19) stage.store(word, 0);
  else if (deed === 23 && isValid(now)) stage.storeByHardware(word, now | ACCESSED);
  else stage.store(word, recoloured(now, deed));
}

function recoloured(word: number, deed: number): number {
  if (!isValid(word)) return word;
  if (deed < 20) return word & ~WRITE;
  if (deed < 21) return word ^ ACCESSED;
  return deed < 22 ? word | WRITE : word ^ SOFTWARE_MASK;
}

test('it agrees with a slow oracle that walks the tables anew', (t) => {
  const stage = new Stage(abstractMap);
  const slow = stage.attach(slowMap);
  CARDS.forEach(([card, range, reach], operation) => {
    stage.duty(operation, { tree: TreeIndex.Guest, ...card }, range, reach);
  });
  const seen = new Map<string, number>();
  const agree = (stream: readonly Deed[]): void => {
    stage.reset();
    stage.unheard(() => stage.path(0, 2));
    for (const deed of stream) {
      play(stage, deed);
      const { violation } = stage.scene.report;
      t.deepEqual([violation?.rule, violation?.page], [slow.violation?.rule, slow.violation?.page]);
      if (violation !== undefined) break;
    }
    const rule = stage.rule ?? 'nothing';
    seen.set(rule, (seen.get(rule) ?? 0) + 1);
  };
  fc.assert(fc.property(deeds, agree), { numRuns: 1500, seed: 11 });
  t.deepEqual([...seen.keys()].sort(), ['change', 'nothing', 'promise']);
});

test('a retired tree ends the promises about it and no others, of every actor', (t) => {
  const stage = promising(State.Absent);
  stage.duty(1, { tree: TreeIndex.Shadow, achieves: State.Mapped }, [4, 1]);
  stage.as(Who.Host1, 1).begin();
  stage.claim(Claim.ContextRetired, TreeIndex.Guest);
  stage.as(Who.Host0, 0).end();
  passes(t, stage);
  stage.as(Who.Host1, 1).end();
  reports(t, stage, 'promise');
});
