/** Replays recorded answers exactly. Tells where the run left them, if it did. */
import type { Answers, Scheduler, Scheduling } from '../../sim/scheduler.ts';

export class AnswerStrategy implements Scheduler {
  readonly id = 'replay';
  readonly #answers: Answers;
  #run = 0;
  #left = 0;
  #asked = 0;
  #exception = 0;
  /** Events after which the recording did not fit any more; -1 while it fits. */
  divergedAt = -1;

  constructor(answers: Answers) {
    this.#answers = answers;
  }

  begin(_machine: Scheduling): void {
    this.#run = 0;
    this.#left = this.#answers.counts[0] ?? 0;
    this.#asked = 0;
    this.#exception = 0;
    this.divergedAt = -1;
  }

  pick(machine: Scheduling): number {
    while (this.#left === 0 && this.#run < this.#answers.sources.length) {
      this.#run += 1;
      this.#left = this.#answers.counts[this.#run] ?? 0;
    }
    const source = this.#answers.sources[this.#run];
    if (source === undefined || !machine.isReady(source)) {
      if (this.divergedAt < 0) this.divergedAt = machine.events;
      return machine.ready[0]!;
    }
    this.#left -= 1;
    return source;
  }

  choose(machine: Scheduling, _site: number, alternatives: number): number {
    const question = this.#asked;
    this.#asked += 1;
    if (this.#answers.questions[this.#exception] !== question) return 0;
    const reply = this.#answers.replies[this.#exception]!;
    this.#exception += 1;
    if (reply < alternatives) return reply;
    if (this.divergedAt < 0) this.divergedAt = machine.events;
    return 0;
  }
}
