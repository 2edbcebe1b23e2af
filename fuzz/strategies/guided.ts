/**
 * Follows the schedule of an earlier run and leaves it: for good at a drawn event, or for a while at a few. What it follows
 * comes from the corpus that a campaign keeps of executions which covered something new (fuzz/guided/). Without one it is
 * a random walk.
 *
 * After greybox fuzzing (AFL) and its kin for schedules (Wolff et al., RFF, ASPLOS 2024); those mutate what is read from
 * what, we mutate who goes on, and the program with it.
 */
import type { Answers, Scheduler, Scheduling } from '../../sim/scheduler.ts';
import type { Random } from '../random.ts';
import { type Temper, temperedAnswer } from '../temper.ts';

/** One run in so many leaves the recorded schedule for good, the others come back. */
const CUT_ODDS = 3;
const DETOURS_MAX = 3;
/** Events of one detour, at most: an operation is some 40. */
const DETOUR_EVENTS = 24;
/** Runs of the recording that may be skipped because nobody is there to make them. */
const SKIP_MAX = 8;
/** Times in 256 that a walk goes on with the actor of the last event. */
const STAY = [0, 128, 205] as const;

export class GuidedStrategy implements Scheduler {
  readonly id = 'guided';
  readonly #random: Random;
  readonly #temper: Temper;
  readonly #recorded: Answers | undefined;
  readonly #stay: number;
  /** Events at which it leaves the recording, ascending; after the last one for good when `#isCut`. */
  readonly #leaves: readonly number[];
  readonly #isCut: boolean;
  #next = 0;
  /** The run of the recording that is followed, and how much of it is left. */
  #run = 0;
  #left = 0;
  #detour = -1;
  #detourLeft = 0;
  /** All answers so far were those of the recording. */
  #isExact = true;
  #isFollowing = false;
  #asked = 0;
  #exception = 0;

  constructor(random: Random, temper: Temper, recorded: Answers | undefined) {
    this.#random = random;
    this.#temper = temper;
    this.#recorded = recorded;
    this.#stay = random.pick(STAY);
    const events = recorded?.counts.reduce((sum, count) => sum + count, 0) ?? 0;
    this.#isCut = events === 0 || random.chance(1, CUT_ODDS);
    const count = this.#isCut ? 1 : 1 + random.below(DETOURS_MAX);
    this.#leaves = Array.from({ length: count }, () => random.below(events + 1)).sort(
      (a, b) => a - b,
    );
  }

  begin(_machine: Scheduling): void {
    this.#next = 0;
    this.#run = 0;
    this.#left = this.#recorded?.counts[0] ?? 0;
    this.#detourLeft = 0;
    this.#isFollowing = this.#recorded !== undefined;
    this.#isExact = this.#isFollowing;
    this.#asked = 0;
    this.#exception = 0;
  }

  pick(machine: Scheduling): number {
    if (this.#next < this.#leaves.length && machine.events >= this.#leaves[this.#next]!) {
      this.#next += 1;
      this.#leave(machine);
    }
    if (this.#detourLeft > 0 && machine.isReady(this.#detour)) {
      this.#detourLeft -= 1;
      return this.#detour;
    }
    this.#detourLeft = 0;
    const followed = this.#isFollowing ? this.#follow(machine) : -1;
    return followed >= 0 ? followed : this.#walk(machine);
  }

  choose(_machine: Scheduling, site: number, alternatives: number): number {
    const question = this.#asked;
    this.#asked += 1;
    const { questions, replies } = this.#recorded ?? { questions: [], replies: [] };
    if (!this.#isExact) return temperedAnswer(this.#random, this.#temper, site, alternatives);
    if (questions[this.#exception] !== question) return 0;
    const reply = replies[this.#exception]!;
    this.#exception += 1;
    return reply < alternatives ? reply : 0;
  }

  #leave(machine: Scheduling): void {
    this.#isExact = false;
    if (this.#isCut) {
      this.#isFollowing = false;
      return;
    }
    this.#detour = machine.ready[this.#random.below(machine.readyCount)]!;
    this.#detourLeft = 1 + this.#random.below(DETOUR_EVENTS);
  }

  /** The next source of the recording that is ready; -1 when the recording does not help any more. */
  #follow(machine: Scheduling): number {
    const { sources, counts } = this.#recorded!;
    for (let skipped = 0; skipped <= SKIP_MAX; ) {
      if (this.#left > 0) {
        const source = sources[this.#run]!;
        if (machine.isReady(source)) {
          this.#left -= 1;
          return source;
        }
        skipped += 1;
        this.#isExact = false;
      }
      this.#run += 1;
      if (this.#run >= sources.length) break;
      this.#left = counts[this.#run]!;
    }
    this.#isFollowing = false;
    this.#isExact = false;
    return -1;
  }

  #walk(machine: Scheduling): number {
    const { current, ready, readyCount } = machine;
    if (readyCount === 1) return ready[0]!;
    const stays = this.#stay > 0 && current >= 0 && machine.isReady(current);
    if (stays && this.#random.below(256) < this.#stay) return current;
    return ready[this.#random.below(readyCount)]!;
  }
}
