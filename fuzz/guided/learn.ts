/** Makes the step of an epoch: its freshest executions are made again, and what they ran becomes part of the corpus. */
import type { Executor } from '../execution.ts';
import { type Fold, type FoldStep, type Fresh, SEEDS_PER_EPOCH, type Seed } from './fold.ts';

/**
 * @param ran what the executions of the epoch knew
 * @param fresh executions of the epoch that covered something first
 */
export function learn(
  executor: Executor,
  ran: Fold,
  epoch: number,
  fresh: readonly Fresh[],
): FoldStep {
  executor.use(ran);
  const gains = new Map<number, number>();
  for (const { index, keys } of fresh) {
    const arm = executor.armOf(index);
    gains.set(arm, (gains.get(arm) ?? 0) + keys);
  }
  const best = [...fresh].sort((a, b) => b.keys - a.keys || a.index - b.index);
  const seeds = best.slice(0, SEEDS_PER_EPOCH).flatMap(({ index }) => seedOf(executor, index));
  return { epoch, seeds, gains: [...gains].sort(([a], [b]) => a - b) };
}

/** None when the execution fails: its mutants would fail as it does. None in real geometry: its runs are a hundred times as long. */
function seedOf(executor: Executor, index: number): readonly Seed[] {
  const { target, session, draft, temper, result } = executor.run(index);
  if (result.violation !== undefined || session.configuration.isReal) return [];
  const { program, parameters } = draft;
  const system = target.system.id;
  const configuration = session.configuration.id;
  return [{ system, configuration, program, parameters, temper, answers: session.answers }];
}
