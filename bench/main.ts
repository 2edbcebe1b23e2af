/**
 * `npm run bench`: steps per second of each system with every oracle on, as a ratio to the bare
 * generator loop measured in turns in the same run. Medians of several rounds; read the ratios.
 * `-- SYSTEM...` measures these only, and longer; `-- --configuration ID` runs the same programs in another
 * configuration.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { operationCount, type Program } from '../fuzz/program.ts';
import { Random } from '../fuzz/random.ts';
import { Recorder } from '../fuzz/recorder.ts';
import { EVENTS_PER_OPERATION } from '../fuzz/search.ts';
import { limitsFor, Session } from '../fuzz/session.ts';
import { PctStrategy } from '../fuzz/strategies/pct.ts';
import { RandomStrategy } from '../fuzz/strategies/random.ts';
import { CALM } from '../fuzz/temper.ts';
import { findSystem } from '../models/registry.ts';
import type { Scheduler } from '../sim/scheduler.ts';
import { runBaseline } from './baseline.ts';

interface ProgramSet {
  readonly system: string;
  readonly configuration: string;
  readonly programs: readonly {
    readonly parameters: Record<string, number>;
    readonly program: Program;
  }[];
}

interface Measure {
  readonly rate: number;
  readonly executions: number;
  readonly steps: number;
}

const ROUNDS = 7;
/** Systems that have a set of programs in `bench/programs/`. */
const MEASURED = ['kvm-arm64', 'kvm-arm64-nested', 'kvm-x86-tdp', 'xen-arm', 'pkvm'];
/** What all measurements together take, and what comes before them: until V8 has compiled what is run often. */
const BUDGET_MILLISECONDS = 28_000;
const WARM_UP_MILLISECONDS = 16_000;
const PCT_DEPTH = 3;

export interface BenchOptions {
  readonly systems: readonly string[];
  /** Milliseconds per measurement; without it, what keeps all of them within the budget. */
  readonly slice?: number;
  readonly rounds: number;
  /** Another configuration for the same programs. */
  readonly configuration?: string | undefined;
}

export function bench(options: BenchOptions): unknown {
  // of each system and strategy: the rounds, and a baseline before, between and after them
  const measures = options.systems.length * 2;
  const slice = options.slice ?? BUDGET_MILLISECONDS / (measures * (2 * options.rounds + 1));
  const warmUp = options.slice ?? WARM_UP_MILLISECONDS / measures;
  const sets = options.systems.map((id): ProgramSet => {
    const file = new URL(`programs/${id}.json`, import.meta.url);
    return JSON.parse(readFileSync(file, 'utf8')) as ProgramSet;
  });
  const baselines: number[] = [];
  const systems = sets.flatMap((set) => {
    const system = findSystem(set.system)!;
    const id = options.configuration ?? set.configuration;
    const configuration = system.configurations.find((one) => one.id === id);
    if (configuration === undefined) throw new Error(`${set.system} has no configuration "${id}"`);
    const session = new Session(system, configuration);
    return ['random', 'pct'].map((strategy) => {
      measure(session, set, strategy, warmUp);
      const ratios: number[] = [];
      const rates: Measure[] = [];
      let before = baseline(slice);
      baselines.push(before);
      for (let round = 0; round < options.rounds; round += 1) {
        const rate = measure(session, set, strategy, slice);
        const after = baseline(slice);
        baselines.push(after);
        ratios.push(rate.rate / ((before + after) / 2));
        rates.push(rate);
        before = after;
      }
      const middle = rates.sort((a, b) => a.rate - b.rate)[Math.floor(rates.length / 2)]!;
      const executionsPerSecond = (middle.rate * middle.executions) / middle.steps;
      return {
        system: set.system,
        configuration: id,
        strategy,
        stepsPerSecond: Math.round(middle.rate),
        executionsPerSecond: Math.round(executionsPerSecond),
        ratio: round3(median(ratios)),
        ...shape(session, set, strategy),
      };
    });
  });
  return { baseline: { stepsPerSecond: Math.round(median(baselines)) }, systems };
}

function schedulerOf(strategy: string, seed: number, program: Program): Scheduler {
  const random = new Random(seed, 7);
  if (strategy === 'random') return new RandomStrategy(random, CALM);
  return new PctStrategy(random, CALM, PCT_DEPTH, operationCount(program) * EVENTS_PER_OPERATION);
}

/** Runs every program of the set in turn, each for a block of seeds. */
function measure(
  session: Session,
  { programs }: ProgramSet,
  strategy: string,
  milliseconds: number,
): Measure {
  const block = 16;
  let steps = 0;
  let executions = 0;
  const started = performance.now();
  let elapsed = 0;
  for (let at = 0; elapsed < milliseconds; at += 1) {
    const { program, parameters } = programs[at % programs.length]!;
    const limits = limitsFor(session.configuration, program);
    session.load(program);
    for (let i = 0; i < block; i += 1) {
      const { steps: made, violation } = session.run(
        parameters,
        schedulerOf(strategy, at * block + i, program),
        limits,
      );
      if (violation !== undefined)
        throw new Error(`bench program ${at % programs.length} is not clean`);
      steps += made;
      executions += 1;
    }
    elapsed = performance.now() - started;
  }
  return { rate: (steps / elapsed) * 1000, steps, executions };
}

/** Counts of one pass over the set: what a step is made of. */
function shape(
  session: Session,
  { programs }: ProgramSet,
  strategy: string,
): Record<string, number> {
  let steps = 0;
  let events = 0;
  let switches = 0;
  const before = finished(session);
  programs.forEach(({ program, parameters }, index) => {
    session.load(program);
    const recorder = new Recorder(schedulerOf(strategy, index, program));
    const result = session.run(parameters, recorder, limitsFor(session.configuration, program));
    steps += result.steps;
    events += result.events;
    switches += recorder.switches;
  });
  return {
    stepsPerExecution: round3(steps / programs.length),
    switchesPerStep: round3(switches / steps),
    hardwareEventsPerStep: round3((events - steps) / steps),
    finishedOperationsPerExecution: round3((finished(session) - before) / programs.length),
  };
}

function finished(session: Session): number {
  let sum = 0;
  for (const [id, tally] of session.tallies)
    if (session.specs.get(id)!.weight > 0) sum += tally.finished;
  return sum;
}

function baseline(milliseconds: number): number {
  const cells = new Int32Array(8);
  const state = { x: 123456789 };
  let steps = 0;
  const started = performance.now();
  let elapsed = 0;
  while (elapsed < milliseconds) {
    for (let i = 0; i < 64; i += 1) steps += runBaseline(cells, state);
    elapsed = performance.now() - started;
  }
  return (steps / elapsed) * 1000;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

function round3(value: number): number {
  return Math.round(value * 1000) / 1000;
}

interface BenchReport {
  readonly baseline: { readonly stepsPerSecond: number };
  readonly systems: readonly Record<string, string | number>[];
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { configuration: { type: 'string' }, json: { type: 'boolean' } },
  });
  const unknown = positionals.find((id) => !MEASURED.includes(id));
  if (unknown !== undefined) {
    process.stderr.write(`bench: no programs of "${unknown}"; there are ${MEASURED.join(', ')}\n`);
    process.exit(2);
  }
  const systems = positionals.length > 0 ? positionals : MEASURED;
  const { configuration } = values;
  const report = bench({ systems, rounds: ROUNDS, configuration }) as BenchReport;
  if (values.json === true) process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  else {
    process.stdout.write(
      `baseline: ${(report.baseline.stepsPerSecond / 1e6).toFixed(1)} M steps/s\n`,
    );
    for (const row of report.systems) {
      const rate = (Number(row.stepsPerSecond) / 1e6).toFixed(2);
      process.stdout.write(
        `${row.system} ${row.configuration} ${row.strategy}: ${rate} M steps/s, ratio ${row.ratio}, ` +
          `${row.executionsPerSecond} executions/s of ${row.stepsPerExecution} steps, ` +
          `${row.switchesPerStep} switches and ${row.hardwareEventsPerStep} hardware events a step\n`,
      );
    }
  }
}
