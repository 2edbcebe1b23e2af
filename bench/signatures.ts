/**
 * Whether one bug is one finding: hunts bugs of the zoo with many seeds and groups the first failing execution of each hunt
 * by its coarse signature. A bug with two groups is split; a group of two bugs is a merge.
 *
 *   npx tsx bench/signatures.ts [--seeds 20] [--bugs A05,A07,... | --all] [--executions 3000] [--time SECONDS]
 */
import { parseArgs } from 'node:util';
import { bugNamed, configurationsOf, type SystemBug } from '../campaign/options.ts';
import { Executor } from '../fuzz/execution.ts';
import { Sessions } from '../fuzz/sessions.ts';
import { coarseSignature } from '../fuzz/signature.ts';
import { SYSTEMS } from '../models/registry.ts';

/** Twelve that break twelve promises, in three systems. */
const BUGS = 'A05,A07,A16,A45,A37,M03,M14-,V05-device,K03,K13,X01a,X12';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    bugs: { type: 'string', default: BUGS },
    all: { type: 'boolean', default: false },
    executions: { type: 'string', default: '3000' },
    time: { type: 'string', default: '600' },
  },
});

/** Hits by signature, and the seeds with which nothing was found. */
interface Groups {
  readonly hits: Map<string, number>;
  missed: number;
}

function hunt({ system, bug }: SystemBug, seeds: number): Groups {
  const sessions = new Sessions();
  const configurations = configurationsOf(system, bug.configuration, undefined);
  const target = { system, configurations, bugs: [bug.id] };
  const groups: Groups = { hits: new Map(), missed: 0 };
  for (let seed = 0; seed < seeds; seed += 1) {
    const signature = firstSignature(new Executor(7000 + seed, [target], undefined, sessions));
    if (signature === undefined) {
      groups.missed += 1;
      // what is found once in thousands of executions would take all of the time
      if (groups.missed > 1 && groups.hits.size === 0) break;
    } else groups.hits.set(signature, (groups.hits.get(signature) ?? 0) + 1);
  }
  return groups;
}

function firstSignature(executor: Executor): string | undefined {
  for (let index = 0; index < Number(values.executions); index += 1) {
    const { session, target, result } = executor.run(index);
    if (result.violation !== undefined)
      return `${target.system.id} ${coarseSignature(session, result.violation)}`;
  }
  return undefined;
}

const systems = SYSTEMS.filter(({ id }) => id !== 'canary');
const hunted: readonly SystemBug[] = values.all
  ? systems.flatMap((system) => system.bugs.map((bug) => ({ system, bug })))
  : values.bugs.split(',').map((text) => bugNamed(text, systems));
const owners = new Map<string, string[]>();
let found = 0;
let findings = 0;
let inLargest = 0;
const started = performance.now();
for (const one of hunted) {
  if ((performance.now() - started) / 1000 > Number(values.time)) break;
  const { hits, missed } = hunt(one, Number(values.seeds));
  if (hits.size === 0) continue;
  const sorted = [...hits].sort(([, a], [, b]) => b - a);
  found += 1;
  for (const [signature, count] of sorted) {
    findings += count;
    owners.set(signature, [...(owners.get(signature) ?? []), one.bug.id]);
  }
  inLargest += sorted[0]![1];
  const note = missed === 0 ? '' : ` (${missed} seeds found nothing)`;
  process.stdout.write(`${one.bug.id}: ${hits.size} group${hits.size > 1 ? 's' : ''}${note}\n`);
  for (const [signature, count] of sorted) process.stdout.write(`  ${count} x ${signature}\n`);
}
const merges = [...owners].filter(([, bugs]) => bugs.length > 1);
for (const [signature, bugs] of merges)
  process.stdout.write(`merged: ${bugs.join(', ')} in ${signature}\n`);
const share = ((100 * inLargest) / Math.max(1, findings)).toFixed(1);
process.stdout.write(
  `${found} bugs, ${findings} findings, ${owners.size} groups, ${merges.length} merges; ` +
    `${share} % of the findings are in the largest group of their bug\n`,
);
