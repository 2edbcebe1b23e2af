/** `worker`: performs the tasks of distributed campaigns until Ctrl-C. */
import { Crew } from '../campaign/crew.ts';
import { parseJobs, UsageError } from '../campaign/options.ts';
import { withoutPassword } from '../campaign/redis.ts';
import { Exit, print, StatusLine } from './terminal.ts';

export interface WorkerFlags {
  readonly redis?: string;
  readonly jobs?: string;
}

export async function worker(flags: WorkerFlags): Promise<never> {
  const url = flags.redis;
  if (url === undefined) throw new UsageError('worker needs --redis URL: where the campaign is');
  const jobs = parseJobs(flags.jobs);
  const crew = await Crew.open(url, jobs);
  print(`${jobs} processes work for ${withoutPassword(url)}; Ctrl-C ends them after their tasks`);
  let stops = 0;
  const stop = (): void => {
    stops += 1;
    // a task that is left is given to another worker
    if (stops > 1) process.exit(Exit.Clean);
    crew.stop();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const line = new StatusLine(false);
  await crew.run(({ shards, failed }) => line.show(`${shards} tasks done, ${failed} given up`));
  line.clear();
  // connections to a Redis that is gone would keep the process waiting
  process.exit(Exit.Clean);
}
