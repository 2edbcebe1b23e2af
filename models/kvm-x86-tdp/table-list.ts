/**
 * The list of all tables below roots that 5.15 kept. An edit is one step under pages_lock; the word of a table
 * says how often it is on the list.
 *
 * Mirrors: tdp_mmu_pages of Linux 5.15 (dropped later).
 * Source: zoo K17; spec/x86-xen.md A3 (d1), A16.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { type KvmWorld, Lock } from './world.ts';

export const tableListSites = sites('table-list', ['lockPages', 'edit', 'unlockPages']);
const at = tableListSites;

/** @param step 1 puts the table on the list, -1 takes it off */
export function* editTableList(
  self: Actor,
  world: KvmWorld,
  table: number,
  step: number,
): Operation<void> {
  yield* self.acquire(at.lockPages, Lock.Pages, Mode.Exclusive);
  yield* self.add(at.edit, world.listed(table), step);
  yield* self.release(at.unlockPages, Lock.Pages);
}
