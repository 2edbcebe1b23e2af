/**
 * The iterator of 2020 as operations of its time used it: a body works on an entry and asks afterwards whether to give
 * up the lock, so that entries without work are never followed by the question (K02). After it gave up the lock the walk is
 * refreshed, wherever it has come to: an entry that others change back is worked on and yielded for again (K01).
 *
 * Mirrors: walks of "Introduce the TDP MMU", v2 of October 2020.
 * Source: spec/x86-xen.md A4, "as first proposed"; amendment E15.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Claim } from '../../sim/claims.ts';
import type { Mode } from '../../sim/locks.ts';
import { machineLevel } from './geometry.ts';
import { dropForOthers, iteratorSites, type Walk } from './iterator.ts';
import { TdpIterator2020 } from './iterator-2020.ts';
import { isTable } from './spte.ts';
import type { KvmWorld } from './world.ts';

export class Walk2020 extends TdpIterator2020 implements Walk {
  readonly asksLate = true;
  readonly #root: number;
  readonly #end: number;

  constructor(world: KvmWorld, root: number, frame: number, end: number) {
    super(world, frame);
    this.#root = root;
    this.#end = end;
  }

  get isInside(): boolean {
    return this.isValid && this.gfn < this.#end;
  }

  override *start(self: Actor, goal: number): Operation<void> {
    // always down to the last level
    self.claim(Claim.WalkBegan, goal, this.#end, this.#root | ((machineLevel(1) + 1) << 4));
    yield* super.start(self, goal);
  }

  mustYield(self: Actor): boolean {
    self.claim(Claim.WalkTested, this.goal, 0, 0);
    return self.choose(iteratorSites.contended, 2) === 1;
  }

  *giveWay(self: Actor, mode: Mode, flush: boolean): Operation<void> {
    yield* dropForOthers(self, mode, flush);
    self.claim(Claim.WalkYielded, Math.max(this.goal, this.gfn), 0, 0);
    yield* this.refresh(self);
  }

  visit(self: Actor): void {
    const goesOn = this.level > 1 && isTable(this.snap);
    self.claim(Claim.WalkVisited, this.gfn, goesOn ? 1 : 0, machineLevel(this.level));
  }

  finish(self: Actor, early = false): void {
    self.claim(Claim.WalkEnded, early ? 1 : 0, 0, 0);
  }
}
