/** `mutants-page`: documents that `mutants --json` printed, as one page. */
import { readFileSync } from 'node:fs';
import { writeWhole } from '../campaign/corpus.ts';
import {
  changesSince,
  killRate,
  mutationPage,
  type SystemMutants,
} from '../campaign/mutation-page.ts';
import { UsageError } from '../campaign/options.ts';
import { mutantsSchema } from './schemas.ts';
import { Exit, print } from './terminal.ts';

export interface MutationPageFlags {
  readonly base?: string[];
  readonly out?: string;
}

const OUT = 'mutants.html';

/** @param files documents of `mutants SYSTEM --json`, one for each system */
export function mutantsPage(files: readonly string[], flags: MutationPageFlags): number {
  const all = files.map(readDocument);
  const base = flags.base?.map(readDocument);
  const out = flags.out ?? OUT;
  writeWhole(out, mutationPage(all, base));
  for (const { system, mutants } of all)
    print(`${system}: ${killRate(mutants)} % of ${mutants.length}`);
  const changes = base === undefined ? [] : changesSince(base, all);
  for (const { system, id, before, now } of changes)
    print(`${system} ${id}: ${before ?? 'new'} -> ${now ?? 'gone'}`);
  print(`wrote ${out}`);
  return changes.some(({ before, now }) => before === 'killed' && now === 'survivor')
    ? Exit.Finding
    : Exit.Clean;
}

function readDocument(file: string): SystemMutants {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as Error).message}`);
  }
  const read = mutantsSchema.safeParse(value);
  if (read.success) return read.data;
  throw new UsageError(`${file} was not printed by "mutants SYSTEM --json"`);
}
