/** Shapes of what `--json` prints: other programs rely on them, tests check them. */
import { z } from 'zod';
import { LifeState } from '../campaign/lifecycle.ts';
import { mutantSchema } from '../campaign/mutants.ts';
import { ENTRY_KINDS, SIGNALS } from '../fuzz/coverage.ts';

const count = z.int().min(0);
const goalSchema = z.strictObject({
  id: z.string(),
  reached: z.boolean(),
  /** Execution that reached it first. */
  first: count.nullable(),
});

export const findingSchema = z.strictObject({
  system: z.string(),
  bug: z.string().nullable(),
  oracle: z.string(),
  signature: z.string(),
  case: z.string(),
  executions: count,
  seconds: z.number(),
  operations: count,
  switches: count,
  step: count,
});

export const fuzzSchema = z.strictObject({
  command: z.literal('fuzz'),
  seed: count,
  strategy: z.string(),
  jobs: count,
  executions: count,
  steps: count,
  vacuous: count,
  seconds: z.number(),
  interrupted: z.boolean(),
  findings: z.array(findingSchema),
  systems: z.array(
    z.strictObject({
      system: z.string(),
      configurations: z.record(z.string(), count),
      operations: z.record(
        z.string(),
        z.strictObject({ begun: count, finished: count, failed: count }),
      ),
      oracles: z.record(z.string(), count),
      byConfiguration: z.record(
        z.string(),
        z.strictObject({
          operations: z.record(
            z.string(),
            z.strictObject({ begun: count, finished: count, failed: count }),
          ),
          oracles: z.record(z.string(), count),
          goals: z.array(goalSchema),
        }),
      ),
      goals: z.array(goalSchema),
      coverage: z.record(
        z.enum(SIGNALS),
        z.strictObject({ seen: count, once: count, twice: count, unseen: z.number() }),
      ),
      vacuous: count,
    }),
  ),
});

/** summary.json of a campaign's folder. Details are in the order of the findings, minimised or not. */
export const summarySchema = fuzzSchema.extend({
  command: z.literal('campaign'),
  details: z.array(
    z.strictObject({
      signature: z.string(),
      fine: z.string().nullable(),
      /** Within the folder. */
      case: z.string().nullable(),
      strategy: z.string(),
      hits: count,
      first: count,
      last: count,
      explanation: z.array(z.string()),
    }),
  ),
  /** Failures that no execution showed, met while a finding (`by`, a signature) was minimised. */
  met: z.array(
    z.strictObject({
      system: z.string(),
      bug: z.string().nullable(),
      signature: z.string(),
      by: z.string(),
      /** Within the folder. */
      case: z.string(),
    }),
  ),
  /** Signatures of this campaign and of the one before it. */
  lifecycle: z.array(
    z.strictObject({
      key: z.string(),
      signature: z.string(),
      state: z.enum(LifeState),
      hits: count,
      executions: count,
    }),
  ),
  /** Hits of the canary and what is expected; null in campaigns over the canary itself. */
  canary: z
    .strictObject({
      executions: count,
      hits: count,
      low: count,
      high: count,
      signatures: count,
      minimised: count,
      isRed: z.boolean(),
    })
    .nullable(),
  sessions: z.array(z.strictObject({ at: z.string(), jobs: count, engine: z.string() })),
  curve: z.array(
    z.strictObject({
      executions: count,
      seconds: z.number(),
      signatures: count,
      pairs: count,
    }),
  ),
});

const differing = z.array(z.strictObject({ signature: z.string(), hits: count, first: count }));

export const compareSchema = z.strictObject({
  command: z.literal('fuzz compare'),
  system: z.string(),
  seed: count,
  variants: z.tuple([z.string(), z.string()]),
  executions: count,
  unfit: count,
  same: count,
  onlyFirst: differing,
  onlySecond: differing,
  both: differing,
});

const verdict = z.enum(['reproduced', 'other', 'clean', 'fixed', 'stale']);

export const replaySchema = z.strictObject({
  command: z.literal('replay'),
  cases: z.array(
    z.strictObject({
      file: z.string(),
      verdict,
      oracle: z.string().optional(),
      step: count.optional(),
      digest: z.string(),
      digestMatches: z.boolean().nullable(),
      asExpected: z.boolean(),
      reason: z.string(),
    }),
  ),
});

export const corpusSchema = z.strictObject({
  command: z.literal('corpus verify'),
  cases: count,
  passed: count,
  failed: z.array(
    z.strictObject({ file: z.string(), reason: z.string(), isUnreadable: z.boolean() }),
  ),
});

export const zooSchema = z.strictObject({
  command: z.literal('zoo'),
  seed: count,
  bugs: z.array(
    z.strictObject({
      system: z.string(),
      bug: z.string(),
      found: z.boolean(),
      oracle: z.string().optional(),
      expected: z.array(z.string()),
      executions: count,
      seconds: z.number(),
      operations: count.optional(),
      switches: count.optional(),
    }),
  ),
});

const seen = { corpus: count, campaign: count, example: z.string() };
const entryKind = z.enum(ENTRY_KINDS);
const figures = z.strictObject({ seen: count, once: count, twice: count, unseen: z.number() });

export const coverageSchema = z.strictObject({
  command: z.literal('coverage'),
  systems: z.array(
    z.strictObject({
      system: z.string(),
      seed: count,
      executions: count,
      cases: count,
      sites: z.array(z.string()),
      pairs: z.array(z.strictObject({ before: z.string(), after: z.string(), ...seen })),
      transitions: z.array(
        z.strictObject({ level: z.int(), from: entryKind, to: entryKind, ...seen }),
      ),
      goals: z.array(
        z.strictObject({
          id: z.string(),
          title: z.string(),
          isReached: z.boolean(),
          example: z.string().nullable(),
        }),
      ),
      figures: z.strictObject({ pairs: figures, states: figures, segments: figures }),
    }),
  ),
  lost: z.array(
    z.strictObject({
      system: z.string(),
      kind: z.enum(['goal', 'pair', 'transition']),
      name: z.string(),
      example: z.string(),
    }),
  ),
});

export const ciSchema = z.strictObject({
  command: z.literal('ci'),
  seed: count,
  corpus: corpusSchema.omit({ command: true }),
  systems: z.array(z.strictObject({ system: z.string(), executions: count })),
  findings: z.array(
    z.strictObject({
      system: z.string(),
      oracle: z.string(),
      signature: z.string(),
      isNew: z.boolean(),
      case: z.string(),
      execution: count,
      hits: count,
      repeat: z.string(),
    }),
  ),
  failed: z.boolean(),
  seconds: z.number(),
  out: z.string(),
});

export const listSchema = z.strictObject({
  command: z.literal('list'),
  items: z.array(z.looseObject({ id: z.string(), title: z.string() })),
});

export const minimiseSchema = z.strictObject({
  command: z.literal('minimise'),
  file: z.string(),
  operations: z.strictObject({ before: count, after: count }),
  order: z.strictObject({ before: count, after: count }),
  executions: count,
  case: z.string(),
});

export const mutantsSchema = z.strictObject({
  command: z.literal('mutants'),
  system: z.string(),
  seed: count,
  runs: count,
  mutants: z.array(mutantSchema),
  unreached: z.array(z.string()),
  profiled: count,
  interrupted: z.boolean(),
  totals: z.strictObject({
    mutants: count,
    killed: count,
    survivors: count,
    equivalent: count,
    notReached: count,
    needsFidelity: count,
    killRate: z.number(),
    equivalentShare: z.number(),
  }),
});

export const checkSchema = z.strictObject({
  command: z.literal('check'),
  file: z.string(),
  verdict: z.enum(['clean', 'violation']),
  records: count,
  /** Times that an oracle looked. */
  judgements: count,
  /** Broken entries that were not followed, because too many were at a time. */
  overlooked: count,
  oracle: z.string().optional(),
  rule: z.string().optional(),
  /** Line of the trace, and the place that its record names. */
  line: count.optional(),
  source: z.string().optional(),
});

export const litmusSchema = z.strictObject({
  command: z.literal('litmus'),
  tests: z.array(
    z.strictObject({
      test: z.string(),
      file: z.string(),
      verdict: z.enum(['allowed', 'forbidden', 'required', 'unobserved', 'unsupported', 'error']),
      /** Some final state satisfies the condition. */
      observed: z.boolean(),
      states: z.array(z.string()),
      /** Executions that ended in each state. */
      counts: z.array(count),
      executions: count,
      /** Every inequivalent execution was looked at. */
      complete: z.boolean(),
      /** The oracle break-before-make has no objection. */
      breaksBeforeMake: z.boolean().optional(),
      /** Why the test is unsupported, or what is wrong with it. */
      reason: z.string().optional(),
    }),
  ),
});

export const exploreSchema = z.strictObject({
  command: z.literal('explore'),
  file: z.string(),
  executions: count,
  pruned: count,
  complete: z.boolean(),
  bound: z.strictObject({
    switches: count.nullable(),
    answers: count.nullable(),
    executions: count.nullable(),
    seconds: z.number().nullable(),
  }),
  ended: z.enum(['all', 'executions', 'stopped', 'interrupted']),
  unbounded: z.boolean(),
  classes: count,
  bySwitches: z.array(count),
  truncated: count,
  passes: count,
  /** Share of the executions known so far that was made. */
  fraction: z.number(),
  seconds: z.number(),
  unpruned: z.strictObject({ executions: z.number(), isMeasured: z.boolean() }).nullable(),
  endStates: z.array(z.string()),
  findings: z.array(
    z.strictObject({
      signature: z.string(),
      oracle: z.string(),
      switches: count,
      answers: count,
      hits: count,
      case: z.string(),
    }),
  ),
});

export const pairsSchema = z.strictObject({
  command: z.literal('explore pairs'),
  system: z.string(),
  configuration: z.string(),
  bound: z.strictObject({ switches: count.nullable(), answers: count.nullable() }),
  pairs: z.array(
    z.strictObject({
      operations: z.array(z.string()).length(2),
      shape: z.string(),
      schedules: count,
      executions: count,
      complete: z.boolean(),
      seconds: z.number(),
      findings: z.array(z.string()),
    }),
  ),
});
