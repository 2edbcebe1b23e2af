/** Bug flags of pkvm: real upstream defects (zoo/arm.md) and shapes of spec/arm.md 8. */
import type { Bug } from '../system.ts';

export const BUGS = [
  {
    id: 'A17-destroy-drops-table-in-use',
    title: 'a tree that is destroyed in pieces loses a table that has entries left',
    upstream:
      'Reverted in 6.17: Split kvm_pgtable_stage2_destroy; KVM: arm64: Only drop references on empty tables, 156f70afcfec (v6.19, 2025)',
    configuration: 'pkvm-toy',
    caughtBy: ['freed-table', 'reference-counts'],
  },
  {
    id: 'A46-root-counted-as-one',
    title: 'the second page of a root of two is not counted for itself',
    upstream: 'KVM: arm64: Fix host stage-2 PGD refcount (v5.15, 2021)',
    configuration: 'pkvm-toy',
    caughtBy: ['reference-counts', 'freed-table'],
  },
  {
    id: 'A47-pin-kept-after-failure',
    title: 'a vCPU that cannot be set up leaves its page pinned',
    upstream:
      'KVM: arm64: Fix pin leak and publication ordering in __pkvm_init_vcpu, 73b9c1e5da84 (v7.1, 2026)',
    configuration: 'pkvm-toy',
    caughtBy: ['system-invariant', 'ownership'],
  },
  {
    id: 'A47b-published-before-ready',
    title:
      'a vCPU is published by a plain store: who loads it may not find what it was set up with',
    upstream:
      'KVM: arm64: Fix pin leak and publication ordering in __pkvm_init_vcpu, 73b9c1e5da84 (v7.1, 2026)',
    configuration: 'pkvm-toy-vcpus',
    caughtBy: ['progress', 'content', 'ownership'],
  },
  {
    id: 'A48-offered-page-misaligned',
    title: 'a page for tables is cleared from where the host points to, in the middle of a page',
    upstream: 'KVM: arm64: Fix alignment of kvm_hyp_memcache allocations (v6.14, 2025)',
    configuration: 'pkvm-toy',
    caughtBy: ['ownership'],
  },
  {
    id: 'A49a-root-referenced-after-failure',
    title: 'a guest that is not made gives its root pages back while they are referenced',
    upstream: 'KVM: arm64: VM-init error path, 20d2753295b1 (v7.2, 2026)',
    configuration: 'pkvm-toy',
    caughtBy: ['reference-counts', 'ownership'],
  },
  {
    id: 'A50-only-first-page-checked',
    title: 'of a range that changes hands only the first page is checked to be memory',
    upstream:
      'KVM: arm64: Fix memory check in host_stage2_set_owner_locked, 3949e28786cd (v6.15, 2025)',
    configuration: 'pkvm-toy',
    caughtBy: ['ownership'],
  },
  {
    id: 'A51-unmapped-device-donated',
    title: 'what the host has not mapped changes hands although it is no memory',
    upstream:
      'KVM: arm64: Prevent unconditional donation of unmapped regions from the host, CVE-2023-21264 (v6.4, 2023)',
    configuration: 'pkvm-toy',
    caughtBy: ['ownership'],
  },
  {
    id: 'A54-stacks-left-to-the-host',
    title: 'the stacks of the hypervisor, mapped apart from their pages, stay the host’s',
    upstream:
      'KVM: arm64: Transfer the hyp stack pages out of the host stage-2, 3a8c562892b9 (7.3-rc, 2026)',
    configuration: 'boot-toy',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'A58-spurious-abort-is-fatal',
    title: 'an abort that another CPU has repaired meanwhile stops the hypervisor',
    upstream: 'Ghost in the Android Shell (SOSP 2025): host page-fault race',
    configuration: 'pkvm-toy',
    caughtBy: ['progress'],
  },
  {
    id: 'A55-aliases-visited',
    title: 'what is mapped a second time, without a mark, is taken for the hypervisor’s own',
    upstream: 'KVM: arm64: Fix host stage-2 finalization (v5.16, 2021)',
    configuration: 'boot-toy-sections',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'A57-handle-known-at-first-run',
    title:
      'the host has a guest flushed by a handle that it is told only when the guest runs first',
    upstream: 'KVM: arm64: Reserve pKVM handle during pkvm_init_host_vm (about v6.18, 2025)',
    configuration: 'pkvm-toy-logged',
    caughtBy: ['context', 'stale-translation'],
  },
  {
    id: 'A59-flush-request-rejected',
    title: 'the flush on which write protection relies is rejected, and nobody notices',
    upstream: 'Android common 6.6 (third-party analysis; a design hazard)',
    configuration: 'pkvm-toy-logged',
    caughtBy: ['dirty-log'],
  },
  {
    id: 'M18-counts-not-fixed',
    title: 'entries made before the pool was there are never counted',
    upstream: 'shape M18 of spec/arm.md 8; KVM: arm64: Fixup hyp stage-1 refcount (v5.17)',
    configuration: 'pkvm-toy',
    caughtBy: ['freed-table', 'reference-counts'],
  },
  {
    id: 'M20a-shared-before-cache-check',
    title: 'a page is written down as shared before the last check, which fails',
    upstream: 'shape M20 of spec/arm.md 8',
    configuration: 'pkvm-toy',
    caughtBy: ['ownership'],
  },
  {
    id: 'M20b-cache-not-checked',
    title: 'nobody checks that there are pages for tables before a page is given to a guest',
    upstream: 'shape M20 of spec/arm.md 8',
    configuration: 'pkvm-toy',
    caughtBy: ['ownership'],
  },
  {
    id: 'M21-unshare-of-any-shared-page',
    title: 'a share with the secure world can be ended that is one with somebody else',
    upstream: 'shape M21 of spec/arm.md 8',
    configuration: 'pkvm-toy',
    caughtBy: ['ownership'],
  },
  {
    id: 'V01-unshare-ignores-pins',
    title: 'a shared page on which the hypervisor relies is unshared',
    upstream: 'variant: the check of 6.7 left out',
    configuration: 'pkvm-toy',
    caughtBy: ['ownership'],
  },
  {
    id: 'V02-returned-uncleared',
    title: 'a page of a protected guest goes back to the host with what it holds',
    upstream: 'variant: the clearing of 6.7 left out',
    configuration: 'pkvm-toy',
    caughtBy: ['content'],
  },
  {
    id: 'A49b-order-of-adopted-page-kept',
    title: 'a page that enters a pool from outside keeps the order that its record had before',
    upstream: 'KVM: arm64: Reset page order in pKVM hyp_pool, 6835fbed39bb (v7.2, 2026)',
    configuration: 'pool-*',
    caughtBy: ['system-invariant', 'reference-counts', 'ownership'],
  },
  {
    id: 'A52-max-order-too-small',
    title: 'the largest order of a pool is one too small when its size is a power of two',
    upstream: 'KVM: arm64: pkvm: Fix hyp_pool max order (v5.17, 2021)',
    configuration: 'pool-8-exclusive',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'M19a-buddy-beyond-the-end',
    title: 'a free block is joined with a page that lies beyond the end of the pool',
    upstream: 'shape M19 of spec/arm.md 8',
    configuration: 'pool-7',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'M19b-buddy-of-another-order',
    title: 'a free block is joined with a neighbour of another size',
    upstream: 'shape M19 of spec/arm.md 8',
    configuration: 'pool-*',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'M17a-instructions-not-waited-for',
    title: 'the switch does not wait for the invalidation of its instruction cache',
    upstream: 'seed document 004: review of March 2021; shape M17',
    configuration: 'boot-toy',
    caughtBy: ['cache-maintenance'],
  },
  {
    id: 'M17b-nothing-before-mmu-on',
    title: 'nothing stands between the new root and turning the MMU on',
    upstream: 'amendment E23 of spec/arm.md: the form that was merged',
    configuration: 'boot*',
    caughtBy: ['break-before-make'],
  },
  {
    id: 'M17c-mmu-on-not-synchronised',
    title: 'instructions are invalidated before the MMU is known to be on',
    upstream: 'seed document 004: review of March 2021; shape M17',
    configuration: 'boot-toy-delayed',
    caughtBy: ['cache-maintenance'],
  },
  {
    id: 'V03-finalised-without-lock',
    title: 'the pool begins and counts are made up for without the lock of the tables',
    upstream: 'seed document 004: what if a second CPU enters meanwhile',
    configuration: 'boot-toy',
    // needs four operations around one moment of a long boot: kept as a case
    isHidden: true,
    caughtBy: ['reference-counts', 'freed-table', 'system-invariant', 'table-shape'],
  },
  {
    id: 'V04-pool-freed-after-switch',
    title: 'the host frees what it reserved when initialisation fails after the switch',
    upstream: 'seed document 004: what the host may free then',
    configuration: 'boot-toy',
    caughtBy: ['freed-table'],
  },
  {
    id: 'V05-mapped-before-finalised',
    title: 'a CPU that came in early has pages mapped by the early allocator',
    upstream: 'seed document 004: what if a second CPU enters meanwhile',
    configuration: 'boot-toy',
    caughtBy: ['reference-counts', 'freed-table', 'system-invariant', 'table-shape'],
  },
] as const satisfies readonly Bug[];

export type BugId = (typeof BUGS)[number]['id'];
