/**
 * The TDP iterator as first proposed in October 2020: kept to answer what its reviewer asked, by running.
 * It has no memory of where it yielded. After the lock was dropped the caller refreshes the walk, which aims at
 * the highest page reached, and then goes on with `next`: nothing is lost where that steps down.
 *
 * Mirrors: tdp_iter of "[PATCH v2 02/20] kvm: x86/mmu: Introduce tdp_iter".
 * Source: spec/x86-xen.md A4, "as first proposed"; amendment E15 (K01 and K02 are its flaws).
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { frameOf } from '../../sim/descriptor.ts';
import { entriesPerTable } from '../../sim/geometry.ts';
import { sites } from '../../sim/site.ts';
import { rootLevel, span } from './geometry.ts';
import { isTable } from './spte.ts';
import type { KvmWorld } from './world.ts';

export const oldIteratorSites = sites('first-iterator', ['readRoot', 'reread', 'read']);
const at = oldIteratorSites;

export class TdpIterator2020 {
  readonly world: Pick<KvmWorld, 'geometry' | 'machine'>;
  readonly rootLevel: number;
  goal = 0;
  readonly path: number[] = [];
  level = 0;
  gfn = 0;
  word = 0;
  snap = 0;
  isValid = false;

  constructor(world: Pick<KvmWorld, 'geometry' | 'machine'>, frame: number) {
    this.world = world;
    this.rootLevel = rootLevel(world.geometry);
    this.path[this.rootLevel] = frame;
  }

  start(self: Actor, goal: number): Operation<void> {
    return this.#startAt(self, goal);
  }

  *#startAt(self: Actor, goal: number): Operation<void> {
    this.goal = goal;
    this.level = this.rootLevel;
    this.gfn = this.#round(goal);
    this.#place();
    this.snap = yield* self.readOnce(at.readRoot, this.word);
    this.isValid = true;
  }

  /** After the lock was dropped: from the root again, towards the highest page reached. */
  *refresh(self: Actor): Operation<void> {
    yield* this.#startAt(self, Math.max(this.goal, this.gfn));
  }

  *next(self: Actor): Operation<void> {
    if (yield* this.#stepDown(self)) return;
    do {
      if (yield* this.#stepSide(self)) return;
    } while (this.#stepUp());
    this.isValid = false;
  }

  *#stepDown(self: Actor): Operation<boolean> {
    if (this.level === 1) return false;
    this.snap = yield* self.readOnce(at.reread, this.word);
    if (!isTable(this.snap)) return false;
    this.level -= 1;
    this.path[this.level] = frameOf(this.snap);
    this.gfn = this.#round(this.goal);
    this.#place();
    this.snap = yield* self.readOnce(at.read, this.word);
    return true;
  }

  *#stepSide(self: Actor): Operation<boolean> {
    const { geometry } = this.world;
    const here = span(geometry, this.level);
    if (isLastByArithmetic(this.gfn, here, here * entriesPerTable(geometry))) return false;
    this.gfn += here;
    this.goal = this.gfn;
    this.#place();
    this.snap = yield* self.readOnce(at.read, this.word);
    return true;
  }

  #stepUp(): boolean {
    if (this.level === this.rootLevel) return false;
    this.level += 1;
    this.gfn = this.#round(this.gfn);
    return true;
  }

  #round(page: number): number {
    return roundByModulo(page, span(this.world.geometry, this.level));
  }

  #place(): void {
    const { geometry, machine } = this.world;
    const index = Math.floor(this.gfn / span(geometry, this.level));
    this.word = machine.memory.address(
      this.path[this.level]!,
      index & (entriesPerTable(geometry) - 1),
    );
  }
}

export function roundByModulo(page: number, size: number): number {
  return page - (page % size);
}

/** The entry for `page` is the last of its table: what follows it is a multiple of the table's size. */
export function isLastByArithmetic(page: number, size: number, tableSize: number): boolean {
  return (page + size) % tableSize === 0;
}
