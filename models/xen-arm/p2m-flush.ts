/**
 * The p2m lock in the mode that may change tables, and the flush that is owed when it is dropped.
 *
 * Mirrors: Xen p2m_write_unlock(), p2m_force_tlb_flush_sync(), flush_guest_tlb(), iommu_iotlb_flush().
 * Leaves out: interrupts off while another context is loaded.
 * Source: spec/x86-xen.md C7, C4 q11.
 */
import { baseRegister, Domain, Register } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Claim } from '../../sim/claims.ts';
import { Shareability, Tlbi } from '../../sim/invalidation.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { Lock, type P2mWorld, VMID } from './p2m-world.ts';

export const p2mFlushSites = sites('p2m-flush', [
  'lock',
  'readOwed',
  'unlock',
  'enterContext',
  'synchroniseEntry',
  'orderStores',
  'invalidate',
  'complete',
  'synchronise',
  'leaveContext',
  'synchroniseExit',
  'clearOwed',
  'invalidateDevice',
  'completeDevice',
]);
const at = p2mFlushSites;

export function* lockTables(self: Actor): Operation<void> {
  yield* self.acquire(at.lock, Lock.P2m, Mode.Exclusive);
}

/**
 * Nobody takes the lock while a flush is owed.
 * @param isFailed the operation that held it ends with an error
 * @param revoked input pages and frames, in turn, that the host has taken away and nobody reaches after the flush
 */
export function* unlockTables(
  self: Actor,
  world: P2mWorld,
  isFailed = false,
  revoked: readonly number[] = [],
): Operation<void> {
  const isOwed = (yield* self.readOnce(at.readOwed, world.needFlush)) !== 0;
  if (isOwed) {
    if (isFailed && world.bug('X09a-failed-set-not-flushed'))
      yield* self.store(at.clearOwed, world.needFlush, 0);
    else yield* flushDomain(self, world);
  }
  for (let i = 0; i < revoked.length; i += 2)
    self.claim(Claim.HostRevokes, revoked[i]!, revoked[i + 1]!, 0);
  yield* self.release(at.unlock, Lock.P2m);
}

/** Removes everything that any PE has cached for the domain, by its VMID. */
export function* flushDomain(self: Actor, world: P2mWorld): Operation<void> {
  const previous = self.vttbr;
  const context = baseRegister(world.rootFrame, VMID);
  // when its VMID changes hands, nobody uses the domain's translations any more, or yet
  const isKept = world.handover === self.index && world.bug('X12-vmid-reused-unflushed');
  if (!isKept) {
    if (previous !== context) {
      yield* self.writeRegister(at.enterContext, Register.Vttbr, context);
      yield* self.isb(at.synchroniseEntry);
    }
    const share = world.bug('X11a-flush-only-here') ? Shareability.Local : Shareability.Inner;
    yield* self.dsb(at.orderStores, Domain.InnerStore);
    yield* self.tlbi(at.invalidate, Tlbi.Vmalls12e1, share, 0, 0, 0);
    yield* self.dsb(at.complete, Domain.Inner);
    yield* self.isb(at.synchronise);
    if (previous !== context) {
      yield* self.writeRegister(at.leaveContext, Register.Vttbr, previous);
      yield* self.isb(at.synchroniseExit);
    }
  }
  yield* self.store(at.clearOwed, world.needFlush, 0);
}

/** Removes what devices have cached for a range, tables on the way included. */
export function* flushDevices(
  self: Actor,
  world: P2mWorld,
  page: number,
  pages: number,
): Operation<void> {
  if (world.configuration.devices === undefined) return;
  yield* self.tlbi(at.invalidateDevice, Tlbi.DeviceRange, Shareability.Inner, page, 0, pages);
  yield* self.dsb(at.completeDevice, Domain.Inner);
}
