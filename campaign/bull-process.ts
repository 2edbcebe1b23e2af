/** Performs the tasks of a distributed campaign, in a process that BullMQ starts for it. */
import { Performer } from './performer.ts';
import { type Reply, reply } from './reply.ts';
import type { Task } from './task.ts';

const performer = new Performer();

export function process(task: Task): Reply {
  return reply(() => {
    const work = performer.perform(task, () => false);
    let step = work.next();
    while (step.done !== true) step = work.next();
    return step.value;
  });
}
