/**
 * What the next event of a memory access can be: from where its translation may come (any entry of the TLB that
 * translates the page, or a walk), and whether the access may follow.
 */
import type { Actor } from '../../sim/actor.ts';
import {
  ACCESSED,
  DIRTY_MODIFIER,
  frameOf,
  Intent,
  isValid,
  permits,
} from '../../sim/descriptor.ts';
import { TlbKind } from '../../sim/tlb.ts';
import { Fidelity, mayAccess, mayFaultNow, maySetDirty, mayTranslate } from './gates.ts';
import type { LitmusMachine } from './machine.ts';
import { operand, type Slot, Stage } from './slot.ts';
import { Unsupported } from './syntax-error.ts';
import type { ThreadState } from './thread.ts';
import { isAddress, locationOf, Part, partOf, type Value } from './value.ts';

export const WALK = -1;
/** Walk, and update the entry after the access. */
export const WALK_AND_UPDATE_LATER = -2;

/** The next event of a memory access is enabled. */
export function mayStep(
  litmus: LitmusMachine,
  thread: ThreadState,
  slot: Slot,
  actor: Actor,
): boolean {
  const { rules } = litmus;
  if (slot.isWriting) return true;
  if (slot.isUpdating && slot.stage === Stage.Performed) return maySetDirty(thread, slot);
  if (slot.stage === Stage.Translated)
    return mayAccess(thread, slot, rules) && mayRead(thread, slot);
  if (slot.stage !== Stage.Waiting || !mayTranslate(thread, slot, rules)) return false;
  return ways(litmus, thread, slot, actor).length > 0;
}

/**
 * Where the translation may come from: entries of the TLB, by index, and WALK. Walking an entry that can be
 * cached is what using the newest entry of the TLB is.
 */
export function ways(
  litmus: LitmusMachine,
  thread: ThreadState,
  slot: Slot,
  actor: Actor,
): number[] {
  const { machine, rules } = litmus;
  const target = slot.target!;
  if (!isAddress(target) || partOf(target) === Part.Page)
    throw new Unsupported(`${slot.instruction.text} through a register without an address`);
  if (partOf(target) === Part.Entry)
    return isUseful(litmus, thread, slot, litmus.entryWord(locationOf(target))) ? [WALK] : [];
  const page = locationOf(target);
  const pe = machine.pes[actor.pe]!;
  const { tlb } = pe;
  const isWrite = slot.memory!.writes;
  const now = machine.memory.load(litmus.entryWord(page));
  const found: number[] = [];
  const isDirtied = (word: number): boolean =>
    isWrite && pe.updatesDirty && !permits(word, Intent.Write) && (word & DIRTY_MODIFIER) !== 0;
  for (let i = tlb.find(TlbKind.Leaf2, -1, page, 0); i >= 0; ) {
    const word = tlb.word[i]!;
    const isFault = !permits(word, isWrite ? Intent.Write : Intent.Read);
    // a walker that makes an entry writable works on memory
    if (!isDirtied(word) && (isFault || isUseful(litmus, thread, slot, wordOf(litmus, word))))
      found.push(i);
    i = tlb.find(TlbKind.Leaf2, -1, page, i + 1);
  }
  const isCacheable = isValid(now) && ((now & ACCESSED) !== 0 || pe.updatesAccessed);
  if (!isCacheable) {
    if (mayFaultNow(thread, slot, rules)) found.push(WALK);
    return found;
  }
  if ((now & ACCESSED) !== 0 && !isDirtied(now)) return found;
  const isRefused = !permits(now, isWrite ? Intent.Write : Intent.Read) && !isDirtied(now);
  if (isRefused) found.push(WALK);
  // an update is seen by others, whether the access may follow or not
  else {
    if (maySetDirty(thread, slot)) found.push(WALK);
    found.push(WALK_AND_UPDATE_LATER);
  }
  return found;
}

function wordOf(litmus: LitmusMachine, entry: number): number {
  return litmus.machine.memory.address(frameOf(entry), 0);
}

/** A translation ahead of its access is of use when something younger waits for it, or may make it stale. */
function isUseful(litmus: LitmusMachine, thread: ThreadState, slot: Slot, place: number): boolean {
  return isReady(litmus, thread, slot, place) || isAhead(litmus, thread, slot);
}

/** With a translation to this word, the access could follow at once. */
function isReady(litmus: LitmusMachine, thread: ThreadState, slot: Slot, place: number): boolean {
  const before = slot.place;
  slot.place = place;
  const isNow = mayAccess(thread, slot, litmus.rules) && mayRead(thread, slot);
  slot.place = before;
  return isNow;
}

/** Something younger waits for this translation, or may: then it may be read ahead of its access. */
export function isAhead({ rules }: LitmusMachine, thread: ThreadState, slot: Slot): boolean {
  if (rules.fidelity === Fidelity.F1) return false;
  // what is not fetched yet, or only after a fault, may be what waits
  if (thread.undecided !== undefined || thread.spec.handler >= 0) return true;
  const at = thread.path.indexOf(slot);
  return thread.path.some(({ instruction: { kind }, memory }, index) => {
    if (index < at) return kind === 'invalidate' || kind === 'dsb';
    return index > at && (kind === 'isb' || memory?.writes === true);
  });
}

/** A load takes the value of the nearest older store to its word, once that is known. */
export function mayRead(thread: ThreadState, slot: Slot): boolean {
  if (!slot.memory!.reads) return true;
  const source = pendingSource(thread, slot);
  if (source === undefined) return true;
  if (slot.memory!.writes) return false;
  const { update, isExclusive } = source.memory!;
  const { acquire, acquirePc } = slot.memory!.order;
  if (update !== undefined) return source.isWriting && !acquire && !acquirePc;
  return !isExclusive && operand(source.data) !== undefined;
}

/** What a load takes from an older store that is on its way. */
export function pendingValue(source: Slot): Value {
  return source.isWriting ? source.pending : operand(source.data)!;
}

/** The nearest older store to the word of a load that is not visible yet. */
export function pendingSource(thread: ThreadState, slot: Slot): Slot | undefined {
  let source: Slot | undefined;
  for (const older of thread.path) {
    if (older === slot) break;
    if (older.memory?.writes === true && older.place === slot.place && !older.isOver)
      source = older;
  }
  return source;
}
