/**
 * Executions of a campaign by number: what execution `index` runs depends on the campaign's seed, its
 * targets and the index, and on nothing else. A few in a row run one program.
 */
import type { Configuration, System } from '../models/system.ts';
import { assert } from '../sim/assert.ts';
import { type Draft, Generator } from './generate.ts';
import type { Program } from './program.ts';
import { executionSeed, Random } from './random.ts';
import { EVENTS_PER_OPERATION } from './search.ts';
import { limitsFor, type RunResult, type Session } from './session.ts';
import type { Sessions } from './sessions.ts';
import { STRATEGIES, type StrategySpec } from './strategies/registry.ts';
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
  readonly strategy: string;
  readonly result: RunResult;
  /** Generator states after the run, to compare two runs of one index. */
  readonly states: () => readonly string[];
}

/** Schedules that are run of one program, one after the other: drawing and loading it costs half a run. */
export const SCHEDULES = 4;

/** A program of the campaign, and where it is run. */
interface DrawnProgram {
  readonly number: number;
  readonly target: Target;
  readonly configuration: Configuration;
  readonly draft: Draft;
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
  { index, seed, target, draft, temper, strategy, random }: Drawn,
  session: Session,
): Execution {
  const { program, parameters } = draft;
  const schedule = new Random(seed, 2);
  if (session.given !== program) session.load(program);
  const scheduler = strategy.create(schedule, temper, expectedEvents(session, program));
  const result = session.run(parameters, scheduler, limitsFor(session.configuration, program));
  return {
    index,
    target,
    session,
    draft,
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
    this.#weights = this.#strategies.map(({ weight }) => weight);
    this.#weightSum = this.#weights.reduce((sum, weight) => sum + weight, 0);
    this.#sessions = sessions;
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
    return { ...this.#program(Math.floor(index / SCHEDULES)), index, seed, temper, strategy };
  }

  #program(number: number): DrawnProgram {
    const last = this.#last;
    if (last?.number === number) return last;
    const random = new Random(executionSeed(this.#seed, number), 1);
    const target = this.#targets[number % this.#targets.length]!;
    const generator = this.#generator(target.system);
    const configuration = generator.configuration(random, target.configurations);
    const draft = generator.draft(random, configuration);
    this.#last = { number, target, configuration, draft, random };
    return this.#last;
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
