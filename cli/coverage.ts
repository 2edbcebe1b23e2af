/** `coverage`: what the corpus and a campaign come to, and what the base came to and this does not. */
import { existsSync, readFileSync } from 'node:fs';
import { CORPUS_FOLDER, caseFiles, readCase, writeWhole } from '../campaign/corpus.ts';
import { parseCount, parseJobs, parseSeed, systemsNamed, UsageError } from '../campaign/options.ts';
import { type Lost, lostSince, type Reach, reachOf } from '../campaign/reach.ts';
import { reachPage } from '../campaign/reach-page.ts';
import { openEngine } from '../campaign/threads.ts';
import { coverageSchema } from './schemas.ts';
import { Exit, print, table, thousands } from './terminal.ts';

export interface CoverageFlags {
  readonly corpus?: string;
  readonly runs?: string;
  readonly seed?: string;
  readonly jobs?: string;
  readonly format?: string;
  readonly out?: string;
  readonly check?: boolean;
  readonly base?: string;
  readonly json?: boolean;
}

const RUNS = 20_000;
const FORMATS = ['text', 'json', 'html'] as const;

export async function coverage(systems: readonly string[], flags: CoverageFlags): Promise<number> {
  const format = flags.format ?? (flags.json === true ? 'json' : 'text');
  if (!FORMATS.some((one) => one === format))
    throw new UsageError(`--format is "${format}" (${FORMATS.join(', ')})`);
  const base = baseOf(flags);
  const seed = flags.seed === undefined ? 1 : parseSeed(flags.seed);
  const runs = flags.runs === undefined ? RUNS : parseCount('--runs')(flags.runs);
  const cases = caseFiles(flags.corpus ?? CORPUS_FOLDER).map((file) => ({
    file,
    value: readCase(file),
  }));
  const engine = openEngine(parseJobs(flags.jobs));
  const all: Reach[] = [];
  try {
    for (const system of systemsNamed(systems)) {
      const own = cases.filter(({ value }) => value.system === system.id);
      all.push(await reachOf({ system, cases: own, seed, runs }, engine));
    }
  } finally {
    await engine.close();
  }
  const lost = base === undefined ? [] : compare(base, all);
  const text = printed(format, all, lost);
  if (flags.out === undefined) print(text.trimEnd());
  else {
    writeWhole(flags.out, text);
    print(`wrote ${flags.out}`);
  }
  if (format !== 'json' || flags.out !== undefined) for (const one of lost) print(lostLine(one));
  return lost.length > 0 ? Exit.Finding : Exit.Clean;
}

function baseOf({ check, base }: CoverageFlags): readonly Reach[] | undefined {
  if (check !== true) {
    if (base !== undefined) throw new UsageError('--base is compared with --check');
    return undefined;
  }
  if (base === undefined)
    throw new UsageError('--check needs --base FILE (written by --format json)');
  if (!existsSync(base)) throw new UsageError(`cannot read --base ${base}: no such file`);
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(base, 'utf8'));
  } catch (error) {
    throw new UsageError(`--base ${base} is no JSON: ${(error as Error).message}`);
  }
  const read = coverageSchema.safeParse(value);
  if (read.success) return read.data.systems;
  const [issue] = read.error.issues;
  throw new UsageError(
    `--base ${base} was not written by "coverage --format json": ${issue?.path.join('.')} ${issue?.message}`,
  );
}

/** Only equal budgets can be compared. */
function compare(base: readonly Reach[], all: readonly Reach[]): readonly Lost[] {
  return all.flatMap((now) => {
    const before = base.find(({ system }) => system === now.system);
    if (before === undefined) return [];
    if (before.executions !== now.executions || before.seed !== now.seed) {
      throw new UsageError(
        `the base has ${before.executions} executions of seed ${before.seed} of ${now.system}, and this ` +
          `${now.executions} of seed ${now.seed}: equal ones can be compared`,
      );
    }
    return lostSince(before, now);
  });
}

function lostLine({ system, kind, name, example }: Lost): string {
  return `LOST ${system}: ${kind} ${name} (on the base: ${example})`;
}

function printed(format: string, all: readonly Reach[], lost: readonly Lost[]): string {
  if (format === 'html') return reachPage(all);
  if (format === 'json')
    return `${JSON.stringify({ command: 'coverage', systems: all, lost }, undefined, 2)}\n`;
  return `${all.map(textOf).join('\n\n')}\n`;
}

function textOf(reach: Reach): string {
  const { system, seed, executions, cases, sites, pairs, goals, transitions, figures } = reach;
  const both = pairs.filter(({ corpus, campaign }) => corpus > 0 && campaign > 0).length;
  const onlyCorpus = pairs.filter(({ campaign }) => campaign === 0).length;
  const used = new Set(pairs.flatMap(({ before, after }) => [before, after])).size;
  return [
    `${system}: ${thousands(cases)} cases, ${thousands(executions)} executions of seed ${seed}`,
    `conflict pairs ${thousands(pairs.length)} (${both} by both, ${onlyCorpus} by the corpus only) of ${used} of ${sites.length} sites`,
    `the campaign looks at one execution in four: ${figures.pairs.seen} pairs, ${figures.states.seen} states of entries, ` +
      `${figures.segments.seen} segments; unseen pairs, an estimate: ${figures.pairs.unseen}`,
    '',
    table(
      ['level', 'was', 'became', 'corpus', 'campaign', 'example'],
      transitions.map(({ level, from, to, corpus, campaign, example }) => [
        String(level),
        from,
        to,
        String(corpus),
        String(campaign),
        example,
      ]),
    ),
    ...(goals.length === 0
      ? []
      : [
          '',
          table(
            ['goal', 'reached', 'example'],
            goals.map(({ id, isReached, example }) => [
              id,
              isReached ? 'yes' : 'NO',
              example ?? '',
            ]),
          ),
        ]),
  ].join('\n');
}
