/** The list of systems. A new one is one folder and one line here. */
import { canary } from './canary/index.ts';
import { kvmArm64 } from './kvm-arm64/index.ts';
import { kvmArm64Nested } from './kvm-arm64-nested/index.ts';
import { kvmX86Tdp } from './kvm-x86-tdp/index.ts';
import { pkvm } from './pkvm/index.ts';
import type { System } from './system.ts';
import { xenArm } from './xen-arm/index.ts';

/** Every system that is built in. */
export const SYSTEMS: readonly System[] = Object.freeze([
  kvmArm64,
  kvmArm64Nested,
  kvmX86Tdp,
  xenArm,
  pkvm,
  canary,
]);

export function findSystem(id: string): System | undefined {
  return SYSTEMS.find((system) => system.id === id);
}
