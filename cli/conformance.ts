/** `litmus --verdicts`: a catalogue of litmus tests against its table of answers. */
import { writeFileSync } from 'node:fs';
import {
  type Comparison,
  compare,
  expectedVerdict,
  isUnsound,
  readExpectations,
  SETTINGS,
} from '../campaign/conformance.ts';
import { conformanceReport } from '../campaign/conformance-report.ts';
import { parseCount, parseSeed, UsageError } from '../campaign/options.ts';
import type { SearchPlan } from '../fuzz/litmus/verdict.ts';
import type { LitmusFlags } from './litmus.ts';
import { Exit, print, printJson, StatusLine } from './terminal.ts';

/** Runs after which looking at every execution is given up, and a sample is made. */
const EXPLORE_RUNS = 30_000;
const SAMPLE_RUNS = 100_000;

/** @param names only tests whose name contains one of these; all when there are none */
export function conformance(table: string, names: readonly string[], flags: LitmusFlags): number {
  const plan: SearchPlan = {
    exploreRuns: EXPLORE_RUNS,
    sampleRuns: flags.runs === undefined ? SAMPLE_RUNS : parseCount('--runs')(flags.runs),
    seed: flags.seed === undefined ? 1 : parseSeed(flags.seed),
  };
  const rows = readExpectations(table).filter(
    ({ test }) => names.length === 0 || names.some((name) => test.includes(name)),
  );
  if (rows.length === 0) throw new UsageError(`${table} has no test named ${names.join(', ')}`);
  const settings = SETTINGS.filter(({ rules, name }) => {
    if (flags.fidelity !== undefined && !name.startsWith(flags.fidelity)) return false;
    return flags.ets2 !== true || rules.ets2;
  });
  if (settings.length === 0) throw new UsageError(`no fidelity "${flags.fidelity}" (F1, F2, F3)`);
  const status = new StatusLine(flags.json === true);
  const all: Comparison[] = [];
  for (const setting of settings) {
    for (const row of rows) {
      status.show(`${setting.name}: ${row.test}`);
      all.push(compare(row, setting, plan));
    }
  }
  status.clear();
  const report = conformanceReport(all, plan);
  if (flags.report !== undefined) writeFileSync(flags.report, `${report}\n`);
  if (flags.json === true) printJson(summary(all));
  else print(report);
  return all.some(isUnsound) ? Exit.Finding : Exit.Clean;
}

function summary(all: readonly Comparison[]): object {
  return {
    command: 'litmus verdicts',
    tests: all.map((one) => ({
      test: one.expectation.test,
      label: one.expectation.label,
      setting: one.setting.name,
      verdict: one.verdict,
      expected: expectedVerdict(one) ?? null,
      outside: one.outside,
      missing: one.missing,
      executions: one.executions,
      complete: one.complete,
      unsupported: one.unsupported,
    })),
  };
}
