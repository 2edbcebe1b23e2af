/** A worker thread: performs one task at a time. */
import { workerData } from 'node:worker_threads';
import { Performer } from './performer.ts';
import { type Reply, reply, type WorkerData } from './reply.ts';
import type { Task } from './task.ts';

const performer = new Performer();
const stop = new Int32Array((workerData as WorkerData).stop);

export function perform(task: Task): Reply {
  return reply(() => {
    const stops = Atomics.load(stop, 0);
    const work = performer.perform(task, () => Atomics.load(stop, 0) !== stops);
    let step = work.next();
    while (step.done !== true) step = work.next();
    return step.value;
  });
}
