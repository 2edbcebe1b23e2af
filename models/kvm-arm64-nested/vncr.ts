/**
 * The page in which the registers of a guest hypervisor lie (VNCR): the host translates its address in software, keeps
 * the result per vCPU as a TLB of one entry, and maps the page for itself on the PE where the vCPU runs.
 *
 * Mirrors: Linux 2026 arch/arm64/kvm/nested.c, translation, mapping and invalidation of the VNCR page.
 * Leaves out: the walk of the guest's stage 1, which is one read here; ASIDs; accesses to the page itself.
 * Source: spec/arm.md 5.6; zoo A33, A34, A35.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { alignDown } from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import type { WordAddress } from '../../sim/memory.ts';
import { sites } from '../../sim/site.ts';
import type { Variables } from '../../sim/variables.ts';
import { blockPages } from '../kvm-arm64/geometry.ts';
import { resolvePage } from '../kvm-arm64/host-memory.ts';
import { Lock } from './machine.ts';
import { beginFlush, endFlush } from './trapped-flush.ts';
import type { NestedWorld } from './world.ts';

export const vncrSites = sites('vncr', [
  'lock',
  'readValid',
  'readOwner',
  'readFrame',
  'map',
  'setOwner',
  'countMap',
  'unlock',
  'clearSize',
  'clearPage',
  'clearValid',
  'unmap',
  'countUnmap',
  'clearOwner',
  'readGuest',
  'readGuestSize',
  'countInvalidations',
  'readSequence',
  'readInProgress',
  'checkSequence',
  'checkInvalidations',
  'setPage',
  'setSize',
  'setFrame',
  'setValid',
  'retry',
  'changeGuest',
  'readPage',
  'readSize',
]);
const at = vncrSites;

/** Words of the pseudo-TLBs, by vCPU or by PE; each vCPU has a PE of its own. */
export interface VncrWords {
  /** The entry: whether it is one, the guest's page, how many pages the mapping has that it comes from, the frame. */
  readonly valid: WordAddress;
  readonly page: WordAddress;
  readonly size: WordAddress;
  readonly frame: WordAddress;
  /** PE (+1) on which the page is mapped for the vCPU; by PE what is mapped there (+1); and how many are. */
  readonly owner: WordAddress;
  readonly mapped: WordAddress;
  readonly maps: WordAddress;
  /** The guest's own mapping of the address: its page, and the size of the mapping. */
  readonly guestPage: WordAddress;
  readonly guestSize: WordAddress;
}

/** A page that the guest has mapped there, until it moved it at a moment of the history. */
export interface VncrPast {
  readonly page: number;
  readonly until: number;
}

export function allocateVncr(variables: Variables, vcpus: number): VncrWords {
  const each = (name: string): WordAddress => variables.allocate(name, vcpus);
  return {
    valid: each('VNCR entry is valid'),
    page: each('VNCR page'),
    size: each('VNCR size'),
    frame: each('VNCR frame'),
    owner: each('PE that maps the VNCR page'),
    mapped: each('VNCR page mapped on PE'),
    maps: variables.allocate('VNCR pages that are mapped'),
    guestPage: each('VNCR page of the guest'),
    guestSize: each('size of the VNCR mapping of the guest'),
  };
}

/** What is in the guest's own tables before the run: a page of its own for the first vCPU, one of a block for others. */
export function fillVncr({ vncr, machine, configuration, tables }: NestedWorld): void {
  for (let vcpu = 0; vcpu < configuration.vcpus; vcpu += 1) {
    const size = vcpu === 0 ? 1 : blockPages(tables.geometry);
    machine.memory.store(vncr!.guestPage + vcpu, 1 + vcpu * size, 0);
    machine.memory.store(vncr!.guestSize + vcpu, size, 0);
  }
}

/**
 * The vCPU uses its page: translated and mapped if need be.
 * @param isDenied what is mapped lacks the right to do so, and the address is translated anew first
 */
export function* useVncr(self: Actor, world: NestedWorld, isDenied: boolean): Operation<number> {
  const words = world.vncr!;
  const vcpu = self.pe;
  if (isDenied && (yield* translate(self, world)) === Result.NoMemory) return Result.NoMemory;
  for (;;) {
    yield* self.acquire(at.lock, Lock.Mmu, Mode.Exclusive);
    const isValid = (yield* self.readOnce(at.readValid, words.valid + vcpu)) !== 0;
    if (isValid && (yield* self.readOnce(at.readOwner, words.owner + vcpu)) === 0) {
      const frame = yield* self.readOnce(at.readFrame, words.frame + vcpu);
      yield* self.store(at.map, words.mapped + self.pe, frame + 1);
      yield* self.store(at.setOwner, words.owner + vcpu, self.pe + 1);
      yield* self.add(at.countMap, words.maps, 1);
    }
    yield* self.release(at.unlock, Lock.Mmu);
    if (isValid) return Result.Ok;
    const outcome = yield* translate(self, world);
    if (outcome === Result.NoMemory) return outcome;
    yield* self.retry(at.retry);
  }
}

/** Translates the address anew; Again when the guest or the host has changed what was read meanwhile. */
function* translate(self: Actor, world: NestedWorld): Operation<number> {
  const words = world.vncr!;
  const { host } = world;
  const vcpu = self.pe;
  // others look at the entry while they hold the lock
  const isLocked = !world.bug('A34-entry-cleared-without-lock');
  if (isLocked) yield* self.acquire(at.lock, Lock.Mmu, Mode.Exclusive);
  yield* self.store(at.clearSize, words.size + vcpu, 0);
  yield* self.store(at.clearPage, words.page + vcpu, 0);
  yield* drop(self, world, vcpu, world.bug('A35-mapping-half-torn-down'));
  if (isLocked) yield* self.release(at.unlock, Lock.Mmu);

  const seen = yield* self.readOnce(at.countInvalidations, world.invalidations);
  const page = yield* self.readOnce(at.readGuest, words.guestPage + vcpu);
  const size = yield* self.readOnce(at.readGuestSize, words.guestSize + vcpu);
  const sequence = yield* self.readOnce(at.readSequence, host.sequence);
  const frame = yield* resolvePage(self, host, page);
  if (frame < 0) return Result.NoMemory;

  yield* self.acquire(at.lock, Lock.Mmu, Mode.Exclusive);
  const inProgress = yield* self.readOnce(at.readInProgress, host.inProgress);
  const now = yield* self.readOnce(at.checkSequence, host.sequence);
  const count = yield* self.readOnce(at.checkInvalidations, world.invalidations);
  const isCurrent = inProgress === 0 && now === sequence && count === seen;
  if (isCurrent) {
    yield* self.store(at.setPage, words.page + vcpu, page);
    yield* self.store(at.setSize, words.size + vcpu, size);
    yield* self.store(at.setFrame, words.frame + vcpu, frame);
    yield* self.store(at.setValid, words.valid + vcpu, 1);
  }
  yield* self.release(at.unlock, Lock.Mmu);
  return isCurrent ? Result.Ok : Result.Again;
}

/** The entry of a vCPU is none any more, and its page is mapped nowhere. Under the MMU lock. */
function* drop(self: Actor, world: NestedWorld, vcpu: number, forgetsPe: boolean): Operation<void> {
  yield* self.store(at.clearValid, world.vncr!.valid + vcpu, 0);
  yield* unmapPage(self, world, vcpu, forgetsPe);
}

/** @param forgetsPe what the PE has, and the count, stay as they are */
function* unmapPage(
  self: Actor,
  world: NestedWorld,
  vcpu: number,
  forgetsPe: boolean,
): Operation<void> {
  const words = world.vncr!;
  const owner = yield* self.readOnce(at.readOwner, words.owner + vcpu);
  if (owner === 0) return;
  if (!forgetsPe) {
    yield* self.store(at.unmap, words.mapped + owner - 1, 0);
    yield* self.add(at.countUnmap, words.maps, -1);
  }
  yield* self.store(at.clearOwner, words.owner + vcpu, 0);
}

/** The vCPU leaves its PE: its page is not mapped there any more. */
export function* putVncr(self: Actor, world: NestedWorld): Operation<void> {
  if (world.vncr === undefined) return;
  // another vCPU may invalidate the entry at this moment, and unmap the page as well
  const isLocked = !world.bug('A35b-put-without-lock');
  if (isLocked) yield* self.acquire(at.lock, Lock.Mmu, Mode.Exclusive);
  yield* unmapPage(self, world, self.pe, false);
  if (isLocked) yield* self.release(at.unlock, Lock.Mmu);
}

/** Drops the entries whose mapping overlaps [first, first + pages) of the guest's pages. Under the MMU lock. */
export function* dropVncr(
  self: Actor,
  world: NestedWorld,
  first: number,
  pages: number,
): Operation<void> {
  const words = world.vncr;
  for (let vcpu = 0; words !== undefined && vcpu < world.configuration.vcpus; vcpu += 1) {
    if ((yield* self.readOnce(at.readValid, words.valid + vcpu)) === 0) continue;
    const page = yield* self.readOnce(at.readPage, words.page + vcpu);
    const size = yield* self.readOnce(at.readSize, words.size + vcpu);
    const from = world.bug('A33-offset-for-base') ? page & (size - 1) : alignDown(page, size);
    if (from < first + pages && first < from + size) yield* drop(self, world, vcpu, false);
  }
}

/** The guest hypervisor maps the page of a vCPU elsewhere, and invalidates its own stage 1. */
export function* moveVncr(
  self: Actor,
  world: NestedWorld,
  vcpu: number,
  page: number,
): Operation<number> {
  const words = world.vncr!;
  const old = yield* self.exchange(at.changeGuest, words.guestPage + vcpu, page);
  world.vncrPast[vcpu]!.push({ page: old, until: world.history.tick() });
  const begun = yield* beginFlush(self, world);
  yield* dropVncr(self, world, 0, world.configuration.geometry.windowPages);
  const isLeft = ({ until }: VncrPast): boolean => until >= begun.since;
  for (let each = 0; each < world.vncrPast.length; each += 1) {
    world.vncrPast[each] = world.vncrPast[each]!.filter(isLeft);
  }
  yield* endFlush(self, world, begun);
  return Result.Ok;
}
