/**
 * How an entry is replaced from 6.2 on: take it (it is busy, and invalid to the hardware), let the old
 * translation go, make the new one. Whoever finds an entry busy or changed gives up and comes back.
 *
 * Mirrors: Linux 6.2 to 6.12 arch/arm64/kvm/hyp/pgtable.c, setting, breaking and making an entry.
 * Leaves out: the check that an entry is still busy when it is made; cache maintenance.
 * Source: spec/arm.md 3.2.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { isTable, isValid } from '../../sim/descriptor.ts';
import { LAST_LEVEL, levelPages } from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { putPage } from './counts.ts';
import { flushPage, flushSubtree } from './flush.ts';
import { BUSY } from './generation.ts';
import type { Stage2 } from './stage2.ts';
import type { TableWalk } from './walker.ts';

export const entrySites = sites('entry', ['take']);
const at = entrySites;

/**
 * Takes the entry of the walk, which still holds the walk's snapshot: it is busy, what was cached for it
 * is gone, and it is not counted any more.
 * @param mode how the caller holds the lock: alone it need not look whether the snapshot is still there
 * @returns false when another walker has the entry or has changed it
 */
export function* takeEntry(
  self: Actor,
  world: Stage2,
  walk: TableWalk,
  mode: Mode,
): Operation<boolean> {
  const old = walk.snapshot;
  if (old === BUSY) return false;
  if (mode === Mode.Shared) {
    const seen = yield* self.compareExchange(at.take, walk.word, old, BUSY);
    if (seen !== old) return false;
  } else {
    yield* self.store(at.take, walk.word, BUSY);
  }
  if (!isValid(old)) return true;
  if (walk.level < LAST_LEVEL && isTable(old)) {
    const pages = levelPages(walk.geometry, walk.level);
    yield* flushSubtree(self, world, walk.cursor, walk.first, pages);
  } else {
    yield* flushPage(self, world, walk.first, walk.level);
  }
  yield* putPage(self, world, walk.table);
  return true;
}
