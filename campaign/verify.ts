/**
 * Keeps the corpus: a case of a bug is reproduced with its flag and fixed or clean without; a case
 * without a bug does what it expects; recorded answers lead to the recorded digest.
 */
import type { Case } from '../fuzz/case.ts';
import { CaseError } from '../fuzz/case-source.ts';
import { describeFinding } from '../fuzz/explain.ts';
import { caseOf } from '../fuzz/finding.ts';
import { MINIMISE_BUDGET, minimise } from '../fuzz/minimise.ts';
import { replayCase, Verdict } from '../fuzz/replay.ts';
import { deriveSchedule, type Plan, runPlan } from '../fuzz/schedule.ts';
import type { Sessions } from '../fuzz/sessions.ts';
import { readCase, writeCase } from './corpus.ts';

/** What is wrong with a case, or undefined. */
export function verifyCase(sessions: Sessions, value: Case): string | undefined {
  const done = replayCase(sessions, value);
  const wanted = value.expect === undefined ? Verdict.Clean : Verdict.Reproduced;
  if (done.verdict !== wanted) return `${done.verdict}, not ${wanted}: ${done.reason}`;
  if (value.recorded === undefined) return 'nothing is recorded ("corpus refresh" records the run)';
  if (done.digestMatches === false) {
    return 'the recorded answers no longer lead to the recorded digest ("corpus refresh" records anew)';
  }
  if (value.bug === undefined || value.expect === undefined) return undefined;
  const without = replayCase(sessions, value, true);
  if (without.verdict === Verdict.Fixed || without.verdict === Verdict.Clean) return undefined;
  return `without the bug ${without.verdict}, not fixed: ${without.reason}`;
}

export interface VerifyResult {
  readonly cases: number;
  readonly passed: number;
  readonly failed: readonly VerifyFailure[];
}

export interface VerifyFailure {
  readonly file: string;
  readonly reason: string;
  /** The file is no case at all. */
  readonly isUnreadable: boolean;
}

export function verifyFiles(sessions: Sessions, files: readonly string[]): VerifyResult {
  const failed = files.flatMap((file) => verifyFile(sessions, file) ?? []);
  return { cases: files.length, passed: files.length - failed.length, failed };
}

function verifyFile(sessions: Sessions, file: string): VerifyFailure | undefined {
  let value: Case;
  try {
    value = readCase(file);
  } catch (error) {
    if (!(error instanceof CaseError)) throw error;
    // the message names the file
    return { file, reason: error.message.slice(file.length + 1), isUnreadable: true };
  }
  const reason = verifyCase(sessions, value);
  return reason === undefined ? undefined : { file, reason, isUnreadable: false };
}

/** Records a case anew; what changed, in words. Undefined when nothing had to change. */
export function refreshCase(sessions: Sessions, file: string, value: Case): string | undefined {
  const done = replayCase(sessions, value);
  const isExpected = done.verdict === Verdict.Reproduced || done.verdict === Verdict.Clean;
  if (!isExpected) return `left alone: ${done.verdict} (${done.reason})`;
  const plan: Plan = {
    program: value.program,
    parameters: value.parameters,
    order: value.order,
    choices: value.choices,
  };
  const stored = runPlan(done.session, plan);
  const isAnchored =
    value.expect === undefined ? stored.violation === undefined : stored.violation !== undefined;
  if (isAnchored && done.digestMatches === true) return undefined;
  if (isAnchored) {
    writeCase(file, caseOf({ session: done.session, plan, run: stored }, value.comment));
    return 'recorded anew: the same order, another digest';
  }
  // the violation needs another order now: take the one that the search found, and shrink it
  const found = replayCase(sessions, value);
  const moved = { ...plan, ...deriveSchedule(found.session, found.run.recorder) };
  const smaller = minimise(sessions, found.session, moved, undefined, { budget: MINIMISE_BUDGET });
  if (smaller === undefined) return 'left alone: the order that was found does not replay';
  writeCase(file, caseOf(smaller, value.comment === '' ? describeFinding(smaller) : value.comment));
  return 're-anchored: the violation needs another order now';
}
