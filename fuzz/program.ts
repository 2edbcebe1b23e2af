/** A program: for each actor a list of keyed operations with arguments. It is data and nothing else. */
import type { Configuration, OperationSpec, System, World } from '../models/system.ts';
import type { Duty } from '../oracles/oracle.ts';
import { type Actor, ActorRole, type Operation } from '../sim/actor.ts';
import { assert } from '../sim/assert.ts';
import type { ProgramEntry } from '../sim/spec.ts';

/** One keyed operation with its arguments. */
export interface ProgramOperation {
  /** Minted once and kept through shrinking: `w1`. Unique per actor. */
  readonly key: string;
  readonly operation: string;
  readonly args: readonly number[];
}

/** What one actor does, in order. */
export interface ActorProgram {
  readonly actor: string;
  readonly operations: readonly ProgramOperation[];
}

/** Actors in the machine's order; actors without operations are left out. */
export type Program = readonly ActorProgram[];

export interface LoadedProgram {
  readonly entries: readonly (readonly ProgramEntry[])[];
  readonly duties: readonly Duty[];
  /** Operation id by instance. */
  readonly operations: readonly OperationSpec[];
}

export type Start = (
  spec: OperationSpec,
  self: Actor,
  world: World,
  args: readonly number[],
) => Operation<number>;

const startPlainly: Start = (spec, self, world, args) => spec.start(self, world, args);

export function operationCount(program: Program): number {
  return program.reduce((sum, { operations }) => sum + operations.length, 0);
}

/**
 * Binds a program to a world: entries for the machine, duties for the oracles.
 * @param start how an operation is started; a test switch wraps it
 */
export function loadProgram(
  system: System,
  configuration: Configuration,
  world: World,
  specs: ReadonlyMap<string, OperationSpec>,
  program: Program,
  start: Start = startPlainly,
): LoadedProgram {
  const duties: Duty[] = [];
  const operations: OperationSpec[] = [];
  const entries: ProgramEntry[][] = [];
  const hasOperations = (name: string): boolean =>
    program.some((part) => part.actor === name && part.operations.length > 0);
  const isServed = world.machine.actors.some(
    (actor) => !actor.isHardware && hasOperations(actor.name),
  );
  for (const actor of world.machine.actors) {
    const list: ProgramEntry[] = [];
    entries.push(list);
    const own = program.find((part) => part.actor === actor.name)?.operations ?? [];
    // callbacks run in every run in which somebody could defer one
    const takesPart = actor.role === ActorRole.Rcu ? isServed : own.length > 0;
    if (!takesPart) continue;
    for (const { key, operation, args } of own) {
      const spec = specOf(specs, operation);
      list.push(new Entry(key, false, spec, world, args, start));
      duties.push(dutyOf(spec, configuration, actor.name, world, args));
      operations.push(spec);
    }
    const epilogue = system.epilogue[actor.role];
    if (epilogue === undefined) continue;
    const spec = specOf(specs, epilogue);
    // its key is what it was called first: event names survive that it is renamed
    const key = spec.formerly?.[0] ?? epilogue;
    list.push(new Entry(key, true, spec, world, [], start));
    duties.push(dutyOf(spec, configuration, actor.name, world, []));
    operations.push(spec);
  }
  return { entries, duties, operations };
}

function specOf(specs: ReadonlyMap<string, OperationSpec>, id: string): OperationSpec {
  const spec = specs.get(id);
  assert(spec !== undefined, `operation ${id} is declared`);
  return spec;
}

class Entry implements ProgramEntry {
  readonly key: string;
  readonly implicit: boolean;
  readonly #spec: OperationSpec;
  readonly #world: World;
  readonly #args: readonly number[];
  readonly #start: Start;

  constructor(
    key: string,
    implicit: boolean,
    spec: OperationSpec,
    world: World,
    args: readonly number[],
    start: Start,
  ) {
    this.key = key;
    this.implicit = implicit;
    this.#spec = spec;
    this.#world = world;
    this.#args = args;
    this.#start = start;
  }

  start(self: Actor): Operation<number> {
    return this.#start(this.#spec, self, this.#world, this.#args);
  }
}

function dutyOf(
  spec: OperationSpec,
  configuration: Configuration,
  actor: string,
  world: World,
  args: readonly number[],
): Duty {
  const card = spec.cardIn?.(configuration, actor) ?? spec.card;
  if (card.everyTree === true)
    return { card, args, first: 0, count: 0, reachFirst: 0, reachCount: Number.MAX_SAFE_INTEGER };
  if (card.tree < 0 || card.pages === undefined) {
    return { card, args, first: 0, count: 0, reachFirst: 0, reachCount: 0 };
  }
  const { geometry } = world.machine.tables.trees[card.tree]!;
  const clip = (range: readonly [number, number]): readonly [number, number] => {
    const end = Math.min(range[0] + range[1], geometry.windowPages);
    return [range[0], Math.max(0, end - range[0])];
  };
  const [first, count] = clip(card.pages(args, geometry));
  const [reachFirst, reachCount] = clip((card.reach ?? card.pages)(args, geometry));
  return { card, args, first, count, reachFirst, reachCount };
}
