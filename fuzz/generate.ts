/**
 * Draws what is executed: configuration, program, parameters. Swarm testing
 * (Groce et al., ISSTA 2012): each execution leaves some operations out and weighs the rest anew.
 */
import type { Configuration, OperationSpec, System } from '../models/system.ts';
import { ActorRole } from '../sim/actor.ts';
import type { ActorProgram, Program, ProgramOperation } from './program.ts';
import { ArbitrarySource, type Random } from './random.ts';

export interface Draft {
  readonly program: Program;
  readonly parameters: Readonly<Record<string, number>>;
}

/** Small programs are drawn often: two or three operations that meet find most of what there is. */
const PROGRAM_SIZES = [2, 3, 3, 4, 4, 5, 6, 8, 10] as const;

/** Pages of a program: any (0), the same for all its operations, or one of two, which may be of two entries. */
const FOCUS_SIZES = [0, 1, 2] as const;

/** One program in so many, where there are two hosts, is theirs alone. */
const HOST_ONLY_ODDS = 8;

/** Pages that all operations of a program are about: the first ones that were drawn. */
interface Focus {
  readonly size: number;
  readonly pages: number[];
}

/** Draws configurations and programs of one system. */
export class Generator {
  readonly #system: System;
  readonly #byRole = new Map<Configuration, Map<ActorRole, readonly OperationSpec[]>>();
  readonly #names = new Map<Configuration, ActorNames>();
  /** Arbitraries by configuration, operation and parameter: made once. */
  readonly #arbitraries = new Map<
    string,
    ReturnType<OperationSpec['parameters'][number]['arbitrary']>[]
  >();

  constructor(system: System) {
    this.#system = system;
  }

  /** @param among configurations to draw from, by their weight */
  configuration(random: Random, among: readonly Configuration[]): Configuration {
    const weights = among.map((configuration) => configuration.weight);
    return among[
      random.weighted(
        weights,
        weights.reduce((sum, weight) => sum + weight, 0),
      )
    ]!;
  }

  draft(random: Random, configuration: Configuration): Draft {
    return {
      parameters: this.#parameters(random, configuration),
      program: this.#program(random, configuration),
    };
  }

  #parameters(random: Random, configuration: Configuration): Record<string, number> {
    const drawn: Record<string, number> = {};
    for (const { name, max } of configuration.parameters) drawn[name] = random.below(max + 1);
    return drawn;
  }

  #program(random: Random, configuration: Configuration): Program {
    const source = new ArbitrarySource(random);
    const actors = this.#actors(configuration);
    const total = random.pick(PROGRAM_SIZES);
    const hosts = Math.min(configuration.hosts, random.pick([0, 1, 1, 2, 2]));
    // threads of the host race with each other, too, and a guest that runs holds some of them up
    const isHostOnly = hosts > 1 && random.chance(1, HOST_ONLY_ODDS);
    const vcpus = isHostOnly ? 0 : 1 + random.below(configuration.vcpus);
    const hardware = !isHostOnly && random.chance(1, 2) ? 1 + random.below(vcpus) : 0;
    const groups = [
      { role: ActorRole.Vcpu, names: actors.vcpu.slice(0, vcpus), share: 4 },
      { role: ActorRole.Host, names: actors.host.slice(0, hosts), share: 3 },
      { role: ActorRole.Device, names: actors.device, share: 3 },
      { role: ActorRole.Hardware, names: actors.pe.slice(0, hardware), share: 1 },
    ].filter(
      ({ names, role }) => names.length > 0 && this.#operations(configuration, role).length > 0,
    );
    const mixes = new Map(groups.map(({ role }) => [role, this.#mix(random, configuration, role)]));
    const shares = groups.map(({ share }) => share);
    const shareSum = shares.reduce((sum, share) => sum + share, 0);
    const first = groups
      .filter(({ role }) => role !== ActorRole.Hardware)
      .flatMap((group) => group.names.map((actor) => ({ group, actor })));
    const focus: Focus = { size: random.pick(FOCUS_SIZES), pages: [] };

    const drawn = new Map<string, ProgramOperation[]>();
    const once = new Set<string>();
    for (let i = 0; i < total; i += 1) {
      // everybody who takes part gets an operation first: a run without guest accesses shows little, and
      // neither does one in which nobody works on the tables at the same time
      const next = first[i];
      const group = next?.group ?? groups[random.weighted(shares, shareSum)]!;
      const actor = next?.actor ?? random.pick(group.names);
      const mix = mixes.get(group.role)!;
      const spec = mix.specs[random.weighted(mix.weights, mix.total)]!;
      if (spec.once === true) {
        if (once.has(spec.id)) continue;
        once.add(spec.id);
      }
      const list = drawn.get(actor) ?? [];
      drawn.set(actor, list);
      list.push({
        key: mintKey(list, spec.id),
        operation: spec.id,
        args: this.#args(random, source, configuration, spec, focus),
      });
    }
    return actors.all
      .filter((actor) => drawn.has(actor))
      .map((actor): ActorProgram => ({ actor, operations: drawn.get(actor)! }));
  }

  #operations(configuration: Configuration, role: ActorRole): readonly OperationSpec[] {
    const roles = this.#byRole.get(configuration) ?? new Map<ActorRole, readonly OperationSpec[]>();
    this.#byRole.set(configuration, roles);
    let known = roles.get(role);
    if (known === undefined) {
      known = operationsOf(this.#system, configuration, role);
      roles.set(role, known);
    }
    return known;
  }

  #actors(configuration: Configuration): ActorNames {
    let known = this.#names.get(configuration);
    if (known === undefined) {
      known = actorNames(configuration);
      this.#names.set(configuration, known);
    }
    return known;
  }

  /** Operations of a role with this execution's weights; a third of them is left out. */
  #mix(
    random: Random,
    configuration: Configuration,
    role: ActorRole,
  ): { specs: readonly OperationSpec[]; weights: number[]; total: number } {
    const all = this.#operations(configuration, role);
    let specs = all.filter(() => !random.chance(1, 3));
    if (specs.length === 0) specs = [random.pick(all)];
    const weights = specs.map((spec) => spec.weight * (1 + random.below(8)));
    return { specs, weights, total: weights.reduce((sum, weight) => sum + weight, 0) };
  }

  #args(
    random: Random,
    source: ArbitrarySource,
    configuration: Configuration,
    spec: OperationSpec,
    focus: Focus,
  ): readonly number[] {
    const key = `${configuration.id} ${spec.id}`;
    let arbitraries = this.#arbitraries.get(key);
    if (arbitraries === undefined) {
      arbitraries = spec.parameters.map((parameter) => parameter.arbitrary(configuration));
      this.#arbitraries.set(key, arbitraries);
    }
    const args = arbitraries.map((arbitrary) => source.draw(arbitrary));
    const { size, pages } = focus;
    if (size > 0) {
      spec.parameters.forEach(({ kind, max }, index) => {
        if (kind !== 'page') return;
        if (pages.length < size) pages.push(args[index]!);
        else args[index] = Math.min(random.pick(pages), max(configuration));
      });
    }
    return spec.constrain?.(args, configuration) ?? args;
  }
}

/** Operations that programs of a configuration may give to a role. */
export function operationsOf(
  system: System,
  configuration: Configuration,
  role: ActorRole,
): readonly OperationSpec[] {
  return system.operations.filter(
    (spec) => spec.weight > 0 && spec.roles.includes(role) && spec.isIn?.(configuration) !== false,
  );
}

/** First letter of the operation and a number: unique in the actor's list. */
export function mintKey(list: readonly ProgramOperation[], operation: string): string {
  const letter = operation[0]!;
  let number = 1;
  while (list.some(({ key }) => key === `${letter}${number}`)) number += 1;
  return `${letter}${number}`;
}

export interface ActorNames {
  readonly vcpu: readonly string[];
  readonly host: readonly string[];
  readonly device: readonly string[];
  readonly pe: readonly string[];
  readonly all: readonly string[];
}

/** Actor names of a configuration, in the machine's order. */
export function actorNames(configuration: Configuration): ActorNames {
  const vcpu = Array.from({ length: configuration.vcpus }, (_, i) => `vcpu${i}`);
  const host = Array.from({ length: configuration.hosts }, (_, i) =>
    i === 0 ? 'host' : `host${i}`,
  );
  const pe = Array.from({ length: configuration.vcpus }, (_, i) => `pe${i}`);
  const device = Array.from({ length: configuration.devices ?? 0 }, (_, i) => `device${i}`);
  return { vcpu, host, device, pe, all: [...vcpu, ...host, ...device, ...pe] };
}

/** Role of an actor by its name. */
export function roleOf(names: ActorNames, actor: string): ActorRole {
  if (names.vcpu.includes(actor)) return ActorRole.Vcpu;
  if (names.host.includes(actor)) return ActorRole.Host;
  return names.device.includes(actor) ? ActorRole.Device : ActorRole.Hardware;
}
