/**
 * Many machines: tasks are jobs of a BullMQ queue on Redis (or Valkey), performed by `stagewright worker`
 * wherever it runs. Delivery is at least once: results depend on the task only, and the first one counts.
 */
import { randomUUID } from 'node:crypto';
import { type Job, Queue, QueueEvents } from 'bullmq';
import { InternalError } from '../sim/assert.ts';
import { codeDigest } from './code.ts';
import type { Engine } from './engine.ts';
import { announce, queueName, settingsOf } from './redis.ts';
import { type Done, type Reply, unwrap } from './reply.ts';
import { type Task, type TaskResult, taskName } from './task.ts';

/** Executions of a shard: under 10 s, and long against what Redis takes. */
const SHARD = 2048;
/** How often tasks are looked for whose events were lost, and workers are counted. */
const SWEEP_MS = 1000;
/** Sweeps between two announcements, which hold for 30 s. */
const ANNOUNCE_EVERY = 8;
/** Tasks in flight when no worker is there yet. */
const WORKERS_MIN = 2;
/** Times that a task is tried: a worker may die with it. */
const ATTEMPTS = 4;

interface Flight {
  readonly task: Task;
  readonly settle: (reply: Done<TaskResult>) => void;
  readonly fail: (error: unknown) => void;
}

export class BullEngine implements Engine {
  readonly name = 'bullmq';
  readonly shard = SHARD;
  deaths = 0;
  #workers = WORKERS_MIN;
  readonly #id = randomUUID();
  readonly #queue: Queue<Task, Reply>;
  readonly #events: QueueEvents;
  /** By the name of their job. */
  readonly #flights = new Map<string, Flight>();
  readonly #sweeping: NodeJS.Timeout;
  readonly #url: string;
  readonly #code: string;
  #count = 0;
  #closed: Promise<unknown> | undefined;
  #sweeps = 0;
  #isSweeping = false;

  /** Throws a UsageError when Redis cannot be used. */
  static async open(url: string): Promise<BullEngine> {
    const code = codeDigest();
    await announce(url, code);
    return new BullEngine(url, code);
  }

  private constructor(url: string, code: string) {
    this.#url = url;
    this.#code = code;
    const settings = settingsOf(url);
    this.#queue = new Queue(queueName(code), settings);
    this.#events = new QueueEvents(queueName(code), settingsOf(url));
    // Redis that is away for a while comes back; the connection tries again by itself
    this.#queue.on('error', () => {});
    this.#events.on('error', () => {});
    this.#events.on('completed', ({ jobId }) => void this.#look(jobId));
    this.#events.on('failed', ({ jobId }) => void this.#look(jobId));
    this.#sweeping = setInterval(() => void this.#sweep(), SWEEP_MS);
  }

  get workers(): number {
    return this.#workers;
  }

  async run(task: Task): Promise<Done<TaskResult>> {
    this.#count += 1;
    const name = `${this.#id}-${this.#count}`;
    const done = new Promise<Done<TaskResult>>((settle, fail) => {
      this.#flights.set(name, { task, settle, fail });
    });
    await this.#send(name, task);
    return done;
  }

  /** A job that is there already is not added again. */
  async #send(name: string, task: Task): Promise<void> {
    await this.#queue.add(task.kind, task, {
      jobId: name,
      attempts: ATTEMPTS,
      removeOnComplete: { age: 3600 },
      removeOnFail: { age: 3600 },
      // a finding should not wait behind shards
      priority: task.kind === 'finding' ? 1 : 2,
    });
  }

  /** Takes the result of a job that has ended. */
  async #look(name: string): Promise<void> {
    const flight = this.#flights.get(name);
    if (flight === undefined) return;
    const job = await this.#queue.getJob(name).catch(() => undefined);
    if (job === undefined) return;
    if (job.finishedOn === undefined) return;
    // two events, or an event and the sweep, may have come for one job
    if (!this.#flights.delete(name)) return;
    this.deaths += Math.max(0, job.attemptsMade - 1);
    settle(job, flight);
    await job.remove().catch(() => {});
  }

  /** Events are lost when Redis restarts, jobs when it forgets: looks for both. */
  async #sweep(): Promise<void> {
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    try {
      this.#workers = Math.max(WORKERS_MIN, await this.#queue.getWorkersCount());
      if (this.#sweeps % ANNOUNCE_EVERY === 0) await announce(this.#url, this.#code);
      this.#sweeps += 1;
      for (const [name, { task }] of [...this.#flights]) {
        const job = await this.#queue.getJob(name);
        if (job === undefined) await this.#send(name, task);
        else await this.#look(name);
      }
    } catch {
      // Redis is away: the next sweep looks again
    } finally {
      this.#isSweeping = false;
    }
  }

  /** Shards that nobody has begun are taken back; the others end within seconds. */
  stop(): void {
    for (const [name, flight] of this.#flights) {
      if (flight.task.kind === 'shard') void this.#takeBack(name, flight, flight.task.from);
    }
  }

  async #takeBack(name: string, { settle: done }: Flight, from: number): Promise<void> {
    try {
      const job = await this.#queue.getJob(name);
      if (job === undefined || (await job.isActive()) || job.finishedOn !== undefined) return;
      await job.remove();
      if (!this.#flights.delete(name)) return;
      done({ result: { from, to: from, cells: [], failures: [], coverage: [] }, seconds: 0 });
    } catch {
      // a worker has begun it
    }
  }

  async close(): Promise<void> {
    this.#closed ??= Promise.all([this.#events.close(), this.#queue.close()]);
    clearInterval(this.#sweeping);
    await this.#closed;
  }
}

function settle(job: Job<Task, Reply>, { task, settle: done, fail }: Flight): void {
  try {
    // a job that failed once and was tried again keeps the reason
    if (job.returnvalue !== null && job.returnvalue !== undefined) done(unwrap(job.returnvalue));
    else fail(new InternalError(`workers died in ${taskName(task)}: ${job.failedReason}`));
  } catch (error) {
    fail(error);
  }
}
