/** From a failing execution to a case: minimise, then write down what was found. */
import type { Answers } from '../sim/scheduler.ts';
import { formatAnswers } from '../sim/scheduler.ts';
import type { Case } from './case.ts';
import { MINIMISE_BUDGET, type Minimised, minimise } from './minimise.ts';
import { operationCount } from './program.ts';
import { type Plan, runAnswers, violationName } from './schedule.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';
import { coarseSignature, fineSignature } from './signature.ts';
import { POLICY_VERSION } from './strategies/policy.ts';

export interface Finding {
  readonly case: Case;
  readonly signature: string;
  readonly fine: string;
  readonly operations: number;
  readonly switches: number;
  readonly steps: number;
  readonly minimised: Minimised;
}

/**
 * Undefined when the answers do not fail again: the run was not a pure function of them.
 *
 * @param describe text for the comment on top of the case
 */
export function makeFinding(
  sessions: Sessions,
  session: Session,
  plan: Plan,
  answers: Answers,
  describe: (minimised: Minimised) => string,
  budget = MINIMISE_BUDGET,
): Finding | undefined {
  const minimised =
    minimise(sessions, session, plan, answers, { budget }) ?? asFound(session, plan, answers);
  return minimised === undefined ? undefined : findingOf(minimised, describe(minimised));
}

/** A failing run whose schedule cannot be written as an order: kept whole, by its answers. */
function asFound(session: Session, plan: Plan, answers: Answers): Minimised | undefined {
  const run = runAnswers(session, plan, answers);
  if (run?.violation === undefined) return undefined;
  return { session, plan, run, executions: 1, others: new Map() };
}

export function findingOf(minimised: Minimised, comment: string): Finding {
  const { session, run } = minimised;
  const value = caseOf(minimised, comment);
  const signature = coarseSignature(session, run.violation!);
  const operationOf = (actor: string, key: string): string =>
    value.program.find((part) => part.actor === actor)?.operations.find((one) => one.key === key)
      ?.operation ?? key;
  return {
    case: value,
    signature,
    fine: fineSignature(signature, value.order, operationOf),
    operations: operationCount(value.program),
    switches: run.recorder.switches,
    steps: run.steps,
    minimised,
  };
}

/** A failure with another signature than the one that was minimised. */
export interface OtherCase {
  readonly signature: string;
  readonly case: Case;
}

/** Executions that each of the other failures may take to become smaller. */
const OTHER_BUDGET = 300;

/** Other failures that were met while minimising, in that order, each as a case that shows it again. */
export function othersOf(
  sessions: Sessions,
  { others }: Minimised,
  describe: (minimised: Minimised) => string,
): readonly OtherCase[] {
  return [...others].flatMap(([signature, { session, plan }]) => {
    const made = minimise(sessions, session, plan, undefined, { budget: OTHER_BUDGET });
    if (made === undefined) return [];
    const finding = findingOf(made, describe(made));
    return finding.signature === signature ? { signature, case: finding.case } : [];
  });
}

/** The case of a run that the session has just made. */
export function caseOf(
  { session, plan, run }: Pick<Minimised, 'session' | 'plan' | 'run'>,
  comment: string,
): Case {
  const [bug] = session.bugs;
  const { violation } = run;
  return {
    comment,
    policy: POLICY_VERSION,
    system: session.system.id,
    configuration: session.configuration.id,
    parameters: plan.parameters,
    bug,
    program: plan.program,
    order: plan.order,
    choices: plan.choices,
    expect:
      violation === undefined
        ? undefined
        : {
            oracle: violation.oracle,
            rule: violation.rule,
            at: violationName(session, run.recorder),
          },
    recorded: {
      answers: formatAnswers(run.answers, session.machine.actorCount),
      steps: run.steps,
      digest: run.digest,
    },
  };
}
