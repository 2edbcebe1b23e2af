/** The tutorial, followed with the sources of this checkout in place of the installed package. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import test from 'ava';
import { openSessions } from '../campaign/catalogue.ts';
import { parseCase } from '../fuzz/case-text.ts';
import { replayCase } from '../fuzz/replay.ts';
import { type Block, blocksOf, follow } from './tutorial.ts';

const REPOSITORY = resolve('.');
const TSX = import.meta.resolve('tsx');
const BLOCKS = blocksOf('docs/tutorial.md');
const EXAMPLE = 'docs/examples/own-model';

const folder = mkdtempSync(join(tmpdir(), 'stagewright-tutorial-'));
test.after.always(() => rmSync(folder, { recursive: true }));

/** A package `stagewright` whose entries are this checkout's. */
function link(): void {
  const installed = join(folder, 'node_modules', 'stagewright');
  mkdirSync(installed, { recursive: true });
  const exports = { '.': './index.ts', './sim': './sim.ts' };
  writeFileSync(join(installed, 'package.json'), JSON.stringify({ type: 'module', exports }));
  for (const name of ['index', 'sim'])
    writeFileSync(join(installed, `${name}.ts`), `export * from '${REPOSITORY}/api/${name}.ts';\n`);
  symlinkSync(join(REPOSITORY, 'node_modules', 'tsx'), join(folder, 'node_modules', 'tsx'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
}

function commandOf(command: string): readonly [string, readonly string[]] | undefined {
  const [program, ...args] = command.split(' ');
  if (program === 'npm') return undefined;
  if (program === 'node') return [process.execPath, args];
  const main = join(REPOSITORY, 'cli', 'main.ts');
  return [process.execPath, [`--import=${TSX}`, main, ...args.slice(1), ...jobs(args)]];
}

/** Threads take longer to start than the tutorial's campaigns. */
function jobs(args: readonly string[]): readonly string[] {
  return ['fuzz', 'ci'].includes(args[1] ?? '') ? ['--jobs', '1'] : [];
}

test.serial('the tutorial can be followed word by word', (t) => {
  link();
  const { commands, wrong } = follow(BLOCKS, folder, commandOf);
  t.deepEqual(wrong, []);
  t.deepEqual(
    commands.map((command) => command.split(' ').slice(0, 2).join(' ')),
    [
      'npx stagewright',
      'npx stagewright',
      'npx stagewright',
      'npx stagewright',
      'npx stagewright',
      'node --import',
      'npx stagewright',
    ],
  );
});

test.serial('what it makes is the example of a project with its own models', async (t) => {
  for (const name of ['table.ts', 'table.test.ts'])
    t.is(readFileSync(join(EXAMPLE, name), 'utf8'), readFileSync(join(folder, name), 'utf8'), name);
  const { load, catalogue } = await import('../campaign/catalogue.ts');
  await load(join(folder, 'table.ts'));
  const file = join(EXAMPLE, 'corpus', 'flat', 'opens-early.yaml');
  const value = parseCase(file, readFileSync(file, 'utf8'), catalogue().systems);
  t.is(replayCase(openSessions(), value).verdict, 'reproduced');
});

test('a tutorial that is wrong is noticed', (t) => {
  const bad: readonly (readonly [Block, RegExp])[] = [
    [{ language: 'sh', rest: '', text: 'node -e process.exit(3)\n' }, /exits 3, not 0/],
    [{ language: '', rest: '', text: 'never printed\n' }, /no line "never printed"/],
    [{ language: 'py', rest: '', text: '' }, /nothing that can be followed/],
  ];
  for (const [block, says] of bad) t.regex(follow([block], folder, commandOf).wrong[0]!, says);
  writeFileSync(join(folder, 'a.txt'), 'one\n');
  const diff = { language: 'diff', rest: 'a.txt', text: '-two\n+three\n' };
  t.regex(follow([diff], folder, commandOf).wrong[0]!, /0 times/);
});
