/**
 * Two variants of a system on the same programs and the same decisions of the same strategies: which of them
 * fails where the other does not.
 */

import { Executor, perform } from '../fuzz/execution.ts';
import { guarded } from '../fuzz/leak-guard.ts';
import { fits } from '../fuzz/minimise/plans.ts';
import type { Session } from '../fuzz/session.ts';
import { coarseSignature } from '../fuzz/signature.ts';
import type { Configuration, System } from '../models/system.ts';
import { openSessions } from './catalogue.ts';
import { bugNamed, UsageError } from './options.ts';

/** A bug, a configuration, or the correct model. */
export interface Variant {
  readonly id: string;
  readonly bugs: readonly string[];
  /** Undefined: that of the other variant. */
  readonly configuration: Configuration | undefined;
}

export interface Comparison {
  executions: number;
  /** Programs of the first that the second cannot run. */
  unfit: number;
  /** Runs of both with the same digest, signatures included. */
  same: number;
  /** Signatures, by who has them: how often, and in which execution first. */
  readonly onlyFirst: Map<string, Hits>;
  readonly onlySecond: Map<string, Hits>;
  readonly both: Map<string, Hits>;
}

export interface Hits {
  count: number;
  readonly first: number;
}

export const CORRECT = 'correct';

export function variantOf(system: System, text: string): Variant {
  if (text === CORRECT) return { id: text, bugs: [], configuration: undefined };
  const configuration = system.configurations.find(({ id }) => id === text);
  if (configuration !== undefined) return { id: text, bugs: [], configuration };
  try {
    const { bug } = bugNamed(text, [system]);
    const needed = system.configurations.find(({ id }) => id === bug.configuration);
    return { id: bug.id, bugs: [bug.id], configuration: needed };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(
      `--compare knows no variant "${text}" of ${system.id} (${CORRECT}, a configuration, a bug)`,
    );
  }
}

export class Comparer {
  readonly result: Comparison = {
    executions: 0,
    unfit: 0,
    same: 0,
    onlyFirst: new Map(),
    onlySecond: new Map(),
    both: new Map(),
  };
  readonly #executor: Executor;
  readonly #sessions = openSessions();
  readonly #first: Variant;
  readonly #second: Variant;

  constructor(
    system: System,
    first: Variant,
    second: Variant,
    seed: number,
    strategy: string | undefined,
  ) {
    this.#first = first;
    this.#second = second;
    const named = first.configuration ?? second.configuration;
    const configurations =
      named === undefined
        ? system.configurations.filter(({ kind }) => kind === 'correct')
        : [named];
    const target = { system, configurations, bugs: first.bugs };
    this.#executor = new Executor(seed, [target], strategy, this.#sessions);
  }

  /** Makes the next executions of both. */
  advance(count: number): void {
    guarded(() => {
      for (let i = 0; i < count; i += 1) this.#next();
    });
  }

  #next(): void {
    const { result } = this;
    const drawn = this.#executor.draw(result.executions);
    const { index, target, draft, configuration } = drawn;
    result.executions += 1;
    const system = target.system.id;
    const other = this.#second.configuration ?? configuration;
    const second = this.#sessions.get(system, other.id, this.#second.bugs);
    if (!fits(draft, other, second)) {
      result.unfit += 1;
      return;
    }
    const first = this.#sessions.get(system, configuration.id, this.#first.bugs);
    const one = outcome(drawn, first);
    const two = outcome(drawn, second);
    if (one.digest === two.digest && one.signature === two.signature) result.same += 1;
    if (one.signature === two.signature) note(result.both, one.signature, index);
    else {
      note(result.onlyFirst, one.signature, index);
      note(result.onlySecond, two.signature, index);
    }
  }
}

interface Outcome {
  readonly digest: string;
  readonly signature: string | undefined;
}

function outcome(drawn: Parameters<typeof perform>[0], session: Session): Outcome {
  const { result } = perform(drawn, session);
  const { violation, digest } = result;
  const signature = violation === undefined ? undefined : coarseSignature(session, violation);
  return { digest, signature };
}

function note(map: Map<string, Hits>, signature: string | undefined, index: number): void {
  if (signature === undefined) return;
  const known = map.get(signature);
  if (known === undefined) map.set(signature, { count: 1, first: index });
  else known.count += 1;
}
