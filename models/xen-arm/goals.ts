/**
 * What campaigns over xen-arm must have come to. The hypervisor's own tables: every rule of B6 refuses and lets pass,
 * and what the invariants of B9 are about. The p2m: the steps q1 to q12 of C4, and what those of C11 are about.
 */
import { Claim } from '../../sim/claims.ts';
import { Event } from '../../sim/event.ts';
import {
  changes,
  type GoalStep,
  locks,
  reads,
  step,
  unlocks,
  uses,
  walks,
} from '../../sim/goal-steps.ts';
import type { Goal } from '../system.ts';
import type { XenConfiguration } from './configurations.ts';
import { State } from './p2m-world.ts';
import { KIND_NAMES, Kind } from './pt-request.ts';
import { RULES } from './pt-rules.ts';

type XenGoal = Goal<XenConfiguration>;

const isTables = ({ part }: XenConfiguration): boolean => part === 'pt';
const isP2m = ({ part }: XenConfiguration): boolean => part === 'p2m';
/** While accesses are monitored every page has an entry of its own. */
const hasBlocks = ({ part, isMonitored }: XenConfiguration): boolean =>
  part === 'p2m' && !isMonitored;
const isTracked = ({ part, devices }: XenConfiguration): boolean =>
  part === 'p2m' && devices === undefined;

const ANY_LEVEL = ['walk.level0', 'walk.level1', 'walk.level2', 'walk.level3'];
/** A change of one entry: the rule that refuses it, 0 for none, and its kind. */
const judged = (who: string, rule: number, kind: Kind, place?: number): GoalStep =>
  step(who, 'xen-pt.readTarget', Event.Claim, {
    a: Claim.ChangeJudged,
    b: rule,
    c: kind,
    ...(place === undefined ? {} : { d: place }),
  });
const invalidates = (who: string, site: string): GoalStep => step(who, site, Event.InvalidateIssue);

const refusals = RULES.map(
  ({ number, kind, when }): XenGoal => ({
    id: `B6-rule-${number}-refuses`,
    title: `a request to ${KIND_NAMES[kind]} is refused: ${when}`,
    steps: [judged('a', number, kind), unlocks('a', 'xen-pt.unlock')],
    isIn: isTables,
  }),
);

const acceptances = Object.values(Kind).map(
  (kind): XenGoal => ({
    id: `B6-${KIND_NAMES[kind]}-passes`,
    title: `no rule refuses a request to ${KIND_NAMES[kind]}`,
    steps: [judged('a', 0, kind), unlocks('a', 'xen-pt.unlock')],
    isIn: isTables,
  }),
);

const TABLES: readonly XenGoal[] = [
  ...refusals,
  ...acceptances,
  {
    id: 'B4-block-and-page',
    title: 'one insert makes a block and a page',
    steps: [judged('a', 0, Kind.Insert, 2), judged('a', 0, Kind.Insert, 3)],
  },
  {
    id: 'B4-large-block',
    title: 'an insert makes a block of level 1',
    steps: [judged('a', 0, Kind.Insert, 1), changes('a', 'xen-pt.writeEntry')],
  },
  {
    id: 'B5-group-of-pages',
    title: 'an insert makes a contiguous group of pages',
    steps: [judged('a', 0, Kind.Insert, 3 | 4), judged('a', 0, Kind.Insert, 3 | 4)],
  },
  {
    id: 'B5-group-of-blocks',
    title: 'an insert makes a contiguous group of blocks',
    steps: [judged('a', 0, Kind.Insert, 2 | 4), judged('a', 0, Kind.Insert, 2 | 4)],
  },
  {
    id: 'B9-1-old-or-new',
    title: 'a walker reads an entry before and after it is changed',
    steps: [
      walks('b', ANY_LEVEL, 'e'),
      changes('a', 'xen-pt.writeEntry', 'e'),
      walks('b', ANY_LEVEL, 'e'),
    ],
  },
  {
    id: 'B9-3-table-appears-under-walker',
    title: 'a table is linked after a walker has found nothing there',
    steps: [
      step('b', ANY_LEVEL, Event.WalkRead, { on: 'e', b: 0 }),
      changes('a', 'xen-pt.makeTable', 'e'),
    ],
  },
  {
    id: 'B9-4-used-before-the-flush',
    title: 'a PE uses an entry that was changed, before the flush that ends the request',
    steps: [
      walks('b', ANY_LEVEL, 'e'),
      changes('a', 'xen-pt.writeEntry', 'e'),
      uses('b'),
      invalidates('a', 'xen-pt.invalidate'),
    ],
  },
  {
    id: 'B9-5-used-after-insert',
    title: 'another PE walks to an entry that was inserted, and uses it',
    steps: [
      changes('a', 'xen-pt.writeEntry', 'e'),
      step('a', 'xen-pt.synchroniseInsert', Event.Synchronise),
      walks('b', ANY_LEVEL, 'e'),
      uses('b'),
    ],
  },
  {
    id: 'B9-6-partial-removal',
    title: 'a removal takes an entry out, is refused at a later one, and flushes',
    steps: [
      judged('a', 0, Kind.Remove),
      changes('a', 'xen-pt.writeEntry'),
      judged('a', 8, Kind.Remove),
      invalidates('a', 'xen-pt.invalidate'),
    ],
  },
  {
    id: 'B9-8-failed-insert-in-group',
    title: 'an insert is refused in the middle of a contiguous group',
    steps: [judged('a', 0, Kind.Insert, 3 | 4), judged('a', 5, Kind.Insert, 3 | 4)],
  },
].map((goal) => ({ ...goal, isIn: isTables }));

const STEPS: readonly XenGoal[] = [
  {
    id: 'q2-table-made',
    title: 'a table is made after a walker has found nothing there',
    steps: [
      step('b', ANY_LEVEL, Event.WalkRead, { on: 'e', b: 0 }),
      changes('a', 'p2m-set.makeTable', 'e'),
    ],
    isIn: isP2m,
  },
  {
    id: 'q3-q6-block-taken-apart',
    title: 'a block is taken apart under a walker that has read it',
    steps: [
      walks('b', ANY_LEVEL, 'e'),
      changes('a', 'p2m-set.breakBlock', 'e'),
      uses('b'),
      invalidates('a', 'p2m-flush.invalidate'),
      changes('a', 'p2m-set.linkSplit', 'e'),
    ],
    isIn: hasBlocks,
  },
  {
    id: 'q4-fault-while-broken',
    title: 'a vCPU faults at a block that is being taken apart',
    steps: [
      changes('a', 'p2m-set.breakBlock', 'e'),
      walks('b', ANY_LEVEL, 'e'),
      step('b', 'run.use', Event.Fault),
      changes('a', 'p2m-set.linkSplit', 'e'),
    ],
    isIn: hasBlocks,
  },
  {
    id: 'q7-q9-entry-cleared',
    title: 'an entry is cleared after a walker has read it, and the walker uses it',
    steps: [walks('b', ANY_LEVEL, 'e'), changes('a', 'p2m-set.clearEntry', 'e'), uses('b')],
    isIn: isP2m,
  },
  {
    id: 'q8-access-set',
    title: 'a page is used between the change of its rights and that of its entry',
    steps: [
      changes('a', 'p2m-set.setAccess'),
      uses('b'),
      changes('a', ['p2m-set.makeEntry', 'p2m-set.clearEntry']),
    ],
    isIn: ({ isMonitored }) => isMonitored,
  },
  {
    id: 'q10-removal-owes-flush',
    title: 'a cached translation is used between a removal and the flush that it owes',
    steps: [
      changes('a', 'p2m-set.clearEntry'),
      changes('a', 'p2m-set.oweFlush'),
      step('b', 'run.use', Event.Use),
      invalidates('a', 'p2m-flush.invalidate'),
      unlocks('a', 'p2m-flush.unlock'),
    ],
    isIn: isP2m,
  },
  {
    id: 'q10-replaced-by-break',
    title: 'a vCPU faults while a mapping is replaced',
    steps: [
      changes('a', 'p2m-set.clearEntry', 'e'),
      walks('b', ANY_LEVEL, 'e'),
      changes('a', 'p2m-set.makeEntry', 'e'),
    ],
    isIn: isP2m,
  },
  {
    id: 'q11-device-uses-until-flush',
    title: 'a device uses a page that was removed, before its TLB is flushed',
    steps: [
      changes('a', 'p2m-set.clearEntry'),
      step('b', ['run.use', 'walk.use'], Event.Use),
      invalidates('a', 'p2m-flush.invalidateDevice'),
    ],
    isIn: ({ devices }) => devices !== undefined,
  },
  {
    id: 'q12-displaced-freed',
    title: 'what a mapping displaced is given back after the flush',
    steps: [
      changes('a', 'p2m-set.clearEntry', 'e'),
      invalidates('a', 'p2m-flush.invalidate'),
      changes('a', 'p2m-set.makeEntry', 'e'),
      changes('a', 'p2m-free.countMapping'),
    ],
    isIn: isP2m,
  },
];

const INVARIANTS: readonly XenGoal[] = [
  {
    id: 'C8-page-reused',
    title: 'a page that one gave up is flushed and handed out to another',
    steps: [
      changes('a', 'host-page.quarantine'),
      changes('b', 'host-page.emptyQuarantine'),
      invalidates('b', 'host-page.invalidateAll'),
      step('b', 'host-page.freeQuarantined', Event.Free, { on: 'page' }),
      step('b', 'host-page.allocate', Event.Allocate, { on: 'page' }),
    ],
    isIn: isP2m,
  },
  {
    id: 'C9-shown-again',
    title: 'a fault shows an entry that tracking has hidden',
    steps: [changes('a', 'p2m-track.hideEntry', 'e'), changes('b', 'p2m-resolve.showEntry', 'e')],
    isIn: isTracked,
  },
  {
    id: 'C9-hidden-entry-removed',
    title: 'an entry is removed while tracking hides it',
    steps: [
      changes('a', ['p2m-track.hideEntry', 'p2m-resolve.hideChild'], 'e'),
      changes('b', 'p2m-set.clearEntry', 'e'),
    ],
    isIn: isTracked,
  },
  {
    id: 'C10-next-domain-runs',
    title: 'a vCPU runs in the domain that was made with the VMID of the one before',
    steps: [changes('a', 'p2m-create.live'), step('b', 'run.loadContext', Event.Register)],
    isIn: isP2m,
  },
  {
    id: 'C10-other-vcpu-ran-last',
    title: 'a vCPU drops what another one of its domain has left in the TLB',
    steps: [
      step('a', 'run.loadContext', Event.Register),
      step('b', 'run.loadContext', Event.Register),
      invalidates('b', 'run.invalidate'),
    ],
    isIn: ({ sharesPe }) => sharesPe,
  },
  {
    id: 'C11-2-waits-for-the-flush',
    title: 'another waits for the lock while a flush is owed, and gets it after the flush',
    steps: [
      changes('a', 'p2m-set.oweFlush'),
      invalidates('a', 'p2m-flush.invalidate'),
      unlocks('a', 'p2m-flush.unlock'),
      locks('b', ['p2m-flush.lock', 'toolstack.lockShared']),
    ],
    isIn: isP2m,
  },
  {
    id: 'C11-3-table-freed',
    title: 'a table is freed after a walker was in it',
    steps: [
      walks('b', ['walk.level1', 'walk.level2'], 'e'),
      walks('b', ['walk.level2', 'walk.level3']),
      changes('a', ['p2m-set.clearEntry', 'p2m-destroy.clearRoot'], 'e'),
      step('a', 'table-page.free', Event.Free),
    ],
    isIn: isP2m,
  },
  {
    id: 'C11-4-dying-refuses',
    title: 'a domain dies while another is about to map a page there, which is refused',
    steps: [
      changes('b', 'toolstack.hold'),
      changes('a', 'p2m-destroy.die'),
      step('b', 'toolstack.readDying', Event.Read, { b: State.Dying }),
    ],
    isIn: isP2m,
  },
  {
    id: 'C11-4-dying-gives-back',
    title: 'a domain that dies gives back the page of another that was mapped there',
    steps: [
      changes('b', 'host-page.reference', 'count'),
      changes('a', 'p2m-destroy.die'),
      changes('a', 'host-page.release', 'count'),
    ],
    isIn: isP2m,
  },
  {
    id: 'C11-5-removed-for-good',
    title: 'a vCPU walks to an entry that was removed, and faults',
    steps: [
      changes('a', 'p2m-set.clearEntry', 'e'),
      step('b', ANY_LEVEL, Event.WalkRead, { on: 'e', b: 0 }),
      step('b', 'run.use', Event.Fault),
    ],
    isIn: isP2m,
  },
  {
    id: 'C11-6-end-raised',
    title: 'a fault looks at the highest mapped page after a mapping has raised it',
    steps: [changes('a', 'p2m-set.raiseEnd', 'end'), reads('b', 'p2m-resolve.readEnd', 'end')],
    isIn: isP2m,
  },
  {
    id: 'C11-7-failed-split',
    title: 'a block cannot be taken apart for want of a second table, and the first goes back',
    steps: [
      changes('a', 'p2m-split.makeChild'),
      step('a', 'table-page.allocate', Event.AllocateFailed),
      changes('a', 'table-page.unlist'),
    ],
    isIn: hasBlocks,
  },
  {
    id: 'C11-10-block-removed',
    title: 'a whole block is removed under a walker',
    steps: [
      walks('b', ['walk.level1', 'walk.level2'], 'e'),
      changes('a', 'p2m-set.clearEntry', 'e'),
      changes('a', 'p2m-free.countMapping'),
    ],
    isIn: hasBlocks,
  },
  {
    id: 'C11-11-preempted',
    title: 'who takes a dying domain apart gives way, and goes on where it was',
    steps: [
      changes('a', 'p2m-destroy.writeLowest', 'lowest'),
      unlocks('a', 'p2m-flush.unlock'),
      reads('a', 'p2m-destroy.readLowest', 'lowest'),
    ],
    isIn: isP2m,
  },
];

export const GOALS: readonly XenGoal[] = Object.freeze([...TABLES, ...STEPS, ...INVARIANTS]);
