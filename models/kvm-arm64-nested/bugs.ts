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
    id: 'A31-array-freed-at-release',
    title: 'the shadow MMUs go with the tables at release, while vCPUs still hold them',
    upstream:
      'KVM: arm64: nv: Delay freeing of shadow S2 structures until VM destruction, e5843f4effaa (7.3-rc, 2026)',
    caughtBy: ['freed-table', 'system-invariant'],
  },
  {
    id: 'A31b-notifiers-not-awaited',
    title: 'the shadow MMUs go while a notifier still goes through them',
    upstream:
      'KVM: arm64: nv: Fix life cycle of the nested_mmus array, 33346f8960c7 (7.3-rc, 2026)',
    caughtBy: ['freed-table', 'system-invariant'],
  },
  {
    id: 'A32-freed-mmu-looks-valid',
    title: 'a shadow MMU whose tables were freed still stands for a context',
    upstream: 'KVM: arm64: Mark freed S2 MMUs as invalid, 34b8f4adedd5 (v6.17, 2025)',
    caughtBy: ['system-invariant', 'freed-table'],
  },
  {
    id: 'A32b-shadow-kept-across-yield',
    title:
      'who unmaps a shadow goes on with its table after the lock was dropped, though it was freed',
    upstream:
      'KVM: arm64: nv: Fix null ptr deref on nested wp/unmap, teardown race, 4c74e233cded (7.3-rc, 2026)',
    caughtBy: ['freed-table', 'reference-counts', 'context'],
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
