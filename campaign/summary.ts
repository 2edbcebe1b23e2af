/** What `fuzz --json` prints, and summary.json in a campaign's folder: the same with more detail. */
import { join } from 'node:path';
import { configurationIn, systemIn } from '../fuzz/catalogue.ts';
import { SIGNALS } from '../fuzz/coverage.ts';
import type { CampaignResult } from './campaign.ts';
import { catalogue } from './catalogue.ts';
import type { CampaignFolder } from './folder.ts';
import { lifecycle } from './lifecycle.ts';
import type { Cell } from './task.ts';
import { firstOf, sumCounts, type Totals } from './totals.ts';

/** The document of `fuzz --json` (fuzzSchema of cli/schemas.ts). @param folder where cases are, or undefined */
export function fuzzDocument(result: CampaignResult, folder: string | undefined): object {
  const { plan, jobs, totals, interrupted, seconds, findings } = result;
  const systems = [...new Set(plan.targets.map(({ system }) => system))];
  return {
    command: 'fuzz',
    seed: plan.seed,
    strategy: plan.strategy ?? 'portfolio',
    jobs,
    executions: totals.executions,
    steps: totals.steps,
    vacuous: totals.vacuous,
    seconds,
    interrupted,
    findings: findings.flatMap(({ failure, found, file, seconds: after }) => {
      if (found === undefined) return [];
      return {
        system: failure.system,
        bug: failure.bugs[0] ?? null,
        oracle: failure.oracle,
        signature: found.signature,
        case: folder === undefined ? file : join(folder, file),
        executions: failure.index,
        seconds: after,
        operations: found.operations,
        switches: found.switches,
        step: found.steps,
      };
    }),
    systems: systems.map((id) => systemDocument(id, totals)),
  };
}

function systemDocument(id: string, totals: Totals): object {
  const cells = new Map<string, Cell>();
  const own = [...totals.cells.values()].filter(({ system }) => system === id);
  for (const cell of own.sort((a, b) => (a.configuration < b.configuration ? -1 : 1))) {
    const known = cells.get(cell.configuration);
    const executions = (known?.executions ?? 0) + cell.executions;
    const counts = known === undefined ? cell : sumCounts(known, cell);
    cells.set(cell.configuration, { ...cell, ...counts, executions });
  }
  const none = {
    operations: {},
    oracles: Object.fromEntries(catalogue().oracles.map((oracle) => [oracle.id, 0])),
  };
  const total = [...cells.values()].reduce(sumCounts, none);
  return {
    system: id,
    configurations: Object.fromEntries([...cells].map(([name, cell]) => [name, cell.executions])),
    operations: total.operations,
    oracles: total.oracles,
    byConfiguration: Object.fromEntries(
      [...cells].map(([name, { operations, oracles }]) => {
        const goals = goalsOf(
          id,
          own.filter(({ configuration }) => configuration === name),
        );
        return [name, { operations, oracles, goals }];
      }),
    ),
    goals: goalsOf(id, own),
    coverage: Object.fromEntries(
      SIGNALS.map((signal) => [signal, totals.coverage.figures(id, signal)]),
    ),
    vacuous: own.reduce((sum, cell) => sum + cell.vacuous, 0),
  };
}

export interface GoalReached {
  readonly id: string;
  readonly reached: boolean;
  readonly first: number | null;
}

/** The goals that one of these cells can reach, in the order in which their system declares them. */
export function goalsOf(id: string, cells: readonly Cell[]): readonly GoalReached[] {
  const system = systemIn(catalogue(), id);
  const correct = cells.filter(({ bugs }) => bugs.length === 0);
  const configurations = correct.map(({ configuration }) => configurationIn(system, configuration));
  const reached = correct.map(({ goals }) => goals).reduce(firstOf, {});
  return system.goals
    .filter(({ isIn }) => configurations.some((one) => isIn?.(one) !== false))
    .map((goal) => {
      const first = reached[goal.id] ?? null;
      return { id: goal.id, reached: first !== null, first };
    });
}

/** The document of summary.json (summarySchema of cli/schemas.ts): cases are named within the folder. */
export function folderSummary(
  result: CampaignResult,
  { history, manifest }: CampaignFolder,
): object {
  return {
    ...fuzzDocument(result, undefined),
    command: 'campaign',
    details: result.findings.map(({ failure, found, file, hits, last }) => ({
      signature: failure.signature,
      fine: found?.fine ?? null,
      case: found === undefined ? null : file,
      strategy: failure.strategy,
      hits,
      first: failure.index,
      last,
      explanation: found?.explanation ?? [],
    })),
    met: result.totals.met.map(({ system, bugs, signature, by, file }) => ({
      system,
      bug: bugs[0] ?? null,
      signature,
      by,
      case: file,
    })),
    canary: result.health ?? null,
    lifecycle: lifecycle(result.totals, manifest.before ?? undefined),
    sessions: history.sessions,
    curve: history.curve,
  };
}
