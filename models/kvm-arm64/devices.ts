/**
 * Pages of the guest that are a device's: mapped page by page, never as a block, never executable; by faults, or
 * all of them before the guest comes to them.
 *
 * Mirrors: Linux 5.10 arch/arm64/kvm/mmu.c, device pages in the fault path, and the eager mapping of a range
 *          (`kvm_phys_addr_ioremap`).
 * Leaves out: emulated devices, which have no entry; a device that is taken away; logging, which is refused for slots
 *          with devices.
 * Source: spec/arm.md 4.2 f8, f11, f12; 4.3 "device ranges".
 */
import { Domain } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Result, Work } from '../../sim/card.ts';
import { MemoryType, READ, WRITE } from '../../sim/descriptor.ts';
import { Mode } from '../../sim/locks.ts';
import { sites } from '../../sim/site.ts';
import { fillCache, isCacheShort } from './fault.ts';
import { mapRange } from './map.ts';
import type { KvmWorld } from './world.ts';

export const deviceSites = sites('map-device', [
  'lock',
  'readRoot',
  'publish',
  'unlock',
  'freeCache',
]);
const at = deviceSites;

/** Maps every page of the device; stops at the first that fails. */
export function* mapDevice(self: Actor, world: KvmWorld): Operation<number> {
  const result = yield* mapPages(self, world);
  const cache = world.cache(self);
  for (let frame = cache.pop(); frame !== undefined; frame = cache.pop()) {
    yield* self.free(at.freeCache, frame);
  }
  return result;
}

function* mapPages(self: Actor, world: KvmWorld): Operation<number> {
  const { first, count } = world.device;
  for (let page = first; page < first + count; page += 1) {
    if (isCacheShort(self, world) && !(yield* fillCache(self, world))) return Result.NoMemory;
    yield* self.acquire(at.lock, world.lock.Mmu, Mode.Exclusive);
    world.beginWork(self, Work.Map);
    const root = yield* self.readOnce(at.readRoot, world.root);
    const frame = world.deviceFrame(page);
    const attributes = READ | WRITE | MemoryType.Device;
    const result =
      root === 0
        ? Result.Invalid
        : yield* mapRange(self, world, root, page, 1, frame, attributes, Mode.Exclusive);
    yield* self.dsb(at.publish, Domain.InnerStore);
    yield* self.release(at.unlock, world.lock.Mmu);
    if (result === Result.Invalid) return result;
  }
  return Result.Ok;
}
