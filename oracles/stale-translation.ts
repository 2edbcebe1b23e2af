/**
 * Claim: by the moment that its card names, an operation has left no PE able to use a translation
 * that was made from a descriptor it removed (or, where the card says so, restricted); and where the card says
 * that its own PE translates what it mapped, that PE does not fault on the strength of what was there before.
 * A context that is created finds nothing cached under its tag; and a vCPU that enters the guest finds none of the
 * combined translations that another one with its tag has made on the PE (their stage 1 may differ).
 *
 * Why it matters: the caller frees or protects pages on the strength of that promise.
 * Blind to: walk-cache entries (freed-table), contexts that no PE can load, promises that no
 * card makes; a table that is unlinked and linked again before the promise falls due counts as removed.
 * Cost: one array write per descriptor change; a scan of each table that is unlinked; a scan of the
 * TLBs when a promise falls due.
 * Source: spec/arm.md 7.2 I-STALE, I-PERM; amendments E4, E13.
 */
import { Claim } from '../sim/claims.ts';
import {
  FRAME_MASK,
  frameOf,
  isLeaf,
  isTable,
  isValid,
  RIGHTS,
  TYPE_MASK,
  VALID,
} from '../sim/descriptor.ts';
import { Event, type EventCode } from '../sim/event.ts';
import { entriesPerTable, LAST_LEVEL, levelPages } from '../sim/geometry.ts';
import { placeIsHardware, placeLevel, placeTree } from '../sim/place.ts';
import type { Tree } from '../sim/tables.ts';
import { TlbKind } from '../sim/tlb.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';
import { liveTreeOf, nextTranslation, Translation } from './translations.ts';

export const staleTranslation: OracleSpec = {
  id: 'stale-translation',
  claim: 'when an operation promises that old translations are gone, no PE can use one',
  listens: [Event.Descriptor, Event.LockDrop, Event.OperationEnd, Event.GuestEnter, Event.Claim],
  claims: [Claim.ContextCreated],
  concerns: ({ machine }) => machine.spec.hasTables !== false,
  create: (scene) => new StaleTranslation(scene),
};

const Loss = { None: 0, Tightened: 1, Removed: 2 } as const;

class StaleTranslation implements Oracle {
  judgements = 0;
  readonly #scene: Scene;
  readonly #held = new Translation();
  /** By descriptor instance: what its successor took away, and the operation that stored it (+1). */
  #loss = new Uint8Array(1024);
  #by = new Int32Array(1024);
  /** By operation: it has taken something away. */
  #owes = new Uint8Array(64);
  /** By descriptor instance: the leaf that took its place in the same word, or 0. */
  #next = new Int32Array(1024);
  #highest = 0;

  /** By PE and tree of a guest: the actor that was in the guest there last, or -1. */
  readonly #lastIn: Int32Array;

  constructor(scene: Scene) {
    this.#scene = scene;
    const { pes, tables } = scene.machine;
    this.#lastIn = new Int32Array(pes.length * tables.trees.length).fill(-1);
  }

  reset(): void {
    this.#lastIn.fill(-1);
    this.#by.fill(0, 0, this.#highest + 1);
    this.#next.fill(0, 0, this.#highest + 1);
    this.#owes.fill(0);
    this.#highest = 0;
  }

  onEvent(kind: EventCode, a: number, b: number, c: number, d: number): void {
    if (kind === Event.Descriptor) this.#changed(b, c, d);
    else if (kind === Event.LockDrop) {
      this.#due(a, 'unlock');
      if (this.#scene.machine.delaysRegisters) this.#synchronised(a);
    } else if (kind === Event.OperationEnd) this.#due(-1, 'end');
    else if (kind === Event.GuestEnter) this.#entered(a);
    else this.#created(b);
  }

  #changed(old: number, next: number, where: number): void {
    if (!isValid(old)) return;
    if (isTable(old)) {
      const level = placeLevel(where);
      const isSame = isTable(next) && frameOf(next) === frameOf(old);
      if (level < LAST_LEVEL && !isSame && !this.#isKept(next, where))
        this.#unlinked(old, level, where);
      return;
    }
    const { machine } = this.#scene;
    // the walker only sets the accessed flag: the translation lives on under a new instance
    const isKept = placeIsHardware(where) || this.#isKept(next, where);
    const loss = isKept ? Loss.None : lossOf(old, next);
    if (!machine.tables.trees[placeTree(where)]!.live) return;
    const instance = machine.replaced;
    this.#reach(machine.instance);
    this.#next[instance] = isLeaf(next) ? machine.instance : 0;
    if (loss !== Loss.None) this.#takenAway(instance, loss);
  }

  /** A table that is linked no more takes the leaves below it away. */
  #unlinked(old: number, level: number, where: number): void {
    const { machine } = this.#scene;
    const tree = machine.tables.trees[placeTree(where)]!;
    if (!tree.live || placeIsHardware(where)) return;
    this.#reach(machine.instance);
    this.#removeBelow(tree, frameOf(old), level + 1);
  }

  /**
   * One valid descriptor took the place of another, on hardware that allows it, and the same pages are
   * translated with no right less: a block was split, or stands for its table.
   */
  #isKept(next: number, where: number): boolean {
    const { machine } = this.#scene;
    if (!isValid(next) || machine.hardware.breaksBeforeMake) return false;
    const { trees, changedFirst, changedCount } = machine.tables;
    const { before, entries } = trees[placeTree(where)]!;
    for (let page = changedFirst; page < changedFirst + changedCount; page += 1) {
      const was = before[page]!;
      if (isValid(was) && lossOf(was, entries[page]!) !== Loss.None) return false;
    }
    return true;
  }

  #removeBelow(tree: Tree, frame: number, level: number): void {
    const { memory } = this.#scene.machine;
    if (frame >= memory.frames) return;
    for (let index = 0; index < entriesPerTable(tree.geometry); index += 1) {
      const address = memory.address(frame, index);
      const word = memory.load(address);
      if (isLeaf(word)) this.#takenAway(memory.instance(address), Loss.Removed);
      else if (level < LAST_LEVEL && isTable(word) && frameOf(word) !== frame)
        this.#removeBelow(tree, frameOf(word), level + 1);
    }
  }

  #takenAway(instance: number, loss: number): void {
    const { operation } = this.#scene.machine;
    this.#loss[instance] = loss;
    this.#by[instance] = operation + 1;
    if (operation >= this.#owes.length) {
      const wider = new Uint8Array(operation * 2);
      wider.set(this.#owes);
      this.#owes = wider;
    }
    if (operation >= 0) this.#owes[operation] = 1;
  }

  /** The columns have room for this instance, and are reset up to it. */
  #reach(instance: number): void {
    if (instance >= this.#loss.length) this.#grow(instance);
    if (instance > this.#highest) this.#highest = instance;
  }

  /** @param lock the lock that is being dropped, or -1 at the end of the operation */
  #due(lock: number, moment: 'unlock' | 'end'): void {
    const { machine, duties } = this.#scene;
    const { operation } = machine;
    if (operation < 0 || this.#owes[operation] !== 1) return;
    const duty = duties[operation];
    if (duty === undefined) return;
    const { card } = duty;
    if (card.unusable === 'nothing') return;
    if (moment === 'unlock') {
      if (card.by !== 'unlock' || machine.tables.trees[card.tree]!.lock !== lock) return;
    }
    this.judgements += 1;
    this.#judge(operation, card.unusable === 'tightened');
  }

  #judge(operation: number, alsoTightened: boolean): void {
    const { machine } = this.#scene;
    const held = this.#held;
    for (
      let at = nextTranslation(machine, 0, held);
      at >= 0;
      at = nextTranslation(machine, at, held)
    ) {
      if (held.isTable) continue;
      const loss = this.#lossBy(held.instance, operation);
      if (loss === Loss.None) continue;
      const tree = liveTreeOf(machine, held);
      if (tree === undefined) continue;
      if (loss === Loss.Tightened && (!alsoTightened || isGrantedAgain(tree, held))) continue;
      this.#add(loss === Loss.Removed ? 'removed' : 'tightened', held);
      return;
    }
  }

  /** Tree `index` is about to be used, as the first with its tag or after another. */
  #created(index: number): void {
    const { machine } = this.#scene;
    if (!machine.hardware.keepsTags) return;
    const { vmid, regime } = machine.tables.trees[index]!;
    // the hypervisor's regime has no tag: its tables are exchanged as a whole (break-before-make)
    if (vmid < 0) return;
    this.judgements += 1;
    const held = this.#held;
    let at = nextTranslation(machine, 0, held);
    for (; at >= 0; at = nextTranslation(machine, at, held)) {
      if (held.regime !== regime || held.vmid !== vmid) continue;
      this.#add('of-old-context', held);
      return;
    }
  }

  /** A vCPU enters the guest on a PE, perhaps after another one. */
  #entered(pe: number): void {
    const { machine } = this.#scene;
    // vCPUs of other guests have numbers of their own
    const place = pe * machine.tables.trees.length + machine.actors[machine.actor]!.tree;
    const last = this.#lastIn[place]!;
    this.#lastIn[place] = machine.actor;
    if (last < 0 || last === machine.actor) return;
    this.judgements += 1;
    machine.trace.noteLook();
    const { tlb, vttbr } = machine.pes[pe]!;
    for (let i = 0; i < tlb.count; i += 1) {
      if (tlb.kind[i] !== TlbKind.Combined || tlb.vmid[i] !== (vttbr & 0xff)) continue;
      const facts = { page: tlb.first[i]!, pe, survivor: tlb.row[i]!, found: tlb.word[i]! };
      this.#scene.report.add('stale-translation', 'of-another-vcpu', 'translation', facts);
      return;
    }
  }

  #add(rule: string, { first, address, pe, row, word }: Translation): void {
    const facts = { page: first, word: address, pe, survivor: row, found: word };
    this.#scene.report.add('stale-translation', rule, 'translation', facts);
  }

  /** Entries that became valid after the PE synchronised may still be read as they were (F2). */
  #synchronised(lock: number): void {
    const { machine, report, duties } = this.#scene;
    const duty = duties[machine.operation];
    if (duty?.card.translates !== true) return;
    const { tables, memory, stores } = machine;
    const tree = tables.trees[duty.card.tree]!;
    if (tree.lock !== lock) return;
    this.judgements += 1;
    const { pe } = machine.actors[machine.actor]!;
    const { synchronisedAt } = machine.pes[pe]!;
    for (const [word, since] of stores.validSince) {
      const frame = memory.frame(word);
      if (since <= synchronisedAt || since !== memory.instance(word)) continue;
      if (tables.treeOf[frame] !== tree.index) continue;
      const pages = levelPages(tree.geometry, tables.levelOf[frame]!);
      const page = tables.firstOf[frame]! + memory.index(word) * pages;
      if (page >= duty.first + duty.count || page + pages <= duty.first) continue;
      report.add('stale-translation', 'not-synchronised', 'entry', { page, word, pe });
      return;
    }
  }

  /** What the operation took away from a descriptor instance or from one that followed it. */
  #lossBy(instance: number, operation: number): number {
    let worst: number = Loss.None;
    for (let at = instance; at > 0 && at < this.#by.length; at = this.#next[at]!) {
      if (this.#by[at] === operation + 1 && this.#loss[at]! > worst) worst = this.#loss[at]!;
    }
    return worst;
  }

  #grow(instance: number): void {
    const length = Math.max(instance + 1, this.#loss.length * 2);
    const loss = new Uint8Array(length);
    const by = new Int32Array(length);
    const next = new Int32Array(length);
    next.set(this.#next);
    this.#next = next;
    loss.set(this.#loss);
    by.set(this.#by);
    this.#loss = loss;
    this.#by = by;
  }
}

/** For every page of the cached entry the table has the same page again, with its rights. */
function isGrantedAgain(tree: Tree, held: Translation): boolean {
  const { entries } = tree;
  const end = Math.min(entries.length, held.first + (1 << held.bits));
  for (let page = held.first; page < end; page += 1) {
    const now = entries[page]!;
    if (!isValid(now) || (held.word & RIGHTS & ~now) !== 0) return false;
    if (frameOf(now) !== frameOf(held.word) + page - held.first) return false;
  }
  return true;
}

function lossOf(old: number, next: number): number {
  if (!isLeaf(next) || ((old ^ next) & (FRAME_MASK | TYPE_MASK | VALID)) !== 0) return Loss.Removed;
  return (old & RIGHTS & ~next) !== 0 ? Loss.Tightened : Loss.None;
}
