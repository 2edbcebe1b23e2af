/**
 * States that runs of the correct model must reach, so that its oracles have seen them: the hazards of spec/arm.md 5.2
 * (growth, recycling), 5.4 (the guest's table changes under a fault), 5.5 and 5.6.
 */
import { Claim, RetryReason } from '../../sim/claims.ts';
import { Event } from '../../sim/event.ts';
import {
  changes,
  type GoalStep,
  locks,
  loses,
  reads,
  step,
  unlocks,
  walks,
} from '../../sim/goal-steps.ts';
import type { Goal } from '../system.ts';
import type { NestedConfiguration } from './configurations.ts';

const retries = (who: string, b: RetryReason): GoalStep =>
  step(who, 'nested-fault.unlock', Event.Claim, { a: Claim.FaultRetry, b });

const isToday = ({ design, hasVncr }: NestedConfiguration): boolean =>
  design === 'today' && !hasVncr;
const hasVncr = (one: NestedConfiguration): boolean => one.hasVncr;

export const GOALS: readonly Goal<NestedConfiguration>[] = Object.freeze([
  {
    id: 'W1-invalidated-under-fault',
    title: 'the guest takes a page away and invalidates it after a fault has read its table',
    steps: [
      reads('a', 'guest-walk.readEntry', 'e'),
      changes('b', 'guest-table.break', 'e'),
      changes('b', 'guest-flush.count'),
      retries('a', RetryReason.Invalidation),
    ],
    isIn: isToday,
  },
  {
    id: 'W2-changed-under-fault',
    title: 'the guest maps a page elsewhere between two reads of the walk that a fault makes',
    steps: [
      reads('a', 'guest-walk.readEntry'),
      changes('b', 'guest-table.make', 'e'),
      reads('a', 'guest-walk.readEntry', 'e'),
    ],
    isIn: isToday,
  },
  {
    id: 'W3-notifier-under-fault',
    title: 'the notifier takes a page away after a fault on a shadow has asked for it',
    steps: [
      reads('a', 'nested-fault.readSequence'),
      changes('b', 'unmap.countSequence'),
      reads('a', 'nested-fault.checkSequence'),
      retries('a', RetryReason.Invalidation),
    ],
  },
  {
    id: 'W4-table-of-shadow-under-walker',
    title: 'a walk that has read a table of a shadow goes on after the table was taken out',
    steps: [
      walks('a', 'walk.level2', 'e'),
      changes('b', 'stage2-unmap.clearTable', 'e'),
      walks('a', 'walk.level3'),
    ],
    isIn: isToday,
  },
  {
    id: 'W5-two-faults-one-shadow',
    title: 'two vCPUs want one entry of a shadow, and one of them loses it',
    steps: [
      reads('a', 'guest-walk.readEntry'),
      changes('b', 'entry.take', 'e'),
      loses('a', 'entry.take', 'e'),
    ],
    isIn: isToday,
  },
  {
    id: 'A1-array-grows-while-held',
    title: 'the array of MMUs is replaced while a vCPU holds an MMU of it',
    steps: [
      changes('a', 'mmu-array.hold'),
      changes('b', 'mmu-array.setArray'),
      changes('a', 'mmu-array.drop'),
    ],
    isIn: isToday,
  },
  {
    id: 'A2-array-grows-while-unmapped',
    title: 'the array is replaced while the notifier has dropped the lock in the middle of it',
    steps: [
      locks('b', 'unmap.lockStart'),
      unlocks('b', 'shadow-unmap.yieldLock'),
      changes('a', 'mmu-array.setArray'),
      locks('b', 'shadow-unmap.retakeLock'),
    ],
    isIn: isToday,
  },
  {
    id: 'A3-given-away-while-unmapped',
    title: 'an MMU is given to another context while the guest’s invalidation has dropped the lock',
    steps: [
      changes('b', 'guest-flush.count'),
      unlocks('b', 'shadow-unmap.yieldLock'),
      changes('a', 'mmu-array.setPending'),
      locks('b', 'shadow-unmap.retakeLock'),
    ],
    isIn: isToday,
  },
  {
    id: 'A4-two-see-to-one-request',
    title: 'two vCPUs find an MMU that has to be emptied, and the second one finds it done',
    steps: [
      changes('a', 'mmu-array.setPending', 'm'),
      reads('b', 'mmu-array.readPending', 'm'),
      changes('a', 'shadow-unmap.setDone', 'm'),
      reads('b', 'shadow-unmap.readPending', 'm'),
    ],
    isIn: isToday,
  },
  {
    id: 'D1-log-starts-under-fault',
    title: 'the dirty log starts after a fault on a shadow has looked whether it runs',
    steps: [
      reads('a', 'nested-fault.readLogging', 'l'),
      changes('b', 'log.publish', 'l'),
      unlocks('a', 'nested-fault.unlock'),
    ],
    isIn: isToday,
  },
  {
    id: 'V1-dropped-while-translated',
    title: 'the guest moves a VNCR page while its translation is under way',
    steps: [
      reads('a', 'vncr.readGuest', 'g'),
      changes('b', 'vncr.changeGuest', 'g'),
      changes('b', 'guest-flush.count'),
      reads('a', 'vncr.checkInvalidations'),
    ],
    isIn: hasVncr,
  },
  {
    id: 'V2-unmapped-by-other',
    title: 'another thread unmaps the VNCR page of a vCPU that has it mapped',
    steps: [changes('a', 'vncr.map', 'p'), changes('b', 'vncr.unmap', 'p')],
    isIn: hasVncr,
  },
]);
