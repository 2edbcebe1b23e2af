/** `replay --export`: a test that runs by itself, and a trace that other tools open. */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { inFolder, stagewright } from './run.ts';

const FILE = 'corpus/kvm-arm64/A20-table-level-as-hint.yaml';
const run = promisify(execFile);

test('ava: the exported test passes in a project of its own, and fails when the case is wrong', async (t) => {
  await inFolder(async (folder) => {
    const exported = join(folder, 'a20.test.ts');
    const { code } = await stagewright(['replay', FILE, '--export', 'ava', '--out', exported]);
    t.is(code, 0);
    const installed = join(folder, 'node_modules', 'stagewright');
    mkdirSync(installed, { recursive: true });
    const build = ['-p', 'tsconfig.build.json', '--outDir', join(installed, 'dist')];
    await run(process.execPath, [resolve('node_modules/typescript/bin/tsc'), ...build]);
    copyFileSync('package.json', join(installed, 'package.json'));
    const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
    for (const name of ['ava', ...Object.keys(dependencies)])
      symlinkSync(resolve('node_modules', name), join(folder, 'node_modules', name));
    const settings = {
      type: 'module',
      ava: {
        extensions: { ts: 'module' },
        nodeArguments: ['--import=tsx'],
        workerThreads: false,
      },
    };
    writeFileSync(join(folder, 'package.json'), JSON.stringify(settings));
    const ava = resolve('node_modules/ava/entrypoints/cli.mjs');
    const { stdout } = await run(process.execPath, [ava, '--tap'], { cwd: folder });
    t.regex(stdout, /ok 1 - A20-table-level-as-hint\.yaml is reproduced/);
    t.regex(stdout, /ok 2 - A20-table-level-as-hint\.yaml: the correct form excludes it/);

    const text = readFileSync(exported, 'utf8');
    writeFileSync(exported, text.replace('bug: A20-table-level-as-hint\n', ''));
    const failed = await t.throwsAsync<Error & { stdout: string }>(
      run(process.execPath, [ava, '--tap'], { cwd: folder }),
    );
    t.regex(failed?.stdout ?? '', /not ok 1/);
  });
});

interface TraceEvent {
  readonly ph: string;
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly id?: number;
  readonly cat?: string;
}

test('perfetto: tracks, slices in order, arrows in pairs, the violation', async (t) => {
  const { code, stdout } = await stagewright(['replay', FILE, '--export', 'perfetto']);
  t.is(code, 0);
  const { traceEvents } = JSON.parse(stdout) as { traceEvents: readonly TraceEvent[] };
  const named = traceEvents.filter(({ ph }) => ph === 'M');
  // the failing run and its passing neighbour
  t.deepEqual(
    named.filter(({ name }) => name === 'process_name').map(({ pid }) => pid),
    [1, 2],
  );
  t.is(named.filter(({ name, pid }) => name === 'thread_name' && pid === 1).length, 2);
  const slices = traceEvents.filter(
    ({ ph, cat, pid }) => ph === 'X' && cat === 'event' && pid === 1,
  );
  t.true(slices.length > 70);
  for (const [index, { ts, dur }] of slices.entries()) {
    const next = slices[index + 1]?.ts ?? Number.MAX_VALUE;
    t.true(ts! + dur! <= next, `slice ${index}`);
  }
  const operations = traceEvents.filter(({ cat, pid }) => cat === 'operation' && pid === 1);
  t.true(operations.some(({ name }) => name === 'host.u1: unmap 0x0 0x1'));
  const starts = traceEvents.filter(({ ph }) => ph === 's');
  const ends = new Map(traceEvents.filter(({ ph }) => ph === 'f').map((one) => [one.id, one]));
  t.true(starts.length > 5);
  t.is(ends.size, starts.length);
  for (const { id, ts } of starts) t.true(ends.get(id)!.ts! > ts!);
  const [violation, ...others] = traceEvents.filter(({ ph }) => ph === 'i');
  t.is(others.length, 0);
  t.regex(violation!.name, /table page 106 was freed/);
});

test('what cannot be exported is said in a line', async (t) => {
  const [kind, two] = await Promise.all([
    stagewright(['replay', FILE, '--export', 'pdf']),
    stagewright(['replay', FILE, FILE, '--export', 'ava']),
  ]);
  t.is(kind.code, 2);
  t.regex(kind.stderr, /^stagewright: no export "pdf" \(ava, perfetto, casemate\)\n$/);
  t.is(two.code, 2);
  t.regex(two.stderr, /^stagewright: --export shows one case: name one, not 2\n$/);
});
