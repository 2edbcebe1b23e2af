/**
 * What became of signatures between two campaigns:
 *
 *   new        not seen by the earlier one
 *   ongoing    seen by both
 *   rare       seen by the earlier one, and this one is too short to miss it
 *   resolved   seen by the earlier one, and this one should have seen it: at its old rate, it would have missed it
 *              once in a hundred campaigns
 *   regressed  resolved in the earlier one, and here again
 */
import type { Finding, Totals } from './totals.ts';

export const LifeState = {
  New: 'new',
  Ongoing: 'ongoing',
  Rare: 'rare',
  Resolved: 'resolved',
  Regressed: 'regressed',
} as const;
export type LifeState = (typeof LifeState)[keyof typeof LifeState];

/** Expected hits from which none at all means that it is gone: e to the minus this is 1 %. */
const HITS_TO_RESOLVE = 4.6;

/** What a later campaign needs to know of this one. */
export interface Known {
  readonly key: string;
  readonly signature: string;
  readonly state: LifeState;
  readonly hits: number;
  /** Executions in which it was hit so often. */
  readonly executions: number;
}

/** Signatures of this campaign and of the earlier one, by key. @param before undefined: nothing is known */
export function lifecycle(totals: Totals, before: readonly Known[] | undefined): readonly Known[] {
  const earlier = new Map((before ?? []).map((known) => [known.key, known]));
  const here = [...totals.findings.values()].map((finding) =>
    lifeOf(finding, totals.executions, earlier.get(finding.failure.key)),
  );
  const gone = [...earlier.values()]
    .filter(({ key }) => !totals.findings.has(key))
    .map((known): Known => ({ ...known, state: absent(known, totals.executions) }));
  return [...here, ...gone].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

function lifeOf({ failure, hits }: Finding, executions: number, known: Known | undefined): Known {
  const { key, signature } = failure;
  const state =
    known === undefined
      ? LifeState.New
      : known.state === LifeState.Resolved
        ? LifeState.Regressed
        : LifeState.Ongoing;
  return { key, signature, state, hits, executions };
}

function absent(known: Known, executions: number): LifeState {
  if (known.state === LifeState.Resolved) return LifeState.Resolved;
  const expected = (known.hits * executions) / Math.max(1, known.executions);
  return expected >= HITS_TO_RESOLVE ? LifeState.Resolved : LifeState.Rare;
}
