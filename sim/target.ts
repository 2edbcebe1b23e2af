/**
 * What the next event of a source will touch, as far as it can be told before it happens: for strategies that
 * treat events apart that concern the same thing. Coarser than footprints: memory by page, a TLB as a whole.
 */
import { Access } from './access.ts';
import type { Actor } from './actor.ts';
import type { Machine } from './machine.ts';
import { Phase } from './walk.ts';

/** Nothing that others touch, or nothing that is known. */
export const NO_TARGET = -1;

const Family = { Page: 0, Tlb: 1, Lock: 2, Pool: 3 } as const;
const FAMILY_SHIFT = 20;

function target(family: number, index: number, isWrite: boolean): number {
  return (((family << FAMILY_SHIFT) | index) << 1) | (isWrite ? 1 : 0);
}

/** A number that two events share when they concern one thing; its lowest bit says that it is written. */
export function targetOf(machine: Machine, source: number): number {
  const { sources } = machine;
  if (source >= sources.firstEffect) return NO_TARGET;
  if (source < machine.actorCount) return targetOfActor(machine, machine.actors[source]!);
  return target(Family.Tlb, sources.peOf(source), true);
}

function targetOfActor(machine: Machine, actor: Actor): number {
  switch (actor.access) {
    case Access.Read:
    case Access.Wait:
      return target(Family.Page, machine.memory.frame(actor.x), false);
    case Access.Store:
    case Access.StoreRelease:
    case Access.CompareExchange:
    case Access.Exchange:
    case Access.Add:
    case Access.Or:
    case Access.And:
      return target(Family.Page, machine.memory.frame(actor.x), true);
    case Access.Acquire:
    case Access.Release:
      return target(Family.Lock, actor.x, true);
    case Access.Allocate:
    case Access.AllocateRun:
    case Access.Free:
      return target(Family.Pool, 0, true);
    case Access.Guest:
    case Access.Speculate:
      return actor.walk.phase === Phase.Descend
        ? target(Family.Page, actor.walk.frame, false)
        : target(Family.Tlb, actor.pe, false);
    case Access.Evict:
      return target(Family.Tlb, actor.pe, true);
    default:
      return NO_TARGET;
  }
}

/** Two events concern one thing, and at least one of them writes it. */
export function targetsConflict(one: number, other: number): boolean {
  return one >= 0 && one >> 1 === other >> 1 && ((one | other) & 1) !== 0;
}
