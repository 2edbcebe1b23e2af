/**
 * Recovery of large pages that the execution mitigation split: the tables on the recovery list are zapped,
 * and faults map large pages again.
 *
 * Mirrors: the NX recovery worker of Linux KVM/x86, under the exclusive lock, or the shared one (from 6.18).
 * Source: spec/x86-xen.md A9, A12, A15; amendment E17.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { frameOf } from '../../sim/descriptor.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { setExclusive, setShared } from './entries.ts';
import { flushAll } from './flush.ts';
import { headLocked, unlistLocked } from './recovery-list.ts';
import { isTable, NONE } from './spte.ts';
import { type KvmWorld, Lock, RCU } from './world.ts';

export const recoverySites = sites('nx-recovery', [
  'lock',
  'enterRcu',
  'lockPages',
  'unlockPages',
  'clearFlag',
  'readLogging',
  'readTable',
  'readParent',
  'readEntry',
  'contended',
  'leaveRcu',
  'dropLock',
  'retakeLock',
  'enterAgain',
  'unlock',
]);
const at = recoverySites;

/** Tables that one round takes from the list. */
const BATCH = 8;

/** One round of the worker. */
export function* recoverExecution(self: Actor, world: KvmWorld): Operation<number> {
  const overwrites = world.bug('K07-flush-flag-overwritten');
  const mode = world.configuration.sharesRecovery ? Mode.Shared : Mode.Exclusive;
  let flush = false;
  yield* self.acquire(at.lock, Lock.Mmu, mode);
  // a victim is looked at in the section in which it was on the list: another may zap and free it (E17)
  yield* self.enterSection(at.enterRcu, RCU);
  for (let i = 0; i < BATCH; i += 1) {
    const table = yield* takeVictim(self, world);
    if (table === 0) break;
    const isZapped = table > 0 && (yield* zapTable(self, world, table));
    flush = isZapped || (flush && !overwrites);
    if (self.choose(at.contended, 2) === 0) continue;
    if (flush) yield* flushAll(self);
    flush = false;
    yield* self.exitSection(at.leaveRcu, RCU);
    yield* self.release(at.dropLock, Lock.Mmu);
    yield* self.acquire(at.retakeLock, Lock.Mmu, mode);
    yield* self.enterSection(at.enterAgain, RCU);
  }
  // Rule F: the section keeps what was removed from being freed until the flush is complete
  const leavesEarly = world.bug('K10-section-ends-before-flush');
  if (leavesEarly) yield* self.exitSection(at.leaveRcu, RCU);
  if (flush) yield* flushAll(self);
  if (!leavesEarly) yield* self.exitSection(at.leaveRcu, RCU);
  yield* self.release(at.unlock, Lock.Mmu);
  return Result.Ok;
}

/** The head of the list; 0 when it is empty, -1 when the member stays because its slot is logged. */
function* takeVictim(self: Actor, world: KvmWorld): Operation<number> {
  yield* self.acquire(at.lockPages, Lock.Pages, Mode.Exclusive);
  const table = yield* headLocked(self, world);
  let isLogged = false;
  if (table !== 0) {
    isLogged = (yield* self.readOnce(at.readLogging, world.logging)) !== 0;
    yield* self.store(at.clearFlag, world.disallowed(table), 0);
    yield* unlistLocked(self, world, table);
  }
  yield* self.release(at.unlockPages, Lock.Pages);
  return isLogged ? -1 : table;
}

/** Clears the entry that names the table, if it still does. True when a flush is owed. */
function* zapTable(self: Actor, world: KvmWorld, table: number): Operation<boolean> {
  // what the MMU knows of a table lives and dies with its page: to read it is to read the page
  yield* self.readOnce(at.readTable, world.machine.memory.address(table, 0));
  const word = yield* self.readOnce(at.readParent, world.parent(table));
  const snap = yield* self.readOnce(at.readEntry, word);
  if (!isTable(snap) || frameOf(snap) !== table) return false;
  const place = { word, snap, level: 2 };
  if (world.configuration.sharesRecovery) return yield* setShared(self, world, place, NONE);
  yield* setExclusive(self, world, place, NONE);
  return true;
}
