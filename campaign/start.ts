/**
 * What a campaign of correct systems starts from: the cases of the corpus, whose programs and schedules it mutates. A bug
 * that is looked for is not looked for near its own case: targets with flags start from nothing.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Target } from '../fuzz/execution.ts';
import type { FoldStep, Seed } from '../fuzz/guided/fold.ts';
import { Sessions } from '../fuzz/sessions.ts';
import type { Temper } from '../fuzz/temper.ts';
import { parseAnswers } from '../sim/scheduler.ts';
import { catalogue } from './catalogue.ts';
import { CORPUS_FOLDER, caseFiles, readCase } from './corpus.ts';

/** How choices are answered once a mutant has left its case. */
const TEMPER: Temper = { failure: 4, hardware: 32, other: 64 };

/** @param strategy the only one, when there is one: only the portfolio and `guided` learn */
export function startOf(
  targets: readonly Target[],
  strategy: string | undefined,
): FoldStep | undefined {
  if (strategy !== undefined && strategy !== 'guided') return undefined;
  const correct = targets.filter(({ bugs }) => bugs.length === 0);
  return { epoch: -1, seeds: correct.flatMap(seedsOf), gains: [] };
}

/** Seeds of one system: its folder of the corpus. Cases of other systems may be of models that are not loaded. */
function seedsOf({ system: { id }, configurations }: Target): readonly Seed[] {
  const folder = join(CORPUS_FOLDER, id);
  if (!existsSync(folder) || readdirSync(folder).length === 0) return [];
  const sessions = new Sessions({}, catalogue());
  return caseFiles(folder).flatMap((file): Seed[] => {
    const { system, configuration, program, parameters, recorded } = readCase(file);
    const isRun = configurations.some((one) => one.id === configuration && !one.isReal);
    if (system !== id || !isRun || recorded === undefined) return [];
    const { actorCount } = sessions.get(system, configuration, []).machine;
    const answers = parseAnswers(recorded.answers, actorCount);
    if (answers === undefined) return [];
    return [{ system, configuration, program, parameters, temper: TEMPER, answers }];
  });
}
