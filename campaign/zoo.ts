/**
 * The zoo: every known bug until an oracle that its entry names finds it. Bugs take turns in slices,
 * so that a hard one does not starve the others; what each execution runs depends on seed and index.
 */
import { type Execution, Executor } from '../fuzz/execution.ts';
import { describeFinding } from '../fuzz/explain.ts';
import { type Finding, makeFinding } from '../fuzz/finding.ts';
import { guarded } from '../fuzz/leak-guard.ts';
import { Sessions } from '../fuzz/sessions.ts';
import { InternalError } from '../sim/assert.ts';
import { configurationsOf, type SystemBug } from './options.ts';

export interface ZooOptions {
  readonly seed: number;
  /** Seconds for all bugs together. */
  readonly seconds: number;
  readonly strategy: string | undefined;
}

export interface ZooEntry extends SystemBug {
  finding: Finding | undefined;
  /** Executions until it was found, or so far; seconds spent on it, minimising included. */
  executions: number;
  seconds: number;
  /** Failures reported by oracles that its entry does not name. */
  others: number;
}

const SLICE = 512;

export async function runZoo(
  bugs: readonly SystemBug[],
  options: ZooOptions,
  progress: (entry: ZooEntry) => void = () => {},
): Promise<readonly ZooEntry[]> {
  const sessions = new Sessions();
  const entries = bugs.map(
    (one): ZooEntry => ({ ...one, finding: undefined, executions: 0, seconds: 0, others: 0 }),
  );
  const executors = entries.map(({ system, bug }) => {
    const configurations = configurationsOf(system, bug.configuration, undefined);
    return new Executor(
      options.seed,
      [{ system, configurations, bugs: [bug.id] }],
      options.strategy,
      sessions,
    );
  });
  const started = performance.now();
  const isOver = (): boolean => (performance.now() - started) / 1000 >= options.seconds;
  while (!isOver() && entries.some(({ finding }) => finding === undefined)) {
    for (const [index, entry] of entries.entries()) {
      if (entry.finding !== undefined || isOver()) continue;
      const from = performance.now();
      hunt(sessions, executors[index]!, entry);
      entry.seconds += (performance.now() - from) / 1000;
      if (entry.finding !== undefined) progress(entry);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return entries;
}

/** Runs one slice for a bug, and minimises when an expected oracle objects. */
function hunt(sessions: Sessions, executor: Executor, entry: ZooEntry): void {
  const hit = guarded(() => {
    for (let i = 0; i < SLICE; i += 1) {
      const execution = executor.run(entry.executions);
      entry.executions += 1;
      const { violation } = execution.result;
      if (violation === undefined) continue;
      if (entry.bug.caughtBy.includes(violation.oracle)) return execution;
      entry.others += 1;
    }
    return undefined;
  });
  if (hit === undefined) return;
  entry.finding = guarded(() => findingOf(sessions, hit));
}

function findingOf(sessions: Sessions, { session, draft, index }: Execution): Finding {
  const plan = { program: draft.program, parameters: draft.parameters, order: [], choices: [] };
  const finding = makeFinding(sessions, session, plan, session.answers, describeFinding);
  if (finding === undefined)
    throw new InternalError(`execution ${index} does not fail again when replayed`);
  return finding;
}
