/** Coverage of a campaign: which keys of each signal were seen, how often (up to three), and first when. */
import { SIGNALS, type Signal } from '../fuzz/coverage.ts';
import type { Fresh } from '../fuzz/guided/fold.ts';
import { COUNT_MAX, type SystemCoverage } from './task.ts';

interface Seen {
  count: number;
  readonly first: number;
}

type BySignal = Record<Signal, Map<number, Seen>>;

export class CoverageTotals {
  readonly #systems = new Map<string, BySignal>();
  /** By execution: keys that it covered first. */
  readonly #fresh = new Map<number, number>();

  /** @returns what is news: keys that were not seen COUNT_MAX times yet */
  merge(coverage: readonly SystemCoverage[]): readonly SystemCoverage[] {
    return coverage.flatMap(({ system, keys }) => {
      const known = this.#of(system);
      const news = Object.fromEntries(
        SIGNALS.map((signal) => [signal, this.#mergeKeys(known[signal], keys[signal])]),
      ) as unknown as SystemCoverage['keys'];
      return SIGNALS.some((signal) => news[signal].length > 0) ? [{ system, keys: news }] : [];
    });
  }

  /** Counts the keys of one execution. What is fresh, those know who merge. */
  add(system: string, index: number, signals: Readonly<Record<Signal, ReadonlySet<number>>>): void {
    const of = this.#of(system);
    for (const signal of SIGNALS) {
      const known = of[signal];
      for (const key of signals[signal]) {
        const seen = known.get(key);
        if (seen === undefined) known.set(key, { count: 1, first: index });
        else if (seen.count < COUNT_MAX) seen.count += 1;
      }
    }
  }

  #mergeKeys(known: Map<number, Seen>, keys: readonly number[]): readonly number[] {
    const news: number[] = [];
    for (let i = 0; i < keys.length; i += 3) {
      const key = keys[i]!;
      const count = keys[i + 1]!;
      const first = keys[i + 2]!;
      const seen = known.get(key);
      if (seen === undefined) {
        known.set(key, { count: Math.min(COUNT_MAX, count), first });
        this.#fresh.set(first, (this.#fresh.get(first) ?? 0) + 1);
      } else if (seen.count === COUNT_MAX) continue;
      else seen.count = Math.min(COUNT_MAX, seen.count + count);
      news.push(key, count, first);
    }
    return news;
  }

  /** Executions below `end` that covered something first, by index; each is told once. */
  takeFresh(end: number): readonly Fresh[] {
    const taken = [...this.#fresh].filter(([index]) => index < end);
    for (const [index] of taken) this.#fresh.delete(index);
    return taken.sort(([a], [b]) => a - b).map(([index, keys]) => ({ index, keys }));
  }

  #of(system: string): BySignal {
    let known = this.#systems.get(system);
    if (known === undefined) {
      known = { pairs: new Map(), states: new Map(), segments: new Map() };
      this.#systems.set(system, known);
    }
    return known;
  }

  get systems(): readonly string[] {
    return [...this.#systems.keys()].sort((a, b) => (a < b ? -1 : 1));
  }

  /** All of it, in the order of keys. */
  get all(): readonly SystemCoverage[] {
    return this.systems.map((system) => ({
      system,
      keys: Object.fromEntries(
        SIGNALS.map((signal) => [
          signal,
          [...this.#of(system)[signal]]
            .sort(([a], [b]) => a - b)
            .flatMap(([key, { count, first }]) => [key, count, first]),
        ]),
      ) as unknown as SystemCoverage['keys'],
    }));
  }

  /** Keys seen of all systems. */
  count(signal: Signal): number {
    let sum = 0;
    for (const known of this.#systems.values()) sum += known[signal].size;
    return sum;
  }

  figures(system: string, signal: Signal): CoverageFigures {
    const counts = [...this.#of(system)[signal].values()].map(({ count }) => count);
    const once = counts.filter((count) => count === 1).length;
    const twice = counts.filter((count) => count === 2).length;
    // Chao 1987, in the form that stays finite when nothing was seen twice
    const unseen = (once * Math.max(0, once - 1)) / (2 * (twice + 1));
    return { seen: counts.length, once, twice, unseen: Math.round(unseen * 10) / 10 };
  }
}

export interface CoverageFigures {
  readonly seen: number;
  /** Seen in one and in two of the executions that were looked at. */
  readonly once: number;
  readonly twice: number;
  /** An estimate (a lower bound, by Chao) of what these strategies could reach and have not. */
  readonly unseen: number;
}
