/** The list of strategies. A new one is one file and one line here. */
import type { Answers, Scheduler } from '../../sim/scheduler.ts';
import type { Random } from '../random.ts';
import type { Temper } from '../temper.ts';
import { GuidedStrategy } from './guided.ts';
import { PctStrategy } from './pct.ts';
import { PosStrategy } from './pos.ts';
import { RandomStrategy } from './random.ts';
import { StickyStrategy } from './sticky.ts';
import { TimedStrategy } from './timed.ts';
import { UrwStrategy } from './urw.ts';

export interface StrategySpec {
  readonly id: string;
  readonly title: string;
  /** Share of executions in a mixed campaign; 0 for one that only programs from its corpus get. */
  readonly weight: number;
  /**
   * @param expected estimated events of the run, by actor of the machine
   * @param recorded schedule of the run that the program was mutated from
   */
  create(
    random: Random,
    temper: Temper,
    expected: readonly number[],
    recorded?: Answers,
  ): Scheduler;
}

export const GUIDED: StrategySpec = {
  id: 'guided',
  title: 'mutations of programs and schedules that covered something new',
  weight: 0,
  create: (random, temper, _expected, recorded) => new GuidedStrategy(random, temper, recorded),
};

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
    create: (random: Random, temper: Temper, expected: readonly number[]) =>
      new PctStrategy(random, temper, 2 + random.below(4), sum(expected)),
  },
  {
    id: 'timed',
    title: 'by virtual time, with drawn speeds and delays',
    weight: 3,
    create: (random: Random, temper: Temper) => new TimedStrategy(random, temper),
  },
  {
    id: 'sticky',
    title: 'random walk that stays with an actor for 2 to 10 events on average',
    weight: 3,
    create: (random: Random, temper: Temper) => new StickyStrategy(random, temper),
  },
  {
    id: 'urw',
    title: 'random walk weighted by what each actor has still to do (Zhao et al. 2025)',
    weight: 3,
    create: (random: Random, temper: Temper, expected: readonly number[]) =>
      new UrwStrategy(random, temper, expected),
  },
  {
    id: 'pos',
    title: 'random priorities, drawn anew for events that race (Yuan et al. 2018)',
    weight: 2,
    create: (random: Random, temper: Temper) => new PosStrategy(random, temper),
  },
  GUIDED,
]);

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

export function findStrategy(id: string): StrategySpec | undefined {
  return STRATEGIES.find((strategy) => strategy.id === id);
}
