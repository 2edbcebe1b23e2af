/** `replay --step` with keys that a test sends. */
import { PassThrough } from 'node:stream';
import test from 'ava';
import { readCase } from '../../campaign/corpus.ts';
import { keysIn, Stepper, stepThrough } from '../../cli/step.ts';
import { viewOf } from '../../cli/viewer.ts';
import { replayCase } from '../../fuzz/replay.ts';
import { Sessions } from '../../fuzz/sessions.ts';
import type { View } from '../../fuzz/view/view.ts';
import { stagewright } from './run.ts';

const FILE = 'corpus/kvm-arm64/A20-table-level-as-hint.yaml';
const [WIDTH, HEIGHT] = [150, 40];

function a20(): View {
  const value = readCase(FILE);
  return viewOf(FILE, value, replayCase(new Sessions(), value));
}

/** The line under the cursor. */
function current(stepper: Stepper): string {
  return stepper.render(WIDTH, HEIGHT, true).find((line) => line.startsWith('>')) ?? '';
}

function screen(stepper: Stepper): string {
  return stepper.render(WIDTH, HEIGHT, true).join('\n');
}

test('it begins where the promise is broken, and goes back and forth', (t) => {
  const stepper = new Stepper(a20());
  const last = current(stepper);
  t.regex(last, /^> +79 \* +host\.u1 +frees page 106 \(table\)/);
  t.true(stepper.press('up'));
  t.regex(current(stepper), /TLBI VMALLE1IS/);
  stepper.press('down');
  t.is(current(stepper), last);
  stepper.press('home');
  t.regex(current(stepper), /vcpu0\.r1 +r1: read 0x0/);
  t.notRegex(screen(stepper), /tlb +PE 0/);
  stepper.press('v');
  t.is(current(stepper), last);
  t.regex(screen(stepper), /tlb +PE 0: walk-cache 0x0 to 0x3: table page 106/);
  t.regex(screen(stepper), /changed page 106: table, not linked -> free/);
  t.false(stepper.press('q'));
});

test('to the next access of a word, to the next mark, to the same actor, to the other run', (t) => {
  const stepper = new Stepper(a20());
  for (const key of ['up', 'up', 'up']) stepper.press(key);
  t.regex(current(stepper), /level 2 entry: table page 106/);
  const word = stepper.cursor;
  stepper.press('W');
  t.true(stepper.cursor < word);
  t.is(stepper.detail, 'story');
  stepper.press('w');
  t.true(stepper.cursor >= word - 2);
  stepper.press('M');
  t.regex(current(stepper), /^> +\d+ \*/);
  stepper.press('left');
  t.regex(current(stepper), /vcpu0|host/);
  stepper.press('3');
  t.is(stepper.detail, 'everything');
  stepper.press('x');
  t.regex(screen(stepper), /passing neighbour/);
});

test('a screen has no more lines and no wider ones than the terminal', (t) => {
  const stepper = new Stepper(a20());
  for (const [width, height] of [
    [80, 24],
    [120, 30],
    [40, 12],
  ] as const) {
    const lines = stepper.render(width, height, true);
    t.true(lines.length <= height, `${lines.length} lines in ${height}`);
    for (const line of lines) t.true([...line].length <= width, line);
  }
});

test('keys come as characters and as sequences, several at a time', (t) => {
  t.deepEqual(keysIn('j\u001b[A\u001b[5~q'), ['j', 'up', 'page-up', 'q']);
  t.deepEqual(keysIn('\u0003'), ['q']);
});

test('the terminal is used as it was found, and the input may end', async (t) => {
  for (const sent of [['\u001b[A', 'w', 'q'], ['j']]) {
    const input = Object.assign(new PassThrough(), { modes: [] as boolean[] });
    const output = new PassThrough();
    const terminal = Object.assign(input, {
      setRawMode: (on: boolean) => input.modes.push(on),
    });
    let painted = '';
    output.setEncoding('utf8').on('data', (text: string) => {
      painted += text;
    });
    const done = stepThrough(a20(), { input: terminal, output });
    for (const key of sent) input.write(key);
    input.end();
    await done;
    t.deepEqual(input.modes, [true, false]);
    t.true(painted.startsWith('\u001b[?1049h'));
    t.true(painted.endsWith('\u001b[?1049l'));
    t.true(painted.includes('frees page 106 (table)'));
  }
});

test('without a terminal it says so', async (t) => {
  const { code, stderr } = await stagewright(['replay', FILE, '--step']);
  t.is(code, 2);
  t.regex(stderr, /^stagewright: --step needs a terminal/);
});
