/** Every command explains itself, with an example. */
import test from 'ava';
import { batch, stagewright } from './run.ts';

const COMMANDS = [
  'fuzz',
  'demo',
  'replay',
  'minimise',
  'corpus verify',
  'corpus list',
  'corpus add',
  'corpus refresh',
  'zoo',
  'litmus',
  'check',
  'list',
];

const outcomes = batch(COMMANDS.map((command) => [...command.split(' '), '--help']));

for (const [index, command] of COMMANDS.entries()) {
  test(`stagewright ${command} --help says what it does and gives an example`, async (t) => {
    const { code, stdout, stderr } = (await outcomes)[index]!;
    t.is(code, 0);
    t.is(stderr, '');
    t.true(stdout.startsWith(`Usage: stagewright ${command} `), stdout);
    t.regex(stdout, /\nExample:\n {2}\S.+\n$/);
  });
}

test('stagewright --help names every command and gives an example', async (t) => {
  const { code, stdout } = await stagewright(['--help']);
  t.is(code, 0);
  for (const command of COMMANDS) {
    const [name] = command.split(' ');
    t.regex(stdout, new RegExp(`^ {2}${name}\\b`, 'm'));
  }
  t.regex(stdout, /\nExample:\n {2}\S.+\n$/);
});

test('without a command the usage is shown', async (t) => {
  const { code, stdout, stderr } = await stagewright([]);
  t.is(code, 2);
  t.regex(stdout + stderr, /Usage: stagewright/);
});
