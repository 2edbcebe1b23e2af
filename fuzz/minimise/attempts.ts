/**
 * Attempts of the minimiser: the best plan so far, and whether another one fails in the same way. Each plan is asked
 * once, within a budget of executions and machine events.
 */
import { Recorder } from '../recorder.ts';
import { deriveSchedule, type Plan, runPlan } from '../schedule.ts';
import { search } from '../search.ts';
import type { Session } from '../session.ts';
import type { Sessions } from '../sessions.ts';
import { coarseSignature } from '../signature.ts';
import { shrinkOrder } from './lists.ts';
import { planText } from './plans.ts';
import { RESEARCH_RUNS, RESEARCH_SEED, withoutUnreachable } from './reachable.ts';

/** Machine events that the tried plans may take together: what bounds real geometries. */
const EVENTS_MAX = 2_000_000;

/** A failure with another signature, and where it was met. */
export interface OtherFailure {
  readonly session: Session;
  readonly plan: Plan;
}

export class Attempts {
  readonly sessions: Sessions;
  /** The configuration that the best plan runs in. */
  session: Session;
  best: Plan;
  /** Coarse signature that every accepted plan has. */
  readonly signature: string;
  executions = 0;
  events = 0;
  /** Called when the program, or what it runs in, has become smaller. */
  onSmaller: () => void = () => {};
  /** By coarse signature: other failures that were met on the way, the first of each. */
  readonly others = new Map<string, OtherFailure>();
  readonly #budget: number;
  readonly #tried = new Map<string, boolean>();
  /** What was searched (no search is made twice), and what the correct model reaches there. */
  readonly #searched = new Set<string>();
  readonly #reached = new Map<string, ReadonlySet<string>>();

  constructor(sessions: Sessions, session: Session, plan: Plan, signature: string, budget: number) {
    this.sessions = sessions;
    this.session = session;
    this.best = plan;
    this.signature = signature;
    this.#budget = budget;
  }

  get hasBudget(): boolean {
    return this.executions < this.#budget && this.events < EVENTS_MAX;
  }

  /** Executions that are left of the budget. */
  get left(): number {
    return Math.max(0, this.#budget - this.executions);
  }

  /** In another session every plan is asked anew. */
  enter(session: Session): void {
    this.session = session;
    this.#tried.clear();
    this.#searched.clear();
    this.#reached.clear();
  }

  /** True when the plan fails with our signature. Each plan is asked once. */
  fails(plan: Plan): boolean {
    const text = planText(plan);
    const known = this.#tried.get(text);
    if (known !== undefined) return known;
    const isSame = this.reproduces(plan);
    this.#tried.set(text, isSame);
    return isSame;
  }

  reproduces(plan: Plan): boolean {
    this.executions += 1;
    const { violation, broken, events } = runPlan(this.session, plan);
    this.events += events;
    // a constraint that had to be given up says nothing: such a plan is no case
    if (violation === undefined || broken.length > 0) return false;
    const signature = coarseSignature(this.session, violation);
    if (signature === this.signature) return true;
    this.#meet(signature, () => plan);
    return false;
  }

  #meet(signature: string, plan: () => Plan): void {
    if (this.others.has(signature)) return;
    this.others.set(signature, { session: this.session, plan: plan() });
  }

  /** True the first time that somebody asks this about the plan's program. */
  isNew(question: string, plan: Plan): boolean {
    const key = `${question} ${searchText(plan)}`;
    if (this.#searched.has(key)) return false;
    this.#searched.add(key);
    return true;
  }

  /** Names of the events that the correct model reaches with the plan's program; found once by `find`. */
  reached(plan: Plan, find: () => ReadonlySet<string>): ReadonlySet<string> {
    const key = searchText(plan);
    const known = this.#reached.get(key);
    if (known !== undefined) return known;
    const found = find();
    this.#reached.set(key, found);
    return found;
  }

  accept(plan: Plan): boolean {
    if (!this.hasBudget || !this.fails(plan)) return false;
    this.best = plan;
    return true;
  }

  /** Accepts a smaller plan as it is, or with a schedule that a short search finds for it. */
  acceptOrSearch(plan: Plan): boolean {
    if (this.accept(plan)) {
      this.onSmaller();
      return true;
    }
    if (!this.hasBudget) return false;
    // the order plays no part in a search: it would find the same again
    if (!this.isNew('search', plan)) return false;
    const found = this.failing(plan, RESEARCH_RUNS, 1)[0];
    if (found === undefined || !this.accept(found)) return false;
    this.best = withoutUnreachable(this, this.best);
    shrinkOrder(this);
    this.onSmaller();
    return true;
  }

  /** The first failing schedules that a search finds for the plan's program: at most `count`, in `runs` executions. */
  failing(plan: Plan, runs: number, count: number): readonly Plan[] {
    const { session } = this;
    const found: Plan[] = [];
    let recorder: Recorder | undefined;
    this.executions += search(
      session,
      plan,
      RESEARCH_SEED,
      runs,
      (scheduler) => {
        recorder = new Recorder(scheduler);
        return recorder;
      },
      ({ violation, events }) => {
        this.events += events;
        if (violation === undefined) return false;
        const signature = coarseSignature(session, violation);
        const derived = (): Plan => ({ ...plan, ...deriveSchedule(session, recorder!) });
        if (signature === this.signature) found.push(derived());
        else this.#meet(signature, derived);
        return found.length >= count;
      },
    );
    return found;
  }
}

/** Equal texts are searched in the same way. */
function searchText({ parameters, program, choices }: Plan): string {
  return JSON.stringify([parameters, program, choices.length === 0]);
}
