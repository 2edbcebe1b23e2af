/** A campaign inside the process, for programs: the same search as `stagewright fuzz --jobs 1`. */
import { Campaign } from '../campaign/campaign.ts';
import { LocalEngine } from '../campaign/engine.ts';
import { checkStrategy, configurationsOf } from '../campaign/options.ts';
import { formatCase } from '../fuzz/case-text.ts';
import { BUILT_IN } from '../fuzz/catalogue.ts';
import type { Target } from '../fuzz/execution.ts';
import type { System } from '../models/system.ts';
import type { OracleSpec } from '../oracles/oracle.ts';
import { assert } from '../sim/assert.ts';
import { bugOf } from './named.ts';
import type { RunFinding } from './run.ts';

/** What a campaign runs, and for how long. */
export interface FuzzOptions {
  /** Executions (2,000 when neither these nor seconds are given). */
  readonly runs?: number;
  readonly seconds?: number;
  /** The same seed and number of executions find the same (1). */
  readonly seed?: number;
  /** Id of a configuration; all correct ones by default. */
  readonly configuration?: string;
  /** Id of a bug of the system; the correct model by default. */
  readonly bug?: string;
  /** Id of the only strategy; the portfolio by default. */
  readonly strategy?: string;
  readonly stopOnFinding?: boolean;
  /** Oracles besides the built-in ones. */
  readonly oracles?: readonly OracleSpec[];
}

/** A finding of a campaign, minimised. */
export interface FuzzFinding extends RunFinding {
  readonly oracle: string;
  /** Number of the execution that failed first, and how many failed like it. */
  readonly execution: number;
  readonly hits: number;
}

/** What a campaign did and found. */
export interface FuzzResult {
  readonly executions: number;
  readonly steps: number;
  /** Executions that show nothing; see RunOutcome. */
  readonly vacuous: number;
  readonly seconds: number;
  /** One for each signature, minimised. */
  readonly findings: readonly FuzzFinding[];
}

const RUNS = 2000;

/** Fuzzes one system. Throws a UsageError for an unknown configuration, bug or strategy. */
export async function fuzz(system: System, options: FuzzOptions = {}): Promise<FuzzResult> {
  const { seconds } = options;
  const oracles = [...BUILT_IN.oracles, ...(options.oracles ?? [])];
  const campaign = new Campaign(
    {
      seed: options.seed ?? 1,
      targets: [targetOf(system, options)],
      strategy: checkStrategy(options.strategy),
      runs: options.runs ?? (seconds === undefined ? RUNS : undefined),
      seconds,
      stopOnFinding: options.stopOnFinding ?? false,
    },
    new LocalEngine({ systems: [system], oracles }),
  );
  const result = await campaign.run();
  const { executions, steps, vacuous } = result.totals;
  return {
    executions,
    steps,
    vacuous,
    seconds: result.seconds,
    findings: result.findings.map(({ failure, found, hits }) => {
      assert(found !== undefined, 'a campaign ends when its findings are minimised');
      return {
        oracle: failure.oracle,
        case: formatCase(found.case),
        explanation: found.explanation.join('\n'),
        signature: found.signature,
        operations: found.operations,
        switches: found.switches,
        execution: failure.index,
        hits,
      };
    }),
  };
}

function targetOf(system: System, { configuration, bug }: FuzzOptions): Target {
  const bugs = bug === undefined ? [] : [bugOf(system, bug)];
  const needed = configuration ?? bugs[0]?.configuration;
  return {
    system,
    configurations: configurationsOf(system, needed, undefined),
    bugs: bugs.map(({ id }) => id),
  };
}
