/**
 * How often the canary fails under each strategy, for the table in `campaign/canary.ts`. Schedules of one
 * program resemble each other, so their hits vary more than those of as many programs: the last number of a
 * row is the variance over that of independent executions.
 */
import { Executor, SCHEDULES } from '../fuzz/execution.ts';
import { Sessions } from '../fuzz/sessions.ts';
import { STRATEGIES } from '../fuzz/strategies/registry.ts';
import { canary } from '../models/canary/index.ts';

const SEED = 20260101;
const PORTFOLIO_RUNS = 100_000;
const STRATEGY_RUNS = 40_000;

const target = {
  system: canary,
  configurations: canary.configurations,
  bugs: canary.bugs.map(({ id }) => id),
};
for (const strategy of [undefined, ...STRATEGIES.map(({ id }) => id)]) {
  const executions = strategy === undefined ? PORTFOLIO_RUNS : STRATEGY_RUNS;
  const executor = new Executor(SEED, [target], strategy, new Sessions());
  const hits = new Array<number>(executions / SCHEDULES).fill(0);
  for (let index = 0; index < executions; index += 1) {
    if (executor.run(index).result.violation !== undefined) {
      hits[Math.floor(index / SCHEDULES)]! += 1;
    }
  }
  const all = hits.reduce((sum, count) => sum + count, 0);
  const rate = all / executions;
  const mean = all / hits.length;
  const variance = hits.reduce((sum, count) => sum + (count - mean) ** 2, 0) / (hits.length - 1);
  const spread = variance / (SCHEDULES * rate * (1 - rate));
  process.stdout.write(
    `  ${strategy ?? 'portfolio'}: [${all}, ${executions}, ${spread.toFixed(1)}],\n`,
  );
}
