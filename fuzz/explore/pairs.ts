/**
 * Small programs for every pair of operations that may run concurrently: two actors with two operations each, on
 * three pages. Before its operation of the pair, a guest makes an access, so that there is something to
 * take away; where neither actor is a guest, a third one is.
 */
import type { Configuration, OperationSpec, System } from '../../models/system.ts';
import type { Actor } from '../../sim/actor.ts';
import { entriesPerTable } from '../../sim/geometry.ts';
import type { ActorProgram, Program, ProgramOperation } from '../program.ts';
import type { Session } from '../session.ts';

/** Where the second operation lies, seen from the first. */
export const SHAPES = ['one page', 'neighbours', 'one table'] as const;
export type Shape = (typeof SHAPES)[number];

export interface Pair {
  readonly operations: readonly [string, string];
  /** The first of the shapes that lead to this program. */
  readonly shape: Shape;
  readonly program: Program;
}

/** The pairs of a system, each program once. */
export function pairsOf(session: Session): readonly Pair[] {
  const { system, configuration, machine } = session;
  const specs = system.operations.filter(
    (spec) => spec.weight > 0 && spec.isIn?.(configuration) !== false,
  );
  const pairs: Pair[] = [];
  for (const [index, one] of specs.entries()) {
    for (const other of specs.slice(index)) {
      if (one === other && one.once === true) continue;
      const taken = new Set<string>();
      for (const shape of SHAPES) {
        const program = programOf(system, configuration, machine.actors, one, other, shape);
        if (program === undefined) continue;
        const text = JSON.stringify(program);
        if (taken.has(text)) continue;
        taken.add(text);
        pairs.push({ operations: [one.id, other.id], shape, program });
      }
    }
  }
  return pairs;
}

/** Undefined when the configuration has not enough actors. */
function programOf(
  system: System,
  configuration: Configuration,
  actors: readonly Actor[],
  one: OperationSpec,
  other: OperationSpec,
  shape: Shape,
): Program | undefined {
  const access = system.operations.find(({ isGuestAccess }) => isGuestAccess === true);
  const size = entriesPerTable(configuration.geometry);
  const pages = shape === 'one page' ? 0 : shape === 'neighbours' ? 1 : size - 1;
  const count = shape === 'one table' ? size : 1;
  const first = actorFor(actors, one, []);
  if (first === undefined) return undefined;
  const second = actorFor(actors, other, [first]);
  if (second === undefined) return undefined;
  const make = (
    spec: OperationSpec,
    key: string,
    page: number,
    length: number,
  ): ProgramOperation => ({
    key,
    operation: spec.id,
    args: argumentsOf(spec, configuration, page, length),
  });
  const isGuest = (actor: Actor): boolean => access?.roles.includes(actor.role) ?? false;
  const part = (actor: Actor, spec: OperationSpec, page: number, length: number, own: number) => ({
    actor: actor.name,
    operations:
      isGuest(actor) && access !== undefined
        ? [make(access, 's1', own, 1), make(spec, 'x1', page, length)]
        : spec.once === true
          ? [make(spec, 'x1', page, length)]
          : [make(spec, 'x1', page, length), make(spec, 'x2', own, 1)],
  });
  const parts: ActorProgram[] = [part(first, one, 0, count, 0), part(second, other, pages, 1, 2)];
  if (access !== undefined && !isGuest(first) && !isGuest(second)) {
    const guest = actorFor(actors, access, [first, second]);
    if (guest === undefined) return undefined;
    parts.push({ actor: guest.name, operations: [make(access, 's1', 0, 1)] });
  }
  const place = (name: string): number => actors.findIndex((actor) => actor.name === name);
  return parts.sort((a, b) => place(a.actor) - place(b.actor));
}

function actorFor(
  actors: readonly Actor[],
  spec: OperationSpec,
  taken: readonly Actor[],
): Actor | undefined {
  return actors.find((actor) => spec.roles.includes(actor.role) && !taken.includes(actor));
}

function argumentsOf(
  spec: OperationSpec,
  configuration: Configuration,
  page: number,
  count: number,
): readonly number[] {
  const args = spec.parameters.map(({ kind, max }) =>
    Math.min(kind === 'page' ? page : count, max(configuration)),
  );
  return spec.constrain?.(args, configuration) ?? args;
}
