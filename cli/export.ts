/** `replay --export`: a case as something that other tools run or open. */
import { basename } from 'node:path';
import { UsageError } from '../campaign/options.ts';
import type { Case } from '../fuzz/case.ts';
import { formatCase } from '../fuzz/case-text.ts';
import { exportCasemate, NotExportable, rowsOf } from '../fuzz/casemate/export.ts';
import type { Replay } from '../fuzz/replay.ts';
import { perfettoTrace } from '../fuzz/view/perfetto.ts';
import { read } from './page.ts';
import { viewOf } from './viewer.ts';

export const EXPORTS = ['ava', 'perfetto', 'casemate'] as const;
export type Export = (typeof EXPORTS)[number];

export function exported(kind: Export, file: string, value: Case, done: Replay): string {
  if (kind === 'ava') return avaTest(file, value, done);
  if (kind === 'casemate') return casemateTrace(file, value, done);
  return `${JSON.stringify(perfettoTrace(viewOf(file, value, done)))}\n`;
}

/** A test that needs nothing but the packages `ava` and `stagewright`, and `tsx` to load them. */
function avaTest(file: string, value: Case, { verdict }: Replay): string {
  const name = file.split('/').at(-1)!.replaceAll("'", '');
  const text = formatCase(value).replace(/[\\`$]/g, (sign) => `\\${sign}`);
  const parts: Readonly<Record<string, string>> = { name, verdict, case: text };
  const form = read('ava-test.txt') + (value.bug === undefined ? '' : read('ava-test-without.txt'));
  return form.replace(/\{(name|verdict|case)\}/g, (_, part: string) => parts[part]!);
}

/** The run in the trace format of casemate. */
function casemateTrace(file: string, value: Case, { session }: Replay): string {
  const rows = rowsOf(session.machine);
  session.world.reset(value.parameters);
  try {
    const lines = [...exportCasemate(session.machine, rows, basename(file))];
    return lines.map((line) => `${line}\n`).join('');
  } catch (error) {
    if (error instanceof NotExportable) throw new UsageError(`${file}: ${error.message}`);
    throw error;
  }
}
