/** Bug flags of kvm-x86-tdp: real upstream defects (zoo/x86-xen.md, part K). */
import type { Bug } from '../system.ts';

export const BUGS = [
  {
    id: 'K01-yields-without-progress',
    title: 'a walk gives up its lock again although it has not come further since the last time',
    upstream:
      'KVM: x86/mmu: Ensure forward progress when yielding in TDP MMU iter, ed5e484b79e8 (v5.12, 2021)',
    caughtBy: ['iterator', 'progress'],
  },
  {
    id: 'K02-yield-test-after-filter',
    title: 'a walk asks whether to yield only at entries that need work',
    upstream:
      'KVM: x86/mmu: Yield in TDU MMU iter even if no SPTES changed, 1af4a96025b3 (v5.12, 2021)',
    caughtBy: ['iterator', 'progress'],
  },
  {
    id: 'K03-advances-after-restart',
    title:
      'after a yield the walk restarts at the root entry of its target and steps on from there',
    upstream:
      "KVM: x86/mmu: Don't advance iterator after restart due to yielding, 3a0f64de479c (v5.16, 2021)",
    caughtBy: ['iterator', 'reference-counts', 'freed-page'],
  },
  {
    id: 'K04-walker-put-frees-nothing',
    title: 'a walker that drops the last reference of a root leaves it on the list',
    upstream:
      'KVM: x86/mmu: Ensure TDP MMU roots are freed after yield, a889ea54b3da (v5.11, 2021)',
    caughtBy: ['reference-counts'],
  },
  {
    id: 'K05-flush-lost-between-roots',
    title: 'the flush that is owed for one root is forgotten when a walk of the next root yields',
    upstream:
      'KVM: x86/mmu: Ensure TLBs are flushed when yielding during GFN range zap, a835429cda91 (v5.12, 2021)',
    caughtBy: ['stale-translation'],
  },
  {
    id: 'K07-flush-flag-overwritten',
    title: 'the flush owed for one zapped table is forgotten when the next one has nothing to zap',
    upstream:
      'KVM: x86/mmu: preserve pending TLB flush across calls to kvm_tdp_mmu_zap_sp, 315f02c60d94 (v5.12, 2021)',
    configuration: 'tdp-toy-nx-shared',
    caughtBy: ['stale-translation', 'freed-table'],
  },
  {
    id: 'K08-flush-range-from-last-entry',
    title: 'when a table is cut out, the range that is flushed starts at its last entry',
    upstream:
      'KVM: x86/mmu: Fix TLB flush range when handling disconnected pt, 574c3c55e969 (v5.16, 2021)',
    caughtBy: ['stale-translation', 'freed-table'],
  },
  {
    id: 'K09-flush-flag-not-carried',
    title: 'each root starts with "no flush owed" and its answer replaces that of the roots before',
    upstream:
      'KVM: x86/mmu: Zap only TDP MMU leafs in zap range, cf3e26427c08, reverted by 873dd122172f (v5.18, 2022)',
    caughtBy: ['stale-translation', 'freed-page'],
  },
  {
    id: 'K10-section-ends-before-flush',
    title: 'the read section that keeps removed tables from being freed ends before the flush',
    upstream:
      'KVM: x86/mmu: Flush TLB before zap_gfn_range releases RCU, fcb93eb6d09d (v5.18, 2022)',
    caughtBy: ['freed-table'],
  },
  {
    id: 'K11-notifier-skips-invalid-roots',
    title: 'a range that the host takes away is not removed from roots that are being torn down',
    upstream:
      'KVM: x86/mmu: Zap _all_ roots when unmapping gfn range in TDP MMU, d62007edf01f (v5.18, 2022)',
    caughtBy: ['freed-page'],
  },
  {
    id: 'K12-fault-ignores-invalid-root',
    title: 'a fault is handled in a root that was invalidated while the host page was looked up',
    upstream:
      'KVM: x86/mmu: Retry page fault if root is invalidated by memslot update, a955cad84cda (v5.16, 2021)',
    caughtBy: ['abstract-map', 'reference-counts', 'system-invariant'],
  },
  {
    id: 'K13-sequence-sign-extended',
    title: 'the snapshot of the invalidation sequence is kept in fewer bits, with a sign',
    upstream:
      'KVM: x86/mmu: Fix a sign-extension bug with mmu_seq that hangs vCPUs, 82d811ff5665 (v6.1 stable, 2023)',
    caughtBy: ['progress'],
  },
  {
    id: 'K15-room-made-under-shared-lock',
    title: 'a fault makes room in the pool of shadow tables although it shares the lock',
    upstream: 'KVM: x86/mmu: Fix race condition in direct_page_fault, 47b0c2e4c220 (v6.1, 2022)',
    configuration: 'tdp-toy-listed',
    caughtBy: ['context', 'freed-table'],
  },
  {
    id: 'K16-listed-after-zap',
    title: 'a table is put on the recovery list although it was zapped since it was linked',
    upstream:
      'KVM: x86/mmu: Re-check under lock that TDP MMU SP hugepage is disallowed, 21a36ac6b6c7 (v6.2, 2022)',
    configuration: 'tdp-toy-nx',
    caughtBy: ['freed-table', 'system-invariant'],
  },
  {
    id: 'K17-linked-before-listed',
    title: 'a table can be found in the tree, and removed, before it is on the list of tables',
    upstream:
      'KVM: x86/mmu: tdp_mmu_link_page() in 5.15 LTS; gone with "Track the number of TDP MMU pages, but not the actual pages", d25ceb926436',
    configuration: 'tdp-toy-listed',
    caughtBy: ['system-invariant', 'freed-table'],
  },
  {
    id: 'K18-leaf-at-wrong-level',
    title: 'a leaf is written where the walk stopped, be it the level of the leaf or not',
    upstream:
      'KVM: x86/mmu: Map TDP MMU leaf SPTE iff target level is reached, 80a3e4ae962d (v6.2, 2022)',
    caughtBy: ['abstract-map', 'freed-table', 'table-shape'],
  },
  {
    id: 'K19-plain-store-of-volatile-entry',
    title: 'an entry whose bits others may set is overwritten by a plain store',
    upstream:
      'KVM: x86/mmu: Use atomic XCHG to write TDP MMU SPTEs with volatile bits, ba3a6120a4e7 (v5.19, 2022)',
    caughtBy: ['permissions', 'dirty-log', 'stale-translation'],
  },
  {
    id: 'K20-aging-clears-dirty',
    title: 'clearing the accessed flag clears the dirty flag as well, and nobody is told',
    upstream: 'KVM: x86/mmu: Remove spurious clear of dirty bit from TDP MMU SPTE (v5.13, 2021)',
    configuration: 'tdp-toy-6.12',
    caughtBy: ['dirty-log'],
  },
  {
    id: 'K22-dirty-cleared-where-not-logged',
    title: 'the dirty flag is cleared in a tree for which the hardware does not log writes',
    upstream:
      'KVM: x86/mmu: Write-protect L2 SPTEs in TDP MMU when clearing dirty status, 2673dfb591a3 (v6.9, 2024), CVE-2024-26990',
    configuration: 'tdp-toy-write-log',
    caughtBy: ['dirty-log'],
  },
  {
    id: 'K23-retry-skips-leaf-check',
    title:
      'after a failed compare-exchange the walk does not look whether the entry is still a leaf',
    upstream:
      'KVM: x86/mmu: Check for leaf SPTE when clearing dirty bit in the TDP MMU, 45a61ebb2211 (v6.8, 2024)',
    configuration: 'tdp-toy-nx',
    caughtBy: ['abstract-map', 'permissions', 'progress'],
  },
  {
    id: 'E03-recovery-during-invalidation',
    title: 'recovery makes a large leaf although the host is taking the pages away',
    upstream:
      'no entry: a hypothesis about recovery in place (v6.13). Amendment E3 lets it map pages anew where the host maps the whole large page, which it does until its invalidation ends',
    caughtBy: ['freed-page'],
  },
  {
    id: 'E09-frozen-value-has-accessed',
    title:
      'the frozen value contains the accessed flag: lockless aging turns it into one that nobody knows',
    upstream:
      'amendment E9 of the specification: a hypothesis about 0x5a0 in Linux 6.15 and later; not confirmed',
    configuration: 'tdp-toy',
    caughtBy: ['system-invariant', 'freed-table'],
  },
  {
    id: 'V01-old-generation-believed',
    title: 'an access is left to user space on the word of an MMIO entry, of whatever generation',
    upstream: 'variant of spec/x86-xen.md A2, MMIO entries (no single commit)',
    configuration: 'tdp-toy-mmio',
    caughtBy: ['emulation'],
  },
  {
    id: 'V02-generations-begin-anew',
    title: 'generations of the slots begin anew, and MMIO entries of the last round stay',
    upstream: 'variant of spec/x86-xen.md A2, MMIO entries (no single commit)',
    configuration: 'tdp-toy-mmio',
    caughtBy: ['emulation'],
  },
  {
    id: 'V03-leaf-becomes-mmio',
    title:
      'a fault that has seen no memory makes an MMIO entry of a leaf that another has mapped since',
    upstream:
      'no entry: a hypothesis. A slot may be added and mapped while a fault still looks at the slots before',
    configuration: 'tdp-toy-mmio',
    caughtBy: ['abstract-map', 'stale-translation'],
  },
  {
    id: 'V04-believed-until-zapped',
    title:
      'generations begin anew, and MMIO entries of the last round are believed until they are zapped',
    upstream:
      'no entry: a hypothesis. Entries go after the new slots are there (found by a campaign over this model)',
    configuration: 'tdp-toy-mmio',
    caughtBy: ['emulation'],
    isHidden: true,
  },
  {
    id: 'R01-refreshes-without-progress',
    title:
      'the walk of 2020 comes back to the entry that it gave way at, works on it and gives way again',
    upstream:
      'KVM: x86/mmu: Introduce tdp_iter, v2 (October 2020, seed document 003); fixed as K01',
    configuration: 'iter-2020',
    caughtBy: ['iterator', 'progress'],
  },
  {
    id: 'R02-asks-after-the-work',
    title: 'the walk of 2020 never asks whether to give way while no entry needs work',
    upstream:
      'KVM: x86/mmu: Introduce tdp_iter, v2 (October 2020, seed document 003); fixed as K02',
    configuration: 'iter-2020',
    caughtBy: ['iterator'],
  },
] as const satisfies readonly Bug[];

export type BugId = (typeof BUGS)[number]['id'];
