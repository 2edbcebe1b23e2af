/** `fuzz SYSTEM --compare A B`: two variants on the same programs and schedules. */
import { Comparer, type Comparison, type Hits, variantOf } from '../campaign/compare.ts';
import {
  checkStrategy,
  parseCount,
  parseDuration,
  parseSeed,
  systemsNamed,
  UsageError,
} from '../campaign/options.ts';
import { Exit, print, printJson, StatusLine, thousands } from './terminal.ts';

export interface CompareFlags {
  readonly seed?: string;
  readonly runs?: string;
  readonly time?: string;
  readonly strategy?: string;
  readonly json?: boolean;
}

const DEFAULT_RUNS = 20_000;
const SLICE = 64;

/** Exit 1 when the second fails in a way that the first does not. */
export async function compare(
  systems: readonly string[],
  variants: readonly string[],
  flags: CompareFlags,
): Promise<number> {
  const [id, ...rest] = systems;
  if (id === undefined || rest.length > 0) {
    throw new UsageError('--compare needs one system, before it: fuzz SYSTEM --compare A B');
  }
  const [system] = systemsNamed([id]);
  const [a, b, ...more] = variants;
  if (a === undefined || b === undefined || more.length > 0)
    throw new UsageError(`--compare takes two variants; it has ${variants.join(' ')}`);
  const seed = flags.seed === undefined ? 1 : parseSeed(flags.seed);
  const time = flags.time === undefined ? undefined : parseDuration(flags.time);
  const runs =
    flags.runs !== undefined
      ? parseCount('--runs')(flags.runs)
      : time === undefined
        ? DEFAULT_RUNS
        : Number.MAX_SAFE_INTEGER;
  const [first, second] = [variantOf(system!, a), variantOf(system!, b)];
  const comparer = new Comparer(system!, first, second, seed, checkStrategy(flags.strategy));
  const { result } = comparer;
  const line = new StatusLine(flags.json === true);
  const until = performance.now() + (time ?? Number.POSITIVE_INFINITY) * 1000;
  let isInterrupted = false;
  const stop = (): void => {
    isInterrupted = true;
  };
  process.once('SIGINT', stop);
  while (!isInterrupted && result.executions < runs && performance.now() < until) {
    comparer.advance(Math.min(SLICE, runs - result.executions));
    line.show(`${thousands(result.executions)} executions of each`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  process.off('SIGINT', stop);
  line.clear();
  if (flags.json === true) printJson(document(system!.id, seed, first.id, second.id, result));
  else printComparison(first.id, second.id, result);
  return result.onlySecond.size > 0 ? Exit.Finding : Exit.Clean;
}

const rows = (map: ReadonlyMap<string, Hits>) =>
  [...map]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([signature, { count, first }]) => ({ signature, hits: count, first }));

function document(
  system: string,
  seed: number,
  first: string,
  second: string,
  { executions, unfit, same, onlyFirst, onlySecond, both }: Comparison,
): unknown {
  return {
    command: 'fuzz compare',
    system,
    seed,
    variants: [first, second],
    executions,
    unfit,
    same,
    onlyFirst: rows(onlyFirst),
    onlySecond: rows(onlySecond),
    both: rows(both),
  };
}

function printComparison(first: string, second: string, result: Comparison): void {
  const { executions, unfit, same } = result;
  print(
    `${thousands(executions)} executions of ${first} and ${second}: ${thousands(same)} run the same way` +
      `${unfit > 0 ? `, ${thousands(unfit)} programs do not fit ${second}` : ''}`,
  );
  const parts = [
    [`only ${first}`, result.onlyFirst],
    [`only ${second}`, result.onlySecond],
    ['both', result.both],
  ] as const;
  for (const [who, map] of parts) {
    for (const { signature, hits, first: index } of rows(map))
      print(`  ${who}: ${signature} (${hits} times, first in execution ${index})`);
  }
}
