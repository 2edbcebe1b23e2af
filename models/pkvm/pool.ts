/**
 * The buddy allocator of the hypervisor: a free list per order, whose nodes lie in the free pages; counts and
 * orders in the record of each page. A page is zeroed when its last reference goes, so what is handed out is zero.
 *
 * Mirrors: pools of the hypervisor since Linux 5.13; both conventions for the largest order.
 * Leaves out: per-CPU anything (there is none).
 * Source: spec/arm.md 6.3, amendment E17. Splitting takes the lock here, so that what holds under it can be judged.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Claim } from '../../sim/claims.ts';
import { Mode } from '../../sim/locks.ts';
import type { WordAddress } from '../../sim/memory.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import type { PkvmWorld } from './world.ts';

export const poolSites = sites('pool', [
  'lock',
  'unlock',
  'readRange',
  'writeRange',
  'writeMaxOrder',
  'readMaxOrder',
  'readHead',
  'readTail',
  'readNode',
  'writeHead',
  'writeTail',
  'writeNode',
  'clearNode',
  'readOrder',
  'writeOrder',
  'readCount',
  'writeCount',
  'zero',
  'take',
  'give',
]);
const at = poolSites;

/** Orders that lists exist for. */
export const ORDERS = 4;
/** Order of a page that heads no block. */
export const NO_ORDER = 0xff;
/** References that a count has room for. */
export const COUNT_MAX = 0xffff;

/** Why the hypervisor panics; the number is what the claim carries. */
export const Panic = { Count: 1, Fault: 2, Update: 3, Vcpu: 4 } as const;

export interface Pool {
  readonly name: string;
  readonly lock: number;
  /** Its pages: the first one, and their number in bits 7:0. */
  readonly range: WordAddress;
  readonly maxOrder: WordAddress;
  /** First and last block of each order's list: page numbers, 0 for none. */
  readonly heads: WordAddress;
  readonly tails: WordAddress;
}

/** Smallest order whose block has at least this many pages. */
function orderOf(pages: number): number {
  return pages <= 1 ? 0 : 32 - Math.clz32(pages - 1);
}

/** What the pool writes down as its limit: exclusive before 2025, inclusive since. */
export function limitFor(world: PkvmWorld, pages: number): number {
  if (world.configuration.orderBound === 'inclusive')
    return Math.min(ORDERS - 1, 31 - Math.clz32(pages));
  return Math.min(
    ORDERS,
    world.bug('A52-max-order-too-small') ? orderOf(pages) : orderOf(pages + 1),
  );
}

/** Whether blocks of an order exist, given what the pool has written down. */
function isWithin(world: PkvmWorld, order: number, limit: number): boolean {
  return world.configuration.orderBound === 'inclusive' ? order <= limit : order < limit;
}

function next({ machine }: PkvmWorld, frame: number): WordAddress {
  return machine.memory.address(frame, 0);
}

function previous({ machine }: PkvmWorld, frame: number): WordAddress {
  return machine.memory.address(frame, 1);
}

/** @param range what the pool has written down about its pages */
export function inRange(range: number, frame: number): boolean {
  return frame >= range >>> 8 && frame < (range >>> 8) + (range & 0xff);
}

/** The first of 2^order adjacent pages, zero and counted once; -1 when there are none. */
export function* allocatePages(
  self: Actor,
  world: PkvmWorld,
  pool: Pool,
  order: number,
): Operation<number> {
  yield* self.acquire(at.lock, pool.lock, Mode.Exclusive);
  const limit = yield* self.readOnce(at.readMaxOrder, pool.maxOrder);
  let frame = 0;
  let found = order;
  for (; isWithin(world, found, limit); found += 1) {
    frame = yield* self.readOnce(at.readHead, pool.heads + found);
    if (frame !== 0) break;
  }
  if (frame === 0) {
    yield* self.release(at.unlock, pool.lock);
    return -1;
  }
  yield* unlink(self, world, pool, frame, found);
  while (found > order) {
    found -= 1;
    const buddy = frame + (1 << found);
    yield* self.store(at.writeOrder, world.order(buddy), found);
    yield* append(self, world, pool, buddy, found);
  }
  yield* self.store(at.writeOrder, world.order(frame), order);
  const count = yield* self.readOnce(at.readCount, world.count(frame));
  if (count !== 0) self.claim(Claim.Fatal, Panic.Count, frame, 0);
  yield* self.store(at.writeCount, world.count(frame), 1);
  for (let i = 0; i < 1 << order; i += 1) yield* self.assign(at.take, frame + i, Role.Cached);
  yield* self.release(at.unlock, pool.lock);
  return frame;
}

export function* getPage(
  self: Actor,
  world: PkvmWorld,
  pool: Pool,
  frame: number,
): Operation<void> {
  yield* self.acquire(at.lock, pool.lock, Mode.Exclusive);
  const count = yield* self.readOnce(at.readCount, world.count(frame));
  if (count === COUNT_MAX) self.claim(Claim.Fatal, Panic.Count, frame, 0);
  yield* self.store(at.writeCount, world.count(frame), count + 1);
  yield* self.release(at.unlock, pool.lock);
}

/** The last reference gives the block back in the same hold of the lock: joined with its free buddies, on the list of its order. */
export function* putPage(
  self: Actor,
  world: PkvmWorld,
  pool: Pool,
  frame: number,
): Operation<void> {
  yield* self.acquire(at.lock, pool.lock, Mode.Exclusive);
  const count = yield* self.readOnce(at.readCount, world.count(frame));
  if (count === 0) self.claim(Claim.Fatal, Panic.Count, frame, 0);
  yield* self.store(at.writeCount, world.count(frame), count - 1);
  if (count === 1) {
    let order = yield* self.readOnce(at.readOrder, world.order(frame));
    for (let i = 0; i < 1 << order; i += 1) {
      yield* self.zeroPage(at.zero, frame + i);
      yield* self.assign(at.give, frame + i, Role.Pooled);
    }
    let head = frame;
    const range = yield* self.readOnce(at.readRange, pool.range);
    if (inRange(range, frame)) {
      yield* self.store(at.writeOrder, world.order(frame), NO_ORDER);
      const limit = yield* self.readOnce(at.readMaxOrder, pool.maxOrder);
      for (; isWithin(world, order + 1, limit); order += 1) {
        const buddy = head ^ (1 << order);
        if (!world.bug('M19a-buddy-beyond-the-end') && !inRange(range, buddy)) break;
        const held = yield* self.readOnce(at.readOrder, world.order(buddy));
        if (world.bug('M19b-buddy-of-another-order') ? held === NO_ORDER : held !== order) break;
        if ((yield* self.readOnce(at.readCount, world.count(buddy))) !== 0) break;
        yield* unlink(self, world, pool, buddy, held);
        yield* self.store(at.writeOrder, world.order(buddy), NO_ORDER);
        head = Math.min(head, buddy);
      }
    }
    yield* self.store(at.writeOrder, world.order(head), order);
    yield* append(self, world, pool, head, order);
  }
  yield* self.release(at.unlock, pool.lock);
}

/** Every page of a block becomes a block of its own. The caller has the only reference. */
export function* splitPages(
  self: Actor,
  world: PkvmWorld,
  pool: Pool,
  frame: number,
): Operation<void> {
  yield* self.acquire(at.lock, pool.lock, Mode.Exclusive);
  const order = yield* self.readOnce(at.readOrder, world.order(frame));
  yield* self.store(at.writeOrder, world.order(frame), 0);
  for (let tail = frame + 1; tail < frame + (1 << order); tail += 1) {
    yield* self.store(at.writeOrder, world.order(tail), 0);
    yield* self.store(at.writeCount, world.count(tail), 1);
  }
  yield* self.release(at.unlock, pool.lock);
}

/** A page from outside becomes one of the pool's, referenced once, whatever its record said before. */
export function* adoptPage(
  self: Actor,
  world: PkvmWorld,
  pool: Pool,
  frame: number,
): Operation<void> {
  yield* self.acquire(at.lock, pool.lock, Mode.Exclusive);
  if (!world.bug('A49b-order-of-adopted-page-kept'))
    yield* self.store(at.writeOrder, world.order(frame), 0);
  yield* self.store(at.writeCount, world.count(frame), 1);
  yield* self.assign(at.take, frame, Role.Cached);
  yield* self.release(at.unlock, pool.lock);
}

function* append(
  self: Actor,
  world: PkvmWorld,
  pool: Pool,
  frame: number,
  order: number,
): Operation<void> {
  const tail = yield* self.readOnce(at.readTail, pool.tails + order);
  if (tail === 0) yield* self.store(at.writeHead, pool.heads + order, frame);
  else {
    yield* self.store(at.writeNode, next(world, tail), node(frame));
    yield* self.store(at.writeNode, previous(world, frame), node(tail));
  }
  yield* self.store(at.writeTail, pool.tails + order, frame);
}

/** Takes a block off its list and leaves its page zero. */
function* unlink(
  self: Actor,
  world: PkvmWorld,
  pool: Pool,
  frame: number,
  order: number,
): Operation<void> {
  const after = frameOfNode(yield* self.readOnce(at.readNode, next(world, frame)));
  const before = frameOfNode(yield* self.readOnce(at.readNode, previous(world, frame)));
  if (before === 0) yield* self.store(at.writeHead, pool.heads + order, after);
  else yield* self.store(at.writeNode, next(world, before), node(after));
  if (after === 0) yield* self.store(at.writeTail, pool.tails + order, before);
  else yield* self.store(at.writeNode, previous(world, after), node(before));
  if (after !== 0) yield* self.store(at.clearNode, next(world, frame), 0);
  if (before !== 0) yield* self.store(at.clearNode, previous(world, frame), 0);
}

/** A list node is the address of a page: what a walker that comes too late reads there is no valid entry. */
export function node(frame: number): number {
  return frame << 16;
}

export function frameOfNode(word: number): number {
  return word >>> 16;
}

/** A pool over `pages` pages, of which the first `reserved` are in use already; the others become free one by one. */
export function* initialisePool(
  self: Actor,
  world: PkvmWorld,
  pool: Pool,
  first: number,
  pages: number,
  reserved: number,
): Operation<void> {
  yield* self.acquire(at.lock, pool.lock, Mode.Exclusive);
  yield* self.store(at.writeRange, pool.range, (first << 8) | pages);
  yield* self.store(at.writeMaxOrder, pool.maxOrder, limitFor(world, pages));
  for (let frame = first; frame < first + pages; frame += 1) {
    yield* self.store(at.writeOrder, world.order(frame), 0);
    yield* self.store(at.writeCount, world.count(frame), 1);
  }
  yield* self.release(at.unlock, pool.lock);
  for (let frame = first + reserved; frame < first + pages; frame += 1)
    yield* putPage(self, world, pool, frame);
}
