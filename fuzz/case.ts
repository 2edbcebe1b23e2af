/**
 * A case: the unit of everything. Program as data, schedule as ordering constraints and choices over
 * named events, the expectation, and the recorded run. docs/case-format.md describes the file.
 */

import type { EventName } from './names.ts';
import type { Constraint } from './order.ts';
import type { Program } from './program.ts';

export interface CaseChoice {
  readonly event: EventName;
  readonly answer: number;
}

export interface Expectation {
  readonly oracle: string;
  readonly rule: string;
  /** The event at which the violation is reported. */
  readonly at: EventName;
}

export interface Recorded {
  readonly answers: string;
  readonly steps: number;
  readonly digest: string;
}

/** A case as its file says it: system, program, order, choices, and what is expected. */
export interface Case {
  /** Comment on top: what happens, for people. */
  readonly comment: string;
  readonly policy: number;
  readonly system: string;
  readonly configuration: string;
  readonly parameters: Readonly<Record<string, number>>;
  readonly bug: string | undefined;
  readonly program: Program;
  readonly order: readonly Constraint[];
  readonly choices: readonly CaseChoice[];
  /** Undefined: the case is expected to be clean. */
  readonly expect: Expectation | undefined;
  readonly recorded: Recorded | undefined;
}

export const FORMAT = 1;
