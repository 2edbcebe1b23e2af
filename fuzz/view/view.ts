/**
 * A run as data for people to step through: rows in lanes, events, arrows, and the state of the machine as a
 * list of changes. The trace viewer and `replay --step` show it; neither knows the machine.
 *
 * Columns are plain arrays of numbers that name entries of tables, so that 100,000 rows stay small.
 */

/** Everything that the viewer shows of one replay. */
export interface View {
  readonly title: string;
  /** What it runs, for people: system, configuration, bug. */
  readonly subtitle: string;
  readonly verdict: string;
  /** The case file. */
  readonly text: string;
  readonly explanation: readonly string[];
  /** The failing run first, then its passing neighbour; or one run. */
  readonly runs: readonly ViewRun[];
}

export interface ViewRun {
  readonly label: string;
  /** Fails or passes, in words. */
  readonly outcome: string;
  readonly digest: string;
  readonly steps: number;
  readonly lanes: readonly Lane[];
  readonly sites: readonly string[];
  readonly kinds: readonly RowKind[];
  readonly texts: readonly string[];
  readonly operations: readonly ViewOperation[];
  readonly rows: RowColumns;
  readonly events: EventColumns;
  /** Happens-before arrows between lanes: event, event, event, event, ... */
  readonly arrows: readonly number[];
  readonly trees: readonly ViewTree[];
  readonly keys: readonly StateKey[];
  readonly values: readonly StateValue[];
  /** Key and value of each thing that is there before the first event. */
  readonly initial: readonly (readonly [key: number, value: number])[];
  readonly changes: ChangeColumns;
  /** Rows that matter: constraints, the critical pair, the violation. */
  readonly marks: readonly Mark[];
  readonly orders: readonly ViewOrder[];
  /** Row of the violation, or -1. */
  readonly violation: number;
  /** Names of words that rows touch, by address. */
  readonly words: Readonly<Record<string, string>>;
}

export interface Lane {
  readonly name: string;
  readonly title: string;
  readonly kind: 'boot' | 'vcpu' | 'host' | 'pe' | 'device' | 'rcu';
}

export interface RowKind {
  readonly name: string;
  /** 1 the story ... 5 detail. */
  readonly salience: number;
  /** A sign besides the colour. */
  readonly sign: string;
}

export interface ViewOperation {
  readonly name: string;
  readonly text: string;
  readonly isImplicit: boolean;
}

/** One entry per row of the trace. */
export interface RowColumns {
  readonly event: readonly number[];
  readonly lane: readonly number[];
  readonly kind: readonly number[];
  readonly operation: readonly number[];
  readonly site: readonly number[];
  readonly step: readonly number[];
  readonly text: readonly number[];
  /** Word that is touched, or -1. */
  readonly word: readonly number[];
}

/** One entry per event. */
export interface EventColumns {
  /** First row; the event ends where the next one begins. */
  readonly row: readonly number[];
  readonly lane: readonly number[];
  /** Virtual nanoseconds. */
  readonly clock: readonly number[];
  /** Name as cases write it, an index into `texts`; -1 where it has none. */
  readonly name: readonly number[];
}

export interface ViewTree {
  readonly name: string;
  /** Key whose value names the root frame. */
  readonly rootKey: number;
  readonly startLevel: number;
  readonly bitsPerLevel: number;
  readonly rootPages: number;
  readonly windowPages: number;
}

/** Something that has a value at each moment. */
export interface StateKey {
  readonly group: StateGroup;
  readonly label: string;
  /** For entries: frame and index. For what a PE holds: the PE. */
  readonly place: number;
  readonly index: number;
}

export const STATE_GROUPS = [
  'root',
  'entry',
  'tlb',
  'invalidation',
  'store',
  'lock',
  'section',
  'page',
  'variable',
  'register',
] as const;
export type StateGroup = (typeof STATE_GROUPS)[number];

export interface StateValue {
  readonly text: string;
  /** Frame of the next table, or -1. */
  readonly child: number;
}

/** One entry per change, in the order of rows; value -1: not there any more. */
export interface ChangeColumns {
  readonly row: readonly number[];
  readonly key: readonly number[];
  readonly value: readonly number[];
}

export interface Mark {
  readonly row: number;
  readonly kind: 'violation' | 'survivor' | 'first' | 'second' | 'order' | 'choice' | 'inevitable';
  readonly text: string;
}

export interface ViewOrder {
  readonly text: string;
  /** Events; -1 when one does not occur in this run. */
  readonly before: number;
  readonly after: number;
}
