/** `minimise`: a smaller case. What it has so far is always on the disk, and it goes on from there. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { openSessions } from '../campaign/catalogue.ts';
import { readCase, writeCase, writeWhole } from '../campaign/corpus.ts';
import { parseCount, UsageError } from '../campaign/options.ts';
import type { Case } from '../fuzz/case.ts';
import { formatCase } from '../fuzz/case-text.ts';
import { describeFinding } from '../fuzz/explain.ts';
import { caseOf, findingOf, othersOf } from '../fuzz/finding.ts';
import { MINIMISE_BUDGET, type Minimised, minimise } from '../fuzz/minimise.ts';
import { operationCount } from '../fuzz/program.ts';
import { runPlan } from '../fuzz/schedule.ts';
import type { Session } from '../fuzz/session.ts';
import type { Sessions } from '../fuzz/sessions.ts';
import { type Answers, parseAnswers } from '../sim/scheduler.ts';
import { Exit, print, printJson } from './terminal.ts';

export interface MinimiseFlags {
  readonly runs?: string;
  readonly others?: string;
  readonly out?: string;
  readonly json?: boolean;
}

export function minimiseFile(file: string, flags: MinimiseFlags): number {
  const budget = flags.runs === undefined ? MINIMISE_BUDGET : parseCount('--runs')(flags.runs);
  const original = readCase(file);
  if (original.expect === undefined)
    throw new UsageError(`${file} expects no finding: there is nothing to minimise`);
  const target = flags.out ?? file;
  const work = new Unfinished(file, target);
  const value = work.exists ? readCase(target) : original;
  const { system, configuration, bug, comment } = value;
  const sessions = openSessions();
  const session = sessions.get(system, configuration, bug === undefined ? [] : [bug]);
  const answers = answersOf(session, value);
  const improved = (best: Minimised): void => {
    writeCase(target, caseOf(best, comment));
    work.mark();
  };
  const smaller = minimise(sessions, session, value, answers, { budget, improved });
  if (smaller === undefined)
    throw new UsageError(`${file} does not fail now; "stagewright replay" says why`);
  // what a person wrote on top stays
  const finding = findingOf(smaller, comment === '' ? describeFinding(smaller) : comment);
  writeCase(target, finding.case);
  work.end();
  const others = flags.others === undefined ? [] : writeOthers(sessions, smaller, flags.others);
  const sizes = {
    operations: { before: operationCount(original.program), after: finding.operations },
    order: { before: original.order.length, after: finding.case.order.length },
    executions: smaller.executions,
  };
  if (flags.json === true) {
    printJson({ command: 'minimise', file: target, ...sizes, case: formatCase(finding.case) });
    return Exit.Clean;
  }
  print(formatCase(finding.case).trimEnd());
  print(
    `\n${target}: ${sizes.operations.before} -> ${sizes.operations.after} operations, ` +
      `${sizes.order.before} -> ${sizes.order.after} constraints in ${sizes.executions} executions`,
  );
  for (const other of others) print(`${other}: another failure that was met on the way`);
  return Exit.Clean;
}

/** The recorded answers, where the order does not fail any more. */
function answersOf(session: Session, value: Case): Answers | undefined {
  return value.recorded === undefined || runPlan(session, value).violation !== undefined
    ? undefined
    : parseAnswers(value.recorded.answers, session.machine.actorCount);
}

/**
 * A file beside `--out` while it is made: the digest of the case that it is made from. Who finds it was killed before,
 * and what is in `--out` is the smallest so far. A case that is shrunk in place needs none: it is what there is.
 */
class Unfinished {
  exists: boolean;
  readonly #file: string;
  readonly #digest: string | undefined;

  constructor(file: string, target: string) {
    this.#file = `${target}.unfinished`;
    this.#digest =
      resolve(file) === resolve(target)
        ? undefined
        : createHash('sha256').update(readFileSync(file)).digest('hex');
    this.exists =
      this.#digest !== undefined &&
      existsSync(target) &&
      existsSync(this.#file) &&
      readFileSync(this.#file, 'utf8').trim() === this.#digest;
  }

  /** What was made of the case is in `--out` now. */
  mark(): void {
    if (this.#digest === undefined || this.exists) return;
    writeWhole(this.#file, `${this.#digest}\n`);
    this.exists = true;
  }

  end(): void {
    if (this.exists) rmSync(this.#file, { force: true });
  }
}

/** Other failures that were met on the way, each as a case; those of an earlier call are written anew. */
function writeOthers(sessions: Sessions, smaller: Minimised, folder: string): readonly string[] {
  const names = new Set<string>();
  return othersOf(sessions, smaller, describeFinding).map(({ case: value }) => {
    const base = `${value.expect!.oracle}-${value.expect!.rule}`;
    let name = base;
    for (let number = 2; names.has(name); number += 1) name = `${base}-${number}`;
    names.add(name);
    const file = join(folder, `${name}.yaml`);
    writeCase(file, value);
    return file;
  });
}
