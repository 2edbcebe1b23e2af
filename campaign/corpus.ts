/** Cases as files: read, write (temporary file, then rename), walk a folder in a fixed order. */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Case } from '../fuzz/case.ts';
import { formatCase, parseCase } from '../fuzz/case-text.ts';
import { catalogue } from './catalogue.ts';
import { UsageError } from './options.ts';

export const CORPUS_FOLDER = 'corpus';

export interface CaseFile {
  readonly file: string;
  readonly case: Case;
}

/** Throws a UsageError when the file cannot be read, a CaseError when it is no case. */
export function readCase(file: string): Case {
  const { systems, oracles } = catalogue();
  return parseCase(file, readText(file), systems, oracles);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${reasonOf(error)}`);
  }
}

/** Files of cases below a folder (or the file itself), by name. An empty corpus is an error. */
export function caseFiles(path: string): readonly string[] {
  const files = isFolder(path) ? collect(path) : [path];
  if (files.length === 0)
    throw new UsageError(`${path} holds no case (*.yaml): an empty corpus verifies nothing`);
  return files;
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${reasonOf(error)}`);
  }
}

function collect(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true });
  const names = entries.map(({ name }) => name).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return names.flatMap((name) => {
    const path = join(folder, name);
    const entry = entries.find((one) => one.name === name)!;
    if (entry.isDirectory()) return collect(path);
    return name.endsWith('.yaml') ? [path] : [];
  });
}

/** Writes a case so that a crash leaves the old file or the new one, never a part. */
export function writeCase(file: string, value: Case): void {
  writeWhole(file, formatCase(value));
}

export function writeWhole(file: string, text: string): void {
  const temporary = join(dirname(file), `.${basename(file)}.${process.pid}.tmp`);
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(temporary, text);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new UsageError(`cannot write ${file}: ${reasonOf(error)}`);
  }
}

/** Why a file could not be read or written. */
export function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  const known: Record<string, string> = {
    ENOENT: 'no such file or folder',
    EACCES: 'permission denied',
    EISDIR: 'it is a folder',
    ENOTDIR: 'a part of the path is no folder',
    ENOSPC: 'the disk is full',
    EFBIG: 'the file is larger than allowed',
    EDQUOT: 'the disk quota is used up',
    EROFS: 'the file system is read-only',
  };
  return known[code ?? ''] ?? (error instanceof Error ? error.message : String(error));
}

/** A name for a case file: what happens, in words. */
export function caseName(value: Case): string {
  if (value.bug !== undefined) return `${value.bug}.yaml`;
  if (value.expect === undefined) return 'clean.yaml';
  return `${value.expect.oracle}-${value.expect.rule}.yaml`;
}
