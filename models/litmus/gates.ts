/**
 * When an instruction may go on: which effects of older instructions of its thread must have taken place
 * before it translates, before it accesses memory, before a barrier is over. This is the order that the
 * architecture requires of one thread; everything else may happen in any order.
 *
 * F1: everything in program order. F2: loads and read-modify-writes in program order; stores are issued in program
 * order, and the machine makes them visible later (sim/stores.ts); translations may be read earlier. F3: as the
 * architecture allows: dependencies, barriers, acquire and release, coherence.
 *
 * Source: Arm ARM B2.3 (basic, pick, barrier-, DSB-, instruction-fetch-barrier- and ETS-ordered-before), and
 * spec/arm.md 1.7, 1.11.
 */
import { isPlainStore } from './program.ts';
import { operand, type Slot, Stage } from './slot.ts';
import type { ThreadState } from './thread.ts';

export const Fidelity = { F1: 1, F2: 2, F3: 3 } as const;
export type Fidelity = (typeof Fidelity)[keyof typeof Fidelity];

export interface Rules {
  readonly fidelity: Fidelity;
  /** FEAT_ETS2. */
  readonly ets2: boolean;
}

/** A plain store at F2: the machine orders it among the stores of its PE, and makes it visible. */
export function isIssued({ instruction }: Slot, { fidelity }: Rules): boolean {
  return fidelity === Fidelity.F2 && isPlainStore(instruction);
}

/** The translation of this access may be read. */
export function mayTranslate(thread: ThreadState, slot: Slot, rules: Rules): boolean {
  if (slot.target === undefined) return false;
  for (const older of thread.path) {
    if (older === slot) return true;
    if (rules.fidelity === Fidelity.F1 && !isFinished(older)) return false;
    // DSB orders translations only with ETS; else a context synchronisation has to follow
    if (rules.ets2 && older.instruction.kind === 'dsb' && !older.isDone) return false;
    if (synchronises(older) && !isSynchronised(thread, older)) return false;
  }
  return false;
}

/** With ETS2 a translation that faults is read after every older access. */
export function mayFaultNow(thread: ThreadState, slot: Slot, rules: Rules): boolean {
  return (
    !rules.ets2 || everyOlder(thread, slot, (older) => older.memory === undefined || older.isOver)
  );
}

/** The walker may write the dirty state for this access: it is certain to be executed. */
export function maySetDirty(thread: ThreadState, slot: Slot): boolean {
  if (!isCertain(thread, slot)) return false;
  // of the same entry, older translations are read before
  return everyOlder(
    thread,
    slot,
    (older) =>
      older.memory === undefined || older.target !== slot.target || older.stage !== Stage.Waiting,
  );
}

/** The translated access may take place. */
export function mayAccess(thread: ThreadState, slot: Slot, rules: Rules): boolean {
  const { memory } = slot;
  if (memory === undefined) return false;
  if (memory.writes && !mayWrite(thread, slot, rules)) return false;
  return followsBarriers(thread, slot, rules, false);
}

/** Older accesses that barriers, acquire or release put before this one have taken place. */
function followsBarriers(thread: ThreadState, slot: Slot, rules: Rules, isFault: boolean): boolean {
  const memory = slot.memory!;
  // the order among stores that are issued is the machine's business
  const isOrdering = !isIssued(slot, rules);
  let isFenced = false;
  let isLoadFenced = false;
  let isStoreFenced = false;
  // from the nearest older instruction to the oldest
  for (let at = thread.path.indexOf(slot) - 1; at >= 0; at -= 1) {
    const older = thread.path[at]!;
    const { instruction } = older;
    if (instruction.kind === 'dsb' && !older.isDone) return false;
    if (synchronises(older) && !isSynchronised(thread, older)) return false;
    if (instruction.kind === 'dmb') {
      isFenced ||= instruction.barrier === 'full';
      isLoadFenced ||= instruction.barrier === 'load';
      isStoreFenced ||= instruction.barrier === 'store';
    }
    if (instruction.kind !== 'memory' || older.isOver) continue;
    const isOrdered =
      isFenced ||
      (isLoadFenced && instruction.reads && !instruction.noReturn && !older.hasRead) ||
      (isStoreFenced &&
        instruction.writes &&
        (isFault || (memory.writes && (isOrdering || !older.isPending)))) ||
      (instruction.order.acquire && (!older.hasRead || instruction.order.release)) ||
      (instruction.order.acquirePc && !older.hasRead) ||
      (!isFault && instruction.order.release && memory.order.acquire) ||
      (!isFault && memory.order.release && (isOrdering || !older.isPending)) ||
      (rules.fidelity <= Fidelity.F2 && instruction.reads && !older.hasRead && !isFault) ||
      rules.fidelity === Fidelity.F1;
    if (isOrdered) return false;
  }
  return true;
}

/** A barrier that orders stores (DMB ST) lies between the last store that was issued and this one. */
export function isAfterStoreBarrier({ path }: ThreadState, slot: Slot): boolean {
  let isAfter = false;
  for (const older of path) {
    if (older === slot) break;
    const { instruction } = older;
    if (instruction.kind === 'dmb') isAfter ||= instruction.barrier === 'store';
    else if (older.memory?.writes === true) isAfter = false;
  }
  return isAfter;
}

/** The exception of a refused access may be taken. */
export function mayFault(thread: ThreadState, slot: Slot, rules: Rules): boolean {
  return followsBarriers(thread, slot, rules, true);
}

/** A write is never speculative, and follows older accesses of the same word. */
function mayWrite(thread: ThreadState, slot: Slot, rules: Rules): boolean {
  if (operand(slot.data) === undefined || operand(slot.expected) === undefined) return false;
  if (!thread.areOver(slot.data.pick | slot.expected.pick)) return false;
  if (!thread.areOver(slot.address.pick | slot.offset.pick)) return false;
  if (!isCertain(thread, slot)) return false;
  return everyOlder(thread, slot, (older) => {
    if (older.memory === undefined || older.isOver) return true;
    if (isIssued(slot, rules) && isIssued(older, rules)) return older.isPending;
    if (slot.memory!.isExclusive && older.memory.isExclusive) return false;
    // it does not fault, and is to another word
    return older.stage !== Stage.Waiting && older.place !== slot.place;
  });
}

/** Older branches are decided and older addresses known. */
function isCertain(thread: ThreadState, slot: Slot): boolean {
  if (!thread.areOver(slot.ctrl | slot.ctrlPick)) return false;
  return everyOlder(
    thread,
    slot,
    (older) =>
      older.memory === undefined ||
      (older.target !== undefined && thread.areOver(older.address.pick | older.offset.pick)),
  );
}

/** The invalidation may be issued. */
export function mayInvalidate(thread: ThreadState, slot: Slot, rules: Rules): boolean {
  if (slot.isDone || slot.target === undefined || !thread.areOver(slot.address.pick)) return false;
  if (!thread.areOver(slot.ctrl | slot.ctrlPick)) return false;
  return everyOlder(thread, slot, (older) => {
    if (rules.fidelity === Fidelity.F1 && !isFinished(older)) return false;
    if (older.instruction.kind === 'dsb' && !older.isDone) return false;
    return !synchronises(older) || isSynchronised(thread, older);
  });
}

/** The barrier is over, as far as accesses of its own thread go; the machine knows of invalidations. */
export function mayComplete(thread: ThreadState, slot: Slot): boolean {
  const { instruction } = slot;
  if (instruction.kind !== 'dsb' || slot.isDone) return false;
  return everyOlder(thread, slot, (older) => {
    const { memory } = older;
    if (older.instruction.kind === 'dsb' || older.instruction.kind === 'invalidate')
      return older.isDone;
    if (synchronises(older) && !isSynchronised(thread, older)) return false;
    if (memory === undefined) return true;
    if (older.isOver) return !older.isUpdating || instruction.barrier !== 'full';
    if (instruction.barrier === 'full') return false;
    if (instruction.barrier === 'load') return !memory.reads || memory.noReturn || older.hasRead;
    return !memory.writes;
  });
}

/** A branch whose operand is on its way may be guessed. */
export function mayGuess(thread: ThreadState, slot: Slot, rules: Rules): boolean {
  return rules.fidelity !== Fidelity.F1 && thread.undecided === slot;
}

/** A context synchronisation event: ISB, exception entry or exception return. */
function synchronises({ instruction, stage }: Slot): boolean {
  return (
    instruction.kind === 'isb' ||
    instruction.kind === 'exception-return' ||
    stage === Stage.Refused ||
    stage === Stage.Faulted
  );
}

/** It takes place once it is certain that it does, and every older DSB is over. */
function isSynchronised(thread: ThreadState, slot: Slot): boolean {
  if (!isCertain(thread, slot)) return false;
  // of an exception, also what picked its own address
  if (!thread.areOver(slot.address.pick | slot.offset.pick)) return false;
  return everyOlder(thread, slot, (older) => {
    if (older.instruction.kind === 'dsb') return older.isDone;
    return older.memory === undefined || older.stage !== Stage.Waiting;
  });
}

function isFinished(slot: Slot): boolean {
  if (slot.instruction.kind === 'branch' || slot.isDone) return true;
  return slot.isOver;
}

function everyOlder(thread: ThreadState, slot: Slot, holds: (older: Slot) => boolean): boolean {
  for (const older of thread.path) {
    if (older === slot) return true;
    if (!holds(older)) return false;
  }
  return true;
}
