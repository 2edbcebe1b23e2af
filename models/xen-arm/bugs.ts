/** Bug flags of xen-arm: real upstream defects (zoo/x86-xen.md, part X), and findings of the specification's amendments. */
import type { Bug } from '../system.ts';

export const BUGS = [
  {
    id: 'X09b-failed-update-not-flushed',
    title: 'an update of the hypervisor’s own tables that fails half way leaves without its flush',
    upstream:
      'xen/arm: mm: Flush the TLBs even if a mapping failed in create_xen_entries, a189ef027dbb (4.13, 2019)',
    configuration: 'pt-*',
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
    configuration: 'pt-*',
    caughtBy: ['abstract-map', 'break-before-make'],
  },
  {
    id: 'E25-failed-insert-leaves-group',
    title: 'an insert that fails in the middle of a contiguous group leaves a part of it for good',
    upstream:
      'amendment E25 of the specification (OBS-1), Xen at c447b7308b: the part can be neither modified nor removed; not reported',
    configuration: 'pt-*',
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
