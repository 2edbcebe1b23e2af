/** `report DIR`: what a campaign did and found, as one page or as text for an issue. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSessions } from '../campaign/catalogue.ts';
import { readCase, writeWhole } from '../campaign/corpus.ts';
import { UsageError } from '../campaign/options.ts';
import { replayCase } from '../fuzz/replay.ts';
import { assurance, readExplored } from './report-assurance.ts';
import { reportPage } from './report-html.ts';
import { type Report, type ReportedFinding, reportOf, type Summary } from './report-model.ts';
import { reportText } from './report-text.ts';
import { summarySchema } from './schemas.ts';
import { Exit, print } from './terminal.ts';
import { viewerPage } from './viewer.ts';

export interface ReportFlags {
  readonly format?: string;
  readonly out?: string;
}

const FORMATS = ['html', 'md'] as const;

export function report(folder: string, flags: ReportFlags): number {
  const { format = 'html' } = flags;
  if (!FORMATS.some((one) => one === format))
    throw new UsageError(`--format is "${format}"; allowed are ${FORMATS.join(', ')}`);
  const summary = readSummary(folder);
  const shown = assurance(summary, readExplored(folder));
  const made = reportOf(summary, (file) => readCase(join(folder, file)), shown);
  if (format === 'md') {
    const text = reportText(made, folder);
    if (flags.out === undefined) process.stdout.write(text);
    else writeWhole(flags.out, text);
    return Exit.Clean;
  }
  const file = flags.out ?? join(folder, 'report.html');
  writeWhole(file, reportPage(withViewers(made, folder), folder));
  print(`${file}: the report; any browser opens it`);
  return Exit.Clean;
}

function readSummary(folder: string): Summary {
  const file = join(folder, 'summary.json');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    throw new UsageError(
      `${folder} is no folder of a campaign: it has no summary.json (fuzz --out makes one)`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${file} is no JSON: ${error instanceof Error ? error.message : error}`);
  }
  const read = summarySchema.safeParse(value);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new UsageError(`${file}: ${issue?.path.join('.')}: ${issue?.message}`);
}

/** Writes a trace viewer beside each case. */
function withViewers(made: Report, folder: string): Report {
  const sessions = openSessions();
  const findings = made.findings.map((finding): ReportedFinding => {
    if (finding.case === undefined || finding.file === undefined) return finding;
    const viewer = finding.file.replace(/\.yaml$/, '.html');
    const done = replayCase(sessions, finding.case);
    writeWhole(join(folder, viewer), viewerPage(finding.file, finding.case, done));
    return { ...finding, viewer };
  });
  return { ...made, findings };
}
