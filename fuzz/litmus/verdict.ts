/** What a litmus test shows on our machine: its verdict, its final states, and how they were looked for. */
import type { Rules } from '../../models/litmus/gates.ts';
import { LitmusMachine } from '../../models/litmus/machine.ts';
import { type LitmusTest, Quantifier } from '../../models/litmus/program.ts';
import { Random } from '../random.ts';
import { type Answer, type FinalState, LitmusSearch } from './search.ts';

/**
 * `allowed`: a state satisfies the condition (of a `forall`: one does not). `forbidden`: none does, and all were
 * looked at. `required`: every state satisfies the `forall`. `unobserved`: nothing of this, in a sample.
 */
export const LitmusVerdict = {
  Allowed: 'allowed',
  Forbidden: 'forbidden',
  Required: 'required',
  Unobserved: 'unobserved',
} as const;
export type LitmusVerdict = (typeof LitmusVerdict)[keyof typeof LitmusVerdict];

export interface SearchPlan {
  /** Runs that visiting every state may take; 0: do not try. */
  readonly exploreRuns: number;
  /** Random executions when not every state was visited; 0: none. */
  readonly sampleRuns: number;
  readonly seed: number;
}

export interface LitmusResult {
  readonly verdict: LitmusVerdict;
  /** Some state satisfies the condition. */
  readonly observed: boolean;
  readonly states: readonly FinalState[];
  /** Runs that came to an end. */
  readonly executions: number;
  /** Every inequivalent execution was looked at. */
  readonly complete: boolean;
  /** The oracle break-before-make objects to a store. */
  readonly breaks: boolean;
  readonly litmus: LitmusMachine;
  readonly search: LitmusSearch;
}

/** @throws Unsupported when the test does not fit the machine */
export function runLitmus(test: LitmusTest, rules: Rules, plan: SearchPlan): LitmusResult {
  const litmus = new LitmusMachine(test, rules);
  const search = new LitmusSearch(litmus);
  const answers: Answer[] = [];
  if (plan.exploreRuns > 0) answers.push(search.explore(plan.exploreRuns));
  const complete = answers.some(({ isComplete }) => isComplete);
  if (!complete && plan.sampleRuns > 0)
    answers.push(search.sample(new Random(plan.seed), plan.sampleRuns));
  const states = merge(answers);
  return {
    verdict: verdictOf(test, states, complete),
    observed: states.some(({ holds }) => holds),
    states,
    executions: answers.reduce((sum, { executions }) => sum + executions, 0),
    complete,
    breaks: answers.some(({ breaks }) => breaks),
    litmus,
    search,
  };
}

function merge(answers: readonly Answer[]): FinalState[] {
  const all = new Map<string, FinalState>();
  for (const { states } of answers) {
    for (const [text, state] of states) {
      const known = all.get(text);
      if (known === undefined) all.set(text, { ...state });
      else known.count += state.count;
    }
  }
  return [...all.values()].sort((a, b) => (a.text < b.text ? -1 : 1));
}

function verdictOf(
  test: LitmusTest,
  states: readonly FinalState[],
  complete: boolean,
): LitmusVerdict {
  const isForAll = test.quantifier === Quantifier.ForAll;
  const isShown = states.some(({ holds }) => holds !== isForAll);
  if (isShown) return LitmusVerdict.Allowed;
  if (!complete) return LitmusVerdict.Unobserved;
  return isForAll ? LitmusVerdict.Required : LitmusVerdict.Forbidden;
}
