/**
 * Changes a range of the hypervisor's own tables: insert, modify, remove or populate, entry by entry under
 * one lock. A call that fails stops where it is; there is no undo.
 *
 * Mirrors: Xen 4.18 and later, xen_pt_update(), xen_pt_update_entry(), xen_pt_next_level(); the RFC of
 *          November 2020 by configuration.
 * Leaves out: roots per CPU of arm32 (they share the part that is updated), the temporary mapping of tables,
 *             errata that repeat the TLBI.
 * Source: spec/x86-xen.md B3, B5 to B7; steps are named e1, e2 as there.
 */
import { Domain } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import {
  ACCESSED,
  CONTIGUOUS,
  frameOf,
  type Intent,
  isTable,
  isValid,
  leaf,
  RIGHTS,
  table,
} from '../../sim/descriptor.ts';
import { indexAt, levelPages } from '../../sim/geometry.ts';
import { Shareability, Tlbi } from '../../sim/invalidation.ts';
import { Mode } from '../../sim/locks.ts';
import type { WordAddress } from '../../sim/memory.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import { contiguousEntries, mappingLevel, mappingLevelRfc, type Position } from './pt-level.ts';
import { isWritableAndExecutable, Kind, NO_FRAME, type Request } from './pt-request.ts';
import { refusedBy } from './pt-rules.ts';
import { Lock, type PtWorld } from './pt-world.ts';

export const ptSites = sites('xen-pt', [
  'lock',
  'readEntry',
  'allocateTable',
  'orderTable',
  'makeTable',
  'completeTable',
  'readTarget',
  'orderEntry',
  'writeEntry',
  'completeEntry',
  'synchroniseInsert',
  'orderFlush',
  'invalidate',
  'completeFlush',
  'synchronise',
  'unlock',
  'use',
]);
const at = ptSites;

/** No entry of the target level was reached: a result, where a word would be. */
const MISSING = -1;
const BLOCKED = -2;

export function* updateTables(self: Actor, world: PtWorld, request: Request): Operation<number> {
  if (isWritableAndExecutable(request)) return Result.Invalid;
  const isLocked = !world.bug('X15-update-without-lock');
  if (isLocked) yield* self.acquire(at.lock, Lock.Tables, Mode.Exclusive);
  const result = yield* updateEntries(self, world, request);
  const isToday = world.configuration.form === 'today';
  if (isToday && request.kind === Kind.Insert) {
    // an entry that was not valid is in no TLB, but this PE may still walk as it did before
    if (!world.bug('X16-insert-not-synchronised')) yield* self.isb(at.synchroniseInsert);
  } else if (result === Result.Ok || !world.bug('X09b-failed-update-not-flushed')) {
    // of the whole request, also when only a part of it was done
    yield* flushPages(self, request.page, request.pages);
  }
  world.expectWholeGroups(request.page, leavesWholeGroups(world, request, result));
  if (isLocked) yield* self.release(at.unlock, Lock.Tables);
  return result;
}

/** Pages of the request in which groups are whole: an insert that failed may leave a part of one. */
function leavesWholeGroups(world: PtWorld, { kind, pages }: Request, result: number): number {
  if (kind !== Kind.Insert) return 0;
  return result === Result.Ok || world.bug('E25-failed-insert-leaves-group') ? pages : 0;
}

function* updateEntries(self: Actor, world: PtWorld, request: Request): Operation<number> {
  const { geometry, configuration } = world;
  const isRfc = configuration.form === 'rfc';
  let { page, frame } = request;
  for (let left = request.pages; left > 0; ) {
    const position: Position = { page, frame, left, isBlock: request.isBlock };
    const level = (isRfc ? mappingLevelRfc : mappingLevel)(geometry, position);
    const pages = levelPages(geometry, level);
    const entries = isRfc
      ? 1
      : contiguousEntries(geometry, configuration.groupEntries, level, position);
    for (let i = 0; i < entries; i += 1) {
      const hint = entries > 1 ? CONTIGUOUS : 0;
      const result = yield* updateEntry(self, world, request, page, frame, level, hint);
      if (result !== Result.Ok) return result;
      page += pages;
      if (frame !== NO_FRAME) frame += pages;
      left -= pages;
    }
  }
  return Result.Ok;
}

function* updateEntry(
  self: Actor,
  world: PtWorld,
  request: Request,
  page: number,
  frame: number,
  target: number,
  hint: number,
): Operation<number> {
  const { kind, rights, type } = request;
  const word = yield* findEntry(self, world, kind, page, target);
  if (word === BLOCKED) return Result.Unsupported;
  if (word === MISSING) return kind === Kind.Remove ? Result.Ok : Result.NoEntry;
  const old = yield* self.readOnce(at.readTarget, word);
  const rule = refusedBy(kind, old, target, type);
  self.claim(Claim.ChangeJudged, rule, kind, target | (hint === 0 ? 0 : 4));
  if (rule !== 0) return Result.Invalid;
  if (kind === Kind.Populate) return Result.Ok;
  let next = 0;
  if (kind === Kind.Insert) next = leaf(frame, rights | type | ACCESSED | hint);
  else if (kind === Kind.Modify) next = (old & ~(RIGHTS | CONTIGUOUS)) | rights | hint;
  yield* self.dsb(at.orderEntry, Domain.Inner);
  yield* self.store(at.writeEntry, word, next);
  yield* self.dsb(at.completeEntry, Domain.Inner);
  return Result.Ok;
}

/** The entry of the target level that maps the page; MISSING, or BLOCKED by a block above. */
function* findEntry(
  self: Actor,
  world: PtWorld,
  kind: Kind,
  page: number,
  target: number,
): Operation<WordAddress> {
  const { geometry, machine } = world;
  const makesTables = kind === Kind.Insert || kind === Kind.Populate;
  let frame = world.root;
  for (let level = geometry.startLevel; level < target; level += 1) {
    const word = machine.memory.address(frame, indexAt(geometry, page, level));
    // e1
    const entry = yield* self.readOnce(at.readEntry, word);
    const isThere = isTable(entry) || (isValid(entry) && !world.bug('X17-block-becomes-table'));
    if (isThere) {
      // taking a block apart is not supported
      if (!isTable(entry)) return BLOCKED;
      frame = frameOf(entry);
      continue;
    }
    if (!makesTables) return MISSING;
    const child = yield* self.allocate(at.allocateTable, Role.Table, false);
    if (child < 0) return MISSING;
    // e2
    yield* self.dsb(at.orderTable, Domain.Inner);
    yield* self.store(at.makeTable, word, table(child));
    yield* self.dsb(at.completeTable, Domain.Inner);
    frame = child;
  }
  return machine.memory.address(frame, indexAt(geometry, page, target));
}

/** Removes what any PE has cached for the pages, one TLBI per page. */
function* flushPages(self: Actor, first: number, pages: number): Operation<void> {
  yield* self.dsb(at.orderFlush, Domain.InnerStore);
  for (let page = first; page < first + pages; page += 1) {
    yield* self.tlbi(at.invalidate, Tlbi.Vae2, Shareability.Inner, page, 0, 1);
  }
  yield* self.dsb(at.completeFlush, Domain.Inner);
  yield* self.isb(at.synchronise);
}

/** A PE reads or writes one of the hypervisor's pages; Refused when that faults. */
export function* useTables(self: Actor, page: number, intent: Intent): Operation<number> {
  const result = yield* self.hypervisorAccess(at.use, page, intent, 0);
  return result === 0 ? Result.Ok : Result.Refused;
}
