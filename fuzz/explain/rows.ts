/** Trace rows of one event: which of them says most about it. */
import { Event, type EventCode } from '../../sim/event.ts';
import type { Trace } from '../../sim/trace.ts';
import { salience } from './relevance.ts';

/** Trace rows [from, to). */
export interface RowRange {
  readonly from: number;
  readonly to: number;
}

/** What is asked about rows; a trace, or a copy that outlives the next run. */
export interface Rows {
  kind(row: number): EventCode;
  /** Field a. */
  operand(row: number, index: number): number;
}

export function rowsOf(trace: Trace): Rows {
  const kinds = Array.from({ length: trace.count }, (_, row) => trace.kind(row));
  const words = Array.from({ length: trace.count }, (_, row) => trace.operand(row, 0));
  return { kind: (row) => kinds[row]!, operand: (row) => words[row]! };
}

/** Rows whose first field is a word, the one that says most first. */
const OF_WORDS: readonly number[] = [
  Event.Descriptor,
  Event.StoreVisible,
  Event.CompareFailed,
  Event.Read,
  Event.WalkRead,
  Event.Wait,
];

/** @param word the word that matters about the event, if one does */
export function mainRow(rows: Rows, { from, to }: RowRange, word?: number): number {
  let best = from;
  let least = Number.MAX_SAFE_INTEGER;
  for (let row = from; row < to; row += 1) {
    const rank = rankOf(rows, row, word);
    if (rank >= least) continue;
    least = rank;
    best = row;
  }
  return best;
}

function rankOf(rows: Rows, row: number, word: number | undefined): number {
  const kind = rows.kind(row);
  const place = OF_WORDS.indexOf(kind);
  if (word !== undefined && place >= 0 && rows.operand(row, 0) === word) return place - 10;
  if (kind === Event.OperationBegin || kind === Event.OperationEnd) return 9;
  return salience(kind);
}
