/** One hunt of a bug, for the comparisons of strategies: executions until an expected oracle objects. */
import { isLookedAt } from '../campaign/task.ts';
import { Coverage, SIGNALS, type Signal } from '../fuzz/coverage.ts';
import { Executor, type Target } from '../fuzz/execution.ts';
import { epochOf } from '../fuzz/guided/epochs.ts';
import { type Fold, type Fresh, folded, LAG, NOTHING_LEARNT } from '../fuzz/guided/fold.ts';
import { learn } from '../fuzz/guided/learn.ts';
import type { Session } from '../fuzz/session.ts';
import { Sessions } from '../fuzz/sessions.ts';
import type { Bug, System } from '../models/system.ts';

/** What a hunt runs. */
export interface Variant {
  readonly id: string;
  /** The only strategy; the portfolio when undefined. */
  readonly strategy: string | undefined;
  /** Signals that it learns from; it does not learn when undefined. */
  readonly signals?: readonly Signal[];
}

export function learning(id: string, signals: readonly Signal[] = SIGNALS): Variant {
  return { id, strategy: undefined, signals };
}

export class Hunt {
  readonly #bug: Bug;
  readonly #sessions = new Sessions();
  readonly #target: Target;
  readonly #looks = new Map<Session, Coverage>();

  constructor(system: System, bug: Bug, configurations: Target['configurations']) {
    this.#bug = bug;
    this.#target = { system, configurations, bugs: [bug.id] };
  }

  /** @returns executions, or undefined when so many were not enough */
  run({ strategy, signals }: Variant, seed: number, executions: number): number | undefined {
    const executor = new Executor(seed, [this.#target], strategy, this.#sessions);
    const pupil = signals === undefined ? undefined : new Pupil(executor, signals, this.#looks);
    for (let index = 0; index < executions; index += 1) {
      pupil?.before(index);
      const { result, session } = executor.run(index);
      const { violation } = result;
      if (violation !== undefined && this.#bug.caughtBy.includes(violation.oracle))
        return index + 1;
      pupil?.after(index, session);
    }
    return undefined;
  }
}

/** Learns as a campaign does (campaign/learner.ts), from some of the signals. */
export class Pupil {
  readonly #executor: Executor;
  readonly #signals: readonly Signal[];
  readonly #looks: Map<Session, Coverage>;
  readonly #known = new Set<string>();
  /** By epoch: what was known after it. */
  readonly #folds: Fold[] = [];
  #fresh: Fresh[] = [];
  #epoch = 0;

  constructor(executor: Executor, signals: readonly Signal[], looks: Map<Session, Coverage>) {
    this.#executor = executor;
    this.#signals = signals;
    this.#looks = looks;
  }

  before(index: number): void {
    const epoch = epochOf(index);
    if (epoch === this.#epoch) return;
    const step = learn(this.#executor, this.#at(this.#epoch - LAG), this.#epoch, this.#fresh);
    this.#folds.push(folded(this.#folds.at(-1) ?? NOTHING_LEARNT, step));
    this.#fresh = [];
    this.#epoch = epoch;
    this.#executor.use(this.#at(epoch - LAG));
  }

  #at(epoch: number): Fold {
    return this.#folds[epoch] ?? NOTHING_LEARNT;
  }

  after(index: number, session: Session): void {
    if (!isLookedAt(index)) return;
    let keys = 0;
    if (this.#signals.length === 0) {
      // the control: a corpus of executions that were not chosen for what they covered
      keys = (Math.imul(index, 0x9e3779b1) >>> 20) % 100;
    } else {
      const look = this.#looks.get(session) ?? new Coverage(session);
      this.#looks.set(session, look);
      look.read();
      for (const signal of this.#signals) {
        for (const key of look[signal]) {
          const name = `${signal} ${key}`;
          if (this.#known.has(name)) continue;
          this.#known.add(name);
          keys += 1;
        }
      }
    }
    if (keys > 0) this.#fresh.push({ index, keys });
  }
}
