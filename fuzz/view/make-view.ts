/** Makes the view of a replay: the run, and beside a failing one the run that passes. */

import { CLAIM_NAMES } from '../../sim/claims.ts';
import { EVENT_TABLE, Event } from '../../sim/event.ts';
import type { Scheduler, Scheduling } from '../../sim/scheduler.ts';
import type { Case } from '../case.ts';
import { formatCase } from '../case-text.ts';
import { describeRow, wordName } from '../describe.ts';
import { type Decisive, findDecisive } from '../explain/decisive.ts';
import { salience } from '../explain/relevance.ts';
import { arrowsOf, RowMarks, type TimelineEvent, timelineOf } from '../explain/timeline.ts';
import { explain } from '../explain.ts';
import { END, type EventName, formatName, nameOf } from '../names.ts';
import { formatConstraint } from '../order.ts';
import { type PlannedRun, runAnswers } from '../schedule.ts';
import { operationText, sentence } from '../sentence.ts';
import type { Session } from '../session.ts';
import { Wrapper } from '../strategies/wrapper.ts';
import { type Picture, pictureOf, StateRecorder } from './state.ts';
import { Numbered, numberedTexts } from './tables.ts';
import type { Lane, Mark, RowKind, View, ViewOrder, ViewRun } from './view.ts';

/** Signs of rows, so that nobody needs the colours. */
const SIGNS: ReadonlyMap<number, string> = new Map([
  [Event.Read, '·'],
  [Event.StoreVisible, '◆'],
  [Event.StoreIssue, '◇'],
  [Event.Descriptor, '◆'],
  [Event.CompareFailed, '≠'],
  [Event.Linked, '⊞'],
  [Event.Unlinked, '⊟'],
  [Event.Barrier, '‖'],
  [Event.Synchronise, '‖'],
  [Event.InvalidateIssue, '✕'],
  [Event.InvalidateArrive, '✕'],
  [Event.TlbFill, '▣'],
  [Event.TlbDrop, '▢'],
  [Event.WalkRead, '↓'],
  [Event.WalkStart, '↓'],
  [Event.WalkFreed, '!'],
  [Event.TouchFreed, '!'],
  [Event.Fault, '▲'],
  [Event.Use, '→'],
  [Event.LockTake, '●'],
  [Event.LockDrop, '○'],
  [Event.Allocate, '+'],
  [Event.Free, '−'],
  [Event.DoubleFree, '!'],
  [Event.OperationBegin, '┌'],
  [Event.OperationEnd, '└'],
  [Event.Claim, '“'],
  [Event.Choice, '?'],
]);

/** Rows whose field a is a word. */
const TOUCHES_WORD: ReadonlySet<number> = new Set<number>([
  Event.Read,
  Event.StoreIssue,
  Event.StoreVisible,
  Event.CompareFailed,
  Event.Descriptor,
  Event.WalkRead,
  Event.WalkFreed,
  Event.TouchFreed,
  Event.Wait,
]);

/** @param run of the case, as its replay made it */
export function makeView(
  session: Session,
  value: Case,
  run: PlannedRun,
  title: string,
  verdict: string,
): View {
  const decisive = run.violation === undefined ? undefined : findDecisive(session, value, run);
  const explanation = explain(session, value, run, decisive);
  const neighbour = (decisive?.pair ?? decisive?.code ?? decisive?.choice)?.neighbour;
  const passing = decisive?.code?.correct ?? session;
  const runs = [viewRun(session, value, run, decisive)];
  if (neighbour !== undefined) runs.push(viewRun(passing, value, neighbour, decisive));
  const bug = value.bug === undefined ? 'correct model' : `with ${value.bug}`;
  return {
    title,
    subtitle: `${value.system} · ${value.configuration} · ${session.bugs.length === 0 ? 'correct model' : bug}`,
    verdict,
    text: formatCase(value),
    explanation,
    runs,
  };
}

/** Takes a picture when the run begins. */
class Photographer extends Wrapper {
  picture: Picture | undefined;
  readonly #session: Session;

  constructor(session: Session, inner: Scheduler) {
    super(inner);
    this.#session = session;
  }

  override begin(machine: Scheduling): void {
    this.picture = pictureOf(this.#session);
    super.begin(machine);
  }
}

/** Runs the answers once more and writes down everything. */
export function viewRun(
  session: Session,
  value: Case,
  known: PlannedRun,
  decisive: Decisive | undefined,
): ViewRun {
  let marks: RowMarks | undefined;
  let photographer: Photographer | undefined;
  const run = runAnswers(session, value, known.answers, (exact) => {
    photographer = new Photographer(session, exact);
    marks = new RowMarks(session, photographer);
    return marks;
  })!;
  const events = timelineOf(session, run, marks!);
  return new RunWriter(session, value, run, events, photographer!.picture!).write(decisive);
}

class RunWriter {
  readonly #session: Session;
  readonly #value: Case;
  readonly #run: PlannedRun;
  readonly #events: readonly TimelineEvent[];
  readonly #picture: Picture;
  readonly #texts = numberedTexts();
  readonly #sites = new Numbered<string>();
  readonly #kinds = new Numbered<RowKind>();
  readonly #lanes = new Numbered<Lane>();
  /** By event: its name, -1 in the fair tail. */
  readonly #names: readonly number[];

  constructor(
    session: Session,
    value: Case,
    run: PlannedRun,
    events: readonly TimelineEvent[],
    picture: Picture,
  ) {
    this.#session = session;
    this.#value = value;
    this.#run = run;
    this.#events = events;
    this.#picture = picture;
    const { machine, directory } = session;
    for (let row = 0; row < picture.rows; row += 1)
      if (machine.trace.actor(row) < 0) this.#bootLane();
    for (const { index, role, name, pe } of machine.actors) {
      if (!machine.course.takesPart(index)) continue;
      const kind = role === 'pe' ? 'pe' : role;
      this.#lanes.of(`a${index}`, () => ({ name, title: `on PE ${pe}`, kind }));
    }
    this.#names = events.map((event) =>
      event.source < 0
        ? -1
        : this.#texts.text(formatName(nameOf(machine, directory, event, event.occurrence))),
    );
  }

  #bootLane(): number {
    return this.#lanes.of('boot', () => ({ name: 'boot', title: 'before the run', kind: 'boot' }));
  }

  write(decisive: Decisive | undefined): ViewRun {
    const { session, violation } = { session: this.#session, violation: this.#run.violation };
    const { machine } = session;
    const state = new StateRecorder(session, this.#picture);
    const columns = this.#columns(state);
    const eventLanes = this.#events.map(({ index }) => this.#laneOfEvent(index));
    const words = this.#wordNames(columns.word);
    return {
      label:
        violation === undefined
          ? decisive === undefined
            ? 'the run'
            : decisive.code === undefined
              ? 'passing neighbour'
              : 'correct code'
          : 'failing run',
      outcome: violation === undefined ? 'no oracle objects' : sentence(session, violation),
      digest: this.#run.digest,
      steps: this.#run.steps,
      operations: machine.course.keyOf.map((key, operation) => ({
        name: `${machine.actors[machine.course.actorOf[operation]!]!.name}.${key}`,
        text: operationText(session, operation),
        isImplicit: machine.course.isImplicit[operation] === true,
      })),
      rows: columns,
      events: {
        row: this.#events.map(({ from }) => from),
        lane: eventLanes,
        clock: this.#events.map(({ clock }) => Math.round(clock)),
        name: this.#names,
      },
      arrows: arrowsOf(session, this.#events).flatMap(({ from, to }) => [from, to]),
      trees: state.trees,
      keys: state.keys.list,
      values: state.values.list,
      initial: state.initial,
      changes: { row: state.row, key: state.key, value: state.value },
      marks: this.#marks(decisive),
      orders: this.#orders(),
      violation: violation?.row ?? -1,
      words,
      lanes: this.#lanes.list,
      sites: this.#sites.list,
      kinds: this.#kinds.list,
      texts: this.#texts.list,
    };
  }

  #columns(state: StateRecorder): ViewRun['rows'] {
    const session = this.#session;
    const { trace } = session.machine;
    const event: number[] = [];
    const lane: number[] = [];
    const kind: number[] = [];
    const operation: number[] = [];
    const site: number[] = [];
    const step: number[] = [];
    const text: number[] = [];
    const word: number[] = [];
    let at = -1;
    for (let index = 0; index < trace.count; index += 1) {
      while (at + 1 < this.#events.length && this.#events[at + 1]!.from <= index) at += 1;
      const row = trace.at(index);
      event.push(at);
      lane.push(at < 0 ? this.#laneOfActor(row.actor) : this.#laneOfEvent(at, row.actor));
      kind.push(this.#kind(row.kind, row.a));
      operation.push(row.operation);
      site.push(this.#site(row.site));
      step.push(row.step);
      text.push(this.#texts.text(this.#text(index)));
      word.push(TOUCHES_WORD.has(row.kind) ? row.a : -1);
      if (index >= this.#picture.rows) state.add(row);
    }
    return { event, lane, kind, operation, site, step, text, word };
  }

  #text(index: number): string {
    const session = this.#session;
    const row = session.machine.trace.at(index);
    if (row.kind !== Event.OperationBegin) return describeRow(session, row);
    return `${session.machine.course.keyOf[row.operation]}: ${operationText(session, row.operation)}`;
  }

  #kind(kind: number, claim: number): number {
    const isClaim = kind === Event.Claim;
    return this.#kinds.of(isClaim ? `claim ${claim}` : String(kind), () => ({
      name: isClaim ? CLAIM_NAMES[claim]! : EVENT_TABLE[kind]!.name,
      salience: salience(kind),
      sign: SIGNS.get(kind) ?? '',
    }));
  }

  #site(site: number): number {
    const name = site === 0 ? 'boot' : this.#session.directory.name(site);
    return this.#sites.of(name, () => name);
  }

  #laneOfActor(actor: number): number {
    return actor < 0 ? this.#bootLane() : (this.#lanes.find(`a${actor}`) ?? this.#bootLane());
  }

  /** What arrives at a PE, or takes effect there by itself, is in the PE's own lane. */
  #laneOfEvent(index: number, actor?: number): number {
    const { machine } = this.#session;
    const { source, pe, operation, from } = this.#events[index]!;
    if (source < 0) return this.#laneOfActor(actor ?? machine.trace.actor(from));
    if (source < machine.actorCount) return this.#laneOfActor(source);
    const own = pe >= 0 ? pe : machine.actors[machine.course.actorOf[operation]!]!.pe;
    const isNowhere = own >= machine.spec.pes;
    const name = isNowhere ? 'deferred' : `PE ${own}`;
    const title = isNowhere ? 'frees after a grace period' : 'arrivals and effects';
    return this.#lanes.of(name, () => ({ name, title, kind: 'pe' }));
  }

  #wordNames(words: readonly number[]): Record<string, string> {
    const names: Record<string, string> = {};
    for (const word of words) if (word >= 0) names[word] ??= wordName(this.#session, word);
    return names;
  }

  /** The event of a name, or -1. An operation's end is its last event. */
  #eventOf(name: EventName): number {
    if (name.site === END) return this.#endOf(name);
    const text = this.#texts.find(formatName(name));
    return text === undefined ? -1 : this.#names.indexOf(text);
  }

  #endOf({ actor, key }: EventName): number {
    const { machine } = this.#session;
    const ends = this.#events.filter(({ operation, pe }) => {
      if (operation < 0 || pe !== -1 || machine.course.keyOf[operation] !== key) return false;
      return machine.actors[machine.course.actorOf[operation]!]!.name === actor;
    });
    return ends.at(-1)?.index ?? -1;
  }

  #orders(): readonly ViewOrder[] {
    return this.#value.order.map((constraint) => ({
      text: formatConstraint(constraint),
      before: this.#eventOf(constraint.before),
      after: this.#eventOf(constraint.after),
    }));
  }

  #marks(decisive: Decisive | undefined): readonly Mark[] {
    const marks: Mark[] = [];
    const { violation } = this.#run;
    const rowOf = (event: number): number => this.#events[event]!.from;
    for (const { text, before, after } of this.#orders()) {
      for (const event of [before, after])
        if (event >= 0) marks.push({ row: rowOf(event), kind: 'order', text: `order: ${text}` });
    }
    for (const { event, answer } of this.#value.choices)
      marks.push(...this.#choiceMarks(event, answer));
    const pair = decisive?.pair;
    if (pair !== undefined) {
      const [first, second] =
        violation === undefined
          ? [pair.neighbourFirst, pair.neighbourSecond]
          : [pair.firstRow, pair.secondRow];
      if (first !== undefined) marks.push({ row: first, kind: 'first', text: FIRST });
      if (second !== undefined) marks.push({ row: second, kind: 'second', text: SECOND });
    }
    const code = decisive?.code;
    if (code !== undefined) {
      marks.push({ row: code.row, kind: 'first', text: DEVIATION });
      if (violation !== undefined)
        marks.push({ row: code.secondRow, kind: 'second', text: BROKEN });
    }
    if (violation === undefined) return marks;
    if (decisive !== undefined && decisive.inevitable >= 0) {
      const text = 'no way out after this event';
      marks.push({ row: rowOf(decisive.inevitable), kind: 'inevitable', text });
    }
    if ((violation.survivor ?? -1) >= 0)
      marks.push({ row: violation.survivor!, kind: 'survivor', text: 'this is what survives' });
    const text = `${violation.oracle}: ${sentence(this.#session, violation)}`;
    marks.push({ row: violation.row, kind: 'violation', text });
    return marks;
  }

  #choiceMarks(name: EventName, answer: number): readonly Mark[] {
    const { trace } = this.#session.machine;
    let left = name.occurrence;
    for (let index = 0; index < trace.count; index += 1) {
      const row = trace.at(index);
      if (row.kind !== Event.Choice || this.#session.directory.name(row.site) !== name.site)
        continue;
      left -= 1;
      const text = `choice: ${formatName(name)} = ${answer}`;
      if (left === 0) return [{ row: index, kind: 'choice', text }];
    }
    return [];
  }
}

const FIRST = 'critical pair: 1 (the other way round, the run passes)';
const DEVIATION = 'critical pair: 1 (from here the correct code does something else, and passes)';
const BROKEN = 'critical pair: 2 (what it leads to)';
const SECOND = 'critical pair: 2 (the other way round, the run passes)';
