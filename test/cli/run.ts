/** Runs the command line as a user does, in a process of its own; at most two at a time. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const AT_ONCE = 2;

/** Lets a few callers in at a time. */
class Gate {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  async enter(): Promise<void> {
    if (this.#running < AT_ONCE) this.#running += 1;
    else await new Promise<void>((go) => this.#waiting.push(go));
  }

  /** Hands the place over to the next one. */
  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running -= 1;
    else next();
  }
}

const gate = new Gate();

/** @param started is called with the process, for instance to send it a signal */
export async function stagewright(
  args: readonly string[],
  started: (child: ChildProcess) => void = () => {},
): Promise<Outcome> {
  return program('cli/main.ts', args, {}, started);
}

/** Outcomes of many command lines, which run one after the other in one process. */
export async function batch(commands: readonly (readonly string[])[]): Promise<readonly Outcome[]> {
  const env = { STAGEWRIGHT_BATCH: JSON.stringify(commands) };
  const { code, stdout, stderr } = await program('test/cli/batch.ts', [], env, () => {});
  if (code !== 0) throw new Error(`the batch ended with ${code}: ${stderr}`);
  return JSON.parse(stdout.split('\n').at(-1) ?? '') as Outcome[];
}

async function program(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  started: (child: ChildProcess) => void,
): Promise<Outcome> {
  await gate.enter();
  try {
    return await new Promise<Outcome>((resolve, reject) => {
      const child = spawn(process.execPath, ['--import=tsx', file, ...args], {
        env: { ...process.env, ...env },
      });
      let stdout = '';
      let stderr = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text;
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text;
      });
      child.on('error', reject);
      child.on('close', (code) => resolve({ code, stdout, stderr }));
      started(child);
    });
  } finally {
    gate.leave();
  }
}

/** Calls `body` with a new empty folder, and removes it afterwards. */
export async function inFolder<Value>(body: (folder: string) => Promise<Value>): Promise<Value> {
  const folder = mkdtempSync(join(tmpdir(), 'stagewright-test-'));
  try {
    return await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
