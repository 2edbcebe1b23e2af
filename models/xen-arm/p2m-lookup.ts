/**
 * Looks up an input page in a p2m. The caller holds the p2m lock, in either mode.
 *
 * Mirrors: Xen at c447b7308b, p2m_get_entry().
 * Source: spec/x86-xen.md C2.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { frameOf } from '../../sim/descriptor.ts';
import { indexAt, LAST_LEVEL, levelPages } from '../../sim/geometry.ts';
import { sites } from '../../sim/site.ts';
import { isKnown, isKnownTable } from './p2m-entry.ts';
import { rootFrameFor } from './p2m-set.ts';
import type { P2mWorld } from './p2m-world.ts';

export const lookupSites = sites('p2m-lookup', ['readEnd', 'readEntry']);
const at = lookupSites;

/** The entry for the page, known or 0; its level, or that of the hole, is in the actor's cursor. */
export function* findEntry(self: Actor, world: P2mWorld, page: number): Operation<number> {
  const { geometry, machine } = world;
  const cursor = world.cursor(self);
  cursor.level = geometry.startLevel;
  if (page >= (yield* self.readOnce(at.readEnd, world.mappedEnd))) return 0;
  let table = rootFrameFor(world, page);
  if (table < 0) return 0;
  for (let level = geometry.startLevel; ; level += 1) {
    const word = machine.memory.address(table, indexAt(geometry, page, level));
    const entry = yield* self.readOnce(at.readEntry, word);
    cursor.level = level;
    if (!isKnown(entry)) return 0;
    if (level === LAST_LEVEL || !isKnownTable(entry)) return entry;
    table = frameOf(entry);
  }
}

/** The frame that an entry, found for the page, maps it to. */
export function frameFor(self: Actor, world: P2mWorld, page: number, entry: number): number {
  const size = levelPages(world.geometry, world.cursor(self).level);
  return frameOf(entry) + (page & (size - 1));
}
