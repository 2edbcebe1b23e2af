/**
 * Runs a recorded schedule, with one change if one is asked for, and keeps to the rest of it as far as it goes: who comes next
 * is the source whose next recorded event came first. Sources are matched by their number of events, so that one
 * that takes another way keeps its place; arrivals by their names.
 */
import type { Footprint } from '../../sim/footprint.ts';
import type { Scheduler, Scheduling } from '../../sim/scheduler.ts';
import { OccurrenceCounter } from '../names.ts';
import type { RecordedChoice, RecordedEvent } from '../recorder.ts';
import type { Session } from '../session.ts';

export interface Recorded {
  readonly events: readonly RecordedEvent[];
  readonly choices: readonly RecordedChoice[];
}

/** The answer that was given when an operation asked at a site for the n-th time. */
export function recordedAnswer(
  { choices }: Recorded,
  operation: number,
  site: number,
  occurrence: number,
): number {
  const same = choices.find(
    (one) => one.operation === operation && one.site === site && one.occurrence === occurrence,
  );
  return same?.answer ?? 0;
}

/** Events of one source, beyond the recording, before another gets a turn. */
const IN_A_ROW_MAX = 40;

/** Events that may be made while another is held back. */
const HELD_EVENTS_MAX = 600;

/** As a count: all that the other stream has to do comes first. */
export const ALL = 0;

/** What is changed: event `held` waits until `other` has made its `count`-th event that conflicts with it. */
export interface Swap {
  /** Index of the recorded event that is held back. */
  readonly held: number;
  /** The stream that goes first: a source, or the name of an arrival. */
  readonly other: string;
  readonly count: number;
  /** What the held event touched when it was made. */
  readonly touches: Touches;
  /** To work with. */
  readonly print: Footprint;
}

/** Objects that an event touched, and whether it wrote them. */
export type Touches = ReadonlyMap<number, boolean>;

export function touchesOf(print: Footprint): Touches {
  const objects = [...print.touched.subarray(0, print.count)];
  return new Map(objects.map((object) => [object, print.writes(object)]));
}

function conflicts(print: Footprint, touches: Touches): boolean {
  for (let i = 0; i < print.count; i += 1) {
    const object = print.touched[i]!;
    const writes = touches.get(object);
    if (writes === true || (writes === false && print.writes(object))) return true;
  }
  return false;
}

/** Which stream an event belongs to: its actor, or the arrival or effect by its cause. */
export function streamOf(
  { source, operation, site, pe }: Pick<RecordedEvent, 'source' | 'operation' | 'site' | 'pe'>,
  actorCount: number,
): string {
  return source < actorCount ? `a${source}` : `t${operation} ${site} ${pe}`;
}

export class Follow implements Scheduler {
  readonly id = 'follow';
  /** Rows [from, to) of the event that was made before the held one instead of after it. */
  from = -1;
  to = -1;
  /** The held event can never be reached, or the other one not before it. */
  isImpossible = false;
  readonly #session: Session;
  readonly #recorded: Recorded;
  readonly #swap: Swap | undefined;
  readonly #heldStream: string;
  /** By stream: indexes of its recorded events, and how many of them are over. */
  readonly #plan = new Map<string, number[]>();
  readonly #done = new Map<string, number>();
  readonly #asked = new OccurrenceCounter();
  readonly #actorStreams: readonly string[];
  #isHolding = false;
  #isOver = false;
  #conflicts = 0;
  #heldFor = 0;
  #inARow = 0;
  /** Row where the last event of the other stream began, or -1. */
  #watched = -1;

  constructor(session: Session, recorded: Recorded, swap: Swap | undefined) {
    this.#session = session;
    this.#recorded = recorded;
    this.#swap = swap;
    const { actorCount } = session.machine;
    this.#actorStreams = session.machine.actors.map(({ index }) => `a${index}`);
    this.#heldStream = swap === undefined ? '' : streamOf(recorded.events[swap.held]!, actorCount);
    recorded.events.forEach((event, index) => {
      const stream = streamOf(event, actorCount);
      const list = this.#plan.get(stream);
      if (list === undefined) this.#plan.set(stream, [index]);
      else list.push(index);
    });
  }

  begin(_machine: Scheduling): void {
    this.#done.clear();
    this.#inARow = 0;
    this.#asked.reset();
  }

  /** The two were made in the other order. */
  get isSwapped(): boolean {
    return this.#isOver && !this.isImpossible;
  }

  pick(machine: Scheduling): number {
    machine.grant = 0;
    this.#closeEvent();
    const swap = this.#swap;
    if (swap !== undefined) this.#hold(machine, swap);
    let source = this.isImpossible ? -1 : this.#pickRecorded(machine, '');
    if (this.#isHolding) source = this.#pickHolding(machine, swap!.other);
    if (source < 0) {
      this.isImpossible = true;
      this.#session.machine.halted = true;
      return machine.ready[0]!;
    }
    this.#inARow = source === machine.current ? this.#inARow + 1 : 0;
    const stream = this.#streamOf(machine, source);
    this.#done.set(stream, (this.#done.get(stream) ?? 0) + 1);
    if (this.#isHolding && stream === swap!.other)
      this.#watched = this.#session.machine.trace.count;
    return source;
  }

  choose(machine: Scheduling, site: number, alternatives: number): number {
    const { operation } = machine;
    const occurrence = this.#asked.next({ operation, site, pe: -1 });
    const answer = recordedAnswer(this.#recorded, operation, site, occurrence);
    return answer < alternatives ? answer : 0;
  }

  /** Looks whether the event that the other stream has just made conflicts with the held one. */
  #closeEvent(): void {
    if (this.#watched < 0) return;
    const { trace } = this.#session.machine;
    const { print, touches, count } = this.#swap!;
    print.clear();
    print.add(trace, this.#watched, trace.count);
    if (conflicts(print, touches)) {
      this.#conflicts += 1;
      this.from = this.#watched;
      this.to = trace.count;
      if (this.#conflicts === count) this.#release();
    }
    this.#watched = -1;
  }

  #hold(machine: Scheduling, { held, other, count }: Swap): void {
    if (!this.#isOver && machine.events === held) this.#isHolding = true;
    if (!this.#isHolding || !this.#hasEnded(other)) return;
    if (count !== ALL || this.#conflicts === 0) this.isImpossible = true;
    this.#release();
  }

  #release(): void {
    this.#isHolding = false;
    this.#isOver = true;
  }

  #pickHolding(machine: Scheduling, other: string): number {
    this.#heldFor += 1;
    if (this.#heldFor > HELD_EVENTS_MAX) return -1;
    for (let i = 0; i < machine.readyCount; i += 1) {
      const source = machine.ready[i]!;
      if (this.#streamOf(machine, source) === other) return source;
    }
    // it waits for somebody else
    return this.#pickRecorded(machine, this.#heldStream);
  }

  #hasEnded(stream: string): boolean {
    const { actors } = this.#session.machine;
    return actors.some(({ index, ended }) => ended && this.#actorStreams[index] === stream);
  }

  /** The ready source whose next recorded event came first; those beyond the recording come last. */
  #pickRecorded(machine: Scheduling, without: string): number {
    let best = -1;
    let bestAt = Number.MAX_SAFE_INTEGER;
    for (let i = 0; i < machine.readyCount; i += 1) {
      const source = machine.ready[i]!;
      const stream = this.#streamOf(machine, source);
      if (stream === without) continue;
      const next = this.#plan.get(stream)?.[this.#done.get(stream) ?? 0];
      const at = next ?? this.#beyond(machine, source);
      if (at >= bestAt) continue;
      best = source;
      bestAt = at;
    }
    return best;
  }

  /** Order of what was not recorded: the running actor for a while, arrivals, then actors in their order. */
  #beyond(machine: Scheduling, source: number): number {
    const base = this.#recorded.events.length;
    if (source >= machine.actorCount) return base + 1 + source - machine.actorCount;
    if (source !== machine.current) return base + 0x10000 + source;
    // one that waits for another by trying again and again gives way
    return this.#inARow < IN_A_ROW_MAX ? base : base + 0x20000;
  }

  #streamOf(machine: Scheduling, source: number): string {
    if (source < machine.actorCount) return this.#actorStreams[source]!;
    const { operation, site, pe } = machine.pending(source);
    return `t${operation} ${site} ${pe}`;
  }
}
