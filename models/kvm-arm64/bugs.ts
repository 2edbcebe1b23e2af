/** Bug flags of kvm-arm64: real upstream defects (zoo/arm.md) and shapes of spec/arm.md 8. */
import type { Bug } from '../system.ts';
import { VARIANTS } from './bugs-variants.ts';

export const BUGS = [
  {
    id: 'A01-output-cursor-of-its-own',
    title: 'the map walk keeps a cursor of output pages, which runs ahead when a block is split',
    upstream:
      'KVM: arm64: Infer the PA offset from IPA in stage-2 map walker, 1f0f4a2ef7a5 (v6.4, 2023)',
    configuration: 'parallel-toy',
    caughtBy: ['abstract-map', 'freed-page'],
  },
  {
    id: 'A02-loser-keeps-faulting-entry',
    title: 'a vCPU whose permission fault another one repaired does not invalidate its own TLB',
    upstream:
      'KVM: arm64: Always invalidate TLB for stage-2 permission faults, be097997a273 (v6.7, 2023)',
    configuration: 'parallel-*',
    caughtBy: ['progress'],
  },
  {
    id: 'A03-coalesce-flushes-one-ipa',
    title: 'replacing a table by a block invalidates one input page instead of the whole table',
    upstream: 'KVM: arm64: Fix handling of merging tables into a block entry (v5.10, 2020)',
    caughtBy: ['break-before-make', 'stale-translation', 'freed-table'],
  },
  {
    id: 'A04-block-split-by-readers',
    title: 'a write fault on a logged block splits it while it holds the lock with other readers',
    upstream: "KVM: arm64: Don't split hugepages outside of MMU write lock (v5.18, 2022)",
    configuration: 'readers-toy',
    caughtBy: ['reference-counts', 'abstract-map', 'context'],
  },
  {
    id: 'A05-table-flush-deferred',
    title: 'the flush for a removed table waits for the end of the walk; the table is freed before',
    upstream:
      "KVM: arm64: Don't defer TLB invalidation when zapping table entries, f62d4c3eb687 (v6.9, 2024)",
    configuration: 'parallel-toy',
    caughtBy: ['freed-table', 'stale-translation'],
  },
  {
    id: 'A06-walk-keeps-misalignment',
    title: 'the walker advances a misaligned cursor by a whole entry and skips the next one',
    upstream: 'KVM: arm64: Fix range alignment when walking page tables (v5.12, 2021)',
    caughtBy: ['abstract-map', 'freed-page'],
  },
  {
    id: 'A07-reference-taken-twice',
    title: 'replacing a valid leaf takes a reference without dropping the old one',
    upstream: 'KVM: arm64: Fix memory leak on stage2 update of a valid PTE (v5.10, 2020)',
    configuration: 'exclusive-*',
    caughtBy: ['reference-counts'],
  },
  {
    id: 'A08-no-second-look-after-pre',
    title: 'the walk descends into the table that its visitor has just replaced and freed',
    upstream:
      'KVM: arm64: Reload PTE after invoking walker callback on preorder traversal, a9f0e3d5a089 (v6.4, 2023)',
    configuration: 'parallel-toy-immediate',
    caughtBy: ['freed-table', 'reference-counts'],
  },
  {
    id: 'A09-sequence-read-after-lookup',
    title: 'the notifier sequence is read after the lock that protects the VMA was dropped',
    upstream:
      'KVM: arm64: Retry fault if vma_lookup results become invalid, 13ec9308a857 (v6.3, 2023)',
    configuration: 'parallel-toy-layout',
    caughtBy: ['freed-page', 'abstract-map'],
  },
  {
    id: 'A10-generation-before-number',
    title: 'a guest’s VMID counts as new before it is',
    upstream: 'KVM: arm/arm64: Close VMID generation race, f0cf47d939d0 (v4.17, 2018)',
    configuration: 'guests-toy',
    caughtBy: ['vmid', 'context', 'stale-translation'],
  },
  {
    id: 'A11-generation-before-register',
    title: 'a guest’s VMID counts as new before the register value that is loaded has it',
    upstream:
      'KVM: arm/arm64: Fix VMID alloc race by reverting to lock-less (v5.0, 2018), fixes f0cf47d939d0',
    configuration: 'guests-toy',
    caughtBy: ['vmid', 'context'],
  },
  {
    id: 'A11b-generation-without-release',
    title: 'a guest’s VMID generation is written last, but may be seen before what it stands for',
    upstream:
      'KVM: arm/arm64: Fix VMID alloc race by reverting to lock-less (v5.0, 2018): what its ordering is for',
    configuration: 'guests-toy-delayed',
    caughtBy: ['vmid', 'context', 'stale-translation', 'freed-page'],
  },
  {
    id: 'A12-number-read-before-barrier',
    title: 'an invalidation uses the VMID that the guest had before the changed entry was visible',
    upstream:
      'arm64: mm: Fix TLBI vs ASID rollover; KVM: arm64: Upgrade VMID accesses to {READ,WRITE}_ONCE (v5.15, 2021)',
    configuration: 'guests-toy-delayed',
    caughtBy: ['stale-translation'],
  },
  {
    id: 'A14-root-kept-across-lock-break',
    title: 'a long range operation goes on with its old root after it dropped the lock',
    upstream: 'kvm: arm/arm64: Fix use after free of stage2 page table, 0c428a6a9256 (v4.12, 2017)',
    caughtBy: ['freed-table'],
  },
  {
    id: 'A15-root-cleared-after-unlock',
    title: 'teardown clears the pointer to the tables after it dropped the lock and freed them',
    upstream: 'kvm: arm/arm64: Fix race in resetting stage2 PGD (v4.12, 2017)',
    caughtBy: ['freed-table'],
  },
  {
    id: 'A16-release-leaves-tables',
    title: 'when the owner exits, its pages are freed while stage 2 still maps them',
    upstream: 'kvm-arm: Unmap shadow pagetables properly, 293f293637b5 (v4.9, 2016)',
    caughtBy: ['freed-page', 'abstract-map'],
  },
  {
    id: 'A17-destroy-drops-table-in-use',
    title: 'destruction in pieces drops a table when it leaves it, though a later one comes back',
    upstream:
      'KVM: arm64: Only drop references on empty tables in stage2_free_walker, 156f70afcfec (v6.19, 2025)',
    configuration: 'recent-toy-deep',
    caughtBy: ['freed-table', 'reference-counts'],
  },
  {
    id: 'A17b-destroy-leaves-entry-of-table',
    title: 'destruction in pieces drops an empty table and leaves the entry that names it',
    upstream: 'half of the fix of A17: 156f70afcfec (v6.19, 2025)',
    configuration: 'recent-toy-deep',
    caughtBy: ['freed-table', 'reference-counts'],
  },
  {
    id: 'A18-range-operand-too-short',
    title: 'the operand of the largest range invalidation covers a few pages',
    upstream: 'arm64: tlb: Fix TLBI RANGE operand, e3ba51ab24fd (v6.9, 2024)',
    configuration: 'parallel-toy',
    caughtBy: ['dirty-log', 'stale-translation'],
  },
  {
    id: 'A20-table-level-as-hint',
    title: 'removing a table passes its own level as the hint of the invalidation',
    upstream:
      "KVM: arm64: Don't pass a TLBI level hint when zapping table entries, 36e008323926 (v6.9, 2024)",
    caughtBy: ['stale-translation', 'freed-table'],
  },
  {
    id: 'A21-no-hint-means-level-0',
    title: 'invalidations of a range that mean "no level hint" name level 0',
    upstream:
      'KVM: arm64: Use TLBI_TTL_UNKNOWN in __kvm_tlb_flush_vmid_range, 0f0ff097bf77 (v6.9, 2024)',
    configuration: 'parallel-toy-wide',
    caughtBy: ['stale-translation'],
  },
  {
    id: 'A22-loser-flushes-with-wrong-level',
    title: 'a vCPU whose fault another one repaired invalidates with a level it never learnt',
    upstream:
      'KVM: arm64: unknown TTL when relaxing permissions lost a race (O. Upton, 2026), fixes be097997a273',
    configuration: 'parallel-*',
    caughtBy: ['progress'],
  },
  {
    id: 'A23-relax-by-log-state',
    title: 'whether a permission fault is repaired in place ignores the level of the fault',
    upstream: 'KVM: arm64: Add usage of stage 2 fault lookup level in user_mem_abort (v5.10, 2020)',
    caughtBy: ['progress'],
  },
  {
    id: 'A25-identical-entry-remade',
    title: 'an entry that is already right is broken and made again',
    upstream: 'KVM: arm/arm64: Skip updating PMD entry if no change (v4.19, 2018)',
    configuration: 'exclusive-*',
    caughtBy: ['progress'],
  },
  {
    id: 'A26-block-over-table',
    title: 'a block is installed over a table as if it were a leaf',
    upstream: 'KVM: arm/arm64: Fix handling of stage2 huge mappings, 3c3736cd32bf (v5.1, 2019)',
    configuration: 'exclusive-*',
    caughtBy: ['reference-counts', 'break-before-make', 'stale-translation'],
  },
  {
    id: 'A27-folded-level-cleared-elsewhere',
    title:
      'a block finds a table in its way, and clears pages from the faulting one on until it is gone',
    upstream: 'KVM: arm64: Do not try to map PUDs when they are folded into PMD (v5.9, 2020)',
    configuration: 'exclusive-toy',
    caughtBy: ['progress', 'abstract-map'],
  },
  {
    id: 'A29-mapped-into-deleted-slot',
    title: 'a page that the host replaces is mapped although its slot is being deleted',
    upstream: 'KVM: Avoid illegal stage2 mapping on invalid memory slot, 2230f9e1171a (v6.4, 2023)',
    configuration: 'parallel-toy-slots',
    caughtBy: ['abstract-map', 'freed-page'],
  },
  {
    id: 'A37-context-not-synchronised',
    title: 'an invalidation may be executed with the VMID that was loaded before',
    upstream:
      'KVM: arm64: Restore missing ISB on nVHE __tlb_switch_to_guest, 452d62227958 (v5.9, 2020)',
    configuration: 'exclusive-toy-delayed',
    caughtBy: ['stale-translation', 'freed-table', 'freed-page', 'break-before-make', 'context'],
  },
  {
    id: 'A38-walks-not-drained',
    title: 'another guest is loaded while walks for the one before are in flight',
    upstream:
      'KVM: arm64: nvhe: Synchronise with page table walker on vcpu run, 55b5bac15939 (v6.4, 2023)',
    configuration: 'guests-toy-delayed',
    caughtBy: ['vmid', 'stale-translation'],
    isHidden: true,
  },
  {
    id: 'A39-interrupts-not-masked',
    title: 'while a guest is loaded for an invalidation, an interrupt may bring another thread',
    upstream:
      'arm64: KVM: Make VHE Stage-2 TLB invalidation operations non-interruptible, c987876a80e7 (v5.1, 2019)',
    configuration: 'guests-toy',
    caughtBy: ['context'],
  },
  {
    id: 'A39b-exit-not-synchronised',
    title: 'after an invalidation the guest that is put back may not be loaded when others run',
    upstream: 'the other half of A39: c987876a80e7 (v5.1, 2019)',
    configuration: 'guests-toy-delayed',
    caughtBy: ['context'],
  },
  {
    id: 'A40-return-does-not-synchronise',
    title: 'the return to a guest does not make earlier register writes count',
    upstream:
      'KVM: arm64: Make EL2 exception entry and exit context-synchronization events, d7396a72eae7 (v7.1, 2026)',
    configuration: 'guests-toy-delayed',
    caughtBy: ['vmid', 'stale-translation', 'context'],
  },
  {
    id: 'A41-private-entries-kept',
    title: 'a vCPU uses what another vCPU of its guest has cached on the PE',
    upstream:
      'arm/arm64: KVM: Perform local TLB invalidation when multiplexing vcpus on a single CPU, 94d0e5980d67 (v4.10, 2016)',
    configuration: 'guests-toy',
    caughtBy: ['stale-translation', 'freed-page'],
  },
  {
    id: 'A41b-guest-flush-stays-local',
    title: 'an invalidation that a guest means for its PE does not reach where the vCPU ran before',
    upstream: 'second mutant of A41 (zoo, amendment E10): HCR_EL2.FB cleared',
    configuration: 'guests-toy',
    caughtBy: ['stale-translation', 'freed-page'],
  },
  {
    id: 'A42-no-break-before-make',
    title: 'a valid entry is overwritten by another and invalidated afterwards',
    upstream: 'arm/arm64: KVM: Enforce Break-Before-Make on Stage-2 page tables (v4.7, 2016)',
    configuration: 'exclusive-*',
    caughtBy: ['break-before-make'],
  },
  {
    id: 'A43-no-barrier-before-flush',
    title: 'an invalidation is issued before the changed entry is visible to walkers',
    upstream: 'ARM: KVM: add missing dsb before invalidating Stage-2 TLBs (v3.10, 2013)',
    configuration: 'exclusive-toy-delayed',
    caughtBy: ['stale-translation', 'break-before-make', 'freed-table', 'freed-page'],
  },
  {
    id: 'A45-test-young-empty-range',
    title: 'the question whether a page is young visits an empty range',
    upstream: 'KVM: arm/arm64: Fix young bit from mmu notifier (v5.6, 2020)',
    caughtBy: ['accessed-bit'],
  },
  {
    id: 'M03-rights-changed-by-break',
    title: 'a leaf that differs only in rights is broken and made again',
    upstream: 'shape M3 of spec/arm.md 8 (no single commit); 5.10, before 5.11',
    configuration: 'guests-toy',
    caughtBy: ['progress'],
  },
  {
    id: 'M10-unlinked-table-put-twice',
    title: 'a table that became a block is given back by the callback and once more by the map',
    upstream: 'shape M10 of spec/arm.md 8 (no single commit)',
    configuration: 'parallel-*',
    caughtBy: ['reference-counts', 'freed-table'],
  },
  {
    id: 'M13-host-table-walked-with-interrupts',
    title: 'a fault walks the host’s page table with interrupts on, while the host may free it',
    upstream:
      'KVM: arm64: Disable interrupts while walking userspace PTs (v6.3, 2023), shape M13 of spec/arm.md 8',
    configuration: 'parallel-toy-retracted',
    caughtBy: ['freed-table'],
  },
  {
    id: 'M14-cache-filled-under-lock',
    title: 'the page cache is topped up while the MMU lock is held',
    upstream: 'shape M14 of spec/arm.md 8 (no single commit)',
    caughtBy: ['context'],
  },
  {
    id: 'M14b-split-without-pages',
    title: 'a permission fault that splits a block under logging tops up only if it is a write',
    upstream: 'shape M14 of spec/arm.md 8, second half; the rule of 5.10 as specified in 4.2 f2',
    caughtBy: ['abstract-map'],
  },
  {
    id: 'M15-stage1-flush-omitted',
    title: 'the invalidation of a stage-2 entry leaves combined entries alone',
    upstream: 'shape M15 of spec/arm.md 8 (no single commit)',
    caughtBy: ['stale-translation'],
  },
  {
    id: 'M15b-stage1-flush-first',
    title: 'the stage-1 half of an invalidation is issued before the stage-2 half',
    upstream: 'shape M15 of spec/arm.md 8 (no single commit)',
    caughtBy: ['stale-translation'],
  },
  {
    id: 'M15c-no-barrier-between-flushes',
    title: 'nothing waits for the stage-2 half of an invalidation before the stage-1 half starts',
    upstream: 'shape M15 of spec/arm.md 8 (no single commit)',
    caughtBy: ['stale-translation'],
  },
  {
    id: 'M27-roll-over-ignores-running',
    title: 'a roll-over gives the VMID of a guest that goes on running to another',
    upstream: 'shape M27 of spec/arm.md 8 (no single commit)',
    configuration: 'guests-toy-parallel',
    caughtBy: ['vmid'],
  },
  {
    id: 'M28-log-taken-after-protect',
    title: 'the log is taken after the pages were protected and the lock was dropped',
    upstream: 'shape M28 of spec/arm.md 8 (no single commit)',
    caughtBy: ['dirty-log'],
  },
  {
    id: 'M28b-marked-before-lock',
    title: 'a page is marked dirty before the lock under which it becomes writable is taken',
    upstream: 'shape M28 of spec/arm.md 8 (no single commit)',
    caughtBy: ['dirty-log'],
  },
  {
    id: 'M30-linked-by-plain-store',
    title: 'a new table is linked by a plain store, which may be visible before its entries are',
    upstream: 'shape M30 of spec/arm.md 8 (no single commit)',
    configuration: 'exclusive-toy-delayed',
    caughtBy: ['freed-page', 'freed-table', 'table-shape', 'abstract-map', 'stale-translation'],
  },
  {
    id: 'N01-relax-ignores-level',
    title: 'a permission fault is repaired in place although the entry is a block by now',
    upstream:
      'found with this harness in the fault path as specified (spec/arm.md 4.2 f13); not confirmed upstream',
    caughtBy: ['dirty-log'],
    isHidden: true,
  },
  ...VARIANTS,
] as const satisfies readonly Bug[];

export type BugId = (typeof BUGS)[number]['id'];
