/** What a violation says: one sentence per rule, made from its facts. */
import type { Violation } from '../oracles/oracle.ts';
import { RESULT_NAMES, WORK_NAMES } from '../sim/card.ts';
import { describe } from '../sim/descriptor.ts';
import { PAGE_STATE_NAMES } from '../sim/ownership.ts';
import { formatOperation } from './case-text.ts';
import { hex } from './describe.ts';
import type { Session } from './session.ts';
import { operationId } from './signature.ts';

/** An operation instance as a case writes it: `unmap 0x0 0x1`. */
export function operationText(session: Session, operation: number): string {
  return formatOperation(
    operationId(session, operation),
    session.scene.duties[operation]?.args ?? [],
  );
}

/** `vcpu0.r1`, where the reader knows what it does. */
export function shortName({ machine }: Session, operation: number): string {
  if (operation < 0) return 'boot';
  const actor = machine.actors[machine.course.actorOf[operation]!]!.name;
  return `${actor}.${machine.course.keyOf[operation]}`;
}

/** Full name of an operation instance: `host.u1 (unmap 0x0 0x1)`. */
export function operationName(session: Session, operation: number): string {
  if (operation < 0) return 'boot';
  return `${shortName(session, operation)} (${operationText(session, operation)})`;
}

/** Name of a component that pages may belong to. */
function component({ scene }: Session, index = -1): string {
  return scene.ownership?.components[index] ?? 'nobody';
}

function state(value = -1): string {
  return PAGE_STATE_NAMES[value as 0] ?? 'nothing';
}

/** What was wrong, in one sentence made from the facts. */
export function sentence(session: Session, violation: Violation): string {
  const { page, frame, pe, expected, found } = violation;
  const at = page === undefined ? '' : ` input page ${hex(page)}`;
  const on = pe === undefined ? '' : ` on PE ${pe}`;
  const entry = found === undefined ? '' : describe(found);
  switch (`${violation.oracle}/${violation.rule}`) {
    case 'break-before-make/replaced-while-valid':
      return `the entry for${at} was overwritten while it was still valid (${entry})`;
    case 'break-before-make/made-while-cached':
      return `the new entry for${at} became valid while PE ${pe} still held a conflicting one (${entry})`;
    case 'stale-translation/removed':
      return `PE ${pe} can still use the removed translation of${at} (${entry})`;
    case 'stale-translation/not-synchronised':
      return `PE ${pe} has mapped${at} and may still fault on it: it has not synchronised since`;
    case 'stale-translation/tightened':
      return `PE ${pe} can still use rights on${at} that were taken away (${entry})`;
    case 'freed-table/walked':
      return `the walker${on} read page ${frame} as a table after it was freed`;
    case 'freed-table/touched':
      return `page ${frame} was accessed as a table after it was freed`;
    case 'freed-table/freed-while-linked':
      return `table page ${frame} was freed while a live entry still names it`;
    case 'freed-table/freed-while-cached':
      return `table page ${frame} was freed while PE ${pe} still has it in its walk cache`;
    case 'freed-table/freed-while-walked':
      return `table page ${frame} was freed while a walk${on} is in it`;
    case 'freed-page/used':
      return `the guest used page ${frame} at${at}, which the host does not grant it any more`;
    case 'freed-page/mapped':
      return `page ${frame} was mapped at${at}; the host grants ${expected === -1 ? 'none' : `page ${expected}`}`;
    case 'freed-page/freed-while-mapped':
      return `page ${frame} was freed while the table still maps it at${at}`;
    case 'freed-page/freed-while-cached':
      return `page ${frame} was freed while PE ${pe} still has a translation of${at} to it`;
    case 'freed-page/not-revoked':
      return `the revocation is said to be finished, but the host still grants page ${frame} at${at}`;
    case 'reference-counts/left-empty':
      return `table page ${frame} (from${at}) was emptied and stays linked`;
    case 'reference-counts/too-high':
    case 'reference-counts/too-low':
      return `table page ${frame} is counted ${found} times; its entries make ${expected}`;
    case 'reference-counts/leaked':
      return `page ${frame} was never given back`;
    case 'abstract-map/promise':
      return `the operation succeeded, but${at} never became what it promises (it is ${entry})`;
    case 'abstract-map/change':
      return `${at.trim()} went from ${describe(expected ?? 0)} to ${entry}, which the operation may not do`;
    case 'abstract-map/not-restored':
      return `${at.trim()} is outside the range, was ${describe(expected ?? 0)}, and is ${entry} when the lock is dropped`;
    case 'abstract-map/needless-table':
      return `a table was made to take away the ${found} pages from${at}, which one entry maps`;
    case 'stale-translation/of-old-context':
      return `PE ${pe} still holds a translation of${at} (${entry}) with the tag of the context that is created`;
    case 'stale-translation/of-another-vcpu':
      return `a vCPU enters the guest on PE ${pe}, which holds a translation of${at} combined with another vCPU's stage 1`;
    case 'reference-counts/mapped-unreferenced':
      return `page ${frame} is mapped ${expected} times and referenced ${found} times`;
    case 'reference-counts/reference-left':
      return `page ${frame} is still referenced ${found} times and mapped ${expected} times`;
    case 'abstract-map/other-entry':
      return `${at.trim()} was to become ${describe(expected ?? 0)} and became ${entry}`;
    case 'abstract-map/other-level':
      return `${at.trim()} was to be mapped at level ${expected} and is mapped at level ${found}`;
    case 'abstract-map/no-memory-without-cause':
      return `the operation on${at} ran out of pages although no allocation had failed`;
    case 'dirty-log/write-lost':
      return `the guest wrote${at} although it is logged and not marked: no round will report it`;
    case 'dirty-log/state-lost':
      return `what hardware had found written in the entry of${at} is gone from it, and the page is not marked`;
    case 'dirty-log/writable-unmarked':
      return `${at.trim()} can be written without a mark, and nobody is about to set it (${entry})`;
    case 'dirty-log/writable-cached':
      return `PE ${pe} can still write${at} without a mark`;
    case 'dirty-log/marks-differ':
      return `a round took ${found === 0 ? 'no mark' : 'a mark'} of${at}; ${expected === 0 ? 'nobody marked it' : 'it was marked'}`;
    case 'dirty-log/marks-left':
      return `the log was stopped, and the mark of${at} is still there`;
    case 'dirty-log/refused':
      return 'the operation was refused although the log was as it needs it all the time';
    case 'dirty-log/not-done':
      return 'the operation ended well although the log was not as it needs it';
    case 'emulation/memory-emulated':
      return `an access to${at} is left to user space, although memory lay there since before it began`;
    case 'permissions/right-not-asked-for':
      return `the operation gave a right to${at} that it may not give (${entry})`;
    case 'permissions/device-executable':
      return `the page of a device at${at} can be executed (${entry})`;
    case 'progress/broken-for-rights':
      return `the entry for${at} was broken and made again though only its rights differ (${entry})`;
    case 'vmid/other-tables':
      return `the guest runs${on} with tables that are not its own`;
    case 'vmid/old-number':
      return `the guest runs${on} with VMID ${found}; its number is ${expected === 0 ? 'none' : expected}`;
    case 'vmid/shared-number':
      return `the guest runs${on} with VMID ${found}, with which another guest runs elsewhere`;
    case 'vmid/other-guests-entry':
      return `PE ${pe} tagged an entry for${at} with VMID ${found}, which is not that of the guest whose entry it is`;
    case 'accessed-bit/old-though-used':
      return `the answer is "old" although${at} was young all the time (${entry})`;
    case 'accessed-bit/young-without-use':
      return `the answer is "young" although${at} was never young`;
    case 'context/store-without-lock':
      return `a linked table (${at.trim()}) was changed without its lock`;
    case 'context/sleep-under-lock':
      return `something that may sleep was done under ${session.machine.locks.specs[found ?? 0]?.name}`;
    case 'context/store-outside-section':
      return `a linked table (${at.trim()}) was changed with the lock shared, outside a read section`;
    case 'context/excluded-together':
      return (
        `${WORK_NAMES[expected ?? 0]} and ${WORK_NAMES[found ?? 0]} (by ${operationName(session, violation.promisedBy ?? -1)}) ` +
        'went on at the same time under the lock of one tree'
      );
    case 'context/work-without-lock':
      return `${WORK_NAMES[found ?? 0]} needs the lock of the tree exclusively`;
    case 'freed-table/freed-while-read':
      return `table page ${frame} was freed although a walker${on} was in a read section when it was taken out`;
    case 'table-shape/busy-left':
      return `an entry of table page ${frame} is still busy when the lock is dropped`;
    case 'table-shape/busy-when-alone':
      return `an entry of table page ${frame} is busy when the lock is taken alone`;
    case 'table-shape/busy-overwritten':
      return `the entry for${at} was written while the actor${on} had it busy`;
    case 'progress/faulting-entry-left':
      return `PE ${pe} still holds the translation of${at} that made the fault (${entry})`;
    case 'context/context-left':
      return `a host thread ended with another guest context loaded${on} than it began with`;
    case 'progress/access-not-made':
      return 'the operation ended well although its last access faulted and was not made again';
    case 'permissions/table-rights':
      return `a table for${at} takes rights away from everything below it`;
    case 'permissions/written-though-forbidden':
      return `the guest wrote${at}, which was write-protected for good`;
    case 'permissions/lost-update':
      return `the entry held ${entry} when it was overwritten; who did that believed ${describe(expected ?? 0)}`;
    case 'iterator/skipped':
      return `the walk came to its end without working on${at} (${entry})`;
    case 'iterator/visited-twice':
      return `the walk worked on the entry at${at} again`;
    case 'iterator/no-progress':
      return `the walk gave up its lock at${at} and had not come further since it last did`;
    case 'iterator/never-asks':
      return `the walk has visited ${found} entries without asking whether to yield`;
    case 'dirty-log/host-not-told':
      return `the host takes page ${frame} back and does not know that the guest wrote it`;
    case 'freed-page/touched-after-free':
      return `the host is told that page ${frame} was written, which it has already taken back`;
    case 'system-invariant/recovery-list':
      return `table page ${frame} is on the recovery list, and its flag is not set`;
    case 'system-invariant/frozen-entry-changed':
      return `table page ${frame} is freed and holds an entry that was frozen or emptied before`;
    case 'ownership/used':
      return `page ${frame} was used${at}${on} by ${component(session, found)}; it is the page of ${component(session, expected)}`;
    case 'ownership/mapped':
      return `page ${frame} was mapped at${at} for ${component(session, found)}; it is the page of ${component(session, expected)}`;
    case 'ownership/still-mapped':
      return `page ${frame} goes out of reach of ${component(session, found)}, whose table still maps it at${at}`;
    case 'ownership/still-reachable':
      return `page ${frame} goes out of reach of ${component(session, found)}, and PE ${pe} still has a translation of${at} to it`;
    case 'ownership/not-memory':
      return `page ${frame} changes hands, and is no memory`;
    case 'ownership/given-while-shared':
      return `page ${frame} goes from ${component(session, expected)} to ${component(session, found)} while others may reach it`;
    case 'ownership/given-while-referenced':
      return `page ${frame} is given away with ${found} references`;
    case 'ownership/referenced':
      return `page ${frame} belongs to one component alone and is referenced ${found} times`;
    case 'ownership/cleared':
      return `the hypervisor clears page ${frame}, which ${component(session, expected)} may use`;
    case 'ownership/records-differ':
      return `${component(session, page)} has written down "${state(found)}" for page ${frame}; what was said makes "${state(expected)}"`;
    case 'content/not-cleared':
      return `page ${frame} goes to ${component(session, found)} with what its owner wrote`;
    case 'content/table-not-cleared':
      return `page ${frame} becomes a table with what somebody wrote into it`;
    case 'cache-maintenance/stale-instructions':
      return `the hypervisor goes on at page ${hex(page ?? 0)}${on} with instructions that were fetched while its regime did not translate`;
    case 'cache-maintenance/regime-not-in-effect':
      return `the hypervisor goes on at page ${hex(page ?? 0)}${on} before its regime translates`;
    case 'break-before-make/regime-switched-live':
      return `the tables of the hypervisor's regime were exchanged${on} while it translates`;
    case 'break-before-make/regime-switched-while-cached':
      return `PE ${pe} still holds a translation of${at} from other tables than those that it translates with (${entry})`;
    case 'progress/fatal':
      return `the system stops for good (reason ${found}, about page ${page})`;
    case 'progress/retries-for-ever':
      return `the operation tried again ${found} times while nobody else changed anything`;
    case 'progress/faults-again':
      return `the guest faulted on${at} again and again although each fault was said to be handled`;
    case 'freed-page/mapped-writable':
      return `page ${frame} was mapped writable at${at}; the host grants it for reading only`;
    case 'context/wrong-vmid':
      return `an invalidation was issued under VMID ${found}; the tree that was changed has VMID ${expected}`;
    case 'table-shape/two-parents':
      return `table page ${frame} was linked at${at} although another entry names it`;
    case 'table-shape/linked-free-page':
      return `page ${frame} was linked as a table at${at} although it is free`;
    case 'table-shape/linked-other-page':
      return `page ${frame} was linked as a table at${at} although it holds something else`;
    case 'table-shape/too-deep':
      return `table page ${frame} was linked at${at}, below the last level`;
    case 'table-shape/reserved-form':
      return `the last level at${at} got an entry of a form that hardware reserves (${entry})`;
    case 'table-shape/leaf-level':
      return `${at.trim()} got a leaf at a level that has none (${entry})`;
    case 'table-shape/misaligned-block':
      return `the block at${at} begins at a page that is no multiple of its size (${entry})`;
    case 'table-shape/contiguous':
      return `the leaf at${at} carries a contiguous hint, which its neighbours do not keep (${entry})`;
    case 'permissions/unreadable':
      return `${at.trim()} was mapped without the right to read (${entry})`;
    case 'permissions/memory-type':
      return `${at.trim()} was mapped with a memory type that nobody asked for (${entry})`;
    case 'abstract-map/result':
      return `the operation on${at} returned ${RESULT_NAMES[found ?? 0] ?? found}, which it may not`;
    case 'reference-counts/freed-twice':
      return `table page ${frame} was freed a second time`;
    case 'reference-counts/freed-while-counted':
      return `table page ${frame} was freed while it is still counted ${found} times`;
    case 'progress/does-not-finish':
      return 'the operation does not finish although everybody else has all the time there is';
    case 'deadlock/nobody-can-go-on':
      return 'everybody who has not finished waits for somebody else, for ever';
    default:
      return otherSentence(session, violation);
  }
}

/** A rule without a sentence here: what a system states about its own data, or an oracle of somebody else. */
function otherSentence({ scene }: Session, violation: Violation): string {
  const { oracle, rule, subject, page, frame, pe, word } = violation;
  const invariant = scene.invariants.find(({ id }) => id === rule);
  if (oracle === 'system-invariant' && invariant !== undefined) {
    return `it does not hold${frame === undefined ? '' : ` of page ${frame}`} that ${invariant.title}`;
  }
  const at = page === undefined ? '' : ` input page ${hex(page)}`;
  const on = pe === undefined ? '' : ` on PE ${pe}`;
  const what = `${subject}${at}${frame === undefined ? '' : ` page ${frame}`}${on}`;
  return `${rule.replaceAll('-', ' ')}: ${what}${word === undefined ? '' : ` word ${word}`}`;
}
