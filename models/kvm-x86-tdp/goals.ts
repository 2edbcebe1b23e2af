/**
 * What campaigns over kvm-x86-tdp must have come to: the properties of the iterator (A4 I1-I5), the rows of
 * the flush obligations (A15), and the races that the zoo names.
 */
import { Claim } from '../../sim/claims.ts';
import { Event } from '../../sim/event.ts';
import { changes, locks, loses, reads, step, unlocks, uses, walks } from '../../sim/goal-steps.ts';
import type { Goal } from '../system.ts';
import type { TdpConfiguration } from './configurations.ts';
import { RetryReason } from './fault.ts';
import { NONE } from './spte.ts';

/** Looks of a walk at an entry that it may work on. */
const LOOKS = ['iterator.readRoot', 'iterator.readChild', 'iterator.readNext'];
const LEAVES = ['walk.level1', 'walk.level2', 'walk.level3'];

/** Large pages are split because they may not be executable, by rule or in some runs. */
const mitigates = ({ alwaysMitigates, parameters }: TdpConfiguration): boolean =>
  alwaysMitigates || parameters.some(({ name }) => name === 'nx');

const OF_TODAY: readonly Goal<TdpConfiguration>[] = [
  {
    id: 'I1-entry-made-under-walk',
    title: 'an entry is made after a walk has read it and gone on',
    steps: [
      reads('a', LOOKS, 'e'),
      reads('a', 'iterator.readNext'),
      changes('b', 'entry.set', 'e'),
      reads('a', 'iterator.readNext'),
    ],
  },
  {
    id: 'I2-restart-finds-a-change',
    title: 'a walk restarts at a root entry that somebody changed while the lock was given up',
    steps: [
      reads('a', LOOKS, 'e'),
      unlocks('a', 'iterator.dropLock'),
      changes('b', ['entry.set', 'entry.exchange', 'entry.store'], 'e'),
      reads('a', 'iterator.readRoot', 'e'),
    ],
  },
  {
    id: 'I3-walks-give-way-in-turns',
    title: 'two walks give way to each other, and both go on',
    steps: [
      unlocks('a', 'iterator.dropLock'),
      unlocks('b', 'iterator.dropLock'),
      locks('a', 'iterator.retakeLock'),
      reads('a', 'iterator.readNext'),
      locks('b', 'iterator.retakeLock'),
      reads('b', 'iterator.readNext'),
    ],
  },
  {
    id: 'I4-walk-goes-on-after-a-change',
    title: 'a walk that gave way goes on to an entry that was changed meanwhile',
    steps: [
      unlocks('a', 'iterator.dropLock'),
      changes('b', ['entry.set', 'entry.exchange'], 'e'),
      reads('a', ['iterator.readChild', 'iterator.readNext'], 'e'),
    ],
  },
  {
    id: 'I5-exchange-fails',
    title: 'an entry is changed between the look of a walk and its compare-exchange',
    steps: [reads('a', LOOKS, 'e'), changes('b', 'entry.set', 'e'), loses('a', 'entry.set', 'e')],
  },
  {
    id: 'flush-none-to-leaf',
    title: 'an entry is made after a hardware walker has found it empty',
    steps: [
      step('a', LEAVES, Event.WalkRead, { on: 'e', b: NONE }),
      changes('b', 'entry.set', 'e'),
    ],
  },
  {
    id: 'flush-leaf-to-none',
    title: 'a leaf goes after a hardware walker has read it, and the walker uses it',
    steps: [
      walks('a', LEAVES, 'e'),
      changes('b', ['entry.store', 'entry.exchange'], 'e'),
      uses('a'),
    ],
  },
  {
    id: 'flush-table-cut-out',
    title: 'a table is cut out after a hardware walker has entered it',
    steps: [
      walks('a', 'walk.level2', 'e'),
      changes('b', ['entry.set', 'entry.exchange', 'entry.store'], 'e'),
      walks('a', 'walk.level3'),
      changes('b', 'detach.freeze'),
    ],
  },
  {
    id: 'flush-write-protect',
    title: 'a leaf is write-protected after a hardware walker has read it',
    steps: [
      changes('b', 'log.takeMarks'),
      walks('a', LEAVES, 'e'),
      changes('b', ['entry.clear', 'entry.store'], 'e'),
      unlocks('b', 'log.unlock'),
    ],
  },
  {
    id: 'flush-accessed',
    title:
      'an accessed flag is cleared after the hardware has set it and before the access is made',
    steps: [changes('a', 'walk.setAccessed', 'e'), changes('b', 'age.clear', 'e'), uses('a')],
    isIn: ({ hardwareAccessed }) => hardwareAccessed,
  },
  {
    id: 'flush-write-added',
    title: 'a leaf becomes writable after a hardware walker has read it',
    steps: [walks('a', LEAVES, 'e'), changes('b', 'fast-fault.fix', 'e')],
  },
  {
    id: 'K04-reference-dropped-by-two',
    title: 'two drop their reference of one root',
    steps: [changes('a', 'root.put', 'r'), changes('b', 'root.put', 'r')],
  },
  {
    id: 'K07-victim-gone',
    title: 'recovery finds the parent entry of its victim changed',
    steps: [changes('b', 'entry.set', 'e'), reads('a', 'nx-recovery.readEntry', 'e')],
    isIn: mitigates,
  },
  {
    id: 'K11-unmap-meets-invalid-root',
    title: 'a range is removed from a root that has become invalid',
    steps: [changes('b', 'root-invalidate.invalidate', 'r'), reads('a', 'zap.readInvalid', 'r')],
  },
  {
    id: 'K12-fault-meets-invalid-root',
    title: 'a fault finds that its root has become invalid',
    steps: [changes('b', 'root-invalidate.invalidate', 'r'), reads('a', 'fault.readInvalid', 'r')],
  },
  {
    id: 'K13-sequence-moved',
    title: 'an invalidation ends between the snapshot of a fault and its check',
    steps: [
      reads('a', 'fault.readSequence', 's'),
      changes('b', 'unmap.countSequence', 's'),
      reads('a', 'fault.checkSequence', 's'),
    ],
  },
  {
    id: 'K16-candidate-zapped',
    title: 'a table is taken apart before the fault that made it lists it',
    steps: [changes('b', 'detach.clearFlag', 'f'), reads('a', 'map.checkDisallowed', 'f')],
    isIn: mitigates,
  },
  {
    id: 'K18-entry-changed-before-descent',
    title: 'an entry is changed between the look of a walk and its step down',
    steps: [
      reads('a', LOOKS, 'e'),
      changes('b', ['entry.set', 'entry.store'], 'e'),
      reads('a', 'iterator.reread', 'e'),
    ],
  },
  {
    id: 'K19-write-restored-under-walk',
    title:
      'the fast path makes a leaf writable between the look of an exclusive writer and its exchange',
    steps: [
      reads('a', LOOKS, 'e'),
      changes('b', 'fast-fault.fix', 'e'),
      changes('a', ['entry.exchange', 'entry.store'], 'e'),
    ],
  },
  {
    id: 'K22-log-starts-before-drain',
    title: 'logging starts or stops before a vCPU empties its hardware log',
    steps: [changes('b', 'log.publish', 'l'), reads('a', 'write-log.readLogging', 'l')],
    isIn: ({ writeLog }) => writeLog > 0,
  },
  {
    id: 'E09-frozen-entry-aged',
    title: 'an entry is frozen between the look of aging and its change',
    steps: [
      reads('a', LOOKS, 'e'),
      changes('b', 'detach.freeze', 'e'),
      changes('a', 'age.clear', 'e'),
    ],
    // before, aging has the lock to itself
    isIn: ({ generation, hardwareAccessed }) => generation === '6.17' && hardwareAccessed,
  },
  {
    id: 'mmio-left-to-user-at-once',
    title: 'one vCPU makes an MMIO entry, and another is left to user space on the word of one',
    steps: [
      step('b', 'mmio.unlock', Event.Claim, { a: Claim.AccessEmulated }),
      step('a', 'mmio.readGeneration', Event.Claim, { a: Claim.AccessEmulated }),
    ],
    isIn: ({ hasMmio }) => hasMmio,
  },
  {
    id: 'mmio-old-entry-made-anew',
    title: 'a fault meets an MMIO entry of another generation, and makes one of this',
    steps: [
      reads('a', 'mmio.readGeneration', 'slots'),
      reads('a', 'mmio.readSlots', 'slots'),
      step('a', 'mmio.unlock', Event.Claim, { a: Claim.AccessEmulated }),
    ],
    isIn: ({ hasMmio }) => hasMmio,
  },
  {
    id: 'mmio-memory-comes-under-fault',
    title: 'memory comes while a fault that has seen none is about to say so in an entry',
    steps: [
      reads('a', 'mmio.readSlots', 'slots'),
      changes('b', 'edge-slot.publish', 'slots'),
      changes('a', 'entry.set'),
    ],
    isIn: ({ hasMmio }) => hasMmio,
  },
  {
    id: 'mmio-finds-newer-leaf',
    title: 'a fault that has seen no memory finds it mapped by one that has, and gives up',
    steps: [
      reads('a', 'mmio.readSlots', 'slots'),
      changes('b', 'edge-slot.publish', 'slots'),
      step('a', 'mmio.unlock', Event.Claim, { a: Claim.FaultRetry, b: RetryReason.Changed }),
    ],
    isIn: ({ hasMmio }) => hasMmio,
  },
  {
    id: 'mmio-generations-begin-anew',
    title: 'generations of the slots begin anew, and every entry goes',
    steps: [changes('b', 'edge-slot.publish'), locks('b', 'edge-slot.lock')],
    isIn: ({ hasMmio }) => hasMmio,
  },
];

/** Nothing is asked of the form of 2020. */
export const GOALS: readonly Goal<TdpConfiguration>[] = Object.freeze(
  OF_TODAY.map((goal) => ({
    ...goal,
    isIn: (one: TdpConfiguration) => !one.isOf2020 && (goal.isIn === undefined || goal.isIn(one)),
  })),
);
