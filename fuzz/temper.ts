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
