/**
 * Every inequivalent execution of one program: over who goes on, over when invalidations arrive, and over
 * the answer of every question, within bounds. Stateless: each schedule runs from the start.
 *
 * A schedule is the default policy (the running actor goes on) with exceptions. They are run by the number
 * of their switches, fewest first, and two things keep them few (docs/explore.md has the arguments):
 *
 * - A run that comes to where an earlier one was (equal happens-before relation, same running
 *   actor) has the same future, and ends there. Source: Musuvathi and Qadeer 2007.
 * - An actor is switched away from only before an event that conflicts with what some other source does in
 *   any run. Which events these are is learned on the way; when more is learned, the search
 *   starts again.
 */
import type { Violation } from '../../oracles/oracle.ts';
import type { RunLimits } from '../../sim/machine.ts';
import type { Answers, Scheduler, Scheduling } from '../../sim/scheduler.ts';
import { type Site, siteOf } from '../../sim/site.ts';
import type { Program } from '../program.ts';
import { limitsFor, type RunResult, type Session } from '../session.ts';
import { coarseSignature } from '../signature.ts';
import { endState } from './end-state.ts';
import { type Fill, Fills } from './fills.ts';
import { Fingerprint, type Lanes, mix } from './fingerprint.ts';
import { type Exceptions, Frontier, NO_EXCEPTIONS, ROOT } from './frontier.ts';
import { KnownKeys } from './known.ts';
import { Spinners } from './spin.ts';

/** What is explored; a case or a plan will do, their order and choices play no part. */
export interface Subject {
  readonly program: Program;
  readonly parameters: Readonly<Record<string, number>>;
}

export interface Bounds {
  /** Switches of an execution at most; undefined: any number. */
  readonly switches?: number | undefined;
  /** Answers of an execution that differ from their default at most; undefined: any number. */
  readonly answers?: number | undefined;
  /** Executions that may be spent. */
  readonly executions?: number | undefined;
  /** Asked after every execution; false ends the search. Time limits come from above. */
  readonly goesOn?: (progress: Progress) => boolean;
  /** For comparisons: every order is run, equivalent or not. */
  readonly isUnpruned?: boolean;
}

export interface Progress {
  readonly executions: number;
  readonly classes: number;
  /** Schedules known and not yet run. */
  readonly pending: number;
  /** Switches of the schedules that are being run. */
  readonly switches: number;
  /** Share of the executions known so far that is done, 0 to 1: the search is at most that far. */
  readonly fraction: number;
  readonly findings: number;
}

/** A violation, and the first schedule (one with the fewest switches) that leads to it. */
export interface ExploredFinding {
  /** Coarse signature. */
  readonly signature: string;
  readonly violation: Violation;
  readonly switches: number;
  /** Answers that differ from their default. */
  readonly answersChanged: number;
  readonly answers: Answers;
  /** Inequivalent executions that end with it. */
  hits: number;
}

/** Why the search ended. */
export type Ended = 'all' | 'executions' | 'stopped';

export interface Exploration {
  readonly ended: Ended;
  /**
   * Every execution within `switches` and `answers` is equivalent to one that was run to its end. False
   * when the search ended early or some execution ran out of steps.
   */
  readonly complete: boolean;
  /** Complete, and no schedule was left out because of the bounds: nothing else exists. */
  readonly unbounded: boolean;
  /** Runs from the start, over all passes. */
  readonly executions: number;
  /** Inequivalent executions that ended: all classes when complete. */
  readonly classes: number;
  /** Of the executions: ended early where an earlier one had been. */
  readonly pruned: number;
  /** Executions that ran out of steps and were judged in the fair tail only. */
  readonly truncated: number;
  /** Passes over the search: one more than the times that something was learned. */
  readonly passes: number;
  /** Classes by the least number of switches that shows them. */
  readonly bySwitches: readonly number[];
  readonly endStates: ReadonlySet<string>;
  readonly findings: readonly ExploredFinding[];
  readonly events: number;
  readonly progress: Progress;
}

/** Explores a program to the end, or to its bounds. */
export function explore(session: Session, plan: Subject, bounds: Bounds = {}): Exploration {
  const explorer = new Explorer(session, plan, bounds);
  while (explorer.step()) if (bounds.goesOn?.(explorer.progress) === false) break;
  return explorer.exploration;
}

const MANY = 0x7fffffff;
const REUSE_OLDEST = siteOf('choice.reuseOldest');
/** Numbers per branch in the list of branches that a run found. */
const FIELDS = 6;
/** Questions that a run may ask; more would need other keys. */
const QUESTIONS_MAX = 0x10000;

/** A search that its owner moves on, one execution at a time. The session is its own meanwhile. */
export class Explorer implements Scheduler {
  readonly id = 'explore';
  readonly #session: Session;
  readonly #limits: RunLimits;
  readonly #parameters: Readonly<Record<string, number>>;
  readonly #bounds: Bounds;
  /** The program has operations of hardware. */
  readonly #hasHardware: boolean;
  readonly #switchesMax: number;
  readonly #answersMax: number;
  readonly #fingerprint: Fingerprint;
  readonly #spinners: Spinners;
  readonly #fills: Fills;
  readonly #frontier = new Frontier();
  /** Where runs have been: fingerprint and running actor. */
  readonly #known = new KnownKeys();
  /** Ends of complete executions. */
  readonly #ends = new KnownKeys();

  // ---- results ----
  #ended: Ended = 'stopped';
  #executions = 0;
  #pruned = 0;
  #truncated = 0;
  #events = 0;
  #passes = 0;
  /** Executions of this pass. */
  #inPass = 0;
  #isCut = false;
  #level = 0;
  /** Questions (by schedule and number) whose answer "not cached" was found to matter. */
  readonly #noticed = new Set<number>();
  /** Events (by schedule and number) whose alternatives were noted for another answer than the first. */
  readonly #expandedLate = new Set<number>();
  readonly #endStates = new Set<string>();
  readonly #findings = new Map<string, ExploredFinding>();

  // ---- the run ----
  #item = ROOT;
  #exceptions: Exceptions = NO_EXCEPTIONS;
  #nextPick = 0;
  #nextAnswer = 0;
  /** From this event on, the run is nobody else's. */
  #freshFrom = 0;
  #asked = 0;
  #changed = 0;
  #switches = 0;
  /** Program actor that made the last event of one, or -1; arrivals do not count. */
  #actor = -1;
  #isStopping = false;
  /** The event that is being performed: its number and source; -1 before the first. */
  #event = -1;
  #source = -1;
  #isRetry = false;
  /** Before it: the running actor, whether it could go on, the switches, and the other ready sources. */
  #before = -1;
  #wasReady = false;
  #switchesBefore = 0;
  readonly #others: number[] = [];
  /** Branches found by this run: parent, event, question (-1: pick), value, switches, expanded. */
  readonly #found: number[] = [];

  constructor(session: Session, plan: Subject, bounds: Bounds) {
    this.#session = session;
    this.#parameters = plan.parameters;
    this.#bounds = bounds;
    this.#switchesMax = bounds.switches ?? MANY;
    this.#answersMax = bounds.answers ?? MANY;
    this.#fingerprint = new Fingerprint(session.machine, session.world.countBase);
    this.#spinners = new Spinners(session.machine);
    this.#fills = new Fills(session.machine);
    this.#limits = limitsFor(session.configuration, plan.program);
    session.load(plan.program);
    const { machine } = session;
    this.#hasHardware = machine.actors.some(
      ({ index, isHardware }) => isHardware && machine.takesPart(index),
    );
    this.#restart();
  }

  /** Makes one execution; false when there is none left within the bounds. */
  step(): boolean {
    const item = this.#next();
    if (item < 0) return false;
    this.#start(item);
    this.#executions += 1;
    this.#inPass += 1;
    const result = this.#session.run(this.#parameters, this, this.#limits);
    this.#events += result.events;
    this.#finish(result);
    return true;
  }

  /** The schedule to be run next, or -1. */
  #next(): number {
    let lowest = this.#frontier.lowest;
    if (lowest < 0 || lowest > this.#level) {
      // more is dependent than was thought: what was left out may matter
      if (this.#fingerprint.grew && this.#bounds.isUnpruned !== true) this.#restart();
      lowest = this.#frontier.lowest;
      if (lowest < 0) {
        this.#ended = 'all';
        return -1;
      }
    }
    this.#level = lowest;
    if (this.#executions >= (this.#bounds.executions ?? MANY)) {
      this.#ended = 'executions';
      return -1;
    }
    return this.#frontier.pop(lowest);
  }

  /** A complete execution with this fingerprint (of its last event) was made. */
  covers({ high, low }: Lanes): boolean {
    return this.#ends.has(high, low);
  }

  get progress(): Progress {
    return {
      executions: this.#executions,
      classes: this.#ends.size,
      pending: this.#frontier.pending,
      switches: this.#level,
      fraction: this.#inPass / Math.max(1, this.#inPass + this.#frontier.pending),
      findings: this.#findings.size,
    };
  }

  /** What was found so far. */
  get exploration(): Exploration {
    const ended = this.#ended;
    const complete = ended === 'all' && this.#truncated === 0;
    return {
      ended,
      complete,
      unbounded: complete && !this.#isCut,
      executions: this.#executions,
      classes: this.#ends.size,
      pruned: this.#pruned,
      truncated: this.#truncated,
      passes: this.#passes,
      bySwitches: this.#ends.bySwitches,
      endStates: this.#endStates,
      findings: [...this.#findings.values()],
      events: this.#events,
      progress: this.progress,
    };
  }

  /** Begins the search, keeping what is known of dependences. */
  #restart(): void {
    this.#passes += 1;
    this.#fingerprint.grew = false;
    this.#frontier.clear();
    this.#known.clear();
    this.#ends.clear();
    this.#endStates.clear();
    this.#findings.clear();
    this.#truncated = 0;
    this.#inPass = 0;
    this.#isCut = false;
    this.#level = 0;
    this.#noticed.clear();
    this.#expandedLate.clear();
  }

  #start(item: number): void {
    const frontier = this.#frontier;
    this.#item = item;
    this.#exceptions = frontier.exceptions(item);
    this.#nextPick = 0;
    this.#nextAnswer = 0;
    // an event with another answer is new, what comes before it is not
    this.#freshFrom = frontier.event(item) + (frontier.question(item) >= 0 ? 1 : 0);
    this.#asked = 0;
    this.#changed = 0;
    this.#switches = 0;
    this.#actor = -1;
    this.#isStopping = false;
    this.#event = -1;
    this.#source = -1;
    this.#found.length = 0;
  }

  // ---- the scheduler ----

  begin(_machine: Scheduling): void {
    this.#fingerprint.begin();
    this.#spinners.begin();
    this.#fills.begin();
  }

  pick(machine: Scheduling): number {
    machine.grant = 0;
    if (this.#isStopping) return machine.ready[0]!;
    this.#closeEvent();
    const event = machine.events;
    const { picks, sources } = this.#exceptions;
    const isException = picks[this.#nextPick] === event;
    if (event >= this.#freshFrom && !isException && !this.#isNew()) {
      this.#isStopping = true;
      this.#pruned += 1;
      // the run is over after one event more, which nobody looks at
      this.#session.machine.halted = true;
      return machine.ready[0]!;
    }
    const usual = this.#default(machine);
    const source = isException ? sources[this.#nextPick]! : usual;
    if (isException) this.#nextPick += 1;
    this.#openEvent(machine, event, source);
    return source;
  }

  choose(_machine: Scheduling, site: Site, alternatives: number): number {
    if (this.#isStopping) return 0;
    const question = this.#asked;
    this.#asked += 1;
    this.#fills.asked(site);
    const { questions, answers } = this.#exceptions;
    let answer = 0;
    if (questions[this.#nextAnswer] === question) {
      answer = answers[this.#nextAnswer]!;
      this.#nextAnswer += 1;
      this.#changed += 1;
    } else if (this.#fills.isCaching(site) && this.#bounds.isUnpruned !== true) {
      this.#fills.cached(question, this.#event, this.#switches, this.#changed);
    } else if (this.#isFreshQuestion(question) && this.#matters(site)) {
      if (this.#changed >= this.#answersMax) this.#isCut = true;
      else for (let other = 1; other < alternatives; other += 1) this.#branch(question, other);
    }
    this.#fingerprint.answered(answer);
    return answer;
  }

  /** Pages that nobody has ever had are alike: which of them is taken is no difference. */
  #matters(site: Site): boolean {
    if (site !== REUSE_OLDEST) return true;
    const { pages } = this.#session.machine;
    return pages.generation[pages.next(true)] !== 0 || pages.generation[pages.next(false)] !== 0;
  }

  #isFreshQuestion(question: number): boolean {
    if (this.#event >= this.#freshFrom) return true;
    // later questions of the event whose answer this run changes
    const own = this.#frontier.question(this.#item);
    return own >= 0 && this.#event === this.#freshFrom - 1 && question > own;
  }

  /** The running actor goes on; else an invalidation arrives; else the first actor. */
  #default(machine: Scheduling): number {
    const { ready, readyCount, actorCount } = machine;
    if (this.#canGoOn(machine)) return this.#actor;
    let best = -1;
    for (let i = 0; i < readyCount; i += 1) {
      const source = ready[i]!;
      if (this.#spinners.isAsleep(source)) continue;
      if (best < 0 || rank(source, actorCount) < rank(best, actorCount)) best = source;
    }
    if (best >= 0) return best;
    // everybody spins: the end of the steps and the fair tail will show it
    return Math.min(...ready.subarray(0, readyCount));
  }

  #canGoOn(machine: Scheduling): boolean {
    return (
      this.#actor >= 0 && machine.isReady(this.#actor) && !this.#spinners.isAsleep(this.#actor)
    );
  }

  /** Nobody has been here with the same actor running. */
  #isNew(): boolean {
    if (this.#bounds.isUnpruned === true) return true;
    const { high, low } = this.#fingerprint.ideal;
    return this.#known.reach(
      mix(high, this.#actor + 2),
      mix(low, this.#actor + 0x101),
      this.#switches,
    );
  }

  #openEvent(machine: Scheduling, event: number, source: number): void {
    const { ready, readyCount, actorCount } = machine;
    this.#event = event;
    this.#source = source;
    this.#before = this.#actor;
    this.#wasReady = this.#canGoOn(machine);
    this.#isRetry = this.#spinners.isRetry(source);
    this.#switchesBefore = this.#switches;
    this.#others.length = 0;
    for (let i = 0; i < readyCount; i += 1) {
      const other = ready[i]!;
      if (other !== source && !this.#spinners.isAsleep(other)) this.#others.push(other);
    }
    this.#others.sort((a, b) => a - b);
    if (source >= actorCount) return;
    if (this.#wasReady && source !== this.#actor) this.#switches += 1;
    this.#actor = source;
  }

  /** The event is over: what it conflicts with decides where else the run might have gone. */
  #closeEvent(): void {
    if (this.#event < 0) return;
    const { actorCount } = this.#session.machine;
    const isVisible = this.#fingerprint.event(this.#source) || this.#bounds.isUnpruned === true;
    this.#spinners.event(this.#source, this.#isRetry, this.#fingerprint.print);
    this.#fills.event();
    const goesOn = this.#wasReady && this.#source === this.#before;
    const isExpanded = !goesOn || isVisible;
    this.#markExpanded(isExpanded);
    this.#fills.markExpanded(this.#event, isExpanded);
    for (const fill of this.#fills.take()) this.#notice(fill);
    if (isExpanded) this.#expand(actorCount, this.#others);
    else if (this.#hasHardware) this.#expand(actorCount, this.#hardware());
  }

  /** Runs may end before hardware did what the program names: it may come in before every event. */
  #hardware(): readonly number[] {
    const { actors } = this.#session.machine;
    return this.#others.filter((source) => actors[source]?.isHardware === true);
  }

  /** Notes other sources that might have made the event. */
  #expand(actorCount: number, others: readonly number[]): void {
    const frontier = this.#frontier;
    let parent = this.#item;
    if (this.#event <= frontier.event(parent) && parent !== ROOT) {
      // the alternatives are an ancestor's, and it knows them, unless its answers made the event invisible
      const isChanged = frontier.question(parent) >= 0 && this.#event === frontier.event(parent);
      if (!isChanged || frontier.isExpanded(parent)) return;
      parent = frontier.ownerOfEvent(this.#exceptions.line, this.#event);
      const key = parent * QUESTIONS_MAX + this.#event;
      if (this.#expandedLate.has(key)) return;
      this.#expandedLate.add(key);
    }
    for (const other of others) {
      const isSwitch = this.#wasReady && other < actorCount && other !== this.#before;
      const switches = this.#switchesBefore + (isSwitch ? 1 : 0);
      if (switches > this.#switchesMax) this.#isCut = true;
      else this.#found.push(parent, this.#event, -1, other, switches, 0);
    }
  }

  /** Something looked at what a question had cached: now "not cached" matters. */
  #notice({ question, event, switches, changed, isExpanded }: Fill): void {
    const owner = this.#frontier.ownerOf(this.#exceptions.line, question, event);
    const key = owner * QUESTIONS_MAX + question;
    if (this.#noticed.has(key)) return;
    this.#noticed.add(key);
    if (changed >= this.#answersMax) this.#isCut = true;
    else this.#found.push(owner, event, question, 1, switches, isExpanded ? 1 : 0);
  }

  #branch(question: number, answer: number): void {
    this.#found.push(this.#item, this.#event, question, answer, this.#switches, -1);
  }

  /** Tells the branches of this event's questions whether its alternatives were noted. */
  #markExpanded(isExpanded: boolean): void {
    const found = this.#found;
    for (let i = found.length - 1; i > 0 && found[i] === -1; i -= FIELDS)
      found[i] = isExpanded ? 1 : 0;
  }

  // ---- after the run ----

  #finish(result: RunResult): void {
    if (!this.#isStopping) {
      // the fair tail is nobody's event
      if (!this.#session.machine.inTail) this.#closeEvent();
      if (result.violation !== undefined || this.#session.machine.inTail) {
        this.#fills.noticeAll();
        for (const fill of this.#fills.take()) this.#notice(fill);
      }
      this.#record(result);
    }
    const found = this.#found;
    for (let i = 0; i < found.length; i += FIELDS) {
      this.#frontier.push({
        parent: found[i]!,
        event: found[i + 1]!,
        question: found[i + 2]!,
        value: found[i + 3]!,
        switches: found[i + 4]!,
        isExpanded: found[i + 5] === 1,
      });
    }
  }

  #record({ violation }: RunResult): void {
    const { machine } = this.#session;
    const { high, low } = this.#fingerprint.ideal;
    if (machine.inTail) this.#truncated += 1;
    const before = this.#ends.size;
    this.#ends.reach(high, low, this.#switches);
    const isNew = this.#ends.size > before;
    if (violation === undefined) {
      if (isNew) this.#endStates.add(endState(machine));
      return;
    }
    const signature = coarseSignature(this.#session, violation);
    const known = this.#findings.get(signature);
    if (known !== undefined) {
      if (isNew) known.hits += 1;
      return;
    }
    this.#findings.set(signature, {
      signature,
      violation,
      switches: this.#switches,
      answersChanged: this.#changed,
      answers: this.#session.answers,
      hits: 1,
    });
  }
}

/** Arrivals before actors, low numbers first. */
function rank(source: number, actorCount: number): number {
  return source >= actorCount ? source - actorCount : source + 0x10000;
}
