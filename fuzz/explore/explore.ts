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
import { assert } from '../../sim/assert.ts';
import type { Scheduler, Scheduling } from '../../sim/scheduler.ts';
import { type Site, siteOf } from '../../sim/site.ts';
import type { RunLimits } from '../../sim/spec.ts';
import { limitsFor, type RunResult, type Session } from '../session.ts';
import { Branches } from './branches.ts';
import { Fills } from './fills.ts';
import { Fingerprint, type Lanes, mix } from './fingerprint.ts';
import { type Exceptions, Frontier, NO_EXCEPTIONS, ROOT } from './frontier.ts';
import { Harvest } from './harvest.ts';
import { KnownKeys } from './known.ts';
import type { Bounds, Ended, Exploration, Progress, Subject } from './result.ts';
import { Spinners } from './spin.ts';

/** Explores a program to the end, or to its bounds. */
export function explore(session: Session, plan: Subject, bounds: Bounds = {}): Exploration {
  const explorer = new Explorer(session, plan, bounds);
  while (explorer.step()) if (bounds.goesOn?.(explorer.progress) === false) break;
  return explorer.exploration;
}

const MANY = 0x7fffffff;
const REUSE_OLDEST = siteOf('choice.reuseOldest');

/** A search that its owner moves on, one execution at a time. The session is its own meanwhile. */
export class Explorer implements Scheduler {
  readonly id = 'explore';
  readonly #session: Session;
  readonly #limits: RunLimits;
  readonly #parameters: Readonly<Record<string, number>>;
  readonly #bounds: Bounds;
  /** The program has operations of hardware. */
  readonly #hasHardware: boolean;
  readonly #fingerprint: Fingerprint;
  readonly #spinners: Spinners;
  readonly #fills: Fills;
  readonly #frontier = new Frontier();
  readonly #branches: Branches;
  /** Where runs have been: fingerprint and running actor. */
  readonly #known = new KnownKeys();
  readonly #harvest = new Harvest();

  // ---- results ----
  #ended: Ended = 'stopped';
  #executions = 0;
  #pruned = 0;
  #events = 0;
  #passes = 0;
  /** Executions of this pass. */
  #inPass = 0;
  #level = 0;

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

  constructor(session: Session, plan: Subject, bounds: Bounds) {
    assert(!session.machine.delays, 'stores are visible at once: exploration covers fidelity F1');
    this.#session = session;
    this.#parameters = plan.parameters;
    this.#bounds = bounds;
    this.#branches = new Branches(this.#frontier, bounds.switches ?? MANY, bounds.answers ?? MANY);
    this.#fingerprint = new Fingerprint(session);
    this.#spinners = new Spinners(session.machine);
    this.#fills = new Fills(session.machine);
    this.#limits = limitsFor(session.configuration, plan.program);
    session.load(plan.program);
    const { machine } = session;
    this.#hasHardware = machine.actors.some(
      ({ index, isHardware }) => isHardware && machine.course.takesPart(index),
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
      if (this.#fingerprint.accesses.grew && this.#bounds.isUnpruned !== true) this.#restart();
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
    return this.#harvest.ends.has(high, low);
  }

  get progress(): Progress {
    return {
      executions: this.#executions,
      classes: this.#harvest.ends.size,
      pending: this.#frontier.pending,
      switches: this.#level,
      fraction: this.#inPass / Math.max(1, this.#inPass + this.#frontier.pending),
      findings: this.#harvest.findings.size,
    };
  }

  /** Machine events of all executions so far. */
  get events(): number {
    return this.#events;
  }

  /** What was found so far. */
  get exploration(): Exploration {
    const ended = this.#ended;
    const complete = ended === 'all' && this.#harvest.truncated === 0;
    return {
      ended,
      complete,
      unbounded: complete && !this.#branches.isCut,
      executions: this.#executions,
      classes: this.#harvest.ends.size,
      pruned: this.#pruned,
      truncated: this.#harvest.truncated,
      passes: this.#passes,
      bySwitches: this.#harvest.ends.bySwitches,
      endStates: this.#harvest.endStates,
      findings: [...this.#harvest.findings.values()],
      events: this.#events,
      progress: this.progress,
    };
  }

  /** Begins the search, keeping what is known of dependences. */
  #restart(): void {
    this.#passes += 1;
    this.#fingerprint.accesses.grew = false;
    this.#frontier.clear();
    this.#known.clear();
    this.#harvest.clear();
    this.#inPass = 0;
    this.#level = 0;
    this.#branches.clear();
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
    this.#branches.begin(item, this.#exceptions.line);
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
      this.#branches.answers(this.#event, question, alternatives, this.#switches, this.#changed);
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
    if (this.#others.length > 0) this.#others.length = 0;
    // the alternatives to what an ancestor ran are known
    if (event >= this.#frontier.event(this.#item)) {
      for (let i = 0; i < readyCount; i += 1) {
        const other = ready[i]!;
        if (other !== source && !this.#spinners.isAsleep(other)) this.#others.push(other);
      }
      this.#others.sort((a, b) => a - b);
    }
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
    this.#branches.markExpanded(isExpanded);
    this.#fills.markExpanded(this.#event, isExpanded);
    if (this.#fills.hasNoticed) this.#noticeFills();
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
    const parent = this.#branches.parentOf(this.#event);
    if (parent < 0) return;
    for (const other of others) {
      const isSwitch = this.#wasReady && other < actorCount && other !== this.#before;
      this.#branches.pick(parent, this.#event, other, this.#switchesBefore + (isSwitch ? 1 : 0));
    }
  }

  #noticeFills(): void {
    for (const fill of this.#fills.take()) this.#branches.notice(fill);
  }

  // ---- after the run ----

  #finish(result: RunResult): void {
    if (!this.#isStopping) {
      // the fair tail is nobody's event
      if (!this.#session.machine.inTail) this.#closeEvent();
      if (result.violation !== undefined || this.#session.machine.inTail) {
        this.#fills.noticeAll();
        this.#noticeFills();
      }
      this.#harvest.add(
        this.#session,
        result.violation,
        this.#fingerprint.ideal,
        this.#switches,
        this.#changed,
      );
    }
    this.#branches.flush();
  }
}

/** Arrivals before actors, low numbers first. */
function rank(source: number, actorCount: number): number {
  return source >= actorCount ? source - actorCount : source + 0x10000;
}
