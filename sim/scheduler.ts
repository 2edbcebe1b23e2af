/**
 * The questions that the machine asks. It never draws: who goes on, and every choice with more
 * than one legal answer, is decided here, and the answers are the schedule.
 */
import type { Site } from './site.ts';
import type { Sources } from './sources.ts';

/** What a scheduler may look at and set while it is asked. */
export interface Scheduling {
  /** Sources whose next event is enabled; only the first `readyCount` count. */
  readonly ready: Int32Array;
  readonly readyCount: number;
  /** Source of the last event, or -1. */
  readonly current: number;
  /** Events that the picked source may make beyond the next one without asking again. */
  grant: number;
  /** Events so far, and of them the ones of program actors. */
  readonly events: number;
  readonly steps: number;
  /** Actors of the machine; sources from here on are hardware. */
  readonly actorCount: number;
  /** How sources are numbered. */
  readonly sources: Sources;
  /** Virtual nanoseconds until the source's next event could be done. */
  latency(source: number): number;
  isReady(source: number): boolean;
  /** What the source does next: operation instance, site, and PE for an arrival (else -1; EFFECT). */
  pending(source: number): Pending;
  /** What the source's next event will touch, and whether it writes it; see target.ts. */
  target(source: number): number;
  /** Operation instances that have ended. */
  hasEnded(operation: number): boolean;
  /** The operation instance of the event being performed. */
  readonly operation: number;
}

/** The next event of a source. */
export interface Pending {
  readonly operation: number;
  readonly site: Site;
  readonly pe: number;
}

export interface Scheduler {
  readonly id: string;
  /** A run begins: the actors are parked at their first access. */
  begin(machine: Scheduling): void;
  /** One of the ready sources. A grant ends early when the source blocks or another gets ready. */
  pick(machine: Scheduling): number;
  /** An answer below `alternatives`; 0 is the default. */
  choose(machine: Scheduling, site: Site, alternatives: number): number;
}

/**
 * The schedule of a run: who made each event, run-length encoded, and the answers that differ from
 * the default by question number. Text form: `a1*12 a0*9 t3*1 | 4=1 7=2`.
 */
export interface Answers {
  readonly sources: readonly number[];
  readonly counts: readonly number[];
  readonly questions: readonly number[];
  readonly replies: readonly number[];
}

export function formatAnswers(answers: Answers, actorCount: number): string {
  const runs = answers.sources.map((source, i) => {
    const name = source < actorCount ? `a${source}` : `t${source - actorCount}`;
    return `${name}*${answers.counts[i]}`;
  });
  if (answers.questions.length === 0) return runs.join(' ');
  const replies = answers.questions.map((question, i) => `${question}=${answers.replies[i]}`);
  return `${runs.join(' ')} | ${replies.join(' ')}`;
}

/** Undefined when the text is not of the form that `formatAnswers` writes. */
export function parseAnswers(text: string, actorCount: number): Answers | undefined {
  const [runs = '', replies = '', ...rest] = text.split('|');
  if (rest.length > 0) return undefined;
  const answers = {
    sources: [] as number[],
    counts: [] as number[],
    questions: [] as number[],
    replies: [] as number[],
  };
  for (const run of runs.split(/\s+/).filter(Boolean)) {
    const match = /^([at])(\d{1,6})\*(\d{1,9})$/.exec(run);
    if (match === null) return undefined;
    if (match[1] === 'a' && Number(match[2]) >= actorCount) return undefined;
    if (Number(match[3]) === 0) return undefined;
    answers.sources.push(Number(match[2]) + (match[1] === 't' ? actorCount : 0));
    answers.counts.push(Number(match[3]));
  }
  for (const reply of replies.split(/\s+/).filter(Boolean)) {
    const match = /^(\d{1,9})=(\d{1,6})$/.exec(reply);
    if (match === null) return undefined;
    answers.questions.push(Number(match[1]));
    answers.replies.push(Number(match[2]));
  }
  return answers;
}

/** Records answers without allocating per event. The last run of events is kept in two fields. */
export class AnswerLog {
  #sources = new Int32Array(1024);
  #counts = new Int32Array(1024);
  #questions = new Int32Array(64);
  #replies = new Int32Array(64);
  #source = -1;
  #length = 0;
  #runs = 0;
  #exceptions = 0;
  #asked = 0;

  reset(): void {
    this.#source = -1;
    this.#length = 0;
    this.#runs = 0;
    this.#exceptions = 0;
    this.#asked = 0;
  }

  get questions(): number {
    return this.#asked;
  }

  event(source: number): void {
    if (source === this.#source) {
      this.#length += 1;
      return;
    }
    this.#close();
    this.#source = source;
    this.#length = 1;
  }

  /** Writes out the run of events that ends here. */
  #close(): void {
    if (this.#length === 0) return;
    if (this.#runs === this.#sources.length) {
      this.#sources = widen(this.#sources);
      this.#counts = widen(this.#counts);
    }
    this.#sources[this.#runs] = this.#source;
    this.#counts[this.#runs] = this.#length;
    this.#runs += 1;
    this.#source = -1;
    this.#length = 0;
  }

  reply(answer: number): void {
    if (answer !== 0) {
      if (this.#exceptions === this.#questions.length) {
        this.#questions = widen(this.#questions);
        this.#replies = widen(this.#replies);
      }
      this.#questions[this.#exceptions] = this.#asked;
      this.#replies[this.#exceptions] = answer;
      this.#exceptions += 1;
    }
    this.#asked += 1;
  }

  get answers(): Answers {
    const sources = [...this.#sources.subarray(0, this.#runs)];
    const counts = [...this.#counts.subarray(0, this.#runs)];
    if (this.#length > 0) {
      sources.push(this.#source);
      counts.push(this.#length);
    }
    return {
      sources,
      counts,
      questions: [...this.#questions.subarray(0, this.#exceptions)],
      replies: [...this.#replies.subarray(0, this.#exceptions)],
    };
  }
}

function widen(from: Int32Array): Int32Array<ArrayBuffer> {
  const to = new Int32Array(from.length * 2);
  to.set(from);
  return to;
}
