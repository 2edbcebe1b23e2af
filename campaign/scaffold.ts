/** `new`: the files of a system, an oracle or a bug, its line in the registry, and a test that fails until they are filled. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeWhole } from './corpus.ts';
import { UsageError } from './usage.ts';

export const KINDS = ['system', 'oracle', 'bug'] as const;
export type Kind = (typeof KINDS)[number];

/** What was written, and what to do next, for people. */
export interface Scaffold {
  readonly files: readonly string[];
  readonly next: readonly string[];
}

const SYSTEMS_FILE = join('models', 'registry.ts');
const ORACLES_FILE = join('oracles', 'registry.ts');

/** Works in the checkout that is the current folder. Throws a UsageError and writes nothing when a name is taken. */
export function scaffold(kind: string, name: string): Scaffold {
  if (!existsSync(SYSTEMS_FILE) || !existsSync(ORACLES_FILE)) {
    throw new UsageError(
      '"new" works in a checkout of Stagewright (no models/registry.ts here); docs/tutorial.md has models of your own',
    );
  }
  if (kind === 'system') return newSystem(name);
  if (kind === 'oracle') return newOracle(name);
  if (kind === 'bug') return newBug(name);
  throw new UsageError(`"${kind}" cannot be made (${KINDS.join(', ')})`);
}

function newSystem(id: string): Scaffold {
  checkId(id);
  const folder = join('models', id);
  const test = join('test', 'models', `${id}.test.ts`);
  const index = join(folder, 'index.ts');
  refuseExisting([folder, test]);
  const registry = withImport(SYSTEMS_FILE, variableOf(id), `./${id}/index.ts`, 'canary');
  writeWhole(index, filled('system', { id }));
  writeWhole(join(folder, 'README.md'), filled('readme', { id }));
  writeWhole(test, filled('system-test', { id }));
  writeWhole(SYSTEMS_FILE, registry);
  return {
    files: [index, join(folder, 'README.md'), test, SYSTEMS_FILE],
    next: [
      `fill what says FILL in models/${id}/`,
      `npx ava ${test}`,
      `npm run stagewright -- fuzz ${id} --time 1m`,
      'then: isListed, a digest in test/determinism.test.ts, cases in the corpus (docs/adding.md)',
    ],
  };
}

function newOracle(id: string): Scaffold {
  checkId(id);
  const file = join('oracles', `${id}.ts`);
  const test = join('test', 'oracles', `${id}.test.ts`);
  refuseExisting([file, test]);
  const registry = withImport(ORACLES_FILE, variableOf(id), `./${id}.ts`, undefined);
  writeWhole(file, filled('oracle', { id }));
  writeWhole(test, filled('oracle-test', { id }));
  writeWhole(ORACLES_FILE, registry);
  return {
    files: [file, test, ORACLES_FILE],
    next: [
      `fill what says FILL in ${file} and ${test}`,
      `npx ava ${test} test/contracts/oracles.test.ts`,
      'a sentence for each rule in fuzz/sentence.ts',
    ],
  };
}

/** @param name `SYSTEM/ID-words`, such as xen-arm/X99-forgets-flush */
function newBug(name: string): Scaffold {
  const [system = '', id = '', ...rest] = name.split('/');
  if (rest.length > 0 || !/^[A-Z]+\d+[a-z]?(-[a-z0-9]+)+$/.test(id)) {
    throw new UsageError(
      `"${name}" names no bug: SYSTEM/ID-words, such as xen-arm/X99-forgets-flush`,
    );
  }
  const file = join('models', system, 'bugs.ts');
  const test = join('test', 'models', `${id}.test.ts`);
  if (!existsSync(file))
    throw new UsageError(`there is no ${file}: the system has no list of bugs`);
  refuseExisting([test]);
  const text = readFileSync(file, 'utf8');
  if (text.includes(`'${id}'`)) throw new UsageError(`${file} has a bug "${id}" already`);
  const head = /export const BUGS[^=]*= \[\n/.exec(text);
  if (head === null) throw new UsageError(`${file} has no list "export const BUGS = ["`);
  const at = head.index + head[0].length;
  writeWhole(file, text.slice(0, at) + filled('bug', { id }) + text.slice(at));
  writeWhole(test, filled('bug-test', { id, system }));
  return {
    files: [file, test],
    next: [
      `fill what says FILL in ${file}`,
      `read the flag at one place of models/${system}/: world.bug('${id}')`,
      `npx ava ${test} test/contracts/models.test.ts`,
      `npm run stagewright -- zoo ${system} --bug ${id} --out found && npm run stagewright -- corpus add found/${system}/${id}.yaml`,
    ],
  };
}

/** A template with its names filled in; FILL is left to people. */
function filled(
  template: string,
  names: { readonly id: string; readonly system?: string },
): string {
  const file = new URL(`templates/${template}.txt`, import.meta.url);
  const variable = variableOf(names.id);
  return readFileSync(file, 'utf8')
    .replaceAll('@id@', names.id)
    .replaceAll('@system@', names.system ?? '')
    .replaceAll('@variable@', variable)
    .replaceAll('@Class@', variable[0]!.toUpperCase() + variable.slice(1));
}

function checkId(id: string): void {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(id))
    throw new UsageError(`"${id}" is no id (small letters, digits and hyphens)`);
}

function refuseExisting(paths: readonly string[]): void {
  const there = paths.find((path) => existsSync(path));
  if (there !== undefined) throw new UsageError(`${there} exists already`);
}

/** `my-table` as a variable: myTable. */
function variableOf(id: string): string {
  return id.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** The registry with one import more, in order, and the variable in its list: before another, or at the end. */
function withImport(
  file: string,
  variable: string,
  from: string,
  before: string | undefined,
): string {
  const text = readFileSync(file, 'utf8');
  const line = `import { ${variable} } from \x27${from}\x27;`;
  const lines = text.split('\n');
  const path = (one: string): string => / '(.*)';$/.exec(one)?.[1] ?? '';
  const at = lines.findIndex((one) => /^import /.test(one) && path(one) > from);
  const last = lines.findLastIndex((one) => /^import /.test(one));
  lines.splice(at < 0 ? last + 1 : at, 0, line);
  const list = /Object\.freeze\(\[([\s\S]*?)\]\)/;
  const joined = lines.join('\n');
  const found = list.exec(joined);
  if (found === null) throw new UsageError(`${file} has no list "Object.freeze([...])"`);
  const names = found[1]!
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const place = before === undefined ? names.length : names.indexOf(before);
  names.splice(place < 0 ? names.length : place, 0, variable);
  const isShort = names.join(', ').length < 40;
  const inner = isShort ? names.join(', ') : `\n${names.map((name) => `  ${name},\n`).join('')}`;
  return joined.replace(list, () => `Object.freeze([${inner}])`);
}
