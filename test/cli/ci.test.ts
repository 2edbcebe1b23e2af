/** `ci`: the corpus and the executions of a commit, what the base has, and the reports; each broken on purpose. */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test from 'ava';
import type { z } from 'zod';
import { placeOf } from '../../campaign/site-place.ts';
import { ciSchema } from '../../cli/schemas.ts';
import { inFolder } from './run.ts';

const REPOSITORY = resolve('.');
const TSX = import.meta.resolve('tsx');
const CASE = 'corpus/kvm-arm64/A07-reference-taken-twice.yaml';

/** The canary under another id: correct, or with its bug built in. */
function moduleText(isBroken: boolean): string {
  return `
import { BugFlags, SYSTEMS } from '${REPOSITORY}/api/index.ts';
const canary = SYSTEMS.find(({ id }) => id === 'canary')!;
const bugs = ${isBroken ? "['canary-free-before-invalidation']" : '[]'};
const own = { ...canary, id: 'own', bugs: [], isListed: true,
  boot: (machine, configuration) => canary.boot(machine, configuration, new BugFlags(machine, bugs)) };
export const systems = [own];
`;
}

/** A project of somebody else: a model of its own, and a corpus. */
function project(folder: string, isBroken: boolean): string {
  mkdirSync(join(folder, 'corpus', 'kvm-arm64'), { recursive: true });
  cpSync(CASE, join(folder, CASE));
  writeFileSync(join(folder, 'own.mts'), moduleText(isBroken));
  return folder;
}

type Document = z.infer<typeof ciSchema>;

function stagewright(folder: string, args: readonly string[], env = {}): SpawnSyncReturns<string> {
  const all = [`--import=${TSX}`, join(REPOSITORY, 'cli', 'main.ts'), ...args];
  return spawnSync(process.execPath, all, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
}

const ARGS = ['ci', 'own', '--load', 'own.mts', '--seed', '5', '--runs', '400', '--jobs', '1'];

function documentOf({ stdout, stderr }: SpawnSyncReturns<string>): Document {
  if (stdout === '') throw new Error(stderr);
  return ciSchema.parse(JSON.parse(stdout));
}

function reports(folder: string, out = 'ci-results') {
  const read = (name: string): string => readFileSync(join(folder, out, name), 'utf8');
  return {
    junit: read('junit.xml'),
    sarif: JSON.parse(read('results.sarif')),
    summary: read('summary.md'),
  };
}

test('a commit without findings passes, and the reports say what ran', async (t) => {
  await inFolder(async (folder) => {
    const done = stagewright(project(folder, false), [...ARGS, '--json']);
    t.is(done.status, 0, done.stderr);
    const { corpus, systems, findings, failed } = documentOf(done);
    t.deepEqual(corpus, { cases: 1, passed: 1, failed: [] });
    t.deepEqual(systems, [{ system: 'own', executions: 400 }]);
    t.deepEqual(findings, []);
    t.false(failed);
    const { junit, sarif, summary } = reports(folder);
    t.regex(junit, /tests="2" failures="0"/);
    t.deepEqual(sarif.runs[0].results, []);
    t.regex(summary, /^## Stagewright: passed\n\n1 of 1 cases/);
  });
});

test('a new finding fails, in every report, with a line that repeats it; on the base it does not', async (t) => {
  await inFolder(async (folder) => {
    const page = join(folder, 'page.md');
    const env = { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: page };
    const loud = stagewright(project(folder, true), ARGS, env);
    t.is(loud.status, 1, loud.stderr);
    t.regex(
      loud.stdout,
      /^::error file=own\.mts,line=\d+,title=own%3A freed-page|^::error file=.*canary/m,
    );
    t.regex(
      readFileSync(page, 'utf8'),
      /To repeat: `npx stagewright fuzz own --load own\.mts --seed 5/,
    );

    const document = documentOf(stagewright(folder, [...ARGS, '--json']));
    const [first] = document.findings;
    t.true(document.failed && first!.isNew);
    const { junit, sarif, summary } = reports(folder);
    t.regex(junit, /failures="[1-9]/);
    t.regex(junit, /<failure message="own: /);
    const [result] = sarif.runs[0].results;
    t.is(sarif.version, '2.1.0');
    t.is(result.level, 'error');
    t.is(result.baselineState, 'new');
    t.is(result.partialFingerprints['stagewright/v1'], `own ${first!.signature}`);
    t.true(result.locations[0].physicalLocation.region.startLine >= 1);
    t.true(sarif.runs[0].tool.driver.rules.some(({ id }: { id: string }) => id === result.ruleId));
    t.regex(summary, /^## Stagewright: failed/);

    const [, , ...words] = first!.repeat.split(' ');
    const again = stagewright(folder, [...words, '--jobs', '1', '--json']);
    const { findings } = JSON.parse(again.stdout) as { findings: { signature: string }[] };
    t.true(findings.some(({ signature }) => signature === first!.signature));

    const base = ['--base', 'ci-results/signatures.json', '--out', 'second'];
    const known = stagewright(folder, [...ARGS, ...base, '--json']);
    t.is(known.status, 0, known.stderr);
    t.true(documentOf(known).findings.every(({ isNew }) => !isNew));
    t.is(reports(folder, 'second').sarif.runs[0].results[0].baselineState, 'unchanged');
    t.regex(reports(folder, 'second').junit, /failures="0" skipped="[1-9]/);
  });
});

test('a checkout as the base: what it does as well is known, what it does not is new', async (t) => {
  await inFolder(async (folder) => {
    const head = project(join(folder, 'head'), true);
    for (const [name, isBroken] of [
      ['same', true],
      ['better', false],
    ] as const) {
      const base = project(join(folder, name), isBroken);
      for (const part of ['cli', 'node_modules'])
        symlinkSync(join(REPOSITORY, part), join(base, part));
      const done = stagewright(head, [...ARGS, '--base', base, '--json']);
      const { findings, failed } = documentOf(done);
      t.true(findings.length > 0);
      t.is(failed, !isBroken, name);
      t.is(done.status, isBroken ? 0 : 1);
      t.true(findings.every(({ isNew }) => isNew === !isBroken));
    }
  });
});

test('a case that is not as recorded fails, with the base or without', async (t) => {
  await inFolder(async (folder) => {
    const file = join(project(folder, false), CASE);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(/digest: .*/, 'digest: 0123456789abcdef'));
    const done = stagewright(folder, [...ARGS, '--json']);
    t.is(done.status, 1);
    t.is(documentOf(done).corpus.failed.length, 1);
    const { junit, sarif, summary } = reports(folder);
    t.regex(junit, /<failure message="the recorded answers no longer lead/);
    t.is(sarif.runs[0].results[0].ruleId, 'corpus');
    t.regex(summary, /\| `corpus\/kvm-arm64\/A07/);
    writeFileSync(file, 'format: 1\n');
    t.is(stagewright(folder, [...ARGS, '--json']).status, 2);
  });
});

test('what cannot be is answered in one line: no corpus, an empty one, a base that is none, no commit', async (t) => {
  await inFolder(async (folder) => {
    project(folder, false);
    mkdirSync(join(folder, 'empty'));
    writeFileSync(join(folder, 'list.json'), '[]');
    writeFileSync(join(folder, 'text.json'), 'x');
    const attempts: readonly (readonly [readonly string[], RegExp])[] = [
      [[...ARGS, '--corpus', 'nowhere'], /cannot read nowhere: no such file/],
      [[...ARGS, '--corpus', 'empty'], /empty holds no case .* an empty corpus verifies nothing/],
      [[...ARGS, '--base', 'nowhere'], /cannot read --base nowhere/],
      [[...ARGS, '--base', 'list.json'], /list\.json is no list of signatures/],
      [[...ARGS, '--base', 'text.json'], /text\.json is no JSON/],
      [[...ARGS, '--base', 'empty'], /--base empty has no Stagewright in it/],
      [['ci', 'own', '--load', 'own.mts'], /no commit here .* --seed/],
    ];
    for (const [args, says] of attempts) {
      const { status, stderr } = stagewright(folder, args);
      t.is(status, 2, stderr);
      t.regex(stderr, says);
      t.is(stderr.trim().split('\n').length, 1);
    }
  });
});

test('a finding in a built-in system is placed at the line of its model', (t) => {
  const { file, line } = placeOf('canary', 'canary.free')!;
  const text = readFileSync(file, 'utf8').split('\n')[line - 1]!;
  t.true(text.includes('self.free(at.free'), text);
  t.is(placeOf('canary', 'walk.use'), undefined);
});
