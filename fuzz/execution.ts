/**
 * Executions of a campaign by number: what execution `index` runs depends on the campaign's seed, its
 * targets, the index and what was learnt before its epoch, and on nothing else. A few in a row run one program.
 */
import type { Configuration, System } from '../models/system.ts';
import { assert } from '../sim/assert.ts';
import type { Answers } from '../sim/scheduler.ts';
import { type Draft, Generator } from './generate.ts';
import type { Fold } from './guided/fold.ts';
import { Guide } from './guided/guide.ts';
import type { Program } from './program.ts';
import { executionSeed, Random } from './random.ts';
import { EVENTS_PER_OPERATION } from './search.ts';
import { limitsFor, type RunResult, type Session } from './session.ts';
import type { Sessions } from './sessions.ts';
import { GUIDED, STRATEGIES, type StrategySpec } from './strategies/registry.ts';
import { drawTemper, type Temper } from './temper.ts';

/** One thing to fuzz: a system with flags, in some of its configurations. */
export interface Target {
  readonly system: System;
  readonly configurations: readonly Configuration[];
  readonly bugs: readonly string[];
}

export interface Execution {
  readonly index: number;
  readonly target: Target;
  readonly session: Session;
  readonly draft: Draft;
  readonly temper: Temper;
  readonly strategy: string;
  readonly result: RunResult;
  /** Generator states after the run, to compare two runs of one index. */
  readonly states: () => readonly string[];
}

/** Schedules that are run of one program, one after the other: drawing and loading it costs half a run. */
export const SCHEDULES = 8;

/** Programs in a row that are drawn for one configuration: what its machine needs is in the processor's caches then. */
export const STRETCH = 4;

/** Where programs are run. */
export interface Place {
  readonly target: Target;
  readonly configuration: Configuration;
}

/** A program, and where it is run. */
export interface Choice extends Place {
  readonly draft: Draft;
  /** The run that it was mutated from. */
  readonly parent?: { readonly answers: Answers; readonly temper: Temper };
}

/** A program of the campaign. */
interface DrawnProgram extends Choice {
  readonly number: number;
  /** The stream that it was drawn from. */
  readonly random: Random;
}

/** An execution that was drawn and not made. */
export interface Drawn extends DrawnProgram {
  readonly index: number;
  readonly seed: number;
  readonly temper: Temper;
  readonly strategy: StrategySpec;
}

/** Makes a drawn execution in a session: its own, or one whose model is a variant. */
export function perform(
  { index, seed, target, draft, parent, temper, strategy, random }: Drawn,
  session: Session,
): Execution {
  const { program, parameters } = draft;
  const schedule = new Random(seed, 2);
  if (session.given !== program) session.load(program);
  const expected = expectedEvents(session, program);
  const scheduler = strategy.create(schedule, temper, expected, parent?.answers);
  const result = session.run(parameters, scheduler, limitsFor(session.configuration, program));
  return {
    index,
    target,
    session,
    draft,
    temper,
    strategy: strategy.id,
    result,
    states: () => [random.state, schedule.state],
  };
}

export class Executor {
  readonly #seed: number;
  readonly #targets: readonly Target[];
  readonly #strategies: readonly StrategySpec[];
  readonly #sessions: Sessions;
  readonly #generators = new Map<System, Generator>();
  readonly #weights: readonly number[];
  readonly #weightSum: number;
  #last: DrawnProgram | undefined;
  readonly #guide: Guide;

  /** @param strategy id of the only strategy, ids of several, or undefined for the portfolio */
  constructor(
    seed: number,
    targets: readonly Target[],
    strategy: string | readonly string[] | undefined,
    sessions: Sessions,
  ) {
    assert(targets.length > 0, 'a campaign has targets');
    this.#seed = seed;
    this.#targets = targets;
    const ids = typeof strategy === 'string' ? [strategy] : strategy;
    this.#strategies =
      ids === undefined ? STRATEGIES : STRATEGIES.filter(({ id }) => ids.includes(id));
    const isOnly = this.#strategies.length === 1;
    this.#weights = this.#strategies.map(({ weight }) => (isOnly ? 1 : weight));
    this.#weightSum = this.#weights.reduce((sum, weight) => sum + weight, 0);
    this.#sessions = sessions;
    this.#guide = new Guide(targets, isOnly);
  }

  /** Executions from now on depend on what was learnt; on nothing when undefined. */
  use(fold: Fold | undefined): void {
    if (this.#guide.use(fold)) this.#last = undefined;
  }

  run(index: number): Execution {
    const drawn = this.draw(index);
    const { target, configuration } = drawn;
    return perform(drawn, this.#sessions.get(target.system.id, configuration.id, target.bugs));
  }

  /** What execution `index` runs; flags of bugs have no say in it. */
  draw(index: number): Drawn {
    const seed = executionSeed(this.#seed, index);
    const policy = new Random(seed, 3);
    const temper = drawTemper(policy);
    const strategy = this.#strategies[policy.weighted(this.#weights, this.#weightSum)]!;
    const program = this.#program(Math.floor(index / SCHEDULES));
    const { parent } = program;
    if (parent === undefined || !policy.chance(1, 2))
      return { ...program, index, seed, temper, strategy };
    return { ...program, index, seed, temper: parent.temper, strategy: GUIDED };
  }

  /** Number of the target and configuration of an execution, counted through. */
  armOf(index: number): number {
    return this.#guide.armOf(this.draw(index));
  }

  #program(number: number): DrawnProgram {
    const last = this.#last;
    if (last?.number === number) return last;
    const place = this.#place(Math.floor(number / STRETCH));
    const seed = executionSeed(this.#seed, number);
    const random = new Random(seed, 1);
    const draft = this.#generator(place.target.system).draft(random, place.configuration);
    const choice = this.#guide.choose(new Random(seed, 4), { ...place, draft });
    this.#last = { number, ...choice, random };
    return this.#last;
  }

  #place(stretch: number): Place {
    const random = new Random(executionSeed(this.#seed, stretch), 5);
    const target = this.#targets[stretch % this.#targets.length]!;
    const configuration = this.#generator(target.system).configuration(
      random,
      target.configurations,
    );
    return this.#guide.place(random, { target, configuration });
  }

  #generator(system: System): Generator {
    const known = this.#generators.get(system) ?? new Generator(system);
    this.#generators.set(system, known);
    return known;
  }
}

/** Events that each actor of the machine will make, roughly. */
export function expectedEvents(session: Session, program: Program): readonly number[] {
  return session.machine.actors.map(({ name }) => {
    const own = program.find(({ actor }) => actor === name);
    return (own?.operations.length ?? 0) * EVENTS_PER_OPERATION;
  });
}
