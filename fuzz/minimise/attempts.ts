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

export class Attempts {
  readonly sessions: Sessions;
  /** The configuration that the best plan runs in. */
  session: Session;
  best: Plan;
  /** Coarse signature that every accepted plan has. */
  readonly signature: string;
  executions = 0;
  events = 0;
  /** Coarse signatures of other failures met on the way, with the plan that showed each. */
  readonly others = new Map<string, Plan>();
  readonly #budget: number;
  readonly #tried = new Map<string, boolean>();

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

  /** In another session every plan is asked anew. */
  enter(session: Session): void {
    this.session = session;
    this.#tried.clear();
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
    if (!this.others.has(signature)) this.others.set(signature, plan);
    return false;
  }

  accept(plan: Plan): boolean {
    if (!this.hasBudget || !this.fails(plan)) return false;
    this.best = plan;
    return true;
  }

  /** Accepts a smaller plan as it is, or with a schedule that a short search finds for it. */
  acceptOrSearch(plan: Plan): boolean {
    if (this.accept(plan)) return true;
    if (!this.hasBudget) return false;
    const { session } = this;
    let found: Plan | undefined;
    let recorder: Recorder | undefined;
    this.executions += search(
      session,
      plan,
      RESEARCH_SEED,
      RESEARCH_RUNS,
      (scheduler) => {
        recorder = new Recorder(scheduler);
        return recorder;
      },
      ({ violation, events }) => {
        this.events += events;
        if (violation === undefined || coarseSignature(session, violation) !== this.signature)
          return false;
        found = { ...plan, ...deriveSchedule(session, recorder!) };
        return true;
      },
    );
    if (found === undefined || !this.accept(found)) return false;
    this.best = withoutUnreachable(this, this.best);
    shrinkOrder(this);
    return true;
  }
}
