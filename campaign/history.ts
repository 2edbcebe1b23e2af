/** What the journal of a campaign says, from its first record to its last: the fold that resumes it. */
import { epochStart } from '../fuzz/guided/epochs.ts';
import type { FoldStep } from '../fuzz/guided/fold.ts';
import { UsageError } from './options.ts';
import type { FoundCase, ShardResult } from './task.ts';
import { Totals } from './totals.ts';

/** Records of the journal, by their field `t`. */
export type JournalRecord =
  | ({ readonly t: 'session' } & Session)
  | { readonly t: 'merge'; readonly seconds: number; readonly result: ShardResult }
  | { readonly t: 'fold'; readonly step: FoldStep }
  | { readonly t: 'canary'; readonly seconds: number; readonly result: ShardResult }
  | { readonly t: 'found'; readonly key: string; readonly found: FoundCase };

/** A time that the campaign was started or resumed. */
export interface Session {
  readonly at: string;
  readonly jobs: number;
  readonly engine: string;
}

/** How much was known after how many executions. */
export interface CurvePoint {
  readonly executions: number;
  readonly seconds: number;
  readonly signatures: number;
  /** Conflict pairs of all systems. */
  readonly pairs: number;
}

export class History {
  readonly totals = new Totals();
  /** Of the canary (canary.ts). */
  readonly canary = new Totals();
  readonly sessions: Session[] = [];
  /** What was learnt (learner.ts). */
  readonly steps: FoldStep[] = [];
  readonly curve: CurvePoint[] = [];

  /** @param place file, line and column, for the error when the record does not fit */
  apply(record: JournalRecord, place: string): void {
    switch (record.t) {
      case 'session': {
        const { at, jobs, engine } = record;
        this.sessions.push({ at, jobs, engine });
        return;
      }
      case 'merge':
        mergeRecord(this.totals, record.result, record.seconds, place);
        this.notePoint();
        return;
      case 'fold': {
        const { step } = record;
        if (step.epoch !== this.steps.length - 1)
          throw new UsageError(
            `${place}: what was learnt in epoch ${step.epoch}; ${this.steps.length - 1} is allowed`,
          );
        this.steps.push(step);
        this.totals.coverage.takeFresh(epochStart(step.epoch + 1));
        return;
      }
      case 'canary':
        mergeRecord(this.canary, record.result, record.seconds, place);
        return;
      case 'found': {
        const { key } = record;
        const finding = this.totals.findings.get(key) ?? this.canary.findings.get(key);
        if (finding === undefined) {
          throw new UsageError(`${place}: a case of a finding that no record before it has`);
        }
        finding.found = record.found;
        return;
      }
      default:
        throw new UsageError(
          `${place}: the record is of kind "${(record as { t: string }).t}" (session, merge, fold, canary, found)`,
        );
    }
  }

  /** What was learnt, once: it is large, and a campaign that goes on knows it. */
  takeSteps(): readonly FoldStep[] {
    return this.steps.splice(0);
  }

  /** Adds a point to the curve for what the totals are now. */
  notePoint(): void {
    const { executions, seconds, findings, coverage } = this.totals;
    const pairs = coverage.count('pairs');
    this.curve.push({ executions, seconds, signatures: findings.size, pairs });
  }
}

function mergeRecord(totals: Totals, result: ShardResult, seconds: number, place: string): void {
  if (result.from !== totals.executions) {
    throw new UsageError(
      `${place}: executions go on at ${result.from}; ${totals.executions} is allowed`,
    );
  }
  totals.merge(result, seconds);
}
