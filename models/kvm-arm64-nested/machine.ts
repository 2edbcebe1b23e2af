/** What the machine of kvm-arm64-nested is made of: that of kvm-arm64, with shadow trees and two more locks. */
import { LockKind } from '../../sim/locks.ts';
import type { MachineSpec } from '../../sim/spec.ts';
import { Lock as KvmLock, machineSpec, STAGE2, VMID } from '../kvm-arm64/machine.ts';
import type { NestedConfiguration } from './configurations.ts';
import { guestTableFrames } from './guest-tables.ts';

const KVM_LOCKS = Object.keys(KvmLock).length;

/** The host's MMU lock, its lock for what changes when vCPUs are made, and the guest hypervisor's own. */
export const Lock = { Mmu: KvmLock.Mmu, Config: KVM_LOCKS, Guest: KVM_LOCKS + 1 } as const;

/** Trees of kvm-arm64: the guest's own stage 2 and the hypervisor's table; shadows come after them. */
const KVM_TREES = 2;

/** All vCPUs are initialised. */
export function shadowCount({ vcpus, shadowsPerVcpu }: NestedConfiguration): number {
  return vcpus * shadowsPerVcpu;
}

export function shadowTree(slot: number): number {
  return KVM_TREES + slot;
}

/** A shadow keeps its number for good. */
export function shadowVmid(slot: number): number {
  return VMID + 1 + slot;
}

/** Section domain of the notifiers: VM destruction waits for those that have begun. */
export const NOTIFIER_DOMAIN = 2;

/** Words besides those of kvm-arm64. */
const WORDS = 96;

/** Kernel frames besides those of kvm-arm64: for words, and for the pages in which the guest keeps its tables. */
function moreFrames(configuration: NestedConfiguration): number {
  const perFrame = 1 << configuration.geometry.bitsPerLevel;
  // every frame has a count word, these included
  const words = Math.ceil((WORDS + 2 * guestTableFrames(configuration.geometry)) / (perFrame - 1));
  return Math.ceil((words + guestTableFrames(configuration.geometry)) / 4) * 4;
}

export function nestedMachine(configuration: NestedConfiguration): MachineSpec {
  const base = machineSpec(configuration);
  const own = base.trees[STAGE2]!;
  const more = moreFrames(configuration);
  return {
    ...base,
    frames: base.frames + more,
    kernelFrames: base.kernelFrames + more,
    locks: [
      ...base.locks,
      { name: 'config_lock', kind: LockKind.Mutex },
      { name: 'lock of the guest hypervisor', kind: LockKind.Mutex },
    ],
    sectionDomains: NOTIFIER_DOMAIN + 1,
    trees: [
      ...base.trees,
      ...Array.from({ length: shadowCount(configuration) }, (_, slot) => ({
        ...own,
        name: `shadow ${slot}`,
        vmid: shadowVmid(slot),
        isDerived: true as const,
      })),
    ],
  };
}
