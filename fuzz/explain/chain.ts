/**
 * How a violation came about, step by step, in plain words: what made the entry that the violation is about,
 * what was done to it, which invalidations missed it, and what came of it. Descriptors are told in the
 * system's own fields.
 */
import type { Violation } from '../../oracles/oracle.ts';
import { Event } from '../../sim/event.ts';
import { placeLevel, placeTree } from '../../sim/place.ts';
import type { Row } from '../../sim/trace.ts';
import { describeRow, entryText, tlbiText } from '../describe.ts';
import type { Plan } from '../schedule.ts';
import { shortName } from '../sentence.ts';
import type { Session } from '../session.ts';
import { laterUse } from './aftermath.ts';
import { missedBy } from './invalidations.ts';
import { isAbout, type Topic, topicOf } from './relevance.ts';

interface Link {
  readonly row: number;
  /** What is told last when there is no room: higher goes first. */
  readonly weight: number;
  readonly text: string;
}

/** @param room lines, the heading included */
export function chain(
  session: Session,
  plan: Plan,
  violation: Violation,
  room: number,
): readonly string[] {
  const links = linksOf(session, violation);
  const use = violation.survivor === undefined ? undefined : laterUse(session, plan, violation);
  const later = use === undefined ? [] : [`  later    ${use.who}: ${use.what}`];
  const kept = strongest(links, room - 1 - later.length);
  if (kept.length === 0) return [];
  return ['how it came about:', ...kept.map(({ text }) => text), ...later];
}

function strongest(links: readonly Link[], room: number): readonly Link[] {
  const order = [...links].sort((a, b) => b.weight - a.weight || b.row - a.row);
  return order.slice(0, Math.max(0, room)).sort((a, b) => a.row - b.row);
}

function linksOf(session: Session, violation: Violation): readonly Link[] {
  const { trace } = session.machine;
  const topic = topicOf(session, violation);
  const { survivor } = violation;
  const missed = new Map(
    survivor === undefined || survivor < 0
      ? []
      : missedBy(session, violation, trace.at(survivor)).map(({ row, why }) => [row.row, why]),
  );
  const links: Link[] = [];
  for (let index = 0; index <= violation.row; index += 1) {
    const row = trace.at(index);
    const note = noteOf(index, violation, missed);
    if (note === '' && (!isLink(session, topic, row) || isToldNext(session, row))) continue;
    links.push({
      row: index,
      weight: weightOf(index, row, violation, note),
      text: told(session, row, note),
    });
  }
  return links;
}

function noteOf(index: number, violation: Violation, missed: ReadonlyMap<number, string>): string {
  const notes = [
    ...(index === violation.survivor ? ['this is what survives'] : []),
    ...(missed.has(index) ? [missed.get(index)!] : []),
    ...(index === violation.row ? ['here the promise is broken'] : []),
  ];
  return notes.join('; ');
}

/** Rows that say the same as others, or nothing about the entry. */
const UNTOLD: ReadonlySet<number> = new Set<number>([
  Event.InvalidateIssue,
  Event.Fault,
  Event.Linked,
  Event.Unlinked,
]);

function isLink(session: Session, topic: Topic, row: Row): boolean {
  return !UNTOLD.has(row.kind) && isAbout(session, topic, row);
}

/** The store is told by what it did to an entry. */
function isToldNext({ machine }: Session, row: Row): boolean {
  const { trace } = machine;
  if (row.kind !== Event.StoreVisible) return false;
  for (let next = row.row + 1; next < trace.count && trace.at(next).step === row.step; next += 1)
    if (trace.kind(next) === Event.Descriptor && trace.operand(next, 0) === row.a) return true;
  return false;
}

function weightOf(index: number, row: Row, violation: Violation, note: string): number {
  if (index === violation.row) return 9;
  if (index === violation.survivor) return 8;
  if (row.kind === Event.Descriptor) return 6;
  if (row.kind === Event.InvalidateIssue) return index > violation.row - 1 || note !== '' ? 5 : 1;
  if (row.kind === Event.Claim || row.kind === Event.Free) return 5;
  return row.kind === Event.TlbFill || row.kind === Event.TlbDrop ? 2 : 3;
}

function told(session: Session, row: Row, note: string): string {
  const tail = note === '' ? '' : `  <- ${note}`;
  return `  step ${String(row.step).padEnd(4)}${shortName(session, row.operation)}: ${wordsOf(session, row)}${tail}`;
}

/** What the row says; the entry that it leaves in the system's own fields. */
function wordsOf(session: Session, row: Row): string {
  const { a, b, c, d } = row;
  if (row.kind === Event.InvalidateIssue) return tlbiText(a, b, c);
  const level = placeLevel(d);
  const fields = session.world.describeEntry?.(placeTree(d), level, c);
  if (row.kind !== Event.Descriptor || fields === undefined) return describeRow(session, row);
  return `level ${level} entry: ${entryText(session, d, b)} -> ${fields}`;
}
