/**
 * The host's own page tables, as far as the fault path walks them to learn the size of a mapping: one page of
 * entries for each block-sized region, which the host may take away although the pages stay where they are, and
 * without a word to its notifiers.
 *
 * Mirrors: Linux 5.13 arch/arm64/kvm/mmu.c, the walk for the mapping size with interrupts off; before 6.1
 *          mm/khugepaged.c, page tables of files that are taken away, which waits until every PE has had interrupts on.
 * Leaves out: what the entries say (host-memory.ts does); that the table comes back; the retry where it is gone: then
 *          the region is mapped by what host-memory.ts says.
 * Source: spec/arm.md 4.2 f11, shape M13.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { blockPages, regionOf } from './geometry.ts';
import { INTERRUPTS_DOMAIN } from './machine.ts';
import type { KvmWorld } from './world.ts';

export const hostTableSites = sites('host-table', [
  'stopInterrupts',
  'readTable',
  'readEntry',
  'allowInterrupts',
  'lockSpace',
  'lockTable',
  'clear',
  'unlockTable',
  'waitWalkers',
  'free',
  'unlockSpace',
]);
const at = hostTableSites;

/** Looks at the host's entry for the page. Who takes the table away waits until interrupts are on again. */
export function* walkHostTable(self: Actor, world: KvmWorld, page: number): Operation<void> {
  const isOff = !world.bug('M13-host-table-walked-with-interrupts');
  if (isOff) yield* self.enterSection(at.stopInterrupts, INTERRUPTS_DOMAIN);
  const word = world.hostTable + regionOf(world.geometry, page);
  const table = yield* self.readOnce(at.readTable, word);
  const index = page & (blockPages(world.geometry) - 1);
  if (table !== 0) yield* self.readOnce(at.readEntry, world.machine.memory.address(table, index));
  if (isOff) yield* self.exitSection(at.allowInterrupts, INTERRUPTS_DOMAIN);
}

/** The host takes the table of a region away; the pages that it named stay. */
export function* retractTable(self: Actor, world: KvmWorld, page: number): Operation<number> {
  const word = world.hostTable + regionOf(world.geometry, page);
  yield* self.acquire(at.lockSpace, world.lock.Mmap, Mode.Exclusive);
  yield* self.acquire(at.lockTable, world.lock.HostTable, Mode.Exclusive);
  const table = yield* self.exchange(at.clear, word, 0);
  yield* self.release(at.unlockTable, world.lock.HostTable);
  if (table !== 0) {
    yield* self.gracePeriod(at.waitWalkers, INTERRUPTS_DOMAIN);
    yield* self.free(at.free, table);
  }
  yield* self.release(at.unlockSpace, world.lock.Mmap);
  return Result.Ok;
}
