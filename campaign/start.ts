/**
 * What a campaign of correct systems starts from: the cases of the corpus, whose programs and schedules it mutates. A bug
 * that is looked for is not looked for near its own case: targets with flags start from nothing.
 */
import { existsSync } from 'node:fs';
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
  const seeds = correct.length > 0 && existsSync(CORPUS_FOLDER) ? seedsOf(correct) : [];
  return { epoch: -1, seeds, gains: [] };
}

function seedsOf(targets: readonly Target[]): readonly Seed[] {
  const sessions = new Sessions({}, catalogue());
  return caseFiles(CORPUS_FOLDER).flatMap((file): Seed[] => {
    const { system, configuration, program, parameters, recorded } = readCase(file);
    const isRun = targets.some(
      (target) =>
        target.system.id === system && target.configurations.some(({ id }) => id === configuration),
    );
    if (!isRun || recorded === undefined) return [];
    const { actorCount } = sessions.get(system, configuration, []).machine;
    const answers = parseAnswers(recorded.answers, actorCount);
    if (answers === undefined) return [];
    return [{ system, configuration, program, parameters, temper: TEMPER, answers }];
  });
}
