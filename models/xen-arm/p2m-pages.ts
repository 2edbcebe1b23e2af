/**
 * Pages of the host: references, the allocator that invalidates before it hands out a page again, and the
 * table pages of the domain.
 *
 * Mirrors: Xen get_page(), put_page(), alloc_heap_pages() as far as TLBs are concerned, p2m_alloc_page(),
 *          p2m_free_page().
 * Leaves out: page types, the number of pages in the domain's pool beyond the machine's (a small machine, and the
 *             choice that an allocation fails, stand for it).
 * Source: spec/x86-xen.md C1, C2, C6, C8.
 */
import { Domain } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Claim } from '../../sim/claims.ts';
import { Shareability, Tlbi } from '../../sim/invalidation.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import type { P2mWorld } from './p2m-world.ts';

export const hostPageSites = sites('host-page', [
  'readReferences',
  'reference',
  'referenceAgain',
  'release',
  'quarantine',
  'countQuarantine',
  'readQuarantine',
  'takeQuarantine',
  'emptyQuarantine',
  'invalidateAll',
  'completeAll',
  'freeQuarantined',
  'allocate',
]);
const at = hostPageSites;

export const tablePageSites = sites('table-page', ['allocate', 'list', 'unlist', 'free']);
const tables = tablePageSites;

/**
 * Takes a reference to a page that somebody may be freeing; false when it is too late.
 * @param isOthers the page belongs to another domain
 */
export function* getPage(
  self: Actor,
  world: P2mWorld,
  frame: number,
  isOthers: boolean,
): Operation<boolean> {
  for (;;) {
    const count = yield* self.readOnce(at.readReferences, world.references(frame));
    if (count === 0) return false;
    const seen = yield* self.compareExchange(
      at.reference,
      world.references(frame),
      count,
      count + 1,
    );
    if (seen === count) {
      if (isOthers) self.claim(Claim.PageReferenced, frame, 0, 0);
      return true;
    }
    yield* self.retry(at.referenceAgain);
  }
}

/** Drops a reference that `getPage` took. */
export function putPage(
  self: Actor,
  world: P2mWorld,
  frame: number,
  isOthers: boolean,
): Operation<void> {
  if (isOthers) self.claim(Claim.PageReleased, frame, 0, 0);
  return dropReference(self, world, frame);
}

/** The last reference makes the page free; translations to it may still be cached (C8). */
export function* dropReference(self: Actor, world: P2mWorld, frame: number): Operation<void> {
  const left = yield* self.add(at.release, world.references(frame), -1);
  if (left > 0) return;
  yield* self.or(at.quarantine, world.quarantine + (frame >>> 5), 1 << (frame & 31));
  yield* self.add(at.countQuarantine, world.quarantined, 1);
}

/** `count` adjacent pages for the domain, with a reference of their owner each; the first, or -1. */
export function* allocatePages(self: Actor, world: P2mWorld, count: number): Operation<number> {
  yield* reclaimPages(self, world);
  const frame =
    count === 1
      ? yield* self.allocate(at.allocate, Role.Data, true)
      : yield* self.allocateRun(at.allocate, Role.Data, count, true);
  if (frame < 0) return -1;
  // nobody else knows the pages
  for (let i = 0; i < count; i += 1) self.machine.memory.store(world.references(frame + i), 1, 0);
  return frame;
}

/** A page that was a domain's is handed out again after every TLB has forgotten it. */
function* reclaimPages(self: Actor, world: P2mWorld): Operation<void> {
  if ((yield* self.readOnce(at.readQuarantine, world.quarantined)) === 0) return;
  yield* self.exchange(at.emptyQuarantine, world.quarantined, 0);
  const taken: number[] = [];
  for (let index = 0; index < world.quarantineWords; index += 1)
    taken.push(yield* self.exchange(at.takeQuarantine, world.quarantine + index, 0));
  yield* self.tlbi(at.invalidateAll, Tlbi.Alle1, Shareability.Inner, 0, 0, 0);
  yield* self.dsb(at.completeAll, Domain.Inner);
  for (const [index, bits] of taken.entries()) {
    for (let bit = 0; bit < 32; bit += 1) {
      if ((bits & (1 << bit)) !== 0) yield* self.free(at.freeQuarantined, index * 32 + bit);
    }
  }
}

/** A zeroed table page on the domain's list, or -1. */
export function* allocateTable(self: Actor, world: P2mWorld): Operation<number> {
  const frame = yield* self.allocate(tables.allocate, Role.Table, false);
  if (frame < 0) return -1;
  yield* self.or(tables.list, world.tableList + (frame >>> 5), 1 << (frame & 31));
  return frame;
}

export function* freeTable(self: Actor, world: P2mWorld, frame: number): Operation<void> {
  yield* self.and(tables.unlist, world.tableList + (frame >>> 5), ~(1 << (frame & 31)));
  yield* self.free(tables.free, frame);
}
