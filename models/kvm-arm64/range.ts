/**
 * Range operations that may drop the MMU lock between chunks.
 *
 * Mirrors: Linux 5.10 arch/arm64/kvm/mmu.c, applying a walk to a range with rescheduling.
 * Source: spec/arm.md 4.3 ("range operations yield").
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { alignDown, levelPages } from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import type { KvmWorld } from './world.ts';

export const rangeSites = sites('range', ['readRoot', 'contended', 'yieldLock', 'retakeLock']);
const at = rangeSites;

export type RangeWalk = (
  self: Actor,
  world: KvmWorld,
  root: number,
  page: number,
  pages: number,
) => Operation<number>;

/**
 * Applies `walk` to [page, page + pages) in chunks of a root entry, under the MMU lock that the
 * caller holds. Between chunks the lock is dropped when somebody waits for it (a choice).
 * @returns Ok, or Invalid when the tables are gone
 */
export function* applyRange(
  self: Actor,
  world: KvmWorld,
  page: number,
  pages: number,
  walk: RangeWalk,
): Operation<number> {
  const chunk = levelPages(world.geometry, world.geometry.startLevel);
  const end = page + pages;
  let root = 0;
  for (let from = page; from < end; ) {
    // teardown may have taken the tables while the lock was dropped
    if (root === 0 || !world.bug('A14-root-kept-across-lock-break')) {
      root = yield* self.readOnce(at.readRoot, world.root);
    }
    if (root === 0) return Result.Invalid;
    const next = Math.min(alignDown(from, chunk) + chunk, end);
    const result = yield* walk(self, world, root, from, next - from);
    if (result !== Result.Ok) return result;
    if (next < end && self.choose(at.contended, 2) === 1) {
      yield* self.release(at.yieldLock, world.lock.Mmu);
      yield* self.acquire(at.retakeLock, world.lock.Mmu, Mode.Exclusive);
      world.resumeWork(self);
    }
    from = next;
  }
  return Result.Ok;
}
