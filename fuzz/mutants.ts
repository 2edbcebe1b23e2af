/**
 * The mutants of a system. A profile of correct runs shows which accesses there are, and where an
 * operator would change something; that is where a mutant is.
 */
import type { System } from '../models/system.ts';
import { Access } from '../sim/access.ts';
import { choiceSites, machineSites, walkSites } from '../sim/hardware.ts';
import { SiteDirectory } from '../sim/site.ts';
import { guarded } from './leak-guard.ts';
import type { Mutant, MutantActor, Request, Watcher } from './mutation.ts';
import { needsOf, OPERATORS, type Operator, SWAP } from './operators.ts';
import { isMovable, isSwap, isTransparent } from './swaps.ts';
import { broadSamples, type Workload } from './workload.ts';

export interface Profile {
  readonly mutants: readonly Mutant[];
  /** Declared sites of the system's own that no run came to. */
  readonly unreached: readonly string[];
  readonly executions: number;
  /** Runs of the correct model to which an oracle objected: nothing may be concluded then. */
  readonly violations: number;
}

/** Runs the correct model and lists every mutant that its accesses allow, by id. */
export function profile(system: System, workload: Workload, runs: number): Profile {
  const { mutation } = workload;
  const observer = new Observer();
  mutation.select(undefined);
  mutation.watcher = observer;
  let violations = 0;
  let executions = 0;
  guarded(() => {
    for (const { result } of broadSamples(workload, runs)) {
      executions += 1;
      if (result.violation !== undefined) violations += 1;
    }
  });
  mutation.watcher = undefined;
  const directory = new SiteDirectory(system.sites);
  const hardware = new SiteDirectory([walkSites, choiceSites, machineSites]);
  const unreached = directory.names.filter((name) => {
    const site = directory.find(name)!;
    return !hardware.has(site) && !observer.sites.has(site);
  });
  return { mutants: observer.mutants(directory), unreached, executions, violations };
}

interface Place {
  readonly operator: Operator;
  readonly site: number;
  readonly other: number | undefined;
  readonly needs: 'F1' | 'F2';
}

/** Collects places where an operator would change something. */
class Observer implements Watcher {
  readonly sites = new Set<number>();
  readonly #places = new Map<string, Place>();
  /** By actor: accesses that the next one that counts may be swapped with. */
  readonly #movable = new Map<MutantActor, Request[]>();

  begin(actor: MutantActor): void {
    this.#movable.set(actor, []);
  }

  site(site: number): void {
    this.sites.add(site);
  }

  request(actor: MutantActor): void {
    for (const operator of OPERATORS) {
      if (operator.answer !== undefined && actor.access === Access.Read) continue;
      if (operator.concerns(actor)) this.#note(operator, actor, undefined);
    }
    const open: Request[] = [];
    for (const first of this.#movable.get(actor) ?? []) {
      if (isTransparent(first, actor)) open.push(first);
      else if (isSwap(first, actor)) this.#note(SWAP, first, actor.site);
    }
    if (isMovable(actor)) open.push(actor.request());
    this.#movable.set(actor, open);
  }

  /** A read is a check where another answer was possible. */
  answer(request: Readonly<Request>, value: number, earlier: number | undefined): void {
    for (const operator of OPERATORS) {
      if (operator.answer === undefined || !operator.concerns(request)) continue;
      if (operator.answer(request, value, earlier) !== value)
        this.#note(operator, request, undefined);
    }
  }

  #note(operator: Operator, request: Readonly<Request>, other: number | undefined): void {
    const key = `${operator.id} ${request.site} ${other}`;
    if (this.#places.has(key)) return;
    const needs = needsOf(operator, request);
    this.#places.set(key, { operator, site: request.site, other, needs });
  }

  mutants(directory: SiteDirectory): readonly Mutant[] {
    const list = [...this.#places.values()].map((place): Mutant => {
      const places = place.other === undefined ? [place.site] : [place.site, place.other];
      const names = places.map((site) => directory.name(site));
      return { id: `${place.operator.id} ${names.join(' ')}`, ...place };
    });
    return list.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  }
}
