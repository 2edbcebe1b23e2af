/** `coverage`: what corpus and campaign come to, as text, JSON and page; what the base came to and this does not. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { z } from 'zod';
import { lostSince, type Reach } from '../../campaign/reach.ts';
import { coverageSchema } from '../../cli/schemas.ts';
import { batch, inFolder, type Outcome } from './run.ts';

const RUNS = ['--runs', '600', '--jobs', '1'];
const KVM = ['coverage', 'kvm-arm64', ...RUNS];

type Document = z.infer<typeof coverageSchema>;

function documentOf({ stdout }: Outcome): Document {
  return coverageSchema.parse(JSON.parse(stdout));
}

const outcomes = inFolder(async (folder) => {
  const [page, base] = [join(folder, 'map.html'), join(folder, 'base.json')];
  const first = await batch([
    [...KVM, '--format', 'json'],
    KVM,
    [...KVM, '--format', 'html', '--out', page],
  ]);
  const { stdout } = first[0]!;
  const document = JSON.parse(stdout) as {
    systems: { pairs: { corpus: number }[]; executions: number }[];
  };
  writeFileSync(base, stdout);
  // a base that came to more: a pair that is in no run, and one that ran longer
  const [system] = document.systems;
  const kept = system!.pairs.find(({ corpus }) => corpus > 0);
  const more = structuredClone(document);
  more.systems[0]!.pairs.push({ ...kept!, ...{ before: 'unmap.begin', after: 'unmap.begin' } });
  writeFileSync(join(folder, 'more.json'), JSON.stringify(more));
  const longer = structuredClone(document);
  longer.systems[0]!.executions += 1;
  writeFileSync(join(folder, 'longer.json'), JSON.stringify(longer));
  writeFileSync(join(folder, 'wrong.json'), '{"command":"fuzz"}');
  const check = (file: string): string[] => [...KVM, '--check', '--base', join(folder, file)];
  const second = await batch([
    check('base.json'),
    check('more.json'),
    check('longer.json'),
    check('wrong.json'),
    check('none.json'),
    [...KVM, '--check'],
    [...KVM, '--base', base],
    [...KVM, '--format', 'pdf'],
  ]);
  return { first, second, html: readFileSync(page, 'utf8') };
});

test('the document names pairs, transitions and goals with an example of each', async (t) => {
  const { first } = await outcomes;
  const { systems, lost } = documentOf(first[0]!);
  const { pairs, transitions, goals, sites, cases, executions } = systems[0]!;
  t.deepEqual([executions, lost], [600, []]);
  t.true(cases > 30 && pairs.length > 100 && transitions.length > 8 && goals.length > 3);
  for (const { before, after, corpus, campaign, example } of pairs) {
    t.true(sites.includes(before) && sites.includes(after));
    t.true(corpus + campaign > 0);
    t.regex(example, corpus > 0 ? /^corpus\/kvm-arm64\/.*\.yaml$/ : /^kvm-arm64:1:\d+$/);
  }
  t.true(goals.some(({ isReached, example }) => isReached && example !== null));
});

test('text and page show the same', async (t) => {
  const { first, html } = await outcomes;
  const { pairs, goals } = documentOf(first[0]!).systems[0]!;
  t.true(first[1]!.stdout.includes(`conflict pairs ${pairs.length} (`));
  for (const { id } of goals) t.true(first[1]!.stdout.includes(id) && html.includes(id));
  t.is(html.split('<rect class=').length - 1, pairs.length);
  t.notRegex(html, /https?:\/\//, 'one file, no network');
});

test('a check against itself passes; what the base came to and this does not fails and is named', async (t) => {
  const { second } = await outcomes;
  t.is(second[0]!.code, 0, second[0]!.stdout + second[0]!.stderr);
  t.is(second[1]!.code, 1);
  t.regex(
    second[1]!.stdout,
    /LOST kvm-arm64: pair unmap\.begin -> unmap\.begin \(on the base: corpus\//,
  );
});

test('what cannot be compared is said in a line', async (t) => {
  const { second } = await outcomes;
  const says = [
    /the base has 601 executions of seed 1 of kvm-arm64, and this 600/,
    /wrong\.json was not written by "coverage --format json"/,
    /cannot read --base .*none\.json/,
    /--check needs --base FILE/,
    /--base is compared with --check/,
    /--format is "pdf" \(text, json, html\)/,
  ];
  says.forEach((message, index) => {
    const { code, stderr } = second[index + 2]!;
    t.is(code, 2);
    t.regex(stderr, message);
  });
});

// ---- what counts as lost ----

const FIGURES = { seen: 0, once: 0, twice: 0, unseen: 0 };
const EMPTY: Reach = {
  system: 's',
  seed: 1,
  executions: 10,
  cases: 0,
  sites: ['a.x', 'a.y'],
  pairs: [],
  transitions: [],
  goals: [],
  figures: { pairs: FIGURES, states: FIGURES, segments: FIGURES },
};
const PAIR = { before: 'a.x', after: 'a.y', corpus: 0, campaign: 3, example: 's:1:2' };
const GOAL = { id: 'g', title: 'g', isReached: true, example: 's:1:2' };

test('a goal, a pair that was frequent or in the corpus, and a transition are missed', (t) => {
  const change = {
    level: 3,
    from: 'empty',
    to: 'leaf',
    corpus: 1,
    campaign: 0,
    example: 'x',
  } as const;
  const base: Reach = { ...EMPTY, goals: [GOAL], pairs: [PAIR], transitions: [change] };
  const now: Reach = { ...EMPTY, goals: [{ ...GOAL, isReached: false }] };
  t.deepEqual(
    lostSince(base, now).map(({ kind, name }) => `${kind} ${name}`),
    ['goal g', 'pair a.x -> a.y', 'transition level 3: empty -> leaf'],
  );
  t.deepEqual(lostSince(base, base), []);
});

test('a pair that one or two executions came to is chance, and one of a site that is gone is no loss', (t) => {
  const rare = { ...EMPTY, pairs: [{ ...PAIR, campaign: 2 }] };
  t.deepEqual(lostSince(rare, EMPTY), []);
  const gone = { ...EMPTY, pairs: [{ ...PAIR, before: 'old.site' }] };
  t.deepEqual(lostSince(gone, EMPTY), []);
});
