/**
 * The host's own accesses: its stage 2 maps every page to itself, and is filled as the host touches things. What
 * belongs to somebody else is not mapped, and the host gets an abort.
 *
 * Mirrors: host data aborts at EL2, Linux 6.15 and later.
 * Leaves out: running out of table pages (the pool serves all of memory and devices here).
 * Source: spec/arm.md 6.4.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { type Intent, isValid } from '../../sim/descriptor.ts';
import { alignDown, LAST_LEVEL, levelPages } from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { blockWithin, hostLeaf } from './layout.ts';
import { Panic } from './pool.ts';
import { find, mapLeaf } from './tables.ts';
import { Lock, type PkvmWorld } from './world.ts';

export const hostSites = sites('host-abort', ['use', 'lock', 'unlock']);
const at = hostSites;

/** The host reads or writes a page. Refused when it may not. */
export function* accessAsHost(
  self: Actor,
  world: PkvmWorld,
  page: number,
  intent: Intent,
  value: number,
): Operation<number> {
  while ((yield* self.guestAccess(at.use, page, intent, value)) !== 0) {
    const result = yield* handleAbort(self, world, page);
    if (result === Result.Refused) return Result.Refused;
    self.claim(Claim.FaultHandled, page, result === Result.Ok ? 1 : 0, 0);
  }
  return Result.Ok;
}

/** @returns Ok when the page was mapped, Exists when it was already, Refused when it is not the host's */
export function* handleAbort(self: Actor, world: PkvmWorld, page: number): Operation<number> {
  yield* self.acquire(at.lock, Lock.Host, Mode.Exclusive);
  const old = yield* find(self, world, world.host, page);
  let result: number = Result.Refused;
  if (isValid(old)) result = Result.Exists;
  else if (old === 0) {
    let { level } = world.places[self.index]!;
    const { geometry } = world.host;
    while (level < LAST_LEVEL && !blockWithin(page, levelPages(geometry, level))) level += 1;
    const first = alignDown(page, levelPages(geometry, level));
    result = yield* mapLeaf(self, world, world.host, first, level, hostLeaf(first));
  }
  // another CPU may have repaired it meanwhile: the host tries again
  const isFatal = world.bug('A58-spurious-abort-is-fatal') && result === Result.Exists;
  if (isFatal || result === Result.Exhausted) self.claim(Claim.Fatal, Panic.Fault, page, 0);
  yield* self.release(at.unlock, Lock.Host);
  return result;
}
