/** The list of strategies. A new one is one file and one line here. */
import type { Scheduler } from '../../sim/scheduler.ts';
import type { Random } from '../random.ts';
import type { Temper } from '../temper.ts';
import { PctStrategy } from './pct.ts';
import { RandomStrategy } from './random.ts';
import { TimedStrategy } from './timed.ts';

export interface StrategySpec {
  readonly id: string;
  readonly title: string;
  /** Share of executions in a mixed campaign. */
  readonly weight: number;
  /** @param length estimated events of the run */
  create(random: Random, temper: Temper, length: number): Scheduler;
}

export const STRATEGIES: readonly StrategySpec[] = Object.freeze([
  {
    id: 'random',
    title: 'uniform random walk over everything enabled; the reference',
    weight: 4,
    create: (random: Random, temper: Temper) => new RandomStrategy(random, temper),
  },
  {
    id: 'pct',
    title: 'random priorities with 1 to 4 change points (Burckhardt et al. 2010)',
    weight: 4,
    create: (random: Random, temper: Temper, length: number) =>
      new PctStrategy(random, temper, 2 + random.below(4), length),
  },
  {
    id: 'timed',
    title: 'by virtual time, with drawn speeds and delays',
    weight: 3,
    create: (random: Random, temper: Temper) => new TimedStrategy(random, temper),
  },
]);

export function findStrategy(id: string): StrategySpec | undefined {
  return STRATEGIES.find((strategy) => strategy.id === id);
}
