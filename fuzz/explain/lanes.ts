/** Lanes: one column per actor, time downwards, the events that a reader needs to follow the story. */
import type { Violation } from '../../oracles/oracle.ts';
import { Event } from '../../sim/event.ts';
import type { Row } from '../../sim/trace.ts';
import { describeRow } from '../describe.ts';
import { operationText } from '../sentence.ts';
import type { Session } from '../session.ts';
import { isAbout, SALIENCE_LEVELS, salience, type Topic, topicOf } from './relevance.ts';

const LANE_WIDTH_MIN = 24;
const TEXT_WIDTH = 112;
/** Lines at the beginning that stay when the story is too long. */
const HEAD = 2;

export interface LaneOptions {
  readonly violation: Violation | undefined;
  /** Lines that there is room for. */
  readonly room: number;
  /** Rows that must be shown, and the mark in front of each. */
  readonly marks?: ReadonlyMap<number, string>;
}

interface Line {
  readonly row: Row;
  readonly text: string;
}

export function lanes(session: Session, options: LaneOptions): readonly string[] {
  const { violation, room, marks = new Map<number, string>() } = options;
  const { machine } = session;
  const end = violation === undefined ? machine.trace.count - 1 : violation.row;
  const topic = violation === undefined ? undefined : topicOf(session, violation);
  const mustShow = new Set(marks.keys());
  if (violation !== undefined) mustShow.add(violation.row);
  if ((violation?.survivor ?? -1) >= 0) mustShow.add(violation!.survivor!);
  let lines: readonly Line[] = [];
  for (let level = SALIENCE_LEVELS; level >= 0; level -= 1) {
    lines = chosenRows(session, end, level, mustShow, topic);
    if (lines.length <= room - 1) break;
  }
  // the head of the columns takes a line, and so does the gap
  const kept = trimmed(lines, room - 1, mustShow);
  const body = columns(session, kept, marks);
  const dropped = lines.length - kept.length;
  const gap = dropped > 0 ? [`         (${dropped} earlier events left out)`] : [];
  return [body.head, ...body.lines.slice(0, HEAD), ...gap, ...body.lines.slice(HEAD)];
}

/** The end of the story matters more than its beginning, and what is marked matters most. */
function trimmed(
  lines: readonly Line[],
  room: number,
  mustShow: ReadonlySet<number>,
): readonly Line[] {
  let excess = lines.length > room ? lines.length - room + 1 : 0;
  return lines.filter(({ row }, index) => {
    if (excess === 0 || index < HEAD || mustShow.has(row.row)) return true;
    excess -= 1;
    return false;
  });
}

function columns(
  session: Session,
  lines: readonly Line[],
  marks: ReadonlyMap<number, string>,
): { head: string; lines: readonly string[] } {
  const actors = [...new Set(lines.map(({ row }) => row.actor))].sort((a, b) => a - b);
  const width = Math.max(LANE_WIDTH_MIN, Math.floor(TEXT_WIDTH / Math.max(1, actors.length)));
  const cell = (text: string): string =>
    (text.length > width - 2 ? `${text.slice(0, width - 3)}…` : text).padEnd(width);
  const head =
    `step     ${actors.map((actor) => cell(actorTitle(session, actor))).join('')}`.trimEnd();
  return {
    head,
    lines: lines.map(({ row, text }) => {
      const mark = (marks.get(row.row) ?? '').padEnd(3);
      const lane = ' '.repeat(actors.indexOf(row.actor) * width);
      return `${String(row.step).padStart(5)} ${mark}${lane}${text}`.trimEnd();
    }),
  };
}

function actorTitle(session: Session, actor: number): string {
  if (actor < 0) return 'boot';
  const { name, pe } = session.machine.actors[actor]!;
  return `${name} (PE ${pe})`;
}

/** At level 0 only what is about the topic; above, all rows up to that salience. */
function chosenRows(
  session: Session,
  end: number,
  level: number,
  mustShow: ReadonlySet<number>,
  topic: Topic | undefined,
): readonly Line[] {
  const { trace, course } = session.machine;
  const lines: Line[] = [];
  for (let index = 0; index <= end; index += 1) {
    const row = trace.at(index);
    const isImplicit = row.operation >= 0 && course.isImplicit[row.operation] === true;
    const isStory =
      !isImplicit &&
      (level > 0
        ? salience(row.kind) <= level
        : row.kind === Event.OperationBegin ||
          (salience(row.kind) <= 2 && topic !== undefined && isAbout(session, topic, row)));
    if (isStory || mustShow.has(index)) lines.push({ row, text: laneText(session, row) });
  }
  return lines;
}

function laneText(session: Session, row: Row): string {
  if (row.kind !== Event.OperationBegin) return describeRow(session, row);
  return `${session.machine.course.keyOf[row.operation]}: ${operationText(session, row.operation)}`;
}
