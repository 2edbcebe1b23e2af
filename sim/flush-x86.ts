/**
 * x86 flushes and kicks: requested of each PE, which acknowledges when it has dropped what they cover.
 *
 * A PE outside the guest performs pending flushes before its next guest access, so nobody can observe
 * what it holds meanwhile: it drops that, and acknowledges, when the flush is requested.
 * Source: spec/x86-xen.md A14, amendments E4, E14.
 */
import type { Actor } from './actor.ts';
import { Event } from './event.ts';
import { levelShift } from './geometry.ts';
import { alignTo, tlbDrop, treeOf } from './hardware.ts';
import { Shareability, Tlbi } from './invalidation.ts';
import type { Machine } from './machine.ts';
import { acknowledge, send } from './requests.ts';
import { Regime } from './tables.ts';
import { TlbKind } from './tlb.ts';
import { Held, NO_TABLE, Phase, type Walk } from './walk.ts';

/** A request to every PE, or to this one alone. */
export function issue(machine: Machine, actor: Actor): void {
  const { invalidations: queue, pes } = machine;
  const operation = actor.x & 0xff;
  const isBroadcast = actor.x >>> 8 === Shareability.Inner;
  const slot = queue.request(actor, operation, 0, 0);
  let pending = 0;
  let now = 0;
  for (let pe = 0; pe < machine.spec.pes; pe += 1) {
    if (!isBroadcast && pe !== actor.pe) continue;
    if (pes[pe]!.guest ? hasWork(machine, slot, pe) : arrivalHeld(machine, slot, pe)) {
      pending |= 1 << pe;
    } else {
      now |= 1 << pe;
    }
  }
  const packed = operation | ((isBroadcast ? 1 : 0) << 8);
  queue.row[slot] = machine.emit(
    Event.InvalidateIssue,
    actor.site,
    packed,
    actor.y,
    actor.w,
    pending,
  );
  for (let pe = 0; pe < machine.spec.pes; pe += 1) {
    if ((now & (1 << pe)) !== 0) drop(machine, slot, pe);
  }
  send(machine, slot, pending);
}

function hasWork(machine: Machine, slot: number, pe: number): boolean {
  if (machine.invalidations.operation[slot] === Tlbi.Kick) return true;
  const { tlb } = machine.pes[pe]!;
  for (let i = 0; i < tlb.count; i += 1) if (removes(machine, slot, pe, i)) return true;
  return arrivalHeld(machine, slot, pe);
}

function removes(machine: Machine, slot: number, pe: number, i: number): boolean {
  const { tlb } = machine.pes[pe]!;
  return machine.invalidations.mustRemove(
    slot,
    treeOf(machine, Regime.Guest).geometry,
    tlb.kind[i]!,
    tlb.vmid[i]!,
    tlb.first[i]!,
    tlb.bits[i]!,
    tlb.level[i]!,
  );
}

function drop(machine: Machine, slot: number, pe: number): void {
  const { tlb } = machine.pes[pe]!;
  const site = machine.invalidations.site[slot]!;
  for (let i = tlb.count - 1; i >= 0; i -= 1) {
    if (removes(machine, slot, pe, i)) tlbDrop(machine, pe, i, site);
  }
  machine.stir();
}

/** A kick waits for every walk of the PE, another flush for those that hold what it removes. */
export function arrivalHeld(machine: Machine, slot: number, pe: number): boolean {
  const { invalidations: queue } = machine;
  const walkers = machine.walkers[pe]!;
  for (let i = 0; i < walkers.length; i += 1) {
    const { walk } = walkers[i]!;
    if (walk.phase === Phase.Lookup) continue;
    if (queue.operation[slot] === Tlbi.Kick) return true;
    if (walk.tableLevel !== NO_TABLE && holds(machine, slot, walk, walk.tableLevel)) return true;
    if (walk.held === Held.Leaf && holds(machine, slot, walk, walk.heldLevel)) return true;
  }
  return false;
}

function holds(machine: Machine, slot: number, walk: Walk, level: number): boolean {
  const { geometry } = treeOf(machine, Regime.Guest);
  const bits = levelShift(geometry, level);
  const kind = TlbKind.Leaf;
  const first = alignTo(walk.page, bits);
  return machine.invalidations.mustRemove(slot, geometry, kind, walk.vmid, first, bits, level);
}

export function arrive(machine: Machine, slot: number, pe: number): void {
  const { invalidations: queue, pes } = machine;
  const site = queue.site[slot]!;
  const operation = queue.operation[slot]!;
  machine.emit(Event.InvalidateArrive, site, operation, pe, queue.row[slot]!, 0);
  drop(machine, slot, pe);
  if (operation === Tlbi.Kick && pes[pe]!.guest) {
    pes[pe]!.guest = false;
    machine.emit(Event.GuestExit, site, pe, 0, 0, 0);
  }
  acknowledge(machine, slot, pe);
}
