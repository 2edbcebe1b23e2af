/**
 * An invariant of a system's own data, which no general oracle can know. Systems write them next to their
 * data; one oracle evaluates them all.
 */
export interface Invariant {
  /** A stable word: the rule that a violation names. */
  readonly id: string;
  readonly title: string;
  /** Lock at whose release it must hold; -1 for the end of a run whose program has finished. */
  readonly lock: number;
  /** The page for which it does not hold (0 when it is about none); -1 when it holds. */
  broken(): number;
}
