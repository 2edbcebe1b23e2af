/**
 * The hypervisor's own stage-1 table: pages are added, never changed.
 *
 * Mirrors: Linux 5.10 arch/arm64/kvm/hyp/pgtable.c, hyp map; no counts in this generation.
 * Source: spec/arm.md 2.5.2. Addresses and frames have one offset, so a page has one value.
 */
import { Domain } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { ACCESSED, type Intent, isValid, leaf, READ, table, WRITE } from '../../sim/descriptor.ts';
import { Mode } from '../../sim/locks.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import { blockFits } from './geometry.ts';
import { HYPERVISOR_GEOMETRY, Lock } from './machine.ts';
import { type TableWalk, Visit, type Visitor, walkTable } from './walker.ts';
import type { KvmWorld } from './world.ts';

export const hypervisorSites = sites('hyp-map', [
  'lock',
  'readRoot',
  'readLeaf',
  'makeLeaf',
  'allocateTable',
  'makeTable',
  'publish',
  'synchronise',
  'unlock',
  'use',
]);
const at = hypervisorSites;

export function* mapHypervisor(
  self: Actor,
  world: KvmWorld,
  page: number,
  pages: number,
): Operation<number> {
  yield* self.acquire(at.lock, Lock.Hypervisor, Mode.Exclusive);
  const root = yield* self.readOnce(at.readRoot, world.hypervisorRoot);
  const visitor = new MapHypervisor(world);
  const result = yield* walkTable(self, world, HYPERVISOR_GEOMETRY, root, page, pages, visitor);
  yield* self.dsb(at.publish, Domain.InnerStore);
  yield* self.isb(at.synchronise);
  yield* self.release(at.unlock, Lock.Hypervisor);
  return result;
}

class MapHypervisor implements Visitor {
  readonly flags = Visit.Leaf;
  readonly #world: KvmWorld;

  constructor(world: KvmWorld) {
    this.#world = world;
  }

  *leaf(self: Actor, walk: TableWalk): Operation<number> {
    const frame = this.#world.linearBase + walk.cursor;
    if (blockFits(walk, frame)) {
      const next = leaf(frame, READ | WRITE | ACCESSED);
      const old = yield* self.readOnce(at.readLeaf, walk.word);
      // what is mapped already must be the same; other callers are refused
      if (isValid(old)) return old === next ? Result.Ok : Result.Invalid;
      yield* self.storeRelease(at.makeLeaf, walk.word, next);
      return Result.Ok;
    }
    const old = yield* self.readOnce(at.readLeaf, walk.word);
    if (isValid(old)) return Result.Invalid;
    const child = yield* self.allocate(at.allocateTable, Role.Table, true);
    if (child < 0) return Result.NoMemory;
    yield* self.storeRelease(at.makeTable, walk.word, table(child));
    return Result.Ok;
  }
}

/** The hypervisor reads or writes one of its own pages; Refused when nothing is mapped there. */
export function* accessHypervisor(self: Actor, page: number, intent: Intent): Operation<number> {
  const result = yield* self.hypervisorAccess(at.use, page, intent, 0);
  return result === 0 ? Result.Ok : Result.Refused;
}
