/** What an invalidation finds in flight on other PEs, and the barrier after it waits for. */
import { Tlbi } from '../../sim/invalidation.ts';
import type { LitmusMachine } from './machine.ts';
import { type Slot, Stage } from './slot.ts';

/**
 * Notes what a barrier after the invalidation waits for on other PEs: accesses, and exceptions, whose
 * translation was read before it; and that accesses which such a one overtook, of the same address, are translated.
 */
export function cutOff(
  { threads }: LitmusMachine,
  issuer: number,
  operation: number,
  page: number,
): void {
  const bit = 1 << issuer;
  for (const thread of threads) {
    if (thread.number === issuer) continue;
    const waiting: Slot[] = [];
    for (const slot of thread.path) {
      if (slot.memory === undefined) continue;
      const { target } = slot;
      if (slot.stage === Stage.Waiting) waiting.push(slot);
      else if (slot.location >= 0 && (operation === Tlbi.Alle2 || page === slot.location)) {
        slot.owes |= bit;
        // a refused access overtook nobody
        if (slot.stage > Stage.Performed) continue;
        for (const older of waiting) {
          if (older.target === undefined || older.target === target)
            older.overtaken.push({ issuer, target: target! });
        }
      }
    }
  }
}
