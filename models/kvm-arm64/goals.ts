/**
 * States that runs of the correct model must reach, so that its oracles have seen them: the interleavings of
 * spec/arm.md 3.6 (P), the directed schedules of 8 (L), other meetings of a fault (M), and what several guests do to
 * each other (G).
 *
 * L1 to L3 and L8 are about single stores and walks, and are tests of the machine (test/sim/stores.test.ts,
 * walker.test.ts); L9 belongs to another system.
 */
import { FaultClass } from '../../sim/access.ts';
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
  uses,
  walks,
} from '../../sim/goal-steps.ts';
import type { Goal } from '../system.ts';
import type { KvmConfiguration } from './configurations.ts';
import { EAGER } from './configurations.ts';
import { FaultLock, VmidDesign } from './generation.ts';

const faults = (who: string, b: FaultClass): GoalStep =>
  step(who, 'access.use', Event.Fault, { b });
const hits = (who: string): GoalStep => step(who, 'access.use', Event.Use);
const retries = (who: string, b: RetryReason): GoalStep =>
  step(who, 'fault.unlock', Event.Claim, { a: Claim.FaultRetry, b });

const isParallel = ({ generation, guests }: KvmConfiguration): boolean =>
  generation.faultLock === FaultLock.Shared && guests === 1;
/** Programs about slots have no faults that only add rights, no aging, and no page sizes that change. */
const isWhole = (one: KvmConfiguration): boolean => isParallel(one) && !one.isAboutSlots;
const isLogged = ({ guests, hasDevice, isAboutSlots }: KvmConfiguration): boolean =>
  guests === 1 && !hasDevice && !isAboutSlots;
const hasDirtyState = ({ generation }: KvmConfiguration): boolean => generation.hasDirtyState;
const marksInSoftware = (one: KvmConfiguration): boolean => isLogged(one) && !hasDirtyState(one);

export const GOALS: readonly Goal<KvmConfiguration>[] = Object.freeze([
  {
    id: 'P1-one-entry-two-faults',
    title: 'two faults want one entry, and one of them loses it',
    steps: [changes('a', 'entry.take', 'e'), loses('b', 'entry.take', 'e')],
    isIn: isParallel,
  },
  {
    id: 'P2-loser-relaxes',
    title: 'the loser of a race gives up, and adds the right that it needs with its next fault',
    steps: [
      changes('a', 'stage2-take.makeLeaf', 'e'),
      retries('b', RetryReason.Moved),
      changes('b', 'stage2-attributes.update', 'e'),
    ],
    isIn: isWhole,
  },
  {
    id: 'P3-block-over-page-maker',
    title: 'a table becomes a block while another fault still works below it',
    steps: [
      changes('a', 'stage2-take.makeTable'),
      step('b', 'unlinked.defer', Event.Deferred),
      unlocks('a', 'fault.unlock'),
    ],
    isIn: isWhole,
  },
  {
    id: 'P4-block-and-table-in-turns',
    title: 'a block becomes a table, a block, and a table again',
    steps: [
      changes('a', 'stage2-take.makeTable', 'e'),
      changes('b', 'stage2-take.makeLeaf', 'e'),
      changes('a', 'stage2-take.makeTable', 'e'),
    ],
    isIn: isWhole,
  },
  {
    id: 'P5-relax-finds-another-entry',
    title:
      'a fault that only adds rights finds that another has taken the entry, and flushes its own TLB',
    steps: [
      changes('a', 'entry.take'),
      step('b', 'flush.synchronise', Event.Synchronise),
      retries('b', RetryReason.Moved),
    ],
    isIn: isWhole,
  },
  {
    id: 'P6-two-make-young',
    title: 'two vCPUs set one accessed flag, and the second finds it set',
    steps: [
      changes('a', 'stage2-attributes.update', 'e'),
      loses('b', 'stage2-attributes.update', 'e'),
    ],
    isIn: (one) => isParallel(one) && !one.hardwareAccessed,
  },
  {
    id: 'P7-relax-against-walker',
    title: 'the walker sets the accessed flag of an entry that a fault is about to give a right',
    steps: [changes('a', 'walk.setAccessed', 'e'), loses('b', 'stage2-attributes.update', 'e')],
    isIn: (one) => isWhole(one) && one.hardwareAccessed,
  },
  {
    id: 'P8-unmap-waits-for-faults',
    title: 'the host wants to unmap while a fault holds the lock',
    steps: [
      locks('a', 'fault.lock'),
      locks('b', 'unmap.lockSpace'),
      unlocks('a', 'fault.unlock'),
      locks('b', 'unmap.lockStart'),
    ],
    isIn: ({ isAboutSlots }) => !isAboutSlots,
  },
  {
    id: 'P9-fault-meets-invalidation',
    title: 'a fault gives up because what it knows of the host may be stale',
    steps: [locks('b', 'unmap.lockStart'), retries('a', RetryReason.Invalidation)],
  },
  {
    id: 'P10-split-under-a-walk',
    title: 'a block is taken to be split while a walk holds it',
    steps: [
      walks('a', 'walk.level2', 'e'),
      changes('b', 'entry.take', 'e'),
      uses('a'),
      changes('b', 'split.makeTable', 'e'),
    ],
    isIn: ({ parameters }) => parameters.includes(EAGER),
  },
  {
    id: 'L4-walk-across-unmap',
    title: 'a walk that has read a table goes on after the table was taken out',
    steps: [
      walks('a', 'walk.level2', 'e'),
      changes('b', 'stage2-unmap.clearTable', 'e'),
      walks('a', 'walk.level3'),
    ],
  },
  {
    id: 'L5-stale-after-relax',
    title: 'a right was added, and another PE faults on what it has cached from before',
    steps: [
      changes('a', 'stage2-attributes.update'),
      faults('b', FaultClass.Permission),
      step('b', 'fault.unlock', Event.Claim, { a: Claim.FaultHandled }),
    ],
    isIn: isWhole,
  },
  {
    id: 'L6-use-while-made-old',
    title: 'the guest uses a cached entry whose accessed flag the host has just cleared',
    steps: [
      locks('b', 'age.lock'),
      changes('b', 'stage2-attributes.update'),
      hits('a'),
      unlocks('b', 'age.unlock'),
    ],
    isIn: ({ isAboutSlots }) => !isAboutSlots,
  },
  {
    id: 'L7-sibling-of-a-split',
    title: 'a page of a block that is being split faults, and is there again afterwards',
    steps: [
      changes('a', 'entry.take', 'e'),
      faults('b', FaultClass.Translation),
      changes('a', 'stage2-take.makeTable', 'e'),
      uses('b'),
    ],
    isIn: isParallel,
  },
  {
    id: 'L10-callback-after-the-late-walker',
    title: 'an unlinked table is freed after a fault that came too late has mapped a page in it',
    steps: [
      step('b', 'unlinked.defer', Event.Deferred),
      changes('a', 'stage2-take.makeLeaf'),
      unlocks('a', 'fault.unlock'),
      step('c', 'unlinked.nextCallback', Event.Callback),
    ],
    isIn: (one) => isWhole(one) && one.generation.freesLater,
  },
  {
    id: 'L11-count-seen',
    title: 'an invalidation begins before the sequence is read and ends after the check',
    steps: [
      changes('b', 'unmap.begin'),
      reads('a', 'fault.readSequence'),
      reads('a', 'fault.checkSequence'),
      changes('b', 'unmap.finish'),
    ],
  },
  {
    id: 'L11-sequence-seen',
    title: 'an invalidation begins and ends between the two readings of the sequence',
    steps: [
      reads('a', 'fault.readSequence'),
      changes('b', 'unmap.begin'),
      changes('b', 'unmap.finish'),
      reads('a', 'fault.checkSequence'),
    ],
  },
  {
    id: 'L12-mark-taken-before-the-write',
    title: 'a round takes the mark of a page before the guest has written it',
    steps: [changes('a', 'fault.markDirty'), changes('b', 'log.takeMarks'), uses('a')],
    isIn: marksInSoftware,
  },
  {
    id: 'L12-mark-made-during-the-round',
    title: 'a page is marked after the round has taken its marks and before it ends',
    steps: [
      changes('b', 'log.takeMarks'),
      changes('a', 'fault.markDirty'),
      unlocks('b', 'log.unlockSlots'),
    ],
    isIn: marksInSoftware,
  },
  {
    id: 'D1-found-while-aging',
    title: 'hardware finds a page written while its accessed flag is being cleared',
    steps: [changes('a', 'walk.setDirty', 'e'), loses('b', 'stage2-attributes.update', 'e')],
    isIn: hasDirtyState,
  },
  {
    id: 'D2-found-again-during-the-round',
    title: 'hardware finds a page written whose state the round has just taken',
    steps: [
      changes('b', 'dirty-state.clean', 'e'),
      changes('a', 'walk.setDirty', 'e'),
      unlocks('b', 'log.unlockSlots'),
    ],
    isIn: hasDirtyState,
  },
  {
    id: 'D3-found-while-unmapping',
    title: 'hardware finds a page written while the host is about to take it away',
    steps: [changes('a', 'walk.setDirty', 'e'), loses('b', 'dirty-state.clearLeaf', 'e')],
    isIn: hasDirtyState,
  },
  {
    id: 'D4-entry-gone-under-cached-one',
    title:
      'a page is unmapped while hardware wants to mark it, so the entry that it read is no more',
    steps: [changes('b', 'dirty-state.clearLeaf', 'e'), loses('a', 'walk.setDirty', 'e')],
    isIn: hasDirtyState,
  },
  {
    id: 'M1-walker-finds-busy-entry',
    title: 'a hardware walker reads an entry that a fault has taken',
    steps: [
      changes('a', 'entry.take', 'e'),
      walks('b', ['walk.level1', 'walk.level2', 'walk.level3'], 'e'),
      changes('a', ['stage2-take.makeLeaf', 'stage2-take.makeTable'], 'e'),
    ],
    isIn: isParallel,
  },
  {
    id: 'M2-log-starts-under-fault',
    title: 'logging starts after a fault has looked whether it runs',
    steps: [
      reads('a', 'fault.readLogging', 'log'),
      changes('b', 'log.publish', 'log'),
      unlocks('a', 'fault.unlock'),
    ],
    isIn: isLogged,
  },
  {
    id: 'M3-slot-goes-under-fault',
    title: 'a memory slot is being deleted while a fault that looked it up maps a page',
    steps: [
      reads('a', 'fault.readSlot', 'slot'),
      changes('b', 'layout.invalidateSlot', 'slot'),
      unlocks('a', 'fault.unlock'),
      changes('b', 'layout.removeSlot', 'slot'),
    ],
    isIn: ({ hasLayout }) => hasLayout,
  },
  {
    id: 'M4-slot-moves-under-fault',
    title: 'a slot is about to be moved while a fault that found it where it was maps a page there',
    steps: [
      reads('a', 'fault.readSlot', 'slot'),
      changes('b', 'move.invalidate', 'slot'),
      unlocks('a', 'fault.unlock'),
      changes('b', 'move.place', 'slot'),
    ],
    isIn: ({ hasMoves }) => hasMoves === true,
  },
  {
    id: 'M5-sent-back-before-the-move',
    title:
      'a fault found a slot that is about to be moved, and gives up because its host page was replaced',
    steps: [
      reads('a', 'fault.readSlot', 'slot'),
      changes('b', 'move.invalidate', 'slot'),
      retries('a', RetryReason.Invalidation),
      changes('b', 'move.place', 'slot'),
    ],
    isIn: ({ hasMoves }) => hasMoves === true,
  },
  {
    id: 'G1-runs-through-roll-over',
    title: 'a vCPU uses its guest while VMIDs roll over elsewhere',
    steps: [
      changes('b', 'vmid.takeActive'),
      hits('a'),
      step('b', 'vmid.completeAll', Event.Barrier),
    ],
    isIn: ({ guests, generation }) => guests > 1 && generation.vmids === VmidDesign.ActivePerPe,
  },
  {
    id: 'G2-interrupted-by-roll-over',
    title: 'a roll-over makes a vCPU leave its guest, and it comes back with another VMID',
    steps: [
      step('b', 'vmid.kick', Event.InvalidateArrive),
      unlocks('a', 'vcpu.dropPe'),
      step('a', 'vcpu.loadContext', Event.Register),
    ],
    isIn: ({ guests, generation }) => guests > 1 && generation.vmids === VmidDesign.OneGeneration,
  },
  {
    id: 'G3-one-pe-two-guests',
    title: 'one guest runs where the other did, and the first comes back',
    steps: [
      step('a', 'vcpu.loadContext', Event.Register),
      step('b', 'vcpu.loadContext', Event.Register),
      step('a', 'vcpu.loadContext', Event.Register),
    ],
    isIn: ({ guests }) => guests > 1,
  },
]);
