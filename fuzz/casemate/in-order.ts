/** The schedule of a trace that is made again. */
import type { Scheduler, Scheduling } from '../../sim/scheduler.ts';

/** Records in the order of the trace; invalidations arrive when a barrier waits for them. */
export class InOrder implements Scheduler {
  readonly id = 'in-order';
  readonly #turn: () => number;

  constructor(turn: () => number) {
    this.#turn = turn;
  }

  begin(): void {}

  pick(machine: Scheduling): number {
    const turn = this.#turn();
    if (machine.isReady(turn)) return turn;
    const ready = [...machine.ready.subarray(0, machine.readyCount)].sort((a, b) => a - b);
    // the thread waits for an invalidation; at the end of its records any thread may go on
    return ready.find((source) => source >= machine.actorCount) ?? ready[0]!;
  }

  choose(): number {
    return 0;
  }
}
