/**
 * Which oracles object to which bug of kvm-arm64: each case is replayed and goes on after the first objection.
 * The table is reviewed by hand: an oracle that appears or vanishes is a change of what the oracles see.
 */
import { basename } from 'node:path';
import test from 'ava';
import { CORPUS_FOLDER, caseFiles, readCase } from '../../campaign/corpus.ts';
import { runPlan } from '../../fuzz/schedule.ts';
import { Session } from '../../fuzz/session.ts';
import { SYSTEMS } from '../../models/registry.ts';
import { KILLS } from './kill-matrix.ts';

const system = SYSTEMS.find(({ id }) => id === 'kvm-arm64')!;

/** The case's run with its bug, to its end; the first to object comes first. */
function objectors(file: string): readonly string[] {
  const value = readCase(file);
  const configuration = system.configurations.find(({ id }) => id === value.configuration)!;
  const session = new Session(system, configuration, { bugs: [value.bug!] });
  const seen = new Set<string>();
  session.scene.report.add = (oracle): void => {
    seen.add(oracle);
  };
  runPlan(session, value);
  return [...seen];
}

const FILES = caseFiles(CORPUS_FOLDER).filter((file) => file.split('/').includes(system.id));
const cases = new Map(FILES.map((file) => [basename(file, '.yaml'), file]));

for (const { id, caughtBy } of system.bugs) {
  test(`${id}: the oracles that object`, (t) => {
    const found = objectors(cases.get(id)!);
    t.log(`  '${id}': [${found.map((oracle) => `'${oracle}'`).join(', ')}],`);
    t.deepEqual(found, KILLS[id]);
    t.true(found.some((oracle) => caughtBy.includes(oracle)));
  });
}

test('the table has a line for each bug and no other', (t) => {
  t.deepEqual(Object.keys(KILLS).sort(), system.bugs.map(({ id }) => id).sort());
});

/** An earlier bug, and the one that its fix alone leaves or makes. */
const FIXES_OF_FIXES = [
  ['A02-loser-keeps-faulting-entry', 'A22-loser-flushes-with-wrong-level'],
  ['A10-generation-before-number', 'A11-generation-before-register'],
  ['A26-block-over-table', 'A03-coalesce-flushes-one-ipa'],
  ['A26-block-over-table', 'A07-reference-taken-twice'],
  ['A17-destroy-drops-table-in-use', 'A17b-destroy-leaves-entry-of-table'],
] as const;

for (const [first, second] of FIXES_OF_FIXES) {
  test(`${first} is fixed, and ${second} is caught`, (t) => {
    const { caughtBy } = system.bugs.find(({ id }) => id === second)!;
    const value = readCase(cases.get(second)!);
    t.is(value.bug, second);
    t.true(caughtBy.includes(KILLS[second]![0]!));
    t.true(KILLS[first]!.length > 0);
  });
}
