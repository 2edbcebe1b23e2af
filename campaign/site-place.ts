/** Where a site is in the sources, for annotations: names are declared, so that the text shows the place. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadedFiles } from './catalogue.ts';

export interface Place {
  readonly file: string;
  readonly line: number;
}

const MODELS = fileURLToPath(new URL('../models', import.meta.url));

/** The first use of `group.name` in the file that declares the group; undefined without sources. */
export function placeOf(system: string, site: string): Place | undefined {
  const [group = '', name = ''] = site.split('.');
  for (const file of sourcesOf(system)) {
    const lines = readFileSync(file, 'utf8').split('\n');
    const declared = lines.findIndex((line) => line.includes(`sites('${group}'`));
    if (declared < 0) continue;
    const used = lines.findIndex((line, index) => index > declared && usesSite(line, name));
    return { file, line: (used < 0 ? declared : used) + 1 };
  }
  return undefined;
}

function usesSite(line: string, name: string): boolean {
  return new RegExp(`\\b(?:at|\\w*[sS]ites)\\.${name}\\b`).test(line);
}

function sourcesOf(system: string): readonly string[] {
  const folder = join(MODELS, system);
  const own = existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
        .sort((a, b) => (a < b ? -1 : 1))
        .map((name) => join(folder, name))
    : [];
  return [...loadedFiles(), ...own];
}
