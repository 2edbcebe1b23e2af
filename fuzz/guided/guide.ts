/**
 * Which program comes next when something was learnt: half of the budget goes where it would have gone anyway, the other half
 * to configurations by what they showed last; and some programs are mutated from the corpus.
 */
import type { Choice, Place, Target } from '../execution.ts';
import { actorNames } from '../generate.ts';
import type { Random } from '../random.ts';
import type { Fold, Seed } from './fold.ts';
import { mutated, tidied } from './mutate.ts';

/** Of four programs, so many are mutated: in the portfolio, and when `guided` is the only strategy. */
const MUTANTS = { mixed: 1, alone: 3 } as const;
/** No configuration gets more than so many times its share, or less than one in so many. */
const SPREAD = 4;
/** Weights are whole numbers: so much for all of the budget. */
const WHOLE = 1 << 20;

interface Arm extends Place {
  /** Share of the executions when nothing was learnt. */
  readonly share: number;
}

export class Guide {
  readonly arms: readonly Arm[];
  readonly #mutants: number;
  #fold: Fold | undefined;
  /** By arm, in the half of the budget that is given by what was learnt. */
  #weights: readonly number[] = [];
  #weightSum = 0;
  #seeds: readonly Seed[] = [];

  constructor(targets: readonly Target[], isOnly: boolean) {
    this.#mutants = isOnly ? MUTANTS.alone : MUTANTS.mixed;
    this.arms = targets.flatMap((target) => {
      const { configurations } = target;
      const total = configurations.reduce((sum, { weight }) => sum + weight, 0);
      return configurations.map((configuration) => ({
        target,
        configuration,
        share: configuration.weight / total / targets.length,
      }));
    });
  }

  /** @returns whether it is another than before */
  use(fold: Fold | undefined): boolean {
    if (fold === this.#fold) return false;
    this.#fold = fold;
    this.#weights = armWeights(this.arms, fold?.scores ?? []);
    this.#weightSum = this.#weights.reduce((sum, weight) => sum + weight, 0);
    this.#seeds = fold?.seeds ?? [];
    return true;
  }

  /** @param plain where programs are run when nothing was learnt */
  place(random: Random, plain: Place): Place {
    if (this.#weightSum === 0 || !random.chance(1, 2)) return plain;
    return this.arms[random.weighted(this.#weights, this.#weightSum)]!;
  }

  /** @param plain what is run when nothing was learnt */
  choose(random: Random, plain: Choice): Choice {
    const { target, configuration } = plain;
    const seeds = this.#seeds.filter(
      (seed) => seed.system === target.system.id && seed.configuration === configuration.id,
    );
    if (seeds.length === 0 || random.below(4) >= this.#mutants) return plain;
    // the better of two: newer seeds cover what older ones did not
    const parent = seeds[Math.max(random.below(seeds.length), random.below(seeds.length))]!;
    const { answers, temper } = parent;
    const { parameters, program } = mutated(random, parent, random.pick(seeds), plain.draft);
    const { operations } = target.system;
    const once = new Set(operations.flatMap((one) => (one.once === true ? [one.id] : [])));
    const draft = { parameters, program: tidied(program, actorNames(configuration).all, once) };
    return { target, configuration, draft, parent: { answers, temper } };
  }

  /** The arm of a choice: its place in `arms`. */
  armOf({ target, configuration }: Place): number {
    return this.arms.findIndex(
      (arm) => arm.target === target && arm.configuration === configuration,
    );
  }
}

/** By the keys that an arm covered first, for its share; real geometry keeps its small share. */
function armWeights(arms: readonly Arm[], scores: readonly number[]): readonly number[] {
  const total = scores.reduce((sum, score) => sum + score, 0);
  if (total === 0 || arms.length < 2) return arms.map(() => 0);
  return arms.map(({ share, configuration }, index) => {
    const ratio = configuration.isReal ? 1 : (scores[index] ?? 0) / total / share;
    return Math.ceil(WHOLE * share * Math.min(SPREAD, Math.max(1 / SPREAD, ratio)));
  });
}
