/**
 * Which goals of its system a run has reached: whether its trace has the goal's events in their order, with
 * actors and objects in the places that the goal names alike.
 */
import type { Configuration, Goal, System } from '../models/system.ts';
import type { GoalStep } from '../sim/goal-steps.ts';
import { siteOf } from '../sim/site.ts';
import type { Trace } from '../sim/trace.ts';

interface Step extends Pick<GoalStep, 'who' | 'on' | 'event'> {
  readonly sites: readonly number[];
  readonly fields: readonly (number | undefined)[];
}

/** A goal with its sites as numbers, which take longer to find than a run takes. */
export interface SoughtGoal {
  readonly id: string;
  readonly steps: readonly Step[];
}

/** The goals that runs of a configuration can reach. */
export function goalsIn({ goals }: System, configuration: Configuration): readonly Goal[] {
  return goals.filter(({ isIn }) => isIn?.(configuration) !== false);
}

function numbered({ site, a, b, c, d, ...rest }: GoalStep): Step {
  const names = typeof site === 'string' ? [site] : site;
  return { ...rest, sites: names.map(siteOf), fields: [a, b, c, d] };
}

export function soughtGoals(goals: readonly Goal[]): readonly SoughtGoal[] {
  return goals.map(({ id, steps }) => ({ id, steps: steps.map(numbered) }));
}

/** Sites are hashes: their low bits tell most of the uninteresting ones apart. */
const SITE_BITS = 0xfff;

/** Looks for goals that were not found yet; each is found once. */
export class GoalSeeker {
  #left: readonly SoughtGoal[];
  /** By the low bits of a site: whether a goal that is left may name it. */
  readonly #may = new Uint8Array(SITE_BITS + 1);
  /** By site: its rows in the trace. */
  readonly #rows = new Map<number, number[]>();

  constructor(goals: readonly SoughtGoal[]) {
    this.#left = goals;
    this.#collectSites();
  }

  /** Ids of the goals that this run is the first to reach. */
  find(trace: Trace): readonly string[] {
    if (this.#left.length === 0) return [];
    for (const rows of this.#rows.values()) rows.length = 0;
    for (let row = 0; row < trace.count; row += 1) {
      const site = trace.site(row);
      if (this.#may[site & SITE_BITS] === 1) this.#rows.get(site)?.push(row);
    }
    const found = this.#left.filter(({ steps }) => this.#isThere(trace, steps));
    if (found.length === 0) return [];
    this.#left = this.#left.filter((goal) => !found.includes(goal));
    this.#collectSites();
    return found.map(({ id }) => id);
  }

  #isThere(trace: Trace, steps: readonly Step[]): boolean {
    const rows: (readonly number[])[] = [];
    // most goals are not there, because a step is missing or comes only before its predecessor
    const occurs = (site: number): boolean => this.#rows.get(site)!.length > 0;
    if (!steps.every(({ sites }) => sites.some(occurs))) return false;
    let earliest = -1;
    for (const step of steps) {
      const own = this.#rowsOf(trace, step).filter((row) => row > earliest);
      if (own.length === 0) return false;
      earliest = own[0]!;
      rows.push(own);
    }
    return new Match(trace, steps, rows).isThere;
  }

  #rowsOf(trace: Trace, { sites, event, fields }: Step): readonly number[] {
    const lists = sites.map((site) => this.#rows.get(site)!);
    const rows = lists.length === 1 ? lists[0]! : lists.flat().sort((x, y) => x - y);
    return rows.filter(
      (row) =>
        trace.kind(row) === event &&
        fields.every((value, index) => value === undefined || trace.operand(row, index) === value),
    );
  }

  #collectSites(): void {
    this.#may.fill(0);
    this.#rows.clear();
    for (const site of this.#left.flatMap(({ steps }) => steps.flatMap(({ sites }) => sites))) {
      this.#may[site & SITE_BITS] = 1;
      this.#rows.set(site, []);
    }
  }
}

/** The search for one goal in one trace: steps in their order, with others in between. */
class Match {
  readonly #trace: Trace;
  readonly #steps: readonly Step[];
  /** By step: the rows that it may be. */
  readonly #rows: readonly (readonly number[])[];
  readonly #actors = new Map<string, number>();
  readonly #objects = new Map<string, number>();

  constructor(trace: Trace, steps: readonly Step[], rows: readonly (readonly number[])[]) {
    this.#trace = trace;
    this.#steps = steps;
    this.#rows = rows;
  }

  get isThere(): boolean {
    return this.#seek(0, -1);
  }

  #seek(index: number, after: number): boolean {
    const step = this.#steps[index];
    if (step === undefined) return true;
    const { who, on } = step;
    const hasActor = this.#actors.has(who);
    const hasObject = on === undefined || this.#objects.has(on);
    const tried: number[] = [];
    for (const row of this.#rows[index]!) {
      if (row <= after) continue;
      const actor = this.#trace.actor(row);
      const object = this.#trace.operand(row, 0);
      if (!fits(this.#actors, who, actor)) continue;
      if (on !== undefined && !fits(this.#objects, on, object)) continue;
      // of equal actors and objects the first occurrence leaves most room for what follows
      const key = on === undefined ? actor : actor + object * 256;
      if (tried.includes(key)) continue;
      tried.push(key);
      this.#actors.set(who, actor);
      if (on !== undefined) this.#objects.set(on, object);
      if (this.#seek(index + 1, row)) return true;
      if (!hasActor) this.#actors.delete(who);
      if (!hasObject) this.#objects.delete(on!);
      if (hasActor && hasObject) return false;
    }
    return false;
  }
}

/** A name stands for one thing, and a thing has one name. */
function fits(known: ReadonlyMap<string, number>, name: string, value: number): boolean {
  for (const [other, taken] of known) {
    if (other === name) return taken === value;
    if (taken === value) return false;
  }
  return true;
}
