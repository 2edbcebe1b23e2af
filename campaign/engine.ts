/**
 * Who performs the tasks of a campaign. Results do not depend on the engine; how soon they come does.
 * This one is the process itself; threads.ts has one with a worker per core.
 */
import type { Catalogue } from '../fuzz/catalogue.ts';
import { catalogue } from './catalogue.ts';
import { Performer } from './performer.ts';
import type { Done } from './reply.ts';
import type { FindingTask, FoundCase, ShardResult, ShardTask, Task, TaskResult } from './task.ts';

export interface Engine {
  readonly name: string;
  /** Executions of a shard: it should take long against what handing it out takes. */
  readonly shard: number;
  /** Workers that perform tasks at the same time; may change. */
  readonly workers: number;
  /** Workers that died and were replaced. */
  readonly deaths: number;
  /** Throws an InternalError when the task itself fails. */
  run(task: Task): Promise<Done<TaskResult>>;
  /** Shards in flight end soon, with the executions that they have made. */
  stop(): void;
  close(): Promise<void>;
}

export async function runShard(engine: Engine, task: ShardTask): Promise<Done<ShardResult>> {
  return (await engine.run(task)) as Done<ShardResult>;
}

export async function runFinding(engine: Engine, task: FindingTask): Promise<Done<FoundCase>> {
  return (await engine.run(task)) as Done<FoundCase>;
}

/** A fifth of a second: a stop and a lost worker cost little, and those who hand out and merge have little to do. */
export const SHARD = 1024;

export class LocalEngine implements Engine {
  readonly name = 'local';
  readonly shard = SHARD;
  readonly workers = 1;
  readonly deaths = 0;
  readonly #performer: Performer;
  #stops = 0;
  /** The task before: tasks share sessions, and go one at a time. */
  #last: Promise<unknown> = Promise.resolve();

  /** @param among systems and oracles; what the process knows by default */
  constructor(among: Catalogue = catalogue()) {
    this.#performer = new Performer(among);
  }

  run(task: Task): Promise<Done<TaskResult>> {
    const next = this.#last.then(() => this.#perform(task));
    this.#last = next.catch(() => {});
    return next;
  }

  async #perform(task: Task): Promise<Done<TaskResult>> {
    const started = performance.now();
    const stops = this.#stops;
    const work = this.#performer.perform(task, () => this.#stops !== stops);
    for (;;) {
      const step = work.next();
      if (step.done === true) {
        return { result: step.value, seconds: (performance.now() - started) / 1000 };
      }
      // signals and timers come in here
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  stop(): void {
    this.#stops += 1;
  }

  async close(): Promise<void> {
    await this.#last;
  }
}
