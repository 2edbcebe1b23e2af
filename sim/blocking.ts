/**
 * What an access waits for before it can be performed: locks, sections, walks in flight, words, room in
 * the queue of invalidations. The machine asks; only it imports this.
 */
import { Access, Domain, isFull } from './access.ts';
import type { Actor } from './actor.ts';
import { walkInFlight } from './hardware.ts';
import type { Machine } from './machine.ts';
import type { Pe } from './pe.ts';
import { WAIT_FOR_STORES, waitsForStores } from './stores.ts';
import { Regime } from './tables.ts';
import { samePage } from './tlb.ts';
import { Phase } from './walk.ts';

/** What may end the wait of an access: nothing has to, a lock or section, or any event there is. */
export const CanBlock = { Never: 0, OnLocks: 1, OnAnything: 2 } as const;

const ON_LOCKS = [
  Access.Acquire,
  Access.GracePeriod,
  Access.Invalidate,
  Access.Callback,
  Access.FreeLater,
];
const ON_ANYTHING = [
  Access.Barrier,
  Access.GuestExit,
  Access.Wait,
  Access.Speculate,
  Access.Evict,
  Access.Prefetch,
];

/** By access kind, for a machine that delays stores or does not; a front end may hold anything back. */
export function canBlock(delays: boolean, hasFrontEnd: boolean): Uint8Array {
  const table = new Uint8Array(64);
  if (hasFrontEnd) return table.fill(CanBlock.OnAnything);
  for (const access of ON_LOCKS) table[access] = CanBlock.OnLocks;
  for (const access of ON_ANYTHING) table[access] = CanBlock.OnAnything;
  if (delays) for (const access of WAIT_FOR_STORES) table[access] = CanBlock.OnAnything;
  return table;
}

/** The logical precondition of the pending access does not hold. */
export function isBlocked(machine: Machine, actor: Actor): boolean {
  const { admits } = machine.spec;
  if (admits !== undefined && !admits(actor)) return true;
  if (machine.delays && waitsForStores(machine, actor)) return true;
  const { sections, invalidations } = machine;
  const pe = machine.pes[actor.pe]!;
  switch (actor.access) {
    case Access.Acquire:
      return !machine.locks.available(actor.x, actor.y as 1 | 2);
    case Access.Barrier:
      if (actor.x === Domain.Request) return pe.outstanding > 0;
      if (!isFull(actor.x as 1)) return false;
      // which translations of its own PE a barrier waits for, a front end knows
      if (admits === undefined && walkInFlight(machine, actor.pe, actor.index)) return true;
      // a local barrier completes what was invalidated here, not on other PEs
      return actor.x === Domain.Local
        ? invalidations.pendingOn(actor.pe, actor.pe)
        : pe.outstanding > 0;
    case Access.GuestExit:
      // an exception alone does not wait for walks
      return actor.x === 0 && walkInFlight(machine, actor.pe, actor.index);
    case Access.Wait:
      return machine.memory.load(actor.x) !== actor.y;
    case Access.GracePeriod:
      return actor.y === 1 && sections.waits(actor.x, actor.index);
    case Access.Callback:
      // when nobody is left who could defer one, the wait ends without
      return sections.deferred === 0 ? machine.mayDefer : !sections.isDue(actor.x);
    case Access.Speculate:
      if (actor.walk.phase !== Phase.Lookup) return false;
      return actor.w === Regime.Guest ? !mayWalk(pe) : pe.guest || !pe.mmu;
    case Access.Prefetch:
      return pe.mmu;
    case Access.Invalidate:
    case Access.FreeLater:
      // the queue is full: the PE waits until one of its invalidations has arrived
      return invalidations.freeSlot() < 0;
    case Access.Evict:
      return !hasEntry(pe, actor.x);
    default:
      return false;
  }
}

/** Walks that nobody asked for start only while the PE executes the guest. */
function mayWalk({ guest, entering }: Pe): boolean {
  return guest && !entering;
}

function hasEntry({ tlb }: Pe, page: number): boolean {
  for (let i = 0; i < tlb.count; i += 1) {
    if (samePage(page, tlb.first[i]!, tlb.bits[i]!)) return true;
  }
  return false;
}
