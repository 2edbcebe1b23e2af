/** What `--json` prints is one document of the shape that cli/schemas.ts states. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { z } from 'zod';
import { listedSystems } from '../../campaign/options.ts';
import {
  corpusSchema,
  exploreSchema,
  fuzzSchema,
  listSchema,
  minimiseSchema,
  mutantsSchema,
  pairsSchema,
  replaySchema,
  zooSchema,
} from '../../cli/schemas.ts';
import { parseCase } from '../../fuzz/case-text.ts';
import { STRATEGIES } from '../../fuzz/strategies/registry.ts';
import { SYSTEMS } from '../../models/registry.ts';
import { ORACLES } from '../../oracles/registry.ts';
import { batch, inFolder, stagewright } from './run.ts';

const A07 = 'corpus/kvm-arm64/A07-reference-taken-twice.yaml';
const A20 = 'corpus/kvm-arm64/A20-table-level-as-hint.yaml';

async function documentOf<Shape extends z.ZodType>(
  schema: Shape,
  args: readonly string[],
): Promise<{ value: z.infer<Shape>; code: number | null; stderr: string }> {
  const { code, stdout, stderr } = await stagewright([...args, '--json']);
  return { value: schema.parse(JSON.parse(stdout)), code, stderr };
}

test('fuzz on correct models: exit 0, and counts of all that was run', async (t) => {
  const words = ['fuzz', '--runs', '150', '--seed', '3'];
  const { value, code, stderr } = await documentOf(fuzzSchema, words);
  t.is(code, 0);
  t.is(stderr, '');
  const { executions, findings, interrupted, seed, strategy, systems } = value;
  t.is(executions, 150);
  t.deepEqual(findings, []);
  t.false(interrupted);
  t.is(seed, 3);
  t.is(strategy, 'portfolio');
  t.deepEqual(
    systems.map(({ system }) => system),
    listedSystems().map(({ id }) => id),
  );
  for (const { configurations, oracles, operations, byConfiguration } of systems) {
    t.deepEqual(Object.keys(oracles).sort(), ORACLES.map(({ id }) => id).sort());
    for (const { begun, finished, failed } of Object.values(operations)) {
      t.true(finished + failed <= begun);
    }
    for (const id of Object.keys(configurations)) t.true(id in byConfiguration, id);
  }
  for (const { byConfiguration, goals } of systems) {
    const each = Object.values(byConfiguration).flatMap((one) => one.goals);
    for (const { id, reached, first } of goals) {
      const own = each.filter((goal) => goal.id === id).flatMap((goal) => goal.first ?? []);
      t.is(reached, own.length > 0, id);
      t.is(first, own.length > 0 ? Math.min(...own) : null, id);
    }
  }
  t.true(systems.some(({ goals }) => goals.some(({ reached }) => reached)));
  const counted = systems.flatMap(({ configurations }) => Object.values(configurations));
  t.is(
    counted.reduce((sum, count) => sum + count, 0),
    150,
  );
});

test('fuzz with a bug: exit 1, and the finding', async (t) => {
  const words = ['fuzz', 'kvm-arm64', '--bug', 'A07', '--runs', '50', '--stop-on-finding'];
  const { value, code } = await documentOf(fuzzSchema, words);
  t.is(code, 1);
  const [finding] = value.findings;
  t.is(finding?.system, 'kvm-arm64');
  t.is(finding?.bug, 'A07-reference-taken-twice');
  t.is(finding?.oracle, 'reference-counts');
  t.is(finding?.case, 'kvm-arm64/A07-reference-taken-twice.yaml');
  t.true((finding?.executions ?? 50) < 50);
  t.true(finding?.signature.startsWith('reference-counts:'));
});

test('zoo: an easy bug is found by an oracle that it names', async (t) => {
  const words = ['zoo', 'kvm-arm64', '--bug', 'A07', '--time', '20s', '--seed', '2'];
  const { value, code } = await documentOf(zooSchema, words);
  t.is(code, 0);
  t.is(value.seed, 2);
  t.is(value.bugs.length, 1);
  const [bug] = value.bugs;
  t.true(bug?.found);
  t.true(bug?.expected.includes(bug.oracle ?? ''));
  t.true((bug?.operations ?? 9) <= 3);
});

test('replay: with the bug and without, both as expected', async (t) => {
  const [one, other] = await Promise.all([
    documentOf(replaySchema, ['replay', A07, A20]),
    documentOf(replaySchema, ['replay', A07, A20, '--without-bug']),
  ]);
  t.is(one.code, 0);
  t.is(other.code, 0);
  t.deepEqual(
    one.value.cases.map(({ file, verdict, digestMatches }) => [file, verdict, digestMatches]),
    [
      [A07, 'reproduced', true],
      [A20, 'reproduced', true],
    ],
  );
  for (const { verdict, digestMatches, asExpected } of other.value.cases) {
    t.true(verdict === 'fixed' || verdict === 'clean');
    t.is(digestMatches, null);
    t.true(asExpected);
  }
});

test('replay of an execution of a campaign is the same every time, and can be kept as a case', async (t) => {
  await inFolder(async (folder) => {
    const file = join(folder, 'kept.yaml');
    const [one, other] = await Promise.all([
      documentOf(replaySchema, ['replay', 'kvm-arm64:7:12', '--out', file]),
      documentOf(replaySchema, ['replay', 'kvm-arm64:7:12']),
    ]);
    t.is(one.code, 0);
    t.deepEqual(one.value, other.value);
    const kept = await documentOf(replaySchema, ['replay', file]);
    t.is(kept.value.cases[0]?.digest, one.value.cases[0]?.digest);
  });
});

test('corpus verify: one case, as recorded', async (t) => {
  const { value, code } = await documentOf(corpusSchema, ['corpus', 'verify', A07]);
  t.is(code, 0);
  t.deepEqual(value, { command: 'corpus verify', cases: 1, passed: 1, failed: [] });
});

test('minimise: the case that is written is the case that is printed', async (t) => {
  await inFolder(async (folder) => {
    const file = join(folder, 'small.yaml');
    const { value, code } = await documentOf(minimiseSchema, ['minimise', A20, '--out', file]);
    t.is(code, 0);
    t.is(value.file, file);
    t.is(readFileSync(file, 'utf8'), value.case);
    t.is(parseCase(file, value.case, SYSTEMS).bug, 'A20-table-level-as-hint');
    t.true(value.operations.after <= value.operations.before);
  });
});

const OPERATIONS = SYSTEMS.flatMap(({ operations }) => operations);

const LISTS: Readonly<Record<string, number>> = {
  systems: SYSTEMS.length,
  configurations: SYSTEMS.flatMap(({ configurations }) => configurations).length,
  operations: OPERATIONS.filter(({ weight }) => weight > 0).length,
  bugs: SYSTEMS.flatMap(({ bugs }) => bugs).length,
  oracles: ORACLES.length,
  strategies: STRATEGIES.length,
};

const lists = batch(Object.keys(LISTS).map((what) => ['list', what, '--json']));

for (const [index, [what, count]] of Object.entries(LISTS).entries()) {
  test(`list ${what}: all that there are, with their system where they have one`, async (t) => {
    const { code, stdout } = (await lists)[index]!;
    const value = listSchema.parse(JSON.parse(stdout));
    t.is(code, 0);
    t.is(value.items.length, count);
    const hasSystem = ['configurations', 'operations', 'bugs'].includes(what);
    for (const item of value.items) {
      t.true(item.id !== '' && item.title !== '');
      t.is('system' in item, hasSystem);
    }
  });
}

test('mutants: a result for each, totals that add up, and the same when it goes on from a file', async (t) => {
  await inFolder(async (folder) => {
    const file = join(folder, 'results.jsonl');
    const words = ['mutants', 'canary', '--runs', '300', '--out', file];
    const { value, code } = await documentOf(mutantsSchema, words);
    const { mutants, totals, interrupted } = value;
    t.false(interrupted);
    t.true(mutants.length > 0);
    const { killed, survivors, equivalent, notReached, needsFidelity } = totals;
    t.is(totals.mutants, mutants.length);
    t.is(killed + survivors + equivalent + notReached + needsFidelity, mutants.length);
    t.is(code, survivors + notReached > 0 ? 1 : 0);
    for (const { verdict, oracle, changed } of mutants) {
      t.is(verdict === 'killed', oracle !== null);
      if (verdict === 'killed') t.true(changed > 0);
    }
    // half of the results, the last of them torn
    const lines = readFileSync(file, 'utf8').split('\n');
    t.is(lines.length, mutants.length + 2);
    writeFileSync(file, lines.slice(0, 6).join('\n').slice(0, -9));
    const again = await documentOf(mutantsSchema, words);
    t.deepEqual(again.value, value);
    t.deepEqual(readFileSync(file, 'utf8').split('\n'), lines);

    const other = await stagewright(['mutants', 'canary', '--runs', '301', '--out', file]);
    t.is(other.code, 2);
    t.regex(other.stderr, /results\.jsonl:1:1: holds .*"runs":300.*; allowed is .*"runs":301/);
  });
});

test('explore prints its document, and exits 1 with a finding', async (t) => {
  const args = ['explore', A07, '--switches', '1', '--answers', '0'];
  const { value, code } = await documentOf(exploreSchema, args);
  t.is(code, 1);
  t.true(value.complete);
  t.is(value.findings[0]?.oracle, 'reference-counts');
  t.is(value.findings[0]?.switches, 1);
  t.true(value.unpruned !== null && value.unpruned.executions > 0);
  const clean = await documentOf(exploreSchema, [...args, '--without-bug']);
  t.is(clean.code, 0);
  t.deepEqual(clean.value.findings, []);
  t.true(clean.value.classes > value.findings.length && clean.value.endStates.length > 1);
});

test('explore says that it was cut', async (t) => {
  const { value, code } = await documentOf(exploreSchema, [
    'explore',
    A20,
    '--without-bug',
    '--executions',
    '9',
  ]);
  t.is(code, 0);
  t.false(value.complete);
  t.is(value.ended, 'executions');
  t.is(value.executions, 9);
});

test('explore --pairs prints its document', async (t) => {
  const args = [
    'explore',
    '--pairs',
    'kvm-arm64',
    '--switches',
    '0',
    '--answers',
    '0',
    '--time',
    '3s',
  ];
  const { value, code } = await documentOf(pairsSchema, args);
  t.is(code, 0);
  t.true(value.pairs.length > 100);
  t.true(value.pairs[0]!.complete && value.pairs[0]!.schedules > 0);
});
