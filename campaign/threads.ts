/**
 * A worker thread per core, by Piscina. A worker that dies takes at most the task in flight with it,
 * which is run again by another; a task that kills two workers is a fault of ours.
 */
import { Piscina } from 'piscina';
import { InternalError } from '../sim/assert.ts';
import { loadedFiles } from './catalogue.ts';
import { type Engine, LocalEngine, SHARD } from './engine.ts';
import { type Done, type Reply, unwrap } from './reply.ts';
import { type Task, type TaskResult, taskName } from './task.ts';

/** Compiled, a thread needs no tsx. */
const ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? './worker.mjs' : './worker.js',
  import.meta.url,
);
/** Runs make many short-lived objects: a larger nursery saves a few per cent. */
const NURSERY_MB = 48;

export class ThreadEngine implements Engine {
  readonly name = 'local';
  readonly shard: number;
  readonly workers: number;
  deaths = 0;
  readonly #pool: Piscina<Task, Reply>;
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));

  /** @param entry file that performs the tasks (tests have one that dies) */
  constructor(workers: number, entry: URL = ENTRY, shard: number = SHARD) {
    this.shard = shard;
    this.workers = workers;
    this.#pool = new Piscina({
      filename: entry.href,
      minThreads: workers,
      maxThreads: workers,
      // a thread registers tsx itself: it does not have it twice
      execArgv: [],
      workerData: { stop: this.#stop.buffer, load: loadedFiles() },
      resourceLimits: { maxYoungGenerationSizeMb: NURSERY_MB },
    });
    // a worker that dies between tasks: the pool replaces it
    this.#pool.on('error', () => {
      this.deaths += 1;
    });
  }

  async run(task: Task): Promise<Done<TaskResult>> {
    let died: unknown;
    for (let attempt = 0; attempt < 2; attempt += 1) {
      let answer: Reply;
      try {
        answer = await this.#pool.run(task);
      } catch (error) {
        this.deaths += 1;
        died = error;
        continue;
      }
      return unwrap(answer);
    }
    const reason = died instanceof Error ? died.message : String(died);
    throw new InternalError(`two workers died in ${taskName(task)}: ${reason}`);
  }

  stop(): void {
    Atomics.add(this.#stop, 0, 1);
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

/** Workers as threads, or the process itself when one is enough. */
export function openEngine(jobs: number): Engine {
  return jobs === 1 ? new LocalEngine() : new ThreadEngine(jobs);
}
