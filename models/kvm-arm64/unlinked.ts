/**
 * Tables that were taken out of the tree: no walker of the hardware can reach them, but software that
 * shares the MMU lock may still be inside. They are freed after every walk that was going on then, or at
 * once where nobody shares the lock (the hypervisor's walker).
 *
 * Mirrors: Linux 6.2 arch/arm64/kvm/mmu.c and hyp/pgtable.c, free of an unlinked table, RCU callback.
 * Source: spec/arm.md 3.4 FREE-UNLINKED, 3.5.
 */
import type { Actor, Operation, Step } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { frameOf, isTable, isValid } from '../../sim/descriptor.ts';
import { entriesPerTable, LAST_LEVEL } from '../../sim/geometry.ts';
import { sites } from '../../sim/site.ts';
import { putPage } from './counts.ts';
import { WALKS_DOMAIN } from './machine.ts';
import type { Stage2 } from './stage2.ts';

export const unlinkedSites = sites('unlinked', ['defer', 'nextCallback', 'readEntry']);
const at = unlinkedSites;

/** The level travels with the page: it says how deep there are tables. */
const LEVEL_BITS = 3;

/** Gives the table and everything below it back, when nobody can be in it any more. */
export function freeUnlinked(
  self: Actor,
  world: Stage2,
  frame: number,
  level: number,
): Step<unknown> {
  return world.generation.freesLater && !world.bug('V01-unlinked-table-freed-at-once')
    ? self.defer(at.defer, WALKS_DOMAIN, (frame << LEVEL_BITS) | level)
    : freeSubtree(self, world, frame, level);
}

/** What the callback actor does for as long as anybody runs. */
export function* runCallbacks(self: Actor, world: Stage2): Operation<number> {
  for (;;) {
    const what = yield* self.nextCallback(at.nextCallback, WALKS_DOMAIN);
    if (what < 0) return Result.Ok;
    yield* freeSubtree(self, world, what >>> LEVEL_BITS, what & ((1 << LEVEL_BITS) - 1));
  }
}

/** Drops the reference of every entry, each table after what is below it, and the root last. */
function* freeSubtree(self: Actor, world: Stage2, frame: number, level: number): Operation<void> {
  const { memory } = self.machine;
  const entries = entriesPerTable(world.geometry);
  const tables = [frame];
  const indexes = [0];
  while (tables.length > 0) {
    const depth = tables.length - 1;
    const table = tables[depth]!;
    const index = indexes[depth]!;
    if (index === entries) {
      tables.pop();
      indexes.pop();
      if (depth > 0) yield* putPage(self, world, tables[depth - 1]!);
      yield* putPage(self, world, table);
      continue;
    }
    indexes[depth] = index + 1;
    const entry = yield* self.readOnce(at.readEntry, memory.address(table, index));
    if (!isValid(entry)) continue;
    if (level + depth < LAST_LEVEL && isTable(entry)) {
      tables.push(frameOf(entry));
      indexes.push(0);
    } else {
      yield* putPage(self, world, table);
    }
  }
}
