/**
 * Temper: how often choices get an answer other than the default, in 256ths, drawn per execution.
 */
import { siteOf } from '../sim/site.ts';
import type { Random } from './random.ts';

export interface Temper {
  /** Failed allocations. */
  readonly failure: number;
  /** What caches and walkers may do. */
  readonly hardware: number;
  /** Everything else, such as contended locks. */
  readonly other: number;
}

export const CALM: Temper = { failure: 0, hardware: 0, other: 0 };

const FAILURE = siteOf('choice.allocationFails');
const HARDWARE = new Set(
  [
    'walk.cacheLeaf',
    'walk.cacheCombined',
    'walk.cacheTable',
    'walk.useOther',
    'walk.speculativeAccess',
    'choice.evictOther',
  ].map(siteOf),
);

/** An answer below `alternatives`, the default unless the temper says otherwise. */
export function temperedAnswer(
  random: Random,
  temper: Temper,
  site: number,
  alternatives: number,
): number {
  const odds =
    site === FAILURE ? temper.failure : HARDWARE.has(site) ? temper.hardware : temper.other;
  if (odds === 0 || random.below(256) >= odds) return 0;
  return alternatives === 2 ? 1 : 1 + random.below(alternatives - 1);
}

/** A third of the executions is calm; the others turn some kinds of choices on. */
export function drawTemper(random: Random): Temper {
  if (random.chance(1, 3)) return CALM;
  const odds = [0, 0, 8, 32, 96];
  return {
    failure: random.pick([0, 0, 0, 4, 16]),
    hardware: random.pick(odds),
    other: random.pick([0, 64, 192]),
  };
}
