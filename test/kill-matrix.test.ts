/** Bugs by oracles, kept in docs/kill-matrix.txt: an oracle that stops noticing a bug shows as a line that differs. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { CORPUS_FOLDER, caseFiles, readCase } from '../campaign/corpus.ts';
import { type KillRow, killDiff, killPage, killRow, killText } from '../campaign/kill-matrix.ts';
import { SYSTEMS } from '../models/registry.ts';

const ROWS = caseFiles(CORPUS_FOLDER).flatMap((file) => killRow(readCase(file)) ?? []);
const KEPT = readFileSync('docs/kill-matrix.txt', 'utf8');

/** Lines of bugs that the kept matrix does not have yet are for `corpus matrix --out docs/kill-matrix.txt`. */
function isKept(line: string): boolean {
  const [bug = ''] = line.slice(2).split(':');
  return line.startsWith('-') || KEPT.includes(`${bug}:`);
}

test('each bug is noticed by the oracles that noticed it before', (t) => {
  const diff = killDiff(KEPT, killText(ROWS));
  const fresh = diff.filter((line) => !isKept(line));
  if (fresh.length > 0) t.log('not in docs/kill-matrix.txt yet:', ...fresh);
  t.deepEqual(diff.filter(isKept), []);
});

test('the oracle of a case notices its bug alone, by the stored order', (t) => {
  t.true(ROWS.length > 40);
  for (const { bug, expected, kills } of ROWS) t.is(kills[expected], 'order', bug);
});

test('every oracle that a bug names notices it in one of its schedules, or the entry says more than its case', (t) => {
  const bugs = new Map(SYSTEMS.flatMap(({ bugs: all }) => all.map((bug) => [bug.id, bug])));
  for (const { bug, kills } of ROWS) {
    const named = bugs.get(bug)!.caughtBy.filter((id) => kills[id] !== 'none');
    t.true(named.length > 0, bug);
  }
});

const ROW: KillRow = {
  system: 's',
  bug: 'B01-x',
  expected: 'one',
  kills: { one: 'order', two: 'search', three: 'none', four: 'order' },
};

test('a line tells the oracle of the case, those of its order, and those of other schedules', (t) => {
  t.is(killText([ROW]), 's B01-x: one (two) four\n');
  const blind = { ...ROW, kills: { ...ROW.kills, one: 'none' } } as const;
  t.is(killText([blind]), 's B01-x: one NOT (two) four\n');
});

test('a diff has the line before and the line after, and nothing else', (t) => {
  const before = 's A: one\ns B: one two\ns C: one\n';
  t.deepEqual(killDiff(before, before), []);
  t.deepEqual(killDiff(`# how it is made\n\n${before}`, before), []);
  t.deepEqual(
    killDiff(before, 's A: one\ns B: one\ns C: one\ns D: one\n'),
    ['- s B: one two', '+ s B: one', '+ s D: one'].sort((a, b) =>
      a.slice(2) < b.slice(2) ? -1 : 1,
    ),
  );
});

test('the page has a cell for each bug and oracle, in one file', (t) => {
  const page = killPage([ROW]);
  t.is(page.split('<td class=').length - 1, 4);
  t.regex(page, /<td class="expected order" title="B01-x: one: order">●/);
  t.regex(page, /<td class="search"[^>]*>○/);
  t.notRegex(page, /https?:\/\//);
});
