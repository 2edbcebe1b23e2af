/**
 * The hardware's log of writes that set a dirty flag: one per vCPU, filled while it runs a guest whose role is
 * logged that way, emptied into the dirty log by the vCPU itself whenever it has left the guest.
 *
 * Mirrors: page modification logging in Linux KVM/x86, and the choice between it and write protection.
 * Source: spec/x86-xen.md A12, amendments E8, E14; zoo K22.
 */

import { Register } from '../../sim/access.ts';
import type { Actor, Operation, Step } from '../../sim/actor.ts';
import { Claim } from '../../sim/claims.ts';
import { DIRTY, WRITE } from '../../sim/descriptor.ts';
import { sites } from '../../sim/site.ts';
import { AD_DISABLED, AD_PROTECT_ONLY, AD_TYPE } from './spte.ts';
import { type KvmWorld, SLOTS_DOMAIN } from './world.ts';

export const writeLogSites = sites('write-log', [
  'switch',
  'enterSlots',
  'readCount',
  'readLogging',
  'readPage',
  'mark',
  'empty',
  'leaveSlots',
]);
const at = writeLogSites;

/** The role whose writes the hardware logs. */
const LOGGED_ROLE = 0;

/** How leaves of a role note accesses and writes. */
export function adTypeOf({ configuration }: KvmWorld, role: number): number {
  if (!configuration.hardwareAccessed) return AD_DISABLED;
  return configuration.writeLog > 0 && role !== LOGGED_ROLE ? AD_PROTECT_ONLY : 0;
}

/** The hardware logs guest writes through roots of the role. */
export function isHardwareLogged({ configuration }: KvmWorld, role: number): boolean {
  return configuration.writeLog > 0 && role === LOGGED_ROLE;
}

/** What the dirty log takes from a leaf: its dirty flag where the hardware reports the next write, else the right to write. */
export function loggedBit(world: KvmWorld, leaf: number, level: number): number {
  if (world.configuration.writeLog === 0 || level > 1) return WRITE;
  const isProtected =
    (leaf & AD_TYPE) === AD_PROTECT_ONLY && !world.bug('K22-dirty-cleared-where-not-logged');
  return isProtected ? WRITE : DIRTY;
}

/** Before the guest is entered with a root of the role. */
export function switchWriteLog(self: Actor, world: KvmWorld, role: number): Step<number> {
  const value = isHardwareLogged(world, role) ? 1 : 0;
  return self.writeRegister(at.switch, Register.WriteLog, value);
}

/** The vCPU has left the guest: pages in its log are marked, if there is a log to mark them in. */
export function* drainWriteLog(self: Actor, world: KvmWorld): Operation<void> {
  const log = world.writeLog(self.pe);
  const count = yield* self.readOnce(at.readCount, log);
  if (count === 0) return;
  yield* self.enterSection(at.enterSlots, SLOTS_DOMAIN);
  const isLogging = (yield* self.readOnce(at.readLogging, world.logging)) !== 0;
  for (let i = 0; i < count; i += 1) {
    const page = yield* self.readOnce(at.readPage, log + 1 + i);
    if (isLogging) {
      yield* self.or(at.mark, world.bitmap + (page >>> 5), 1 << (page & 31));
      self.claim(Claim.LogMarked, page, 0, 0);
    }
    self.claim(Claim.LogQueued, page, self.pe, 0);
  }
  yield* self.store(at.empty, log, 0);
  yield* self.exitSection(at.leaveSlots, SLOTS_DOMAIN);
}
