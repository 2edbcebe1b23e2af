/**
 * The events of one run with their trace rows, what each touched, and the happens-before relation among
 * them: the order of each source's own events, and of conflicting footprints (sim/footprint.ts). Made by
 * running once; kept as plain data, so that the session is free for other runs.
 */

import { Event } from '../../sim/event.ts';
import type { Pending, Scheduler, Scheduling } from '../../sim/scheduler.ts';
import type { PlannedRun } from '../schedule.ts';
import type { Session } from '../session.ts';
import { Wrapper } from '../strategies/wrapper.ts';

/** One event: what a source did when it was picked, or what happened in the fair tail in one go. */
export interface TimelineEvent extends Pending {
  readonly index: number;
  /** -1 in the fair tail, where nobody is asked. */
  readonly source: number;
  readonly occurrence: number;
  /** Its trace rows: [from, to). */
  readonly from: number;
  readonly to: number;
  /** Virtual nanoseconds when it was picked. */
  readonly clock: number;
}

/** A happens-before arrow between events of two sources that no other arrows imply. */
export interface Arrow {
  readonly from: number;
  readonly to: number;
}

/** Notes at which trace row, and when, each event begins. */
export class RowMarks extends Wrapper {
  readonly rows: number[] = [];
  readonly clocks: number[] = [];
  readonly #session: Session;

  constructor(session: Session, inner: Scheduler) {
    super(inner);
    this.#session = session;
  }

  override begin(machine: Scheduling): void {
    this.rows.length = 0;
    this.clocks.length = 0;
    super.begin(machine);
  }

  override pick(machine: Scheduling): number {
    const source = super.pick(machine);
    machine.grant = 0;
    this.rows.push(this.#session.machine.trace.count);
    this.clocks.push(this.#session.machine.clock + Math.max(0, machine.latency(source)));
    return source;
  }
}

/** The events of the run that the session has just made under `marks`. */
export function timelineOf(
  session: Session,
  run: PlannedRun,
  marks: RowMarks,
): readonly TimelineEvent[] {
  const { trace } = session.machine;
  const tail = firstTailRow(session);
  const events = run.recorder.events.map((event, index): TimelineEvent => {
    const { source, operation, site, pe, occurrence } = event;
    const from = marks.rows[index]!;
    const to = Math.min(marks.rows[index + 1] ?? trace.count, Math.max(from, tail));
    return {
      index,
      source,
      operation,
      site,
      pe,
      occurrence,
      from,
      to,
      clock: marks.clocks[index]!,
    };
  });
  return [...events, ...tailEvents(session, tail, events)];
}

function firstTailRow({ machine }: Session): number {
  const { trace } = machine;
  if (!machine.inTail) return trace.count;
  for (let row = trace.count - 1; row >= 0; row -= 1)
    if (trace.kind(row) === Event.FairTail) return row;
  return trace.count;
}

/** In the fair tail nobody is asked: rows of one actor at one site belong together. */
function tailEvents(
  { machine }: Session,
  first: number,
  before: readonly TimelineEvent[],
): readonly TimelineEvent[] {
  const { trace } = machine;
  const events: TimelineEvent[] = [];
  const clock = before.at(-1)?.clock ?? 0;
  for (let from = first, to = first; from < trace.count; from = to) {
    const { actor, site, operation } = trace.at(from);
    while (to < trace.count && trace.actor(to) === actor && trace.site(to) === site) to += 1;
    const index = before.length + events.length;
    events.push({ index, source: -1, operation, site, pe: -1, occurrence: 1, from, to, clock });
  }
  return events;
}

/** Who is ordered after whom: arrows between sources, without those that others imply. */
export function arrowsOf(session: Session, events: readonly TimelineEvent[]): readonly Arrow[] {
  return new Order(session, events).arrows;
}

/** Happens-before by vector clocks: one component per source that made an event. */
class Order {
  readonly arrows: Arrow[] = [];
  readonly #lanes: readonly number[];
  /** By event: number within its lane, and the clock of all lanes after it. */
  readonly #turn: number[] = [];
  readonly #clocks: Int32Array[] = [];

  constructor(session: Session, events: readonly TimelineEvent[]) {
    const { machine } = session;
    const print = session.footprint();
    const lastWrite = new Map<number, number>();
    /** By object and lane: the last read after the last write; earlier ones of a lane are implied. */
    const readsSince = new Map<number, Map<number, number>>();
    const { lanes, count } = lanesOf(session, events);
    this.#lanes = lanes;
    const last = new Array<number>(count).fill(-1);
    for (const event of events) {
      print.clear();
      print.add(machine.trace, event.from, event.to);
      const lane = lanes[event.index]!;
      const causes = new Set<number>(last[lane]! >= 0 ? [last[lane]!] : []);
      for (let i = 0; i < print.count; i += 1) {
        const object = print.touched[i]!;
        const write = lastWrite.get(object);
        if (write !== undefined) causes.add(write);
        if (print.writes(object)) {
          for (const read of readsSince.get(object)?.values() ?? []) causes.add(read);
          lastWrite.set(object, event.index);
          readsSince.delete(object);
        } else {
          const reads = readsSince.get(object);
          if (reads === undefined) readsSince.set(object, new Map([[lane, event.index]]));
          else reads.set(lane, event.index);
        }
      }
      this.#join(event.index, lane, causes, count);
      last[lane] = event.index;
    }
  }

  #join(event: number, lane: number, causes: ReadonlySet<number>, lanes: number): void {
    const clock = new Int32Array(lanes);
    for (const cause of [...causes].sort((a, b) => b - a)) {
      const from = this.#lanes[cause]!;
      // implied by an arrow from a later event
      if (clock[from]! >= this.#turn[cause]!) continue;
      if (from !== lane) this.arrows.push({ from: cause, to: event });
      const other = this.#clocks[cause]!;
      for (let i = 0; i < lanes; i += 1) if (other[i]! > clock[i]!) clock[i] = other[i]!;
    }
    clock[lane]! += 1;
    this.#turn[event] = clock[lane]!;
    this.#clocks[event] = clock;
  }
}

/** A lane per actor, one per PE for what arrives there, and one per place of a delayed store. */
function lanesOf(
  { machine }: Session,
  events: readonly TimelineEvent[],
): { lanes: readonly number[]; count: number } {
  const numbers = new Map<number, number>();
  const lanes = events.map(({ source, pe, from }) => {
    const own = source < 0 ? machine.trace.actor(from) : source;
    const key = machine.sources.isArrival(own) ? -1 - pe : own;
    const known = numbers.get(key) ?? numbers.size;
    numbers.set(key, known);
    return known;
  });
  return { lanes, count: numbers.size };
}
