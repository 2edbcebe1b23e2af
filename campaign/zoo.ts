/**
 * The zoo: every known bug until an oracle that its entry names finds it. Bugs take turns: the next one
 * is the one that had the least time so far, so that cheap bugs come first and a hard one does not starve
 * the others. Who gets a turn depends on the clock; what each execution runs, on seed and index.
 */
import { type Engine, LocalEngine, runFinding, runShard } from './engine.ts';
import { Flights } from './flights.ts';
import { configurationsOf, type SystemBug } from './options.ts';
import { type CampaignPlan, type FoundCase, planOf, type ShardResult } from './task.ts';

export interface ZooOptions {
  readonly seed: number;
  /** Seconds for all bugs together. */
  readonly seconds: number;
  readonly strategy: string | undefined;
}

export interface ZooEntry extends SystemBug {
  /** Explained when it is the only one. */
  finding: FoundCase | undefined;
  /** Executions until it was found, or so far; seconds of workers spent on it, minimising included. */
  executions: number;
  seconds: number;
}

/** Executions of a turn: most bugs need fewer. */
const TURN = 256;

interface Hunt {
  readonly entry: ZooEntry;
  readonly plan: CampaignPlan;
  /** The next execution to hand out, turns in flight, and turns that have ended. */
  next: number;
  flying: number;
  turns: number;
  /** Results that came before those of lower indices. */
  readonly early: Map<number, ShardResult>;
  /** Index of the execution that an expected oracle objected to. */
  hit: number | undefined;
}

export async function runZoo(
  bugs: readonly SystemBug[],
  options: ZooOptions,
  progress: (entry: ZooEntry) => void = () => {},
  engine: Engine = new LocalEngine(),
): Promise<readonly ZooEntry[]> {
  const zoo = new Zoo(bugs, options, progress, engine);
  await zoo.run();
  return zoo.hunts.map(({ entry }) => entry);
}

class Zoo {
  readonly hunts: readonly Hunt[];
  readonly #options: ZooOptions;
  readonly #progress: (entry: ZooEntry) => void;
  readonly #engine: Engine;
  readonly #flights = new Flights();
  /** Hunts that are over and wait to be minimised. */
  readonly #waiting: Hunt[] = [];
  #minimising = 0;
  #isOver = false;

  constructor(
    bugs: readonly SystemBug[],
    options: ZooOptions,
    progress: (entry: ZooEntry) => void,
    engine: Engine,
  ) {
    this.#options = options;
    this.#progress = progress;
    this.#engine = engine;
    this.hunts = bugs.map(({ system, bug }): Hunt => {
      const configurations = configurationsOf(system, bug.configuration, undefined);
      const target = { system, configurations, bugs: [bug.id] };
      return {
        entry: { system, bug, finding: undefined, executions: 0, seconds: 0 },
        plan: planOf(options.seed, [target], options.strategy),
        next: 0,
        flying: 0,
        turns: 0,
        early: new Map(),
        hit: undefined,
      };
    });
  }

  async run(): Promise<void> {
    const ending = setTimeout(() => {
      this.#isOver = true;
      this.#engine.stop();
      this.#flights.wake();
    }, this.#options.seconds * 1000);
    try {
      for (;;) {
        this.#launch();
        if (this.#flights.count === 0) break;
        await this.#flights.next();
      }
    } finally {
      clearTimeout(ending);
    }
  }

  /** Half of the workers minimise what was found, the others hunt; later all do what is left. */
  #launch(): void {
    const { workers } = this.#engine;
    const hunted = this.#isOver ? [] : this.hunts.filter(({ hit }) => hit === undefined);
    const share = hunted.length > 0 ? Math.ceil(workers / 2) : workers;
    while (this.#waiting.length > 0 && this.#minimising < share) {
      this.#flights.launch(this.#minimise(this.#waiting.shift()!));
    }
    while (hunted.length > 0 && this.#flights.count <= workers) {
      const next = hunted.reduce((best, one) => (cost(one) < cost(best) ? one : best));
      this.#flights.launch(this.#turn(next));
    }
  }

  async #turn(hunt: Hunt): Promise<void> {
    const { plan, entry, early } = hunt;
    const from = hunt.next;
    const to = from + TURN;
    hunt.next = to;
    hunt.flying += 1;
    const task = { kind: 'shard', plan, from, to, untilFailure: false, fold: null } as const;
    const { result, seconds } = await runShard(this.#engine, task);
    hunt.flying -= 1;
    hunt.turns += 1;
    entry.seconds += seconds;
    early.set(from, result);
    while (hunt.hit === undefined) {
      const next = early.get(entry.executions);
      if (next === undefined || next.to === next.from) return;
      early.delete(entry.executions);
      const expected = next.failures.find(({ oracle }) => entry.bug.caughtBy.includes(oracle));
      entry.executions = next.to;
      if (expected === undefined) continue;
      entry.executions = expected.index + 1;
      hunt.hit = expected.index;
      this.#waiting.push(hunt);
    }
  }

  async #minimise({ entry, plan, hit }: Hunt): Promise<void> {
    this.#minimising += 1;
    const isPlain = this.hunts.length > 1;
    const task = {
      kind: 'finding',
      plan,
      index: hit!,
      budget: null,
      isPlain,
      fold: null,
    } as const;
    const { result, seconds } = await runFinding(this.#engine, task);
    this.#minimising -= 1;
    entry.seconds += seconds;
    entry.finding = result;
    this.#progress(entry);
  }
}

/** Seconds that a hunt had, with the turns in flight and one more; a turn takes as long as those before. */
function cost({ entry, turns, flying }: Hunt): number {
  return turns === 0 ? flying : (entry.seconds * (turns + flying + 1)) / turns;
}
