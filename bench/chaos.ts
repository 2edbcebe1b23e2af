/**
 * `npx tsx bench/chaos.ts`: a campaign that is killed again and again (kill -9, Ctrl-C, a torn record, a full
 * disk) and resumed must end as the one that went through: the same findings, cases and counts.
 * Options: --kills N (200), --executions N (20000), --jobs N (2), --seed N (1).
 */
import { spawn } from 'node:child_process';
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
import { CampaignFolder } from '../campaign/folder.ts';
import { Random } from '../fuzz/random.ts';

function option(name: string, otherwise: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
}

const KILLS = option('kills', 200);
const EXECUTIONS = option('executions', 20_000);
const JOBS = option('jobs', 2);
const random = new Random(option('seed', 1));

const BUGS = ['canary-free', 'A07', 'A42'].flatMap((bug) => ['--bug', bug]);
const LIMITS = ['--runs', String(EXECUTIONS), '--jobs', String(JOBS), '--json'];

type Blow = 'kill' | 'interrupt' | 'full disk' | 'torn record';

/** Runs the command line; `blow` comes after some seconds when it is not over by then. */
async function session(words: readonly string[], blow: Blow | undefined): Promise<string> {
  const main = ['--import=tsx', 'cli/main.ts', 'fuzz', ...words, ...LIMITS];
  // a limit on the size of files stands for a disk that fills up while the journal is written
  const shell = `ulimit -f ${4 + random.below(60)}; exec "$0" "$@"`;
  const child =
    blow === 'full disk'
      ? spawn('bash', ['-c', shell, process.execPath, ...main])
      : spawn(process.execPath, main);
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  const ended = new Promise((resolve) => child.on('close', resolve));
  if (blow === 'kill' || blow === 'torn record' || blow === 'interrupt') {
    await Promise.race([ended, pause(1200 + random.below(3000))]);
    child.kill(blow === 'interrupt' ? 'SIGINT' : 'SIGKILL');
  }
  await ended;
  return stdout;
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
function countsOf(folder: string): string {
  const { totals } = CampaignFolder.read(folder).history;
  const { executions, steps, vacuous, cells } = totals;
  const findings = [...totals.findings.values()].map(({ seconds, ...rest }) => rest);
  const sorted = [...cells].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([executions, steps, vacuous, findings, sorted, totals.coverage.all]);
}

const root = mkdtempSync(join(tmpdir(), 'stagewright-chaos-'));
const through = join(root, 'through');
const hit = join(root, 'hit');
process.stdout.write(`${EXECUTIONS} executions with ${JOBS} workers, once through\n`);
await session([...BUGS, '--out', through], undefined);
let done = 0;
let blows = 0;
while (done < EXECUTIONS) {
  const blow =
    blows < KILLS
      ? random.pick<Blow>(['kill', 'kill', 'interrupt', 'full disk', 'torn record'])
      : undefined;
  const isNew = !existsSync(join(hit, 'campaign.json'));
  await session(isNew ? [...BUGS, '--out', hit] : ['--resume', hit], blow);
  if (blow !== undefined) blows += 1;
  const journal = join(hit, 'journal.jsonl');
  if (!existsSync(journal)) continue;
  if (blow === 'torn record') {
    const bytes = readFileSync(journal);
    appendFileSync(journal, bytes.subarray(0, 1 + random.below(Math.max(1, bytes.length - 1))));
  }
  done = blow === 'torn record' ? done : CampaignFolder.read(hit).history.totals.executions;
  if (blows % 10 === 0) process.stdout.write(`${blows} blows, ${done} executions\n`);
}
// a last time: findings whose minimising was cut short
await session(['--resume', hit], undefined);
const isSame = countsOf(hit) === countsOf(through) && casesOf(hit) === casesOf(through);
process.stdout.write(
  `${blows} blows survived: ${isSame ? 'the same' : 'DIFFERENT'} findings, cases and counts\n`,
);
if (isSame) rmSync(root, { recursive: true });
else process.stdout.write(`kept in ${root}\n`);
process.exitCode = isSame ? 0 : 1;
