/** `replay` and `minimise`: what a case does now, and a smaller case. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { catalogue, openSessions } from '../campaign/catalogue.ts';
import { readCase, writeCase, writeWhole } from '../campaign/corpus.ts';
import { CampaignFolder } from '../campaign/folder.ts';
import { parseCount, parseSeed, systemsNamed, targetsOf, UsageError } from '../campaign/options.ts';
import { targetsOfPlan } from '../campaign/task.ts';
import type { Case } from '../fuzz/case.ts';
import { formatCase } from '../fuzz/case-text.ts';
import { describeRow } from '../fuzz/describe.ts';
import { type Execution, Executor } from '../fuzz/execution.ts';
import { describeFinding, explain } from '../fuzz/explain.ts';
import { caseOf, findingOf } from '../fuzz/finding.ts';
import { MINIMISE_BUDGET, type Minimised, minimise } from '../fuzz/minimise.ts';
import { operationCount } from '../fuzz/program.ts';
import { type Replay, replayCase, Verdict } from '../fuzz/replay.ts';
import { deriveSchedule, runAnswers, runPlan } from '../fuzz/schedule.ts';
import type { Session } from '../fuzz/session.ts';
import type { Sessions } from '../fuzz/sessions.ts';
import { InternalError } from '../sim/assert.ts';
import { parseAnswers } from '../sim/scheduler.ts';
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
    ran = new Executor(parseSeed(seed), targets, undefined, sessions).run(Number(index));
  } else if (kept !== null && existsSync(join(kept[1]!, 'campaign.json'))) {
    const { plan } = CampaignFolder.read(kept[1]!).manifest;
    const { seed, strategy } = plan;
    const executor = new Executor(
      seed,
      targetsOfPlan(plan, catalogue()),
      strategy ?? undefined,
      sessions,
    );
    ran = executor.run(Number(kept[2]));
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
  const { trace, actors, operationKey } = session.machine;
  for (let index = 0; index < trace.count; index += 1) {
    const row = trace.at(index);
    const who =
      row.actor < 0 ? 'boot' : `${actors[row.actor]!.name}.${operationKey[row.operation] ?? '-'}`;
    const site = session.directory.name(row.site);
    print(
      `${String(row.step).padStart(5)}  ${who.padEnd(12)} ${site.padEnd(28)} ${describeRow(session, row)}`,
    );
  }
}

export interface MinimiseFlags {
  readonly runs?: string;
  readonly others?: string;
  readonly out?: string;
  readonly json?: boolean;
}

export function minimiseFile(file: string, flags: MinimiseFlags): number {
  const budget = flags.runs === undefined ? MINIMISE_BUDGET : parseCount('--runs')(flags.runs);
  const value = readCase(file);
  if (value.expect === undefined)
    throw new UsageError(`${file} expects no finding: there is nothing to minimise`);
  const sessions = openSessions();
  const session = sessions.get(
    value.system,
    value.configuration,
    value.bug === undefined ? [] : [value.bug],
  );
  const answers =
    value.recorded === undefined || runPlan(session, value).violation !== undefined
      ? undefined
      : parseAnswers(value.recorded.answers, session.machine.actorCount);
  const target = flags.out ?? file;
  const smaller = minimise(sessions, session, value, answers, {
    budget,
    improved: (best) => writeCase(target, caseOf(best, value.comment)),
  });
  if (smaller === undefined)
    throw new UsageError(`${file} does not fail now; "stagewright replay" says why`);
  // what a person wrote on top stays
  const finding = findingOf(
    smaller,
    value.comment === '' ? describeFinding(smaller) : value.comment,
  );
  writeCase(target, finding.case);
  const others = flags.others === undefined ? [] : writeOthers(smaller, flags.others);
  const sizes = {
    operations: { before: operationCount(value.program), after: finding.operations },
    order: { before: value.order.length, after: finding.case.order.length },
    executions: smaller.executions,
  };
  if (flags.json === true) {
    printJson({ command: 'minimise', file: target, ...sizes, case: formatCase(finding.case) });
  } else {
    print(formatCase(finding.case).trimEnd());
    print(
      `\n${target}: ${sizes.operations.before} -> ${sizes.operations.after} operations, ` +
        `${sizes.order.before} -> ${sizes.order.after} constraints in ${sizes.executions} executions`,
    );
    for (const other of others) print(`${other}: another failure that was met on the way`);
  }
  return Exit.Clean;
}

/** Failures with another signature that were met on the way, each as a case. */
function writeOthers({ session, others }: Minimised, folder: string): readonly string[] {
  return [...others.values()].flatMap((plan) => {
    const run = runPlan(session, plan);
    // it may have been met in another configuration, where it fails otherwise
    if (run.violation === undefined) return [];
    const value = caseOf({ session, plan, run }, describeFinding({ session, plan, run }));
    const file = freeName(folder, `${run.violation.oracle}-${run.violation.rule}`);
    writeCase(file, value);
    return file;
  });
}

function freeName(folder: string, name: string): string {
  for (let number = 1; ; number += 1) {
    const file = join(folder, `${name}${number === 1 ? '' : `-${number}`}.yaml`);
    if (!existsSync(file)) return file;
  }
}
