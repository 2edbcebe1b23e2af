/**
 * Builds, unseen by anybody, the tables that map what a block maps, down to the level that is needed.
 *
 * Mirrors: Xen at c447b7308b, p2m_split_superpage().
 * Source: spec/x86-xen.md C5, amendment E23.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { FRAME_MASK, FRAME_SHIFT, frameOf } from '../../sim/descriptor.ts';
import { entriesPerTable, indexAt, levelPages } from '../../sim/geometry.ts';
import { sites } from '../../sim/site.ts';
import { isForeign, tableEntry, typeOf } from './p2m-entry.ts';
import { allocateTable, freeTable, putPage } from './p2m-pages.ts';
import type { P2mWorld } from './p2m-world.ts';

export const splitSites = sites('p2m-split', [
  'makeChild',
  'linkChild',
  'countBlock',
  'countShattered',
]);
const at = splitSites;

/**
 * Only the child on the way to `page` is taken apart further. Children have the block's rights and type, and are
 * seen by hardware if it was.
 * @returns the table that takes the block's place, or -1 when there was no memory, and nothing has changed
 */
export function* splitBlock(
  self: Actor,
  world: P2mWorld,
  block: number,
  level: number,
  target: number,
  page: number,
): Operation<number> {
  const { geometry, machine } = world;
  const made: number[] = [];
  let source = block;
  let parent = -1;
  for (let child = level + 1; child <= target; child += 1) {
    const frame = yield* allocateTable(self, world);
    if (frame < 0) {
      // what was built goes; the block stays, with the references that it holds
      for (const table of made) yield* freeTable(self, world, table);
      const isPut = isForeign(typeOf(block)) && world.bug('E23-failed-split-puts-pages');
      for (let i = 0; isPut && i < entriesPerTable(geometry); i += 1)
        yield* putPage(self, world, frameOf(block) + i, true);
      return -1;
    }
    const size = levelPages(geometry, child);
    for (let index = 0; index < entriesPerTable(geometry); index += 1) {
      const entry = (source & ~FRAME_MASK) | ((frameOf(source) + index * size) << FRAME_SHIFT);
      yield* self.store(at.makeChild, machine.memory.address(frame, index), entry);
    }
    if (parent >= 0) yield* self.store(at.linkChild, parent, tableEntry(frame));
    made.push(frame);
    const index = indexAt(geometry, page, child);
    parent = machine.memory.address(frame, index);
    source = (source & ~FRAME_MASK) | ((frameOf(source) + index * size) << FRAME_SHIFT);
  }
  for (let above = level; above < target; above += 1) {
    yield* self.add(at.countShattered, world.shattered + above, 1);
    yield* self.add(at.countBlock, world.mappings + above, -1);
    yield* self.add(at.countBlock, world.mappings + above + 1, entriesPerTable(geometry));
  }
  return made[0]!;
}
