/**
 * An invariant of a system's own data, which no general oracle can know. Systems write them next to their
 * data; one oracle evaluates them all.
 */
/** Moments other than the release of a lock. */
export const AT_END = -1;
/** Tested when a table page is freed. */
export const AT_TABLE_FREE = -2;

/** What a system states about its own data. */
export interface Invariant {
  /** A stable word: the rule that a violation names. */
  readonly id: string;
  readonly title: string;
  /** Lock at whose release it must hold, or the end of a finished run, or when a table page is freed. */
  readonly lock: number;
  /**
   * The page for which it does not hold (0 when it is about none); -1 when it holds.
   * @param freed the page about to be freed; -1 at other moments
   */
  broken(freed: number): number;
}
