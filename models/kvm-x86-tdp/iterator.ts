/**
 * The TDP iterator: a pre-order walk over all entries that cover [first, end), tolerant of concurrent
 * changes and of giving up the lock. Idiom:
 *
 *   for (yield* iter.start(self, first); iter.isInside; yield* iter.next(self)) {
 *     if (iter.mustYield(self)) {
 *       yield* iter.giveWay(self, mode, flush);
 *       continue;
 *     }
 *     iter.visit(self);
 *     ...
 *   }
 *   iter.finish(self);
 *
 * Mirrors: tdp_iter of Linux, today's form. iterator-2020.ts is the form first proposed.
 * Source: spec/x86-xen.md A4; properties I1-I5, amendments E5, E6.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { assert } from '../../sim/assert.ts';
import { Claim } from '../../sim/claims.ts';
import { frameOf } from '../../sim/descriptor.ts';
import { entriesPerTable, indexAt } from '../../sim/geometry.ts';
import type { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import type { Place } from './entries.ts';
import { flushAll } from './flush.ts';
import { machineLevel, rootLevel, roundDown, span } from './geometry.ts';
import { isTable } from './spte.ts';
import { type KvmWorld, Lock, RCU } from './world.ts';

export const iteratorSites = sites('iterator', [
  'readRoot',
  'reread',
  'readChild',
  'readNext',
  'contended',
  'leaveRcu',
  'dropLock',
  'retakeLock',
  'enterRcu',
]);
const at = iteratorSites;

/** A walk as operations use it; see walk.ts. */
export interface Walk extends Place {
  readonly gfn: number;
  readonly isInside: boolean;
  /** The question whether to yield comes after the work, as it did in 2020; otherwise before it. */
  readonly asksLate: boolean;
  start(self: Actor, first: number): Operation<void>;
  next(self: Actor): Operation<void>;
  mustYield(self: Actor): boolean;
  giveWay(self: Actor, mode: Mode, flush: boolean): Operation<void>;
  visit(self: Actor): void;
  finish(self: Actor, early?: boolean): void;
}

export class TdpIterator implements Walk {
  readonly asksLate = false;
  readonly world: KvmWorld;
  /** Slot of the root; its tree. */
  readonly root: number;
  readonly rootLevel: number;
  readonly minLevel: number;
  readonly end: number;
  /** Smallest page whose deepest entry has not been passed, and its value at the last (re)start. */
  target = 0;
  yieldedAt = 0;
  /** Table visited at each level. */
  readonly path: number[] = [];
  level = 0;
  /** First page of the current entry, where it lies, and the value read from it. */
  gfn = 0;
  word = 0;
  snap = 0;
  isValid = false;
  /** Set while snapshot and path are stale: the walk restarts at its next move. */
  yielded = false;

  /**
   * @param frame the root's page
   * @param minLevel the walk does not go below entries of this level
   * @param end first page beyond the walk
   */
  constructor(world: KvmWorld, root: number, frame: number, minLevel: number, end: number) {
    this.world = world;
    this.root = root;
    this.rootLevel = rootLevel(world.geometry);
    this.minLevel = minLevel;
    this.end = end;
    this.path[this.rootLevel] = frame;
  }

  get isInside(): boolean {
    return this.isValid && this.gfn < this.end;
  }

  *start(self: Actor, first: number): Operation<void> {
    this.target = first;
    const stop = machineLevel(this.minLevel) + 1;
    self.claim(Claim.WalkBegan, first, this.end, this.root | (stop << 4));
    yield* this.#restart(self);
  }

  *#restart(self: Actor): Operation<void> {
    this.yielded = false;
    this.yieldedAt = this.target;
    this.level = this.rootLevel;
    this.gfn = roundDown(this.world.geometry, this.target, this.level);
    this.#place();
    this.snap = yield* self.readOnce(at.readRoot, this.word);
    this.isValid = true;
  }

  *next(self: Actor): Operation<void> {
    if (this.yielded) {
      // no advance: the entry at the target has not been worked on
      yield* this.#restart(self);
      return;
    }
    if (this.level !== this.minLevel) {
      // read again, so as not to enter a table that was unlinked meanwhile
      this.snap = yield* self.readOnce(at.reread, this.word);
      if (this.level > 1 && isTable(this.snap)) {
        this.level -= 1;
        this.path[this.level] = frameOf(this.snap);
        this.gfn = roundDown(this.world.geometry, this.target, this.level);
        this.#place();
        this.snap = yield* self.readOnce(at.readChild, this.word);
        return;
      }
    }
    while (this.#index() === entriesPerTable(this.world.geometry) - 1) {
      if (this.level === this.rootLevel) {
        this.isValid = false;
        return;
      }
      this.level += 1;
      this.gfn = roundDown(this.world.geometry, this.gfn, this.level);
    }
    this.gfn += span(this.world.geometry, this.level);
    this.target = this.gfn;
    this.#place();
    this.snap = yield* self.readOnce(at.readNext, this.word);
  }

  #index(): number {
    return indexAt(this.world.geometry, this.gfn, machineLevel(this.level));
  }

  #place(): void {
    this.word = this.world.machine.memory.address(this.path[this.level]!, this.#index());
  }

  /**
   * The yield test, asked at the top of the body before any work: somebody waits for the lock (a choice) and the
   * walk has come further since it last gave it up. Then the body gives way and must do nothing.
   */
  mustYield(self: Actor): boolean {
    self.claim(Claim.WalkTested, this.target, 0, 0);
    if (self.choose(at.contended, 2) === 0) return false;
    const isFurther = this.target !== this.yieldedAt;
    return isFurther || this.world.bug('K01-yields-without-progress');
  }

  /** @param flush the caller owes a flush: done before the read section ends (Rule F) */
  *giveWay(self: Actor, mode: Mode, flush: boolean): Operation<void> {
    yield* dropForOthers(self, mode, flush);
    self.claim(Claim.WalkYielded, this.target, 0, 0);
    if (this.world.bug('K03-advances-after-restart')) yield* this.#restart(self);
    else this.yielded = true;
  }

  /** The lock was given up by the caller itself: the walk starts again at its target. */
  interrupted(self: Actor): void {
    self.claim(Claim.WalkYielded, this.target, 1, 0);
    this.yielded = true;
  }

  /** The body works on the current entry. */
  visit(self: Actor): void {
    assert(!this.yielded, 'a body does nothing after it yielded');
    const goesOn = this.level !== this.minLevel && this.level > 1 && isTable(this.snap);
    self.claim(Claim.WalkVisited, this.gfn, goesOn ? 1 : 0, machineLevel(this.level));
  }

  /** @param early the walk was given up before its end */
  finish(self: Actor, early = false): void {
    self.claim(Claim.WalkEnded, early ? 1 : 0, 0, 0);
  }
}

/** Gives the lock up and takes it again; a flush that is owed comes first, inside the read section (Rule F). */
export function* dropForOthers(self: Actor, mode: Mode, flush: boolean): Operation<void> {
  if (flush) yield* flushAll(self);
  yield* self.exitSection(at.leaveRcu, RCU);
  yield* self.release(at.dropLock, Lock.Mmu);
  yield* self.acquire(at.retakeLock, Lock.Mmu, mode);
  yield* self.enterSection(at.enterRcu, RCU);
}
