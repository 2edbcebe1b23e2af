/**
 * Weights of a portfolio, chosen on some bugs and judged on others. A mixture finds a bug at the mean of the rates of its
 * strategies (schedules of one program are taken for independent, which they are not quite).
 */

/** Executions per find, by strategy. */
export type Costs = ReadonlyMap<string, number>;

const WEIGHT_MAX = 6;

/** Geometric mean over bugs of the speed-up over `random`. */
export function speedUpOf(weights: ReadonlyMap<string, number>, bugs: readonly Costs[]): number {
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  const logs = bugs.map((costs) => {
    let rate = 0;
    for (const [id, weight] of weights) rate += weight / total / costs.get(id)!;
    return Math.log(rate * costs.get('random')!);
  });
  return Math.exp(logs.reduce((sum, log) => sum + log, 0) / Math.max(1, bugs.length));
}

/** Whole weights that no change of a single one makes better, by climbing from equal ones. */
export function bestWeights(
  strategies: readonly string[],
  bugs: readonly Costs[],
): ReadonlyMap<string, number> {
  let best = new Map(strategies.map((id) => [id, 2]));
  let value = speedUpOf(best, bugs);
  for (let isBetter = true; isBetter; ) {
    isBetter = false;
    for (const id of strategies) {
      for (let weight = 0; weight <= WEIGHT_MAX; weight += 1) {
        const tried = new Map(best).set(id, weight);
        if ([...tried.values()].every((one) => one === 0)) continue;
        const reached = speedUpOf(tried, bugs);
        if (reached <= value + 1e-9) continue;
        best = tried;
        value = reached;
        isBetter = true;
      }
    }
  }
  return best;
}
