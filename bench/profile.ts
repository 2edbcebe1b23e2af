/**
 * `npm run profile -- SYSTEM`: where the time of a campaign goes, by part of Stagewright and by function. Samples
 * the executions of seed 1 with V8's profiler, after a warm-up; no worker threads.
 */
import { Session as Inspector } from 'node:inspector/promises';
import { targetsOf } from '../campaign/options.ts';
import { Executor } from '../fuzz/execution.ts';
import { Sessions } from '../fuzz/sessions.ts';

const WARM_UP = 10_000;
const EXECUTIONS = 60_000;
const FUNCTIONS = 25;
const ROOT = new URL('..', import.meta.url).href;

interface Sample {
  /** Folder and file below the project, or what V8 says of its own work. */
  readonly part: string;
  readonly name: string;
  readonly microseconds: number;
}

async function profile(system: string): Promise<readonly Sample[]> {
  const targets = targetsOf({
    systems: [system],
    bugs: [],
    configuration: undefined,
    fidelity: undefined,
  });
  const executor = new Executor(1, targets, undefined, new Sessions());
  for (let index = 0; index < WARM_UP; index += 1) executor.run(index);
  const inspector = new Inspector();
  inspector.connect();
  await inspector.post('Profiler.enable');
  await inspector.post('Profiler.setSamplingInterval', { interval: 200 });
  await inspector.post('Profiler.start');
  const started = performance.now();
  for (let index = WARM_UP; index < WARM_UP + EXECUTIONS; index += 1) executor.run(index);
  const seconds = (performance.now() - started) / 1000;
  const { profile: taken } = await inspector.post('Profiler.stop');
  process.stdout.write(
    `${system}: ${Math.round(EXECUTIONS / seconds)} executions/s while profiled\n`,
  );
  const frames = new Map(taken.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const deltas = taken.timeDeltas ?? [];
  return (taken.samples ?? []).map((id, index) => {
    const { url, functionName } = frames.get(id)!;
    const part = url.startsWith(ROOT) ? url.slice(ROOT.length) : url === '' ? functionName : 'node';
    return { part, name: `${functionName} ${part}`, microseconds: deltas[index] ?? 0 };
  });
}

/** Shares of the whole by key, largest first. */
function shares(samples: readonly Sample[], keyOf: (sample: Sample) => string): [string, number][] {
  const sums = new Map<string, number>();
  let total = 0;
  for (const sample of samples) {
    const key = keyOf(sample);
    sums.set(key, (sums.get(key) ?? 0) + sample.microseconds);
    total += sample.microseconds;
  }
  return [...sums].map(([key, sum]): [string, number] => [key, sum / total]).sort(byShare);
}

function byShare([a, x]: [string, number], [b, y]: [string, number]): number {
  return y - x || (a < b ? -1 : 1);
}

function print(title: string, rows: readonly [string, number][]): void {
  process.stdout.write(`\n${title}\n`);
  for (const [key, share] of rows)
    process.stdout.write(`${(100 * share).toFixed(1).padStart(6)} %  ${key}\n`);
}

const samples = await profile(process.argv[2] ?? 'kvm-arm64');
print(
  'by part',
  shares(samples, ({ part }) => part.split('/')[0]!),
);
print('by function', shares(samples, ({ name }) => name).slice(0, FUNCTIONS));
