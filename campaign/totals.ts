/**
 * What a campaign has found and counted so far: a fold over the results of its shards in the order of
 * their indices. A journal that is read again makes the same totals.
 */
import type { OtherCase } from '../fuzz/finding.ts';
import type { Counts } from '../fuzz/session.ts';
import { siteOf } from '../sim/site.ts';
import { CoverageTotals } from './coverage.ts';
import {
  type Cell,
  type Failure,
  type FoundCase,
  keyOf,
  type ShardResult,
  type SystemCoverage,
} from './task.ts';

/** A finding, minimised or not yet. */
export interface Finding {
  readonly failure: Failure;
  /** Seconds of campaign until it was hit first. */
  readonly seconds: number;
  /** Name that its case has or will have, below the campaign's folder. */
  readonly file: string;
  hits: number;
  /** Index of the last hit so far. */
  last: number;
  found: FoundCase | undefined;
}

/** A failure that no execution of the campaign showed, but that was met while a finding was minimised. */
export interface Met extends OtherCase {
  readonly system: string;
  readonly bugs: readonly string[];
  /** Signature of the finding. */
  readonly by: string;
  /** Name of its case below the campaign's folder. */
  readonly file: string;
}

/** What a shard added that was not known. */
export interface News {
  readonly findings: readonly Finding[];
  readonly coverage: readonly SystemCoverage[];
}

export class Totals {
  /** Executions merged: all indices below. */
  executions = 0;
  /** Seconds of campaign at the last merge. */
  seconds = 0;
  steps = 0;
  vacuous = 0;
  /** By key, in the order of their first index. */
  readonly findings = new Map<string, Finding>();
  /** By system, bugs and configuration. */
  readonly cells = new Map<string, Cell>();
  readonly coverage = new CoverageTotals();
  readonly #files = new Set<string>();

  merge(result: ShardResult, seconds: number): News {
    this.executions = result.to;
    this.seconds = seconds;
    for (const cell of result.cells) {
      this.steps += cell.steps;
      this.vacuous += cell.vacuous;
      addCell(this.cells, cell);
    }
    const findings = result.failures.flatMap((failure) => this.#hit(failure) ?? []);
    return { findings, coverage: this.coverage.merge(result.coverage) };
  }

  /** Each once, with the first finding that led to it. Complete when all findings are minimised. */
  get met(): readonly Met[] {
    const met = new Map<string, Met>();
    for (const { failure, found } of this.findings.values()) {
      const { system, bugs } = failure;
      for (const other of found?.others ?? []) {
        const key = keyOf(system, bugs, other.signature);
        if (this.findings.has(key) || met.has(key)) continue;
        const file = metFile(system, key);
        met.set(key, { ...other, system, bugs, by: failure.signature, file });
      }
    }
    return [...met.values()];
  }

  #hit(failure: Failure): Finding | undefined {
    const known = this.findings.get(failure.key);
    if (known !== undefined) {
      known.hits += failure.hits;
      known.last = failure.last;
      return undefined;
    }
    const { hits, last } = failure;
    const file = this.#fileOf(failure);
    const found = undefined;
    const finding: Finding = { failure, seconds: this.seconds, file, hits, last, found };
    this.findings.set(failure.key, finding);
    return finding;
  }

  /** Findings become known in the order of their index, so their names do not depend on workers. */
  #fileOf({ system, bugs, oracle, rule }: Failure): string {
    const base = `${system}/${bugs[0] ?? `${oracle}-${rule}`}`;
    let name = base;
    for (let number = 2; this.#files.has(name); number += 1) name = `${base}-${number}`;
    this.#files.add(name);
    return `${name}.yaml`;
  }
}

/** Named by what it is: who comes first does not matter. */
export function metFile(system: string, key: string): string {
  return `${system}/met/${siteOf(key).toString(16).padStart(8, '0')}.yaml`;
}

/** Joins the results of neighbouring shards, so that a journal has one record for many. */
export class Batch {
  from: number;
  to: number;
  readonly #cells = new Map<string, Cell>();
  readonly #failures = new Map<string, Failure>();
  #coverage = new CoverageTotals();

  constructor(from: number) {
    this.from = from;
    this.to = from;
  }

  /** @param coverage what the shard added to the totals: the rest need not be kept */
  add({ to, cells, failures }: ShardResult, coverage: readonly SystemCoverage[]): void {
    this.to = to;
    this.#coverage.merge(coverage);
    for (const cell of cells) addCell(this.#cells, cell);
    for (const failure of failures) {
      const known = this.#failures.get(failure.key);
      const { hits, last } = failure;
      this.#failures.set(
        failure.key,
        known === undefined ? failure : { ...known, hits: known.hits + hits, last },
      );
    }
  }

  get result(): ShardResult {
    return {
      from: this.from,
      to: this.to,
      cells: [...this.#cells.values()],
      failures: [...this.#failures.values()],
      coverage: this.#coverage.all,
    };
  }

  /** Starts anew after what it has. */
  clear(): void {
    this.from = this.to;
    this.#cells.clear();
    this.#failures.clear();
    this.#coverage = new CoverageTotals();
  }
}

function addCell(cells: Map<string, Cell>, cell: Cell): void {
  const key = `${cell.system} ${cell.bugs.join(',')} ${cell.configuration}`;
  const known = cells.get(key);
  cells.set(key, known === undefined ? cell : sum(known, cell));
}

function sum(one: Cell, other: Cell): Cell {
  return {
    ...one,
    executions: one.executions + other.executions,
    steps: one.steps + other.steps,
    vacuous: one.vacuous + other.vacuous,
    goals: firstOf(one.goals, other.goals),
    ...sumCounts(one, other),
  };
}

/** By goal: the first execution that reached it. */
export function firstOf(one: Cell['goals'], other: Cell['goals']): Cell['goals'] {
  const goals: Record<string, number> = { ...one };
  for (const [id, index] of Object.entries(other)) goals[id] = Math.min(goals[id] ?? index, index);
  return goals;
}

export function sumCounts(one: Counts, other: Counts): Counts {
  const operations = { ...one.operations };
  for (const [id, { begun, finished, failed }] of Object.entries(other.operations)) {
    const known = operations[id];
    operations[id] = {
      begun: (known?.begun ?? 0) + begun,
      finished: (known?.finished ?? 0) + finished,
      failed: (known?.failed ?? 0) + failed,
    };
  }
  const oracles = { ...one.oracles };
  for (const [id, count] of Object.entries(other.oracles)) oracles[id] = (oracles[id] ?? 0) + count;
  return { operations, oracles };
}
