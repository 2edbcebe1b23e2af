/** An engine with many workers that end in a drawn order: what merging has to cope with. */
import type { Engine } from '../../campaign/engine.ts';
import { LocalEngine } from '../../campaign/engine.ts';
import type { Done } from '../../campaign/reply.ts';
import type { Task, TaskResult } from '../../campaign/task.ts';
import { Random } from '../../fuzz/random.ts';

export class ScrambledEngine implements Engine {
  readonly name = 'scrambled';
  readonly shard = 100;
  readonly workers: number;
  readonly deaths = 0;
  readonly #inner = new LocalEngine();
  readonly #random: Random;
  #held: { readonly done: Done<TaskResult>; readonly settle: (done: Done<TaskResult>) => void }[] =
    [];
  #flying = 0;

  constructor(workers: number, seed: number) {
    this.workers = workers;
    this.#random = new Random(seed);
  }

  async run(task: Task): Promise<Done<TaskResult>> {
    this.#flying += 1;
    const done = await this.#inner.run(task);
    this.#flying -= 1;
    const result = new Promise<Done<TaskResult>>((settle) => {
      this.#held.push({ done, settle });
    });
    setImmediate(() => this.#release());
    return result;
  }

  /** Lets any of the results go; the last ones when nobody else comes. */
  #release(): void {
    while (this.#held.length > (this.#flying > 0 ? this.workers - 1 : 0)) {
      const [one] = this.#held.splice(this.#random.below(this.#held.length), 1);
      one!.settle(one!.done);
    }
  }

  stop(): void {
    this.#inner.stop();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
