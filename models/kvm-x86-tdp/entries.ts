/**
 * How entries are written: shared (compare-exchange against the snapshot), exclusive (exchange where
 * others may change bits meanwhile: Rule V), and what follows a change: the host is told about dirty
 * pages, and a table that was cut out is taken apart.
 *
 * Mirrors: setting SPTEs and handling changed ones in Linux KVM/x86, tdp_mmu.c; write-back of dirty
 *          state as up to 6.12, or as from 6.13 by configuration.
 * Leaves out: statistics; telling the host about accessed pages.
 * Source: spec/x86-xen.md A3, amendments E12, E13, E18.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Claim } from '../../sim/claims.ts';
import { frameOf } from '../../sim/descriptor.ts';
import { entriesPerTable } from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { span } from './geometry.ts';
import { unlistLocked } from './recovery-list.ts';
import { isDirty, isPresent, isTable, isVolatile, tableEntry } from './spte.ts';
import { editTableList } from './table-list.ts';
import { type KvmWorld, Lock, RCU } from './world.ts';

export const entrySites = sites('entry', ['set', 'exchange', 'store', 'clear', 'markHost']);
export const detachSites = sites('detach', [
  'readFlag',
  'lockPages',
  'clearFlag',
  'unlockPages',
  'freeze',
  'frozenByOther',
  'read',
  'store',
  'free',
]);

/** An entry, as a walk knows it: the snapshot follows what is written. */
export interface Place {
  readonly word: number;
  readonly level: number;
  snap: number;
}

/** Whether the entry became `next`; if not, the snapshot is what was found and nothing was done. */
export function* setShared(
  self: Actor,
  world: KvmWorld,
  at: Place,
  next: number,
): Operation<boolean> {
  const old = at.snap;
  const seen = yield* self.compareExchange(entrySites.set, at.word, old, next);
  if (seen !== old) {
    at.snap = seen;
    return false;
  }
  at.snap = next;
  if (losesDirty(old, next)) yield* writeBack(self, world, old, at.level);
  if (cutsOut(at.level, old, next)) yield* detach(self, world, at, frameOf(old), Mode.Shared);
  return true;
}

/**
 * Whether the entry names the table now; if not, nothing was done. Where all tables are listed, a table is on the
 * list before anybody can find it in the tree: who removes it takes it off.
 */
export function linkTable(
  self: Actor,
  world: KvmWorld,
  at: Place,
  table: number,
): Operation<boolean> {
  return world.configuration.listsTables
    ? linkListed(self, world, at, table)
    : setShared(self, world, at, tableEntry(table));
}

function* linkListed(self: Actor, world: KvmWorld, at: Place, table: number): Operation<boolean> {
  const isLate = world.bug('K17-linked-before-listed');
  if (!isLate) yield* editTableList(self, world, table, 1);
  const isLinked = yield* setShared(self, world, at, tableEntry(table));
  if (isLinked === isLate) yield* editTableList(self, world, table, isLinked ? 1 : -1);
  return isLinked;
}

/** The value displaced. The MMU lock is held exclusively; hardware and lockless paths do not care. */
export function* setExclusive(
  self: Actor,
  world: KvmWorld,
  at: Place,
  next: number,
): Operation<number> {
  let old = at.snap;
  if (isVolatile(old) && !world.bug('K19-plain-store-of-volatile-entry')) {
    old = yield* self.exchange(entrySites.exchange, at.word, next);
  } else {
    yield* self.store(entrySites.store, at.word, next);
  }
  self.claim(Claim.EntryReplaced, at.word, old, 0);
  at.snap = next;
  if (losesDirty(old, next)) yield* writeBack(self, world, old, at.level);
  if (cutsOut(at.level, old, next)) yield* detach(self, world, at, frameOf(old), Mode.Exclusive);
  return old;
}

/** Clears bits of an entry under the exclusive lock, whatever else is changed in it meanwhile. */
export function* clearBits(self: Actor, world: KvmWorld, at: Place, bits: number): Operation<void> {
  let old = at.snap;
  if (isVolatile(old)) {
    old = yield* self.and(entrySites.clear, at.word, ~bits);
  } else {
    yield* self.store(entrySites.store, at.word, old & ~bits);
    self.claim(Claim.EntryReplaced, at.word, old, 0);
  }
  at.snap = old & ~bits;
  if (losesDirty(old, at.snap)) yield* writeBack(self, world, old, at.level);
}

/** Dirty state that the new value does not hold; the children of a split leaf inherit it. */
function losesDirty(old: number, next: number): boolean {
  return isDirty(old) && !isDirty(next) && !isTable(next);
}

function cutsOut(level: number, old: number, next: number): boolean {
  return level > 1 && isTable(old) && !isTable(next);
}

/** Up to 6.12 the host learns that pages were written when their leaf goes or forgets it. */
export function* writeBack(
  self: Actor,
  world: KvmWorld,
  leaf: number,
  level: number,
): Operation<void> {
  if (world.configuration.generation !== '6.12') return;
  const pages = span(world.geometry, level);
  for (let i = 0; i < pages; i += 1) {
    const frame = frameOf(leaf) + i;
    yield* self.store(entrySites.markHost, world.hostDirty(frame), 1);
    self.claim(Claim.HostDirtied, frame, 0, 0);
  }
}

/** One table of a subtree that was cut out, and how far it has been taken apart. */
interface Part {
  readonly frame: number;
  readonly level: number;
  index: number;
}

/**
 * Takes a table apart that no entry names any more. Others may still be inside: with the lock shared
 * every entry is frozen, so that they cannot install anything. The caller stays in its read section
 * until its flush is complete (Rule F); the pages are freed after a grace period.
 */
function* detach(
  self: Actor,
  world: KvmWorld,
  { level }: Place,
  table: number,
  mode: Mode,
): Operation<void> {
  const at = detachSites;
  const entries = entriesPerTable(world.geometry);
  const stack: Part[] = [{ frame: table, level: level - 1, index: 0 }];
  for (let part = stack.at(-1); part !== undefined; part = stack.at(-1)) {
    const { frame } = part;
    if (part.index === 0) {
      if (world.configuration.listsTables) yield* editTableList(self, world, frame, -1);
      const flag = yield* self.readOnce(at.readFlag, world.disallowed(frame));
      if (flag !== 0) {
        yield* self.acquire(at.lockPages, Lock.Pages, Mode.Exclusive);
        yield* self.store(at.clearFlag, world.disallowed(frame), 0);
        yield* unlistLocked(self, world, frame);
        yield* self.release(at.unlockPages, Lock.Pages);
      }
    }
    if (part.index === entries) {
      stack.pop();
      yield* self.freeLater(at.free, frame, RCU);
      continue;
    }
    const word = world.machine.memory.address(frame, part.index);
    const old =
      mode === Mode.Shared
        ? yield* freezeShared(self, world, word)
        : yield* freezeExclusive(self, world, word);
    part.index += 1;
    if (isDirty(old)) yield* writeBack(self, world, old, part.level);
    if (part.level > 1 && isTable(old)) {
      stack.push({ frame: frameOf(old), level: part.level - 1, index: 0 });
    }
  }
}

/** The value before. Somebody else who froze the entry is about to replace it: wait for that. */
function* freezeShared(self: Actor, world: KvmWorld, word: number): Operation<number> {
  for (;;) {
    const old = yield* self.exchange(detachSites.freeze, word, world.frozen);
    if (old !== world.frozen) return old;
    yield* self.retry(detachSites.frozenByOther);
  }
}

/** Nobody else can write but the hardware, through tables that it has cached: Rule V applies. */
function* freezeExclusive(self: Actor, world: KvmWorld, word: number): Operation<number> {
  const snap = yield* self.readOnce(detachSites.read, word);
  if (!isPresent(snap)) return snap;
  if (isVolatile(snap)) return yield* self.exchange(detachSites.freeze, word, world.frozen);
  yield* self.store(detachSites.store, word, world.frozen);
  return snap;
}
