/** What an exploration is asked, and what it answers. docs/explore.md says what a complete one certifies. */
import type { Violation } from '../../oracles/oracle.ts';
import type { Answers } from '../../sim/scheduler.ts';
import type { Program } from '../program.ts';

/** What is explored; a case or a plan will do, their order and choices play no part. */
export interface Subject {
  readonly program: Program;
  readonly parameters: Readonly<Record<string, number>>;
}

export interface Bounds {
  /** Switches of an execution at most; undefined: any number. */
  readonly switches?: number | undefined;
  /** Answers of an execution that differ from their default at most; undefined: any number. */
  readonly answers?: number | undefined;
  /** Executions that may be spent. */
  readonly executions?: number | undefined;
  /** Asked after every execution; false ends the search. Time limits come from above. */
  readonly goesOn?: (progress: Progress) => boolean;
  /** For comparisons: every order is run, equivalent or not. */
  readonly isUnpruned?: boolean;
}

export interface Progress {
  readonly executions: number;
  readonly classes: number;
  /** Schedules known and not yet run. */
  readonly pending: number;
  /** Switches of the schedules that are being run. */
  readonly switches: number;
  /** Share of the executions known so far that is done, 0 to 1: the search is at most that far. */
  readonly fraction: number;
  readonly findings: number;
}

/** A violation, and the first schedule (one with the fewest switches) that leads to it. */
export interface ExploredFinding {
  /** Coarse signature. */
  readonly signature: string;
  readonly violation: Violation;
  readonly switches: number;
  /** Answers that differ from their default. */
  readonly answersChanged: number;
  readonly answers: Answers;
  /** Inequivalent executions that end with it. */
  hits: number;
}

/** Why the search ended. */
export type Ended = 'all' | 'executions' | 'stopped';

export interface Exploration {
  readonly ended: Ended;
  /**
   * Every execution within `switches` and `answers` is equivalent to one that was run to its end. False
   * when the search ended early or some execution ran out of steps.
   */
  readonly complete: boolean;
  /** Complete, and no schedule was left out because of the bounds: nothing else exists. */
  readonly unbounded: boolean;
  /** Runs from the start, over all passes. */
  readonly executions: number;
  /** Inequivalent executions that ended: all classes when complete. */
  readonly classes: number;
  /** Of the executions: ended early where an earlier one had been. */
  readonly pruned: number;
  /** Executions that ran out of steps and were judged in the fair tail only. */
  readonly truncated: number;
  /** Passes over the search: one more than the times that something was learned. */
  readonly passes: number;
  /** Classes by the least number of switches that shows them. */
  readonly bySwitches: readonly number[];
  readonly endStates: ReadonlySet<string>;
  readonly findings: readonly ExploredFinding[];
  readonly events: number;
  readonly progress: Progress;
}
