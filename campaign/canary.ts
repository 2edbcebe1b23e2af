/**
 * The canary of a campaign: a system that fails on purpose at a known rate. One execution in a hundred is its,
 * and goes through all that other executions go through: found, grouped, minimised, kept, told. When its rate
 * leaves the band, something between the generator and the report does not work.
 */
import { canary } from '../models/canary/index.ts';
import { type CampaignPlan, planOf } from './task.ts';
import { Totals } from './totals.ts';

/** Executions of the canary that are due for every hundred times as many of the campaign. */
export const CANARY_BLOCK = 128;
const SHARE = 100;

/**
 * Failures of the canary by strategy, measured once by `bench/canary-rates.ts`. Schedules of one program
 * resemble each other: the spread is the variance of hits over that of independent executions.
 */
const MEASURED: Readonly<
  Record<string, readonly [hits: number, executions: number, spread: number]>
> = {
  portfolio: [19_321, 100_000, 2.3],
  random: [5783, 40_000, 2.9],
  pct: [4707, 40_000, 1.7],
  timed: [12_708, 40_000, 3.0],
  sticky: [9734, 40_000, 2.6],
  urw: [8230, 40_000, 3.6],
  pos: [5529, 40_000, 2.3],
  // the canary does not learn: a random walk that stays with an actor more or less
  guided: [7964, 40_000, 2.6],
};
/** Standard deviations that hold 99.99 % of a normal distribution. */
const DEVIATIONS = 3.89;

export interface CanaryHealth {
  readonly executions: number;
  readonly hits: number;
  /** Hits between these are as expected. */
  readonly low: number;
  readonly high: number;
  readonly signatures: number;
  readonly minimised: number;
  readonly isRed: boolean;
}

export class Canary {
  readonly plan: CampaignPlan;
  readonly totals: Totals;
  readonly #strategy: string;

  constructor({ seed, strategy }: CampaignPlan, totals = new Totals()) {
    const bugs = canary.bugs.map(({ id }) => id);
    const target = { system: canary, configurations: canary.configurations, bugs };
    this.plan = planOf(seed, [target], strategy ?? undefined);
    this.#strategy = strategy ?? 'portfolio';
    this.totals = totals;
  }

  /** Whether a block is due after so many executions of the campaign. */
  isDue(executions: number): boolean {
    return (this.totals.executions + CANARY_BLOCK) * SHARE <= executions;
  }

  get health(): CanaryHealth {
    const { executions, findings } = this.totals;
    const known = [...findings.values()];
    const hits = known.reduce((sum, finding) => sum + finding.hits, 0);
    const [measured, of, spread] = MEASURED[this.#strategy] ?? MEASURED.portfolio!;
    const rate = measured / of;
    // the rate itself is an estimate
    const deviation =
      executions * Math.sqrt(spread * rate * (1 - rate) * (1 / Math.max(1, executions) + 1 / of));
    const low = Math.max(0, Math.floor(executions * rate - DEVIATIONS * deviation - 1));
    const high = Math.ceil(executions * rate + DEVIATIONS * deviation + 1);
    return {
      executions,
      hits,
      low,
      high,
      signatures: known.length,
      minimised: known.filter(({ found }) => found !== undefined).length,
      isRed: hits < low || hits > high,
    };
  }
}

/** Campaigns over the canary itself have none. */
export function hasCanary({ targets }: CampaignPlan): boolean {
  return targets.every(({ system }) => system !== canary.id);
}

export function canaryText({ health }: { readonly health: CanaryHealth | undefined }): string {
  if (health === undefined || health.executions === 0) return '';
  const { hits, low, high, isRed } = health;
  return isRed
    ? `CANARY RED: ${hits} hits, ${low} to ${high} expected`
    : `canary ${hits} hits (${low} to ${high})`;
}
