/**
 * `npx tsx bench/strategies.ts`: how soon each strategy finds the bugs of the zoo.
 * Options: --system ID (kvm-arm64), --seeds N (50), --executions N (5000) per bug and seed, --time SECONDS (600),
 * --only PREFIX. Prints a table for docs/search.md: found rate, median executions (those that did not find it count as
 * more than all: the median is censored) with a 95 % interval by order statistics, and per strategy the geometric mean of
 * speed-ups over `random` on odd and on even bugs. A hunt that --time cuts off is left out, and the table says so.
 */
import { configurationsOf } from '../campaign/options.ts';
import { Executor } from '../fuzz/execution.ts';
import { Sessions } from '../fuzz/sessions.ts';
import { STRATEGIES } from '../fuzz/strategies/registry.ts';
import { findSystem } from '../models/registry.ts';
import type { Bug } from '../models/system.ts';

function option(name: string, otherwise: string): string {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : (process.argv[at + 1] ?? otherwise);
}

const system = findSystem(option('system', 'kvm-arm64'))!;
const SEEDS = Number(option('seeds', '50'));
const EXECUTIONS = Number(option('executions', '5000'));
const SECONDS = Number(option('time', '600'));
const ONLY = option('only', '');

/** Executions until it was found, or more than all when it was not. */
type Hunts = number[];
const MISSED = Number.POSITIVE_INFINITY;

const sessions = new Sessions();
const strategies = [...STRATEGIES.map(({ id }) => id), 'portfolio'];
const bugs = system.bugs.filter(({ id, isHidden }) => isHidden !== true && id.startsWith(ONLY));
const results = new Map<Bug, Map<string, Hunts>>(
  bugs.map((bug) => [bug, new Map(strategies.map((id): [string, Hunts] => [id, []]))]),
);

function hunt(bug: Bug, strategy: string, seed: number): number {
  const configurations = configurationsOf(system, bug.configuration, undefined);
  const target = { system, configurations, bugs: [bug.id] };
  const only = strategy === 'portfolio' ? undefined : strategy;
  const executor = new Executor(seed, [target], only, sessions);
  for (let index = 0; index < EXECUTIONS; index += 1) {
    const { violation } = executor.run(index).result;
    if (violation !== undefined && bug.caughtBy.includes(violation.oracle)) return index + 1;
  }
  return MISSED;
}

const started = performance.now();
let seeds = 0;
// whole rounds only: every strategy gets the same seeds of every bug
for (let seed = 1; seed <= SEEDS; seed += 1) {
  for (const [bug, byStrategy] of results)
    for (const [strategy, hunts] of byStrategy) hunts.push(hunt(bug, strategy, 1000 + seed));
  seeds = seed;
  if ((performance.now() - started) / 1000 > SECONDS) break;
}

function median(hunts: Hunts): number {
  const sorted = [...hunts].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)]!;
}

/** Ranks that hold the median with 95 %: n/2 -+ 0.98 sqrt(n). */
function interval(hunts: Hunts): readonly [number, number] {
  const sorted = [...hunts].sort((a, b) => a - b);
  const half = 0.98 * Math.sqrt(sorted.length);
  const low = Math.max(0, Math.floor(sorted.length / 2 - half) - 1);
  const high = Math.min(sorted.length - 1, Math.ceil(sorted.length / 2 + half) - 1);
  return [sorted[low]!, sorted[high]!];
}

const number = (value: number): string => (value === MISSED ? `>${EXECUTIONS}` : String(value));

function cell(hunts: Hunts): string {
  const found = hunts.filter((one) => one !== MISSED).length;
  const [low, high] = interval(hunts);
  const rate = `${Math.round((100 * found) / hunts.length)} %`;
  return `${rate}, ${number(median(hunts))} (${number(low)}-${number(high)})`;
}

/** Mean executions with misses at the limit: the ratio of two is a speed-up that misses make too small. */
function mean(hunts: Hunts): number {
  return hunts.reduce((sum, one) => sum + Math.min(one, EXECUTIONS), 0) / hunts.length;
}

function geometric(strategy: string, parity: number): string {
  const ratios = bugs
    .filter((_, index) => index % 2 === parity)
    .map((bug) => {
      const hunts = results.get(bug)!;
      return mean(hunts.get('random')!) / mean(hunts.get(strategy)!);
    });
  const product = ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0);
  return Math.exp(product / Math.max(1, ratios.length)).toFixed(2);
}

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
process.stdout.write(
  `${seeds} seeds per bug, at most ${EXECUTIONS} executions each; ${Math.round((performance.now() - started) / 1000)} s\n\n`,
);
process.stdout.write(line(['bug', ...strategies]));
process.stdout.write(line(['---', ...strategies.map(() => '---')]));
for (const [bug, byStrategy] of results)
  process.stdout.write(line([bug.id, ...strategies.map((id) => cell(byStrategy.get(id)!))]));
process.stdout.write(line(['speed-up, odd bugs', ...strategies.map((id) => geometric(id, 0))]));
process.stdout.write(line(['speed-up, even bugs', ...strategies.map((id) => geometric(id, 1))]));
