/**
 * The trial of one mutant: executions until an oracle objects or there are enough, in slices, so that
 * whoever owns the clock can stop in between. Deterministic but for where it is stopped.
 */
import type { Violation } from '../oracles/oracle.ts';
import { InternalError } from '../sim/assert.ts';
import { guarded } from './leak-guard.ts';
import type { Mutant } from './mutation.ts';
import { broadSamples, focusedSamples, Keeper, type Sample, type Workload } from './workload.ts';

export const MutantVerdict = {
  /** An oracle objected. */
  Killed: 'killed',
  /** The mutant made a difference, and no oracle objected. */
  Survivor: 'survivor',
  /** Shown to differ in nothing that anybody can see. */
  Equivalent: 'equivalent',
  /** No execution came to its place: a hole in what is generated. */
  NotReached: 'not-reached',
  /** Without effect by construction at the fidelity of the system's configurations. */
  NeedsFidelity: 'needs-fidelity',
} as const;
export type MutantVerdict = (typeof MutantVerdict)[keyof typeof MutantVerdict];

export interface TrialResult {
  readonly mutant: Mutant;
  readonly verdict: MutantVerdict;
  /** Oracle and clause that objected, and where: a case of the corpus or a campaign's execution. */
  readonly oracle: string | undefined;
  readonly rule: string | undefined;
  readonly by: string | undefined;
  readonly executions: number;
  /** Times that the place was come to, and that the mutant made a difference there. */
  readonly reached: number;
  readonly changed: number;
}

/** What is known of a mutant that no oracle objected to in the executions of its trial. */
export interface Judgement {
  readonly verdict: 'equivalent' | 'differs' | 'killed';
  /** The violation that kills it, and where it was found. */
  readonly violation?: Violation;
  readonly place?: string;
}

/**
 * Looks closer at a survivor; undefined when it remains open.
 * @param kept programs in which the mutant made a difference
 */
export type Judge = (mutant: Mutant, kept: readonly Sample[]) => Judgement | undefined;

export class Trial {
  readonly #workload: Workload;
  readonly #mutant: Mutant;
  readonly #runs: number;
  readonly #keeper: Keeper;
  #samples: Generator<Sample>;
  #isFocused = false;
  #killer: Sample | undefined;
  #executions = 0;

  /** @param runs executions of the campaign, and again as many of programs that come to its place */
  constructor(workload: Workload, mutant: Mutant, runs: number) {
    this.#workload = workload;
    this.#mutant = mutant;
    this.#runs = runs;
    workload.mutation.select(mutant);
    this.#keeper = new Keeper(workload.mutation);
    this.#samples = broadSamples(workload, runs);
  }

  /** Makes up to `count` executions. @returns false when there is nothing left to do */
  advance(count: number): boolean {
    try {
      return guarded(() => this.#advance(count));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const reason = `mutant "${this.#mutant.id}", execution ${this.#executions}: ${message}`;
      throw new InternalError(reason, { cause: error });
    }
  }

  #advance(count: number): boolean {
    for (let i = 0; i < count; i += 1) {
      const next = this.#samples.next();
      if (next.done === true) {
        if (this.#isFocused) return false;
        this.#isFocused = true;
        this.#samples = focusedSamples([...this.#keeper.kept], this.#runs);
        continue;
      }
      this.#executions += 1;
      if (!this.#isFocused) this.#keeper.see(next.value);
      if (next.value.result.violation === undefined) continue;
      this.#killer = next.value;
      return false;
    }
    return true;
  }

  /** Ends the trial; the system is as it was. */
  finish(judge: Judge): TrialResult {
    const { mutation } = this.#workload;
    const { reached, changed } = mutation;
    mutation.select(undefined);
    const isOpen = this.#killer === undefined && changed > 0;
    const judged = isOpen ? guarded(() => judge(this.#mutant, this.#keeper.kept)) : undefined;
    const violation = this.#killer?.result.violation ?? judged?.violation;
    return {
      mutant: this.#mutant,
      verdict: verdictOf(violation, reached, judged),
      oracle: violation?.oracle,
      rule: violation?.rule,
      by: this.#killer?.place ?? judged?.place,
      executions: this.#executions,
      reached,
      changed,
    };
  }
}

function verdictOf(
  violation: Violation | undefined,
  reached: number,
  judged: Judgement | undefined,
): MutantVerdict {
  if (violation !== undefined) return MutantVerdict.Killed;
  if (reached === 0) return MutantVerdict.NotReached;
  return judged?.verdict === 'equivalent' ? MutantVerdict.Equivalent : MutantVerdict.Survivor;
}
