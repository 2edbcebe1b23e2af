/** Which trace rows a reader needs to follow the story of a violation, and which are about its subject. */
import type { Violation } from '../../oracles/oracle.ts';
import { Claim } from '../../sim/claims.ts';
import { frameOf, isLeaf, isTable } from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { levelPages } from '../../sim/geometry.ts';
import { placeLevel, placeTree } from '../../sim/place.ts';
import type { Row } from '../../sim/trace.ts';
import type { Session } from '../session.ts';

/** How much an event of a kind matters in general: 1 the story, 4 detail; others are not shown. */
const SALIENCE: ReadonlyMap<number, number> = new Map([
  [Event.Descriptor, 1],
  [Event.TlbFill, 1],
  [Event.TlbDrop, 2],
  [Event.InvalidateIssue, 1],
  [Event.InvalidateArrive, 2],
  [Event.Use, 1],
  [Event.Fault, 1],
  [Event.Free, 1],
  [Event.CompareFailed, 2],
  [Event.Deferred, 2],
  [Event.Callback, 2],
  [Event.WalkFreed, 1],
  [Event.TouchFreed, 1],
  [Event.LockTake, 3],
  [Event.LockDrop, 3],
  [Event.Claim, 2],
  [Event.Choice, 2],
  [Event.AllocateFailed, 1],
  [Event.DoubleFree, 1],
  [Event.MaySleep, 4],
  [Event.OperationBegin, 1],
  [Event.OperationEnd, 3],
]);

export const SALIENCE_LEVELS = 4;

export function salience(kind: number): number {
  return SALIENCE.get(kind) ?? SALIENCE_LEVELS + 1;
}

/** What a violation is about: an input page, a frame, a word, a PE; -1 where it names none. */
export interface Topic {
  readonly page: number;
  readonly frame: number;
  readonly word: number;
  readonly pe: number;
}

export function topicOf({ machine, scene }: Session, violation: Violation): Topic {
  const { survivor } = violation;
  const made = survivor === undefined || survivor < 0 ? undefined : machine.trace.at(survivor);
  const isFill = made?.kind === Event.TlbFill;
  return {
    page: violation.page ?? (isFill ? made.b : -1),
    frame: violation.frame ?? (isFill ? frameOf(made.c) : -1),
    word: violation.word ?? (isFill ? made.d : countOf(scene.countBase, violation)),
    pe: violation.pe ?? -1,
  };
}

/** The word that counts a table, where a count is what is wrong. */
function countOf(base: number, { subject, frame }: Violation): number {
  return subject === 'count' && base >= 0 && frame !== undefined ? base + frame : -1;
}

/** The row tells something about the topic: its entry, its page, what is cached of it. */
export function isAbout(session: Session, topic: Topic, row: Row): boolean {
  const { a, b, c, d } = row;
  const isTopicFrame = (frame: number): boolean => topic.frame >= 0 && frame === topic.frame;
  const names = (word: number): boolean =>
    (isTable(word) || isLeaf(word)) && isTopicFrame(frameOf(word));
  switch (row.kind) {
    case Event.Descriptor:
      return a === topic.word || names(b) || names(c) || reaches(session, row, topic.page);
    case Event.TlbFill:
    case Event.TlbDrop:
      return (topic.pe < 0 || (a & 0xff) === topic.pe) && (b === topic.page || names(c));
    case Event.InvalidateIssue:
    case Event.WalkFreed:
    case Event.TouchFreed:
    case Event.DoubleFree:
      return true;
    case Event.Free:
    case Event.Linked:
    case Event.Unlinked:
      return isTopicFrame(a);
    case Event.Use:
      return a === topic.page || isTopicFrame(b);
    case Event.Fault:
      return a === topic.page;
    case Event.Claim:
      return isClaimAbout(topic, a, b, c, d);
    case Event.StoreVisible:
      return a === topic.word;
    default:
      return false;
  }
}

/** The entry that a Descriptor row changes translates the page. */
function reaches({ machine }: Session, { a, d }: Row, page: number): boolean {
  if (page < 0) return false;
  const { geometry } = machine.tables.trees[placeTree(d)]!;
  const span = levelPages(geometry, placeLevel(d));
  const frame = machine.memory.frame(a);
  // only its place in the table is known for certain: a table may be gone by now
  const from = machine.tables.firstOf[frame]! + machine.memory.index(a) * span;
  return page >= from && page < from + span;
}

function isClaimAbout(topic: Topic, claim: number, x: number, y: number, z: number): boolean {
  switch (claim) {
    case Claim.HostGrants:
      return x === topic.page || (y <= topic.frame && topic.frame < y + (1 << (z >>> 1)));
    case Claim.HostRevokes:
      return x === topic.page || y === topic.frame;
    case Claim.LogMarked:
    case Claim.YoungAnswered:
    case Claim.FaultHandled:
    case Claim.WriteForbidden:
      return x === topic.page;
    case Claim.LogTaken:
      return topic.page >= x && topic.page < x + 32;
    case Claim.OwnershipChanged:
      return x === topic.frame;
    case Claim.FaultRetry:
      return y === topic.page;
    default:
      return false;
  }
}
