/** Litmus tests as files: which there are, and what went wrong with one that cannot be run. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type LitmusResult, runLitmus, type SearchPlan } from '../fuzz/litmus/verdict.ts';
import type { Rules } from '../models/litmus/gates.ts';
import { parseLitmus } from '../models/litmus/parse.ts';
import type { LitmusTest } from '../models/litmus/program.ts';
import { SyntaxFault, Unsupported } from '../models/litmus/syntax-error.ts';
import { reasonOf } from './corpus.ts';
import { UsageError } from './options.ts';

export interface LitmusFile {
  readonly file: string;
  /** Absent when the file cannot be run. */
  readonly test: LitmusTest | undefined;
  /** What the test uses that is not modelled; empty when nothing. */
  readonly unsupported: string;
  /** What is wrong with the file, with its line and column; empty when nothing. */
  readonly error: string;
}

/** Tests in files, and below folders in the order of their names. */
export function litmusFiles(paths: readonly string[]): readonly LitmusFile[] {
  const files = paths.flatMap((path) => {
    const found = filesAt(path);
    if (found.length === 0) throw new UsageError(`${path} holds no litmus test (*.litmus)`);
    return found;
  });
  return files.map(readLitmus);
}

export function readLitmus(file: string): LitmusFile {
  try {
    return { file, test: parseLitmus(readText(file)), unsupported: '', error: '' };
  } catch (error) {
    if (error instanceof Unsupported)
      return { file, test: undefined, unsupported: error.message, error: '' };
    if (!(error instanceof SyntaxFault)) throw error;
    const text = `${file}:${error.line}:${error.column}: ${error.message}`;
    return { file, test: undefined, unsupported: '', error: text };
  }
}

/** What the test shows; the reason when it does not fit the machine. */
export function runLitmusFile(
  { test, unsupported }: LitmusFile,
  rules: Rules,
  plan: SearchPlan,
): LitmusResult | string {
  if (test === undefined) return unsupported;
  try {
    return runLitmus(test, rules, plan);
  } catch (error) {
    if (error instanceof Unsupported) return error.message;
    throw error;
  }
}

/** @throws UsageError when the file cannot be read */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${reasonOf(error)}`);
  }
}

function filesAt(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    return readdirSync(path, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.litmus'))
      .sort((a, b) => (a < b ? -1 : 1))
      .map((name) => join(path, name));
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${reasonOf(error)}`);
  }
}
