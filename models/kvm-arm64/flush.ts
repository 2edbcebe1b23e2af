/**
 * Invalidation of stage-2 translations from host context: enter the VM's context, order the
 * descriptor store, invalidate stage 2, then what combines it with stage 1.
 *
 * Mirrors: Linux 5.10 arch/arm64/kvm/hyp/vhe/tlb.c, flush by IPA and by VMID; 6.2 for the local flush by
 *          IPA, 6.9 for ranges.
 * Leaves out: nVHE trampolines.
 * Source: spec/arm.md 1.6, 2.5.
 */
import { Domain, Register } from '../../sim/access.ts';
import type { Actor, Operation, Step } from '../../sim/actor.ts';
import {
  granuleField,
  RANGE_PAGES_MAX,
  rangePages,
  Shareability,
  Tlbi,
  ttl,
} from '../../sim/invalidation.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { peLock } from './sharing.ts';
import type { Stage2 } from './stage2.ts';

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
  'invalidateRange',
  'invalidateOfRange',
  'synchronise',
  'leaveContext',
  'mask',
  'unmask',
  'synchroniseExit',
]);
const at = flushSites;

const RANGE_SCALE_LAST = 3;

/** With 52-bit addresses a range operand names its base in units of 64K. */
const WIDE_UNIT_PAGES = 16;

/** No level hint: a table was removed, or the level is not known. */
export const NO_LEVEL = -1;

/**
 * While another guest's context is loaded, nothing else runs on the PE. Where every thread has a PE of its own,
 * nothing could.
 */
function masksInterrupts(world: Stage2): boolean {
  return world.sharesPes && !world.bug('A39-interrupts-not-masked');
}

/** Who runs on the PE next finds the context that is loaded, not one that still has to take effect. */
function synchronisesExit(world: Stage2): boolean {
  return world.sharesPes && !world.bug('A39b-exit-not-synchronised');
}

/** Removes what was cached for one input page; `level` is that of the leaf that was there. */
export function* flushPage(
  self: Actor,
  world: Stage2,
  page: number,
  level: number,
): Operation<void> {
  const hint = level === NO_LEVEL ? 0 : ttl(world.geometry.granuleBits, level);
  // the number of the guest may change as long as walkers can see what is about to go
  const early = world.bug('A12-number-read-before-barrier')
    ? yield* self.readOnce(at.readBase, world.contextWord)
    : 0;
  if (!world.bug('A43-no-barrier-before-flush')) yield* self.dsb(at.orderStores, Domain.InnerStore);
  const isMasked = masksInterrupts(world);
  if (isMasked) yield* self.acquire(at.mask, peLock(self.pe), Mode.Exclusive);
  const previous = self.vttbr;
  const target = world.registerOf(
    early !== 0 ? early : yield* self.readOnce(at.readBase, world.contextWord),
  );
  if (previous !== target) {
    yield* self.writeRegister(at.enterContext, Register.Vttbr, target);
    if (!world.bug('A37-context-not-synchronised')) yield* self.isb(at.synchroniseEntry);
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
  if (previous !== target && synchronisesExit(world)) yield* self.isb(at.synchroniseExit);
  if (isMasked) yield* self.release(at.unmask, peLock(self.pe));
}

/**
 * Removes what this PE has cached for one input page: after rights were added, when others may keep
 * what they have until they fault themselves.
 */
export function* flushPageHere(
  self: Actor,
  world: Stage2,
  page: number,
  level: number,
): Operation<void> {
  const hint = level === NO_LEVEL ? 0 : ttl(world.geometry.granuleBits, level);
  yield* self.dsb(at.orderStores, Domain.LocalStore);
  const isMasked = masksInterrupts(world);
  if (isMasked) yield* self.acquire(at.mask, peLock(self.pe), Mode.Exclusive);
  const previous = self.vttbr;
  // where the vCPU has its PE to itself, its context is there
  const target = world.sharesPes
    ? world.registerOf(yield* self.readOnce(at.readBase, world.contextWord))
    : previous;
  if (previous !== target) {
    yield* self.writeRegister(at.enterContext, Register.Vttbr, target);
    yield* self.isb(at.synchroniseEntry);
  }
  yield* self.tlbi(at.invalidateStage2, Tlbi.Ipas2e1, Shareability.Local, page, hint, 1);
  yield* self.dsb(at.completeStage2, Domain.Local);
  yield* self.tlbi(at.invalidateStage1, Tlbi.Vmalle1, Shareability.Local, 0, 0, 0);
  yield* self.dsb(at.completeStage1, Domain.Local);
  yield* self.isb(at.synchronise);
  if (previous !== target) yield* self.writeRegister(at.leaveContext, Register.Vttbr, previous);
  if (previous !== target && synchronisesExit(world)) yield* self.isb(at.synchroniseExit);
  if (isMasked) yield* self.release(at.unmask, peLock(self.pe));
}

/** Removes what was cached for the pages of a table that was taken out; `page` is where the fault was. */
export function flushSubtree(
  self: Actor,
  world: Stage2,
  page: number,
  first: number,
  pages: number,
): Operation<void> {
  // every page below may be cached, not only the one that faulted
  if (world.bug('A03-coalesce-flushes-one-ipa')) return flushPage(self, world, page, NO_LEVEL);
  return world.generation.flushesRanges
    ? flushRange(self, world, first, pages)
    : flushVmid(self, world);
}

/** Removes every translation of the slot, after it was write-protected. */
export function flushSlot(self: Actor, world: Stage2): Operation<void> {
  return world.generation.flushesRanges
    ? flushRange(self, world, 0, RANGE_PAGES_MAX)
    : flushVmid(self, world);
}

/** Removes what was cached for a range of input pages, whatever the levels. */
export function* flushRange(
  self: Actor,
  world: Stage2,
  first: number,
  pages: number,
): Operation<void> {
  const granule = granuleField(world.geometry.granuleBits) << 2;
  const isWide = world.geometry.isWide === true;
  // no hint; with level 0 spelled out it would be one where addresses have 52 bits
  const hint = world.bug('A21-no-hint-means-level-0') ? granule : 0;
  yield* self.dsb(at.orderStores, Domain.InnerStore);
  const isMasked = masksInterrupts(world);
  if (isMasked) yield* self.acquire(at.mask, peLock(self.pe), Mode.Exclusive);
  const previous = self.vttbr;
  const target = world.registerOf(yield* self.readOnce(at.readBase, world.contextWord));
  if (previous !== target) {
    yield* self.writeRegister(at.enterContext, Register.Vttbr, target);
    yield* self.isb(at.synchroniseEntry);
  }
  let page = first;
  let scale = 0;
  for (let left = pages; left > 0; ) {
    let done = 1;
    if (left % 2 === 1 || (isWide && page % WIDE_UNIT_PAGES !== 0)) {
      yield* self.tlbi(at.invalidateOfRange, Tlbi.Ipas2e1, Shareability.Inner, page, hint, 1);
    } else {
      const num = rangeNum(world, left, scale);
      done = num < 0 ? 0 : rangePages(scale, num);
      if (num >= 0) yield* invalidateRange(self, page, granule, scale, num);
      scale += 1;
    }
    page += done;
    left -= done;
  }
  yield* self.dsb(at.completeStage2, Domain.Inner);
  yield* self.tlbi(at.invalidateStage1, Tlbi.Vmalle1, Shareability.Inner, 0, 0, 0);
  yield* self.dsb(at.completeStage1, Domain.Inner);
  yield* self.isb(at.synchronise);
  if (previous !== target) yield* self.writeRegister(at.leaveContext, Register.Vttbr, previous);
  if (previous !== target && synchronisesExit(world)) yield* self.isb(at.synchroniseExit);
  if (isMasked) yield* self.release(at.unmask, peLock(self.pe));
}

/** NUM of the range operand that takes as many of `pages` as `scale` can; -1 for none. */
function rangeNum(world: Stage2, pages: number, scale: number): number {
  const units = pages >>> (5 * scale + 1);
  // units above the field's 31 belong to the next scale, which the last one does not have
  const isLast = scale === RANGE_SCALE_LAST && !world.bug('A18-range-operand-too-short');
  return (isLast ? units : units & 31) - 1;
}

/** One range invalidation; the operand has two bits for SCALE and five for NUM. */
function invalidateRange(
  self: Actor,
  page: number,
  granule: number,
  scale: number,
  num: number,
): Step<number> {
  const pages = rangePages(scale & 3, num & 31);
  return self.tlbi(at.invalidateRange, Tlbi.Ripas2e1, Shareability.Inner, page, granule, pages);
}

/** Removes everything that was cached for the VM. */
export function* flushVmid(self: Actor, world: Stage2): Operation<void> {
  yield* self.dsb(at.orderStores, Domain.InnerStore);
  const isMasked = masksInterrupts(world);
  if (isMasked) yield* self.acquire(at.mask, peLock(self.pe), Mode.Exclusive);
  const previous = self.vttbr;
  const target = world.registerOf(yield* self.readOnce(at.readBase, world.contextWord));
  if (previous !== target) {
    yield* self.writeRegister(at.enterContext, Register.Vttbr, target);
    yield* self.isb(at.synchroniseEntry);
  }
  yield* self.tlbi(at.invalidateVmid, Tlbi.Vmalls12e1, Shareability.Inner, 0, 0, 0);
  yield* self.dsb(at.completeVmid, Domain.Inner);
  yield* self.isb(at.synchronise);
  if (previous !== target) yield* self.writeRegister(at.leaveContext, Register.Vttbr, previous);
  if (previous !== target && synchronisesExit(world)) yield* self.isb(at.synchroniseExit);
  if (isMasked) yield* self.release(at.unmask, peLock(self.pe));
}
