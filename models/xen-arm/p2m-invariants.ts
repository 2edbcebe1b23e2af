/**
 * What is always true of a p2m's own data when its lock is free.
 * Source: spec/x86-xen.md C1, C11.2, C11.6, C11.8.
 */
import { frameOf, isValid } from '../../sim/descriptor.ts';
import { entriesPerTable, LAST_LEVEL, levelPages } from '../../sim/geometry.ts';
import { AT_END, type Invariant } from '../../sim/invariant.ts';
import { isKnown, isKnownTable } from './p2m-entry.ts';
import { Lock, type P2mWorld } from './p2m-world.ts';

/** What a walk over the whole tree finds. */
interface Survey {
  readonly mappings: number[];
  /** One more than the highest page that is mapped. */
  end: number;
  /** A table that is not on the list, and one with an entry that is valid and has no type; 0 for none. */
  unlisted: number;
  untyped: number;
}

export function p2mInvariants(world: P2mWorld): readonly Invariant[] {
  const { memory } = world.machine;
  const rule = (
    id: string,
    title: string,
    broken: () => number,
    lock: number = Lock.P2m,
  ): Invariant => ({ id, title, lock, broken });
  return [
    rule('flush-owed', 'nobody drops the lock while a flush is owed', () =>
      memory.load(world.needFlush) === 0 ? -1 : 0,
    ),
    rule(
      'statistics',
      'mappings are counted at each level',
      () => {
        const { mappings } = survey(world);
        for (let level = 1; level <= LAST_LEVEL; level += 1) {
          if (memory.load(world.mappings + level) !== mappings[level]) return world.rootFrame;
        }
        return -1;
      },
      AT_END,
    ),
    rule('mapped-end', 'nothing is mapped beyond the highest page that was', () =>
      survey(world).end <= memory.load(world.mappedEnd) ? -1 : world.rootFrame,
    ),
    rule('table-list', 'every table is on the list of the domain', () => {
      const { unlisted } = survey(world);
      return unlisted === 0 ? -1 : unlisted;
    }),
    rule('typed', 'what hardware sees has a type', () => {
      const { untyped } = survey(world);
      return untyped === 0 ? -1 : untyped;
    }),
  ];
}

function survey(world: P2mWorld): Survey {
  const found: Survey = { mappings: [0, 0, 0, 0], end: 0, unlisted: 0, untyped: 0 };
  const { startLevel, rootPages } = world.geometry;
  const pages = levelPages(world.geometry, startLevel) * entriesPerTable(world.geometry);
  if (world.rootFrame === 0) return found;
  for (let root = 0; root < rootPages; root += 1)
    surveyTable(world, found, world.rootFrame + root, startLevel, root * pages);
  return found;
}

function surveyTable(
  world: P2mWorld,
  found: Survey,
  frame: number,
  level: number,
  first: number,
): void {
  const { geometry, machine } = world;
  const { memory } = machine;
  const pages = levelPages(geometry, level);
  for (let index = 0; index < entriesPerTable(geometry); index += 1) {
    const entry = memory.load(memory.address(frame, index));
    if (!isKnown(entry)) {
      if (isValid(entry)) found.untyped = frame;
      continue;
    }
    const page = first + index * pages;
    if (level < LAST_LEVEL && isKnownTable(entry)) {
      const child = frameOf(entry);
      const listed = memory.load(world.tableList + (child >>> 5));
      if ((listed & (1 << (child & 31))) === 0) found.unlisted = child;
      surveyTable(world, found, child, level + 1, page);
      continue;
    }
    found.mappings[level]! += 1;
    found.end = page + pages;
  }
}
