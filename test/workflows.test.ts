/** Workflows run documented commands only, and what they name exists. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { parse } from 'yaml';
import { blocksOf } from './tutorial.ts';

const DOCUMENTED = blocksOf('docs/ci.md')
  .filter(({ language }) => language === 'sh')
  .flatMap(({ text }) => text.trim().split('\n'));

interface Workflow {
  readonly jobs: Readonly<Record<string, { readonly steps: readonly { readonly run?: string }[] }>>;
}

function commandsOf(file: string): readonly string[] {
  const { jobs } = parse(readFileSync(file, 'utf8')) as Workflow;
  return Object.values(jobs).flatMap(({ steps }) => steps.flatMap(({ run }) => run ?? []));
}

const FOLDERS = ['.github/workflows', 'docs/examples/own-model/.github/workflows'];
const FILES = FOLDERS.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));

for (const file of FILES) {
  test(`${file} runs what docs/ci.md says, and nothing else`, (t) => {
    const commands = commandsOf(file).map((command) => command.replace('table.ts', 'models.ts'));
    t.true(commands.length > 0);
    t.deepEqual(
      commands.filter((command) => !DOCUMENTED.includes(command)),
      [],
    );
  });
}

test('every documented script exists', (t) => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    scripts: Record<string, string>;
  };
  const named = DOCUMENTED.flatMap((command) => /^npm run ([\w:-]+)/.exec(command)?.[1] ?? []);
  t.true(named.length > 3);
  for (const name of named) t.true(name in scripts, name);
  t.true(existsSync('.ci/run'));
});
