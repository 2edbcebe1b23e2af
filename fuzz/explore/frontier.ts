/**
 * Schedules that are still to be run, by the number of switches they have. A schedule is its parent's up to
 * some moment, and one exception from the default there: another source is picked, or a question gets
 * another answer. Numbers only: there may be millions.
 */

/** The first schedule: no exception. */
export const ROOT = 0;

/** One exception, as the run of a schedule needs it. */
export interface Exceptions {
  /** Event numbers and the sources picked there, in order. */
  readonly picks: number[];
  readonly sources: number[];
  /** Question numbers and their answers, in order. */
  readonly questions: number[];
  readonly answers: number[];
  /** The schedules that this one descends from, and itself, in order. */
  readonly line: number[];
}

export const NO_EXCEPTIONS: Exceptions = {
  picks: [],
  sources: [],
  questions: [],
  answers: [],
  line: [ROOT],
};

export interface Branch {
  readonly parent: number;
  /** Event before which (pick) or during which (answer) the exception is. */
  readonly event: number;
  /** Question number; -1 for a pick. */
  readonly question: number;
  /** Source or answer. */
  readonly value: number;
  readonly switches: number;
  /** The event was visible with the default answer, so that its alternatives are known. */
  readonly isExpanded: boolean;
}

const FIELDS = 6;

export class Frontier {
  #numbers = new Int32Array(1024 * FIELDS);
  #count = 0;
  /** By number of switches: schedules to run, the newest last. */
  #levels: number[][] = [];
  /** Number of schedules still to be run. */
  pending = 0;

  clear(): void {
    this.#count = 0;
    this.#levels = [];
    this.pending = 0;
    this.push({
      parent: -1,
      event: 0,
      question: -1,
      value: -1,
      switches: 0,
      isExpanded: false,
    });
  }

  push(branch: Branch): void {
    const item = this.#count;
    if (item * FIELDS === this.#numbers.length) this.#grow();
    this.#count = item + 1;
    const at = item * FIELDS;
    this.#numbers[at] = branch.parent;
    this.#numbers[at + 1] = branch.event;
    this.#numbers[at + 2] = branch.question;
    this.#numbers[at + 3] = branch.value;
    this.#numbers[at + 4] = branch.switches;
    this.#numbers[at + 5] = branch.isExpanded ? 1 : 0;
    while (this.#levels.length <= branch.switches) this.#levels.push([]);
    this.#levels[branch.switches]!.push(item);
    this.pending += 1;
  }

  /** The least number of switches that a schedule to be run has; -1 when there is none. */
  get lowest(): number {
    return this.#levels.findIndex((level) => level.length > 0);
  }

  /** The next schedule with `switches` switches, of which there is one. */
  pop(switches: number): number {
    this.pending -= 1;
    return this.#levels[switches]!.pop()!;
  }

  event(item: number): number {
    return this.#numbers[item * FIELDS + 1]!;
  }

  question(item: number): number {
    return this.#numbers[item * FIELDS + 2]!;
  }

  switches(item: number): number {
    return this.#numbers[item * FIELDS + 4]!;
  }

  isExpanded(item: number): boolean {
    return this.#numbers[item * FIELDS + 5] === 1;
  }

  /**
   * The member of a line whose own part of the run contains a question: the last one whose exception came
   * before it.
   */
  ownerOf(line: readonly number[], question: number, event: number): number {
    for (let i = line.length - 1; i > 0; i -= 1) {
      const item = line[i]!;
      const own = this.question(item);
      if (own >= 0 ? own < question : this.event(item) <= event) return item;
    }
    return ROOT;
  }

  /** The last member of a line whose exception is in an earlier event. */
  ownerOfEvent(line: readonly number[], event: number): number {
    for (let i = line.length - 1; i > 0; i -= 1) if (this.event(line[i]!) < event) return line[i]!;
    return ROOT;
  }

  /** Every exception of a schedule, in the order of the run. */
  exceptions(item: number): Exceptions {
    const found: Exceptions = { picks: [], sources: [], questions: [], answers: [], line: [] };
    for (let i = item; i > ROOT; i = this.#numbers[i * FIELDS]!) {
      found.line.push(i);
      const question = this.question(i);
      const value = this.#numbers[i * FIELDS + 3]!;
      if (question >= 0) {
        found.questions.push(question);
        found.answers.push(value);
      } else {
        found.picks.push(this.event(i));
        found.sources.push(value);
      }
    }
    found.line.push(ROOT);
    for (const list of Object.values(found) as number[][]) list.reverse();
    return found;
  }

  #grow(): void {
    const numbers = new Int32Array(this.#numbers.length * 2);
    numbers.set(this.#numbers);
    this.#numbers = numbers;
  }
}
