/**
 * A small stage for oracles: a machine with toy tables, played by hand. Tests say which actor and
 * which operation an event belongs to, fill TLBs, leave walks in flight, and ask what one oracle said.
 */
import type { ExecutionContext } from 'ava';
import {
  type Duty,
  type Oracle,
  type OracleSpec,
  Report,
  type Scene,
} from '../../oracles/oracle.ts';
import { baseRegister } from '../../sim/access.ts';
import { assert } from '../../sim/assert.ts';
import { type Card, NO_CARD, WORK_NAMES, Work } from '../../sim/card.ts';
import type { ClaimCode } from '../../sim/claims.ts';
import { ACCESSED, frameOf, isTable, leaf, READ, table, WRITE } from '../../sim/descriptor.ts';
import { Event, type EventCode } from '../../sim/event.ts';
import { type Geometry, indexAt, LAST_LEVEL, levelShift } from '../../sim/geometry.ts';
import type { TranslationHardware } from '../../sim/hardware.ts';
import type { Invariant } from '../../sim/invariant.ts';
import { LockKind, Mode } from '../../sim/locks.ts';
import { Machine } from '../../sim/machine.ts';
import type { Ownership } from '../../sim/ownership.ts';
import { Role } from '../../sim/pages.ts';
import { siteOf } from '../../sim/site.ts';
import type { MachineSpec } from '../../sim/spec.ts';
import { StoreOrder } from '../../sim/stores.ts';
import { Regime, type Tree } from '../../sim/tables.ts';
import { TLB_CAPACITY, TlbKind } from '../../sim/tlb.ts';
import { Held, NO_TABLE, Phase } from '../../sim/walk.ts';

export const KERNEL_FRAMES = 20;
export const FRAMES = 64;
/** One count word per frame, in kernel frames. */
export const COUNT_BASE = 4;

/** Indexes into the machine's trees: the guest's, the hypervisor's, a second guest's. */
export const TreeIndex = { Guest: 0, Hypervisor: 1, Shadow: 2 } as const;
export type TreeIndex = (typeof TreeIndex)[keyof typeof TreeIndex];

export const Lock = { Mmu: 0, Hypervisor: 1, Shadow: 2, Slots: 3, Second: 4 } as const;

/** Actors: two vCPUs on PEs 0 and 1, two hosts on 2 and 3, and the walker of PE 0. */
export const Who = { Vcpu0: 0, Vcpu1: 1, Host0: 2, Host1: 3, Walker0: 4 } as const;

export const GUEST_VMID = 1;
export const SHADOW_VMID = 2;

/** Three levels of four entries; blocks at level 2 only, so that a leaf at level 1 is a fault. */
export const GUEST_GEOMETRY: Geometry = {
  granuleBits: 12,
  bitsPerLevel: 2,
  startLevel: 1,
  rootPages: 1,
  blockLevels: [2],
  windowPages: 64,
};

const SMALL_GEOMETRY: Geometry = { ...GUEST_GEOMETRY, startLevel: 2, windowPages: 16 };

/** Attributes that tests use most. */
export const READ_WRITE = READ | WRITE | ACCESSED;
export const READ_ONLY = READ | ACCESSED;

const SITE = siteOf('stage.play');

export const BUSY = 1 << 10;
/** Domain of the walkers that share the guest tree's lock; domain 1 has nothing to do with it. */
export const WALKS = 0;

/** Faults go on side by side, everything else alone. */
const FAULTS = (1 << Work.Map) | (1 << Work.Relax) | (1 << Work.Young);
const READERS = {
  busy: BUSY,
  readers: WALKS,
  together: WORK_NAMES.map((_, work) => ((FAULTS & (1 << work)) !== 0 ? FAULTS : 0)),
  alone: 1 << Work.Evict,
};

export interface StageOptions {
  /** vCPU 1 and host 1 belong to the second guest. */
  readonly guests?: boolean;
  /** The third tree is made from a table that the guest keeps. */
  readonly derived?: boolean;
  /** What translates; Arm's by default. */
  readonly hardware?: TranslationHardware;
  /** The system tells the host which pages were written. */
  readonly tellsHost?: boolean;
  /** The walker sets the accessed flag itself. */
  readonly hardwareAccessed?: boolean;
  /** ... and makes leaves with a dirty-bit modifier writable. */
  readonly hardwareDirty?: boolean;
  /** Invalid non-zero words of the guest's tree are annotations. */
  readonly annotations?: boolean;
  /** The guest's tree has readers: busy entries, a read section, and a matrix of work. */
  readonly shared?: boolean;
  /** Leaves of the guest's tree may carry the contiguous hint. */
  readonly hints?: boolean;
  /** The entry that software knows by a word of the guest's tree. */
  readonly known?: (word: number) => number;
  /** The first PE that is the TLB of a device. */
  readonly firstDevice?: number;
  /** Stores and registers take effect late (F2). */
  readonly delays?: boolean;
  /** First count word; -1 for a system that counts nothing. */
  readonly countBase?: number;
  /** Pages have owners: the trees belong to components 0, 1 and 2, in this order. */
  readonly ownership?: Ownership;
}

function machineSpec(options: StageOptions): MachineSpec {
  const second = options.guests === true ? { tree: TreeIndex.Shadow } : {};
  const shared = { annotations: options.annotations ?? false, counted: true };
  return {
    frames: FRAMES,
    kernelFrames: KERNEL_FRAMES,
    backedPages: FRAMES,
    pes: 4,
    actors: [
      { name: 'vcpu0', role: 'vcpu', pe: 0 },
      { name: 'vcpu1', role: 'vcpu', pe: 1, ...second },
      { name: 'host', role: 'host', pe: 2 },
      { name: 'host1', role: 'host', pe: 3, ...second },
      { name: 'pe0', role: 'pe', pe: 0 },
    ],
    locks: [
      { name: 'mmu', kind: LockKind.ReadWrite },
      { name: 'hypervisor', kind: LockKind.Mutex },
      { name: 'shadow', kind: LockKind.Spin },
      { name: 'slots', kind: LockKind.Mutex },
      { name: 'second', kind: LockKind.ReadWrite },
    ],
    sectionDomains: 2,
    trees: [
      {
        name: 'guest',
        component: 0,
        geometry: GUEST_GEOMETRY,
        regime: Regime.Guest,
        vmid: GUEST_VMID,
        lock: Lock.Mmu,
        ...shared,
        ...(options.shared === true ? READERS : {}),
        ...(options.hints === true ? { hints: true } : {}),
        ...(options.known === undefined ? {} : { known: options.known }),
      },
      {
        name: 'hypervisor',
        component: 1,
        geometry: SMALL_GEOMETRY,
        regime: Regime.Hypervisor,
        vmid: -1,
        lock: Lock.Hypervisor,
        annotations: false,
        counted: false,
      },
      {
        name: 'shadow',
        component: 2,
        geometry: SMALL_GEOMETRY,
        regime: Regime.Guest,
        vmid: SHADOW_VMID,
        lock: Lock.Shadow,
        ...shared,
        ...(options.derived === true ? { isDerived: true } : {}),
      },
    ],
    guestTree: TreeIndex.Guest,
    hypervisorTree: TreeIndex.Hypervisor,
    hardwareAccessed: options.hardwareAccessed ?? true,
    hardwareDirty: options.hardwareDirty ?? false,
    ...(options.hardware === undefined ? {} : { hardware: options.hardware }),
    tellsHost: options.tellsHost ?? false,
    ...(options.firstDevice === undefined ? {} : { firstDevice: options.firstDevice }),
    storeOrder: options.delays === true ? StoreOrder.Location : StoreOrder.Immediate,
  };
}

/** A TLB entry, where it differs from what the descriptor itself says. */
export interface EntryOverride {
  readonly kind?: TlbKind;
  readonly vmid?: number;
  readonly word?: number;
  readonly instance?: number;
  readonly first?: number;
}

export class Stage {
  readonly machine: Machine;
  readonly scene: Scene;
  readonly spec: OracleSpec;
  readonly oracle: Oracle;
  /** By operation instance; the scenes of all oracles share it. */
  readonly duties: Duty[] = [];
  readonly invariants: Invariant[] = [];
  readonly #ownership: Ownership | undefined;
  readonly #others: { readonly oracle: Oracle; readonly report: Report }[] = [];
  #isListening = true;

  constructor(spec: OracleSpec, options: StageOptions = {}) {
    this.spec = spec;
    this.#ownership = options.ownership;
    this.machine = new Machine(machineSpec(options));
    this.scene = this.#sceneOf(options.countBase ?? COUNT_BASE);
    this.oracle = this.#attach(spec, this.scene);
    this.reset();
  }

  /** A second oracle on the same events, with a report of its own. */
  attach(spec: OracleSpec): Report {
    const scene = this.#sceneOf(this.scene.countBase);
    this.#others.push({ oracle: this.#attach(spec, scene), report: scene.report });
    return scene.report;
  }

  #sceneOf(countBase: number): Scene {
    const { machine, duties } = this;
    return {
      machine,
      report: new Report(machine),
      duties,
      countBase,
      invariants: this.invariants,
      ownership: this.#ownership,
    };
  }

  #attach(spec: OracleSpec, scene: Scene): Oracle {
    const oracle = spec.create(scene);
    const listener = {
      onEvent: (kind: EventCode, a: number, b: number, c: number, d: number): void => {
        if (this.#isListening) oracle.onEvent(kind, a, b, c, d);
      },
    };
    this.machine.listen(listener, spec.listens, spec.claims);
    return oracle;
  }

  /** As a session does between runs: reports, oracles, then the machine and its roots. */
  reset(): void {
    this.scene.report.reset();
    this.oracle.reset();
    for (const { oracle, report } of this.#others) {
      report.reset();
      oracle.reset();
    }
    this.machine.reset();
    for (const tree of this.machine.tables.trees) this.#plant(tree);
    this.as(Who.Host0, 0);
  }

  #plant(tree: Tree): void {
    const { pages, memory, tables, pes } = this.machine;
    const root = pages.takeRun(Role.Table, tree.geometry.rootPages);
    memory.store(this.count(root), 1, 0);
    tables.plant(tree.index, root);
    for (const pe of pes) {
      if (tree.index === TreeIndex.Guest) pe.vttbr = baseRegister(root, GUEST_VMID);
      if (tree.index === TreeIndex.Hypervisor) pe.ttbr0 = baseRegister(root, 0);
    }
  }

  // ---- what the oracle said ----

  /** The rule reported, or undefined. */
  get rule(): string | undefined {
    return this.scene.report.violation?.rule;
  }

  get judgements(): number {
    return this.oracle.judgements;
  }

  // ---- who acts ----

  as(actor: number, operation: number): this {
    this.machine.actor = actor;
    this.machine.operation = operation;
    return this;
  }

  /** Plays without the oracle listening: the past of a scene. */
  unheard<Value>(play: () => Value): Value {
    this.#isListening = false;
    try {
      return play();
    } finally {
      this.#isListening = true;
    }
  }

  duty(
    operation: number,
    card: Partial<Card>,
    range: readonly [number, number] = [0, 0],
    reach: readonly [number, number] = range,
    args: readonly number[] = [],
  ): void {
    this.duties[operation] = {
      card: { ...NO_CARD, ...card },
      args,
      first: range[0],
      count: range[1],
      reachFirst: reach[0],
      reachCount: reach[1],
    };
  }

  begin(): void {
    this.emit(Event.OperationBegin, this.machine.operation);
  }

  end(result = 0): void {
    this.emit(Event.OperationEnd, this.machine.operation, result);
  }

  emit(kind: EventCode, a = 0, b = 0, c = 0, d = 0): void {
    this.machine.emit(kind, SITE, a, b, c, d);
  }

  claim(claim: ClaimCode, x = 0, y = 0, z = 0): void {
    this.machine.claim(claim, x, y, z);
  }

  lock(lock: number, mode: Mode = Mode.Exclusive): void {
    this.machine.locks.take(lock, mode, this.machine.actor);
    this.emit(Event.LockTake, lock, mode);
  }

  /** As the machine does: listeners judge while the lock is still held. */
  unlock(lock: number): void {
    const { locks, actor } = this.machine;
    this.emit(Event.LockDrop, lock, locks.mode(lock, actor));
    locks.drop(lock, actor);
  }

  enter(domain: number): void {
    this.machine.sections.enter(domain, this.machine.actor);
    this.emit(Event.SectionEnter, domain);
  }

  /** As the machine does: listeners judge after the section has ended. */
  leave(domain: number): void {
    this.machine.sections.exit(domain, this.machine.actor);
    this.emit(Event.SectionExit, domain);
  }

  // ---- pages and words ----

  /** A zeroed page; no event. */
  take(role: Role): number {
    const frame = this.machine.pages.take(role, true);
    assert(frame >= 0, 'the stage has pages left');
    this.machine.memory.zero(frame);
    return frame;
  }

  /** The first of adjacent aligned pages; no event. */
  takeRun(role: Role, pages: number): number {
    const first = this.machine.pages.takeRun(role, pages);
    assert(first >= 0, 'the stage has a run left');
    return first;
  }

  free(frame: number): void {
    const { pages } = this.machine;
    this.emit(Event.Free, frame, pages.role[frame]!);
    pages.give(frame);
  }

  count(frame: number): number {
    return COUNT_BASE + frame;
  }

  load(word: number): number {
    return this.machine.memory.load(word);
  }

  store(word: number, value: number): void {
    this.machine.write(SITE, word, value, false);
  }

  storeByHardware(word: number, value: number): void {
    this.machine.write(SITE, word, value, true);
  }

  // ---- tables ----

  tree(index: TreeIndex): Tree {
    return this.machine.tables.trees[index]!;
  }

  /** Word of the entry for `page` at `level`, following the tables in memory. */
  word(page: number, level: number = LAST_LEVEL, index: TreeIndex = TreeIndex.Guest): number {
    const { geometry, root } = this.tree(index);
    const { memory } = this.machine;
    let frame = root;
    for (let at = geometry.startLevel; at < level; at += 1) {
      const entry = memory.load(memory.address(frame, indexAt(geometry, page, at)));
      assert(isTable(entry), 'the path to the entry has tables');
      frame = frameOf(entry);
    }
    return memory.address(frame, indexAt(geometry, page, level));
  }

  /** Links tables down to `level` where there are none, and returns the entry's word there. */
  path(page: number, level: number = LAST_LEVEL, index: TreeIndex = TreeIndex.Guest): number {
    const { startLevel } = this.tree(index).geometry;
    for (let at: number = startLevel; at < level; at += 1) {
      const word = this.word(page, at, index);
      if (!isTable(this.load(word))) this.store(word, table(this.take(Role.Table)));
    }
    return this.word(page, level, index);
  }

  /** Maps one page, tables included, and returns the leaf's word. */
  map(
    page: number,
    frame: number,
    attributes: number = READ_WRITE,
    index: TreeIndex = TreeIndex.Guest,
  ): number {
    const word = this.path(page, LAST_LEVEL, index);
    this.store(word, leaf(frame, attributes));
    return word;
  }

  /** Maps a block of four pages and returns its word. */
  mapBlock(page: number, frame: number, attributes: number = READ_WRITE): number {
    const word = this.path(page, LAST_LEVEL - 1);
    this.store(word, leaf(frame, attributes));
    return word;
  }

  // ---- TLBs and walks ----

  /** Caches the descriptor at a word of a linked table; a table as walk-cache entry. */
  cache(pe: number, word: number, override: EntryOverride = {}): void {
    const { tlb } = this.machine.pes[pe]!;
    assert(tlb.count < TLB_CAPACITY, 'the TLB has room');
    const at = tlb.count;
    const place = this.#place(word);
    const value = override.word ?? this.load(word);
    const isNext = place.level < LAST_LEVEL && isTable(value);
    const isGuest = place.tree.regime === Regime.Guest;
    const guestKind = isNext ? TlbKind.Table : TlbKind.Leaf;
    tlb.count = at + 1;
    tlb.kind[at] = override.kind ?? (isGuest ? guestKind : isNext ? TlbKind.Table2 : TlbKind.Leaf2);
    tlb.vmid[at] = override.vmid ?? place.tree.vmid;
    tlb.first[at] = override.first ?? place.first;
    tlb.bits[at] = levelShift(place.tree.geometry, place.level);
    tlb.level[at] = place.level;
    tlb.word[at] = value;
    tlb.address[at] = word;
    tlb.instance[at] = override.instance ?? this.machine.memory.instance(word);
    tlb.generation[at] = isNext ? this.machine.pages.generation[frameOf(value)]! : 0;
    tlb.row[at] = this.machine.trace.count;
  }

  /** Everything that a PE has cached is gone. */
  flush(pe: number): void {
    this.machine.pes[pe]!.tlb.reset();
  }

  /** The actor's walk has read the descriptor at a word of a linked table, and holds it. */
  walkHolds(actor: number, word: number, page: number): void {
    const { walk } = this.machine.actors[actor]!;
    const { pages, memory } = this.machine;
    const place = this.#place(word);
    const value = this.load(word);
    const isNext = place.level < LAST_LEVEL && isTable(value);
    walk.regime = place.tree.regime;
    walk.vmid = place.tree.vmid;
    walk.page = page;
    walk.phase = isNext ? Phase.Descend : Phase.Use;
    walk.frame = isNext ? frameOf(value) : memory.frame(word);
    walk.generation = pages.generation[walk.frame]!;
    walk.level = isNext ? place.level + 1 : place.level;
    walk.from = this.machine.trace.count;
    walk.held = isNext ? Held.Table : Held.Leaf;
    walk.address = word;
    walk.word = value;
    walk.instance = memory.instance(word);
    walk.heldLevel = place.level;
    walk.row = walk.from;
    walk.tableLevel = isNext ? place.level : NO_TABLE;
  }

  /** The actor's walk has read a leaf without accessed flag, and is about to set it. */
  walkUpdates(actor: number, word: number, page: number): void {
    this.walkHolds(actor, word, page);
    const { walk } = this.machine.actors[actor]!;
    walk.phase = Phase.SetAccessed;
    walk.tableLevel = walk.heldLevel - 1;
  }

  /** The leaf has changed before the actor's walk could update it: the level is read again. */
  walkReadsAgain(actor: number, word: number, page: number): void {
    this.walkUpdates(actor, word, page);
    const { walk } = this.machine.actors[actor]!;
    walk.phase = Phase.Descend;
    walk.held = Held.Nothing;
  }

  /** The actor's walk has begun at the root and has read nothing. */
  walkStarts(actor: number, page: number, index: TreeIndex = TreeIndex.Guest): void {
    const { walk } = this.machine.actors[actor]!;
    const tree = this.tree(index);
    walk.reset();
    walk.regime = tree.regime;
    walk.vmid = tree.vmid;
    walk.page = page;
    walk.phase = Phase.Descend;
    walk.frame = tree.root;
    walk.generation = this.machine.pages.generation[tree.root]!;
    walk.level = tree.geometry.startLevel;
  }

  walkEnds(actor: number): void {
    this.machine.actors[actor]!.walk.reset();
  }

  #place(word: number): { tree: Tree; level: number; first: number } {
    const { memory, tables } = this.machine;
    const frame = memory.frame(word);
    const tree = tables.trees[tables.treeOf[frame]!];
    assert(tree !== undefined, 'the word lies in a linked table');
    const level = tables.levelOf[frame]!;
    const first = tables.firstOf[frame]! + (memory.index(word) << levelShift(tree.geometry, level));
    return { tree, level, first };
  }
}

// ---- verdicts ----

/** The oracle reported exactly this rule, in its own name, and stopped the run. */
export function reports(t: ExecutionContext, stage: Stage, rule: string): void {
  t.is(stage.rule, rule);
  t.is(stage.scene.report.violation?.oracle, stage.spec.id);
  t.true(stage.machine.halted);
}

/** The oracle judged, and reported nothing. */
export function passes(t: ExecutionContext, stage: Stage): void {
  t.is(stage.rule, undefined);
  t.true(stage.judgements > 0, 'it judged something');
}

/**
 * A violation is found again after a reset, with the same facts, and the judgements of all runs are
 * counted: nothing of the first run is left.
 */
export function judgesAfresh(
  t: ExecutionContext,
  stage: Stage,
  rule: string,
  play: () => void,
): void {
  play();
  reports(t, stage, rule);
  const { violation } = stage.scene.report;
  const { judgements } = stage;
  stage.reset();
  t.is(stage.rule, undefined);
  play();
  t.deepEqual(stage.scene.report.violation, violation);
  t.is(stage.judgements, 2 * judgements);
}
