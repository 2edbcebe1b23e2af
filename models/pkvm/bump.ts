/**
 * The allocator of the time before records of pages exist: it only goes forward, and counts nothing.
 *
 * Mirrors: the hypervisor's early allocator, Linux 5.13.
 * Source: spec/arm.md 6.1 step 5.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import type { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import type { PkvmWorld } from './world.ts';

export const bumpSites = sites('bump', ['readNext', 'readEnd', 'writeNext', 'zero', 'take']);
const at = bumpSites;

/** The first of `pages` adjacent zero pages; -1 when there are not so many left, or none are asked for. */
export function* takeEarly(
  self: Actor,
  world: PkvmWorld,
  pages: number,
  role: Role,
): Operation<number> {
  const first = yield* self.readOnce(at.readNext, world.bump);
  const end = yield* self.readOnce(at.readEnd, world.bumpEnd);
  if (pages === 0 || end - first < pages) return -1;
  yield* self.store(at.writeNext, world.bump, first + pages);
  for (let frame = first; frame < first + pages; frame += 1) {
    yield* self.zeroPage(at.zero, frame);
    yield* self.assign(at.take, frame, role);
  }
  return first;
}
