/** `minimise`: what it has so far outlives `kill -9`, and other failures that it meets are kept as cases. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { readCase, writeCase } from '../../campaign/corpus.ts';
import type { Case } from '../../fuzz/case.ts';
import { operationCount } from '../../fuzz/program.ts';
import { replayCase, Verdict } from '../../fuzz/replay.ts';
import { runPlan } from '../../fuzz/schedule.ts';
import { Sessions } from '../../fuzz/sessions.ts';
import { coarseSignature } from '../../fuzz/signature.ts';
import { inFolder, stagewright } from './run.ts';

const A01 = 'kvm-arm64/A01-output-cursor-of-its-own';

/** A case of the corpus with an operation more for each actor: there is something to shrink, and it takes a while. */
function wider(name: string): Case {
  const value = readCase(`corpus/${name}.yaml`);
  const program = value.program.map(({ actor, operations }) => ({
    actor,
    operations: [...operations, { ...operations[0]!, key: 'z9' }],
  }));
  return { ...value, program, recorded: undefined };
}

/** Kills the process as soon as the file is there with another text than before. */
function killOnceWritten(file: string, before: string | undefined): (child: ChildProcess) => void {
  return (child) => {
    const poll = setInterval(() => {
      if (!existsSync(file) || readFileSync(file, 'utf8') === before) return;
      clearInterval(poll);
      child.kill('SIGKILL');
    }, 2);
    child.on('close', () => clearInterval(poll));
  };
}

function reproduces(file: string): boolean {
  return replayCase(new Sessions(), readCase(file)).verdict === Verdict.Reproduced;
}

function signatureOf(file: string): string {
  const value = readCase(file);
  const session = new Sessions().get(value.system, value.configuration, [value.bug!]);
  return coarseSignature(session, runPlan(session, value).violation!);
}

test('killed by kill -9, it leaves a case that fails, and goes on from there', async (t) => {
  await inFolder(async (folder) => {
    const [file, out] = [join(folder, 'wide.yaml'), join(folder, 'small.yaml')];
    const wide = wider(A01);
    writeCase(file, wide);
    const minimise = ['minimise', file, '--out', out];
    const killed = await stagewright(minimise, killOnceWritten(out, undefined));
    t.is(killed.code, null);
    t.true(reproduces(out));
    const soFar = operationCount(readCase(out).program);
    t.true(soFar <= operationCount(wide.program));
    // it is there before the result is: whoever is killed in between has lost nothing
    t.true(existsSync(`${out}.unfinished`));
    const again = await stagewright(minimise);
    t.is(again.code, 0, again.stderr);
    t.false(existsSync(`${out}.unfinished`));
    t.true(reproduces(out));
    const known = readCase(`corpus/${A01}.yaml`);
    t.is(operationCount(readCase(out).program), operationCount(known.program));
    t.is(readCase(out).order.length, known.order.length);
  });
});

test('in place, what is in the file after kill -9 is what it goes on from', async (t) => {
  await inFolder(async (folder) => {
    const file = join(folder, 'wide.yaml');
    writeCase(file, wider(A01));
    const before = readFileSync(file, 'utf8');
    const killed = await stagewright(['minimise', file], killOnceWritten(file, before));
    t.is(killed.code, null);
    t.true(reproduces(file));
    t.is((await stagewright(['minimise', file])).code, 0);
    t.true(reproduces(file));
    t.is(
      operationCount(readCase(file).program),
      operationCount(readCase(`corpus/${A01}.yaml`).program),
    );
    t.deepEqual(readdirSync(folder), ['wide.yaml']);
  });
});

test('what another case left in --out is not gone on from', async (t) => {
  await inFolder(async (folder) => {
    const out = join(folder, 'small.yaml');
    const other = readFileSync('corpus/kvm-arm64/A07-reference-taken-twice.yaml', 'utf8');
    writeFileSync(out, other);
    writeFileSync(`${out}.unfinished`, 'digest of another case\n');
    const file = 'corpus/kvm-arm64/A20-table-level-as-hint.yaml';
    t.is((await stagewright(['minimise', file, '--out', out])).code, 0);
    t.is(readCase(out).bug, 'A20-table-level-as-hint');
    t.true(reproduces(out));
  });
});

test('other failures that are met on the way are kept as cases', async (t) => {
  await inFolder(async (folder) => {
    const [out, met] = [join(folder, 'small.yaml'), join(folder, 'met')];
    const file = 'corpus/xen-arm/X07a-dying-not-checked.yaml';
    const { code, stdout } = await stagewright(['minimise', file, '--out', out, '--others', met]);
    t.is(code, 0);
    t.true(readdirSync(met).length > 0);
    for (const name of readdirSync(met)) {
      t.true(stdout.includes(`${join(met, name)}: another failure that was met on the way`));
      t.true(reproduces(join(met, name)));
      t.not(signatureOf(join(met, name)), signatureOf(file));
    }
  });
});
