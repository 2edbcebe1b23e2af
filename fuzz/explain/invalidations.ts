/** Which invalidations were issued while a translation was cached, and why each did not remove it. */
import type { Violation } from '../../oracles/oracle.ts';
import { Event } from '../../sim/event.ts';
import { type Geometry, levelPages } from '../../sim/geometry.ts';
import {
  coverBits,
  granuleField,
  hintedLevel,
  Invalidations,
  RANGE_PAGES_MAX,
  Tlbi,
} from '../../sim/invalidation.ts';
import { TLB_KIND_NAMES, TlbKind } from '../../sim/tlb.ts';
import type { Row } from '../../sim/trace.ts';
import { hex } from '../describe.ts';
import type { Session } from '../session.ts';

export interface Missed {
  /** Row of the invalidation. */
  readonly row: Row;
  /** Why the entry is still there: a phrase. */
  readonly why: string;
}

/** @param made row of the TLB fill or the walk's read that survived */
export function missedBy(session: Session, violation: Violation, made: Row): readonly Missed[] {
  const { trace } = session.machine;
  const list: Missed[] = [];
  for (let index = made.row + 1; index <= violation.row; index += 1) {
    if (trace.kind(index) !== Event.InvalidateIssue) continue;
    const row = trace.at(index);
    list.push({ row, why: reason(session, violation, made, row) });
  }
  return list;
}

function reason(session: Session, violation: Violation, made: Row, issued: Row): string {
  if (made.kind !== Event.TlbFill) return 'does not cover it';
  const gap = notCovered(session, issued, made);
  if (gap !== undefined) return `does not cover it: ${gap}`;
  const isLocal = ((issued.a >>> 8) & 1) === 0;
  const pe = session.machine.actors[issued.actor]?.pe ?? -1;
  if (isLocal && pe !== violation.pe) return `covers it, but only on PE ${pe}`;
  if (arrivedAt(session, issued.row, violation)) return 'removed it, and it was made again';
  return 'covers it, but had not arrived';
}

/** Why an invalidation need not remove the entry that a fill made; undefined when it must. */
function notCovered(session: Session, issued: Row, made: Row): string | undefined {
  const { machine } = session;
  const kind = made.a >>> 8;
  const isGuest = kind <= TlbKind.Table;
  const { tables, spec } = machine;
  const { geometry } = tables.trees[isGuest ? spec.guestTree : spec.hypervisorTree]!;
  const level = Number(/level(-?\d)$/.exec(session.directory.name(made.site))?.[1] ?? 3);
  const request = requestOf(issued, geometry);
  const first = made.b;
  const vmid = isGuest ? issued.a >>> 16 : -1;
  const covers = (shape: Invalidations): boolean =>
    shape.mustRemove(0, geometry, kind, vmid, first, coverBits(geometry, level), level);
  if (covers(request)) return undefined;
  const operation = request.operation[0]!;
  // with the operands opened one after the other: the first that makes the difference is the reason
  request.page[0] = 0;
  request.pages[0] = RANGE_PAGES_MAX;
  const pages = levelPages(geometry, level);
  if (covers(request))
    return `it names other pages than ${hex(first)}${pages > 1 ? ` to ${hex(first + pages - 1)}` : ''}`;
  const hint = hintedLevel(request.hint[0]!, geometry.isWide === true);
  request.hint[0] = operation === Tlbi.Ripas2e1 ? granuleField(geometry.granuleBits) << 2 : 0;
  if (covers(request)) {
    const what = kind === TlbKind.Table || kind === TlbKind.Table2 ? 'table' : 'leaf';
    return `it says that the leaf is at level ${hint}; this is a ${what} entry of level ${level}`;
  }
  return `it removes no ${TLB_KIND_NAMES[kind]} entries`;
}

/** The request as far as the trace keeps it: operands name the right granule. */
function requestOf(issued: Row, geometry: Geometry): Invalidations {
  const queue = new Invalidations(1);
  queue.operation[0] = issued.a & 0xff;
  queue.vmid[0] = issued.a >>> 16;
  queue.page[0] = issued.b;
  queue.pages[0] = issued.c & 0xffffff;
  const level = (issued.c >>> 24) - 1;
  const granule = granuleField(geometry.granuleBits) << 2;
  const isRange = queue.operation[0] === Tlbi.Ripas2e1;
  queue.hint[0] = level < 0 ? (isRange ? granule : 0) : granule | level;
  return queue;
}

function arrivedAt({ machine }: Session, issue: number, violation: Violation): boolean {
  const { trace } = machine;
  for (let index = issue + 1; index <= violation.row; index += 1) {
    const row = trace.at(index);
    if (row.kind === Event.InvalidateArrive && row.b === violation.pe && row.c === issue)
      return true;
  }
  return false;
}
