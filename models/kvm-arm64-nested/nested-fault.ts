/**
 * A fault of the guest's guest: the guest's table says which page is meant and what may be done with it, the host
 * which frame that is; both together go into the shadow.
 *
 * Mirrors: Linux 2026 arch/arm64/kvm/mmu.c and nested.c, guest abort on a nested MMU. That what was read of the
 *          guest's table is still what counts is checked by a number of invalidations under the lock (or by a
 *          second walk): the versions that the specification describes do neither (M22).
 * Leaves out: as models/kvm-arm64/fault.ts; access-flag faults (hardware sets the flag in shadows).
 * Source: spec/arm.md 5.4.
 */
import { Domain, FaultClass, faultClass, faultLevel } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result, Work } from '../../sim/card.ts';
import { Claim, RetryReason } from '../../sim/claims.ts';
import { EXEC, Intent, READ, WRITE } from '../../sim/descriptor.ts';
import { alignDown, LAST_LEVEL, levelPages } from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { relaxPage } from '../kvm-arm64/attributes.ts';
import { fillCache, isCacheShort, markDirty } from '../kvm-arm64/fault.ts';
import { blockPages, regionOf } from '../kvm-arm64/geometry.ts';
import { isBlock, resolvePage } from '../kvm-arm64/host-memory.ts';
import { WALKS_DOMAIN } from '../kvm-arm64/machine.ts';
import { mapRange } from '../kvm-arm64/map.ts';
import { allows, type Finding, isSame, walkGuestTable } from './guest-walk.ts';
import { Lock } from './machine.ts';
import { Field, fieldWord } from './mmu-array.ts';
import type { Shadow } from './shadow.ts';
import { tagOf } from './tag.ts';
import type { NestedWorld } from './world.ts';

export const nestedFaultSites = sites('nested-fault', [
  'countInvalidations',
  'readLogging',
  'readSequence',
  'lock',
  'readInProgress',
  'checkSequence',
  'checkInvalidations',
  'readHostBlock',
  'enterWalk',
  'readArray',
  'readRoot',
  'publish',
  'leaveWalk',
  'unlock',
]);
const at = nestedFaultSites;

/** A page of the guest's guest, as its table and the host's memory say. */
export interface Resolved {
  readonly found: Finding;
  readonly frame: number;
  readonly isLogging: boolean;
}

/**
 * The first half of the handler for one fault: finds out what is meant, and takes the MMU lock to install it.
 * @returns a result without the lock: Ok to re-enter the guest, Refused when the guest hypervisor has to deal with it
 */
export function* resolveNested(
  self: Actor,
  world: NestedWorld,
  page: number,
  intent: Intent,
  fault: number,
): Operation<Resolved | Result> {
  const { host } = world;
  const { context } = world.vcpu(self);
  // the number is read before the table: an invalidation in between is noticed
  const readsLate = world.bug('M22b-count-read-after-walk');
  let seen = readsLate ? 0 : yield* self.readOnce(at.countInvalidations, world.invalidations);
  const found = yield* walkGuestTable(self, world, context, page);
  if (readsLate) seen = yield* self.readOnce(at.countInvalidations, world.invalidations);
  if (!allows(found, intent)) return Result.Refused;

  // f2, for every fault: the tables of a shadow may go while its entry only lacks a right
  const isOfPage = faultClass(fault) === FaultClass.Permission && faultPages(world, fault) === 1;
  const needsNothing = isOfPage && world.bug('S14-permission-fault-tops-up-nothing');
  if (!needsNothing && isCacheShort(self, host)) {
    if (!(yield* fillCache(self, host))) return Result.NoMemory;
  }
  const isLogging = (yield* self.readOnce(at.readLogging, host.logging)) !== 0;

  // f5-f8
  const sequence = yield* self.readOnce(at.readSequence, host.sequence);
  const frame = yield* resolvePage(self, host, found.page);
  if (frame < 0) return Result.NoMemory;

  // f9-f10
  yield* self.acquire(at.lock, Lock.Mmu, Mode.Shared);
  const inProgress = yield* self.readOnce(at.readInProgress, host.inProgress);
  const now = yield* self.readOnce(at.checkSequence, host.sequence);
  const isOld = inProgress !== 0 || now !== sequence;
  if (isOld || !(yield* isStillFound(self, world, page, found, seen))) {
    yield* self.release(at.unlock, Lock.Mmu);
    self.claim(Claim.FaultRetry, RetryReason.Invalidation, page, 0);
    return Result.Ok;
  }
  return { found, frame, isLogging };
}

/** The second half: maps the page in the shadow, or gives it what it lacks, and drops the lock. */
export function* installNested(
  self: Actor,
  world: NestedWorld,
  shadow: Shadow,
  page: number,
  intent: Intent,
  fault: number,
  { found, frame, isLogging }: Resolved,
): Operation<Result> {
  const { host } = world;
  // f11, step 4: no larger than the guest's leaf
  let pages = 1;
  if (!isLogging && (found.level < LAST_LEVEL || world.bug('S05-larger-than-guests-leaf'))) {
    const region = host.hostBlock + regionOf(shadow.geometry, found.page);
    const isHostBlock = isBlock(yield* self.readOnce(at.readHostBlock, region));
    if (isHostBlock) pages = blockPages(shadow.geometry);
  }
  const first = alignDown(page, pages);

  // f12-f13
  const isWritable = intent === Intent.Write || !isLogging;
  const asked = READ | (isWritable ? WRITE : 0) | (intent === Intent.Execute ? EXEC : 0);
  const rights = world.bug('S06-guests-rights-not-kept') ? asked : asked & found.rights;
  yield* self.enterSection(at.enterWalk, WALKS_DOMAIN);
  const base = world.isRfc ? 0 : yield* self.readOnce(at.readArray, world.arrayBase);
  const inArray = fieldWord(world, base, shadow.slot, Field.Root);
  const root = yield* self.readOnce(at.readRoot, world.isRfc ? shadow.contextWord : inArray);
  // where the guest may have pages that are quarters of the host's, none is as large as what has faulted
  const isSmaller = pages === 1 && world.bug('M26-smaller-granule-offered');
  const isOfSize = (isSmaller ? pages / 4 : pages) === faultPages(world, fault);
  const relaxes = faultClass(fault) === FaultClass.Permission && isOfSize;
  self.claim(Claim.WorkBegins, shadow.tree, relaxes ? Work.Relax : Work.Map, 0);
  const output = frame - (page - first);
  const attributes = rights | tagOf(found.level);
  const { Shared } = Mode;
  const outcome = relaxes
    ? yield* relaxPage(self, shadow, root, first, rights, faultLevel(fault), Shared)
    : yield* mapRange(self, shadow, root, first, pages, output, attributes, Shared);
  if (!relaxes) yield* self.dsb(at.publish, Domain.InnerStore);
  yield* self.exitSection(at.leaveWalk, WALKS_DOMAIN);

  // f14: the log is about the guest hypervisor's pages
  if (isWritable && isLogging && outcome === Result.Ok) {
    yield* markDirty(self, host, world.bug('S13-other-page-marked') ? page : found.page);
  }
  yield* self.release(at.unlock, Lock.Mmu);
  if (outcome === Result.Again) self.claim(Claim.FaultRetry, RetryReason.Moved, page, 0);
  else if (outcome === Result.Ok) self.claim(Claim.FaultHandled, page, 1, 0);
  return outcome === Result.Again ? Result.Ok : (outcome as Result);
}

function faultPages({ configuration }: NestedWorld, fault: number): number {
  return levelPages(configuration.geometry, faultLevel(fault));
}

/** The guest has not invalidated anything since its table was walked, or the table still says the same. */
function* isStillFound(
  self: Actor,
  world: NestedWorld,
  page: number,
  found: Finding,
  seen: number,
): Operation<boolean> {
  if (world.isRfc || world.bug('M22-walk-not-checked')) return true;
  if (!world.walksAgain) {
    return (yield* self.readOnce(at.checkInvalidations, world.invalidations)) === seen;
  }
  return isSame(found, yield* walkGuestTable(self, world, world.vcpu(self).context, page));
}
