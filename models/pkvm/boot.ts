/**
 * The hypervisor makes its own tables out of pages that the host reserved, exchanges the host's for them, and puts its allocator
 * to work. Other CPUs come in when the root is known, and ask for more mappings.
 *
 * Mirrors: initialisation of the hypervisor's memory, Linux 5.13 (seed document 004), with later additions left out.
 * Leaves out: mapping every page of the pool (every fourth is), the host's stage 2, ownership, the fixmap.
 * Source: spec/arm.md 6.1. The lock of the tables is held from the pool's beginning to the last count here, so that a CPU that
 * comes in early cannot come in between.
 */
import { baseRegister, Register } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { frameOf, Intent, isTable, isValid } from '../../sim/descriptor.ts';
import { entriesPerTable, LAST_LEVEL } from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import { PageState } from '../../sim/ownership.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import {
  HOST_PAGES,
  mappings,
  OLD_ROOT,
  OLD_TABLES,
  RECORD_PAGES,
  RESERVED,
  RESERVED_END,
  STAGE1_PAGES,
  stackPage,
} from './boot-layout.ts';
import { takeEarly } from './bump.ts';
import { FRAMES, hypLeaf, isMemory } from './layout.ts';
import { getPage, initialisePool } from './pool.ts';
import { record, tagOf } from './records.ts';
import { startRegime, switchTables } from './switch.ts';
import { find, mapLeaf, unmapFound } from './tables.ts';
import { Allocator, Lock, type PkvmWorld, Tree } from './world.ts';

export const bootSites = sites('boot', [
  'readProgress',
  'writeProgress',
  'oldRoot',
  'mmuOn',
  'syncOn',
  'writeBump',
  'divideFails',
  'writeRoot',
  'lock',
  'unlock',
  'publishRoot',
  'readRoot',
  'waitForRoot',
  'poolFails',
  'install',
  'readUsed',
  'readEntry',
  'readAllocator',
  'useStack',
  'readRecord',
  'writeRecord',
  'freeTable',
  'freePool',
]);
const at = bootSites;

/** A page of the host that the hypervisor may read. */
const SHARED = record(PageState.SharedOwned, PageState.SharedBorrowed);

/** How often a CPU that comes in looks for the root before it gives up. */
const WAITS = 64;

/** How far the boot has come; told to the host when it is over. */
export const Progress = { None: 0, Running: 1, Done: 2, FailedBefore: 3, FailedAfter: 4 } as const;

/** The host starts the hypervisor on this CPU, with tables of its own, and has it initialise itself. */
export function* initialise(self: Actor, world: PkvmWorld): Operation<number> {
  const before = yield* self.compareExchange(
    at.writeProgress,
    world.progress,
    Progress.None,
    Progress.Running,
  );
  if (before !== Progress.None) return Result.Refused;
  yield* self.writeRegister(at.oldRoot, Register.Ttbr0El2, baseRegister(OLD_ROOT, 0));
  yield* self.isb(at.syncOn);
  yield* self.writeRegister(at.mmuOn, Register.SctlrEl2, 1);
  yield* self.isb(at.syncOn);

  const root = yield* divide(self, world);
  if (root < 0) {
    yield* self.store(at.writeProgress, world.progress, Progress.FailedBefore);
    return Result.Exhausted;
  }
  const hasSections = world.configuration.hasSections === true;
  for (const { page, leaf } of mappings(self.machine.spec.pes, hasSections)) {
    yield* self.acquire(at.lock, Lock.Hyp, Mode.Exclusive);
    yield* mapLeaf(self, world, world.hyp, page, LAST_LEVEL, leaf);
    yield* self.release(at.unlock, Lock.Hyp);
  }
  self.claim(Claim.ContextLoadable, Tree.Hyp, 0, 0);
  for (let cpu = 0; cpu < self.machine.spec.pes; cpu += 1)
    yield* self.store(at.publishRoot, world.startRoot + cpu, root);
  yield* switchTables(self, world, root);
  return yield* finalise(self, world, root);
}

/** Divides what was reserved, and begins the tables with the part that is for them. The root, or -1. */
function* divide(self: Actor, world: PkvmWorld): Operation<number> {
  yield* self.store(at.writeBump, world.bump, RESERVED);
  yield* self.store(at.writeBump, world.bumpEnd, RESERVED_END);
  for (const pages of [RECORD_PAGES, STAGE1_PAGES, HOST_PAGES]) {
    const first = yield* takeEarly(self, world, pages, Role.Kernel);
    // the host may have reserved too little
    if (first < 0 || self.choose(at.divideFails, 2) === 1) return -1;
  }
  const stage1 = RESERVED + RECORD_PAGES;
  yield* self.store(at.writeBump, world.bump, stage1);
  yield* self.store(at.writeBump, world.bumpEnd, stage1 + STAGE1_PAGES);
  const root = yield* takeEarly(self, world, 1, Role.Table);
  yield* self.store(at.writeRoot, world.hyp.root, root);
  self.claim(Claim.ContextCreated, Tree.Hyp, root, 6);
  return root;
}

/** With the new tables: the pool begins, references are counted from here on and made up for. */
function* finalise(self: Actor, world: PkvmWorld, root: number): Operation<number> {
  const isLocked = !world.bug('V03-finalised-without-lock');
  if (isLocked) yield* self.acquire(at.lock, Lock.Hyp, Mode.Exclusive);
  let result: number = Result.Ok;
  if (self.choose(at.poolFails, 2) === 1) result = Result.Exhausted;
  else {
    const stage1 = RESERVED + RECORD_PAGES;
    const used = (yield* self.readOnce(at.readUsed, world.bump)) - stage1;
    yield* initialisePool(self, world, world.hypPool, stage1, STAGE1_PAGES, used);
    yield* self.store(at.install, world.allocator, Allocator.Pool);
    yield* countTables(self, world, root);
    yield* takeOwnership(self, world);
    self.claim(Claim.ContextCounted, Tree.Hyp, 0, 0);
  }
  if (isLocked) yield* self.release(at.unlock, Lock.Hyp);
  const progress = result === Result.Ok ? Progress.Done : Progress.FailedAfter;
  yield* self.store(at.writeProgress, world.progress, progress);
  const stack = stackPage(self.pe);
  const fault = yield* self.hypervisorAccess(at.useStack, stack, Intent.Write, 1);
  return fault === 0 ? result : Result.Refused;
}

/** One reference to its table for each entry that is there. */
function* countTables(self: Actor, world: PkvmWorld, root: number): Operation<void> {
  const { memory } = self.machine;
  const { geometry, pool } = world.hyp;
  const todo = [root];
  const levels = [geometry.startLevel];
  while (todo.length > 0) {
    const frame = todo.pop()!;
    const level = levels.pop()!;
    for (let index = 0; index < entriesPerTable(geometry); index += 1) {
      const entry = yield* self.readOnce(at.readEntry, memory.address(frame, index));
      if (!isValid(entry)) continue;
      yield* getPage(self, world, pool, frame);
      if (level === LAST_LEVEL || !isTable(entry)) continue;
      todo.push(frameOf(entry));
      levels.push(level + 1);
    }
  }
}

/** What the hypervisor has mapped is its own from here on, or shared as marked: the linear part page by page, and the stacks. */
function* takeOwnership(self: Actor, world: PkvmWorld): Operation<void> {
  // what is mapped once more elsewhere is not marked there
  const end = world.bug('A55-aliases-visited') ? world.hyp.geometry.windowPages : FRAMES;
  const pages = Array.from({ length: end - RESERVED }, (_, i) => RESERVED + i);
  // stacks are mapped elsewhere than where their pages lie
  if (!world.bug('A54-stacks-left-to-the-host'))
    for (let cpu = 0; cpu < self.machine.spec.pes; cpu += 1) pages.push(stackPage(cpu));
  for (const page of pages) {
    const leaf = yield* find(self, world, world.hyp, page);
    if (!isValid(leaf)) continue;
    const isShared = tagOf(leaf) === PageState.SharedBorrowed;
    yield* self.store(
      at.writeRecord,
      world.record(frameOf(leaf)),
      isShared ? SHARED : record(PageState.None, PageState.Owned),
    );
  }
}

/** Another CPU starts the hypervisor with the root that is known to it. */
export function* enterLater(self: Actor, world: PkvmWorld): Operation<number> {
  if (self.machine.pes[self.pe]!.mmu) return Result.Exists;
  let root = yield* self.readOnce(at.readRoot, world.startRoot + self.pe);
  for (let i = 0; i < WAITS && root === 0; i += 1) {
    const progress = yield* self.readOnce(at.readProgress, world.progress);
    if (progress !== Progress.Running) return Result.NoEntry;
    yield* self.retry(at.waitForRoot);
    root = yield* self.readOnce(at.readRoot, world.startRoot + self.pe);
  }
  if (root === 0) return Result.NoEntry;
  yield* startRegime(self, root);
  const fault = yield* self.hypervisorAccess(at.useStack, stackPage(self.pe), Intent.Write, 1);
  return fault === 0 ? Result.Ok : Result.Refused;
}

/** The host has a page mapped into, or taken out of, the hypervisor's tables. */
export function* changeMapping(
  self: Actor,
  world: PkvmWorld,
  page: number,
  isMapped: boolean,
): Operation<number> {
  if (!self.machine.pes[self.pe]!.mmu) return Result.NoEntry;
  // what the hypervisor made for itself stays, but for the stack of a CPU that is given up
  if (!isMemory(page) && (isMapped || page !== stackPage(1))) return Result.Invalid;
  yield* self.acquire(at.lock, Lock.Hyp, Mode.Exclusive);
  const allocator = yield* self.readOnce(at.readAllocator, world.allocator);
  let result: number = Result.Again;
  if (allocator === Allocator.Pool || world.bug('V05-mapped-before-finalised')) {
    const old = yield* find(self, world, world.hyp, page);
    result = isValid(old) === isMapped ? Result.NoEntry : Result.Ok;
    if (result === Result.Ok && isMapped) {
      // a page that is the hypervisor's already is mapped somewhere else
      const state = yield* self.readOnce(at.readRecord, world.record(page));
      if (state !== record(PageState.Owned, PageState.None)) result = Result.Refused;
    }
    if (result === Result.Ok && isMapped) {
      const own = record(PageState.None, PageState.Owned);
      yield* self.store(at.writeRecord, world.record(page), own);
      result = yield* mapLeaf(self, world, world.hyp, page, LAST_LEVEL, hypLeaf(page));
    } else if (result === Result.Ok) {
      yield* unmapFound(self, world, world.hyp, page);
      const free = record(PageState.Owned, PageState.None);
      yield* self.store(at.writeRecord, world.record(frameOf(old)), free);
    }
  }
  yield* self.release(at.unlock, Lock.Hyp);
  return result;
}

/** The host frees what it needs no more: its own tables once they are not used, everything when nothing came of it. */
export function* freeReserved(self: Actor, world: PkvmWorld): Operation<number> {
  const progress = yield* self.readOnce(at.readProgress, world.progress);
  const isOver = progress === Progress.Done || progress === Progress.FailedAfter;
  const isFree = progress === Progress.FailedBefore;
  if (!isOver && !isFree) return Result.Refused;
  const freed = yield* self.exchange(at.writeProgress, world.freed, 1);
  if (freed !== 0) return Result.Refused;
  if (isOver) {
    self.claim(Claim.ContextRetired, Tree.Boot, 0, 0);
    for (let frame = OLD_ROOT; frame < OLD_ROOT + OLD_TABLES; frame += 1)
      yield* self.assign(at.freeTable, frame, Role.Pooled);
  }
  const mayFreePool =
    isFree || (progress === Progress.FailedAfter && world.bug('V04-pool-freed-after-switch'));
  if (mayFreePool) {
    for (let frame = RESERVED; frame < RESERVED_END; frame += 1)
      yield* self.assign(at.freePool, frame, Role.Pooled);
  }
  return Result.Ok;
}
