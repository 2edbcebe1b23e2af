/**
 * Eager split: when logging starts, blocks of the slot are replaced by tables of pages, so that the
 * faults that follow find pages.
 *
 * Mirrors: Linux 6.4 arch/arm64/kvm/hyp/pgtable.c, stage-2 split, and mmu.c, splitting a slot.
 * Leaves out: blocks above the level next to pages, which no fault makes here; memory types other than
 *          normal.
 * Source: spec/arm.md 3.4 SPLIT, CREATE-UNLINKED; 4.5 start.
 */
import { Domain } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result, Work } from '../../sim/card.ts';
import { ACCESSED, advance, isValid, table } from '../../sim/descriptor.ts';
import { entriesPerTable, LAST_LEVEL } from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import { getPage } from './counts.ts';
import { takeEntry } from './entries.ts';
import { blockPages } from './geometry.ts';
import { type TableWalk, Visit, type Visitor, walkTable } from './walker.ts';
import type { KvmWorld } from './world.ts';

export const splitSites = sites('split', [
  'fillCache',
  'lock',
  'readRoot',
  'fillEntry',
  'makeTable',
  'publish',
  'unlock',
  'freeCache',
]);
const at = splitSites;

/** Splits every block of the slot; the lock is dropped after each region to set pages aside again. */
export function* splitSlot(self: Actor, world: KvmWorld): Operation<void> {
  const { geometry } = world;
  const size = blockPages(geometry);
  const cache = world.cache(self);
  for (let page = 0; page < geometry.windowPages; page += size) {
    if (cache.length === 0) {
      const frame = yield* self.allocate(at.fillCache, Role.Cached, true);
      // blocks that are left are split by the faults that meet them
      if (frame < 0) return;
      self.machine.memory.store(world.count(frame), 1, 0);
      cache.push(frame);
    }
    yield* self.acquire(at.lock, world.lock.Mmu, Mode.Exclusive);
    world.beginWork(self, Work.Split);
    const root = yield* self.readOnce(at.readRoot, world.root);
    if (root !== 0) {
      yield* walkTable(self, world, geometry, root, page, size, new Split(world));
      yield* self.dsb(at.publish, Domain.InnerStore);
    }
    yield* self.release(at.unlock, world.lock.Mmu);
    if (root === 0) break;
  }
  for (let frame = cache.pop(); frame !== undefined; frame = cache.pop()) {
    yield* self.free(at.freeCache, frame);
  }
}

class Split implements Visitor {
  readonly flags = Visit.Leaf;
  readonly #world: KvmWorld;

  constructor(world: KvmWorld) {
    this.#world = world;
  }

  *leaf(self: Actor, walk: TableWalk): Operation<number> {
    const world = this.#world;
    const block = walk.snapshot;
    if (walk.level === LAST_LEVEL || !isValid(block)) return Result.Ok;
    const child = world.cache(self).pop();
    if (child === undefined) return Result.NoMemory;
    // nobody can see the table before it is linked: plain stores, no invalidation
    const { memory } = self.machine;
    for (let index = 0; index < entriesPerTable(walk.geometry); index += 1) {
      const page = advance(block, index) | ACCESSED;
      yield* self.store(at.fillEntry, memory.address(child, index), page);
      yield* getPage(self, world, child);
    }
    yield* takeEntry(self, world, walk, Mode.Exclusive);
    yield* getPage(self, world, walk.table);
    yield* self.storeRelease(at.makeTable, walk.word, table(child));
    return Result.Ok;
  }
}
