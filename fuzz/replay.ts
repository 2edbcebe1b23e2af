/**
 * Replays a case and says one of five things: reproduced, other, clean, fixed, stale. Nothing
 * passes silently: when the stored order does not lead to the violation any more, the program is
 * searched again, and the verdict names the order that the code now excludes, or the event that
 * never occurs.
 */

import type { Violation } from '../oracles/oracle.ts';
import { Event } from '../sim/event.ts';
import type { Scheduler, Scheduling } from '../sim/scheduler.ts';
import { parseAnswers } from '../sim/scheduler.ts';
import type { Case } from './case.ts';
import { type EventKey, formatName, resolveName } from './names.ts';
import { formatConstraint } from './order.ts';
import { Recorder } from './recorder.ts';
import { type PlannedRun, runAnswers, runPlan, violationName, whole } from './schedule.ts';
import { search } from './search.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';
import { operationId } from './signature.ts';

export const Verdict = {
  Reproduced: 'reproduced',
  Other: 'other',
  Clean: 'clean',
  Fixed: 'fixed',
  Stale: 'stale',
} as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** What came of a replay: the verdict, why, and the run itself. */
export interface Replay {
  readonly verdict: Verdict;
  readonly session: Session;
  /** The run that the verdict rests on; the session still holds its trace. */
  readonly run: PlannedRun;
  readonly violation: Violation | undefined;
  /** One sentence for people. */
  readonly reason: string;
  /** Digest of the recorded answers run again; undefined when nothing is recorded. */
  readonly digestMatches: boolean | undefined;
}

/** Executions of the search that decides between fixed and stale. */
export const RESEARCH_BUDGET = 2000;
const RESEARCH_SEED = 20201105;

/**
 * Replays a case: its stored order, then what search finds when that does not reproduce it.
 * @param withoutBug replay on the correct model, whatever the case names
 */
export function replayCase(sessions: Sessions, value: Case, withoutBug = false): Replay {
  const bugs = value.bug === undefined || withoutBug ? [] : [value.bug];
  const session = sessions.get(value.system, value.configuration, bugs);
  const recorded = withoutBug ? undefined : recordedRun(session, value);
  const digestMatches = recorded?.digestMatches;
  const run = runPlan(session, value);
  const make = (verdict: Verdict, reason: string): Replay => ({
    verdict,
    session,
    run,
    violation: run.violation,
    reason,
    digestMatches,
  });

  const { violation } = run;
  if (value.expect === undefined) {
    if (violation === undefined) return make(Verdict.Clean, 'no oracle objects, as expected');
    return make(
      Verdict.Other,
      `${violation.oracle} reports ${violation.rule}; the case expects none`,
    );
  }
  if (violation !== undefined) {
    if (isExpected(session, run, value))
      return make(Verdict.Reproduced, 'the stored order leads to the violation');
    return make(
      Verdict.Other,
      `${violation.oracle} reports ${violation.rule} at ${formatName(violationName(session, run.recorder))}; ` +
        `the case expects ${value.expect.oracle} ${value.expect.rule}`,
    );
  }
  if (recorded?.isExpected === true) {
    const reason = 'the recorded answers lead to the violation, the stored order alone does not';
    const again = recordedRun(session, value)!.run!;
    return {
      ...make(Verdict.Reproduced, reason),
      run: again,
      violation: again.violation,
    };
  }
  return searchAgain(session, value, run, digestMatches);
}

interface RecordedRun {
  readonly run: PlannedRun | undefined;
  readonly digestMatches: boolean;
  /** The digest matches and the run ends as the case expects. */
  readonly isExpected: boolean;
}

/** Runs the recorded answers; undefined when there are none. */
function recordedRun(session: Session, value: Case): RecordedRun | undefined {
  if (value.recorded === undefined) return undefined;
  const answers = parseAnswers(value.recorded.answers, session.machine.actorCount);
  const run = answers === undefined ? undefined : runAnswers(session, value, answers);
  const digestMatches = run?.digest === value.recorded.digest;
  return {
    run,
    digestMatches,
    isExpected: run !== undefined && digestMatches && isExpected(session, run, value),
  };
}

/** Same clause of the same oracle, reported at the same site of the same kind of operation. */
function isExpected(session: Session, run: PlannedRun, value: Case): boolean {
  const { violation } = run;
  const { expect } = value;
  if (violation === undefined || expect === undefined) return false;
  if (violation.oracle !== expect.oracle || violation.rule !== expect.rule) return false;
  // what is judged when the run is over belongs to no event: who made the last one says nothing
  if (session.machine.trace.kind(violation.row) === Event.RunEnd) return true;
  const at = violationName(session, run.recorder);
  if (
    at.site !== expect.at.site &&
    session.directory.find(expect.at.site) !== session.directory.find(at.site)
  ) {
    return false;
  }
  const expected = value.program
    .find(({ actor }) => actor === expect.at.actor)
    ?.operations.find(({ key }) => key === expect.at.key);
  const index = run.recorder.events.at(-1)!.operation;
  if (expected === undefined) return true;
  return session.specs.get(expected.operation)?.id === operationId(session, index);
}

/** Which of some named events occur in a run, and whether pairs of them occur in a given order. */
class Sightings implements Scheduler {
  readonly id = 'sightings';
  readonly seen: boolean[];
  readonly ordered: boolean[];
  inner: Scheduler | undefined;
  readonly #keys: readonly EventKey[];
  readonly #pairs: readonly (readonly [number, number])[];
  readonly #at: number[];
  readonly #counts: number[];

  constructor(keys: readonly EventKey[], pairs: readonly (readonly [number, number])[]) {
    this.#keys = keys;
    this.#pairs = pairs;
    this.seen = keys.map(() => false);
    this.ordered = pairs.map(() => false);
    this.#at = keys.map(() => -1);
    this.#counts = keys.map(() => 0);
  }

  begin(machine: Scheduling): void {
    this.#at.fill(-1);
    this.#counts.fill(0);
    this.inner!.begin(machine);
  }

  pick(machine: Scheduling): number {
    const source = this.inner!.pick(machine);
    machine.grant = 0;
    const { operation, site, pe } = machine.pending(source);
    this.#keys.forEach((key, i) => {
      if (key.operation !== operation || key.pe !== pe || key.site !== site) return;
      this.#counts[i]! += 1;
      if (this.#counts[i] !== key.occurrence) return;
      this.#at[i] = machine.events;
      this.seen[i] = true;
    });
    return source;
  }

  choose(machine: Scheduling, site: number, alternatives: number): number {
    return this.inner!.choose(machine, site, alternatives);
  }

  /** Notes the pairs that the run showed in order; `end` sites count when the operation has ended. */
  settle(machine: Scheduling): void {
    this.#keys.forEach((key, i) => {
      if (key.site === 0 && machine.hasEnded(key.operation)) this.seen[i] = true;
    });
    this.#pairs.forEach(([before, after], i) => {
      const one = this.#at[before]!;
      const other = this.#at[after]!;
      if (this.#keys[before]!.site === 0) this.ordered[i] ||= this.seen[before]!;
      else if (one >= 0 && other >= 0 && one < other) this.ordered[i] = true;
    });
  }
}

function searchAgain(
  session: Session,
  value: Case,
  planned: PlannedRun,
  digestMatches: boolean | undefined,
): Replay {
  const names = new Map<string, EventKey>();
  const missing: string[] = [];
  const index = new Map<string, number>();
  const note = (name: (typeof value.order)[number]['before']): number => {
    const text = formatName(name);
    if (!index.has(text)) {
      const key = resolveName(session.machine, session.directory, name);
      if (key === undefined) missing.push(text);
      index.set(text, names.size);
      names.set(text, key ?? { operation: -1, site: -1, pe: -1, occurrence: 1 });
    }
    return index.get(text)!;
  };
  session.load(value.program);
  const pairs = value.order.map(({ before, after }): readonly [number, number] => [
    note(before),
    note(after),
  ]);
  const sightings = new Sightings([...names.values()], pairs);
  let found: PlannedRun | undefined;
  let recorder = new Recorder(sightings);
  search(
    session,
    value,
    RESEARCH_SEED,
    RESEARCH_BUDGET,
    (scheduler) => {
      sightings.inner = scheduler;
      recorder = new Recorder(sightings);
      return recorder;
    },
    (result) => {
      sightings.settle(session.machine);
      if (result.violation === undefined) return false;
      const run: PlannedRun = { ...whole(result), recorder, answers: session.answers, broken: [] };
      if (!isExpected(session, run, value)) return false;
      found = run;
      return true;
    },
  );
  const make = (verdict: Verdict, run: PlannedRun, reason: string): Replay => ({
    verdict,
    session,
    run,
    violation: run.violation,
    reason,
    digestMatches,
  });
  if (found !== undefined) {
    return make(
      Verdict.Reproduced,
      found,
      're-anchored: the violation needs another order now (run "corpus refresh")',
    );
  }
  const never = [...names.keys()].filter((_, i) => !sightings.seen[i]);
  if (never.length > 0) {
    return make(
      Verdict.Stale,
      planned,
      `${missing[0] ?? never[0]} never occurs in ${RESEARCH_BUDGET} executions`,
    );
  }
  const excluded = value.order.filter((_, i) => !sightings.ordered[i]);
  const [first] = excluded;
  return make(
    Verdict.Fixed,
    planned,
    first === undefined
      ? 'every named event occurs, each stored order is possible, and nothing is violated'
      : `the code now excludes ${formatConstraint(first)}`,
  );
}
