/**
 * Our machine against a table of answers: for each litmus test of a catalogue, the final states that Arm's
 * model permits, and its verdicts with and without FEAT_ETS2.
 *
 * The table is a text with tabs; its first line names the columns. States are separated by `||`, their parts
 * by `;`. Missing fields of descriptors have their default.
 */
import { dirname, join } from 'node:path';
import type { SearchPlan } from '../fuzz/litmus/verdict.ts';
import { Fidelity, type Rules } from '../models/litmus/gates.ts';
import { type LitmusFile, readLitmus, readText, runLitmusFile } from './litmus.ts';
import { UsageError } from './options.ts';

export interface Expectation {
  readonly test: string;
  readonly file: string;
  /** F, A-translation, A-weakmem, A-unclassified, R, N or ?. */
  readonly label: string;
  /** Allowed, Forbidden, Required, NotRequired; else the answer is not known. */
  readonly verdict: string;
  readonly verdictEts2: string;
  /** The break-before-make warning is given. */
  readonly breaks: boolean;
  /** Permitted final states; empty when they are not listed. */
  readonly states: ReadonlySet<string>;
}

const COLUMNS = ['test', 'file', 'label', 'verdict', 'verdict_ETS2', 'flags', 'states'] as const;

/** @throws UsageError that names file and line when the table lacks a column */
export function readExpectations(file: string): readonly Expectation[] {
  const [head = '', ...lines] = readText(file).split('\n');
  const names = head.split('\t');
  const missing = COLUMNS.filter((name) => !names.includes(name));
  if (missing.length > 0)
    throw new UsageError(
      `${file}:1: no column ${missing.join(', ')} (needs ${COLUMNS.join(', ')})`,
    );
  return lines
    .filter((line) => line.trim() !== '')
    .map((line, index) => {
      const cells = line.split('\t');
      const cell = (name: (typeof COLUMNS)[number]): string => cells[names.indexOf(name)] ?? '';
      if (cell('file') === '')
        throw new UsageError(`${file}:${index + 2}: a row without a file: "${line.slice(0, 40)}"`);
      return {
        test: cell('test'),
        file: join(dirname(file), cell('file')),
        label: cell('label'),
        verdict: cell('verdict'),
        verdictEts2: cell('verdict_ETS2'),
        breaks: cell('flags').includes('Warning-BBM-expected'),
        states: new Set(cell('states').split('||').map(normalised).filter(Boolean)),
      };
    });
}

/** A state with its parts in order and without blanks. */
export function normalised(state: string): string {
  const parts = state.replace(/\s+/g, '').split(';').filter(Boolean);
  return parts.sort((a, b) => (a < b ? -1 : 1)).join('; ');
}

/** One way to run the whole table. */
export interface Setting {
  readonly name: string;
  readonly rules: Rules;
}

export const SETTINGS: readonly Setting[] = [
  { name: 'F1', rules: { fidelity: Fidelity.F1, ets2: false } },
  { name: 'F2', rules: { fidelity: Fidelity.F2, ets2: false } },
  { name: 'F3', rules: { fidelity: Fidelity.F3, ets2: false } },
  { name: 'F2 with ETS2', rules: { fidelity: Fidelity.F2, ets2: true } },
  { name: 'F3 with ETS2', rules: { fidelity: Fidelity.F3, ets2: true } },
];

/** How one test came out in one setting. */
export interface Comparison {
  readonly expectation: Expectation;
  readonly setting: Setting;
  /** Why it did not run; empty when it did. */
  readonly unsupported: string;
  /** Verdict in the words of the table; `Unobserved` after a sample. */
  readonly verdict: string;
  readonly executions: number;
  readonly complete: boolean;
  readonly breaks: boolean;
  /** States outside the permitted set, and permitted ones that were not reached (without ETS2). */
  readonly outside: readonly string[];
  readonly missing: readonly string[];
  /** States shown. */
  readonly states: readonly string[];
}

export function compare(expectation: Expectation, setting: Setting, plan: SearchPlan): Comparison {
  const file = readLitmus(expectation.file);
  if (file.error !== '') throw new UsageError(file.error);
  const none = { expectation, setting, executions: 0, complete: false, breaks: false };
  const result = runLitmusFile(file, setting.rules, plan);
  if (typeof result === 'string') {
    const empty = { outside: [], missing: [], states: [] };
    return { ...none, ...empty, unsupported: result, verdict: 'Unsupported' };
  }
  const states = result.states.map(({ text }) => normalised(text));
  const permitted = expectation.states;
  // what ETS2 permits is a part of what is permitted without
  return {
    ...none,
    unsupported: '',
    verdict: wordOf(file, result.verdict),
    executions: result.executions,
    complete: result.complete,
    breaks: result.breaks,
    outside: permitted.size === 0 ? [] : states.filter((state) => !permitted.has(state)),
    missing: [...permitted].filter((state) => !states.includes(state)),
    states,
  };
}

function wordOf({ test }: LitmusFile, verdict: string): string {
  if (test?.quantifier === 'forall' && verdict === 'allowed') return 'NotRequired';
  return `${verdict[0]!.toUpperCase()}${verdict.slice(1)}`;
}

/** The verdict that the table has for a setting; undefined when it has none. */
export function expectedVerdict({ expectation, setting }: Comparison): string | undefined {
  const word = setting.rules.ets2 ? expectation.verdictEts2 : expectation.verdict;
  return ['Allowed', 'Forbidden', 'Required', 'NotRequired'].includes(word) ? word : undefined;
}

/** It shows what the table forbids: a state outside the permitted set, or the condition. */
export function isUnsound(one: Comparison): boolean {
  const expected = expectedVerdict(one);
  if (one.outside.length > 0) return true;
  return (
    (expected === 'Forbidden' && one.verdict === 'Allowed') ||
    (expected === 'Required' && one.verdict === 'NotRequired')
  );
}

/** It shows the condition, as the table permits. */
export function isReached(one: Comparison): boolean {
  return one.verdict === expectedVerdict(one);
}
