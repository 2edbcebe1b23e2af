/** Bug flags of kvm-arm64-nested: real upstream defects (zoo/arm.md) and shapes of spec/arm.md 8. */
import type { Bug } from '../system.ts';

export const BUGS = [
  {
    id: 'A30-array-replaced-without-lock',
    title: 'the array of shadow MMUs is replaced while who holds the MMU lock goes through it',
    upstream:
      'KVM: arm64: Reassign nested_mmus array behind mmu_lock, 70543358fa08 (v7.1, 2026, CVE-2026-46317)',
    caughtBy: ['freed-table', 'context', 'system-invariant'],
  },
  {
    id: 'M22-walk-not-checked',
    title: 'a fault installs what it read of the guest’s table before the guest invalidated it',
    upstream: 'spec/arm.md M22: a hypothesis about the versions that were read (5.4)',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'M23-shadows-not-unmapped',
    title: 'the notifier unmaps the guest’s own table and leaves the shadows',
    upstream: 'spec/arm.md M23',
    caughtBy: ['freed-page', 'abstract-map', 'system-invariant'],
  },
  {
    id: 'M24-reused-before-unmap',
    title: 'an MMU is given to another context with what it held for the one before',
    upstream: 'spec/arm.md M24',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'M25-key-is-vmid-only',
    title: 'an MMU is found by the guest’s VMID alone, whichever table belongs to it',
    upstream: 'spec/arm.md M25; KVM: arm/arm64: Add mmu context for the nesting (RFC, 2017)',
    caughtBy: ['system-invariant'],
  },
] as const satisfies readonly Bug[];

export type BugId = (typeof BUGS)[number]['id'];
