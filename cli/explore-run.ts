/** What both forms of `explore` share: flags, limits, and a search that lets signals and the clock in. */
import { UsageError } from '../campaign/options.ts';
import { Explorer } from '../fuzz/explore/explore.ts';
import type { Exploration, Progress, Subject } from '../fuzz/explore/result.ts';
import type { Session } from '../fuzz/session.ts';
import type { Configuration } from '../models/system.ts';
import { Exit, thousands } from './terminal.ts';

/** Between two looks at the terminal and at signals. */
const SHOW_SECONDS = 0.2;

export interface ExploreFlags {
  readonly switches?: string;
  readonly answers?: string;
  readonly executions?: string;
  readonly time?: string;
  readonly withoutBug?: boolean;
  readonly save?: string;
  readonly pairs?: string;
  readonly configuration?: string;
  readonly json?: boolean;
}

export interface Limits {
  readonly switches: number | undefined;
  readonly answers: number | undefined;
  readonly executions: number | undefined;
  readonly seconds: number | undefined;
}

/** Ctrl-C and the time limit, asked before every execution. */
export class Watch {
  isInterrupted = false;
  readonly #began = performance.now();
  readonly #seconds: number | undefined;
  readonly #stop = (): void => {
    if (this.isInterrupted) process.exit(Exit.Finding);
    this.isInterrupted = true;
  };

  constructor(limit: number | undefined) {
    this.#seconds = limit;
    process.on('SIGINT', this.#stop);
  }

  get elapsed(): number {
    return (performance.now() - this.#began) / 1000;
  }

  get isOver(): boolean {
    return this.isInterrupted || (this.#seconds !== undefined && this.elapsed >= this.#seconds);
  }

  close(): void {
    process.off('SIGINT', this.#stop);
  }
}

/** Explores until it is done or the watch ends it; lets signals in now and then. */
export async function watched(
  session: Session,
  subject: Subject,
  limits: Limits,
  watch: Watch,
  show: (progress: Progress) => void,
): Promise<Exploration> {
  const explorer = new Explorer(session, subject, limits);
  let shown = watch.elapsed;
  while (!watch.isOver && explorer.step()) {
    if (watch.elapsed - shown < SHOW_SECONDS) continue;
    shown = watch.elapsed;
    show(explorer.progress);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return explorer.exploration;
}

export function statusText(progress: Progress, elapsed: number): string {
  const { executions, classes, switches, pending, fraction, findings } = progress;
  return (
    `${elapsed.toFixed(0)} s  ${thousands(executions)} executions (${thousands(executions / Math.max(elapsed, 0.001))}/s), ` +
    `${thousands(classes)} inequivalent; at ${switches} switches, ${thousands(pending)} schedules known to come, ` +
    `at most ${(100 * fraction).toFixed(1)} % done; ${findings} findings`
  );
}

export function boundText({ switches, answers }: Limits): string {
  const texts = [
    ...(switches === undefined
      ? []
      : [`at most ${switches} ${switches === 1 ? 'switch' : 'switches'}`]),
    ...(answers === undefined
      ? []
      : [`at most ${answers} ${answers === 1 ? 'answer' : 'answers'} other than the default`]),
  ];
  return texts.length === 0 ? '' : ` with ${texts.join(' and ')}`;
}

/**
 * Where stores have an event of their own for becoming visible, or threads move between PEs, footprints are not
 * tested: no certificate.
 */
export function checkFidelity({ id, fidelity, movesThreads }: Configuration): void {
  if (movesThreads === true) {
    throw new UsageError(`threads of ${id} move between PEs; explore covers threads that stay`);
  }
  if (fidelity === 'F1') return;
  throw new UsageError(`${id} has fidelity ${fidelity}; explore covers F1`);
}
