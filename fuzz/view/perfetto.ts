/**
 * A run as a trace that Perfetto (ui.perfetto.dev) and Chrome (about:tracing) open: a track per lane, a slice per
 * operation with its events inside, and an arrow for each happens-before arrow.
 * Source: the "Trace Event Format" of the Chromium project, JSON object form.
 */
import type { View, ViewRun } from './view.ts';

interface TraceEvent {
  readonly ph: 'M' | 'B' | 'E' | 'X' | 's' | 'f' | 'i';
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds. */
  readonly ts?: number;
  readonly dur?: number;
  readonly id?: number;
  readonly bp?: 'e';
  readonly s?: 'g';
  readonly cat?: string;
  readonly args?: Readonly<Record<string, string | number>>;
}

const NANOSECONDS = 1000;
/** Nanoseconds that an event is drawn with. */
const WIDTH = 4;

/** One process per run: the failing one first. */
export function perfettoTrace(view: View): {
  readonly displayTimeUnit: 'ns';
  readonly traceEvents: readonly TraceEvent[];
} {
  return {
    displayTimeUnit: 'ns',
    traceEvents: view.runs.flatMap((run, index) => new Track(run, index + 1, view.title).events()),
  };
}

class Track {
  readonly #run: ViewRun;
  readonly #pid: number;
  readonly #title: string;
  /** By event: nanoseconds, later than the event before. The schedule decides the order, not the clock. */
  readonly #times: readonly number[];

  constructor(run: ViewRun, pid: number, title: string) {
    this.#run = run;
    this.#pid = pid;
    this.#title = title;
    let last = 0;
    this.#times = run.events.clock.map((clock) => {
      last = Math.max(clock, last + WIDTH + 1);
      return last;
    });
  }

  events(): readonly TraceEvent[] {
    const { label, lanes } = this.#run;
    return [
      this.#meta('process_name', 0, `${label}: ${this.#title}`),
      ...lanes.map(({ name, title }, lane) =>
        this.#meta('thread_name', lane, `${name} (${title})`),
      ),
      ...this.#operations(),
      ...this.#run.events.row.map((_, event) => this.#slice(event)),
      ...this.#arrows(),
      ...this.#violation(),
    ];
  }

  #meta(name: string, tid: number, value: string): TraceEvent {
    return { ph: 'M', name, pid: this.#pid, tid, args: { name: value } };
  }

  #at(event: number): number {
    return this.#times[event]! / NANOSECONDS;
  }

  /** From the first to the last event that an operation makes in its actor's lane. */
  #operations(): readonly TraceEvent[] {
    const { rows, events, operations } = this.#run;
    const spans = new Map<number, { first: number; last: number; lane: number }>();
    events.row.forEach((row, event) => {
      const operation = rows.operation[row]!;
      const lane = events.lane[event]!;
      if (operation < 0) return;
      const known = spans.get(operation);
      if (known === undefined) spans.set(operation, { first: event, last: event, lane });
      else if (known.lane === lane) known.last = event;
    });
    return [...spans].map(([operation, { first, last, lane }]): TraceEvent => {
      const { name, text } = operations[operation]!;
      const dur = this.#at(last) + WIDTH / NANOSECONDS - this.#at(first);
      const ts = this.#at(first);
      return {
        ph: 'X',
        name: `${name}: ${text}`,
        cat: 'operation',
        pid: this.#pid,
        tid: lane,
        ts,
        dur,
      };
    });
  }

  #slice(event: number): TraceEvent {
    const { rows, events, texts, sites } = this.#run;
    const from = events.row[event]!;
    const to = events.row[event + 1] ?? rows.event.length;
    const name = events.name[event]! < 0 ? sites[rows.site[from]!]! : texts[events.name[event]!]!;
    const said: string[] = [];
    for (let row = from; row < to; row += 1) said.push(texts[rows.text[row]!]!);
    return {
      ph: 'X',
      name: said[0] ?? name,
      cat: 'event',
      pid: this.#pid,
      tid: events.lane[event]!,
      ts: this.#at(event),
      dur: WIDTH / NANOSECONDS,
      args: { event: name, step: rows.step[from] ?? 0, rows: said.join('\n') },
    };
  }

  #arrows(): readonly TraceEvent[] {
    const { arrows, events } = this.#run;
    const list: TraceEvent[] = [];
    for (let at = 0; at < arrows.length; at += 2) {
      const [from, to] = [arrows[at]!, arrows[at + 1]!];
      const shared = {
        name: 'happens before',
        cat: 'order',
        pid: this.#pid,
        id: this.#pid * 0x1000000 + at,
      };
      list.push({ ...shared, ph: 's', tid: events.lane[from]!, ts: this.#at(from) });
      list.push({ ...shared, ph: 'f', bp: 'e', tid: events.lane[to]!, ts: this.#at(to) });
    }
    return list;
  }

  #violation(): readonly TraceEvent[] {
    const { violation, rows, outcome, lanes } = this.#run;
    if (violation < 0) return [];
    const event = rows.event[violation]!;
    const tid = rows.lane[violation] ?? lanes.length;
    return [
      {
        ph: 'i',
        name: outcome,
        cat: 'violation',
        s: 'g',
        pid: this.#pid,
        tid,
        ts: this.#at(event),
      },
    ];
  }
}
