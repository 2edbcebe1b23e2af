/** What a worker answers: a result, or the fault that it met. Errors do not cross threads whole. */
import { InternalError } from '../sim/assert.ts';
import type { TaskResult } from './task.ts';

/** What a thread is given when it starts. */
export interface WorkerData {
  /** One 32-bit word: shards in flight end when it changes. */
  readonly stop: SharedArrayBuffer;
  /** Modules of systems and oracles that it loads before its first task. */
  readonly load: readonly string[];
}

/** A task's result, and how long it took. */
export interface Done<Result> {
  readonly result: Result;
  readonly seconds: number;
}

export type Reply = Done<TaskResult> | { readonly fault: string; readonly stack: string };

/** Does the work, and answers with its fault when it throws. */
export function reply(work: () => TaskResult): Reply {
  const started = performance.now();
  try {
    const result = work();
    return { result, seconds: (performance.now() - started) / 1000 };
  } catch (error) {
    if (!(error instanceof Error)) return { fault: String(error), stack: '' };
    const cause = error.cause instanceof Error ? error.cause.stack : undefined;
    return { fault: error.message, stack: cause ?? error.stack ?? '' };
  }
}

/** Throws an InternalError when the worker met a fault. */
export function unwrap(answer: Reply): Done<TaskResult> {
  if (!('fault' in answer)) return answer;
  const error = new InternalError(answer.fault);
  error.stack = `${error.name}: ${answer.fault}\n${answer.stack}`;
  throw error;
}
