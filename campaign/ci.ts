/**
 * What CI runs on a commit: the corpus, then executions drawn from the commit's hash; only what the base
 * does not have counts as new. One campaign per system, so that a finding is repeated by `fuzz SYSTEM`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import type { System } from '../models/system.ts';
import { assert } from '../sim/assert.ts';
import { Campaign } from './campaign.ts';
import { openSessions } from './catalogue.ts';
import { caseFiles, writeCase, writeWhole } from './corpus.ts';
import type { Engine } from './engine.ts';
import { targetsOf } from './options.ts';
import type { FoundCase } from './task.ts';
import { UsageError } from './usage.ts';
import { type VerifyResult, verifyFiles } from './verify.ts';

export interface CiOptions {
  readonly seed: number;
  readonly systems: readonly System[];
  /** Executions, shared evenly among the systems. */
  readonly runs: number;
  readonly corpus: string;
  /** Signatures of the base (a file that an earlier `ci` wrote), or a checkout of it; everything is new without. */
  readonly base: string | undefined;
  /** Where cases and reports go. */
  readonly out: string;
  /** Modules that were loaded, as the user named them. */
  readonly load: readonly string[];
}

export interface CiFinding {
  readonly system: string;
  readonly found: FoundCase;
  /** The execution that failed first, and how many failed like it. */
  readonly execution: number;
  readonly hits: number;
  /** The base does not have it. */
  readonly isNew: boolean;
  /** The case, minimised. */
  readonly file: string;
  /** One line that shows it again. */
  readonly repeat: string;
}

export interface CiResult {
  readonly seed: number;
  readonly corpus: VerifyResult & { readonly files: readonly string[] };
  readonly systems: readonly { readonly system: string; readonly executions: number }[];
  readonly findings: readonly CiFinding[];
  readonly seconds: number;
  readonly isFailed: boolean;
}

/** Throws a UsageError when the corpus is missing or empty, and when the base cannot be read. */
export async function runCi(
  options: CiOptions,
  engine: Engine,
  progress: (text: string) => void,
): Promise<CiResult> {
  const started = performance.now();
  const files = caseFiles(options.corpus);
  const isKnown = knownOf(options);
  const corpus = { files, ...verifyFiles(openSessions(), files) };
  progress(`${corpus.passed} of ${corpus.cases} cases are as recorded`);
  const systems: { system: string; executions: number }[] = [];
  const findings: CiFinding[] = [];
  const runs = Math.max(1, Math.floor(options.runs / options.systems.length));
  for (const { id } of options.systems) {
    const { findings: all, totals } = await campaign(id, options.seed, runs, engine);
    systems.push({ system: id, executions: totals.executions });
    for (const { failure, found, file: name, hits } of all) {
      assert(found !== undefined, 'a campaign ends when its findings are minimised');
      const file = join(options.out, 'found', name);
      writeCase(file, found.case);
      const repeat = repeatLine(options, id, failure.index + 1);
      const isNew = !isKnown(id, found.signature, file);
      findings.push({ system: id, found, execution: failure.index, hits, isNew, file, repeat });
    }
    progress(`${id}: ${totals.executions} executions, ${all.length} findings`);
  }
  const result: CiResult = {
    seed: options.seed,
    corpus,
    systems,
    findings,
    seconds: (performance.now() - started) / 1000,
    isFailed: corpus.failed.length > 0 || findings.some(({ isNew }) => isNew),
  };
  writeWhole(join(options.out, 'signatures.json'), signaturesText(result));
  return result;
}

function campaign(system: string, seed: number, runs: number, engine: Engine) {
  const request = { systems: [system], bugs: [], configuration: undefined, fidelity: undefined };
  const limits = { runs, seconds: undefined, stopOnFinding: false };
  const targets = targetsOf(request);
  return new Campaign({ seed, targets, strategy: undefined, ...limits }, engine).run();
}

function repeatLine({ seed, load }: CiOptions, system: string, runs: number): string {
  const modules = load.map((file) => ` --load ${file}`).join('');
  return `npx stagewright fuzz ${system}${modules} --seed ${seed} --runs ${runs}`;
}

// ---- the base ----

const signaturesSchema = z.strictObject({
  format: z.literal(1),
  seed: z.int(),
  signatures: z.array(z.strictObject({ system: z.string(), signature: z.string() })),
});

function signaturesText({ seed, findings }: CiResult): string {
  const signatures = findings.map(({ system, found: { signature } }) => ({ system, signature }));
  return `${JSON.stringify({ format: 1, seed, signatures }, undefined, 2)}\n`;
}

type IsKnown = (system: string, signature: string, file: string) => boolean;

/** Tells whether the base has a finding: by its list of signatures, or by replaying the case there. */
function knownOf({ base, load }: CiOptions): IsKnown {
  if (base === undefined) return () => false;
  if (!existsSync(base)) throw new UsageError(`cannot read --base ${base}: no such file or folder`);
  if (statSync(base).isDirectory()) {
    const command = commandIn(base);
    return (_, signature, file) => replaysIn(base, command, load, file, signature);
  }
  const known = readSignatures(base);
  return (system, signature) => known.has(`${system} ${signature}`);
}

function readSignatures(file: string): ReadonlySet<string> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`--base ${file} is no JSON: ${(error as Error).message}`);
  }
  const read = signaturesSchema.safeParse(value);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw new UsageError(
      `--base ${file} is no list of signatures that "ci" wrote: ${issue?.path.join('.')} ${issue?.message}`,
    );
  }
  return new Set(read.data.signatures.map(({ system, signature }) => `${system} ${signature}`));
}

/** How Stagewright is started in a checkout: its own, or one that has it as a dependency. */
function commandIn(folder: string): readonly string[] {
  if (existsSync(join(folder, 'cli', 'main.ts'))) return ['--import=tsx', 'cli/main.ts'];
  const installed = join('node_modules', 'stagewright', 'dist', 'cli', 'main.js');
  if (existsSync(join(folder, installed))) return [installed];
  throw new UsageError(`--base ${folder} has no Stagewright in it (run "npm ci" there)`);
}

/** The base fails on the case in the same way. A base that does not know its names does not have it. */
function replaysIn(
  folder: string,
  command: readonly string[],
  load: readonly string[],
  file: string,
  signature: string,
): boolean {
  const modules = load.flatMap((name) => ['--load', name]);
  const args = [...command, 'replay', resolve(file), '--json', ...modules];
  const { status, stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
  if (status !== 0 && status !== 1) return false;
  const [oracle] = signature.split(':');
  const { cases } = JSON.parse(stdout) as { cases: { verdict: string; oracle?: string }[] };
  return cases[0]?.verdict === 'reproduced' && cases[0].oracle === oracle;
}
