/**
 * A session: one system in one configuration with one set of bug flags, booted once and reset for
 * every run, with all oracles attached. The only place that runs machines.
 */
import {
  BugFlags,
  type Configuration,
  type OperationSpec,
  type System,
  type World,
} from '../models/system.ts';
import type { Oracle, OracleSpec, Promises, Violation } from '../oracles/oracle.ts';
import { listensTo, Report, type Scene } from '../oracles/oracle.ts';
import { ORACLES } from '../oracles/registry.ts';
import { InternalError } from '../sim/assert.ts';
import { concerns } from '../sim/card.ts';
import { CLAIM_NAMES } from '../sim/claims.ts';
import type { Dispatchers } from '../sim/dispatch.ts';
import { Event, type EventCode } from '../sim/event.ts';
import { Footprint } from '../sim/footprint.ts';
import { type ActorFactory, Machine } from '../sim/machine.ts';
import type { Answers, Scheduler } from '../sim/scheduler.ts';
import { SiteDirectory } from '../sim/site.ts';
import type { Listener, RunLimits } from '../sim/spec.ts';
import { type Mutation, startMutated } from './mutation.ts';
import {
  type LoadedProgram,
  loadProgram,
  operationCount,
  type Program,
  type Start,
} from './program.ts';

export interface RunResult {
  readonly violation: Violation | undefined;
  readonly steps: number;
  readonly events: number;
  /** Of the trace; asked for before the session's next run, or never: most executions need none. */
  readonly digest: string;
  /** Nothing finished, or guest accesses without a fault: the run shows nothing. */
  readonly vacuous: boolean;
}

export interface Tally {
  begun: number;
  finished: number;
  failed: number;
}

/** What runs did: operations by how they ended, and judgements by oracle. */
export interface Counts {
  readonly operations: Record<string, Tally>;
  readonly oracles: Record<string, number>;
}

/** A change of the code under test, as cases must survive it. */
export interface CodeChange {
  readonly system?: (system: System) => System;
  readonly createActor?: ActorFactory;
  /** Programs get actors that no case knows. */
  readonly program?: (program: Program) => Program;
}

export interface SessionOptions {
  readonly bugs: readonly string[];
  /** Flag whose first reading is noted; the first enabled one by default. */
  readonly watched?: string;
  /** Test switch: the system's code has been changed since its cases were recorded. */
  readonly change?: CodeChange;
  /** Changes one access of the operations while it has a mutant; nothing while it has none. */
  readonly mutation?: Mutation;
  /** Shared with the sessions that run beside it. */
  readonly dispatchers?: Dispatchers;
  /** Oracles to attach; all by default. */
  readonly oracles?: readonly string[];
  /** Oracles that there are; the registry's by default. */
  readonly oracleSpecs?: readonly OracleSpec[];
}

export class Session {
  readonly system: System;
  readonly configuration: Configuration;
  readonly bugs: readonly string[];
  readonly machine: Machine;
  readonly world: World;
  readonly flags: BugFlags;
  readonly specs: ReadonlyMap<string, OperationSpec>;
  readonly directory: SiteDirectory;
  readonly oracles: ReadonlyMap<string, Oracle>;
  /** How often each operation of the configuration began, ended with Ok, and ended otherwise. */
  readonly tallies: ReadonlyMap<string, Tally>;
  readonly scene: Scene;
  loaded: LoadedProgram | undefined;
  /** What was loaded last, before a test switch changed it. */
  given: Program | undefined;
  readonly #start: Start | undefined;
  readonly #change: CodeChange | undefined;
  readonly #oracleList: readonly Oracle[];
  readonly #claims = new Map<string, string>();
  readonly #meter: Meter;

  constructor(given: System, configuration: Configuration, options: SessionOptions = { bugs: [] }) {
    const { mutation, change } = options;
    const system = change?.system?.(given) ?? given;
    this.#change = change;
    this.system = system;
    this.configuration = configuration;
    this.bugs = options.bugs;
    this.#start = mutation !== undefined ? startMutated : undefined;
    const createActor = mutation?.createActor ?? change?.createActor;
    this.machine = new Machine(system.machine(configuration), createActor, options.dispatchers);
    this.flags = new BugFlags(this.machine, options.bugs, options.watched);
    this.world = system.boot(this.machine, configuration, this.flags);
    this.specs = new Map(
      system.operations.flatMap((spec) =>
        [spec.id, ...(spec.formerly ?? [])].map((id): [string, OperationSpec] => [id, spec]),
      ),
    );
    this.directory = new SiteDirectory(system.sites);
    const scene: Scene = {
      machine: this.machine,
      report: new Report(this.machine),
      duties: [],
      countBase: this.world.countBase,
      invariants: this.world.invariants ?? [],
      ownership: this.world.ownership,
    };
    this.scene = scene;
    const oracles = new Map<string, Oracle>();
    this.#meter = new Meter(this.machine);
    this.machine.listen(this.#meter, [Event.OperationBegin, Event.OperationEnd, Event.Fault]);
    const promises = promisesOf(system, configuration, this.world);
    for (const spec of options.oracleSpecs ?? ORACLES) {
      if (options.oracles !== undefined && !options.oracles.includes(spec.id)) continue;
      if (spec.concerns?.(scene, promises) === false) continue;
      if (spec.needs !== undefined && !promises.claims.has(spec.needs)) {
        this.machine.listen(new Missed(spec), [Event.Claim], [spec.needs]);
        continue;
      }
      const oracle = spec.create(scene);
      oracles.set(spec.id, oracle);
      this.#claims.set(spec.id, spec.claim);
      this.machine.listen(oracle, listensTo(spec, scene), spec.claims);
    }
    this.oracles = oracles;
    this.#oracleList = [...oracles.values()];
    this.tallies = new Map(
      system.operations
        .filter((spec) => spec.isIn?.(configuration) !== false)
        .map((spec) => [spec.id, { begun: 0, finished: 0, failed: 0 }]),
    );
  }

  load(given: Program): void {
    this.given = given;
    const { system, configuration, world, specs } = this;
    const program = this.#change?.program?.(given) ?? given;
    const loaded = loadProgram(system, configuration, world, specs, program, this.#start);
    this.loaded = loaded;
    this.machine.load(loaded.entries);
    this.scene.duties = loaded.duties;
    this.#meter.tallies = loaded.operations.map((spec) => this.tallies.get(spec.id)!);
    this.#meter.isAccess = loaded.operations.map((spec) => spec.isGuestAccess === true);
  }

  /** Runs the loaded program once. */
  run(
    parameters: Readonly<Record<string, number>>,
    scheduler: Scheduler,
    limits: RunLimits,
  ): RunResult {
    const { machine } = this;
    const { report } = this.scene;
    report.reset();
    for (const oracle of this.#oracleList) oracle.reset();
    this.#meter.reset();
    this.world.reset(parameters);
    machine.run(scheduler, limits);
    return new Result(
      report.violation,
      machine.steps,
      machine.events,
      this.#meter.isVacuous,
      machine.trace.digestLater,
    );
  }

  /** A footprint for events of the program that is loaded when it is used. */
  footprint(): Footprint {
    const { machine, scene, world } = this;
    const { trees } = machine.tables;
    const treesOf = (operation: number): number => {
      const card = scene.duties[operation]?.card;
      if (card === undefined) return -1;
      return trees.reduce(
        (mask, tree) => (concerns(card, tree) ? mask | (1 << tree.index) : mask),
        0,
      );
    };
    return new Footprint(machine, world.countBase, treesOf);
  }

  /** What an oracle claims, in one sentence. */
  claimOf(oracle: string): string {
    return this.#claims.get(oracle) ?? '';
  }

  get answers(): Answers {
    return this.machine.answers.answers;
  }

  /** What the runs since the last call did; counting starts anew. */
  takeCounts(): Counts {
    const counts: Counts = { operations: {}, oracles: {} };
    for (const [id, tally] of this.tallies) {
      counts.operations[id] = { ...tally };
      tally.begun = 0;
      tally.finished = 0;
      tally.failed = 0;
    }
    for (const [id, oracle] of this.oracles) {
      counts.oracles[id] = oracle.judgements;
      oracle.judgements = 0;
    }
    return counts;
  }
}

/** Of the operations that programs of a configuration may contain, and of its boot. */
function promisesOf(
  { operations }: System,
  configuration: Configuration,
  { claimsAtBoot = [] }: World,
): Promises {
  const cards = operations
    .filter((spec) => spec.isIn?.(configuration) !== false)
    .map((spec) => spec.cardIn?.(configuration) ?? spec.card);
  return { cards, claims: new Set([...cards.flatMap(({ claims }) => claims), ...claimsAtBoot]) };
}

/** An oracle was left out, because no card names the claim that it needs: nobody may make it. */
class Missed implements Listener {
  readonly #spec: OracleSpec;

  constructor(spec: OracleSpec) {
    this.#spec = spec;
  }

  onEvent(): never {
    const { id, needs } = this.#spec;
    throw new InternalError(
      `an operation makes claim ${CLAIM_NAMES[needs!]}, which no card names: ${id} would not judge it`,
    );
  }
}

class Result implements RunResult {
  readonly violation: Violation | undefined;
  readonly steps: number;
  readonly events: number;
  readonly vacuous: boolean;
  readonly #later: () => string;
  #digest: string | undefined;

  constructor(
    violation: Violation | undefined,
    steps: number,
    events: number,
    vacuous: boolean,
    digest: () => string,
  ) {
    this.violation = violation;
    this.steps = steps;
    this.events = events;
    this.vacuous = vacuous;
    this.#later = digest;
  }

  get digest(): string {
    this.#digest ??= this.#later();
    return this.#digest;
  }
}

/** Steps before the fair tail, and events in it: by the size of the program. */
export function limitsFor(configuration: Configuration, program: Program): RunLimits {
  const perOperation = 200 + 8 * configuration.geometry.windowPages;
  const steps = 400 + operationCount(program) * perOperation;
  return { steps, tail: 4 * steps };
}

/** Counts what ended and how; knows whether a run showed anything. */
class Meter implements Listener {
  tallies: readonly Tally[] = [];
  isAccess: readonly boolean[] = [];
  readonly #machine: Machine;
  #ended = 0;
  #faults = 0;
  #accesses = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  reset(): void {
    this.#ended = 0;
    this.#faults = 0;
    this.#accesses = 0;
  }

  get isVacuous(): boolean {
    return this.#ended === 0 || (this.#accesses > 0 && this.#faults === 0);
  }

  onEvent(kind: EventCode, operation: number, result: number): void {
    if (kind === Event.Fault) {
      this.#faults += 1;
      return;
    }
    const tally = this.tallies[operation]!;
    if (kind === Event.OperationBegin) {
      tally.begun += 1;
      if (this.isAccess[operation] === true) this.#accesses += 1;
      return;
    }
    if (!this.#machine.course.isImplicit[operation]!) this.#ended += 1;
    if (result === 0) tally.finished += 1;
    else tally.failed += 1;
  }
}
