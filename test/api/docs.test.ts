/** docs/api.md has every export, and every export has a docstring. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'ava';
import * as library from '../../api/index.ts';
import * as machine from '../../api/sim.ts';

test('the generator finds a docstring for every export, and the page has them all', (t) => {
  const { status, stdout } = spawnSync(process.execPath, ['.ci/api-docs.mjs', '--check'], {
    encoding: 'utf8',
  });
  t.is(stdout, '');
  t.is(status, 0);
});

test('what can be called is on the page', (t) => {
  const page = readFileSync('docs/api.md', 'utf8');
  const names = [...Object.keys(library), ...Object.keys(machine)].filter((name) => name !== 'fc');
  t.true(names.length > 60);
  for (const name of names) t.true(page.includes(`\n### ${name}\n`), name);
});
