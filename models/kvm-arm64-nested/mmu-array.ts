/**
 * The array of shadow MMUs: which of the guest's contexts each stands for, who uses it, and whether it has to be
 * emptied first. One page per MMU; the array is replaced by a larger one when a vCPU is initialised.
 *
 * Mirrors: Linux 2026 arch/arm64/kvm/nested.c, look-up, get and put of a nested MMU, initialisation of a vCPU.
 *          A vCPU knows its MMU by its place in the array, and looks at it under the MMU lock only.
 * Source: spec/arm.md 5.2; zoo A30.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { Claim } from '../../sim/claims.ts';
import { Mode } from '../../sim/locks.ts';
import type { WordAddress } from '../../sim/memory.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import { putPage } from '../kvm-arm64/counts.ts';
import { Lock } from './machine.ts';
import { findMmu } from './rfc.ts';
import type { NestedWorld } from './world.ts';

export const arraySites = sites('mmu-array', [
  'lockConfig',
  'readCount',
  'allocateArray',
  'allocateRoot',
  'lock',
  'readArray',
  'copyRead',
  'copyWrite',
  'setRoot',
  'setBase',
  'setArray',
  'setCount',
  'unlock',
  'freeArray',
  'unlockConfig',
  'readKey',
  'readCursor',
  'readReferences',
  'moveCursor',
  'setPending',
  'setKey',
  'hold',
  'readPending',
  'drop',
]);
const at = arraySites;

/** Words of an MMU. */
export const Field = { Key: 0, References: 1, Pending: 2, Root: 3 } as const;
export type Field = (typeof Field)[keyof typeof Field];
export const FIELDS = 4;

/** What a context of the guest is known by: its virtual VTTBR (table and VMID), and whether stage 2 is on. */
export interface Context {
  readonly isOn: boolean;
  readonly table: number;
  readonly vmid: number;
}

/** VMIDs of the guest have 16 bits. */
const VMID_SHIFT = 8;
const VMID_MASK = 0xffff;

/** The key word of an MMU; 0 is one that nobody uses. */
export function keyOf({ isOn, table, vmid }: Context): number {
  return 1 | (isOn ? 2 : 0) | (table << 4) | (vmid << VMID_SHIFT);
}

export function contextOf(key: number): Context {
  return { isOn: (key & 2) !== 0, table: (key >>> 4) & 15, vmid: (key >>> VMID_SHIFT) & VMID_MASK };
}

export function fieldWord(
  world: NestedWorld,
  base: number,
  slot: number,
  field: Field,
): WordAddress {
  return world.machine.memory.address(base + slot, field);
}

/** Without stage 2 there is no table: the VMID alone says which context it is. */
function isFor(world: NestedWorld, key: number, wanted: Context): boolean {
  if (key === 0) return false;
  const { isOn, table, vmid } = contextOf(key);
  const isTableSame = !wanted.isOn || table === wanted.table || world.bug('M25-key-is-vmid-only');
  return isOn === wanted.isOn && vmid === wanted.vmid && isTableSame;
}

/**
 * Finds the MMU for what the vCPU runs next, or gives it one that nobody uses, and takes a reference.
 * @returns false when all are in use
 */
export function getMmu(self: Actor, world: NestedWorld): Operation<boolean> {
  return world.isRfc ? findMmu(self, world) : getFromArray(self, world);
}

function* getFromArray(self: Actor, world: NestedWorld): Operation<boolean> {
  const vcpu = world.vcpu(self);
  yield* self.acquire(at.lock, Lock.Mmu, Mode.Exclusive);
  const base = yield* self.readOnce(at.readArray, world.arrayBase);
  const count = yield* self.readOnce(at.readCount, world.arrayCount);
  let slot = -1;
  for (let i = 0; i < count && slot < 0; i += 1) {
    const key = yield* self.readOnce(at.readKey, fieldWord(world, base, i, Field.Key));
    if (isFor(world, key, vcpu.context)) slot = i;
  }
  const isFound = slot >= 0;
  if (!isFound) slot = yield* recycle(self, world, base, count);
  if (slot >= 0) {
    yield* self.add(at.hold, fieldWord(world, base, slot, Field.References), 1);
    const pending = fieldWord(world, base, slot, Field.Pending);
    const isPending = (yield* self.readOnce(at.readPending, pending)) !== 0;
    vcpu.mustUnmap = isPending && !(isFound && world.bug('S09-second-user-does-not-wait'));
    vcpu.slot = slot;
    vcpu.array = base;
  }
  yield* self.release(at.unlock, Lock.Mmu);
  return slot >= 0;
}

/** Gives an MMU without users to the context; what it held before goes before anybody runs with it. */
function* recycle(self: Actor, world: NestedWorld, base: number, count: number): Operation<number> {
  const cursor = yield* self.readOnce(at.readCursor, world.cursor);
  for (let i = 0; i < count; i += 1) {
    const slot = (cursor + i) % count;
    const word = (field: Field): WordAddress => fieldWord(world, base, slot, field);
    const references = yield* self.readOnce(at.readReferences, word(Field.References));
    if (references !== 0 && !world.bug('S10-taken-from-its-user')) continue;
    yield* self.store(at.moveCursor, world.cursor, (slot + 1) % count);
    const old = yield* self.readOnce(at.readKey, word(Field.Key));
    if (old !== 0 && !world.bug('M24-reused-before-unmap')) {
      yield* self.store(at.setPending, word(Field.Pending), 1);
    }
    yield* self.store(at.setKey, word(Field.Key), keyOf(world.vcpu(self).context));
    return slot;
  }
  return -1;
}

/** The vCPU does not run with its MMU any more, which may be given to another context. */
export function* putMmu(self: Actor, world: NestedWorld): Operation<void> {
  const vcpu = world.vcpu(self);
  if (world.isRfc) {
    vcpu.slot = -1;
    return;
  }
  const isLocked = !world.bug('S04-reference-dropped-without-lock');
  if (isLocked) yield* self.acquire(at.lock, Lock.Mmu, Mode.Exclusive);
  const base = yield* self.readOnce(at.readArray, world.arrayBase);
  // the array may be another one than when the vCPU got its MMU
  const array = world.bug('S03-pointer-into-old-array') ? vcpu.array : base;
  yield* self.add(at.drop, fieldWord(world, array, vcpu.slot, Field.References), -1);
  vcpu.slot = -1;
  if (isLocked) yield* self.release(at.unlock, Lock.Mmu);
}

/** The vCPU is initialised: there are MMUs for one more. False without memory. */
export function* initialiseVcpu(self: Actor, world: NestedWorld): Operation<boolean> {
  yield* self.acquire(at.lockConfig, Lock.Config, Mode.Exclusive);
  const count = yield* self.readOnce(at.readCount, world.arrayCount);
  const isGrown = yield* grow(self, world, count, count + world.configuration.shadowsPerVcpu);
  world.vcpu(self).isInitialised = isGrown;
  yield* self.release(at.unlockConfig, Lock.Config);
  return isGrown;
}

/** Root tables for new MMUs; none when there is no memory for all. */
function* allocateRoots(
  self: Actor,
  world: NestedWorld,
  count: number,
): Operation<number[] | undefined> {
  const { rootPages } = world.configuration.geometry;
  const roots: number[] = [];
  while (roots.length < count) {
    const root = yield* self.allocateRun(at.allocateRoot, Role.Table, rootPages, true);
    if (root < 0) {
      for (const one of roots) {
        for (let i = 0; i < rootPages; i += 1) yield* putPage(self, world.host, one + i);
      }
      return undefined;
    }
    // nobody else knows the pages: their counts are set without an access
    for (let i = 0; i < rootPages; i += 1)
      self.machine.memory.store(world.countBase + root + i, 1, 0);
    roots.push(root);
  }
  return roots;
}

/** Replaces the array by one with `wanted` MMUs. */
function* grow(self: Actor, world: NestedWorld, count: number, wanted: number): Operation<boolean> {
  const array = yield* self.allocateRun(at.allocateArray, Role.Kernel, wanted, true);
  if (array < 0) return false;
  const roots = yield* allocateRoots(self, world, wanted - count);
  if (roots === undefined) {
    yield* self.free(at.freeArray, array, wanted);
    return false;
  }
  // who unmaps looks at every MMU of the array under the MMU lock
  const isLocked = !world.bug('A30-array-replaced-without-lock');
  if (isLocked) yield* self.acquire(at.lock, Lock.Mmu, Mode.Exclusive);
  const old = yield* self.readOnce(at.readArray, world.arrayBase);
  for (let slot = 0; slot < count; slot += 1) {
    for (let field = 0; field < FIELDS; field += 1) {
      const value = yield* self.readOnce(at.copyRead, fieldWord(world, old, slot, field as Field));
      yield* self.store(at.copyWrite, fieldWord(world, array, slot, field as Field), value);
    }
  }
  for (let slot = count; slot < wanted; slot += 1) {
    const root = roots[slot - count]!;
    yield* self.store(at.setRoot, fieldWord(world, array, slot, Field.Root), root);
    yield* self.store(at.setBase, world.shadows[slot]!.contextWord, root);
    self.claim(Claim.ContextCreated, world.shadows[slot]!.tree, root, 0);
  }
  yield* self.store(at.setArray, world.arrayBase, array);
  yield* self.store(at.setCount, world.arrayCount, wanted);
  if (isLocked) yield* self.release(at.unlock, Lock.Mmu);
  yield* self.free(at.freeArray, old, count);
  return true;
}
