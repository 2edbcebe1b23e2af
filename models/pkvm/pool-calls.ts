/**
 * The allocator used by several CPUs: each keeps what it got and gives it back at the end. What is not given
 * back is a leak, and nobody uses a page that it does not have.
 * Source: spec/arm.md 6.3.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import { HOST_POOL } from './layout.ts';
import { adoptPage, allocatePages, getPage, putPage, splitPages } from './pool.ts';
import type { Held, PkvmWorld } from './world.ts';

/** Pages from outside that each CPU may bring in. */
export const OUTSIDE_PAGES = 2;

export function* allocate(self: Actor, world: PkvmWorld, order: number): Operation<number> {
  const frame = yield* allocatePages(self, world, world.hypPool, order);
  if (frame < 0) return Result.Exhausted;
  world.heldBy(self).push({ frame, order, references: 1 });
  return Result.Ok;
}

/** One of the pages that the CPU has, by a number that may exceed what it has; undefined when it has none. */
function pick(self: Actor, world: PkvmWorld, index: number): Held | undefined {
  const held = world.heldBy(self);
  return held[index % Math.max(1, held.length)];
}

export function* get(self: Actor, world: PkvmWorld, index: number): Operation<number> {
  const page = pick(self, world, index);
  if (page === undefined) return Result.Refused;
  yield* getPage(self, world, world.hypPool, page.frame);
  page.references += 1;
  return Result.Ok;
}

export function* put(self: Actor, world: PkvmWorld, index: number): Operation<number> {
  const page = pick(self, world, index);
  if (page === undefined) return Result.Refused;
  yield* drop(self, world, page);
  return Result.Ok;
}

export function* split(self: Actor, world: PkvmWorld, index: number): Operation<number> {
  const page = pick(self, world, index);
  if (page === undefined || page.references > 1) return Result.Refused;
  yield* splitPages(self, world, world.hypPool, page.frame);
  const { frame, order } = page;
  page.order = 0;
  for (let tail = frame + 1; tail < frame + (1 << order); tail += 1)
    world.heldBy(self).push({ frame: tail, order: 0, references: 1 });
  return Result.Ok;
}

/** A page from outside the range comes in. */
export function* adopt(self: Actor, world: PkvmWorld): Operation<number> {
  const brought = world.brought[self.index]!;
  if (brought === OUTSIDE_PAGES) return Result.Refused;
  world.brought[self.index] = brought + 1;
  const frame = HOST_POOL + self.index * OUTSIDE_PAGES + brought;
  yield* adoptPage(self, world, world.hypPool, frame);
  world.heldBy(self).push({ frame, order: 0, references: 1 });
  return Result.Ok;
}

/** Everything that the CPU has goes back. */
export function* giveBack(self: Actor, world: PkvmWorld): Operation<number> {
  const held = world.heldBy(self);
  while (held.length > 0) yield* drop(self, world, held[0]!);
  return Result.Ok;
}

function* drop(self: Actor, world: PkvmWorld, page: Held): Operation<void> {
  yield* putPage(self, world, world.hypPool, page.frame);
  page.references -= 1;
  const held = world.heldBy(self);
  if (page.references === 0) held.splice(held.indexOf(page), 1);
}
