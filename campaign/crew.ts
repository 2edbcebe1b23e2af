/** The worker end of a distributed campaign: takes jobs from the queue until it is told to stop. */
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'bullmq';
import { loadedFiles } from './catalogue.ts';
import { codeDigest } from './code.ts';
import { checkCode, queueName, settingsOf } from './redis.ts';
import type { Reply } from './reply.ts';
import type { Task } from './task.ts';

/** Compiled, a process needs no tsx. */
const PROCESSOR_NAME = import.meta.url.endsWith('.ts') ? './bull-worker.mjs' : './bull-process.js';
const PROCESSOR = fileURLToPath(new URL(PROCESSOR_NAME, import.meta.url));
/** A job whose worker says nothing for so long is given to another. */
const LOCK_MS = 15_000;
/** Times that a job may lose its worker. */
const STALLS_MAX = 5;
const CHECK_MS = 5000;
/** For jobs in flight and for Redis, when it is told to stop; who has them longer than this loses them to another. */
const CLOSE_MS = 15_000;

export interface CrewStatus {
  readonly shards: number;
  readonly failed: number;
}

export class Crew {
  readonly #url: string;
  readonly #code = codeDigest();
  readonly #worker: Worker<Task, Reply>;
  #shards = 0;
  #failed = 0;
  /** Why it must stop. */
  #fault: unknown;
  #stopped: () => void = () => {};
  readonly #end = new Promise<void>((resolve) => {
    this.#stopped = resolve;
  });

  /** @throws UsageError when Redis cannot be used, or runs a campaign of other code */
  static async open(url: string, jobs: number): Promise<Crew> {
    await checkCode(url, codeDigest());
    return new Crew(url, jobs);
  }

  private constructor(url: string, jobs: number) {
    this.#url = url;
    this.#worker = new Worker<Task, Reply>(queueName(this.#code), PROCESSOR, {
      ...settingsOf(url),
      concurrency: jobs,
      lockDuration: LOCK_MS,
      stalledInterval: LOCK_MS / 2,
      maxStalledCount: STALLS_MAX,
      workerForkOptions: {
        execArgv: [],
        env: { ...process.env, STAGEWRIGHT_LOAD: JSON.stringify(loadedFiles()) },
      },
    });
    this.#worker.on('error', () => {});
    this.#worker.on('completed', () => {
      this.#shards += 1;
    });
    this.#worker.on('failed', () => {
      this.#failed += 1;
    });
  }

  /** Until `stop`; throws when a campaign of other code has come. */
  async run(status: (now: CrewStatus) => void): Promise<void> {
    const checking = setInterval(() => {
      status({ shards: this.#shards, failed: this.#failed });
      checkCode(this.#url, this.#code).catch((error: unknown) => {
        // Redis that is away comes back; other code does not become ours
        if (!/runs code/.test(String(error))) return;
        this.#fault = error;
        this.#stopped();
      });
    }, CHECK_MS);
    await this.#end;
    clearInterval(checking);
    // where Redis is gone for good there is nobody to say goodbye to
    const patience = new AbortController();
    const late = pause(CLOSE_MS, undefined, { signal: patience.signal }).catch(() => {});
    await Promise.race([this.#worker.close(), late]);
    patience.abort();
    if (this.#fault !== undefined) throw this.#fault;
  }

  /** Ends after the jobs in flight. */
  stop(): void {
    this.#stopped();
  }
}
