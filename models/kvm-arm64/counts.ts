/** Reference counts of table pages: one for the page, one for each counted entry. Law RC, 2.4. */
import type { Actor, Operation, Step } from '../../sim/actor.ts';
import { sites } from '../../sim/site.ts';
import type { Stage2 } from './stage2.ts';

export const countSites = sites('page-count', ['get', 'put', 'freeAtZero']);
const at = countSites;

export function getPage(self: Actor, world: Stage2, frame: number): Step<number> {
  return self.add(at.get, world.count(frame), 1);
}

/** Drops one reference; the page is freed with the last. */
export function* putPage(self: Actor, world: Stage2, frame: number): Operation<void> {
  const left = yield* self.add(at.put, world.count(frame), -1);
  if (left === 0) yield* self.free(at.freeAtZero, frame);
}
