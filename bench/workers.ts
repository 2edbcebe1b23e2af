/**
 * What a second worker is worth: one campaign with two workers, beside two campaigns with one worker each that run at the
 * same time, in turns. 1 would be perfect; on a machine with less than two free cores both lose alike.
 *
 *   npm run build && npx tsx bench/workers.ts [--rounds 5] [--seconds 30] [--workers 2]
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '30' },
    workers: { type: 'string', default: '2' },
  },
});
const WORKERS = Number(values.workers);
const root = mkdtempSync(join(tmpdir(), 'stagewright-workers-'));
let folders = 0;

/** Executions per second of a campaign. */
async function rate(jobs: number): Promise<number> {
  folders += 1;
  const folder = join(root, String(folders));
  const words = ['fuzz', '--time', `${values.seconds}s`, '--jobs', String(jobs), '--json'];
  const main = ['--min-semi-space-size=16', 'dist/cli/main.js', ...words, '--out', folder];
  const child = spawn(process.execPath, main, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(`a clean campaign ended with ${code}`);
  const { executions, seconds } = JSON.parse(text) as { executions: number; seconds: number };
  return executions / seconds;
}

const ratios: number[] = [];
for (let round = 1; round <= Number(values.rounds); round += 1) {
  const together = await rate(WORKERS);
  const alone = await Promise.all(Array.from({ length: WORKERS }, () => rate(1)));
  const sum = alone.reduce((total, one) => total + one, 0);
  ratios.push(together / sum);
  process.stdout.write(
    `round ${round}: ${together.toFixed(0)}/s with ${WORKERS} workers, ${sum.toFixed(0)}/s of ${WORKERS} campaigns: ${(together / sum).toFixed(3)}\n`,
  );
}
const median = ratios.sort((a, b) => a - b)[Math.floor(ratios.length / 2)]!;
process.stdout.write(`median ${median.toFixed(3)} (at least 0.9 is wanted)\n`);
rmSync(root, { recursive: true });
process.exitCode = median >= 0.9 ? 0 : 1;
