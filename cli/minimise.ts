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
    const text = formatCase(caseOf(best, comment));
    work.announce(text);
    writeWhole(target, text);
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
 * A file beside `--out` while it is made: digests of the case that it is made from, and of what is in `--out` or is about
 * to be. Who finds both there was killed before, and what is in `--out` is the smallest so far. A case that is shrunk in
 * place needs none: it is what there is.
 */
class Unfinished {
  readonly exists: boolean;
  readonly #file: string;
  readonly #source: string | undefined;
  #last = '';

  constructor(file: string, target: string) {
    this.#file = `${target}.unfinished`;
    const isInPlace = resolve(file) === resolve(target);
    this.#source = isInPlace ? undefined : digestOf(readFileSync(file, 'utf8'));
    if (isInPlace || !existsSync(target) || !existsSync(this.#file)) {
      this.exists = false;
      return;
    }
    const [source, ...results] = readFileSync(this.#file, 'utf8').trim().split('\n');
    const found = digestOf(readFileSync(target, 'utf8'));
    this.exists = source === this.#source && results.includes(found);
    if (this.exists) this.#last = found;
  }

  /** The text will be in `--out` next; until it is, what is there now counts. */
  announce(text: string): void {
    if (this.#source === undefined) return;
    const next = digestOf(text);
    writeWhole(this.#file, `${[this.#source, this.#last, next].join('\n')}\n`);
    this.#last = next;
  }

  end(): void {
    if (this.#source !== undefined) rmSync(this.#file, { force: true });
  }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
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
