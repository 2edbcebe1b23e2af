/** Plans made from plans: other programs, other names; and whether a plan fits a configuration. */
import type { Configuration } from '../../models/system.ts';
import type { CaseChoice } from '../case.ts';
import { actorNames, mintKey } from '../generate.ts';
import { formatConstraint } from '../order.ts';
import type { Program, ProgramOperation } from '../program.ts';
import type { Plan } from '../schedule.ts';
import type { Session } from '../session.ts';

/** Candidates below a value, the smallest first. */
export function smallerThan(value: number, least: number): readonly number[] {
  const candidates = [least, least + 1, value >>> 1, value - 1];
  return [...new Set(candidates)].filter((candidate) => candidate >= least && candidate < value);
}

/** The plan with another program, without constraints and choices about operations that are gone. */
export function withProgram(plan: Plan, program: Program): Plan {
  const has = ({ actor, key }: { actor: string; key: string }): boolean =>
    program.some(
      (part) =>
        part.actor === actor && (!/\d/.test(key) || part.operations.some((one) => one.key === key)),
    );
  return {
    ...plan,
    program,
    order: plan.order.filter(({ before, after }) => has(before) && has(after)),
    choices: plan.choices.filter(({ event }) => has(event)),
  };
}

/** Actors as given, and keys minted anew in the order of the program. */
export function rename(plan: Plan, actors: ReadonlyMap<string, string>): Plan {
  const keys = new Map<string, string>();
  const program = plan.program.map(({ actor, operations }) => {
    const list: ProgramOperation[] = [];
    for (const operation of operations) {
      const key = mintKey(list, operation.operation);
      keys.set(`${actor}.${operation.key}`, key);
      list.push({ ...operation, key });
    }
    return { actor: actors.get(actor) ?? actor, operations: list };
  });
  const renameEvent = <Name extends { actor: string; key: string }>(name: Name): Name => ({
    ...name,
    actor: actors.get(name.actor) ?? name.actor,
    key: keys.get(`${name.actor}.${name.key}`) ?? name.key,
  });
  return {
    ...plan,
    program,
    order: plan.order.map(({ before, after }) => ({
      before: renameEvent(before),
      after: renameEvent(after),
    })),
    choices: plan.choices.map(
      ({ event, answer }): CaseChoice => ({ event: renameEvent(event), answer }),
    ),
  };
}

/** Whether a plan's parameters and its program's actors, operations and arguments exist in a configuration. */
export function fits(
  plan: Pick<Plan, 'program' | 'parameters'>,
  configuration: Configuration,
  session: Session,
): boolean {
  const { all } = actorNames(configuration);
  const known = configuration.parameters.map(({ name }) => name);
  if (!Object.keys(plan.parameters).every((name) => known.includes(name))) return false;
  return plan.program.every(
    ({ actor, operations }) =>
      all.includes(actor) &&
      operations.every(({ operation, args }) => {
        const spec = session.specs.get(operation)!;
        if (spec.isIn?.(configuration) === false) return false;
        const isInRange = args.every(
          (arg, index) => arg <= spec.parameters[index]!.max(configuration),
        );
        const constrained = spec.constrain?.(args, configuration) ?? args;
        return isInRange && constrained.every((value, index) => value === args[index]);
      }),
  );
}

/** Equal texts are equal plans. */
export function planText({ parameters, program, order, choices }: Plan): string {
  return JSON.stringify([parameters, program, order.map(formatConstraint), choices]);
}
