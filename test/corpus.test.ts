/** The corpus: every case behaves as recorded, and every bug has one. */
import { basename } from 'node:path';
import test from 'ava';
import { CORPUS_FOLDER, caseFiles, readCase } from '../campaign/corpus.ts';
import { listedSystems } from '../campaign/options.ts';
import { verifyFiles } from '../campaign/verify.ts';
import type { Case } from '../fuzz/case.ts';
import { formatName, nameOf } from '../fuzz/names.ts';
import { Recorder } from '../fuzz/recorder.ts';
import { search } from '../fuzz/search.ts';
import { Sessions } from '../fuzz/sessions.ts';
import { findSystem } from '../models/registry.ts';
import type { Bug, System } from '../models/system.ts';

const FILES = caseFiles(CORPUS_FOLDER);
const CASES: readonly (readonly [file: string, value: Case])[] = FILES.map((file) => [
  file,
  readCase(file),
]);
const SEARCH_SEED = 1;

const sessions = new Sessions();

for (const [file, value] of CASES) {
  const wanted =
    value.bug === undefined
      ? 'is as recorded'
      : 'is as recorded with its bug, fixed or clean without';
  test(`${file} ${wanted}`, (t) => {
    const { failed, passed, cases } = verifyFiles(sessions, [file]);
    t.deepEqual(failed, []);
    t.is(passed, 1);
    t.is(cases, 1);
  });
}

test('the corpus is walked in one order, and all of it', (t) => {
  t.deepEqual(caseFiles(CORPUS_FOLDER), FILES);
  t.true(FILES.length >= listedSystems().flatMap(({ bugs }) => bugs).length);
});

test('a case is stored under the system that it names', (t) => {
  for (const [file, value] of CASES) t.true(file.split('/').includes(value.system), file);
});

for (const system of listedSystems()) {
  for (const bug of system.bugs) {
    test(`${system.id} has one case of ${bug.id}, caught by an oracle that its entry names`, (t) => {
      const own = CASES.filter(
        ([file, { system: of }]) => of === system.id && basename(file) === `${bug.id}.yaml`,
      );
      t.is(own.length, 1);
      const [, value] = own[0]!;
      t.is(value.bug, isFlaw(system, bug) ? undefined : bug.id);
      if (isFlaw(system, bug)) t.true(value.configuration === bug.configuration);
      t.true(bug.caughtBy.includes(value.expect?.oracle ?? 'clean'));
    });
  }
}

/** A flaw of a historical design is there in its configuration, without a flag. */
function isFlaw({ configurations }: System, { configuration }: Bug): boolean {
  return configurations.some(({ id, kind }) => id === configuration && kind === 'historical');
}

test('a case that is named after a bug puts that bug in', (t) => {
  for (const [file, value] of CASES) {
    const name = basename(file, '.yaml');
    const system = findSystem(value.system)!;
    const ids = system.bugs.filter((bug) => !isFlaw(system, bug)).map(({ id }) => id);
    if (ids.includes(name)) t.is(value.bug, name, file);
    else t.false(ids.includes(value.bug ?? ''), `${file} is a second case of ${value.bug}`);
  }
});

/** Executions among which the correct model must come to every event that a constraint names. */
const REACH_RUNS = 400;

for (const [file, value] of CASES) {
  if (value.order.length === 0) continue;
  test(`${file} names only events that the correct model reaches`, (t) => {
    const session = sessions.get(value.system, value.configuration, []);
    const missing = new Set(
      value.order.flatMap(({ before, after }) => [before, after].map(formatName)),
    );
    const { machine, directory } = session;
    let recorder: Recorder | undefined;
    search(
      session,
      value,
      SEARCH_SEED,
      REACH_RUNS,
      (scheduler) => {
        recorder = new Recorder(scheduler);
        return recorder;
      },
      () => {
        for (const { operation, site, pe, occurrence } of recorder!.events) {
          missing.delete(
            formatName(nameOf(machine, directory, { operation, site, pe }, occurrence)),
          );
          if (machine.hasEnded(operation)) {
            missing.delete(
              formatName(nameOf(machine, directory, { operation, site: 0, pe: -1 }, 1)),
            );
          }
        }
        return missing.size === 0;
      },
    );
    t.deepEqual([...missing], []);
  });
}
