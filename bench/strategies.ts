/**
 * `npx tsx bench/strategies.ts`: how soon each strategy finds the bugs of the zoo, and what each coverage signal adds.
 *
 *   --system ID,... (all)  --only PREFIX  --seeds N (50)  --executions N (2000) per bug and seed  --time SECONDS (600)
 *   --variants ID,... (all)  --results FILE
 *
 * Prints the table of docs/search.md: found rate and median executions (a hunt that found nothing counts as more than all: the
 * median is censored) with a 95 % interval by order statistics; then speed-ups over `random` on odd and even bugs.
 * With --results, hunts are kept in a file, and what is there is not hunted again: it may be run in many pieces.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { configurationsOf } from '../campaign/options.ts';
import { STRATEGIES } from '../fuzz/strategies/registry.ts';
import { SYSTEMS } from '../models/registry.ts';
import type { Bug, System } from '../models/system.ts';
import { Hunt, learning, type Variant } from './hunt.ts';
import { bestWeights, type Costs, speedUpOf } from './weights.ts';

const { values } = parseArgs({
  options: {
    system: { type: 'string', default: 'kvm-arm64,kvm-x86-tdp,xen-arm' },
    only: { type: 'string', default: '' },
    seeds: { type: 'string', default: '50' },
    executions: { type: 'string', default: '2000' },
    time: { type: 'string', default: '600' },
    variants: { type: 'string', default: '' },
    results: { type: 'string' },
  },
});
const SEEDS = Number(values.seeds);
const EXECUTIONS = Number(values.executions);
/** A bug that is found by none of the hunts with one seed, or by few of those with a few, takes no more time. */
const SEEDS_FEW = 5;
const RATE_MIN = 0.1;

const ALL: readonly Variant[] = [
  ...STRATEGIES.filter(({ weight }) => weight > 0).map(({ id }) => ({ id, strategy: id })),
  { id: 'guided', strategy: 'guided', signals: ['pairs', 'states', 'segments'] },
  { id: 'portfolio', strategy: undefined },
  learning('learning'),
  learning('pairs only', ['pairs']),
  learning('states only', ['states']),
  learning('segments only', ['segments']),
  learning('no coverage', []),
];
const wanted = values.variants === '' ? [] : values.variants.split(',');
const variants = ALL.filter(({ id }) => wanted.length === 0 || wanted.includes(id));

interface Subject {
  readonly system: System;
  readonly bug: Bug;
  /** By variant: executions of each hunt, infinite when it found nothing. */
  readonly hunts: Map<string, Map<number, number>>;
}

const subjects: readonly Subject[] = SYSTEMS.filter(({ id }) =>
  values.system.split(',').includes(id),
).flatMap((system) =>
  system.bugs
    .filter(({ id, isHidden }) => isHidden !== true && id.startsWith(values.only))
    .map((bug) => ({
      system,
      bug,
      hunts: new Map(ALL.map(({ id }): [string, Map<number, number>] => [id, new Map()])),
    })),
);

/** One hunt in the file of results. */
interface Line {
  readonly bug: string;
  readonly variant: string;
  readonly seed: number;
  readonly limit: number;
  readonly executions: number | null;
}

function read(file: string): void {
  if (!existsSync(file)) return;
  for (const text of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
    const { bug, variant, seed, limit, executions } = JSON.parse(text) as Line;
    const subject = subjects.find((one) => one.bug.id === bug);
    if (limit < EXECUTIONS) continue;
    const found = executions !== null && executions <= EXECUTIONS;
    subject?.hunts.get(variant)?.set(seed, found ? executions : Number.POSITIVE_INFINITY);
  }
}

/** Share of the hunts so far that found something. */
function foundRate({ hunts }: Subject): number {
  const all = variants.flatMap(({ id }) => [...hunts.get(id)!.values()]);
  return all.filter(Number.isFinite).length / Math.max(1, all.length);
}

/** Seeds that every variant has hunted. */
const seedsOf = ({ hunts }: Subject): number =>
  Math.min(...variants.map(({ id }) => hunts.get(id)!.size));

if (values.results !== undefined) read(values.results);
const started = performance.now();
const isLate = (): boolean => (performance.now() - started) / 1000 > Number(values.time);
const open = new Map<Subject, Hunt>();

/** Executions that a bug has taken so far. */
function spent({ hunts }: Subject): number {
  const all = variants.flatMap(({ id }) => [...hunts.get(id)!.values()]);
  return all.reduce((sum, one) => sum + Math.min(one, EXECUTIONS), 0);
}

/** A bug that takes another round of all variants. */
function isOpen(subject: Subject): boolean {
  const seeds = seedsOf(subject);
  if (seeds === 0) return true;
  return seeds < SEEDS && foundRate(subject) >= (seeds < SEEDS_FEW ? Number.EPSILON : RATE_MIN);
}

/** The next seed of a bug, with every variant. */
function round(subject: Subject): void {
  const { system, bug, hunts } = subject;
  const seed = seedsOf(subject) + 1;
  const configurations = configurationsOf(system, bug.configuration, undefined);
  const hunt = open.get(subject) ?? new Hunt(system, bug, configurations);
  open.set(subject, hunt);
  for (const variant of variants) {
    if (hunts.get(variant.id)!.has(seed) || isLate()) continue;
    const executions = hunt.run(variant, 1000 + seed, EXECUTIONS);
    hunts.get(variant.id)!.set(seed, executions ?? Number.POSITIVE_INFINITY);
    if (values.results === undefined) continue;
    const line: Line = {
      bug: bug.id,
      variant: variant.id,
      seed,
      limit: EXECUTIONS,
      executions: executions ?? null,
    };
    appendFileSync(values.results, `${JSON.stringify(line)}\n`);
  }
}

// the bug that had the fewest executions is next: what is found soon gets all of its seeds
while (!isLate()) {
  const [next] = subjects.filter(isOpen).sort((a, b) => spent(a) - spent(b));
  if (next === undefined) break;
  round(next);
}

/** Hunts with the first seeds, those that all variants have. */
function huntsOf(subject: Subject, variant: string): readonly number[] {
  const bySeed = subject.hunts.get(variant)!;
  return Array.from({ length: seedsOf(subject) }, (_, index) => bySeed.get(index + 1)!);
}

const sorted = (hunts: readonly number[]): readonly number[] => [...hunts].sort((a, b) => a - b);

/** Ranks that hold the median with 95 %: n/2 -+ 0.98 sqrt(n). */
function interval(hunts: readonly number[]): readonly [number, number] {
  const half = 0.98 * Math.sqrt(hunts.length);
  const low = Math.max(0, Math.floor(hunts.length / 2 - half) - 1);
  const high = Math.min(hunts.length - 1, Math.ceil(hunts.length / 2 + half) - 1);
  return [sorted(hunts)[low]!, sorted(hunts)[high]!];
}

const number = (value: number): string =>
  Number.isFinite(value) ? String(value) : `>${EXECUTIONS}`;

function cell(hunts: readonly number[]): string {
  const rate = Math.round((100 * hunts.filter(Number.isFinite).length) / hunts.length);
  const [low, high] = interval(hunts);
  const median = sorted(hunts)[Math.floor((hunts.length - 1) / 2)]!;
  return `${rate} %, ${number(median)} (${number(low)}-${number(high)})`;
}

/** Executions per find: misses count with all of their executions. */
function cost(hunts: readonly number[]): number {
  const spent = hunts.reduce((sum, one) => sum + Math.min(one, EXECUTIONS), 0);
  // one that was never found has not been found once more
  return spent / Math.max(1, hunts.filter(Number.isFinite).length);
}

/** Cost of `random` over that of a variant, with a 95 % interval of its logarithm by the number of finds. */
function speedUp(subject: Subject, variant: string): readonly [ratio: number, high: number] {
  const [mine, base] = [huntsOf(subject, variant), huntsOf(subject, 'random')];
  const ratio = cost(base) / cost(mine);
  const finds = (hunts: readonly number[]): number =>
    Math.max(1, hunts.filter(Number.isFinite).length);
  const deviation = Math.sqrt(1 / finds(mine) + 1 / finds(base));
  return [ratio, ratio * Math.exp(1.96 * deviation)];
}

function geometric(ratios: readonly number[]): string {
  const sum = ratios.reduce((total, ratio) => total + Math.log(ratio), 0);
  return Math.exp(sum / Math.max(1, ratios.length)).toFixed(2);
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
const tried = subjects.filter((subject) => seedsOf(subject) > 0);
const hunted = tried.filter((subject) => foundRate(subject) >= RATE_MIN);
const missed = tried.filter((subject) => !hunted.includes(subject));
const seeds = hunted.map(seedsOf);
const out: string[] = [
  `${hunted.length} bugs, ${Math.min(...seeds)} to ${Math.max(...seeds)} seeds each, at most ${EXECUTIONS} executions; ` +
    `found by less than ${100 * RATE_MIN} % of the hunts with ${SEEDS_FEW} seeds, or by none with one: ${missed.map(({ bug }) => bug.id.split('-')[0]).join(', ') || '-'}\n\n`,
  row(['bug', 'seeds', ...variants.map(({ id }) => id)]),
  row(['---', '---', ...variants.map(() => '---')]),
];
for (const subject of hunted) {
  const name = subject.bug.id.split('-')[0]!;
  const cells = variants.map(({ id }) => cell(huntsOf(subject, id)));
  out.push(row([name, String(seedsOf(subject)), ...cells]));
}
if (variants.some(({ id }) => id === 'random')) {
  for (const [name, parity] of [
    ['odd', 0],
    ['even', 1],
  ] as const) {
    const half = hunted.filter((_, index) => index % 2 === parity);
    const ratios = variants.map(({ id }) => half.map((subject) => speedUp(subject, id)));
    out.push(
      row([
        `speed-up over random, ${name} bugs`,
        '',
        ...ratios.map((all) => geometric(all.map(([ratio]) => ratio))),
      ]),
      row([
        `worse than 0.8 x random, ${name} bugs`,
        '',
        ...ratios.map((all) => {
          const worse = half.filter((_, index) => all[index]![1] < 0.8);
          return worse.map(({ bug }) => bug.id.split('-')[0]).join(' ') || '-';
        }),
      ]),
    );
  }
}
const plain = variants.filter(({ strategy, signals }) => strategy !== undefined && !signals);
if (plain.some(({ id }) => id === 'random') && hunted.length > 1) {
  const costs = hunted.map(
    (subject): Costs => new Map(plain.map(({ id }) => [id, cost(huntsOf(subject, id))])),
  );
  const odd = costs.filter((_, index) => index % 2 === 0);
  const even = costs.filter((_, index) => index % 2 === 1);
  const ids = plain.map(({ id }) => id);
  const best = bestWeights(ids, odd);
  const now = new Map(ids.map((id) => [id, STRATEGIES.find((one) => one.id === id)!.weight]));
  const told = (weights: ReadonlyMap<string, number>): string =>
    `${[...weights].map(([id, weight]) => `${id} ${weight}`).join(', ')}: ` +
    `odd ${speedUpOf(weights, odd).toFixed(2)}, even ${speedUpOf(weights, even).toFixed(2)} (expected)\n`;
  out.push('\n', `weights now: ${told(now)}`, `chosen on the odd bugs: ${told(best)}`);
}
process.stdout.write(out.join(''));
