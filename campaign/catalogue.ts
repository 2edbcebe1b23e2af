/**
 * What this process knows: the registries and the modules that `--load` names. Workers load the same
 * modules before their first task (threads.ts).
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { BUILT_IN, type Catalogue } from '../fuzz/catalogue.ts';
import { Sessions } from '../fuzz/sessions.ts';
import type { System } from '../models/system.ts';
import type { OracleSpec } from '../oracles/oracle.ts';
import { UsageError } from './usage.ts';

let known: Catalogue = BUILT_IN;
const files: string[] = [];

export function catalogue(): Catalogue {
  return known;
}

export function openSessions(): Sessions {
  return new Sessions({}, known);
}

/** Absolute paths of the modules loaded so far. */
export function loadedFiles(): readonly string[] {
  return files;
}

/** What a module may export for `--load`. */
interface Loaded {
  readonly systems?: readonly System[];
  readonly oracles?: readonly OracleSpec[];
}

/**
 * Adds the `systems` and `oracles` that a module exports. TypeScript goes through tsx.
 * Throws a UsageError that names the file.
 */
export async function load(name: string): Promise<void> {
  const file = resolve(name);
  if (files.includes(file)) return;
  if (!existsSync(file)) throw new UsageError(`cannot load ${name}: no such file`);
  const { systems = [], oracles = [] } = await importModule(name, file);
  if (systems.length + oracles.length === 0) {
    throw new UsageError(`${name} exports neither "systems" nor "oracles" (lists)`);
  }
  for (const { id } of systems) {
    if (!/^[a-z][a-z0-9-]*$/.test(id))
      throw new UsageError(`${name}: "${id}" is no id (small letters, digits and hyphens)`);
    if (known.systems.some((system) => system.id === id))
      throw new UsageError(`${name}: there is a system "${id}" already`);
  }
  for (const { id } of oracles) {
    if (known.oracles.some((oracle) => oracle.id === id))
      throw new UsageError(`${name}: there is an oracle "${id}" already`);
  }
  known = {
    systems: [...known.systems, ...systems],
    oracles: [...known.oracles, ...oracles],
  };
  files.push(file);
}

async function importModule(name: string, file: string): Promise<Loaded> {
  if (file.endsWith('.ts') && !isModule(dirname(file))) {
    const wanted = 'its package.json has no "type": "module" (or give the file the ending .mts)';
    throw new UsageError(`cannot load ${name}: ${wanted}`);
  }
  // in a checkout everything goes through tsx already
  if (/\.m?ts$/.test(file) && !import.meta.url.endsWith('.ts')) {
    const { register } = await import('tsx/esm/api');
    register();
  }
  try {
    return (await import(pathToFileURL(file).href)) as Loaded;
  } catch (error) {
    throw new UsageError(
      `cannot load ${name}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** Whether files with a plain ending are ECMAScript modules here: else they would get a Stagewright of their own. */
function isModule(folder: string): boolean {
  const file = join(folder, 'package.json');
  if (existsSync(file)) {
    const { type } = JSON.parse(readFileSync(file, 'utf8')) as { type?: string };
    return type === 'module';
  }
  const parent = dirname(folder);
  return parent !== folder && isModule(parent);
}
