/** Which form of the iterator a walk has, by configuration. */
import { TdpIterator, type Walk } from './iterator.ts';
import { Walk2020 } from './walk-2020.ts';
import type { KvmWorld } from './world.ts';

/**
 * A walk over entries that cover pages below `end`, down to the last level.
 * @param root slot of the root, and `frame` its page
 */
export function walkOf(world: KvmWorld, root: number, frame: number, end: number): Walk {
  return world.configuration.isOf2020
    ? new Walk2020(world, root, frame, end)
    : new TdpIterator(world, root, frame, 1, end);
}
