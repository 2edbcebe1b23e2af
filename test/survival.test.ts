/** Cases survive six changes of the code under test, such as refactoring makes them. */
import test from 'ava';
import { CORPUS_FOLDER, caseFiles, readCase } from '../campaign/corpus.ts';
import { listedSystems } from '../campaign/options.ts';
import { replayCase, Verdict } from '../fuzz/replay.ts';
import { runPlan } from '../fuzz/schedule.ts';
import { search } from '../fuzz/search.ts';
import { Sessions } from '../fuzz/sessions.ts';
import { codeChanges, Followers } from './fuzz/code-changes.ts';

const CASES = caseFiles(CORPUS_FOLDER).map((file) => [file, readCase(file)] as const);
/** Share of the cases that must still be reproduced after each change of the code. */
const SURVIVAL_PERCENT = 95;
const SEARCH_SEED = 1;

/** Lets the runner see that the test goes on. */
const rest = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const FAILING = CASES.filter(([, value]) => value.expect !== undefined);

/** Which steps of each system always follow each other, as the corpus runs them. */
function mergeablePairs(): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  for (const system of listedSystems()) {
    const followers = new Followers();
    const watched = new Sessions({ change: { createActor: followers.createActor } });
    for (const [, value] of CASES) {
      if (value.system !== system.id) continue;
      for (const bugs of [[], value.bug === undefined ? [] : [value.bug]]) {
        const session = watched.get(value.system, value.configuration, bugs);
        search(
          session,
          value,
          SEARCH_SEED,
          MERGE_RUNS,
          (scheduler) => {
            followers.reset();
            return scheduler;
          },
          () => false,
        );
      }
    }
    for (const [second, first] of followers.pairs(system.sites)) pairs.set(second, first);
  }
  return pairs;
}

const MERGE_RUNS = 40;

const SURVIVAL = { reproduced: 0, stale: 0, all: 0 };

const PAIRS = mergeablePairs();
const CHANGES = codeChanges(PAIRS);

test('six changes, and the merged steps are steps of the systems', (t) => {
  t.is(CHANGES.length, 6);
  t.true(PAIRS.size >= 8, `${PAIRS.size} pairs`);
});

for (const { name, change, before } of CHANGES) {
  test.serial(`cases survive: ${name}`, async (t) => {
    const changed = new Sessions({ change });
    const lost: string[] = [];
    for (const [file, recorded] of FAILING) {
      await rest();
      const value = before(recorded);
      const { verdict, reason } = replayCase(changed, value);
      SURVIVAL.all += 1;
      if (verdict === Verdict.Reproduced) SURVIVAL.reproduced += 1;
      else lost.push(`${file}: ${verdict} (${reason})`);
      if (verdict === Verdict.Stale) SURVIVAL.stale += 1;
      t.true(verdict === Verdict.Reproduced || verdict === Verdict.Stale, `${file} is ${verdict}`);
      // a stale case names the event that is not there any more
      if (verdict === Verdict.Stale) t.regex(reason, /^\S+\/\S+ never occurs/);
      if (value.bug === undefined) continue;
      const correct = changed.get(value.system, value.configuration, []);
      t.is(runPlan(correct, value).violation, undefined, `${file} on the correct model`);
    }
    const percent = (100 * (FAILING.length - lost.length)) / FAILING.length;
    t.log(`${percent.toFixed(1)} % of ${FAILING.length} cases are still reproduced`, ...lost);
    t.true(percent >= SURVIVAL_PERCENT);
  });
}

CHANGES.forEach(({ name, change, before }, turn) => {
  test.serial(
    `on the correct model no case is reproduced, however long it is looked for: ${name}`,
    async (t) => {
      const changed = new Sessions({ change });
      for (const [index, [file, recorded]] of FAILING.entries()) {
        // a search of 2,000 executions takes its time: each case under one of the changes in turn
        if (recorded.bug === undefined || index % CHANGES.length !== turn) continue;
        await rest();
        const { verdict } = replayCase(changed, before(recorded), true);
        t.true(
          verdict !== Verdict.Reproduced && verdict !== Verdict.Other,
          `${file} is ${verdict}`,
        );
      }
    },
  );
});

test.after('the figure of docs/case-format.md', () => {
  const percent = (100 * SURVIVAL.reproduced) / Math.max(1, SURVIVAL.all);
  process.stdout.write(
    `${SURVIVAL.reproduced} of ${SURVIVAL.all} cases x changes reproduced (${percent.toFixed(1)} %), ${SURVIVAL.stale} stale\n`,
  );
});
