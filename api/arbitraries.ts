/** fast-check arbitraries for programs and schedules, so that property tests can use the machine. */
import fc from 'fast-check';
import { actorNames, mintKey, operationsOf } from '../fuzz/generate.ts';
import type { ActorProgram, Program, ProgramOperation } from '../fuzz/program.ts';
import type { Configuration, OperationSpec, System } from '../models/system.ts';
import { ActorRole } from '../sim/actor.ts';
import { configurationOf } from './named.ts';
import type { Schedule } from './schedule.ts';

/** What programs may be. */
export interface ProgramConstraints {
  /** Id of a configuration; the first correct one by default. */
  readonly configuration?: string;
  /** Operations of one actor at most (4). */
  readonly operationsMax?: number;
}

/** Programs of a system with at least one operation. They shrink towards fewer, with smaller arguments. */
export function programs(
  system: System,
  { configuration: id, operationsMax = 4 }: ProgramConstraints = {},
): fc.Arbitrary<Program> {
  const configuration = configurationOf(system, id);
  const names = actorNames(configuration);
  const roles = [
    { role: ActorRole.Vcpu, actors: names.vcpu },
    { role: ActorRole.Host, actors: names.host },
    { role: ActorRole.Hardware, actors: names.pe },
  ];
  const parts = roles.flatMap(({ role, actors }) => {
    const specs = operationsOf(system, configuration, role);
    return actors.map((actor) => partOf(actor, specs, configuration, operationsMax));
  });
  return fc
    .tuple(...parts)
    .map((all) => all.filter(({ operations }) => operations.length > 0))
    .filter((program) => program.length > 0);
}

type Call = Omit<ProgramOperation, 'key'>;

function partOf(
  actor: string,
  specs: readonly OperationSpec[],
  configuration: Configuration,
  operationsMax: number,
): fc.Arbitrary<ActorProgram> {
  if (specs.length === 0) return fc.constant({ actor, operations: [] });
  const calls = specs.map((spec) => ({
    weight: spec.weight,
    arbitrary: callOf(spec, configuration),
  }));
  const isOnce = new Set(specs.filter(({ once }) => once === true).map(({ id }) => id));
  return fc.array(fc.oneof(...calls), { maxLength: operationsMax }).map((list) => {
    const operations: ProgramOperation[] = [];
    for (const call of list) {
      const isThere = operations.some(({ operation }) => operation === call.operation);
      if (isThere && isOnce.has(call.operation)) continue;
      operations.push({ key: mintKey(operations, call.operation), ...call });
    }
    return { actor, operations };
  });
}

function callOf(spec: OperationSpec, configuration: Configuration): fc.Arbitrary<Call> {
  const args = spec.parameters.map((parameter) => parameter.arbitrary(configuration));
  return fc.tuple(...args).map((drawn) => ({
    operation: spec.id,
    args: spec.constrain?.(drawn, configuration) ?? drawn,
  }));
}

/** What schedules may be. */
export interface ScheduleConstraints {
  /** Switches at most (8). */
  readonly switchesMax?: number;
}

/** Schedules; they shrink towards fewer switches, and choices answered by their default. */
export function schedules({ switchesMax = 8 }: ScheduleConstraints = {}): fc.Arbitrary<Schedule> {
  return fc.record({
    switches: fc.array(fc.record({ after: fc.nat(24), to: fc.nat(7) }), {
      maxLength: switchesMax,
    }),
    answers: fc.array(fc.nat(3), { maxLength: 8 }),
  });
}
