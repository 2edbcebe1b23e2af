/**
 * Runs of a litmus test: every state of the machine once (depth first, by running again from the start), or
 * a number of random runs.
 *
 * Known states end a run: equal states have equal futures (models/litmus/fingerprint.ts). A barrier that may
 * end does so at once, since nothing becomes impossible by that. Arrivals of one invalidation at the PEs follow
 * each other: in Arm's model it is one event.
 */
import { fingerprint } from '../../models/litmus/fingerprint.ts';
import type { LitmusMachine } from '../../models/litmus/machine.ts';
import { type Outcome, outcomeOf } from '../../models/litmus/outcome.ts';
import { Access } from '../../sim/access.ts';
import type { Machine } from '../../sim/machine.ts';
import type { Scheduler, Scheduling } from '../../sim/scheduler.ts';
import { type Site, siteOf } from '../../sim/site.ts';
import type { Random } from '../random.ts';
import { BreakJudge } from './break-judge.ts';

export interface FinalState extends Outcome {
  /** Runs that ended in it. */
  count: number;
  /** Decisions of the first of them. */
  readonly witness: readonly number[];
}

export interface Answer {
  readonly states: ReadonlyMap<string, FinalState>;
  /** Runs that came to an end and count. */
  readonly executions: number;
  /** Runs altogether: void ones and those that met a known state included. */
  readonly runs: number;
  /** Every state of the machine was visited. */
  readonly isComplete: boolean;
  /** The oracle break-before-make objected to a store of some run. */
  readonly breaks: boolean;
}

/** Runs for an execution of a sample. */
const VOID_MAX = 20;
const LIMITS = { steps: 10_000, tail: 10_000 };
const CACHE_LEAF = siteOf('walk.cacheLeaf');

/** What to do where a run may go on in several ways. */
interface Guide {
  /** Before a run. */
  begin(): void;
  /** One of `count` events; -1 ends the run. */
  event(count: number): number;
  /** One of `count` answers. */
  answer(count: number): number;
}

class LitmusScheduler implements Scheduler {
  readonly id = 'litmus';
  readonly #litmus: LitmusMachine;
  readonly #guide: Guide;
  /** Told when a run ends before the hardware has nothing to do. */
  readonly #ended: () => void;
  readonly #enabled: number[] = [];
  #slot = -1;

  constructor(litmus: LitmusMachine, guide: Guide, ended: () => void) {
    this.#litmus = litmus;
    this.#guide = guide;
    this.#ended = ended;
  }

  begin(): void {
    this.#slot = -1;
    this.#guide.begin();
  }

  pick(scheduling: Scheduling): number {
    const machine = this.#litmus.machine;
    const enabled = this.#collect(scheduling, machine);
    // what follows counts for nothing, and must not count as known
    if (this.#litmus.isVoid) {
      machine.halted = true;
      return enabled[0] ?? scheduling.ready[0]!;
    }
    // when all threads are at their end, what hardware may still do it may also leave
    const canEnd = this.#litmus.isComplete;
    const ways = enabled.length + (canEnd ? 1 : 0);
    const choice = ways === 1 ? 0 : this.#guide.event(ways);
    if (choice === enabled.length) this.#ended();
    if (choice < 0 || choice === enabled.length) machine.halted = true;
    const source = enabled[choice] ?? enabled[0]!;
    this.#slot = machine.sources.isArrival(source) ? machine.sources.indexOf(source) : -1;
    return source;
  }

  choose(_machine: Scheduling, site: Site, alternatives: number): number {
    // what may be cached is cached already
    if (site === CACHE_LEAF) return 1;
    return this.#guide.answer(alternatives);
  }

  /** The events that may be next, by source number. */
  #collect({ ready, readyCount }: Scheduling, machine: Machine): number[] {
    const enabled = this.#enabled;
    enabled.length = 0;
    for (let i = 0; i < readyCount; i += 1) {
      const source = ready[i]!;
      if (source < machine.actorCount) {
        if (machine.actors[source]!.access === Access.Barrier) {
          enabled[0] = source;
          enabled.length = 1;
          return enabled;
        }
      } else if (machine.sources.isArrival(source)) {
        if (machine.sources.indexOf(source) === this.#slot) {
          enabled[0] = source;
          enabled.length = 1;
          return enabled;
        }
        if (!this.#mayArrive(source)) continue;
      }
      enabled.push(source);
    }
    return enabled.sort((a, b) => a - b);
  }

  /** An invalidation arrives when it can arrive everywhere. */
  #mayArrive(source: number): boolean {
    const { machine } = this.#litmus;
    const slot = machine.sources.indexOf(source);
    for (let pe = 0; pe < machine.pes.length; pe += 1) {
      const isExpected = (machine.invalidations.pending[slot]! & (1 << pe)) !== 0;
      if (isExpected && !machine.isReady(machine.sources.arrival(slot, pe))) return false;
    }
    return true;
  }
}

/** Collects what runs end in. */
class Collector {
  readonly #judge: BreakJudge;
  readonly states = new Map<string, FinalState>();
  executions = 0;
  runs = 0;
  breaks = false;

  constructor(judge: BreakJudge) {
    this.#judge = judge;
  }

  begin(): void {
    this.#judge.reset();
  }

  /** A run is over, whether it counts or not. */
  end(litmus: LitmusMachine): void {
    this.runs += 1;
    if (this.#judge.objects && !litmus.isVoid) this.breaks = true;
  }

  note(litmus: LitmusMachine, decisions: readonly number[]): void {
    if (!litmus.isComplete) return;
    this.executions += 1;
    const outcome = outcomeOf(litmus);
    const known = this.states.get(outcome.text);
    if (known !== undefined) known.count += 1;
    else this.states.set(outcome.text, { ...outcome, count: 1, witness: decisions.slice() });
  }

  answer(isComplete: boolean): Answer {
    const { states, executions, runs, breaks } = this;
    return { states, executions, runs, isComplete, breaks };
  }
}

/** Searches one machine; several searches may follow each other. */
export class LitmusSearch {
  readonly #litmus: LitmusMachine;
  readonly #judge: BreakJudge;

  constructor(litmus: LitmusMachine) {
    this.#litmus = litmus;
    this.#judge = new BreakJudge(litmus.machine);
  }

  /**
   * Visits every state, if `runsMax` runs suffice.
   * @returns states in the order in which they were found
   */
  explore(runsMax: number): Answer {
    const guide = new DepthFirst(this.#litmus);
    const collector = new Collector(this.#judge);
    while (guide.hasNext && collector.runs < runsMax) {
      runOnce(this.#litmus, guide, collector);
      guide.end();
    }
    return collector.answer(!guide.hasNext);
  }

  /**
   * So many random executions. Runs that count for nothing are made besides, but no more than VOID_MAX for each: a test
   * that ends so rarely has fewer.
   */
  sample(random: Random, executions: number): Answer {
    const decisions: number[] = [];
    const draw = (count: number): number => {
      const choice = random.below(count);
      decisions.push(choice);
      return choice;
    };
    const begin = (): void => {
      decisions.length = 0;
    };
    const guide = { decisions, begin, event: draw, answer: draw };
    const collector = new Collector(this.#judge);
    const runsMax = executions * VOID_MAX;
    while (collector.executions < executions && collector.runs < runsMax)
      runOnce(this.#litmus, guide, collector);
    return collector.answer(false);
  }

  /** Runs the decisions of a witness again. */
  replay(witness: readonly number[]): void {
    let at = 0;
    const next = (): number => witness[at++] ?? 0;
    const guide = { decisions: [], begin: () => {}, event: next, answer: next };
    runOnce(this.#litmus, guide, new Collector(this.#judge));
  }
}

function runOnce(
  litmus: LitmusMachine,
  guide: Guide & { readonly decisions: readonly number[] },
  collector: Collector,
): void {
  collector.begin();
  litmus.reset();
  const { machine } = litmus;
  const note = (): void => collector.note(litmus, guide.decisions);
  machine.run(new LitmusScheduler(litmus, guide, note), LIMITS);
  if (!machine.halted) note();
  collector.end(litmus);
}

/** Goes the same way as the run before up to its last decision that has another answer, and takes that. */
class DepthFirst implements Guide {
  readonly decisions: number[] = [];
  readonly #litmus: LitmusMachine;
  readonly #known = new Set<number>();
  /** How many answers each decision had. */
  readonly #counts: number[] = [];
  #at = 0;
  #isKnown = false;
  #isFirst = true;
  hasNext = true;

  constructor(litmus: LitmusMachine) {
    this.#litmus = litmus;
  }

  begin(): void {
    this.#at = 0;
    this.#isKnown = false;
    if (!this.#isFirst) this.decisions[this.decisions.length - 1]! += 1;
    this.#isFirst = false;
  }

  event(count: number): number {
    if (this.#at === this.decisions.length) {
      const state = fingerprint(this.#litmus);
      if (this.#known.has(state)) {
        this.#isKnown = true;
        return -1;
      }
      this.#known.add(state);
    }
    return this.answer(count);
  }

  answer(count: number): number {
    if (this.#isKnown) return 0;
    if (this.#at === this.decisions.length) {
      this.decisions.push(0);
      this.#counts.push(count);
    }
    const answer = this.decisions[this.#at]!;
    this.#at += 1;
    return answer;
  }

  end(): void {
    const { decisions } = this;
    while (decisions.length > 0 && decisions.at(-1)! + 1 === this.#counts.at(-1)!) {
      decisions.pop();
      this.#counts.pop();
    }
    this.hasNext = decisions.length > 0;
  }
}
