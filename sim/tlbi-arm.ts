/**
 * Arm's TLB invalidations, issued and arriving. What each must remove is in invalidation.ts; a walk that
 * holds such a value holds the arrival back (T5).
 * Source: spec/arm.md 1.6, amendments E3, E6, E29.
 */
import type { Actor } from './actor.ts';
import { Event } from './event.ts';
import { levelShift } from './geometry.ts';
import { leaveGuest } from './guest-mode.ts';
import { alignTo, tlbDrop, treeOf } from './hardware.ts';
import { hintedLevel, Shareability, Tlbi } from './invalidation.ts';
import type { Machine } from './machine.ts';
import { acknowledge, send } from './requests.ts';
import { Regime, type Tree } from './tables.ts';
import { TlbKind } from './tlb.ts';
import { Held, NO_TABLE, Phase, type Walk } from './walk.ts';

/** Issue, as an instruction with the PE's current VMID. PEs that hold nothing to remove acknowledge at once. */
export function issue(machine: Machine, actor: Actor): void {
  const { invalidations: queue } = machine;
  const operation = actor.x & 0xff;
  if (operation === Tlbi.Kick) {
    kick(machine, actor);
    return;
  }
  const isBroadcast = actor.x >>> 8 === Shareability.Inner;
  const tree = treeOfOperation(machine, operation);
  // commands to devices name the VMID; instructions use the one that is loaded
  const isNamed = operation === Tlbi.DeviceRange;
  const vmid = isNamed ? tree.vmid : machine.pes[actor.pe]!.vttbr & 0xff;
  const slot = queue.request(actor, operation, vmid, actor.z);
  let pending = 0;
  for (let target = 0; target < machine.pes.length; target += 1) {
    if (!isBroadcast && target !== actor.pe) continue;
    // PEs' invalidations and those of devices do not reach the others' TLBs
    if (machine.pes[target]!.isDevice !== (operation === Tlbi.DeviceRange)) continue;
    if (hasWork(machine, slot, target, tree)) pending |= 1 << target;
  }
  const scope = actor.w | ((hintedLevel(actor.z, tree.geometry.isWide) + 1) << 24);
  queue.row[slot] = machine.emit(
    Event.InvalidateIssue,
    actor.site,
    operation | ((isBroadcast ? 1 : 0) << 8) | (vmid << 16),
    actor.y,
    scope,
    pending,
  );
  send(machine, slot, pending);
}

/**
 * Interrupts other PEs that run a guest, are about to, or have interrupts masked after they left one: they leave it, and answer
 * when they take interrupts again. Who is outside has nothing to do.
 */
function kick(machine: Machine, actor: Actor): void {
  const slot = machine.invalidations.request(actor, Tlbi.Kick, 0, 0);
  let pending = 0;
  for (const { index, guest, masked } of machine.pes) {
    if (index !== actor.pe && (guest || masked)) pending |= 1 << index;
  }
  machine.invalidations.row[slot] = machine.emit(
    Event.InvalidateIssue,
    actor.site,
    Tlbi.Kick | (1 << 8),
    0,
    0,
    pending,
  );
  send(machine, slot, pending);
}

/** An interrupt is taken between instructions, and not while interrupts are masked. */
function kickHeld(machine: Machine, pe: number): boolean {
  if (machine.pes[pe]!.masked) return true;
  return machine.walkers[pe]!.some(
    ({ isHardware, walk }) => !isHardware && walk.phase !== Phase.Lookup,
  );
}

function treeOfOperation(machine: Machine, operation: number): Tree {
  const isOfHypervisor = operation >= Tlbi.Vae2 && operation !== Tlbi.DeviceRange;
  return treeOf(machine, isOfHypervisor ? Regime.Hypervisor : Regime.Guest);
}

function hasWork(machine: Machine, slot: number, pe: number, tree: Tree): boolean {
  const { tlb, fetched } = machine.pes[pe]!;
  if (machine.invalidations.operation[slot] === Tlbi.Iciallu) return (fetched & 1) !== 0;
  for (let i = 0; i < tlb.count; i += 1) {
    if (removes(machine, slot, tree, pe, i)) return true;
  }
  return arrivalHeld(machine, slot, pe);
}

function removes(machine: Machine, slot: number, tree: Tree, pe: number, i: number): boolean {
  const { tlb } = machine.pes[pe]!;
  return machine.invalidations.mustRemove(
    slot,
    tree.geometry,
    tlb.kind[i]!,
    tlb.vmid[i]!,
    tlb.first[i]!,
    tlb.bits[i]!,
    tlb.level[i]!,
  );
}

/** A walk of the PE holds a value that the invalidation must remove: it is not complete before. */
export function arrivalHeld(machine: Machine, slot: number, pe: number): boolean {
  if (machine.invalidations.operation[slot] === Tlbi.Kick) return kickHeld(machine, pe);
  // instructions after an invalidation may have been translated before it, up to a context synchronisation
  if (machine.spec.admits !== undefined && machine.invalidations.issuer[slot] === pe) return false;
  const walkers = machine.walkers[pe]!;
  for (let i = 0; i < walkers.length; i += 1) {
    const { walk } = walkers[i]!;
    if (walk.phase === Phase.Lookup) continue;
    const isGuest = walk.regime === Regime.Guest;
    if (walk.tableLevel !== NO_TABLE) {
      const kind = isGuest ? TlbKind.Table : TlbKind.Table2;
      if (removesHeld(machine, slot, walk, kind, walk.tableLevel)) return true;
    }
    if (walk.held !== Held.Leaf) continue;
    const kind = isGuest ? TlbKind.Leaf : TlbKind.Leaf2;
    if (removesHeld(machine, slot, walk, kind, walk.heldLevel)) return true;
    if (isGuest && removesHeld(machine, slot, walk, TlbKind.Combined, walk.heldLevel)) return true;
  }
  return false;
}

function removesHeld(
  machine: Machine,
  slot: number,
  walk: Walk,
  kind: TlbKind,
  level: number,
): boolean {
  const { geometry } = treeOf(machine, walk.regime);
  const bits = levelShift(geometry, level);
  const first = alignTo(walk.page, bits);
  return machine.invalidations.mustRemove(slot, geometry, kind, walk.vmid, first, bits, level);
}

/** The invalidation reaches a PE: what it must remove is gone, and the PE acknowledges. */
export function arrive(machine: Machine, slot: number, pe: number): void {
  const { invalidations: queue } = machine;
  const { tlb } = machine.pes[pe]!;
  const site = queue.site[slot]!;
  machine.emit(Event.InvalidateArrive, site, queue.operation[slot]!, pe, queue.row[slot]!, 0);
  if (queue.operation[slot] === Tlbi.Kick) {
    const at = machine.pes[pe]!;
    if (at.guest) leaveGuest(machine, at);
    // the exception that ended the guest masks the interrupt, which is taken later
    if (at.masked) machine.expectArrival(slot, pe);
    else acknowledge(machine, slot, pe);
    return;
  }
  const tree = treeOfOperation(machine, queue.operation[slot]!);
  if (queue.operation[slot] === Tlbi.Iciallu) machine.pes[pe]!.fetched &= ~1;
  for (let i = tlb.count - 1; i >= 0; i -= 1) {
    if (removes(machine, slot, tree, pe, i)) tlbDrop(machine, pe, i, site);
  }
  acknowledge(machine, slot, pe);
}
