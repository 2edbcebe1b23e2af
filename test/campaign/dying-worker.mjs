// A worker thread that dies: once in a shard, leaving a mark so that it is once, and in every
// minimising of seed 13.
import { writeFileSync } from 'node:fs';
import perform from '../../campaign/worker.mjs';

/** True for the first who asks. */
function isFirst() {
  try {
    writeFileSync(process.env.DEATH_MARK, '', { flag: 'wx' });
    return true;
  } catch {
    return false;
  }
}

export default async (task) => {
  // tests run side by side: each kind of death has its own campaign
  const isDoomed = task.plan.seed === 13;
  if (task.kind === 'shard' && !isDoomed && task.from > 0 && isFirst()) process.exit(9);
  if (task.kind === 'finding' && isDoomed) process.exit(9);
  return perform(task);
};
