/** A digest of the code that decides what an execution does, so that two versions are not mixed. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadedFiles } from './catalogue.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDERS = ['sim', 'models', 'oracles', 'fuzz'] as const;
const FILES = ['coverage', 'learner', 'performer', 'start', 'task', 'totals'].map(
  (name) => `campaign/${name}`,
);
/** Sources, or what they were compiled to. */
const ENDING = import.meta.url.endsWith('.ts') ? '.ts' : '.js';

/** 16 hexadecimal digits. */
export function codeDigest(): string {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith(ENDING))
      .map((name) => `${folder}/${name.replaceAll('\\', '/')}`),
  );
  const hash = createHash('sha256');
  for (const name of [...files, ...FILES.map((name) => name + ENDING)].sort((a, b) =>
    a < b ? -1 : a > b ? 1 : 0,
  )) {
    hash.update(`${name}\n`);
    hash.update(readFileSync(join(ROOT, name)));
  }
  for (const file of loadedFiles()) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}
