/** What the journal of a campaign says, from its first record to its last: the fold that resumes it. */
import { UsageError } from './options.ts';
import type { FoundCase, ShardResult } from './task.ts';
import { Totals } from './totals.ts';

/** Records of the journal, by their field `t`. */
export type JournalRecord =
  | ({ readonly t: 'session' } & Session)
  | { readonly t: 'merge'; readonly seconds: number; readonly result: ShardResult }
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
}

export class History {
  readonly totals = new Totals();
  readonly sessions: Session[] = [];
  readonly curve: CurvePoint[] = [];

  /** @param place file, line and column, for the error when the record does not fit */
  apply(record: JournalRecord, place: string): void {
    switch (record.t) {
      case 'session': {
        const { at, jobs, engine } = record;
        this.sessions.push({ at, jobs, engine });
        return;
      }
      case 'merge': {
        const { from } = record.result;
        if (from !== this.totals.executions) {
          throw new UsageError(
            `${place}: executions go on at ${from}; ${this.totals.executions} is allowed`,
          );
        }
        this.totals.merge(record.result, record.seconds);
        this.notePoint();
        return;
      }
      case 'found': {
        const finding = this.totals.findings.get(record.key);
        if (finding === undefined) {
          throw new UsageError(`${place}: a case of a finding that no record before it has`);
        }
        finding.found = record.found;
        return;
      }
      default:
        throw new UsageError(
          `${place}: the record is of kind "${(record as { t: string }).t}" (session, merge, found)`,
        );
    }
  }

  /** Adds a point to the curve for what the totals are now. */
  notePoint(): void {
    const { executions, seconds, findings } = this.totals;
    this.curve.push({ executions, seconds, signatures: findings.size });
  }
}
