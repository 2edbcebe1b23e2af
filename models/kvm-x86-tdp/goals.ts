/**
 * Meetings that a campaign over kvm-x86-tdp must have come to: the properties of the iterator (A4 I1-I5), the
 * rows of the flush obligations (A15), and the races that the zoo names.
 */
import type { Goal } from '../system.ts';

/** Reached when one of the pairs of sites met: two actors, one object, the first before the second. */
interface Meeting extends Goal {
  readonly pairs: readonly (readonly [before: string, after: string])[];
}

export const GOALS: readonly Meeting[] = Object.freeze([
  {
    id: 'I1-entry-made-under-walk',
    title: 'an entry is made after a walk has read it and gone on',
    pairs: [
      ['iterator.readNext', 'entry.set'],
      ['iterator.readChild', 'entry.set'],
    ],
  },
  {
    id: 'I2-restart-finds-a-change',
    title: 'a walk restarts at a root entry that somebody changed meanwhile',
    pairs: [['entry.set', 'iterator.readRoot']],
  },
  {
    id: 'I3-walkers-give-way',
    title: 'a walk gives its lock to another that gave way before',
    pairs: [['iterator.dropLock', 'iterator.retakeLock']],
  },
  {
    id: 'I4-walk-goes-on-after-a-change',
    title: 'a walk goes on to an entry that somebody has just changed',
    pairs: [
      ['entry.set', 'iterator.readNext'],
      ['entry.exchange', 'iterator.readNext'],
    ],
  },
  {
    id: 'I5-exchange-fails',
    title: 'an entry is changed between the look of a walk and its compare-exchange',
    pairs: [['entry.set', 'entry.set']],
  },
  {
    id: 'flush-none-to-leaf',
    title: 'an entry is made after a hardware walker has found it empty',
    pairs: [
      ['walk.level3', 'entry.set'],
      ['walk.level2', 'entry.set'],
    ],
  },
  {
    id: 'flush-leaf-to-none',
    title: 'a leaf goes after a hardware walker has read it',
    pairs: [
      ['walk.level3', 'entry.store'],
      ['walk.level3', 'entry.exchange'],
      ['walk.setAccessed', 'entry.store'],
    ],
  },
  {
    id: 'flush-table-cut-out',
    title: 'a table is cut out after a hardware walker has entered it',
    pairs: [
      ['walk.level3', 'detach.freeze'],
      ['walk.level3', 'detach.store'],
    ],
  },
  {
    id: 'flush-write-protect',
    title: 'a leaf is write-protected after a hardware walker has read it',
    pairs: [
      ['walk.level3', 'entry.clear'],
      ['walk.level3', 'entry.set'],
    ],
  },
  {
    id: 'flush-accessed',
    title: 'an accessed flag is cleared right after the hardware has set it',
    pairs: [['walk.setAccessed', 'age.clear']],
  },
  {
    id: 'flush-write-added',
    title: 'a leaf becomes writable after a hardware walker has read it',
    pairs: [['walk.level3', 'fast-fault.fix']],
  },
  {
    id: 'K04-reference-dropped-by-two',
    title: 'two drop their reference of one root',
    pairs: [['root.put', 'root.put']],
  },
  {
    id: 'K07-victim-gone',
    title: 'recovery finds the parent entry of its victim changed',
    pairs: [['entry.set', 'nx-recovery.readEntry']],
  },
  {
    id: 'K11-unmap-meets-invalid-root',
    title: 'a range is removed from a root that has just become invalid',
    pairs: [['root-invalidate.invalidate', 'zap.readInvalid']],
  },
  {
    id: 'K12-fault-meets-invalid-root',
    title: 'a fault finds that its root has just become invalid',
    pairs: [['root-invalidate.invalidate', 'fault.readInvalid']],
  },
  {
    id: 'K13-sequence-moved',
    title: 'an invalidation ends between the snapshot of a fault and its check',
    pairs: [['unmap.countSequence', 'fault.checkSequence']],
  },
  {
    id: 'K16-candidate-zapped',
    title: 'a table is taken apart before the fault that made it lists it',
    pairs: [['detach.clearFlag', 'map.checkDisallowed']],
  },
  {
    id: 'K18-entry-changed-before-descent',
    title: 'an entry is changed between the look of a fault and its step down',
    pairs: [
      ['entry.set', 'iterator.reread'],
      ['entry.store', 'iterator.reread'],
    ],
  },
  {
    id: 'K19-write-restored-under-walk',
    title: 'the fast path makes a leaf writable before an exclusive writer replaces it',
    pairs: [
      ['fast-fault.fix', 'entry.exchange'],
      ['fast-fault.fix', 'entry.store'],
    ],
  },
  {
    id: 'K22-log-starts-before-drain',
    title: 'logging starts or stops before a vCPU empties its hardware log',
    pairs: [['log.publish', 'write-log.readLogging']],
  },
  {
    id: 'E09-frozen-entry-aged',
    title: 'an entry is frozen right before aging clears its accessed flag',
    pairs: [['detach.freeze', 'age.clear']],
  },
]);
