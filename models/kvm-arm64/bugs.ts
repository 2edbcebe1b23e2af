/** Bug flags of kvm-arm64: real upstream defects (zoo/arm.md) and shapes of spec/arm.md 8. */
import type { Bug } from '../system.ts';

export const BUGS = [
  {
    id: 'A03-coalesce-flushes-one-ipa',
    title: 'replacing a table by a block invalidates one input page instead of the whole table',
    upstream: 'KVM: arm64: Fix handling of merging tables into a block entry (v5.10, 2020)',
    caughtBy: ['break-before-make', 'stale-translation', 'freed-table'],
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
    caughtBy: ['reference-counts'],
  },
  {
    id: 'A14-root-kept-across-lock-break',
    title: 'a long range operation goes on with its old root after it dropped the lock',
    upstream: 'kvm: arm/arm64: Fix use after free of stage2 page table, 0c428a6a9256 (v4.12, 2017)',
    caughtBy: ['freed-table'],
  },
  {
    id: 'A16-release-leaves-tables',
    title: 'when the owner exits, its pages are freed while stage 2 still maps them',
    upstream: 'kvm-arm: Unmap shadow pagetables properly, 293f293637b5 (v4.9, 2016)',
    caughtBy: ['freed-page', 'abstract-map'],
  },
  {
    id: 'A20-table-level-as-hint',
    title: 'removing a table passes its own level as the hint of the invalidation',
    upstream:
      "KVM: arm64: Don't pass a TLBI level hint when zapping table entries, 36e008323926 (v6.9, 2024)",
    caughtBy: ['stale-translation', 'freed-table'],
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
    caughtBy: ['progress'],
  },
  {
    id: 'A26-block-over-table',
    title: 'a block is installed over a table as if it were a leaf',
    upstream: 'KVM: arm/arm64: Fix handling of stage2 huge mappings, 3c3736cd32bf (v5.1, 2019)',
    caughtBy: ['reference-counts', 'break-before-make', 'stale-translation'],
  },
  {
    id: 'A42-no-break-before-make',
    title: 'a valid entry is overwritten by another and invalidated afterwards',
    upstream: 'arm/arm64: KVM: Enforce Break-Before-Make on Stage-2 page tables (v4.7, 2016)',
    caughtBy: ['break-before-make'],
  },
  {
    id: 'A45-test-young-empty-range',
    title: 'the question whether a page is young visits an empty range',
    upstream: 'KVM: arm/arm64: Fix young bit from mmu notifier (v5.6, 2020)',
    caughtBy: ['accessed-bit'],
  },
  {
    id: 'M14-cache-filled-under-lock',
    title: 'the page cache is topped up while the MMU lock is held',
    upstream: 'shape M14 of spec/arm.md 8 (no single commit)',
    caughtBy: ['context'],
  },
  {
    id: 'M14b-split-without-pages',
    title:
      'a permission fault that splits a block under logging does not top up unless it is a write',
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
    title:
      'nothing waits for the stage-2 half of an invalidation before the stage-1 half is issued',
    upstream: 'shape M15 of spec/arm.md 8 (no single commit)',
    caughtBy: ['stale-translation'],
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
    id: 'N01-relax-ignores-level',
    title:
      'a permission fault is repaired in place although the entry has become a block meanwhile',
    upstream:
      'found with this harness in the fault path as specified (spec/arm.md 4.2 f13); not confirmed upstream',
    caughtBy: ['dirty-log'],
    isHidden: true,
  },
] as const satisfies readonly Bug[];

export type BugId = (typeof BUGS)[number]['id'];
