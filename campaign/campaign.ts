/**
 * A campaign: executions by index, in shards that workers perform, until time, number or a finding ends
 * it; findings by signature, minimised; counts per system. Shards are merged in the order of their
 * indices, so that what is found depends on the plan and the number of executions only.
 */
import type { Target } from '../fuzz/execution.ts';
import { type Engine, LocalEngine, runFinding, runShard } from './engine.ts';
import { Flights } from './flights.ts';
import {
  type CampaignPlan,
  type Cell,
  type Failure,
  type FoundCase,
  planOf,
  type ShardResult,
} from './task.ts';

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
  readonly finding: FoundCase;
  /** Index of the execution that hit it first, and seconds since the start. */
  readonly index: number;
  readonly seconds: number;
  readonly strategy: string;
  readonly hits: number;
}

export interface CampaignStatus {
  readonly seconds: number;
  readonly executions: number;
  readonly steps: number;
  /** Signatures so far, and how many of them are still to be minimised. */
  readonly signatures: number;
  readonly minimising: number;
}

export interface CampaignResult {
  readonly seconds: number;
  readonly executions: number;
  readonly steps: number;
  readonly vacuous: number;
  readonly interrupted: boolean;
  readonly jobs: number;
  /** By the index of their first hit. */
  readonly findings: readonly CampaignFinding[];
  readonly systems: ReadonlyMap<string, SystemCount>;
}

export interface SystemCount {
  executions: number;
  vacuous: number;
  readonly configurations: Map<string, Cell>;
}

/** Executions of a shard: some 25 ms, so that a stop and a lost worker cost little. */
export const SHARD = 128;
/** How far shards may be ahead of the one that is merged next, per worker. */
const AHEAD = 8;
/** Shards that are in flight when a campaign is stopped are cut after this time. */
const GRACE_MS = 1000;

/** A finding while it is being minimised. */
interface Open {
  readonly failure: Failure;
  readonly seconds: number;
  hits: number;
  found: FoundCase | undefined;
}

export class Campaign {
  readonly #options: CampaignOptions;
  readonly #plan: CampaignPlan;
  readonly #engine: Engine;
  readonly #flights = new Flights();
  readonly #findings = new Map<string, Open>();
  /** Findings that nobody minimises yet. */
  readonly #waiting: Open[] = [];
  #minimising = 0;
  readonly #systems = new Map<string, SystemCount>();
  /** Results that came before those of lower indices, by their first index. */
  readonly #early = new Map<number, ShardResult>();
  /** The next execution to hand out, and the next to merge; the latter is the number of executions. */
  #next = 0;
  #merged = 0;
  #steps = 0;
  #vacuous = 0;
  #started = 0;
  /** No more shards; nothing more is merged. */
  #isStopping = false;
  #isOver = false;
  #interrupted = false;

  constructor(options: CampaignOptions, engine: Engine = new LocalEngine()) {
    this.#options = options;
    this.#engine = engine;
    this.#plan = planOf(options.seed, options.targets, options.strategy);
    for (const { system } of options.targets) {
      this.#systems.set(system.id, { executions: 0, vacuous: 0, configurations: new Map() });
    }
  }

  /** Ends the campaign after the executions in flight. */
  interrupt(): void {
    this.#interrupted = true;
    this.#stop();
  }

  get interrupted(): boolean {
    return this.#interrupted;
  }

  /** Calls `status` about every second. */
  async run(status: (now: CampaignStatus) => void = () => {}): Promise<CampaignResult> {
    this.#started = performance.now();
    const { seconds } = this.#options;
    const ticking = setInterval(() => status(this.#status()), 1000);
    const ending =
      seconds === undefined ? undefined : setTimeout(() => this.#stop(), seconds * 1000);
    try {
      for (;;) {
        this.#launch();
        if (this.#flights.count === 0) break;
        await this.#flights.next();
      }
    } finally {
      clearInterval(ticking);
      clearTimeout(ending);
    }
    return this.#result();
  }

  #stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    // shards of slow configurations would take long
    setTimeout(() => this.#engine.stop(), GRACE_MS).unref();
    this.#flights.wake();
  }

  get #seconds(): number {
    return (performance.now() - this.#started) / 1000;
  }

  /** Keeps the workers busy: findings have some of them, shards the rest. */
  #launch(): void {
    const { workers } = this.#engine;
    const isHunting = !this.#isStopping;
    const share = isHunting ? Math.ceil(workers / 2) : workers;
    while (this.#waiting.length > 0 && this.#minimising < share) {
      this.#flights.launch(this.#minimise(this.#waiting.shift()!));
    }
    // one more than there are workers: none waits for the next
    while (!this.#isStopping && this.#flights.count <= workers && this.#hasRoom) {
      const from = this.#next;
      const to = Math.min(from + SHARD, this.#options.runs ?? Number.MAX_SAFE_INTEGER);
      this.#next = to;
      this.#flights.launch(this.#shard(from, to));
    }
  }

  get #hasRoom(): boolean {
    const ahead = this.#next - this.#merged;
    return (
      this.#next < (this.#options.runs ?? Number.MAX_SAFE_INTEGER) &&
      ahead < AHEAD * SHARD * this.#engine.workers
    );
  }

  async #shard(from: number, to: number): Promise<void> {
    const untilFailure = this.#options.stopOnFinding;
    const plan = this.#plan;
    const task = { kind: 'shard', plan, from, to, untilFailure } as const;
    const { result } = await runShard(this.#engine, task);
    this.#early.set(from, result);
    for (;;) {
      const next = this.#early.get(this.#merged);
      if (next === undefined || this.#isOver) return;
      this.#early.delete(this.#merged);
      const isWhole = next.to === Math.min(next.from + SHARD, this.#options.runs ?? Infinity);
      this.#merge(next);
      // it was stopped, or it has found what ends the campaign: the executions after it do not count
      if (!isWhole || (untilFailure && next.failures.length > 0)) {
        this.#isOver = true;
        this.#stop();
        this.#engine.stop();
      }
    }
  }

  #merge({ to, cells, failures }: ShardResult): void {
    this.#merged = to;
    for (const cell of cells) {
      this.#steps += cell.steps;
      this.#vacuous += cell.vacuous;
      const counts = this.#systems.get(cell.system)!;
      counts.executions += cell.executions;
      counts.vacuous += cell.vacuous;
      const known = counts.configurations.get(cell.configuration);
      counts.configurations.set(cell.configuration, known === undefined ? cell : sum(known, cell));
    }
    for (const failure of failures) {
      const known = this.#findings.get(failure.key);
      if (known !== undefined) {
        known.hits += failure.hits;
        continue;
      }
      const { hits } = failure;
      const open: Open = { failure, seconds: this.#seconds, hits, found: undefined };
      this.#findings.set(failure.key, open);
      this.#waiting.push(open);
    }
  }

  async #minimise(open: Open): Promise<void> {
    this.#minimising += 1;
    const { result } = await runFinding(this.#engine, {
      kind: 'finding',
      plan: this.#plan,
      index: open.failure.index,
      budget: this.#options.minimiseBudget ?? null,
    });
    open.found = result;
    this.#minimising -= 1;
  }

  #status(): CampaignStatus {
    return {
      seconds: this.#seconds,
      executions: this.#merged,
      steps: this.#steps,
      signatures: this.#findings.size,
      minimising: this.#minimising + this.#waiting.length,
    };
  }

  #result(): CampaignResult {
    const findings = [...this.#findings.values()].map(
      ({ failure, seconds, hits, found }): CampaignFinding => ({
        system: failure.system,
        bug: failure.bugs[0],
        finding: found!,
        index: failure.index,
        seconds,
        strategy: failure.strategy,
        hits,
      }),
    );
    return {
      seconds: this.#seconds,
      executions: this.#merged,
      steps: this.#steps,
      vacuous: this.#vacuous,
      interrupted: this.#interrupted,
      jobs: this.#engine.workers,
      findings: findings.sort((a, b) => a.index - b.index),
      systems: this.#systems,
    };
  }
}

function sum(one: Cell, other: Cell): Cell {
  return {
    ...one,
    executions: one.executions + other.executions,
    steps: one.steps + other.steps,
    vacuous: one.vacuous + other.vacuous,
    operations: addTallies(one.operations, other.operations),
    oracles: addCounts(one.oracles, other.oracles),
  };
}

export function addCounts(
  one: Readonly<Record<string, number>>,
  other: Readonly<Record<string, number>>,
): Record<string, number> {
  const added = { ...one };
  for (const [id, count] of Object.entries(other)) added[id] = (added[id] ?? 0) + count;
  return added;
}

export function addTallies(one: Cell['operations'], other: Cell['operations']): Cell['operations'] {
  const added = { ...one };
  for (const [id, { begun, finished, failed }] of Object.entries(other)) {
    const known = added[id];
    added[id] = {
      begun: (known?.begun ?? 0) + begun,
      finished: (known?.finished ?? 0) + finished,
      failed: (known?.failed ?? 0) + failed,
    };
  }
  return added;
}
