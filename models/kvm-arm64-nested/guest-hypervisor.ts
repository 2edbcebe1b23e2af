/**
 * The guest hypervisor: it changes its tables and invalidates, as a correct one does. Its invalidations trap, and
 * the host carries them out on the shadows.
 *
 * Mirrors: Linux 2026 arch/arm64/kvm/sys_regs.c, emulation of TLBI instructions of a guest hypervisor; the guest is
 *          nobody's in particular.
 * Leaves out: level hints by the guest (FEAT_TTL is not offered); the difference between shareability domains.
 * Source: spec/arm.md 1.10, 5.5.
 */
import { Domain, Register } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { isTable, isValid, leaf, table as tableEntry, WRITE } from '../../sim/descriptor.ts';
import { alignDown } from '../../sim/geometry.ts';
import { Shareability, Tlbi } from '../../sim/invalidation.ts';
import { Mode } from '../../sim/locks.ts';
import type { WordAddress } from '../../sim/memory.ts';
import { sites } from '../../sim/site.ts';
import { blockPages, regionOf } from '../kvm-arm64/geometry.ts';
import { GIVES_ALL } from './guest-tables.ts';
import { Lock } from './machine.ts';
import { contextOf, Field, fieldWord } from './mmu-array.ts';
import { enterGuestHypervisor } from './run.ts';
import { type Scope, unmapShadows } from './shadow-unmap.ts';
import { beginFlush, endFlush } from './trapped-flush.ts';
import type { NestedWorld } from './world.ts';

export const guestTableSites = sites('guest-table', [
  'lock',
  'readBlock',
  'readPage',
  'break',
  'make',
  'clearPage',
  'unlock',
]);
const at = guestTableSites;

export const stage1FlushSites = sites('stage1-flush', [
  'lock',
  'unlock',
  'readCount',
  'readArray',
  'readKey',
  'orderStores',
  'readBase',
  'enterContext',
  'synchronise',
  'invalidate',
  'complete',
  'leaveContext',
]);
const flush = stage1FlushSites;

// ---- the guest's tables ----

/** A store of the guest to one of its tables, which may change the leaves of these pages. */
function* set(
  self: Actor,
  world: NestedWorld,
  site: number,
  word: WordAddress,
  value: number,
): Operation<void> {
  const { tables } = world;
  yield* self.store(site, word, value);
  world.history.stored(tables.tableOf(word), tables.firstOf(word), tables.pagesOf(word));
}

/**
 * The guest gives a page of its guest one of its own, with these rights (0: none), and invalidates what may be
 * cached of what was there. Invalid where the page belongs to a block.
 */
export function* changePage(
  self: Actor,
  world: NestedWorld,
  table: number,
  page: number,
  target: number,
  rights: number,
): Operation<number> {
  const { tables } = world;
  yield* enterGuestHypervisor(self, world);
  yield* self.acquire(at.lock, Lock.Guest, Mode.Exclusive);
  const block = yield* self.readOnce(at.readBlock, tables.blockWord(table, page));
  const word = tables.pageWord(table, page);
  const old = isTable(block) ? yield* self.readOnce(at.readPage, word) : 0;
  const next = rights === 0 ? 0 : leaf(target, rights);
  const isRelaxed = isValid(old) && (old | WRITE) === next;
  if (isTable(block) && isValid(old) && old !== next && !isRelaxed) {
    yield* set(self, world, at.break, word, 0);
    const begun = yield* beginFlush(self, world);
    const vmid = world.vmidOf(table);
    yield* unmapShadows(self, world, { vmid, first: page, pages: 1, isTagged: true });
    world.history.invalidatedAt(vmid, page, begun.since);
    yield* endFlush(self, world, begun);
  }
  if (isTable(block) && next !== 0) yield* set(self, world, at.make, word, next);
  yield* self.release(at.unlock, Lock.Guest);
  return isTable(block) ? Result.Ok : Result.Invalid;
}

/**
 * The guest gives a whole region of its guest a block of its own, or an empty table of pages (`target` < 0), and
 * invalidates in between what was there.
 */
export function* changeBlock(
  self: Actor,
  world: NestedWorld,
  table: number,
  page: number,
  target: number,
): Operation<number> {
  const { tables } = world;
  const size = blockPages(tables.geometry);
  const first = alignDown(page, size);
  const region = regionOf(tables.geometry, page);
  yield* enterGuestHypervisor(self, world);
  yield* self.acquire(at.lock, Lock.Guest, Mode.Exclusive);
  const word = tables.blockWord(table, page);
  const old = yield* self.readOnce(at.readBlock, word);
  yield* set(self, world, at.break, word, 0);
  if (isValid(old)) {
    const vmid = world.vmidOf(table);
    const begun = yield* beginFlush(self, world);
    // a block goes with any of its pages; of a table each page has to be named
    if (isTable(old)) {
      yield* unmapShadows(self, world, { vmid, first, pages: size });
      world.history.invalidated(vmid, first, size, begun.since);
    } else {
      yield* unmapShadows(self, world, { vmid, first: page, pages: 1, isTagged: true });
      world.history.invalidatedAt(vmid, page, begun.since);
    }
    yield* endFlush(self, world, begun);
  }
  for (let i = 0; i < size && target < 0; i += 1) {
    const entry = tables.pageWord(table, first + i);
    // a table that is not linked is nobody's but the guest's, which knows what it has left there
    if (self.machine.memory.load(entry) !== 0) yield* self.store(at.clearPage, entry, 0);
  }
  const next =
    target < 0
      ? tableEntry(tables.pagesTable(table, region))
      : leaf(alignDown(target, size), GIVES_ALL);
  yield* set(self, world, at.make, word, next);
  yield* self.release(at.unlock, Lock.Guest);
  return Result.Ok;
}

// ---- invalidations ----

/** The guest invalidates a range of pages for its present VMID; everything for it, or for all, without one. */
export function* flushGuest(
  self: Actor,
  world: NestedWorld,
  first: number,
  pages: number,
  isForAll: boolean,
): Operation<number> {
  yield* enterGuestHypervisor(self, world);
  const begun = yield* beginFlush(self, world);
  const { vmid } = world.vcpu(self).context;
  const scope: Scope = isForAll ? { first, pages } : { vmid, first, pages };
  yield* unmapShadows(self, world, scope);
  for (const one of world.guestVmids) {
    if (isForAll || one === vmid) world.history.invalidated(one, first, pages, begun.since);
  }
  yield* endFlush(self, world, begun);
  return Result.Ok;
}

/** The guest invalidates stage 1 of its present VMID: the real invalidation, with the number of each shadow of it. */
export function* flushGuestStage1(self: Actor, world: NestedWorld): Operation<number> {
  yield* enterGuestHypervisor(self, world);
  const { vmid } = world.vcpu(self).context;
  yield* self.acquire(flush.lock, Lock.Mmu, Mode.Exclusive);
  const count = yield* self.readOnce(flush.readCount, world.arrayCount);
  const base = yield* self.readOnce(flush.readArray, world.arrayBase);
  for (let slot = 0; slot < count; slot += 1) {
    const key = yield* self.readOnce(flush.readKey, fieldWord(world, base, slot, Field.Key));
    if (key === 0 || contextOf(key).vmid !== vmid) continue;
    const shadow = world.shadows[slot]!;
    const previous = self.vttbr;
    yield* self.dsb(flush.orderStores, Domain.InnerStore);
    const root = yield* self.readOnce(flush.readBase, shadow.contextWord);
    yield* self.writeRegister(flush.enterContext, Register.Vttbr, shadow.registerOf(root));
    yield* self.isb(flush.synchronise);
    yield* self.tlbi(flush.invalidate, Tlbi.Vmalle1, Shareability.Inner, 0, 0, 0);
    yield* self.dsb(flush.complete, Domain.Inner);
    yield* self.writeRegister(flush.leaveContext, Register.Vttbr, previous);
  }
  yield* self.release(flush.unlock, Lock.Mmu);
  return Result.Ok;
}
