/** One execution, for programs and property tests: a program under a schedule, judged by the oracles. */

import { UsageError } from '../campaign/usage.ts';
import { formatCase } from '../fuzz/case-text.ts';
import { BUILT_IN } from '../fuzz/catalogue.ts';
import { describeFinding, explain } from '../fuzz/explain.ts';
import { makeFinding } from '../fuzz/finding.ts';
import type { Program } from '../fuzz/program.ts';
import { Random } from '../fuzz/random.ts';
import { Recorder } from '../fuzz/recorder.ts';
import { type Plan, runRecorded } from '../fuzz/schedule.ts';
import type { Session } from '../fuzz/session.ts';
import { Sessions } from '../fuzz/sessions.ts';
import { RandomStrategy } from '../fuzz/strategies/random.ts';
import { CALM } from '../fuzz/temper.ts';
import type { System } from '../models/system.ts';
import type { OracleSpec, Violation } from '../oracles/oracle.ts';
import { assert } from '../sim/assert.ts';
import type { Answers, Scheduler } from '../sim/scheduler.ts';
import { bugOf, configurationOf } from './named.ts';
import { PLAIN, type Schedule, SwitchStrategy } from './schedule.ts';

/** How a program is run. */
export interface RunOptions {
  /** Id of a configuration; the first correct one by default. */
  readonly configuration?: string;
  /** Id of a bug of the system; the correct model by default. */
  readonly bug?: string;
  /** Run parameters of the configuration that differ from their default. */
  readonly parameters?: Readonly<Record<string, number>>;
  /** Switches, or the seed of a uniform random walk; no switch at all by default. */
  readonly schedule?: Schedule | { readonly seed: number };
  /** Oracles besides the built-in ones. */
  readonly oracles?: readonly OracleSpec[];
}

/** What one execution showed. */
export interface RunOutcome {
  /** Undefined when no oracle objected. */
  readonly violation: Violation | undefined;
  readonly steps: number;
  readonly events: number;
  /** 64 bits over everything that happened: equal runs have equal digests. */
  readonly digest: string;
  /** Nothing finished, or guest accesses without a fault: the run shows nothing. */
  readonly isVacuous: boolean;
  /** The violation as a minimised case with its explanation. Throws when there is none. */
  finding(): RunFinding;
}

/** A violation as people and files keep it. */
export interface RunFinding {
  /** A YAML case, as `corpus/` keeps them. */
  readonly case: string;
  /** At most 40 lines for people: lanes, causes, the broken promise. */
  readonly explanation: string;
  readonly signature: string;
  readonly operations: number;
  readonly switches: number;
}

/** Booted sessions: booting costs more than a run. */
const booted = new WeakMap<System, Map<readonly OracleSpec[] | undefined, Sessions>>();

/**
 * Runs a program of a system once. Throws a UsageError for an unknown configuration or bug, and for a
 * program that does not fit the configuration.
 */
export function run(system: System, program: Program, options: RunOptions = {}): RunOutcome {
  const configuration = configurationOf(system, options.configuration);
  const bugs = options.bug === undefined ? [] : [bugOf(system, options.bug).id];
  const sessions = sessionsOf(system, options.oracles);
  const session = sessions.get(system.id, configuration.id, bugs);
  checkProgram(session, program);
  const plan: Plan = { program, parameters: options.parameters ?? {}, order: [], choices: [] };
  session.load(program);
  const recorder = new Recorder(schedulerOf(options.schedule ?? PLAIN));
  const { violation, steps, events, digest, vacuous } = runRecorded(session, plan, recorder);
  const { answers } = session;
  return {
    violation,
    steps,
    events,
    digest,
    isVacuous: vacuous,
    finding: () => findingOf(sessions, session, plan, answers),
  };
}

function sessionsOf(system: System, oracles: readonly OracleSpec[] | undefined): Sessions {
  const known = booted.get(system) ?? new Map<readonly OracleSpec[] | undefined, Sessions>();
  booted.set(system, known);
  let sessions = known.get(oracles);
  if (sessions === undefined) {
    const all = [...BUILT_IN.oracles, ...(oracles ?? [])];
    sessions = new Sessions({}, { systems: [system], oracles: all });
    known.set(oracles, sessions);
  }
  return sessions;
}

function schedulerOf(schedule: Schedule | { readonly seed: number }): Scheduler {
  return 'seed' in schedule
    ? new RandomStrategy(new Random(schedule.seed), CALM)
    : new SwitchStrategy(schedule);
}

function checkProgram({ machine, specs, configuration }: Session, program: Program): void {
  for (const { actor, operations } of program) {
    const known = machine.actors.map(({ name }) => name);
    if (!known.includes(actor))
      throw new UsageError(`${configuration.id} has no actor "${actor}" (${known.join(', ')})`);
    for (const { operation, args } of operations) {
      const spec = specs.get(operation);
      if (spec === undefined)
        throw new UsageError(`no operation "${operation}" (${[...specs.keys()].join(', ')})`);
      if (args.length !== spec.parameters.length)
        throw new UsageError(`${operation} takes ${spec.parameters.length} arguments`);
    }
  }
}

function findingOf(sessions: Sessions, session: Session, plan: Plan, answers: Answers): RunFinding {
  const found = makeFinding(sessions, session, plan, answers, describeFinding);
  if (found === undefined) throw new UsageError('the run has no violation: there is no finding');
  const { minimised } = found;
  assert(minimised.run.violation !== undefined, 'a finding has a violation');
  return {
    case: formatCase(found.case),
    explanation: explain(minimised.session, minimised.plan, minimised.run).join('\n'),
    signature: found.signature,
    operations: found.operations,
    switches: found.switches,
  };
}
