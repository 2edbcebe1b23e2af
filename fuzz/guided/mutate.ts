/** Changes the program of a parent from the corpus: half of the time not at all, so that its schedule is what changes. */
import { type Draft, mintKey } from '../generate.ts';
import type { ActorProgram, Program, ProgramOperation } from '../program.ts';
import type { Random } from '../random.ts';

/**
 * @param other another parent of the same configuration
 * @param fresh drawn for the same configuration: what comes in is from it
 */
export function mutated(random: Random, parent: Draft, other: Draft, fresh: Draft): Draft {
  const { parameters, program } = parent;
  if (random.chance(1, 2)) return parent;
  const change = random.pick([without, withMore, withOther, crossed]);
  const source = change === crossed ? other : fresh;
  return { parameters, program: change(random, program, source.program) };
}

type Change = (random: Random, program: Program, source: Program) => Program;

/** One operation less, when two are left. */
const without: Change = (random, program) => {
  const places = program.flatMap(({ actor, operations }) =>
    operations.map((_, at) => ({ actor, at })),
  );
  if (places.length < 3) return program;
  const gone = random.pick(places);
  return edited(program, gone.actor, (list) => list.filter((_, index) => index !== gone.at));
};

/** An operation of the source comes in, anywhere in the list of its actor. */
const withMore: Change = (random, program, source) => {
  const { actor, operation } = drawnFrom(random, source);
  const at = random.below(listOf(program, actor).length + 1);
  return edited(program, actor, (list) => [
    ...list.slice(0, at),
    { ...operation, key: mintKey(list, operation.operation) },
    ...list.slice(at),
  ]);
};

/** An operation of the source takes the place of one of its actor, or comes in when there is none. */
const withOther: Change = (random, program, source) => {
  const { actor, operation } = drawnFrom(random, source);
  const count = listOf(program, actor).length;
  if (count === 0) return withMore(random, program, source);
  const at = random.below(count);
  return edited(program, actor, (list) =>
    list.map((old, index) =>
      index === at ? { ...operation, key: mintKey(list, operation.operation) } : old,
    ),
  );
};

/** An actor does what it does in the source. */
const crossed: Change = (random, program, source) => {
  const { actor, operations } = random.pick(source);
  return edited(program, actor, () => operations);
};

function drawnFrom(
  random: Random,
  program: Program,
): { readonly actor: string; readonly operation: ProgramOperation } {
  const { actor, operations } = random.pick(program);
  return { actor, operation: random.pick(operations) };
}

function listOf(program: Program, actor: string): readonly ProgramOperation[] {
  return program.find((part) => part.actor === actor)?.operations ?? [];
}

function edited(
  program: Program,
  actor: string,
  change: (list: readonly ProgramOperation[]) => readonly ProgramOperation[],
): Program {
  const others = program.filter((part) => part.actor !== actor);
  const part: ActorProgram = { actor, operations: change(listOf(program, actor)) };
  return part.operations.length === 0 ? others : [...others, part];
}

/** A program as its configuration allows it: actors in the machine's order, and once what makes sense once. */
export function tidied(
  program: Program,
  order: readonly string[],
  once: ReadonlySet<string>,
): Program {
  const seen = new Set<string>();
  return order.flatMap((actor) => {
    const operations = listOf(program, actor).filter(({ operation }) => {
      if (!once.has(operation)) return true;
      if (seen.has(operation)) return false;
      seen.add(operation);
      return true;
    });
    return operations.length === 0 ? [] : [{ actor, operations }];
  });
}
