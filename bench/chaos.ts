/**
 * Campaigns that are struck again and again and resumed must end as the one that went through: the same findings, cases,
 * counts and coverage. Campaigns of 20,000 executions over two systems with three planted bugs are struck until there
 * were enough blows: kill -9, Ctrl-C, a torn last record, a full disk and, with BullMQ, a worker that is killed.
 *
 *   npm run build && npx tsx bench/chaos.ts [--kills 200] [--executions 20000] [--jobs 2] [--seed 1] [--time SECONDS]
 *                                            [--engine local|bullmq]
 *
 * Before, the campaign is made with 1, 2 and 8 workers, which must agree. `bullmq` needs Debian's redis-server.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { CampaignFolder } from '../campaign/folder.ts';
import { Random } from '../fuzz/random.ts';
import { TestRedis } from '../test/external/redis.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    executions: { type: 'string', default: '20000' },
    jobs: { type: 'string', default: '2' },
    seed: { type: 'string', default: '1' },
    time: { type: 'string', default: '3600' },
    engine: { type: 'string', default: 'local' },
  },
});
const KILLS = Number(values.kills);
const EXECUTIONS = Number(values.executions);
const random = new Random(Number(values.seed));
const started = performance.now();

const BUGS = ['canary-free', 'A07', 'A42'].flatMap((bug) => ['--bug', bug]);
const PROGRAM = ['--min-semi-space-size=16', 'dist/cli/main.js'];
/** A blow comes so long after its session began, at most: a share of what a whole campaign takes here and now. */
const PATIENCE_SHARE = 0.25;
let patience = 2500;

const BLOWS = ['kill', 'interrupt', 'full disk', 'torn record', 'kill worker'] as const;
type Blow = (typeof BLOWS)[number];
const ODDS: Record<Blow, number> = {
  kill: 4,
  interrupt: 1,
  'full disk': 1,
  'torn record': 2,
  'kill worker': values.engine === 'bullmq' ? 4 : 0,
};

function drawBlow(): Blow {
  const odds = BLOWS.map((blow) => ODDS[blow]);
  const total = odds.reduce((sum, one) => sum + one, 0);
  return BLOWS[random.weighted(odds, total)]!;
}

/** Workers of a distributed campaign, which are replaced when they are killed. */
class Workers {
  readonly #url: string;
  readonly #running: ChildProcess[] = [];

  constructor(url: string, count: number) {
    this.#url = url;
    for (let i = 0; i < count; i += 1) this.#start();
  }

  #start(): void {
    const words = ['worker', '--redis', this.#url, '--jobs', '1'];
    // a group of its own: the process that it has for its tasks dies with it
    this.#running.push(
      spawn(process.execPath, [...PROGRAM, ...words], { stdio: 'ignore', detached: true }),
    );
  }

  killOne(): void {
    const [worker] = this.#running.splice(random.below(this.#running.length), 1);
    process.kill(-worker!.pid!, 'SIGKILL');
    this.#start();
  }

  stop(): void {
    for (const { pid } of this.#running) process.kill(-pid!, 'SIGKILL');
  }
}

interface Setting {
  readonly words: readonly string[];
  readonly workers: Workers | undefined;
}

/** Runs the command line; the blow comes at a drawn moment unless it is over by then. */
async function session(
  words: readonly string[],
  blow: Blow | undefined,
  { words: engine, workers }: Setting,
): Promise<boolean> {
  const main = [...PROGRAM, 'fuzz', ...words, ...engine, '--runs', String(EXECUTIONS), '--json'];
  // a limit on the size of files stands for a disk that fills up while the journal is written; then it is killed
  const shell = `ulimit -f ${8 + random.below(120)}; exec "$0" "$@"`;
  const child =
    blow === 'full disk'
      ? spawn('bash', ['-c', shell, process.execPath, ...main], { stdio: 'ignore' })
      : spawn(process.execPath, main, { stdio: 'ignore' });
  let isOver = false;
  const ended = new Promise((resolve) => child.on('close', resolve)).then(() => {
    isOver = true;
  });
  if (blow === undefined) {
    await ended;
    return false;
  }
  await Promise.race([ended, pause(200 + random.below(patience))]);
  const struck = !isOver || blow === 'full disk';
  if (blow === 'kill worker') workers!.killOne();
  else child.kill(blow === 'interrupt' ? 'SIGINT' : 'SIGKILL');
  await ended;
  return struck;
}

/** Half of a record after the last one, as when the machine goes down while it is written. */
function tear(folder: string): void {
  const journal = join(folder, 'journal.jsonl');
  if (!existsSync(journal)) return;
  const line = readFileSync(journal, 'utf8').split('\n')[0] ?? '';
  if (line.length > 1) appendFileSync(journal, line.slice(0, 1 + random.below(line.length - 1)));
}

function casesOf(folder: string): string {
  const systems = readdirSync(folder, { withFileTypes: true }).filter((one) => one.isDirectory());
  return systems
    .flatMap(({ name }) => readdirSync(join(folder, name)).map((file) => join(name, file)))
    .sort((a, b) => (a < b ? -1 : 1))
    .map((file) => `${file}\n${readFileSync(join(folder, file), 'utf8')}`)
    .join('\n');
}

/** Everything but times. */
function outcomeOf(folder: string): string {
  const { totals } = CampaignFolder.read(folder).history;
  const { executions, steps, vacuous, cells } = totals;
  // what a finding says of its first record depends on how long the shards are
  const findings = [...totals.findings.values()].map(({ seconds, failure, ...rest }) => ({
    ...rest,
    failure: { ...failure, hits: rest.hits, last: rest.last },
  }));
  const sorted = [...cells].sort(([a], [b]) => (a < b ? -1 : 1));
  const counts = [executions, steps, vacuous, findings, sorted, totals.coverage.all];
  return `${JSON.stringify(counts)}\n${casesOf(folder)}`;
}

function say(text: string): void {
  process.stdout.write(`${((performance.now() - started) / 1000).toFixed(0)} s: ${text}\n`);
}

/** One campaign from its beginning to its end, struck at most so often. @returns how often it was */
async function struck(folder: string, most: number, setting: Setting): Promise<number> {
  let blows = 0;
  for (;;) {
    const blow = blows < most ? drawBlow() : undefined;
    const isNew = !existsSync(join(folder, 'campaign.json'));
    const words = isNew ? [...BUGS, '--out', folder] : ['--resume', folder];
    if (await session(words, blow, setting)) blows += 1;
    if (blow === 'torn record') tear(folder);
    if (blow === undefined) return blows;
    const isDone =
      existsSync(join(folder, 'campaign.json')) &&
      CampaignFolder.read(folder).history.totals.executions >= EXECUTIONS;
    // once more without a blow: findings whose minimising was cut short
    if (isDone) most = blows;
  }
}

const root = mkdtempSync(join(tmpdir(), 'stagewright-chaos-'));
const local = (jobs: string): Setting => ({ words: ['--jobs', jobs], workers: undefined });
let isSame = true;

function compare(folder: string, with_: string, what: string): void {
  const agrees = outcomeOf(folder) === with_;
  isSame &&= agrees;
  say(`${what}: ${agrees ? 'the same' : `DIFFERENT, kept in ${root}`}`);
}

const through = join(root, 'through');
await session([...BUGS, '--out', through], undefined, local('1'));
patience = Math.max(patience, PATIENCE_SHARE * (performance.now() - started));
const wanted = outcomeOf(through);
const { totals } = CampaignFolder.read(through).history;
say(
  `${totals.executions} executions with one worker: ${totals.findings.size} findings, ${totals.coverage.count('pairs')} pairs`,
);
for (const jobs of ['2', '8']) {
  const folder = join(root, `jobs-${jobs}`);
  await session([...BUGS, '--out', folder], undefined, local(jobs));
  compare(folder, wanted, `${jobs} workers`);
}

const redis = values.engine === 'bullmq' ? await TestRedis.start(root) : undefined;
const workers = redis === undefined ? undefined : new Workers(redis.url, Number(values.jobs));
const setting: Setting =
  redis === undefined
    ? local(values.jobs)
    : { words: ['--engine', 'bullmq', '--redis', redis.url], workers };
let blows = 0;
for (let round = 1; blows < KILLS && isSame; round += 1) {
  if ((performance.now() - started) / 1000 > Number(values.time)) break;
  const folder = join(root, `round-${round}`);
  blows += await struck(folder, KILLS - blows, setting);
  compare(folder, wanted, `campaign ${round}, ${blows} blows so far`);
}
workers?.stop();
await redis?.stop();
say(`${blows} blows survived: ${isSame ? 'the same' : 'DIFFERENT'} findings, cases and counts`);
if (isSame) rmSync(root, { recursive: true });
process.exitCode = isSame ? 0 : 1;
