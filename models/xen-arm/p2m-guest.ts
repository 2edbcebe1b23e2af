/**
 * What runs in the domain: vCPUs, which come and go with their context, and devices.
 *
 * Mirrors: Xen at c447b7308b, p2m_restore_state(), the guest abort path, p2m_resolve_translation_fault().
 * Leaves out: the guest's stage 1 (which vCPU made a combined translation stands for it), emulation, faults that
 *             monitoring handles: an access that is not permitted is refused.
 * Source: spec/x86-xen.md C9, C10; amendment E21.
 */
import { baseRegister, Domain, FaultClass, faultClass, Register } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { frameOf, type Intent, isTable, isValid, VALID } from '../../sim/descriptor.ts';
import { entriesPerTable, indexAt, LAST_LEVEL } from '../../sim/geometry.ts';
import { Shareability, Tlbi } from '../../sim/invalidation.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { isKnown, isKnownTable } from './p2m-entry.ts';
import { lockTables, unlockTables } from './p2m-flush.ts';
import { rootFrameFor } from './p2m-set.ts';
import { Lock, type P2mWorld, State, VMID } from './p2m-world.ts';

export const runSites = sites('run', [
  'takePe',
  'leavePe',
  'enter',
  'readState',
  'leaveGuest',
  'leave',
  'loadContext',
  'synchronise',
  'readLast',
  'invalidate',
  'order',
  'complete',
  'synchroniseFlush',
  'writeLast',
  'use',
  'reenter',
]);
const at = runSites;

export const resolveSites = sites('p2m-resolve', [
  'readEnd',
  'readEntry',
  'readChild',
  'hideChild',
  'showEntry',
]);
const resolving = resolveSites;

/** One access of a vCPU; Refused when the domain is gone, or has nothing there that permits it. */
export function* accessPage(
  self: Actor,
  world: P2mWorld,
  page: number,
  intent: Intent,
): Operation<number> {
  const isShared = world.configuration.sharesPe && self.pe === 0;
  if (isShared) yield* self.acquire(at.takePe, Lock.Cpu, Mode.Exclusive);
  let result: number = Result.Refused;
  if (yield* enterDomain(self, world)) {
    result = yield* accessUntilResolved(self, world, page, intent);
    // another vCPU may run here next
    if (isShared) yield* leaveDomain(self, world);
  }
  if (isShared) yield* self.release(at.leavePe, Lock.Cpu);
  return result;
}

function* accessUntilResolved(
  self: Actor,
  world: P2mWorld,
  page: number,
  intent: Intent,
): Operation<number> {
  for (;;) {
    const result = yield* self.guestAccess(at.use, page, intent, self.operation + 1);
    if (result === 0) return Result.Ok;
    if (faultClass(result) !== FaultClass.Translation) return Result.Refused;
    if (!(yield* resolveFault(self, world, page))) return Result.Refused;
    yield* self.retry(at.reenter);
  }
}

/** The vCPU runs in the domain until it leaves; false when the domain is being destroyed. */
function* enterDomain(self: Actor, world: P2mWorld): Operation<boolean> {
  const { isInside } = world;
  const wasInside = isInside[self.index]!;
  // counted first: who destroys the domain waits for everybody who has not seen that it does
  if (!wasInside) yield* self.add(at.enter, world.users, 1);
  isInside[self.index] = true;
  if ((yield* self.readOnce(at.readState, world.state)) !== State.Alive) {
    yield* leaveDomain(self, world);
    return false;
  }
  if (wasInside) return true;
  yield* self.writeRegister(at.loadContext, Register.Vttbr, baseRegister(world.rootFrame, VMID));
  yield* self.isb(at.synchronise);
  const last = yield* self.readOnce(at.readLast, world.lastVcpu + self.pe);
  if (last === self.index + 1) return true;
  if (last !== 0 && !world.bug('X11b-vcpus-share-translations')) {
    yield* self.dsb(at.order, Domain.LocalStore);
    yield* self.tlbi(at.invalidate, Tlbi.Vmalls12e1, Shareability.Local, 0, 0, 0);
    yield* self.dsb(at.complete, Domain.Local);
    yield* self.isb(at.synchroniseFlush);
  }
  yield* self.store(at.writeLast, world.lastVcpu + self.pe, self.index + 1);
  return true;
}

export function* leaveDomain(self: Actor, world: P2mWorld): Operation<number> {
  if (!world.isInside[self.index]!) return Result.Ok;
  yield* self.leaveGuest(at.leaveGuest);
  world.isInside[self.index] = false;
  yield* self.add(at.leave, world.users, -1);
  return Result.Ok;
}

/**
 * C9: one level of what tracking has hidden is shown again, and hides what is below it.
 * @returns whether the access is worth another try
 */
export function* resolveFault(self: Actor, world: P2mWorld, page: number): Operation<boolean> {
  yield* lockTables(self);
  const isResolved = yield* resolveEntry(self, world, page);
  yield* unlockTables(self, world);
  return isResolved;
}

function* resolveEntry(self: Actor, world: P2mWorld, page: number): Operation<boolean> {
  const { geometry, machine } = world;
  if (page >= (yield* self.readOnce(resolving.readEnd, world.mappedEnd))) return false;
  let table = rootFrameFor(world, page);
  if (table < 0) return false;
  for (let level = geometry.startLevel; ; level += 1) {
    const word = machine.memory.address(table, indexAt(geometry, page, level));
    const entry = yield* self.readOnce(resolving.readEntry, word);
    const isLast = level === LAST_LEVEL;
    if (isValid(entry) && !isLast && isTable(entry)) {
      table = frameOf(entry);
      continue;
    }
    // somebody was just changing it
    if (isValid(entry)) return true;
    if (!isKnown(entry)) return false;
    if (!isLast && isKnownTable(entry)) yield* hideEntries(self, world, frameOf(entry));
    yield* self.store(resolving.showEntry, word, entry | VALID);
    return true;
  }
}

/** Hardware sees no entry of the table any more; nobody could see them before. */
function* hideEntries(self: Actor, world: P2mWorld, table: number): Operation<void> {
  const { geometry, machine } = world;
  for (let index = 0; index < entriesPerTable(geometry); index += 1) {
    const word = machine.memory.address(table, index);
    const entry = yield* self.readOnce(resolving.readChild, word);
    if (isValid(entry)) yield* self.store(resolving.hideChild, word, entry & ~VALID);
  }
}

/** A device reads or writes memory; nobody resolves its faults. */
export function* accessByDevice(
  self: Actor,
  world: P2mWorld,
  page: number,
  intent: Intent,
): Operation<number> {
  yield* self.add(at.enter, world.users, 1);
  let result: number = Result.Refused;
  if ((yield* self.readOnce(at.readState, world.state)) === State.Alive) {
    const outcome = yield* self.guestAccess(at.use, page, intent, self.operation + 1);
    if (outcome === 0) result = Result.Ok;
    yield* self.leaveGuest(at.leaveGuest);
  }
  yield* self.add(at.leave, world.users, -1);
  return result;
}
