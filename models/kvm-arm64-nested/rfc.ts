/**
 * Nested MMUs as first posted: a list of them, made when the guest hypervisor writes its VTTBR and found by the VMID
 * in it. The base address says whether the guest has given the VMID another table.
 *
 * Mirrors: KVM: arm/arm64: Add mmu context for the nesting, RFC 39/55 of January 2017 (seed document 001), with what
 *          the rest of the series does with it as far as the specification tells.
 * Leaves out: the end of a VM; what a fault and an invalidation do is as today, but that nothing checks
 *          whether what was read of the guest's table still counts.
 * Source: spec/arm.md 5.1.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result, Work } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { Mode } from '../../sim/locks.ts';
import type { WordAddress } from '../../sim/memory.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import { unmapRange } from '../kvm-arm64/unmap.ts';
import { Lock } from './machine.ts';
import { type Context, contextOf, keyOf } from './mmu-array.ts';
import type { Scope } from './shadow-unmap.ts';
import type { NestedWorld } from './world.ts';

export const rfcSites = sites('mmu-list', [
  'readHead',
  'readKey',
  'readNext',
  'readSlot',
  'readRoot',
  'allocateMmu',
  'allocateRoot',
  'takeSlot',
  'setKey',
  'setSlot',
  'setRoot',
  'setBase',
  'setNext',
  'setHead',
  'lock',
  'moveKey',
  'unlock',
]);
const at = rfcSites;

/** Words of an MMU on the list: the virtual VTTBR, the next one, its table, and which of the shadows it is. */
export const Node = { Key: 0, Next: 1, Root: 2, Slot: 3 } as const;
type NodeField = (typeof Node)[keyof typeof Node];

/** The host has VMIDs of 8 bits, and takes the guest's for such. */
const VMID_MASK = 0xff;

function wordOf(world: NestedWorld, node: number, field: NodeField): WordAddress {
  return world.machine.memory.address(node, field);
}

/** MMUs on the list at this instant, the newest first. */
export function listedNodes(world: NestedWorld): readonly number[] {
  const { memory } = world.machine;
  const nodes: number[] = [];
  for (
    let node = memory.load(world.listHead);
    node !== 0 && !nodes.includes(node);
    node = memory.load(wordOf(world, node, Node.Next))
  ) {
    nodes.push(node);
  }
  return nodes;
}

/** What runs, and with which of its two hardware VMIDs: one for virtual EL2, one for virtual EL1. */
export function activeMmu(
  isVirtualEl2: boolean,
  isStage2On: boolean,
): { readonly mmu: 'own' | 'nested'; readonly number: 'el2' | 'el1' } {
  const mmu = isVirtualEl2 || !isStage2On ? 'own' : 'nested';
  return { mmu, number: isVirtualEl2 ? 'el2' : 'el1' };
}

/** The MMU for a VMID of the guest, or 0. Takes no lock. */
function* findNode(self: Actor, world: NestedWorld, vmid: number): Operation<number> {
  let node = yield* self.readOnce(at.readHead, world.listHead);
  while (node !== 0) {
    const key = yield* self.readOnce(at.readKey, wordOf(world, node, Node.Key));
    if ((contextOf(key).vmid & VMID_MASK) === (vmid & VMID_MASK)) break;
    node = yield* self.readOnce(at.readNext, wordOf(world, node, Node.Next));
  }
  return node;
}

/** The MMU that the vCPU runs with next. False where the host believes that there must be one, and there is none. */
export function* findMmu(self: Actor, world: NestedWorld): Operation<boolean> {
  const vcpu = world.vcpu(self);
  const node = yield* findNode(self, world, vcpu.context.vmid);
  if (node === 0) return false;
  vcpu.slot = yield* self.readOnce(at.readSlot, wordOf(world, node, Node.Slot));
  return true;
}

/** The guest hypervisor writes its VTTBR: from here on there is an MMU for the VMID. */
export function* writeVttbr(self: Actor, world: NestedWorld, context: Context): Operation<number> {
  world.vcpu(self).context = context;
  if (!context.isOn) return Result.Ok;
  const node = yield* findNode(self, world, context.vmid);
  if (node === 0) return yield* addNode(self, world, context);
  const key = yield* self.readOnce(at.readKey, wordOf(world, node, Node.Key));
  if (contextOf(key).table === context.table) return Result.Ok;
  // the VMID has another table: what was made from the one before goes
  const slot = yield* self.readOnce(at.readSlot, wordOf(world, node, Node.Slot));
  yield* self.acquire(at.lock, Lock.Mmu, Mode.Exclusive);
  const root = yield* self.readOnce(at.readRoot, wordOf(world, node, Node.Root));
  const { windowPages } = world.configuration.geometry;
  yield* unmapRange(self, world.shadows[slot]!, root, 0, windowPages);
  yield* self.store(at.moveKey, wordOf(world, node, Node.Key), keyOf(context));
  yield* self.release(at.unlock, Lock.Mmu);
  return Result.Ok;
}

/** Puts a new MMU at the head of the list. Nothing keeps another vCPU from doing the same. */
function* addNode(self: Actor, world: NestedWorld, context: Context): Operation<number> {
  const { rootPages } = world.configuration.geometry;
  const node = yield* self.allocate(at.allocateMmu, Role.Kernel, true);
  if (node < 0) return Result.NoMemory;
  const root = yield* self.allocateRun(at.allocateRoot, Role.Table, rootPages, true);
  if (root < 0) return Result.NoMemory;
  // nobody else knows the pages: their counts are set without an access
  for (let i = 0; i < rootPages; i += 1)
    self.machine.memory.store(world.countBase + root + i, 1, 0);
  const slot = (yield* self.add(at.takeSlot, world.cursor, 1)) - 1;
  const shadow = world.shadows[slot]!;
  yield* self.store(at.setKey, wordOf(world, node, Node.Key), keyOf(context));
  yield* self.store(at.setSlot, wordOf(world, node, Node.Slot), slot);
  yield* self.store(at.setRoot, wordOf(world, node, Node.Root), root);
  yield* self.store(at.setBase, shadow.contextWord, root);
  self.claim(Claim.ContextCreated, shadow.tree, root, 0);
  const head = yield* self.readOnce(at.readHead, world.listHead);
  yield* self.store(at.setNext, wordOf(world, node, Node.Next), head);
  yield* self.store(at.setHead, world.listHead, node);
  return Result.Ok;
}

/** Unmaps what is in scope of every MMU on the list. The caller holds the MMU lock. */
export function* unmapListed(self: Actor, world: NestedWorld, scope: Scope): Operation<void> {
  const { windowPages } = world.configuration.geometry;
  let node = yield* self.readOnce(at.readHead, world.listHead);
  while (node !== 0) {
    const { vmid } = contextOf(yield* self.readOnce(at.readKey, wordOf(world, node, Node.Key)));
    if (scope.vmid === undefined || (vmid & VMID_MASK) === (scope.vmid & VMID_MASK)) {
      const slot = yield* self.readOnce(at.readSlot, wordOf(world, node, Node.Slot));
      const root = yield* self.readOnce(at.readRoot, wordOf(world, node, Node.Root));
      self.claim(Claim.WorkBegins, world.shadows[slot]!.tree, Work.Unmap, 0);
      yield* unmapRange(self, world.shadows[slot]!, root, 0, windowPages);
    }
    node = yield* self.readOnce(at.readNext, wordOf(world, node, Node.Next));
  }
}
