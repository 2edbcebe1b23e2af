/** A worker thread: performs one task at a time. */
import { takeCoverage } from 'node:v8';
import { workerData } from 'node:worker_threads';
import { catalogue, load } from './catalogue.ts';
import { Performer } from './performer.ts';
import { type Reply, reply, type WorkerData } from './reply.ts';
import type { Task } from './task.ts';

const given = workerData as WorkerData;
const stop = new Int32Array(given.stop);
for (const file of given.load) await load(file);
const performer = new Performer(catalogue());

/** A thread is ended from outside, and what it covered would be lost: it is written every so often. */
const COVERAGE_MS = 1000;
const isMeasured = process.env.NODE_V8_COVERAGE !== undefined;
let covered = 0;

function keepCoverage(): void {
  if (performance.now() - covered < COVERAGE_MS) return;
  takeCoverage();
  covered = performance.now();
}

export function perform(task: Task): Reply {
  const answer = performed(task);
  if (isMeasured) keepCoverage();
  return answer;
}

function performed(task: Task): Reply {
  return reply(() => {
    const stops = Atomics.load(stop, 0);
    const work = performer.perform(task, () => Atomics.load(stop, 0) !== stops);
    let step = work.next();
    while (step.done !== true) step = work.next();
    return step.value;
  });
}

/** What Piscina calls when the file itself is the entry (compiled). */
export default perform;
