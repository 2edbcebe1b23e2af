/**
 * A campaign in one process: executions in order of their index until time, number or a finding ends
 * it; findings by signature, minimised; counts per system. The only clock is here.
 */
import { type Execution, Executor, type Target } from '../fuzz/execution.ts';
import { describeFinding } from '../fuzz/explain.ts';
import { type Finding, makeFinding } from '../fuzz/finding.ts';
import { guarded } from '../fuzz/leak-guard.ts';
import { Sessions } from '../fuzz/sessions.ts';
import { coarseSignature } from '../fuzz/signature.ts';
import { InternalError } from '../sim/assert.ts';

export interface CampaignOptions {
  readonly seed: number;
  readonly targets: readonly Target[];
  readonly strategy: string | undefined;
  /** Executions; no limit when undefined. */
  readonly runs: number | undefined;
  /** Seconds; no limit when undefined. */
  readonly seconds: number | undefined;
  readonly stopOnFinding: boolean;
  /** Executions that minimising one finding may take. */
  readonly minimiseBudget?: number;
}

export interface CampaignFinding {
  readonly system: string;
  readonly bug: string | undefined;
  readonly finding: Finding;
  /** Index of the execution that hit it first, and seconds since the start. */
  readonly index: number;
  readonly seconds: number;
  readonly strategy: string;
  hits: number;
}

export interface SystemCount {
  executions: number;
  vacuous: number;
  readonly configurations: Map<string, number>;
}

export interface CampaignStatus {
  readonly seconds: number;
  readonly executions: number;
  readonly steps: number;
  readonly findings: readonly CampaignFinding[];
}

export interface CampaignResult extends CampaignStatus {
  readonly vacuous: number;
  readonly interrupted: boolean;
  readonly systems: ReadonlyMap<string, SystemCount>;
  readonly sessions: Sessions;
}

/** How often the clock, the interrupt flag and the status are looked at. */
const CHECK_EVERY = 64;

export class Campaign {
  readonly #options: CampaignOptions;
  readonly #sessions = new Sessions();
  readonly #executor: Executor;
  readonly #findings = new Map<string, CampaignFinding>();
  readonly #systems = new Map<string, SystemCount>();
  #executions = 0;
  #steps = 0;
  #vacuous = 0;
  #started = 0;
  interrupted = false;

  constructor(options: CampaignOptions) {
    this.#options = options;
    this.#executor = new Executor(options.seed, options.targets, options.strategy, this.#sessions);
    for (const { system } of options.targets) {
      this.#systems.set(system.id, { executions: 0, vacuous: 0, configurations: new Map() });
    }
  }

  /** Lets others in between slices (signals, terminal); calls `status` about every second. */
  async run(status: (now: CampaignStatus) => void = () => {}): Promise<CampaignResult> {
    this.#started = performance.now();
    let shown = this.#started;
    while (!this.#isOver()) {
      const until = performance.now() + 50;
      do this.#slice();
      while (performance.now() < until && !this.#isOver());
      if (performance.now() - shown >= 1000) {
        shown = performance.now();
        status(this.#status());
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    return this.#result();
  }

  #isOver(): boolean {
    const { runs, seconds, stopOnFinding } = this.#options;
    if (this.interrupted) return true;
    if (runs !== undefined && this.#executions >= runs) return true;
    if (stopOnFinding && this.#findings.size > 0) return true;
    return seconds !== undefined && this.#seconds >= seconds;
  }

  get #seconds(): number {
    return (performance.now() - this.#started) / 1000;
  }

  #slice(): void {
    const failed = guarded(() => this.#runSome());
    if (failed !== undefined) this.#findings.set(keyOf(failed), this.#found(failed));
  }

  /** Runs executions until the slice is over or one fails in a new way; that one is returned. */
  #runSome(): Execution | undefined {
    for (let i = 0; i < CHECK_EVERY; i += 1) {
      if (this.#options.runs !== undefined && this.#executions >= this.#options.runs)
        return undefined;
      const execution = this.#execute(this.#executions);
      this.#executions += 1;
      this.#count(execution);
      if (execution.result.violation === undefined) continue;
      const known = this.#findings.get(keyOf(execution));
      if (known === undefined) return execution;
      known.hits += 1;
    }
    return undefined;
  }

  #execute(index: number): Execution {
    try {
      return this.#executor.run(index);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const reason = `execution ${index} of seed ${this.#options.seed}: ${message}`;
      throw new InternalError(reason, { cause: error });
    }
  }

  #count({ result, target, session }: Execution): void {
    this.#steps += result.steps;
    const counts = this.#systems.get(target.system.id)!;
    counts.executions += 1;
    const configuration = session.configuration.id;
    counts.configurations.set(configuration, (counts.configurations.get(configuration) ?? 0) + 1);
    if (result.vacuous && result.violation === undefined) {
      counts.vacuous += 1;
      this.#vacuous += 1;
    }
  }

  #found({ session, draft, target, strategy, index }: Execution): CampaignFinding {
    const seconds = this.#seconds;
    const plan = { program: draft.program, parameters: draft.parameters, order: [], choices: [] };
    const finding = guarded(() =>
      makeFinding(
        this.#sessions,
        session,
        plan,
        session.answers,
        describeFinding,
        this.#options.minimiseBudget,
      ),
    );
    if (finding === undefined)
      throw new InternalError(`execution ${index} does not fail again when replayed`);
    return {
      system: target.system.id,
      bug: target.bugs[0],
      finding,
      index,
      seconds,
      strategy,
      hits: 1,
    };
  }

  #status(): CampaignStatus {
    return {
      seconds: this.#seconds,
      executions: this.#executions,
      steps: this.#steps,
      findings: [...this.#findings.values()],
    };
  }

  #result(): CampaignResult {
    return {
      ...this.#status(),
      vacuous: this.#vacuous,
      interrupted: this.interrupted,
      systems: this.#systems,
      sessions: this.#sessions,
    };
  }
}

/** What makes two failing executions one finding. */
function keyOf({ target, session, result }: Execution): string {
  return `${target.system.id} ${target.bugs.join(',')} ${coarseSignature(session, result.violation!)}`;
}
