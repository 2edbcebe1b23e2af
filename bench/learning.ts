/**
 * What learning is worth on correct models, and each signal by itself: keys covered by so many executions of a system, and how
 * long they took. Ablation: the campaign learns from one signal only, or from executions that were not chosen for what they
 * covered; all variants are measured by all signals.
 *
 *   npx tsx bench/learning.ts [--system ID,...] [--executions 16384] [--seeds 3] [--time SECONDS]
 */
import { parseArgs } from 'node:util';
import { configurationsOf } from '../campaign/options.ts';
import { isLookedAt } from '../campaign/task.ts';
import { Coverage, SIGNALS, type Signal } from '../fuzz/coverage.ts';
import { Executor } from '../fuzz/execution.ts';
import type { Session } from '../fuzz/session.ts';
import { Sessions } from '../fuzz/sessions.ts';
import { SYSTEMS } from '../models/registry.ts';
import type { System } from '../models/system.ts';
import { Pupil } from './hunt.ts';

const { values } = parseArgs({
  options: {
    system: { type: 'string', default: 'kvm-arm64,kvm-x86-tdp,xen-arm' },
    executions: { type: 'string', default: '16384' },
    seeds: { type: 'string', default: '3' },
    time: { type: 'string', default: '600' },
  },
});
const EXECUTIONS = Number(values.executions);

const VARIANTS: readonly (readonly [name: string, signals: readonly Signal[] | undefined])[] = [
  ['no learning', undefined],
  ['learning', SIGNALS],
  ['pairs only', ['pairs']],
  ['states only', ['states']],
  ['segments only', ['segments']],
  ['no coverage', []],
];

interface Covered {
  readonly keys: Record<Signal, number>;
  readonly seconds: number;
  readonly steps: number;
}

function cover(system: System, seed: number, signals: readonly Signal[] | undefined): Covered {
  const configurations = configurationsOf(system, undefined, undefined);
  const executor = new Executor(
    seed,
    [{ system, configurations, bugs: [] }],
    undefined,
    new Sessions(),
  );
  const looks = new Map<Session, Coverage>();
  const pupil = signals === undefined ? undefined : new Pupil(executor, signals, looks);
  const known = {
    pairs: new Set<number>(),
    states: new Set<number>(),
    segments: new Set<number>(),
  };
  const started = performance.now();
  let steps = 0;
  for (let index = 0; index < EXECUTIONS; index += 1) {
    pupil?.before(index);
    const { session, result } = executor.run(index);
    steps += result.steps;
    if (isLookedAt(index)) {
      const look = looks.get(session) ?? new Coverage(session);
      looks.set(session, look);
      look.read();
      for (const signal of SIGNALS) for (const key of look[signal]) known[signal].add(key);
    }
    pupil?.after(index, session);
  }
  const seconds = (performance.now() - started) / 1000;
  const keys = {
    pairs: known.pairs.size,
    states: known.states.size,
    segments: known.segments.size,
  };
  return { keys, seconds, steps };
}

const mean = (list: readonly number[]): number =>
  list.reduce((sum, one) => sum + one, 0) / Math.max(1, list.length);

const started = performance.now();
process.stdout.write(
  '| system | variant | seeds | pairs | states | segments | steps/execution | seconds |\n',
);
process.stdout.write('|---|---|--:|--:|--:|--:|--:|--:|\n');
for (const system of SYSTEMS.filter(({ id }) => values.system.split(',').includes(id))) {
  const runs = VARIANTS.map((): Covered[] => []);
  for (let seed = 1; seed <= Number(values.seeds); seed += 1) {
    if ((performance.now() - started) / 1000 > Number(values.time)) break;
    VARIANTS.forEach(([, signals], index) => {
      runs[index]!.push(cover(system, seed, signals));
    });
  }
  VARIANTS.forEach(([name], index) => {
    const own = runs[index]!;
    const cells = [
      system.id,
      name,
      String(own.length),
      ...SIGNALS.map((signal) => mean(own.map(({ keys }) => keys[signal])).toFixed(0)),
      (mean(own.map(({ steps }) => steps)) / EXECUTIONS).toFixed(0),
      mean(own.map(({ seconds }) => seconds)).toFixed(1),
    ];
    process.stdout.write(`| ${cells.join(' | ')} |\n`);
  });
}
