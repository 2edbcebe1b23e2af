/** `corpus verify|list|add|refresh`: keeps the cases. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openSessions } from '../campaign/catalogue.ts';
import { CORPUS_FOLDER, caseFiles, caseName, readCase, writeCase } from '../campaign/corpus.ts';
import { UsageError } from '../campaign/options.ts';
import { refreshCase, verifyCase, verifyFiles } from '../campaign/verify.ts';
import { operationCount } from '../fuzz/program.ts';
import { Exit, print, printJson, table } from './terminal.ts';

export interface CorpusFlags {
  readonly json?: boolean;
  readonly dir?: string;
}

export function corpusVerify(folder: string | undefined, flags: CorpusFlags): number {
  const files = caseFiles(folder ?? CORPUS_FOLDER);
  const result = verifyFiles(openSessions(), files);
  if (flags.json === true) printJson({ command: 'corpus verify', ...result });
  else {
    for (const { file, reason, isUnreadable } of result.failed)
      print(isUnreadable ? `${file}:${reason}` : `${file}: ${reason}`);
    print(`${result.passed} of ${result.cases} cases are as recorded`);
  }
  if (result.failed.some(({ isUnreadable }) => isUnreadable)) return Exit.Usage;
  return result.failed.length > 0 ? Exit.Finding : Exit.Clean;
}

export function corpusList(folder: string | undefined, flags: CorpusFlags): number {
  const items = caseFiles(folder ?? CORPUS_FOLDER).map((file) => {
    const value = readCase(file);
    return {
      id: file,
      title: value.comment.split('\n')[0] ?? '',
      system: value.system,
      configuration: value.configuration,
      bug: value.bug ?? '',
      oracle: value.expect?.oracle ?? 'clean',
      operations: operationCount(value.program),
      constraints: value.order.length,
    };
  });
  if (flags.json === true) printJson({ command: 'corpus list', items });
  else {
    print(
      table(
        ['case', 'oracle', 'operations', 'constraints'],
        items.map((item) => [
          item.id,
          item.oracle,
          String(item.operations),
          String(item.constraints),
        ]),
      ),
    );
  }
  return Exit.Clean;
}

/** Copies cases into the corpus once they verify. */
export function corpusAdd(files: readonly string[], flags: CorpusFlags): number {
  const sessions = openSessions();
  const folder = flags.dir ?? CORPUS_FOLDER;
  const cases = files.map((file) => {
    const value = readCase(file);
    const reason = verifyCase(sessions, value);
    if (reason !== undefined) throw new UsageError(`${file}: ${reason}`);
    const target = join(folder, value.system, caseName(value));
    if (existsSync(target))
      throw new UsageError(
        `${target} is in the corpus already; name the file otherwise or remove it`,
      );
    return { target, value };
  });
  for (const { target, value } of cases) {
    writeCase(target, value);
    print(`added ${target}`);
  }
  return Exit.Clean;
}

export function corpusRefresh(folder: string | undefined): number {
  const sessions = openSessions();
  let left = 0;
  for (const file of caseFiles(folder ?? CORPUS_FOLDER)) {
    const change = refreshCase(sessions, file, readCase(file));
    if (change === undefined) continue;
    if (change.startsWith('left alone')) left += 1;
    print(`${file}: ${change}`);
  }
  print(left === 0 ? 'the corpus is up to date' : `${left} cases need a look`);
  return left === 0 ? Exit.Clean : Exit.Finding;
}
