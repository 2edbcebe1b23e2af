/**
 * Invalidation of stage-2 translations from host context: enter the VM's context, order the
 * descriptor store, invalidate stage 2, then what combines it with stage 1.
 *
 * Mirrors: Linux 5.10 arch/arm64/kvm/hyp/vhe/tlb.c, flush by IPA and by VMID.
 * Leaves out: interrupt masking around the context switch (A39), nVHE trampolines.
 * Source: spec/arm.md 1.6, 2.5.
 */
import { baseRegister, Domain, Register } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Shareability, Tlbi, ttl } from '../../sim/invalidation.ts';
import { sites } from '../../sim/site.ts';
import { type KvmWorld, VMID } from './world.ts';

export const flushSites = sites('flush', [
  'orderStores',
  'readBase',
  'enterContext',
  'synchroniseEntry',
  'invalidateStage2',
  'completeStage2',
  'invalidateStage1',
  'completeStage1',
  'invalidateVmid',
  'completeVmid',
  'synchronise',
  'leaveContext',
]);
const at = flushSites;

/** No level hint: a table was removed, or the level is not known. */
export const NO_LEVEL = -1;

/** Removes what was cached for one input page; `level` is that of the leaf that was there. */
export function* flushPage(
  self: Actor,
  world: KvmWorld,
  page: number,
  level: number,
): Operation<void> {
  const hint = level === NO_LEVEL ? 0 : ttl(world.geometry.granuleBits, level);
  yield* self.dsb(at.orderStores, Domain.InnerStore);
  const previous = self.vttbr;
  const target = baseRegister(yield* self.readOnce(at.readBase, world.rootBase), VMID);
  if (previous !== target) {
    yield* self.writeRegister(at.enterContext, Register.Vttbr, target);
    yield* self.isb(at.synchroniseEntry);
  }
  const stage1First = world.bug('M15b-stage1-flush-first');
  if (stage1First) {
    yield* self.tlbi(at.invalidateStage1, Tlbi.Vmalle1, Shareability.Inner, 0, 0, 0);
    yield* self.dsb(at.completeStage1, Domain.Inner);
  }
  yield* self.tlbi(at.invalidateStage2, Tlbi.Ipas2e1, Shareability.Inner, page, hint, 1);
  // a walker must not rebuild a combined entry from a stage-2 entry that is about to go
  if (!world.bug('M15c-no-barrier-between-flushes'))
    yield* self.dsb(at.completeStage2, Domain.Inner);
  if (!stage1First && !world.bug('M15-stage1-flush-omitted')) {
    yield* self.tlbi(at.invalidateStage1, Tlbi.Vmalle1, Shareability.Inner, 0, 0, 0);
  }
  yield* self.dsb(at.completeStage1, Domain.Inner);
  yield* self.isb(at.synchronise);
  if (previous !== target) yield* self.writeRegister(at.leaveContext, Register.Vttbr, previous);
}

/** Removes everything that was cached for the VM. */
export function* flushVmid(self: Actor, world: KvmWorld): Operation<void> {
  yield* self.dsb(at.orderStores, Domain.InnerStore);
  const previous = self.vttbr;
  const target = baseRegister(yield* self.readOnce(at.readBase, world.rootBase), VMID);
  if (previous !== target) {
    yield* self.writeRegister(at.enterContext, Register.Vttbr, target);
    yield* self.isb(at.synchroniseEntry);
  }
  yield* self.tlbi(at.invalidateVmid, Tlbi.Vmalls12e1, Shareability.Inner, 0, 0, 0);
  yield* self.dsb(at.completeVmid, Domain.Inner);
  yield* self.isb(at.synchronise);
  if (previous !== target) yield* self.writeRegister(at.leaveContext, Register.Vttbr, previous);
}
