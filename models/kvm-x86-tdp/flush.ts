/**
 * Flushes: a request to each vCPU, and the wait until all have acknowledged it.
 *
 * Mirrors: remote TLB flush requests and kicks of Linux KVM/x86.
 * Source: spec/x86-xen.md A14, A16 (start and end are two steps).
 */
import { Domain } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Shareability, Tlbi } from '../../sim/invalidation.ts';
import { sites } from '../../sim/site.ts';
import { span } from './geometry.ts';
import type { KvmWorld } from './world.ts';

export const flushSites = sites('flush', ['all', 'range', 'local', 'kick', 'wait']);
const at = flushSites;

export function* flushAll(self: Actor): Operation<void> {
  yield* self.tlbi(at.all, Tlbi.FlushAll, Shareability.Inner, 0, 0, 0);
  yield* self.dsb(at.wait, Domain.Request);
}

export function* flushRange(self: Actor, first: number, pages: number): Operation<void> {
  yield* self.tlbi(at.range, Tlbi.FlushRange, Shareability.Inner, first, 0, pages);
  yield* self.dsb(at.wait, Domain.Request);
}

/**
 * What was below an entry of a level before its table was cut out: the caller is still in the read section
 * in which it did that (Rule F).
 */
export function flushCutOut(
  self: Actor,
  world: KvmWorld,
  first: number,
  level: number,
): Operation<void> {
  const pages = span(world.geometry, level);
  const isLast = world.bug('K08-flush-range-from-last-entry');
  return flushRange(self, isLast ? first + pages - span(world.geometry, level - 1) : first, pages);
}

/** This PE's own TLB, before it uses another root. */
export function* flushLocal(self: Actor): Operation<void> {
  yield* self.tlbi(at.local, Tlbi.FlushAll, Shareability.Local, 0, 0, 0);
  yield* self.dsb(at.wait, Domain.Request);
}

/** Every vCPU has left the guest, and looks at its requests before it enters again. */
export function* kickAll(self: Actor): Operation<void> {
  yield* self.tlbi(at.kick, Tlbi.Kick, Shareability.Inner, 0, 0, 0);
  yield* self.dsb(at.wait, Domain.Request);
}
