/** The terminal: plain output, live status on a TTY, and the exit codes. */

import { UsageError } from '../campaign/options.ts';
import { CaseError } from '../fuzz/case-source.ts';

export const Exit = { Clean: 0, Finding: 1, Usage: 2, Internal: 70 } as const;

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, undefined, 2));
}

/** Progress goes to standard error, so that `--json` has standard output to itself. */
export class StatusLine {
  readonly #isLive = process.stderr.isTTY === true;
  readonly #quiet: boolean;
  #lastPlain = 0;

  constructor(quiet: boolean) {
    this.#quiet = quiet;
  }

  /** Redraws on a TTY; else prints a line every 30 s. */
  show(text: string): void {
    if (this.#quiet) return;
    if (this.#isLive) {
      process.stderr.write(`\r\u001b[2K${text.slice(0, (process.stderr.columns ?? 80) - 1)}`);
      return;
    }
    const now = Date.now();
    if (now - this.#lastPlain < 30_000) return;
    this.#lastPlain = now;
    process.stderr.write(`${text}\n`);
  }

  clear(): void {
    if (!this.#quiet && this.#isLive) process.stderr.write('\r\u001b[2K');
  }
}

/** Prints what went wrong in a line and gives the exit code. */
export function fail(error: unknown, reproduce: string): number {
  if (error instanceof UsageError || error instanceof CaseError) {
    process.stderr.write(`stagewright: ${error.message}\n`);
    return Exit.Usage;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const cause =
    error instanceof Error && error.cause instanceof Error ? `\n${error.cause.stack}` : '';
  process.stderr.write(
    `stagewright: internal fault, not a finding: ${text}${cause}\nto reproduce: ${reproduce}\n`,
  );
  return Exit.Internal;
}

/** Columns padded to their widest cell. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function seconds(value: number): string {
  return value < 10 ? value.toFixed(2) : value.toFixed(1);
}

export function thousands(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');
}
