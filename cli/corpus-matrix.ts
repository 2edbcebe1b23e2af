/** `corpus matrix`: bugs by oracles, and what differs from a matrix that was kept. */
import { readFileSync } from 'node:fs';
import { CORPUS_FOLDER, caseFiles, readCase, writeWhole } from '../campaign/corpus.ts';
import { KILL_HEADER, killDiff, killPage, killRow, killText } from '../campaign/kill-matrix.ts';
import { UsageError } from '../campaign/options.ts';
import { Exit, print } from './terminal.ts';

export interface MatrixFlags {
  readonly base?: string;
  readonly format?: string;
  readonly out?: string;
}

export function corpusMatrix(folder: string | undefined, flags: MatrixFlags): number {
  const format = flags.format ?? 'text';
  if (format !== 'text' && format !== 'html')
    throw new UsageError(`--format is "${format}" (text, html)`);
  const base = flags.base === undefined ? undefined : readBase(flags.base);
  const files = caseFiles(folder ?? CORPUS_FOLDER);
  const rows = files.flatMap((file) => killRow(readCase(file)) ?? []);
  const text = killText(rows);
  const whole = format === 'html' ? killPage(rows) : KILL_HEADER + text;
  if (flags.out !== undefined) {
    writeWhole(flags.out, whole);
    print(`wrote ${flags.out}`);
  }
  if (base === undefined) {
    if (flags.out === undefined) print(whole.trimEnd());
    return Exit.Clean;
  }
  const diff = killDiff(base, text);
  for (const line of diff) print(line);
  print(diff.length === 0 ? 'the matrix is as before' : `${diff.length} lines differ`);
  return diff.length === 0 ? Exit.Clean : Exit.Finding;
}

function readBase(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new UsageError(`cannot read --base ${file}`);
  }
}
