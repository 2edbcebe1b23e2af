/**
 * Pages for a guest's tables: the host offers them in a list that runs through the pages themselves, the hypervisor takes
 * them over one by one and keeps them in a list of its own, per vCPU.
 *
 * Mirrors: memory caches of the hypervisor and of the host since Linux 6.14.
 * Source: spec/arm.md 6.8. The host's header is one pair of words here; what the host writes into its pages is a write.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import { loadVcpu, putVcpu } from './guests.ts';
import { hypercallSites } from './hypercall.ts';
import { donateToHyp } from './transitions.ts';
import type { PkvmWorld, Stage } from './world.ts';

export const cacheSites = sites('page-cache', [
  'readHead',
  'readNext',
  'writeHead',
  'readCount',
  'writeCount',
  'zero',
  'writeOrder',
  'writeReference',
  'readOffer',
  'readOfferCount',
  'writeOffer',
  'writeOfferCount',
  'link',
  'take',
  'use',
  'zeroNext',
]);
const at = cacheSites;

/** Pages that a cache may hold. */
const CACHE_MAX = 3;

/** An address that the host offers: a page, and whether it points into the middle of it. */
export function offerWord(frame: number, isMisaligned: boolean): number {
  return (frame << 16) | (isMisaligned ? 2 : 0);
}

/** The page that was put into a vCPU's cache last; -1 when there is none. Nobody else uses the cache. */
export function* popCached(
  self: Actor,
  world: PkvmWorld,
  stage: Stage,
  vcpu: number,
): Operation<number> {
  const guest = world.guests[stage.guest]!;
  const frame = yield* self.readOnce(at.readHead, guest.cacheHead + vcpu);
  if (frame === 0) return -1;
  const next = yield* self.readOnce(at.readNext, self.machine.memory.address(frame, 0));
  yield* self.store(at.writeHead, guest.cacheHead + vcpu, next >>> 16);
  const count = yield* self.readOnce(at.readCount, guest.cacheCount + vcpu);
  yield* self.store(at.writeCount, guest.cacheCount + vcpu, count - 1);
  return frame;
}

/** A zero page for a table, counted once; -1 when the cache is empty. */
export function* takeCached(
  self: Actor,
  world: PkvmWorld,
  stage: Stage,
  vcpu: number,
): Operation<number> {
  const frame = yield* popCached(self, world, stage, vcpu);
  if (frame < 0) return -1;
  yield* self.assign(at.use, frame, Role.Cached);
  yield* self.zeroPage(at.zero, frame);
  yield* self.store(at.writeOrder, world.order(frame), 0);
  yield* self.store(at.writeReference, world.count(frame), 1);
  return frame;
}

/** The host says where its list begins and how long it is; it may say anything. */
export function* offerPages(
  self: Actor,
  world: PkvmWorld,
  guest: number,
  vcpu: number,
  frame: number,
  misaligned: number,
  pages: number,
): Operation<number> {
  const words = world.guests[guest]!;
  yield* self.store(at.writeOffer, words.offerHead + vcpu, offerWord(frame, misaligned !== 0));
  yield* self.store(at.writeOfferCount, words.offerCount + vcpu, pages);
  return Result.Ok;
}

/** Takes over what the host offers for a vCPU, as far as it fits. */
export function* topUp(
  self: Actor,
  world: PkvmWorld,
  guest: number,
  vcpu: number,
): Operation<number> {
  yield* self.trap(hypercallSites.enter);
  const loaded = yield* loadVcpu(self, world, guest, vcpu);
  if (loaded !== Result.Ok) return loaded;
  const words = world.guests[guest]!;
  const { memory } = self.machine;
  // the header is the host's memory: read once
  let offer = yield* self.readOnce(at.readOffer, words.offerHead + vcpu);
  const wanted = yield* self.readOnce(at.readOfferCount, words.offerCount + vcpu);
  let count = yield* self.readOnce(at.readCount, words.cacheCount + vcpu);
  let result: number = Result.Ok;
  for (let taken = 0; taken < wanted && count < CACHE_MAX; taken += 1) {
    const frame = offer >>> 16;
    const isMisaligned = (offer & 0xffff) !== 0;
    if (!world.bug('A48-offered-page-misaligned') && isMisaligned) result = Result.Invalid;
    else result = yield* donateToHyp(self, world, frame, 1);
    if (result !== Result.Ok) break;
    yield* self.assign(at.take, frame, Role.Kernel);
    offer = yield* self.readOnce(at.readNext, memory.address(frame, 0));
    // a page's worth is cleared from where the address points to
    yield* self.zeroPage(at.zero, frame);
    if (isMisaligned) yield* self.zeroPage(at.zeroNext, frame + 1);
    const head = yield* self.readOnce(at.readHead, words.cacheHead + vcpu);
    yield* self.store(at.link, memory.address(frame, 0), head << 16);
    yield* self.store(at.writeHead, words.cacheHead + vcpu, frame);
    count += 1;
    yield* self.store(at.writeCount, words.cacheCount + vcpu, count);
  }
  yield* putVcpu(self, world, guest, vcpu);
  return result;
}
