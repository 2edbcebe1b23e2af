/** A digest of the code that decides what an execution does, so that two versions are not mixed. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDERS = ['sim', 'models', 'oracles', 'fuzz'] as const;
const FILES = ['campaign/performer.ts', 'campaign/task.ts', 'campaign/totals.ts'] as const;

/** 16 hexadecimal digits. */
export function codeDigest(): string {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${folder}/${name.replaceAll('\\', '/')}`),
  );
  const hash = createHash('sha256');
  for (const name of [...files, ...FILES].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))) {
    hash.update(`${name}\n`);
    hash.update(readFileSync(join(ROOT, name)));
  }
  return hash.digest('hex').slice(0, 16);
}
