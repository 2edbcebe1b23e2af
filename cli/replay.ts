/** `replay`: what a case does now, and executions of campaigns as cases. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { catalogue, openSessions } from '../campaign/catalogue.ts';
import { readCase, writeCase, writeWhole } from '../campaign/corpus.ts';
import { CampaignFolder } from '../campaign/folder.ts';
import { knownFor, learntBefore } from '../campaign/learner.ts';
import { parseSeed, systemsNamed, targetsOf, UsageError } from '../campaign/options.ts';
import { startOf } from '../campaign/start.ts';
import { type CampaignPlan, planOf, targetsOfPlan } from '../campaign/task.ts';
import type { Case } from '../fuzz/case.ts';
import { describeRow } from '../fuzz/describe.ts';
import { type Execution, Executor } from '../fuzz/execution.ts';
import { explain } from '../fuzz/explain.ts';
import { caseOf } from '../fuzz/finding.ts';
import type { FoldStep } from '../fuzz/guided/fold.ts';
import { type Replay, replayCase, Verdict } from '../fuzz/replay.ts';
import { deriveSchedule, runAnswers } from '../fuzz/schedule.ts';
import type { Session } from '../fuzz/session.ts';
import type { Sessions } from '../fuzz/sessions.ts';
import { InternalError } from '../sim/assert.ts';
import { EXPORTS, type Export, exported } from './export.ts';
import { stepThrough } from './step.ts';
import { Exit, print, printJson } from './terminal.ts';
import { viewerPage, viewOf } from './viewer.ts';

export interface ReplayFlags {
  readonly withoutBug?: boolean;
  readonly trace?: boolean;
  readonly bug?: string[];
  readonly out?: string;
  readonly html?: string;
  readonly step?: boolean;
  readonly export?: string;
  readonly json?: boolean;
}

/** Verdicts that mean "as the case expects". */
export function isAsExpected(value: Case, verdict: Verdict, withoutBug: boolean): boolean {
  if (value.expect === undefined) return verdict === Verdict.Clean;
  if (!withoutBug || value.bug === undefined) return verdict === Verdict.Reproduced;
  return verdict === Verdict.Fixed || verdict === Verdict.Clean;
}

export async function replay(files: readonly string[], flags: ReplayFlags): Promise<number> {
  checkFlags(files, flags);
  if (flags.step === true || flags.export !== undefined) return show(files[0]!, flags);
  const sessions = openSessions();
  const withoutBug = flags.withoutBug === true;
  const cases = files.map((file) => ({ file, value: load(sessions, file, flags) }));
  const results = cases.map(({ file, value }) => {
    const done = replayCase(sessions, value, withoutBug);
    const asExpected = isAsExpected(value, done.verdict, withoutBug);
    if (flags.json !== true) printReplay(file, value, done, flags.trace === true);
    if (flags.html !== undefined) {
      writeWhole(flags.html, viewerPage(file, value, done));
      if (flags.json !== true) print(`${flags.html}: the trace viewer; any browser opens it`);
    }
    return {
      file,
      verdict: done.verdict,
      ...(done.violation === undefined
        ? {}
        : { oracle: done.violation.oracle, step: done.violation.step }),
      digest: done.run.digest,
      digestMatches: done.digestMatches ?? null,
      asExpected,
      reason: done.reason,
    };
  });
  if (flags.json === true) printJson({ command: 'replay', cases: results });
  return results.every(({ asExpected }) => asExpected) ? Exit.Clean : Exit.Finding;
}

/** What shows one case shows one case. */
function checkFlags(files: readonly string[], flags: ReplayFlags): void {
  for (const flag of ['html', 'step', 'export'] as const) {
    if (flags[flag] !== undefined && files.length !== 1)
      throw new UsageError(`--${flag} shows one case: name one, not ${files.length}`);
  }
  const { export: kind } = flags;
  if (kind !== undefined && !EXPORTS.some((one) => one === kind))
    throw new UsageError(`no export "${kind}" (${EXPORTS.join(', ')})`);
  if (flags.step === true && process.stdin.isTTY !== true)
    throw new UsageError(
      '--step needs a terminal; --trace prints every event, --html writes a page',
    );
}

/** Walks through one case, or writes it as something else. */
async function show(file: string, flags: ReplayFlags): Promise<number> {
  const sessions = openSessions();
  const { out, ...rest } = flags;
  const value = load(sessions, file, rest);
  const withoutBug = flags.withoutBug === true;
  const done = replayCase(sessions, value, withoutBug);
  if (flags.export !== undefined) {
    const text = exported(flags.export as Export, file, value, done);
    if (out === undefined) process.stdout.write(text);
    else writeWhole(out, text);
  } else {
    await stepThrough(viewOf(file, value, done), { input: process.stdin, output: process.stdout });
  }
  return isAsExpected(value, done.verdict, withoutBug) ? Exit.Clean : Exit.Finding;
}

const EXECUTION = /^([a-z0-9-]+):(\d+):(\d+)$/;
const KEPT = /^(.+):(\d{1,15})$/;

/** A case file, or an execution of a campaign as `SYSTEM:SEED:INDEX` or `DIR:INDEX`, which becomes a case. */
function load(sessions: Sessions, text: string, flags: ReplayFlags): Case {
  const match = EXECUTION.exec(text);
  const kept = KEPT.exec(text);
  let ran: Execution;
  if (match !== null) {
    const [, id = '', seed = '', index = ''] = match;
    const [system] = systemsNamed([id]);
    const targets = targetsOf({
      systems: [system!.id],
      bugs: flags.bug ?? [],
      configuration: undefined,
      fidelity: undefined,
    });
    const plan = planOf(parseSeed(seed), targets, undefined, true);
    ran = executionOf(plan, sessions, Number(index), undefined);
  } else if (kept !== null && existsSync(join(kept[1]!, 'campaign.json'))) {
    const { manifest, history } = CampaignFolder.read(kept[1]!);
    ran = executionOf(manifest.plan, sessions, Number(kept[2]), history.steps);
  } else return readCase(text);
  const { session, draft } = ran;
  const plan = { program: draft.program, parameters: draft.parameters, order: [], choices: [] };
  const exact = runAnswers(session, plan, session.answers);
  if (exact === undefined) throw new InternalError(`${text} does not run the same way twice`);
  const derived = { ...plan, ...deriveSchedule(session, exact.recorder) };
  const value = caseOf({ session, plan: derived, run: exact }, `Execution ${text}.`);
  if (flags.out !== undefined) writeCase(flags.out, value);
  return value;
}

/** @param steps what the campaign learnt, where it was kept; else the executions before are made again */
function executionOf(
  plan: CampaignPlan,
  sessions: Sessions,
  index: number,
  steps: readonly FoldStep[] | undefined,
): Execution {
  const targets = targetsOfPlan(plan, catalogue());
  const executor = new Executor(plan.seed, targets, plan.strategy ?? undefined, sessions);
  if (plan.learns) {
    const first = startOf(targets, plan.strategy ?? undefined)!;
    const fold =
      steps === undefined || steps.length === 0
        ? learntBefore(plan, catalogue(), first, index)
        : knownFor(steps, index);
    executor.use(fold);
  }
  return executor.run(index);
}

function printReplay(file: string, value: Case, done: Replay, withTrace: boolean): void {
  print(`${file}: ${done.verdict} (${done.reason})`);
  if (done.digestMatches === false)
    print('  the recorded answers no longer lead to the recorded digest');
  const { session, run, violation } = done;
  if (withTrace) printTrace(session);
  if (violation === undefined) return;
  print('');
  for (const line of explain(session, value, run)) print(line);
  print('');
}

function printTrace(session: Session): void {
  const { trace, actors, course } = session.machine;
  for (let index = 0; index < trace.count; index += 1) {
    const row = trace.at(index);
    const who =
      row.actor < 0 ? 'boot' : `${actors[row.actor]!.name}.${course.keyOf[row.operation] ?? '-'}`;
    const site = session.directory.name(row.site);
    print(
      `${String(row.step).padStart(5)}  ${who.padEnd(12)} ${site.padEnd(28)} ${describeRow(session, row)}`,
    );
  }
}
