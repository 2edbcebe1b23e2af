/**
 * Claim: the abstract map changes only as the card of the running operation allows, a successful
 * operation made true what its card promises for every page of its range, and an operation ends
 * only with a result that its card lists, without memory only after an allocation failed. Where the card says
 * which entry a page is given, and at which level, it is given that one; what it changed outside its range is
 * as before when the lock is dropped; and it makes no table to take away exactly what one entry maps.
 *
 * Why it matters: this is functional correctness: unmap unmaps all of the range and nothing else.
 * Blind to: memory type and rights of what is installed where the card does not name it (permissions judges them); the order of changes inside one operation;
 * reasons of results other than "no memory", for which any failed allocation of the operation is one.
 * Cost: per descriptor change, the pages that it covers; per operation, its range.
 * Source: spec/arm.md 7.2 I-ABS; linearization points of 0.3.
 */

import { concerns, Result, State } from '../sim/card.ts';
import { Claim } from '../sim/claims.ts';
import {
  ACCESSED,
  CONTIGUOUS,
  DIRTY_MODIFIER,
  isValid,
  WRITE,
  writableBits,
} from '../sim/descriptor.ts';
import { Event, type EventCode } from '../sim/event.ts';
import { levelPages } from '../sim/geometry.ts';
import { Role } from '../sim/pages.ts';
import { placeIsHardware, placeTree } from '../sim/place.ts';
import type { Tree } from '../sim/tables.ts';
import { isByWalker, isChange } from './changes.ts';
import type { Duty, Oracle, OracleSpec, Scene } from './oracle.ts';

export const abstractMap: OracleSpec = {
  id: 'abstract-map',
  claim: 'the map from input page to entry changes only as operation cards say',
  listens: [
    Event.Descriptor,
    Event.OperationBegin,
    Event.OperationEnd,
    Event.AllocateFailed,
    Event.Allocate,
    Event.LockDrop,
    Event.Claim,
  ],
  claims: [Claim.ContextCreated, Claim.ContextDoomed, Claim.ContextRetired],
  create: (scene) => new AbstractMap(scene),
};

/** Per actor: the operation that runs and which pages of its range have met its promise. */
class Watch {
  operation = -1;
  duty: Duty | undefined;
  missing = 0;
  allocationFailed = false;
  /** By tree and page. */
  readonly met: Uint8Array;

  constructor(size: number) {
    this.met = new Uint8Array(size);
  }
}

class AbstractMap implements Oracle {
  judgements = 0;
  readonly #scene: Scene;
  readonly #watches: readonly Watch[];
  readonly #pages: number;
  /** Bits of which a writable entry has one. */
  readonly #writable: number;
  /** By tree: nothing but the removal of its entries is promised any more. */
  readonly #isDoomed: boolean[];
  /** Entries that the holder of the lock has changed, by tree and page: what they were before. */
  readonly #was: Int32Array;
  readonly #isChanged: Uint8Array;
  readonly #changed: number[] = [];

  constructor(scene: Scene) {
    this.#scene = scene;
    const { trees } = scene.machine.tables;
    this.#pages = Math.max(...trees.map((tree) => tree.geometry.windowPages));
    this.#was = new Int32Array(this.#pages * trees.length);
    this.#isChanged = new Uint8Array(this.#pages * trees.length);
    this.#watches = scene.machine.actors.map(() => new Watch(this.#pages * trees.length));
    this.#isDoomed = trees.map(() => false);
    this.#writable = writableBits(scene.machine.spec.hardwareDirty === true);
  }

  reset(): void {
    this.#isDoomed.fill(false);
    for (const watch of this.#watches) {
      watch.operation = -1;
      watch.duty = undefined;
      watch.missing = 0;
    }
    this.#forgetChanges();
  }

  onEvent(kind: EventCode, a: number, b: number, _c: number, d: number): void {
    const { machine } = this.#scene;
    if (kind === Event.Claim) {
      if (a === Claim.ContextRetired) this.#retired(b, true);
      else if (a === Claim.ContextDoomed) this.#retired(b, false);
      else if (a === Claim.ContextCreated) this.#isDoomed[b] = false;
    } else if (kind === Event.Descriptor) this.#follows(d);
    else if (kind === Event.LockDrop) this.#restored(a);
    else if (kind === Event.Allocate) this.#allocated(b);
    else if (kind === Event.OperationBegin) this.#begin(this.#watches[machine.actor]!);
    else if (kind === Event.OperationEnd) this.#end(this.#watches[machine.actor]!, b);
    else if (machine.actor >= 0) this.#watches[machine.actor]!.allocationFailed = true;
  }

  /**
   * A retired tree has no entries: promises about it are kept or moot. What no PE can use must still
   * lose its entries, but nothing else is promised about them.
   */
  #retired(index: number, isGone: boolean): void {
    this.#isDoomed[index] = true;
    const base = index * this.#pages;
    for (const { duty, met } of this.#watches) {
      if (duty === undefined) continue;
      if (isGone || duty.card.achieves !== State.Absent) met.fill(1, base, base + this.#pages);
    }
    for (const watch of this.#watches) watch.missing = this.#count(watch);
  }

  /** Pages of the range, in every tree that the promise is about, that have not met it. */
  #count({ duty, met }: Watch): number {
    if (duty?.card.achieves === undefined) return 0;
    let missing = 0;
    for (const tree of this.#scene.machine.tables.trees) {
      if (!concerns(duty.card, tree)) continue;
      const base = tree.index * this.#pages;
      for (let page = duty.first; page < duty.first + duty.count; page += 1)
        if (met[base + page] === 0) missing += 1;
    }
    return missing;
  }

  #begin(watch: Watch): void {
    const { machine, duties } = this.#scene;
    const duty = duties[machine.operation];
    watch.operation = machine.operation;
    watch.duty = duty;
    watch.missing = 0;
    watch.allocationFailed = false;
    if (duty?.card.achieves === undefined) return;
    for (const tree of machine.tables.trees) {
      if (!concerns(duty.card, tree)) continue;
      const base = tree.index * this.#pages;
      const isUnused = !tree.loadable || this.#isDoomed[tree.index] === true;
      const isMoot = duty.card.achieves === State.Absent ? !tree.live : isUnused;
      for (let page = duty.first; page < duty.first + duty.count; page += 1) {
        const isMet = isMoot || meets(tree.entries[page]!, duty.card.achieves, this.#writable);
        watch.met[base + page] = isMet ? 1 : 0;
        if (!isMet) watch.missing += 1;
      }
    }
  }

  #end(watch: Watch, result: number): void {
    const { duty } = watch;
    watch.duty = undefined;
    if (duty === undefined) return;
    this.judgements += 1;
    const { report } = this.#scene;
    if (!duty.card.results.includes(result as Result)) {
      report.add('abstract-map', 'result', 'actor', { found: result, page: duty.first });
      return;
    }
    if (result === Result.NoMemory && !watch.allocationFailed) {
      report.add('abstract-map', 'no-memory-without-cause', 'actor', {
        found: result,
        page: duty.first,
      });
      return;
    }
    if (result !== Result.Ok || watch.missing === 0) return;
    for (const tree of this.#scene.machine.tables.trees) {
      if (!concerns(duty.card, tree)) continue;
      const base = tree.index * this.#pages;
      for (let page = duty.first; page < duty.first + duty.count; page += 1) {
        if (watch.met[base + page] === 1) continue;
        report.add('abstract-map', 'promise', 'entry', { page, found: tree.entries[page]! });
        return;
      }
    }
  }

  #follows(where: number): void {
    const { machine, report } = this.#scene;
    const { tables } = machine;
    const tree = tables.trees[placeTree(where)]!;
    if (!tree.live) return;
    this.judgements += 1;
    const duty = this.#scene.duties[machine.operation];
    const end = tables.changedFirst + tables.changedCount;
    for (let page = tables.changedFirst; page < end; page += 1) {
      const before = tree.before[page]!;
      const after = tree.entries[page]!;
      if (before === after) continue;
      if (duty?.card.restores === true) this.#note(tree, page, before);
      const isAllowed = placeIsHardware(where)
        ? isByWalker(before, after, this.#walkersOwn(before))
        : duty !== undefined && allows(duty, tree, page, before, after);
      if (isAllowed) {
        const isJudged = duty !== undefined && isValid(after) && !placeIsHardware(where);
        if (isJudged && !this.#isGiven(duty, tree, page)) return;
        continue;
      }
      report.add('abstract-map', 'change', 'entry', { page, expected: before, found: after });
      return;
    }
    for (const watch of this.#watches) this.#follow(watch, tree);
  }

  /** What a walker may set in the entry. */
  #walkersOwn(entry: number): number {
    const { flags } = this.#scene.machine.hardware;
    const setsDirty = (entry & DIRTY_MODIFIER & this.#writable) !== 0;
    return setsDirty ? flags | WRITE : flags;
  }

  #note(tree: Tree, page: number, before: number): void {
    const at = tree.index * this.#pages + page;
    if (this.#isChanged[at] === 1) return;
    this.#isChanged[at] = 1;
    this.#was[at] = before;
    this.#changed.push(at);
  }

  #forgetChanges(): void {
    for (const at of this.#changed) this.#isChanged[at] = 0;
    this.#changed.length = 0;
  }

  /** The entry is as before the holder of the lock changed it: a block that is on its way to be taken apart. */
  #isBack(tree: Tree, page: number): boolean {
    const at = tree.index * this.#pages + page;
    return this.#isChanged[at] === 1 && this.#was[at] === tree.entries[page];
  }

  /** What the holder changed outside its range, and what it is as the lock is dropped. */
  #restored(lock: number): void {
    if (this.#changed.length === 0) return;
    const { machine, report, duties } = this.#scene;
    const { trees } = machine.tables;
    const { first, count } = duties[machine.operation]!;
    for (const at of this.#changed) {
      const tree = trees[Math.floor(at / this.#pages)]!;
      if (tree.lock !== lock) return;
      const page = at % this.#pages;
      if (page >= first && page < first + count) continue;
      const expected = this.#was[at]!;
      const found = tree.entries[page]!;
      this.judgements += 1;
      if (((expected ^ found) & ~(ACCESSED | CONTIGUOUS)) === 0) continue;
      report.add('abstract-map', 'not-restored', 'entry', { page, expected, found });
      return;
    }
    this.#forgetChanges();
  }

  /** A table for what one entry maps as a whole is not needed to take it away. */
  #allocated(role: number): void {
    const { machine, report, duties } = this.#scene;
    const duty = duties[machine.operation];
    if (role !== Role.Table || duty?.card.spares !== true) return;
    const tree = machine.tables.trees[duty.card.tree]!;
    const { first, count } = duty;
    if (count === 0 || !isValid(tree.entries[first]!)) return;
    this.judgements += 1;
    const size = levelPages(tree.geometry, tree.levels[first]!);
    if (size !== count || first % size !== 0) return;
    report.add('abstract-map', 'needless-table', 'table', { page: first, found: count });
  }

  /** The entry that the card names for the page, at the level that it names. */
  #isGiven({ card, args, first, count }: Duty, tree: Tree, page: number): boolean {
    const { report } = this.#scene;
    if (page < first || page >= first + count || !concerns(card, tree)) return true;
    const found = tree.entries[page]!;
    if (card.gives !== undefined) {
      const expected = card.gives(args, page, tree.before[page]!, tree.geometry);
      if (((found ^ expected) & ~CONTIGUOUS) !== 0) {
        report.add('abstract-map', 'other-entry', 'entry', { page, expected, found });
        return false;
      }
    }
    if (card.level !== undefined && !isValid(tree.before[page]!) && !this.#isBack(tree, page)) {
      const expected = card.level(args, page, tree.geometry);
      const level = tree.levels[page]!;
      if (level !== expected) {
        report.add('abstract-map', 'other-level', 'entry', { page, expected, found: level });
        return false;
      }
    }
    return true;
  }

  #follow(watch: Watch, tree: Tree): void {
    const { duty } = watch;
    if (watch.missing === 0 || duty === undefined || !concerns(duty.card, tree)) return;
    const base = tree.index * this.#pages;
    const { tables } = this.#scene.machine;
    const from = Math.max(duty.first, tables.changedFirst);
    const to = Math.min(duty.first + duty.count, tables.changedFirst + tables.changedCount);
    for (let page = from; page < to; page += 1) {
      if (watch.met[base + page] === 1) continue;
      if (!meets(tree.entries[page]!, duty.card.achieves!, this.#writable)) continue;
      watch.met[base + page] = 1;
      watch.missing -= 1;
    }
  }
}

/** @param writable bits of which a writable entry has one */
function meets(entry: number, state: State, writable: number): boolean {
  const isMapped = isValid(entry);
  if (state === State.Absent) return !isMapped;
  if (state === State.Mapped) return isMapped;
  if (state === State.ReadOnly) return !isMapped || (entry & writable) === 0;
  if (state === State.Clean) return !isMapped || (entry & WRITE) === 0;
  return !isMapped || (entry & ACCESSED) === 0;
}

function allows(duty: Duty, tree: Tree, page: number, before: number, after: number): boolean {
  const { card } = duty;
  if (!concerns(card, tree)) return false;
  if (page < duty.reachFirst || page >= duty.reachFirst + duty.reachCount) return false;
  const isInside = page >= duty.first && page < duty.first + duty.count;
  const changes = isInside ? card.inside : card.outside;
  for (let i = 0; i < changes.length; i += 1) {
    if (isChange(changes[i]!, before, after, tree.levelsBefore[page]!)) return true;
  }
  return false;
}
