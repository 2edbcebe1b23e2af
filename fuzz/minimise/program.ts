/** Passes over the program, its arguments, the parameters and the configuration. */
import { operationCount, type ProgramOperation } from '../program.ts';
import { type Plan, runPlan } from '../schedule.ts';
import type { Attempts } from './attempts.ts';
import { fits, smallerThan, withProgram } from './plans.ts';
import { fewerSwitches } from './switches.ts';

/** Actors first, then single operations. */
export function shrinkProgram(work: Attempts): void {
  for (const { actor } of work.best.program) {
    work.acceptOrSearch(
      withProgram(
        work.best,
        work.best.program.filter((part) => part.actor !== actor),
      ),
    );
  }
  for (const { actor, operations } of work.best.program) {
    for (const { key } of operations) {
      const program = work.best.program
        .map((part) =>
          part.actor === actor
            ? { actor, operations: part.operations.filter((operation) => operation.key !== key) }
            : part,
        )
        .filter((part) => part.operations.length > 0);
      if (operationCount(program) < operationCount(work.best.program)) {
        work.acceptOrSearch(withProgram(work.best, program));
      }
    }
  }
}

/** Every page that is named gets the smallest number that still fails; then each argument alone. */
export function shrinkArguments(work: Attempts): void {
  const { specs, configuration } = work.session;
  const map = (change: (operation: ProgramOperation) => readonly number[]): Plan =>
    withProgram(
      work.best,
      work.best.program.map(({ actor, operations }) => ({
        actor,
        operations: operations.map((operation) => {
          const args = change(operation);
          return {
            ...operation,
            args: specs.get(operation.operation)!.constrain?.(args, configuration) ?? args,
          };
        }),
      })),
    );
  const isPage = (operation: ProgramOperation, index: number): boolean =>
    specs.get(operation.operation)!.parameters[index]!.kind === 'page';
  const pages = new Set(
    work.best.program.flatMap(({ operations }) =>
      operations.flatMap((operation) =>
        operation.args.filter((_, index) => isPage(operation, index)),
      ),
    ),
  );
  for (const page of [...pages].sort((a, b) => a - b)) {
    for (const smaller of smallerThan(page, 0)) {
      const moved = map((operation) =>
        operation.args.map((arg, index) =>
          isPage(operation, index) && arg === page ? smaller : arg,
        ),
      );
      if (work.accept(moved)) break;
    }
  }
  for (const { actor, operations } of work.best.program) {
    for (const { key, operation, args } of operations) {
      const spec = specs.get(operation)!;
      args.forEach((arg, index) => {
        const least = spec.parameters[index]!.kind === 'count' ? 1 : 0;
        for (const smaller of smallerThan(arg, least)) {
          // a page that the operation may not name stands for another one, which is not smaller
          const next = args.with(index, smaller);
          const constrained = spec.constrain?.(next, configuration) ?? next;
          if (constrained[index] !== smaller) continue;
          const changed = withProgram(
            work.best,
            work.best.program.map((part) => ({
              actor: part.actor,
              operations: part.operations.map((one) =>
                part.actor === actor && one.key === key
                  ? { ...one, args: one.args.map((value, i) => (i === index ? smaller : value)) }
                  : one,
              ),
            })),
          );
          if (work.acceptOrSearch(changed)) break;
        }
      });
    }
  }
}

export function shrinkParameters(work: Attempts): void {
  for (const { name, default: usual } of work.session.configuration.parameters) {
    if (work.best.parameters[name] === undefined) continue;
    const { [name]: value, ...rest } = work.best.parameters;
    // a parameter that has its default is not written down
    if (value === usual) work.best = { ...work.best, parameters: rest };
    else work.acceptOrSearch({ ...work.best, parameters: rest });
  }
}

/** Switches that a simpler configuration may cost. */
const SWITCHES_MORE = 1;

/** The first configuration of the system in which the program runs and still fails, without many switches more. */
export function shrinkConfiguration(work: Attempts): void {
  const { system, configuration, bugs } = work.session;
  for (const simpler of system.configurations) {
    if (simpler === configuration || !work.hasBudget) break;
    if (simpler.kind !== configuration.kind || !fits(work.best, simpler, work.session)) continue;
    const { session, best } = work;
    const { switches } = runPlan(session, best).recorder;
    work.enter(work.sessions.get(system.id, simpler.id, bugs));
    if (work.acceptOrSearch(best)) {
      if (configuration.isReal) return;
      fewerSwitches(work);
      if (runPlan(work.session, work.best).recorder.switches <= switches + SWITCHES_MORE) return;
    }
    work.enter(session);
    work.best = best;
  }
}
