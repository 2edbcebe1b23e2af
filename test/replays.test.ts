/** The replays that README and documents show are what the program prints today. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { explain } from '../fuzz/explain.ts';
import { runPlan } from '../fuzz/schedule.ts';
import { Sessions } from '../fuzz/sessions.ts';
import { REPLAYS, replaysIn, replayText, withReplays } from './replays.ts';

const README = readFileSync('README.md', 'utf8');

/** Code blocks of a page that name no language. */
const blocks = (page: string): readonly string[] =>
  [...page.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].flatMap(([, language, text]) =>
    language === '' ? [text!] : [],
  );

/** Lines that are shown and not said in that order; an excerpt may leave lines out, and says "..." where it does. */
function untrue(excerpt: readonly string[], whole: string): readonly string[] {
  const lines = whole.split('\n').map((line) => line.trimEnd());
  let at = 0;
  return excerpt
    .map((line) => line.trimEnd())
    .filter((line) => line !== '' && line.trim() !== '...')
    .filter((line) => {
      const found = lines.indexOf(line, at);
      if (found >= 0) at = found + 1;
      return found < 0;
    });
}

test('docs/replays.md has three whole replays, and they are what replay prints', (t) => {
  const page = readFileSync(REPLAYS, 'utf8');
  t.is(replaysIn(page).length, 3);
  t.is(page, withReplays(page), 'npm run pictures writes them anew');
});

test('what README shows of replays is part of what replay prints', (t) => {
  const shown = blocks(README).filter((text) => text.includes('$ npm run stagewright -- replay '));
  t.is(shown.length, 1);
  const parts = shown[0]!.split('$ npm run stagewright -- replay ').slice(1);
  t.is(parts.length, 2);
  for (const part of parts) {
    const [file = '', ...lines] = part.split('\n');
    t.deepEqual(untrue(lines, replayText(file)), [], file);
    t.true(lines.length > 5);
  }
});

test('what README shows of the canary is part of what is printed of it', (t) => {
  const shown = blocks(README).find((text) => text.includes('frees page 5 (data)'))!;
  const session = new Sessions().get('canary', 'canary', ['canary-free-before-invalidation']);
  const program = [
    { actor: 'vcpu0', operations: [{ key: 'w1', operation: 'write', args: [0] }] },
    { actor: 'host', operations: [{ key: 'u1', operation: 'unmap', args: [0] }] },
  ];
  const plan = { program, parameters: {}, order: [], choices: [] };
  const text = explain(session, plan, runPlan(session, plan)).join('\n');
  t.deepEqual(untrue(shown.split('\n'), text), []);
});
