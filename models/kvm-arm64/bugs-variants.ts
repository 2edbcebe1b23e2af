/** Bug flags of kvm-arm64 that no entry of the zoo has: what the specification says, left out or done otherwise. */
import type { Bug } from '../system.ts';

export const VARIANTS = [
  {
    id: 'V01-unlinked-table-freed-at-once',
    title: 'a table that became a block is freed while other faults may still walk it',
    upstream: 'variant of spec/arm.md 3.5 (no single commit)',
    configuration: 'parallel-*',
    caughtBy: ['freed-table', 'reference-counts'],
  },
  {
    id: 'V02-clear-drops-later-marks',
    title: 'clearing the log drops marks that were made after it was reported',
    upstream: 'variant of spec/arm.md 4.5, clear (no single commit)',
    configuration: 'parallel-toy-layout',
    caughtBy: ['dirty-log'],
  },
  {
    id: 'V03-active-number-stored',
    title: 'a guest that is entered during a roll-over keeps its old VMID unnoticed',
    upstream: 'variant of spec/arm.md 1.13, load path (no single commit)',
    configuration: 'guests-toy-parallel',
    caughtBy: ['vmid'],
  },
  {
    id: 'V04-device-executable',
    title: 'the guest may execute a page of a device',
    upstream: 'variant of spec/arm.md 4.2 f8 (no single commit)',
    configuration: 'exclusive-toy-device',
    caughtBy: ['permissions'],
  },
  {
    id: 'V05-device-as-memory',
    title: 'a fault maps a page of a device as memory',
    upstream: 'variant of spec/arm.md 4.2 f12 (no single commit)',
    configuration: 'exclusive-toy-device',
    caughtBy: ['permissions', 'break-before-make'],
  },
  {
    id: 'V06-right-of-host-page-given',
    title: 'a page of a read-only slot is mapped with the right to write that its host page has',
    upstream: 'variant of spec/arm.md 4.1 step 5 and 4.2 f7 (no single commit)',
    configuration: 'parallel-toy-read-only',
    caughtBy: ['freed-page'],
  },
  {
    id: 'V07-table-walk-counts-as-write',
    title:
      'every fault of the guest’s stage-1 walker is taken for a write, so no slot for reading can hold its tables',
    upstream: 'KVM: arm64: Fix S1PTW handling on RO memslots (v6.2, 2022), amendment E27',
    configuration: 'parallel-toy-read-only',
    caughtBy: ['abstract-map'],
  },
  {
    id: 'V08-slot-moved-under-faults',
    title: 'a slot is moved without waiting for faults that found it where it was',
    upstream: 'variant of spec/arm.md 3.1 and 4.1 step 4 (no single commit)',
    configuration: 'parallel-toy-moves',
    caughtBy: ['freed-page'],
  },
  {
    id: 'V09-dirty-state-overwritten',
    title:
      'a leaf that hardware may mark as written is changed by a plain store, which loses the mark',
    upstream: 'variant of spec/arm.md 1.9, updates of leaves with DBM (no single commit)',
    configuration: 'exclusive-toy-dbm',
    caughtBy: ['abstract-map', 'dirty-log'],
  },
  {
    id: 'V10-dirty-state-unmapped',
    title: 'a leaf is unmapped, and what hardware found in it is not marked',
    upstream: 'variant of spec/arm.md 1.9 and 4.5 (no single commit)',
    configuration: 'exclusive-toy-dbm',
    caughtBy: ['dirty-log'],
  },
] as const satisfies readonly Bug[];
