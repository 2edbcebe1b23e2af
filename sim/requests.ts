/** Requests to PEs (invalidations, kicks, deferred frees) are sent, and answered. */
import { Access } from './access.ts';
import type { Machine } from './machine.ts';

/** A request is on its way to these PEs (a bit mask). */
export function send(machine: Machine, slot: number, pending: number): void {
  if (pending === 0) return;
  const { invalidations: queue, pes } = machine;
  queue.pending[slot] = pending;
  queue.outstanding += 1;
  pes[queue.issuer[slot]!]!.outstanding += 1;
  for (let pe = 0; pe < pes.length; pe += 1) {
    if ((pending & (1 << pe)) !== 0) machine.expectArrival(slot, pe);
  }
  requested(machine);
}

/** A request was noted. When it took the last slot, whoever is about to make one waits. */
export function requested(machine: Machine): void {
  if (machine.invalidations.outstanding < machine.invalidations.slots) return;
  machine.recheck(Access.Invalidate);
  machine.recheck(Access.FreeLater);
}

/** A PE is done with a request. */
export function acknowledge(machine: Machine, slot: number, pe: number): void {
  const { invalidations: queue } = machine;
  queue.pending[slot]! &= ~(1 << pe);
  if (queue.pending[slot] !== 0) return;
  queue.outstanding -= 1;
  machine.pes[queue.issuer[slot]!]!.outstanding -= 1;
}
