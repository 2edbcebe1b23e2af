/**
 * What decided a failure: the critical pair (two events that depend on each other; made in the other
 * order, the run passes), the run that passes, and the event after which no other order was found to help.
 * Everything is found by running, within a budget of executions.
 */
import type { Footprint } from '../../sim/footprint.ts';
import type { Scheduler, Scheduling } from '../../sim/scheduler.ts';
import { type EventName, nameOf, OccurrenceCounter } from '../names.ts';
import { type RecordedEvent, Recorder } from '../recorder.ts';
import { type Plan, type PlannedRun, runAnswers, runRecorded, whole } from '../schedule.ts';
import { searchScheduler } from '../search.ts';
import type { Session } from '../session.ts';
import { type Deviation, findDeviation } from './deviation.ts';
import {
  ALL,
  Follow,
  type Recorded,
  recordedAnswer,
  streamOf,
  type Touches,
  touchesOf,
} from './follow.ts';
import { mainRow, type RowRange, type Rows, rowsOf } from './rows.ts';
import { RowMarks, type TimelineEvent, timelineOf } from './timeline.ts';

export interface CriticalPair {
  /** In the failing run this one came first ... */
  readonly first: EventName;
  /** ... and this one later, or not before the run ended. */
  readonly second: EventName;
  readonly firstOperation: number;
  readonly secondOperation: number;
  /** Index of the first one among the events of the failing run. */
  readonly at: number;
  /** The row of each that matters there; undefined when the second did not come before the end. */
  readonly firstRow: number;
  readonly secondRow: number | undefined;
  /** Their rows in the neighbour; the first one may never come there. */
  readonly neighbourFirst: number | undefined;
  readonly neighbourSecond: number;
  /** Answers of the run in which they come the other way round, and which passes. */
  readonly neighbour: PlannedRun;
}

/**
 * Where the code itself makes the order: its first event that the correct code does not make so under the same
 * schedule, and the event at which the promise is broken. With the correct code the run passes.
 */
export interface CodePair extends Deviation {
  /** Row of the broken promise in the failing run. */
  readonly secondRow: number;
}

/** A question that was answered so that the run fails; with the other answer it passes. */
export interface CriticalChoice {
  readonly event: EventName;
  readonly operation: number;
  readonly given: number;
  readonly other: number;
  readonly neighbour: PlannedRun;
}

export interface Decisive {
  readonly pair: CriticalPair | undefined;
  /** Looked for when no order of two events decides, as are the answers. */
  readonly code: CodePair | undefined;
  readonly choice: CriticalChoice | undefined;
  /**
   * Index of the event after which every other continuation that was tried failed too; -1 when every
   * schedule of the program did.
   */
  readonly inevitable: number;
  /** Its step and trace rows; step 0 and no rows when every schedule fails. */
  readonly inevitableStep: number;
  /** Continuations that were tried from there. */
  readonly continuations: number;
  readonly executions: number;
}

const EXECUTIONS_MAX = 4000;
/** Machine events that the tried runs may take together: what bounds real geometries. */
const EVENTS_MAX = 3_000_000;
/** Conflicting events of the other stream, in their order, that are tried for each held event. */
const NEAR: readonly number[] = [1, 2, 3];
const CONTINUATIONS = 48;
const CONTINUATION_SEED = 20200825;

/** Finds what decided a failing run. The session may be used for other runs afterwards. */
export function findDecisive(session: Session, plan: Plan, failing: PlannedRun): Decisive {
  return new Search(session, plan, failing).find();
}

class Search {
  readonly #session: Session;
  readonly #plan: Plan;
  readonly #failing: PlannedRun;
  readonly #recorded: Recorded;
  readonly #events: readonly TimelineEvent[];
  readonly #touches: readonly Touches[];
  readonly #print: Footprint;
  /** The failing run's rows: the trace itself is written over by the runs of the search. */
  readonly #trace: Rows;
  /** By event: the step that it made or belongs to. */
  readonly #steps: readonly number[];
  /** Streams that were seen or were about to go on at the end. */
  readonly #streams: readonly string[];
  #executions = 0;
  #spent = 0;

  constructor(session: Session, plan: Plan, failing: PlannedRun) {
    this.#session = session;
    this.#plan = plan;
    this.#failing = failing;
    const { machine } = session;
    const answers = failing.answers;
    let marks: RowMarks | undefined;
    const again = runAnswers(session, plan, answers, (inner) => {
      marks = new RowMarks(session, inner);
      return marks;
    });
    this.#recorded = {
      events: [...(again?.recorder.events ?? [])],
      choices: [...(again?.recorder.choices ?? [])],
    };
    this.#events = again === undefined ? [] : timelineOf(session, again, marks!);
    const print = session.footprint();
    this.#print = print;
    this.#touches = this.#recorded.events.map((_, index) => {
      print.clear();
      print.add(machine.trace, this.#events[index]!.from, this.#events[index]!.to);
      return touchesOf(print);
    });
    this.#trace = rowsOf(machine.trace);
    this.#steps = this.#events.map(({ to }) => (to > 0 ? machine.trace.at(to - 1).step : 0));
    const parked = [...machine.ready.subarray(0, machine.readyCount)].map((source) =>
      streamOf({ source, ...machine.pending(source) }, machine.actorCount),
    );
    const seen = this.#recorded.events.map((event) => streamOf(event, machine.actorCount));
    this.#streams = [...new Set([...seen, ...parked])];
  }

  find(): Decisive {
    const deviation = this.#deviation();
    const pair = this.#pair(NEAR, deviation) ?? this.#pair([ALL], deviation);
    const choice = pair === undefined ? this.#choice() : undefined;
    const code = pair === undefined ? this.#codePair(deviation) : undefined;
    const inevitable = this.#inevitable(pair);
    return {
      pair,
      code,
      choice,
      inevitable,
      inevitableStep: this.#steps[inevitable] ?? 0,
      continuations: CONTINUATIONS,
      executions: this.#executions,
    };
  }

  get #hasBudget(): boolean {
    return this.#executions < EXECUTIONS_MAX && this.#spent < EVENTS_MAX;
  }

  #deviation(): Deviation | undefined {
    const [session, plan] = [this.#session, this.#plan];
    return findDeviation(session, plan, this.#failing, this.#recorded, this.#events);
  }

  #codePair(deviation: Deviation | undefined): CodePair | undefined {
    const { violation } = this.#failing;
    if (deviation === undefined || violation === undefined) return undefined;
    return { ...deviation, secondRow: violation.row };
  }

  /**
   * The last event whose exchange with a later, dependent one lets the run pass; if it is known which operation
   * first does what the correct code does not, the last one that has to do with this operation.
   */
  #pair(counts: readonly number[], deviation: Deviation | undefined): CriticalPair | undefined {
    const { actorCount } = this.#session.machine;
    let last: CriticalPair | undefined;
    for (let held = this.#recorded.events.length - 1; held >= 0; held -= 1) {
      const own = streamOf(this.#recorded.events[held]!, actorCount);
      for (const other of this.#streams) {
        if (other === own) continue;
        for (const count of counts) {
          if (!this.#hasBudget) return last;
          const tried = this.#try(held, other, count);
          if (tried === 'impossible') break;
          if (tried === 'fails') continue;
          const { firstOperation, secondOperation } = tried;
          const sought = deviation?.operation ?? firstOperation;
          if (firstOperation === sought || secondOperation === sought) return tried;
          last ??= tried;
        }
      }
    }
    return last;
  }

  #try(held: number, other: string, count: number): CriticalPair | 'fails' | 'impossible' {
    const session = this.#session;
    const swap = { held, other, count, touches: this.#touches[held]!, print: this.#print };
    const follow = new Follow(session, this.#recorded, swap);
    const marks = new RowMarks(session, follow);
    const run = this.#run(marks);
    if (!follow.isSwapped) return 'impossible';
    if (run.violation !== undefined) return 'fails';
    const first = this.#recorded.events[held]!;
    const there = timelineOf(session, run, marks);
    const second = run.recorder.events[marks.rows.lastIndexOf(follow.from)]!;
    const row = this.#rowFinder(held, follow);
    const trace = session.machine.trace;
    const neighbourFirst = there.find((event) => isSameEvent(event, first));
    const here = this.#events.find((event) => isSameEvent(event, second));
    const { machine, directory } = session;
    return {
      first: nameOf(machine, directory, first, first.occurrence),
      second: nameOf(machine, directory, second, second.occurrence),
      firstOperation: first.operation,
      secondOperation: second.operation,
      at: held,
      firstRow: row(this.#trace, this.#events[held]!),
      secondRow: here === undefined ? undefined : row(this.#trace, here),
      neighbourFirst: neighbourFirst === undefined ? undefined : row(trace, neighbourFirst),
      neighbourSecond: row(trace, follow),
      neighbour: run,
    };
  }

  /** Finds the row of an event that touches what the two conflict over, if that is a word. */
  #rowFinder(held: number, { from, to }: RowRange): (rows: Rows, range: RowRange) => number {
    const { machine } = this.#session;
    const print = this.#print;
    print.clear();
    print.add(machine.trace, from, to);
    const touches = this.#touches[held]!;
    const word = [...print.touched.subarray(0, print.count)].find(
      (object) => object < print.words && (touches.get(object) ?? print.writes(object)),
    );
    return (rows, range) => mainRow(rows, range, touches.has(word ?? -1) ? word : undefined);
  }

  /** The last question whose other answer lets the run pass. */
  #choice(): CriticalChoice | undefined {
    const asked = new Asked(this.#recorded, undefined);
    this.#run(asked);
    for (const question of [...asked.questions].reverse()) {
      for (let answer = 0; answer < question.alternatives; answer += 1) {
        if (answer === question.answer) continue;
        if (!this.#hasBudget) return undefined;
        const run = this.#run(new Asked(this.#recorded, { ...question, answer }));
        if (run.violation !== undefined) continue;
        const { operation, site, occurrence, answer: given } = question;
        const { machine, directory } = this.#session;
        const event = nameOf(machine, directory, { operation, site, pe: -1 }, occurrence);
        return { event, operation, given, other: answer, neighbour: run };
      }
    }
    return undefined;
  }

  #run(scheduler: Scheduler): PlannedRun {
    const session = this.#session;
    const recorder = new Recorder(scheduler);
    session.load(this.#plan.program);
    const result = runRecorded(session, this.#plan, recorder);
    this.#executions += 1;
    this.#spent += result.events;
    return { ...whole(result), recorder, answers: session.answers, broken: [] };
  }

  /** Bisects for the first prefix after which no continuation of a sample passes. */
  #inevitable(pair: CriticalPair | undefined): number {
    let passes = pair === undefined ? -1 : pair.at - 1;
    let fails = this.#recorded.events.length - 1;
    if (pair === undefined && !this.#mayPass(-1)) return -1;
    // mostly the pair is where it was decided
    if (pair !== undefined && !this.#mayPass(pair.at)) return pair.at;
    while (fails - passes > 1) {
      const middle = (passes + fails) >> 1;
      if (this.#mayPass(middle)) passes = middle;
      else fails = middle;
    }
    return fails;
  }

  /** Some continuation of the events up to and with `last` passes. */
  #mayPass(last: number): boolean {
    for (let index = 0; index < CONTINUATIONS; index += 1) {
      // whatever the case answers: half of the continuations keep to the defaults
      const inner = searchScheduler(CONTINUATION_SEED, index, { ...this.#plan, choices: [] });
      const run = this.#run(new Prefix(this.#recorded, last + 1, inner));
      if (run.violation === undefined) return true;
    }
    return false;
  }
}

function isSameEvent(one: RecordedEvent | TimelineEvent, other: RecordedEvent): boolean {
  return (
    one.operation === other.operation &&
    one.site === other.site &&
    one.pe === other.pe &&
    one.occurrence === other.occurrence
  );
}

/** The first events of a recording, then another scheduler. */
class Prefix implements Scheduler {
  readonly id = 'prefix';
  readonly #recorded: Recorded;
  readonly #length: number;
  readonly #inner: Scheduler;
  readonly #asked = new OccurrenceCounter();
  #isInside = true;

  constructor(recorded: Recorded, length: number, inner: Scheduler) {
    this.#recorded = recorded;
    this.#length = length;
    this.#inner = inner;
  }

  begin(machine: Scheduling): void {
    this.#asked.reset();
    this.#isInside = true;
    this.#inner.begin(machine);
  }

  pick(machine: Scheduling): number {
    if (machine.events < this.#length) {
      const { source } = this.#recorded.events[machine.events]!;
      machine.grant = 0;
      if (machine.isReady(source)) return source;
    }
    this.#isInside = false;
    return this.#inner.pick(machine);
  }

  choose(machine: Scheduling, site: number, alternatives: number): number {
    if (!this.#isInside) return this.#inner.choose(machine, site, alternatives);
    const { operation } = machine;
    const occurrence = this.#asked.next({ operation, site, pe: -1 });
    return recordedAnswer(this.#recorded, operation, site, occurrence);
  }
}

interface Question {
  readonly operation: number;
  readonly site: number;
  readonly occurrence: number;
  readonly alternatives: number;
  readonly answer: number;
}

/** The recorded schedule with one answer changed; notes all questions. */
class Asked implements Scheduler {
  readonly id = 'asked';
  readonly questions: Question[] = [];
  readonly #recorded: Recorded;
  readonly #changed: Question | undefined;
  readonly #counter = new OccurrenceCounter();

  constructor(recorded: Recorded, changed: Question | undefined) {
    this.#recorded = recorded;
    this.#changed = changed;
  }

  begin(_machine: Scheduling): void {
    this.questions.length = 0;
    this.#counter.reset();
  }

  pick(machine: Scheduling): number {
    const source = this.#recorded.events[machine.events]?.source ?? machine.current;
    machine.grant = 0;
    return source >= 0 && machine.isReady(source) ? source : machine.ready[0]!;
  }

  choose(machine: Scheduling, site: number, alternatives: number): number {
    const { operation } = machine;
    const occurrence = this.#counter.next({ operation, site, pe: -1 });
    const changed = this.#changed;
    const isChanged =
      operation === changed?.operation &&
      site === changed.site &&
      occurrence === changed.occurrence;
    const answer = isChanged
      ? changed.answer
      : recordedAnswer(this.#recorded, operation, site, occurrence);
    this.questions.push({ operation, site, occurrence, alternatives, answer });
    return answer < alternatives ? answer : 0;
  }
}
