/**
 * Code of the hypervisor that runs without its tables: the exchange of the whole regime's tables on the CPU that boots, and
 * how other CPUs come in later.
 *
 * Mirrors: __pkvm_init_switch_pgd with the end that the review of March 2021 asked for, and the entry of secondary CPUs.
 * Leaves out: the erratum workaround before the MMU goes off, endianness, vectors.
 * Source: spec/arm.md 6.2; amendment E23.
 */
import { baseRegister, Domain, Register } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Shareability, Tlbi } from '../../sim/invalidation.ts';
import { sites } from '../../sim/site.ts';
import { FINALISE_PAGE, IDENTITY_PAGE } from './boot-layout.ts';
import type { PkvmWorld } from './world.ts';

export const switchSites = sites('switch', [
  'mmuOff',
  'syncOff',
  'invalidate',
  'invalidateGuest',
  'newRoot',
  'complete',
  'syncRoot',
  'mmuOn',
  'syncOn',
  'invalidateInstructions',
  'completeInstructions',
  'syncInstructions',
  'jump',
]);
const at = switchSites;

/** From one root to another, in a page that lies at the same address with and without translation. */
export function* switchTables(self: Actor, world: PkvmWorld, root: number): Operation<void> {
  yield* self.writeRegister(at.mmuOff, Register.SctlrEl2, 0);
  yield* self.isb(at.syncOff);
  yield* self.tlbi(at.invalidate, Tlbi.Alle2, Shareability.Local, 0, 0, 0);
  yield* self.writeRegister(at.newRoot, Register.Ttbr0El2, baseRegister(root, 0));
  if (!world.bug('M17b-nothing-before-mmu-on')) {
    yield* self.dsb(at.complete, Domain.Local);
    yield* self.isb(at.syncRoot);
  }
  yield* self.writeRegister(at.mmuOn, Register.SctlrEl2, 1);
  if (!world.bug('M17c-mmu-on-not-synchronised')) yield* self.isb(at.syncOn);
  yield* self.invalidateInstructions(at.invalidateInstructions);
  if (!world.bug('M17a-instructions-not-waited-for'))
    yield* self.dsb(at.completeInstructions, Domain.Local);
  yield* self.isb(at.syncInstructions);
  yield* self.fetch(at.jump, FINALISE_PAGE, false);
}

/** A CPU whose hypervisor regime does not translate yet begins with a root. */
export function* startRegime(self: Actor, root: number): Operation<void> {
  yield* self.tlbi(at.invalidate, Tlbi.Alle2, Shareability.Local, 0, 0, 0);
  yield* self.tlbi(at.invalidateGuest, Tlbi.Vmalls12e1, Shareability.Local, 0, 0, 0);
  yield* self.dsb(at.complete, Domain.Inner);
  yield* self.writeRegister(at.newRoot, Register.Ttbr0El2, baseRegister(root, 0));
  yield* self.isb(at.syncRoot);
  yield* self.writeRegister(at.mmuOn, Register.SctlrEl2, 1);
  yield* self.isb(at.syncOn);
  yield* self.invalidateInstructions(at.invalidateInstructions);
  yield* self.dsb(at.completeInstructions, Domain.Local);
  yield* self.isb(at.syncInstructions);
  yield* self.fetch(at.jump, IDENTITY_PAGE, true);
}
