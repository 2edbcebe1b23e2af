/** Bug flags of xen-arm: real upstream defects (zoo/x86-xen.md, part X), and findings of the specification's amendments. */
import type { Bug } from '../system.ts';

export const BUGS = [
  {
    id: 'X01a-replaced-without-break',
    title: 'a live entry of a p2m is overwritten by another one, and flushed later',
    upstream:
      'before xen/arm: p2m: Introduce p2m_set_entry and __p2m_set_entry, 2ef3e36ec796 (4.8, 2016)',
    configuration: 'p2m-toy*',
    caughtBy: ['break-before-make'],
  },
  {
    id: 'X01b-split-without-break',
    title: 'a live block is overwritten by the table that takes its place',
    upstream:
      'before xen/arm: p2m: Introduce p2m_set_entry and __p2m_set_entry, 2ef3e36ec796 (4.8, 2016)',
    configuration: 'p2m-toy*',
    caughtBy: ['break-before-make'],
  },
  {
    id: 'X01c-split-level-by-level',
    title: 'a live block is overwritten by a table of smaller blocks, and one of these by the next',
    upstream:
      'before xen/arm: p2m: Introduce p2m_set_entry and __p2m_set_entry, 2ef3e36ec796 (4.8, 2016)',
    configuration: 'p2m-toy*',
    caughtBy: ['break-before-make'],
  },
  {
    id: 'X02-invalid-frame-in-mask',
    title: 'the size of each step of a removal depends on the value that stands for "no frame"',
    upstream: 'xen/arm: p2m: Fix incorrect mapping of superpages, 3fafdc28eb98 (4.9, 2017)',
    configuration: 'p2m-toy*',
    caughtBy: ['abstract-map', 'system-invariant'],
  },
  {
    id: 'X03-removal-keeps-tracked-entry',
    title: 'an entry that hardware does not see survives its removal, and a fault shows it again',
    upstream:
      'xen/arm: p2m: Always clear the P2M entry when the mapping is removed, a428b913a002 (XSA-393, CVE-2022-23033)',
    configuration: 'p2m-toy',
    caughtBy: ['abstract-map', 'freed-page', 'stale-translation'],
  },
  {
    id: 'X04-root-level-as-page-count',
    title: 'tracking hides as many pages of the root as the number of its level',
    upstream: 'xen/arm: p2m: Fix P2M root page tables invalidation, 14c57887f369 (4.21, 2025)',
    configuration: 'p2m-toy-concatenated',
    caughtBy: ['iterator'],
  },
  {
    id: 'X06-freed-before-device-flush',
    title: 'what an entry referred to is freed before the TLBs of devices forget it',
    upstream:
      'xen/arm: p2m: Free the p2m entry after flushing the IOMMU TLBs, 671878779741 (4.13, 2019)',
    configuration: 'p2m-toy-device',
    caughtBy: ['freed-table', 'freed-page'],
  },
  {
    id: 'X07a-dying-not-checked',
    title: 'a mapping is added after a dying domain has given its mappings up',
    upstream: 'xen/arm: p2m: XSA-410, 3ebe773293e3 (4.17, 2022)',
    configuration: 'p2m-toy*',
    caughtBy: ['reference-counts'],
  },
  {
    id: 'X07b-dying-checked-outside-lock',
    title: 'whether the domain is dying is looked at before the lock is taken',
    upstream: 'xen/arm: p2m: XSA-410, 3ebe773293e3 (4.17, 2022), variant',
    configuration: 'p2m-toy',
    caughtBy: ['reference-counts'],
  },
  {
    id: 'X07c-tables-freed-before-root',
    title: 'tables of a dying domain are freed while its root still leads to them',
    upstream: 'xen/arm: p2m: XSA-410, 3202084566bb (4.17, 2022)',
    configuration: 'p2m-toy*',
    caughtBy: ['freed-table'],
  },
  {
    id: 'X09a-failed-set-not-flushed',
    title: 'setting a range of a p2m fails half way and leaves without its flush',
    upstream:
      'xen/arm: p2m: Flush TLBs on the error path of apply_p2m_changes, 1ec2fa626f71 (4.7, 2015)',
    configuration: 'p2m-toy-tight',
    caughtBy: ['stale-translation'],
  },
  {
    id: 'X10-walk-keeps-lower-tables',
    title: 'a range walk uses a lower table again when the level above it has moved on',
    upstream:
      'xen/arm: p2m: avoid reusing incorrect mappings when walking the p2m, 964fd5a99c13 (4.5, 2014)',
    configuration: 'p2m-toy',
    caughtBy: ['abstract-map'],
  },
  {
    id: 'X11a-flush-only-here',
    title: 'changes of a p2m are flushed on the PE that makes them only',
    upstream: 'xen/arm: flush TLBs of all PEs after a change of the p2m, c938f5414b2b (4.4, 2014)',
    configuration: 'p2m-toy*',
    caughtBy: ['stale-translation'],
  },
  {
    id: 'X11b-vcpus-share-translations',
    title: 'a vCPU uses what another one of its domain has cached on the PE, whatever its stage 1',
    upstream:
      'xen/arm: p2m: Perform local TLB invalidation on vCPU migration, 607ad85d85f4 (4.9, 2017)',
    configuration: 'p2m-toy-shared',
    caughtBy: ['stale-translation'],
  },
  {
    id: 'X12-vmid-reused-unflushed',
    title: 'a VMID goes from a dead domain to a new one with what was cached under it',
    upstream: 'xen/arm: flush TLB by VMID when a new domain is created, 80ede1ac29b9 (4.4, 2013)',
    configuration: 'p2m-toy*',
    caughtBy: ['stale-translation'],
  },
  {
    id: 'X14-failed-removal-ignored',
    title: 'a page is freed although it could not be removed from the p2m',
    upstream: 'xen/arm: memory: XSA-222, a0cce6048d01 (4.10, 2017)',
    configuration: 'p2m-toy-tight',
    caughtBy: ['freed-page', 'abstract-map'],
  },
  {
    id: 'E20-same-frame-not-freed',
    title:
      'a mapping that is replaced by one of the same frame is counted twice, and so is its page',
    upstream:
      'amendment E20 of the specification, Xen at c447b7308b: old entries are freed only when the frame changes; not reported',
    configuration: 'p2m-toy*',
    caughtBy: ['system-invariant', 'reference-counts'],
  },
  {
    id: 'E23-failed-split-puts-pages',
    title: 'a block of another domain’s pages loses its references when it cannot be split',
    upstream:
      'amendment E23 of the specification, Xen at c447b7308b: the block stays mapped; not reported',
    configuration: 'p2m-toy-tight',
    caughtBy: ['reference-counts', 'freed-page'],
  },
  {
    id: 'X09b-failed-update-not-flushed',
    title: 'an update of the hypervisor’s own tables that fails half way leaves without its flush',
    upstream:
      'xen/arm: mm: Flush the TLBs even if a mapping failed in create_xen_entries, a189ef027dbb (4.13, 2019)',
    configuration: 'pt-toy*',
    caughtBy: ['stale-translation'],
  },
  {
    id: 'X15-update-without-lock',
    title: 'two PEs update the hypervisor’s own tables at the same time',
    upstream:
      'xen/arm: mm: Protect Xen page-table update with a spinlock, 36a1c7c213e1 (4.13, 2019)',
    configuration: 'pt-toy-untold',
    caughtBy: ['abstract-map', 'reference-counts', 'break-before-make'],
  },
  {
    id: 'X16-insert-not-synchronised',
    title: 'a PE that has inserted a mapping does not synchronise, and may fault on it',
    upstream: 'xen/arm: pt: Add missing ISB in xen_pt_update(), c16460ff073b (4.18, 2023)',
    configuration: 'pt-toy-delayed',
    caughtBy: ['stale-translation'],
  },
  {
    id: 'X17-block-becomes-table',
    title: 'a block in the way of an update is replaced by an empty table',
    upstream:
      'before xen/arm: mm: Rework Xen page-tables walk during update, 53abb9a1dcd9 (4.13, 2019)',
    configuration: 'pt-toy*',
    caughtBy: ['abstract-map', 'break-before-make'],
  },
  {
    id: 'E25-failed-insert-leaves-group',
    title: 'an insert that fails in the middle of a contiguous group leaves a part of it for good',
    upstream:
      'amendment E25 of the specification (OBS-1), Xen at c447b7308b: the part can be neither modified nor removed; not reported',
    configuration: 'pt-toy*',
    caughtBy: ['system-invariant'],
  },
  {
    id: 'R01-size-in-alignment-mask',
    title: 'a request whose size is no multiple of a block is mapped with pages from its start',
    upstream:
      'xen/arm: mm: Allow other mapping size in xen_pt_update_entry(), RFC of November 2020 (seed document 002)',
    configuration: 'pt-rfc',
    caughtBy: ['abstract-map'],
  },
] as const satisfies readonly Bug[];

export type BugId = (typeof BUGS)[number]['id'];
