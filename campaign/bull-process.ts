/** Performs the tasks of a distributed campaign, in a process that BullMQ starts for it. */
import { catalogue, load } from './catalogue.ts';
import { Performer } from './performer.ts';
import { type Reply, reply } from './reply.ts';
import type { Task } from './task.ts';

// modules that its crew was started with (crew.ts)
const files = JSON.parse(globalThis.process.env.STAGEWRIGHT_LOAD ?? '[]') as readonly string[];
for (const file of files) await load(file);
const performer = new Performer(catalogue());

export function process(task: Task): Reply {
  return reply(() => {
    const work = performer.perform(task, () => false);
    let step = work.next();
    while (step.done !== true) step = work.next();
    return step.value;
  });
}

/** What BullMQ calls when the file itself is the processor (compiled). */
export default (job: { readonly data: Task }): Promise<Reply> => Promise.resolve(process(job.data));
