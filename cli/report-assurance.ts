/**
 * What a campaign shows and what it does not, in one paragraph: what was sampled, an estimate of what these strategies could
 * still reach, and what was explored exhaustively beside it (documents of `explore --json` in the folder).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { UsageError } from '../campaign/options.ts';
import { grouped, type Summary } from './report-model.ts';
import { exploreSchema, pairsSchema } from './schemas.ts';

const exploredSchema = z.discriminatedUnion('command', [exploreSchema, pairsSchema]);
export type Explored = z.infer<typeof exploredSchema>;

/** Documents of `explore --json` and `explore --pairs --json` in a campaign's folder, named explore*.json. */
export function readExplored(folder: string): readonly Explored[] {
  const names = readdirSync(folder).filter((name) => /^explore.*\.json$/.test(name));
  return names.sort().map((name) => {
    const file = join(folder, name);
    let value: unknown;
    try {
      value = JSON.parse(readFileSync(file, 'utf8'));
    } catch {
      throw new UsageError(`${file} is no JSON; "explore FILE --json" writes what is allowed`);
    }
    const read = exploredSchema.safeParse(value);
    if (read.success) return read.data;
    const [issue] = read.error.issues;
    throw new UsageError(
      `${file}: ${issue?.path.join('.')}: ${issue?.message}; "explore FILE --json" writes what is allowed`,
    );
  });
}

export function assurance(summary: Summary, explored: readonly Explored[]): string {
  return [...sampled(summary), ...exhausted(explored)].join(' ');
}

function sampled({ executions, systems }: Summary): readonly string[] {
  const seen = systems.reduce((sum, { coverage }) => sum + coverage.pairs.seen, 0);
  const unseen = systems.reduce((sum, { coverage }) => sum + coverage.pairs.unseen, 0);
  const goals = systems.flatMap((system) => system.goals);
  const reached = goals.filter((goal) => goal.reached).length;
  return [
    `Sampled: ${grouped(executions)} executions, drawn at random; what they did not come to, nobody has looked at.`,
    `They covered ${grouped(seen)} conflict pairs; by an estimate (Chao 1987, a lower bound) these strategies and programs can reach about ${grouped(unseen)} more.`,
    ...(goals.length > 0 ? [`Goals of the systems: ${reached} of ${goals.length} reached.`] : []),
  ];
}

function exhausted(explored: readonly Explored[]): readonly string[] {
  if (explored.length === 0)
    return ['Nothing was explored exhaustively beside it (docs/campaigns.md, The report).'];
  return explored.map((one) => {
    const { switches, answers } = one.bound;
    const bound = `${within(switches, 'switch', 'switches')} and ${within(answers, 'answer', 'answers')} other than the default`;
    if (one.command === 'explore') {
      const whole = one.complete ? 'All' : 'Not all';
      return (
        `Explored: ${one.file}. ${whole} inequivalent schedules with ${bound} were run ` +
        `(${grouped(one.executions)} executions, ${one.findings.length} findings).`
      );
    }
    const complete = one.pairs.filter((pair) => pair.complete).length;
    const findings = one.pairs.reduce((sum, pair) => sum + pair.findings.length, 0);
    return (
      `Explored: a small program for each of ${one.pairs.length} pairs of operations of ${one.system} in ${one.configuration}. ` +
      `For ${complete} of them all inequivalent schedules with ${bound} were run (${findings} findings).`
    );
  });
}

function within(most: number | null, one: string, many: string): string {
  if (most === null) return `any number of ${many}`;
  return `at most ${most} ${most === 1 ? one : many}`;
}
