/**
 * Explains a violation: lanes of what each actor did, and who, which entry, which step filled it,
 * which invalidation should have removed it, which promise was broken, which step used it.
 */

import type { Violation } from '../oracles/oracle.ts';
import { ORACLES } from '../oracles/registry.ts';
import { Event } from '../sim/event.ts';
import { coverBits, granuleField, Invalidations, Tlbi } from '../sim/invalidation.ts';
import type { Answers, Scheduler, Scheduling } from '../sim/scheduler.ts';
import { TlbKind } from '../sim/tlb.ts';
import type { Row } from '../sim/trace.ts';
import { describeRow, tlbiText } from './describe.ts';
import type { Minimised } from './minimise.ts';
import { type Plan, type PlannedRun, runAnswers } from './schedule.ts';
import { operationName, operationText, sentence } from './sentence.ts';
import { limitsFor, type Session } from './session.ts';
import { AnswerStrategy } from './strategies/answers.ts';

export const EXPLANATION_LINES_MAX = 40;
const AFTERMATH_EVENTS = 300;

/** Which events a reader needs to follow the story; the rest is detail. */
const SALIENT: ReadonlyMap<number, number> = new Map([
  [Event.Descriptor, 1],
  [Event.TlbFill, 1],
  [Event.TlbDrop, 2],
  [Event.InvalidateIssue, 1],
  [Event.InvalidateArrive, 2],
  [Event.Use, 1],
  [Event.Fault, 1],
  [Event.Free, 1],
  [Event.CompareFailed, 2],
  [Event.Deferred, 2],
  [Event.Callback, 2],
  [Event.WalkFreed, 1],
  [Event.TouchFreed, 1],
  [Event.LockTake, 3],
  [Event.LockDrop, 3],
  [Event.Claim, 2],
  [Event.Choice, 2],
  [Event.AllocateFailed, 1],
  [Event.DoubleFree, 1],
  [Event.MaySleep, 4],
  [Event.OperationBegin, 1],
  [Event.OperationEnd, 3],
]);

interface Line {
  readonly row: Row;
  readonly text: string;
}

/** Everything that a reader is shown about a run; at most EXPLANATION_LINES_MAX lines. */
export function explain(session: Session, plan: Plan, run: PlannedRun): readonly string[] {
  // the session may have run something else meanwhile: bring the trace back
  const again = runAnswers(session, plan, run.answers);
  const violation = again?.violation;
  if (violation === undefined) return lanes(session, undefined, EXPLANATION_LINES_MAX - 2);
  const facts = causes(session, plan, violation);
  const room = EXPLANATION_LINES_MAX - facts.length - 4;
  return [...lanes(session, violation, room), '', ...facts];
}

/** Comment on top of a case: the violation and its causes in a few lines. */
export function describeFinding({
  session,
  plan,
  run,
}: Pick<Minimised, 'session' | 'plan' | 'run'>): string {
  const violation = runAnswers(session, plan, run.answers)?.violation;
  if (violation === undefined) return 'No oracle objects.';
  return causes(session, plan, violation)
    .map((line) => line.trim())
    .join('\n');
}

// ---- lanes ----

const LANE_WIDTH_MIN = 24;

/** One column per actor, time downwards, the salient events only. */
export function lanes(
  session: Session,
  violation: Violation | undefined,
  room: number,
): readonly string[] {
  const { machine } = session;
  const end = violation === undefined ? machine.trace.count - 1 : violation.row;
  let lines: Line[] = [];
  for (let level = 4; level >= 1; level -= 1) {
    lines = salientRows(session, end, level);
    if (lines.length <= room) break;
  }
  const dropped = lines.length - room;
  // the end of the story matters more than its beginning
  if (dropped > 0) lines = [...lines.slice(0, 2), ...lines.slice(dropped + 3)];
  const actors = [...new Set(lines.map(({ row }) => row.actor))].sort((a, b) => a - b);
  const width = Math.max(LANE_WIDTH_MIN, Math.floor(112 / Math.max(1, actors.length)));
  const cell = (text: string): string =>
    (text.length > width - 2 ? `${text.slice(0, width - 3)}…` : text).padEnd(width);
  const head = actors.map((actor) => cell(actorTitle(session, actor))).join('');
  const body = lines.map(({ row, text }) => {
    const lane = actors.indexOf(row.actor);
    return `${String(row.step).padStart(5)}  ${' '.repeat(lane * width)}${text}`.trimEnd();
  });
  const gap = dropped > 0 ? [`       (${dropped + 1} earlier events left out)`] : [];
  return [`step   ${head}`.trimEnd(), ...body.slice(0, 2), ...gap, ...body.slice(2)];
}

function actorTitle(session: Session, actor: number): string {
  if (actor < 0) return 'boot';
  const { name, pe } = session.machine.actors[actor]!;
  return `${name} (PE ${pe})`;
}

function salientRows(session: Session, end: number, level: number): Line[] {
  const { trace } = session.machine;
  const lines: Line[] = [];
  for (let index = 0; index <= end; index += 1) {
    const row = trace.at(index);
    if ((SALIENT.get(row.kind) ?? 9) > level) continue;
    if (
      row.operation >= 0 &&
      session.machine.operationImplicit[row.operation] === true &&
      index !== end
    )
      continue;
    lines.push({ row, text: laneText(session, row) });
  }
  return lines;
}

function laneText(session: Session, row: Row): string {
  if (row.kind !== Event.OperationBegin) return describeRow(session, row);
  return `${session.machine.operationKey[row.operation]}: ${operationText(session, row.operation)}`;
}

// ---- causes ----

function causes(session: Session, plan: Plan, violation: Violation): readonly string[] {
  const claim = ORACLES.find(({ id }) => id === violation.oracle)?.claim ?? '';
  const lines = [
    `${violation.oracle} (${violation.rule}) at step ${violation.step}, ` +
      `${operationName(session, violation.operation)}, ${session.directory.name(violation.site)}:`,
    `  ${sentence(session, violation)}`,
    `  broken promise: ${claim}`,
  ];
  const { survivor } = violation;
  if (survivor !== undefined && survivor >= 0) {
    const row = session.machine.trace.at(survivor);
    lines.push(
      `  made by: step ${row.step}, ${operationName(session, row.operation)}: ${describeRow(session, row)}`,
    );
    const removers = invalidationsSince(session, violation, row);
    lines.push(...removers);
    lines.push(`  used by: ${usedBy(session, plan, violation)}`);
  }
  return lines;
}

/** The invalidations issued after the entry was made, and why each did not remove it. */
function invalidationsSince(session: Session, violation: Violation, made: Row): readonly string[] {
  const { trace } = session.machine;
  const lines: string[] = [];
  for (let index = made.row + 1; index <= violation.row; index += 1) {
    if (trace.kind(index) !== Event.InvalidateIssue) continue;
    const issued = trace.at(index);
    const name = tlbiText(issued.a, issued.b, issued.c);
    const covers = made.kind === Event.TlbFill && isCovered(session, issued, made);
    const isElsewhere = ((issued.a >>> 8) & 1) === 0 && peOf(session, issued) !== violation.pe;
    const why = !covers
      ? 'does not cover it'
      : isElsewhere
        ? `covers it, but only on PE ${peOf(session, issued)}`
        : arrivedAt(session, index, violation)
          ? 'removed it, and it was made again'
          : 'covers it, but had not arrived';
    lines.push(
      `  invalidation: step ${issued.step}, ${operationName(session, issued.operation)}: TLBI ${name} ${why}`,
    );
  }
  if (lines.length === 0) return ['  invalidation: none was issued after it was made'];
  return lines.slice(-3);
}

function peOf({ machine }: Session, { actor }: Row): number {
  return machine.actors[actor]?.pe ?? -1;
}

function isCovered(session: Session, issued: Row, made: Row): boolean {
  const { machine } = session;
  const queue = new Invalidations();
  const scope = issued.c;
  queue.operation[0] = issued.a & 0xff;
  queue.vmid[0] = issued.a >>> 16;
  queue.page[0] = issued.b;
  queue.pages[0] = scope & 0xffffff;
  const level = (scope >>> 24) - 1;
  const kind = made.a >>> 8;
  const isGuest = kind <= TlbKind.Table;
  const { geometry } =
    machine.tables.trees[isGuest ? machine.spec.guestTree : machine.spec.hypervisorTree]!;
  // only what the trace keeps: operands name the right granule
  const granule = granuleField(geometry.granuleBits) << 2;
  const isRange = queue.operation[0] === Tlbi.Ripas2e1;
  queue.hint[0] = level < 0 ? (isRange ? granule : 0) : granule | level;
  const entryLevel = Number(/level(-?\d)$/.exec(session.directory.name(made.site))?.[1] ?? 3);
  const vmid = isGuest ? issued.a >>> 16 : -1;
  return queue.mustRemove(
    0,
    geometry,
    kind,
    vmid,
    made.b,
    coverBits(geometry, entryLevel),
    entryLevel,
  );
}

function arrivedAt(session: Session, issue: number, violation: Violation): boolean {
  const { trace } = session.machine;
  for (let index = issue + 1; index <= violation.row; index += 1) {
    const row = trace.at(index);
    if (row.kind === Event.InvalidateArrive && row.b === violation.pe && row.c === issue)
      return true;
  }
  return false;
}

/** Goes on after the violation, with the same schedule as far as it reaches, and looks for a use. */
function usedBy(session: Session, plan: Plan, violation: Violation): string {
  const answers = session.answers;
  const { report } = session.scene;
  const { trace } = session.machine;
  report.aftermath = AFTERMATH_EVENTS;
  let text = 'nobody in this run';
  try {
    const scheduler = new Onwards(answers);
    session.load(plan.program);
    session.run(plan.parameters, scheduler, limitsFor(session.configuration, plan.program));
  } catch {
    // what a broken run does afterwards is not judged
  } finally {
    report.aftermath = 0;
  }
  for (let index = violation.row; index < trace.count; index += 1) {
    const row = trace.at(index);
    const isUse = row.kind === Event.Use && row.d === violation.survivor;
    const isWalk = row.kind === Event.WalkFreed && row.b === violation.frame;
    if (!isUse && !isWalk) continue;
    text = `step ${row.step}, ${operationName(session, row.operation)}: ${describeRow(session, row)}`;
    break;
  }
  // the trace of the violation itself again
  session.run(
    plan.parameters,
    new AnswerStrategy(answers),
    limitsFor(session.configuration, plan.program),
  );
  return text;
}

/** Recorded answers first, then round robin. */
class Onwards implements Scheduler {
  readonly id = 'onwards';
  readonly #exact: AnswerStrategy;
  #turn = 0;

  constructor(answers: Answers) {
    this.#exact = new AnswerStrategy(answers);
  }

  begin(machine: Scheduling): void {
    this.#exact.begin(machine);
  }

  pick(machine: Scheduling): number {
    const source = this.#exact.pick(machine);
    if (this.#exact.divergedAt < 0) return source;
    this.#turn += 1;
    return machine.ready[this.#turn % machine.readyCount]!;
  }

  choose(machine: Scheduling, site: number, alternatives: number): number {
    return this.#exact.choose(machine, site, alternatives);
  }
}
