/**
 * Looks closer at a mutant that no oracle objected to: small programs that come to its place are explored
 * exhaustively, with it and without. A violation kills it. It is equivalent when at least three
 * programs could be explored and every one of them ends in the same states with it as without. Explored
 * is at F1 only: a mutant that needs more remains open.
 */
import { explore } from './explore/explore.ts';
import type { Exploration } from './explore/result.ts';
import type { Mutant, Mutation } from './mutation.ts';
import { operationCount, type Program } from './program.ts';
import type { Judge, Judgement } from './trial.ts';
import type { Sample } from './workload.ts';

export interface JudgeBounds {
  /** Switches of the schedules that are explored. */
  readonly switches: number;
  /** Executions that exploring one program may take. */
  readonly executions: number;
}

export const JUDGE_BOUNDS: JudgeBounds = { switches: 3, executions: 10_000 };

/** Programs that are explored, and how many of these searches must be complete. */
const PROGRAMS = 6;
const COMPLETE_MIN = 3;

export function exploreJudge(mutation: Mutation, bounds: JudgeBounds = JUDGE_BOUNDS): Judge {
  return (mutant, kept) => {
    let agreed = 0;
    for (const sample of smallest(kept)) {
      const judged = compare(mutation, mutant, sample, bounds);
      if (judged === undefined) continue;
      if (judged.verdict !== 'equivalent') return judged;
      agreed += 1;
    }
    return agreed >= COMPLETE_MIN ? { verdict: 'equivalent' } : undefined;
  };
}

/** The smallest programs at F1 in which two actors can meet; of one size, the first ones. */
function smallest(kept: readonly Sample[]): readonly Sample[] {
  return kept
    .filter(({ session, plan }) => session.configuration.fidelity === 'F1' && meets(plan.program))
    .map((sample, index) => ({ sample, index, size: operationCount(sample.plan.program) }))
    .sort((a, b) => a.size - b.size || a.index - b.index)
    .slice(0, PROGRAMS)
    .map(({ sample }) => sample);
}

/** At least two actors run software. */
function meets(program: Program): boolean {
  return program.filter(({ actor }) => !/^pe\d+$/.test(actor)).length > 1;
}

/** Undefined when the two searches do not allow a conclusion. */
function compare(
  mutation: Mutation,
  mutant: Mutant,
  { session, plan, place }: Sample,
  bounds: JudgeBounds,
): Judgement | undefined {
  mutation.select(mutant);
  const mutated = explore(session, plan, bounds);
  const { changed } = mutation;
  mutation.select(undefined);
  const [finding] = mutated.findings;
  if (finding !== undefined) {
    const { violation } = finding;
    return { verdict: 'killed', violation, place: `exploration of ${place}` };
  }
  if (!mutated.complete || changed === 0) return undefined;
  const correct = explore(session, plan, bounds);
  if (!correct.complete) return undefined;
  return { verdict: endAlike(mutated, correct) ? 'equivalent' : 'differs' };
}

function endAlike(one: Exploration, other: Exploration): boolean {
  return (
    one.endStates.size === other.endStates.size &&
    [...one.endStates].every((state) => other.endStates.has(state))
  );
}
