/**
 * Which goals of its system a run has reached: whether its trace has the goal's events in their order, with
 * actors and objects in the places that the goal names alike.
 */
import type { Configuration, Goal, System } from '../models/system.ts';
import { Event } from '../sim/event.ts';
import { ANYBODY, type GoalOperation, type GoalStep } from '../sim/goal-steps.ts';
import { siteOf } from '../sim/site.ts';
import type { Trace } from '../sim/trace.ts';
import type { LoadedProgram } from './program.ts';

interface Step extends Pick<GoalStep, 'who' | 'on' | 'event' | 'operation' | 'stands'> {
  readonly sites: readonly number[];
  readonly fields: readonly (number | undefined)[];
}

/** Operations of the run's program, as far as goals name them. */
export type GoalProgram = Pick<LoadedProgram, 'operations' | 'duties'>;

const NO_PROGRAM: GoalProgram = { operations: [], duties: [] };

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
  const sites = names.length === 0 ? [CLAIMS] : names.map(siteOf);
  return { ...rest, sites, fields: [a, b, c, d] };
}

export function soughtGoals(goals: readonly Goal[]): readonly SoughtGoal[] {
  return goals.map(({ id, steps }) => ({ id, steps: steps.map(numbered) }));
}

/** In place of a site: claims, wherever they are made. */
const CLAIMS = -1;

/** Sites are hashes: their low bits tell most of the uninteresting ones apart. */
const SITE_BITS = 0xfff;

/** Looks for goals that were not found yet; each is found once. */
export class GoalSeeker {
  #left: readonly SoughtGoal[];
  /** By the low bits of a site: whether a goal that is left may name it. */
  readonly #may = new Uint8Array(SITE_BITS + 1);
  /** By site: its rows in the trace. */
  readonly #rows = new Map<number, number[]>();
  /** The program of the last run, and which of the operations that goals name it has; their instances. */
  #program: GoalProgram | undefined;
  readonly #instances = new Map<GoalOperation, readonly number[]>();

  constructor(goals: readonly SoughtGoal[]) {
    this.#left = goals;
    this.#collectSites();
  }

  /** Ids of the goals that this run is the first to reach. */
  find(trace: Trace, program: GoalProgram = NO_PROGRAM): readonly string[] {
    if (this.#left.length === 0) return [];
    if (program !== this.#program) this.#read(program);
    for (const rows of this.#rows.values()) rows.length = 0;
    const claims = this.#rows.get(CLAIMS);
    for (let row = 0; row < trace.count; row += 1) {
      const site = trace.site(row);
      if (this.#may[site & SITE_BITS] === 1) this.#rows.get(site)?.push(row);
      if (claims !== undefined && trace.kind(row) === Event.Claim) claims.push(row);
    }
    const found = this.#left.filter(({ steps }) => this.#isThere(trace, steps));
    if (found.length === 0) return [];
    this.#left = this.#left.filter((goal) => !found.includes(goal));
    this.#collectSites();
    return found.map(({ id }) => id);
  }

  /** Finds the operations that goals name among those of a program. */
  #read({ operations, duties }: GoalProgram): void {
    for (const wanted of this.#instances.keys()) {
      const own: number[] = [];
      operations.forEach(({ id }, instance) => {
        const { args } = duties[instance]!;
        const isIt = wanted.args?.every((arg, i) => arg === undefined || arg === args[i]) !== false;
        if (id === wanted.id && isIt) own.push(instance);
      });
      this.#instances.set(wanted, own);
    }
  }

  #isThere(trace: Trace, steps: readonly Step[]): boolean {
    const rows: (readonly number[])[] = [];
    // most goals are not there, because a step is missing or comes only before its predecessor
    const occurs = (site: number): boolean => this.#rows.get(site)!.length > 0;
    const isIn = ({ operation }: Step): boolean =>
      operation === undefined || this.#instances.get(operation)!.length > 0;
    if (!steps.every(isIn)) return false;
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

  #rowsOf(trace: Trace, { sites, event, fields, operation }: Step): readonly number[] {
    const instances = operation === undefined ? undefined : this.#instances.get(operation)!;
    const lists = sites.map((site) => this.#rows.get(site)!);
    const rows = lists.length === 1 ? lists[0]! : lists.flat().sort((x, y) => x - y);
    return rows.filter(
      (row) =>
        trace.kind(row) === event &&
        instances?.includes(trace.operation(row)) !== false &&
        fields.every((value, index) => value === undefined || trace.operand(row, index) === value),
    );
  }

  #collectSites(): void {
    this.#may.fill(0);
    this.#rows.clear();
    this.#instances.clear();
    this.#program = undefined;
    for (const { sites, operation } of this.#left.flatMap(({ steps }) => steps)) {
      if (operation !== undefined) this.#instances.set(operation, []);
      for (const site of sites) {
        if (site !== CLAIMS) this.#may[site & SITE_BITS] = 1;
        this.#rows.set(site, []);
      }
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
  /** By actor and operation, as steps name them: the instance. */
  readonly #instances = new Map<string, number>();

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
    const { who, on, operation, stands } = step;
    const part = operation === undefined ? undefined : `${who} ${operation.id}`;
    const hasActor = who === ANYBODY || this.#actors.has(who);
    const hasObject = on === undefined || this.#objects.has(on);
    const hasInstance = part === undefined || this.#instances.has(part);
    const isAfterClaim = this.#steps[index - 1]?.stands === true;
    const tried: number[] = [];
    for (const row of this.#rows[index]!) {
      if (row <= after) continue;
      if (isAfterClaim && !this.#stillStands(after, row)) return false;
      const actor = this.#trace.actor(row);
      const object = on === undefined ? 0 : this.#trace.operand(row, 0);
      const instance = part === undefined ? -1 : this.#trace.operation(row);
      if (who !== ANYBODY && !fits(this.#actors, who, actor)) continue;
      if (on !== undefined && !fits(this.#objects, on, object)) continue;
      if (part !== undefined && hasInstance && this.#instances.get(part) !== instance) continue;
      // of equal actors, objects and instances the first occurrence leaves most room for what follows, but for claims
      const key = (object >>> 0) * 65536 + (instance + 1) * 256 + actor + 1;
      if (stands !== true && tried.includes(key)) continue;
      tried.push(key);
      if (who !== ANYBODY) this.#actors.set(who, actor);
      if (on !== undefined) this.#objects.set(on, object);
      if (part !== undefined) this.#instances.set(part, instance);
      if (this.#seek(index + 1, row)) return true;
      if (!hasActor) this.#actors.delete(who);
      if (!hasObject) this.#objects.delete(on!);
      if (!hasInstance) this.#instances.delete(part!);
      if (hasActor && hasObject && hasInstance && stands !== true) return false;
    }
    return false;
  }

  /** Nobody has claimed anything else of that kind about the same thing. */
  #stillStands(claim: number, until: number): boolean {
    const trace = this.#trace;
    for (let row = claim + 1; row < until; row += 1) {
      if (trace.kind(row) !== Event.Claim) continue;
      const isKind = trace.operand(row, 0) === trace.operand(claim, 0);
      if (isKind && trace.operand(row, 1) === trace.operand(claim, 1)) return false;
    }
    return true;
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
