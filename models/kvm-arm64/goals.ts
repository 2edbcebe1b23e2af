/** Meetings that a campaign over kvm-arm64 must have come to: without them it has shown little. */
import type { Goal } from '../system.ts';

export const goals: readonly Goal[] = [
  {
    id: 'notifier-overtakes-fault',
    title: 'the notifier takes a page away after a fault has read the sequence count',
    pairs: [['fault.readSequence', 'unmap.countSequence']],
  },
  {
    id: 'fault-meets-notifier',
    title: 'a fault sees that an invalidation of its page is going on',
    pairs: [['unmap.begin', 'fault.readInProgress']],
  },
  {
    id: 'table-unlinked-under-walker',
    title: 'a table is unlinked right after a hardware walker has read its name',
    pairs: [
      ['walk.level0', 'stage2-unmap.clearTable'],
      ['walk.level1', 'stage2-unmap.clearTable'],
      ['walk.level2', 'stage2-unmap.clearTable'],
      ['walk.level1', 'stage2-map.breakTable'],
      ['walk.level2', 'stage2-map.breakTable'],
    ],
  },
  {
    id: 'walker-meets-busy-entry',
    title: 'a hardware walker reads an entry that a fault has taken',
    pairs: [
      ['entry.take', 'walk.level1'],
      ['entry.take', 'walk.level2'],
      ['entry.take', 'walk.level3'],
    ],
  },
  {
    id: 'fault-loses-entry',
    title: 'another fault takes an entry that a fault has read',
    pairs: [['table-walk.readEntry', 'entry.take']],
  },
  {
    id: 'log-starts-under-fault',
    title: 'the dirty log starts after a fault has looked whether it runs',
    pairs: [['fault.readLogging', 'log.publish']],
  },
  {
    id: 'slot-goes-under-fault',
    title: 'a memory slot goes away after a fault has looked it up',
    pairs: [
      ['fault.readSlot', 'layout.invalidateSlot'],
      ['fault.readSlot', 'layout.removeSlot'],
    ],
  },
];
