/**
 * What is always true of the hypervisor's own tables beyond what general oracles know.
 * Source: spec/x86-xen.md B9.8, amendment E25.
 */
import { advance, CONTIGUOUS, frameOf, isTable, isValid } from '../../sim/descriptor.ts';
import { entriesPerTable, LAST_LEVEL, levelPages } from '../../sim/geometry.ts';
import type { Invariant } from '../../sim/invariant.ts';
import { Lock, type PtWorld } from './pt-world.ts';

/** An entry with the hint stands in an aligned group of entries that continue each other. */
export function groupInvariant(world: PtWorld): Invariant {
  return {
    id: 'contiguous-group',
    title: 'an entry with the contiguous hint belongs to a whole aligned group',
    lock: Lock.Tables,
    broken() {
      const [_first, pages] = world.wholeGroups;
      return pages === 0 ? -1 : brokenBelow(world, world.root, world.geometry.startLevel, 0);
    },
  };
}

/** Frame of a table with an incomplete group in the range that is judged; -1 for none. */
function brokenBelow(world: PtWorld, frame: number, level: number, first: number): number {
  const { geometry, machine } = world;
  const [from, count] = world.wholeGroups;
  const pages = levelPages(geometry, level);
  for (let index = 0; index < entriesPerTable(geometry); index += 1) {
    const page = first + index * pages;
    if (page + pages <= from || page >= from + count) continue;
    const entry = machine.memory.load(machine.memory.address(frame, index));
    if (!isValid(entry)) continue;
    if (level < LAST_LEVEL && isTable(entry)) {
      const below = brokenBelow(world, frameOf(entry), level + 1, page);
      if (below >= 0) return below;
    } else if ((entry & CONTIGUOUS) !== 0 && !isWhole(world, frame, level, index)) return frame;
  }
  return -1;
}

function isWhole(world: PtWorld, frame: number, level: number, index: number): boolean {
  const { memory } = world.machine;
  const { groupEntries } = world.configuration;
  const first = index - (index % groupEntries);
  const head = memory.load(memory.address(frame, first));
  const pages = levelPages(world.geometry, level);
  if (frameOf(head) % (groupEntries * pages) !== 0) return false;
  for (let i = 0; i < groupEntries; i += 1) {
    if (memory.load(memory.address(frame, first + i)) !== advance(head, i * pages)) return false;
  }
  return true;
}
