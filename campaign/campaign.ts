/**
 * A campaign: executions by index, in shards that workers perform, until time, number or a finding ends
 * it; findings by signature, minimised; counts per system. Shards are merged in the order of their
 * indices, so that what is found depends on the plan and the number of executions only.
 */
import type { Target } from '../fuzz/execution.ts';
import { epochOf, epochStart } from '../fuzz/guided/epochs.ts';
import type { FoldStep } from '../fuzz/guided/fold.ts';
import { CANARY_BLOCK, Canary, type CanaryHealth, hasCanary } from './canary.ts';
import { catalogue } from './catalogue.ts';
import { type Engine, LocalEngine, runFinding, runShard } from './engine.ts';
import { Flights } from './flights.ts';
import type { CampaignFolder } from './folder.ts';
import { knownFor, Learner } from './learner.ts';
import { type CampaignPlan, planOf, type ShardResult } from './task.ts';
import { Batch, type Finding, Totals } from './totals.ts';

export interface CampaignOptions {
  readonly seed: number;
  readonly targets: readonly Target[];
  readonly strategy: string | undefined;
  /** Executions, those before it was resumed included; no limit when undefined. */
  readonly runs: number | undefined;
  /** Seconds from now; no limit when undefined. */
  readonly seconds: number | undefined;
  readonly stopOnFinding: boolean;
  /** What it starts from, when executions depend on what was covered before them (learner.ts). */
  readonly learnsFrom?: FoldStep | undefined;
  /** Executions that minimising one finding may take. */
  readonly minimiseBudget?: number;
}

export interface CampaignStatus {
  /** Of campaign, with the time before it was resumed. */
  readonly seconds: number;
  readonly totals: Totals;
  readonly minimising: number;
  /** Executions that others are mutated from. */
  readonly corpus: number;
  /** Workers that died. */
  readonly deaths: number;
  /** Why what was done is not on the disk. */
  readonly trouble: string | undefined;
  readonly health: CanaryHealth | undefined;
}

export interface CampaignResult {
  readonly plan: CampaignPlan;
  readonly seconds: number;
  readonly interrupted: boolean;
  readonly jobs: number;
  readonly totals: Totals;
  /** By the index of their first hit. */
  readonly findings: readonly Finding[];
  readonly health: CanaryHealth | undefined;
}

/** A finding to be minimised, and what its execution knew. */
interface Waiting {
  readonly finding: Finding;
  readonly fold: string | null;
}

/** How far shards may be ahead of the one that is merged next, per worker. */
const AHEAD = 8;
/** Shards that are in flight when a campaign is stopped are cut after this time. */
const GRACE_MS = 1000;
/** Records of the journal: rarer when a campaign is long, at most so many seconds apart. */
const FLUSH_SECONDS_MIN = 0.25;
const FLUSH_SECONDS_MAX = 5;
const FLUSH_SHARE = 0.05;
/** Executions that minimising a finding of the canary may take. */
const CANARY_BUDGET = 500;

export class Campaign {
  readonly #options: CampaignOptions;
  readonly #plan: CampaignPlan;
  readonly #engine: Engine;
  readonly #folder: CampaignFolder | undefined;
  readonly #flights = new Flights();
  readonly #totals: Totals;
  /** Findings that nobody minimises yet, and those that are minimised but not kept yet. */
  readonly #waiting: Waiting[];
  #unkept: Finding[] = [];
  #minimising = 0;
  readonly #canary: Canary | undefined;
  #isSinging = false;
  readonly #learner: Learner | undefined;
  /** Steps of the learner that are not in the journal. */
  readonly #unlearnt: FoldStep[] = [];
  /** Blocks of the canary that are not in the journal. */
  readonly #unsung: ShardResult[] = [];
  /** Results that came before those of lower indices, by their first index. */
  readonly #early = new Map<number, ShardResult>();
  /** The next execution to hand out; all below `totals.executions` are merged. */
  #next: number;
  /** What is merged and not in the journal. */
  readonly #batch: Batch;
  #flushed = 0;
  #started = 0;
  /** Seconds before it was resumed. */
  readonly #before: number;
  /** No more shards; nothing more is merged. */
  #isStopping = false;
  #isOver = false;
  #interrupted = false;

  /** @param folder where it is kept, with what was done before; nowhere when undefined */
  constructor(
    options: CampaignOptions,
    engine: Engine = new LocalEngine(),
    folder: CampaignFolder | undefined = undefined,
  ) {
    this.#options = options;
    this.#engine = engine;
    this.#folder = folder;
    const first = options.learnsFrom;
    this.#plan = planOf(options.seed, options.targets, options.strategy, first !== undefined);
    this.#totals = folder?.history.totals ?? new Totals();
    this.#before = this.#totals.seconds;
    this.#next = this.#totals.executions;
    this.#batch = new Batch(this.#next);
    if (hasCanary(this.#plan)) this.#canary = new Canary(this.#plan, folder?.history.canary);
    const known = [...this.#totals.findings.values()];
    const steps = folder?.history.takeSteps() ?? [];
    if (first !== undefined) this.#learner = this.#learnerFrom(first, steps);
    this.#waiting = known
      .filter(({ found }) => found === undefined)
      .map((finding) => {
        const { index } = finding.failure;
        return {
          finding,
          fold: first === undefined ? null : JSON.stringify(knownFor(steps, index)),
        };
      });
    const isLate = options.seconds !== undefined && options.seconds <= 0;
    this.#isStopping = isLate || (options.stopOnFinding && known.length > 0);
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
    const ticking = setInterval(() => status(this.status), 1000);
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
      this.#totals.seconds = this.#seconds;
      this.#flush();
    }
    return this.result;
  }

  get status(): CampaignStatus {
    return {
      seconds: this.#seconds,
      totals: this.#totals,
      minimising: this.#minimising + this.#waiting.length,
      corpus: this.#learner?.size ?? 0,
      deaths: this.#engine.deaths,
      trouble: this.#folder?.trouble,
      health: this.#canary?.health,
    };
  }

  /** How it stands. */
  get result(): CampaignResult {
    return {
      plan: this.#plan,
      seconds: this.#seconds,
      interrupted: this.#interrupted,
      jobs: this.#engine.workers,
      totals: this.#totals,
      findings: [...this.#totals.findings.values()],
      health: this.#canary?.health,
    };
  }

  #stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    // shards of slow configurations would take long
    setTimeout(() => this.#engine.stop(), GRACE_MS).unref();
    this.#flights.wake();
  }

  get #seconds(): number {
    return this.#before + (performance.now() - this.#started) / 1000;
  }

  /** Keeps the workers busy: findings have some of them, shards the rest. */
  #launch(): void {
    const { workers } = this.#engine;
    const share = this.#hasMore ? Math.ceil(workers / 2) : workers;
    while (this.#waiting.length > 0 && this.#minimising < share) {
      this.#flights.launch(this.#minimise(this.#waiting.shift()!));
    }
    const canary = this.#isSinging || this.#isOver ? undefined : this.#canary;
    if (canary?.isDue(this.#totals.executions) === true && this.#flights.count <= workers)
      this.#flights.launch(this.#sing(canary));
    // one more than there are workers: none waits for the next
    while (this.#hasMore && this.#flights.count <= workers && this.#hasRoom) {
      const from = this.#next;
      this.#next = this.#endOf(from);
      this.#flights.launch(this.#shard(from, this.#next));
    }
  }

  get #hasMore(): boolean {
    return !this.#isStopping && this.#next < (this.#options.runs ?? Number.MAX_SAFE_INTEGER);
  }

  get #hasRoom(): boolean {
    if (this.#learner?.isReady(this.#next) === false) return false;
    return this.#next - this.#totals.executions < AHEAD * this.#engine.shard * this.#engine.workers;
  }

  #endOf(from: number): number {
    const end = Math.min(from + this.#engine.shard, this.#options.runs ?? Number.MAX_SAFE_INTEGER);
    // executions of a shard know the same
    return this.#learner === undefined ? end : Math.min(end, epochStart(epochOf(from) + 1));
  }

  #learnerFrom(first: FoldStep, made: readonly FoldStep[]): Learner {
    const steps = made.length > 0 ? made : [first];
    if (made.length === 0) this.#unlearnt.push(first);
    const learner = new Learner(this.#plan, catalogue(), this.#totals.coverage, steps);
    this.#unlearnt.push(...learner.advance(this.#totals.executions));
    return learner;
  }

  #foldFor(index: number): string | null {
    return this.#learner?.textFor(index) ?? null;
  }

  async #shard(from: number, to: number): Promise<void> {
    const untilFailure = this.#options.stopOnFinding;
    const plan = this.#plan;
    const fold = this.#foldFor(from);
    const task = { kind: 'shard', plan, from, to, untilFailure, fold } as const;
    const { result } = await runShard(this.#engine, task);
    this.#early.set(from, result);
    for (;;) {
      const next = this.#early.get(this.#totals.executions);
      if (next === undefined || this.#isOver) return;
      this.#early.delete(next.from);
      this.#merge(next);
      // it was stopped, or it has found what ends the campaign: the executions after it do not count
      if (next.to < this.#endOf(next.from) || (untilFailure && next.failures.length > 0)) {
        this.#isOver = true;
        this.#stop();
        this.#engine.stop();
      }
    }
  }

  /** A block of the canary: one at a time, so that they end in order. */
  async #sing(canary: Canary): Promise<void> {
    this.#isSinging = true;
    const { plan, totals } = canary;
    const from = totals.executions;
    const to = from + CANARY_BLOCK;
    const task = { kind: 'shard', plan, from, to, untilFailure: false, fold: null } as const;
    const { result } = await runShard(this.#engine, task);
    // cut short at the end of the campaign: it is due again when the campaign is resumed
    if (result.to < to) return;
    this.#isSinging = false;
    const { findings } = totals.merge(result, this.#seconds);
    this.#unsung.push(result);
    this.#flush();
    for (const finding of findings) await this.#shrinkSong(canary, finding);
  }

  async #shrinkSong({ plan }: Canary, finding: Finding): Promise<void> {
    const { index } = finding.failure;
    const task = {
      kind: 'finding',
      plan,
      index,
      budget: CANARY_BUDGET,
      isPlain: false,
      fold: null,
    } as const;
    const { result } = await runFinding(this.#engine, task);
    finding.found = result;
    this.#unkept.push(finding);
    this.#flush();
  }

  #merge(result: ShardResult): void {
    const { findings, coverage } = this.#totals.merge(result, this.#seconds);
    for (const finding of findings)
      this.#waiting.push({ finding, fold: this.#foldFor(finding.failure.index) });
    this.#batch.add(result, coverage);
    if (this.#learner !== undefined)
      this.#unlearnt.push(...this.#learner.advance(this.#totals.executions));
    const now = this.#seconds;
    const pause = Math.min(FLUSH_SECONDS_MAX, Math.max(FLUSH_SECONDS_MIN, FLUSH_SHARE * now));
    if (findings.length > 0 || now - this.#flushed >= pause) this.#flush();
  }

  /** Brings what was done to the disk; what does not get there is tried again the next time. */
  #flush(): void {
    this.#flushed = this.#seconds;
    const folder = this.#folder;
    if (folder === undefined) {
      this.#unlearnt.length = 0;
      return;
    }
    // what it starts from comes before what it did
    if (this.#unlearnt[0]?.epoch === -1 && !this.#keepLearnt(folder, 1)) return;
    if (this.#batch.to > this.#batch.from) {
      if (!folder.merged(this.#batch.result, this.#totals.seconds)) return;
      this.#batch.clear();
    }
    if (!this.#keepLearnt(folder, this.#unlearnt.length)) return;
    for (let next = this.#unsung[0]; next !== undefined; next = this.#unsung[0]) {
      if (!folder.sang(next, this.#seconds)) return;
      this.#unsung.shift();
    }
    this.#unkept = this.#unkept.filter((finding) => !folder.found(finding));
  }

  /** @returns whether the first `count` steps are on the disk */
  #keepLearnt(folder: CampaignFolder, count: number): boolean {
    for (let left = count; left > 0; left -= 1) {
      if (!folder.learnt(this.#unlearnt[0]!)) return false;
      this.#unlearnt.shift();
    }
    return true;
  }

  async #minimise({ finding, fold }: Waiting): Promise<void> {
    this.#minimising += 1;
    const { index } = finding.failure;
    const { result } = await runFinding(this.#engine, {
      kind: 'finding',
      plan: this.#plan,
      index,
      isPlain: false,
      fold,
      budget: this.#options.minimiseBudget ?? null,
    });
    finding.found = result;
    this.#minimising -= 1;
    this.#unkept.push(finding);
    this.#flush();
  }
}
