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
    id: 'A33-offset-for-base',
    title: 'whether a VNCR entry lies in a range is asked of its offset instead of its base',
    upstream:
      'KVM: arm64: nv: Fix incorrect VNCR invalidation range calculation, ebb2d8fd81b8 (v6.17, 2025)',
    configuration: 'today-vncr',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'A34-entry-cleared-without-lock',
    title: 'a vCPU clears its VNCR entry while another one, which holds the lock, looks at it',
    upstream:
      'KVM: arm64: nv: Hold mmu_lock when invalidating VNCR SW-TLB before translating, d43548f422f2 (v6.16, 2025)',
    configuration: 'today-vncr',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'A35-mapping-half-torn-down',
    title: 'a VNCR page that is translated anew has no owner, and is still mapped and counted',
    upstream:
      'KVM: arm64: nv: Fully update VNCR fixmap state in kvm_translate_vncr, 5949004d7032 (v7.2, 2026)',
    configuration: 'today-vncr',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'A35b-put-without-lock',
    title: 'a vCPU unmaps its VNCR page while another one that invalidates it does the same',
    upstream:
      'KVM: arm64: nv: Handle VNCR TLB invalidation race with vcpu_put VNCR unmapping, 38640bc32be3 (v7.2, 2026)',
    configuration: 'today-vncr',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'M22-walk-not-checked',
    title: 'a fault installs what it read of the guest’s table before the guest invalidated it',
    upstream: 'spec/arm.md M22: a hypothesis about the versions that were read (5.4)',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'M22b-count-read-after-walk',
    title: 'the number of invalidations is read after the walk that it is to vouch for',
    upstream: 'spec/arm.md M22, 5.4',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'M22c-counted-when-done',
    title:
      'an invalidation by the guest is counted when it is done: faults come in while it gives way',
    upstream: 'spec/arm.md M22, 5.4',
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
  {
    id: 'M26-smaller-granule-offered',
    title:
      'with pages of the guest smaller than the host’s, a fault that lacks rights is never repaired',
    upstream: 'spec/arm.md M26, 5.4: 4K tables of a guest on a host with 16K pages',
    caughtBy: ['progress'],
  },
  {
    id: 'S01-size-of-guests-leaf-ignored',
    title: 'the guest invalidates a page of a block, and the rest of the block stays',
    upstream: 'spec/arm.md 5.5, N7',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'S02-guests-vmid-cut',
    title: 'shadows are looked for with the guest’s VMID cut to the width of the host’s',
    upstream: 'KVM: arm/arm64: Add mmu context for the nesting (RFC, 2017, seed document 001)',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'S03-pointer-into-old-array',
    title: 'a vCPU knows its MMU by an address in the array that another vCPU has replaced since',
    upstream: 'spec/arm.md 5.2: a hypothesis about growth',
    caughtBy: ['freed-table', 'system-invariant'],
  },
  {
    id: 'S04-reference-dropped-without-lock',
    title: 'a vCPU drops its reference without the lock, while another vCPU replaces the array',
    upstream: 'spec/arm.md 5.2: a hypothesis about growth',
    caughtBy: ['freed-table', 'system-invariant'],
  },
  {
    id: 'S05-larger-than-guests-leaf',
    title: 'a shadow maps a block because the host has one, where the guest maps a page',
    upstream: 'spec/arm.md 5.4 step 4, N4',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'S06-guests-rights-not-kept',
    title: 'a shadow gives the rights that the host gives, whatever the guest’s table says',
    upstream: 'spec/arm.md 5.4 step 4, N4',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'S08-done-before-it-is',
    title: 'an MMU counts as emptied when the work begins: another vCPU runs with what is left',
    upstream: 'spec/arm.md 5.2, N3',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'S09-second-user-does-not-wait',
    title: 'a vCPU that finds an MMU which has to be emptied does not see to it',
    upstream: 'spec/arm.md 5.2, N3',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'S10-taken-from-its-user',
    title: 'an MMU that a vCPU still runs with is given to another context',
    upstream: 'spec/arm.md 5.3, N2',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'S11-log-flushes-own-number-only',
    title:
      'a round of the dirty log invalidates the guest’s own translations, and not those of shadows',
    upstream: 'spec/arm.md 5.6, amendment E1: a suspicion',
    caughtBy: ['dirty-log', 'stale-translation'],
  },
  {
    id: 'S12-round-leaves-shadows-writable',
    title: 'a round of the dirty log protects the guest’s own table only',
    upstream: 'spec/arm.md N6',
    caughtBy: ['dirty-log'],
  },
  {
    id: 'S13-other-page-marked',
    title: 'a fault on a shadow marks the page of the guest’s guest in the dirty log',
    upstream: 'spec/arm.md 5.4 step 6',
    caughtBy: ['dirty-log'],
  },
  {
    id: 'S14-permission-fault-tops-up-nothing',
    title: 'a permission fault on a page takes no pages along, as without nesting',
    upstream:
      'no entry: a hypothesis. spec/arm.md 4.1 f2, where nothing but the fault itself needs tables; a shadow can lose its own to an invalidation of the guest that was counted before',
    caughtBy: ['abstract-map'],
  },
  {
    id: 'R01-vmid-is-the-key',
    title:
      'an MMU is found by the VMID alone, and by its low bits: vCPUs run with what another table made',
    upstream: 'KVM: arm/arm64: Add mmu context for the nesting (RFC 39/55, 2017)',
    configuration: 'rfc-2017',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'R02-fatal-check-fires',
    title:
      'the MMU that the host believes to be on the list is not: it was lost when two were added, or never made',
    upstream: 'KVM: arm/arm64: Add mmu context for the nesting (RFC 39/55, 2017)',
    configuration: 'rfc-2017',
    caughtBy: ['abstract-map'],
  },
] as const satisfies readonly Bug[];

export type BugId = (typeof BUGS)[number]['id'];
