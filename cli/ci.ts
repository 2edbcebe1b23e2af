/** `ci`: the corpus, then executions of the commit; reports for people and for CI systems. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CiResult, runCi } from '../campaign/ci.ts';
import { annotations, junit, sarif, stepSummary } from '../campaign/ci-reports.ts';
import { CORPUS_FOLDER, writeWhole } from '../campaign/corpus.ts';
import { parseCount, parseJobs, parseSeed, systemsNamed, UsageError } from '../campaign/options.ts';
import { openEngine } from '../campaign/threads.ts';
import { Exit, print, printJson } from './terminal.ts';

export interface CiFlags {
  readonly base?: string;
  readonly corpus?: string;
  readonly runs?: string;
  readonly seed?: string;
  readonly jobs?: string;
  readonly out?: string;
  readonly load?: string[];
  readonly json?: boolean;
}

const RUNS = 20_000;
const OUT = 'ci-results';

export async function ci(systems: readonly string[], flags: CiFlags): Promise<number> {
  const out = flags.out ?? OUT;
  const engine = openEngine(parseJobs(flags.jobs));
  const isQuiet = flags.json === true;
  try {
    const options = {
      seed: parseSeed(flags.seed ?? commit()),
      systems: systemsNamed(systems),
      runs: flags.runs === undefined ? RUNS : parseCount('--runs')(flags.runs),
      corpus: flags.corpus ?? CORPUS_FOLDER,
      base: flags.base,
      out,
      load: flags.load ?? [],
    };
    const result = await runCi(options, engine, (text) => {
      if (!isQuiet) print(text);
    });
    writeReports(result, out);
    if (isQuiet) printJson(document(result, out));
    else printResult(result, out);
    if (result.corpus.failed.some(({ isUnreadable }) => isUnreadable)) return Exit.Usage;
    return result.isFailed ? Exit.Finding : Exit.Clean;
  } finally {
    await engine.close();
  }
}

/** The commit that is checked out: its hash is the seed, so that each commit sees other executions. */
function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    throw new UsageError('there is no commit here to take the seed from; name one with --seed');
  }
}

function writeReports(result: CiResult, out: string): void {
  const { version } = JSON.parse(readFileSync(new URL(packageFile(), import.meta.url), 'utf8')) as {
    version: string;
  };
  const summary = stepSummary(result);
  writeWhole(join(out, 'junit.xml'), junit(result));
  writeWhole(join(out, 'results.sarif'), sarif(result, version));
  writeWhole(join(out, 'summary.md'), summary);
  const page = process.env.GITHUB_STEP_SUMMARY;
  if (page !== undefined && page !== '') appendFileSync(page, summary);
}

/** Compiled files lie a folder deeper. */
function packageFile(): string {
  return import.meta.url.endsWith('.ts') ? '../package.json' : '../../package.json';
}

function printResult(result: CiResult, out: string): void {
  for (const { file, reason } of result.corpus.failed) print(`${file}: ${reason}`);
  for (const { system, found, isNew, file, repeat } of result.findings) {
    print(`\n${isNew ? 'NEW' : 'known'} ${system} ${found.signature}`);
    if (isNew) for (const line of found.explanation) print(line);
    print(`case ${file}; to repeat: ${repeat}`);
  }
  if (process.env.GITHUB_ACTIONS === 'true') for (const line of annotations(result)) print(line);
  const fresh = result.findings.filter(({ isNew }) => isNew).length;
  print(
    `${result.isFailed ? 'failed' : 'passed'}: ${result.corpus.failed.length} cases not as recorded, ` +
      `${fresh} new findings, ${result.findings.length - fresh} known; reports in ${out}`,
  );
}

function document({ seed, corpus, systems, findings, isFailed, seconds }: CiResult, out: string) {
  return {
    command: 'ci',
    seed,
    corpus: { cases: corpus.cases, passed: corpus.passed, failed: corpus.failed },
    systems,
    findings: findings.map(({ system, found, execution, hits, isNew, file, repeat }) => ({
      system,
      oracle: found.case.expect?.oracle ?? '',
      signature: found.signature,
      isNew,
      case: file,
      execution,
      hits,
      repeat,
    })),
    failed: isFailed,
    seconds,
    out,
  };
}
