/**
 * Footprints: the objects that an event touches, and whether it writes them. Two events depend on each
 * other iff one actor makes both or their footprints conflict; swapping two adjacent independent events changes
 * neither the final state nor a finding (test/sim/footprint.test.ts). Everything that asks about
 * dependence (coverage, canonical order, exhaustive exploration) reads it from here.
 *
 * An event is a group of trace rows; its footprint is the union of theirs. What oracles look at when they
 * judge belongs to it: the end of an operation reads tables and TLBs.
 */
import { Event, type EventCode } from './event.ts';
import { placeTree } from './machine.ts';
import type { Row } from './trace.ts';

/** Classes of objects; an object is `class * 2 ** 30 + number`. */
export const ObjectClass = {
  Word: 1,
  /** TLB, walks in flight and regime of a PE. */
  Tlb: 2,
  Lock: 3,
  /** The pool of free pages and the life of pages. */
  Pool: 4,
  Section: 5,
  /** Invalidations that a PE has issued. */
  Outstanding: 6,
  /** The abstract map of a tree. */
  Tree: 7,
  /** What claims are about: grants, the log, questions about age. */
  Claims: 8,
  Register: 9,
} as const;
export type ObjectClass = (typeof ObjectClass)[keyof typeof ObjectClass];

export interface Touch {
  readonly object: number;
  readonly isWrite: boolean;
}

/** What the footprint of a row may depend on besides the row. */
export interface Layout {
  readonly pes: number;
  readonly trees: number;
  /** PE of each actor. */
  readonly peOf: readonly number[];
  /** Word of page `frame` at index 0. */
  readonly firstWord: (frame: number) => number;
}

export function objectOf(kind: ObjectClass, number: number): number {
  return kind * 0x40000000 + number;
}

type Rule = (row: Row, layout: Layout) => readonly Touch[];

const read = (kind: ObjectClass, number: number): Touch => ({
  object: objectOf(kind, number),
  isWrite: false,
});
const write = (kind: ObjectClass, number: number): Touch => ({
  object: objectOf(kind, number),
  isWrite: true,
});
const own = (row: Row, layout: Layout): number => layout.peOf[row.actor] ?? 0;

/** All TLBs and maps: what an oracle looks at when a promise falls due. */
function judged(layout: Layout): readonly Touch[] {
  const touches: Touch[] = [read(ObjectClass.Claims, 0)];
  for (let pe = 0; pe < layout.pes; pe += 1) touches.push(read(ObjectClass.Tlb, pe));
  for (let tree = 0; tree < layout.trees; tree += 1) touches.push(read(ObjectClass.Tree, tree));
  return touches;
}

const readsWord: Rule = ({ a }) => [read(ObjectClass.Word, a)];
const writesWord: Rule = ({ a }) => [write(ObjectClass.Word, a)];
const writesTlb: Rule = ({ a }) => [write(ObjectClass.Tlb, a & 0xff)];
const writesSection: Rule = ({ a }) => [write(ObjectClass.Section, a)];
const writesPool: Rule = (_row, layout) => [write(ObjectClass.Pool, 0), ...judged(layout)];
const judges: Rule = (_row, layout) => judged(layout);
const walks: Rule = (row, layout) => [write(ObjectClass.Tlb, own(row, layout))];

const RULES: ReadonlyMap<EventCode, Rule> = new Map<EventCode, Rule>([
  [Event.Read, readsWord],
  [Event.Wait, readsWord],
  [Event.CompareFailed, readsWord],
  [Event.StoreIssue, writesWord],
  [Event.StoreVisible, writesWord],
  [Event.TouchFreed, readsWord],
  [
    Event.Descriptor,
    (row, layout) => [write(ObjectClass.Tree, placeTree(row.d)), ...judged(layout)],
  ],
  [Event.Linked, (_row, layout) => judged(layout)],
  [Event.Unlinked, (_row, layout) => judged(layout)],
  [
    Event.Barrier,
    (row, layout) => [
      read(ObjectClass.Outstanding, own(row, layout)),
      read(ObjectClass.Tlb, own(row, layout)),
    ],
  ],
  [Event.Register, (row, layout) => [write(ObjectClass.Register, own(row, layout))]],
  [
    Event.InvalidateIssue,
    (row, layout) => [
      write(ObjectClass.Outstanding, own(row, layout)),
      ...Array.from({ length: layout.pes }, (_, pe) => read(ObjectClass.Tlb, pe)),
    ],
  ],
  [
    Event.InvalidateArrive,
    (row, layout) => [
      write(ObjectClass.Tlb, row.b),
      write(ObjectClass.Outstanding, own(row, layout)),
    ],
  ],
  [Event.TlbFill, writesTlb],
  [Event.TlbDrop, writesTlb],
  [Event.WalkStart, walks],
  [
    Event.WalkRead,
    (row, layout) => [
      read(ObjectClass.Word, row.a),
      write(ObjectClass.Tlb, own(row, layout)),
      read(ObjectClass.Pool, 0),
    ],
  ],
  [
    Event.WalkFreed,
    (row, layout) => [read(ObjectClass.Word, row.a), write(ObjectClass.Tlb, own(row, layout))],
  ],
  [Event.Fault, walks],
  [
    Event.Use,
    (row, layout) => [
      write(ObjectClass.Tlb, own(row, layout)),
      write(ObjectClass.Word, layout.firstWord(row.b)),
      read(ObjectClass.Claims, 0),
    ],
  ],
  [Event.LockTake, ({ a }) => [write(ObjectClass.Lock, a)]],
  [Event.LockDrop, (row, layout) => [write(ObjectClass.Lock, row.a), ...judged(layout)]],
  [Event.Allocate, writesPool],
  [Event.AllocateFailed, writesPool],
  [Event.Free, writesPool],
  [Event.DoubleFree, writesPool],
  [Event.SectionEnter, writesSection],
  [Event.SectionExit, writesSection],
  [Event.GracePeriod, writesSection],
  [Event.Deferred, writesSection],
  [Event.Callback, writesSection],
  [Event.OperationBegin, judges],
  [Event.OperationEnd, judges],
  [Event.Claim, (_row, layout) => [write(ObjectClass.Claims, 0), ...judged(layout)]],
  [Event.GuestExit, walks],
  [Event.GuestEnter, walks],
]);

/** Objects that an event touches: the union over its rows. */
export function footprint(rows: readonly Row[], layout: Layout): readonly Touch[] {
  return rows.flatMap((row) => RULES.get(row.kind)?.(row, layout) ?? []);
}

/** Some object is in both, and at least one of the two writes it. */
export function conflict(one: readonly Touch[], other: readonly Touch[]): boolean {
  return one.some((a) => other.some((b) => a.object === b.object && (a.isWrite || b.isWrite)));
}
