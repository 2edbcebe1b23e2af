/** A campaign that learns is the same with any number of workers, and when it is killed and resumed. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { Campaign, type CampaignOptions } from '../../campaign/campaign.ts';
import { catalogue } from '../../campaign/catalogue.ts';
import { CampaignFolder } from '../../campaign/folder.ts';
import { readJournal } from '../../campaign/journal.ts';
import { knownFor, learntBefore } from '../../campaign/learner.ts';
import { targetsOf } from '../../campaign/options.ts';
import { startOf } from '../../campaign/start.ts';
import { planOf } from '../../campaign/task.ts';
import { ThreadEngine } from '../../campaign/threads.ts';
import { inFolder, stagewright } from '../cli/run.ts';
import { ScrambledEngine } from './scrambled.ts';
import { told } from './told.ts';

const TARGETS = targetsOf({
  systems: [],
  bugs: ['canary-free', 'A03'],
  configuration: undefined,
  fidelity: undefined,
});
const START = startOf(TARGETS, undefined)!;
const OPTIONS: CampaignOptions = {
  seed: 11,
  targets: TARGETS,
  strategy: undefined,
  learnsFrom: START,
  runs: 1200,
  seconds: undefined,
  stopOnFinding: false,
  minimiseBudget: 10,
};
const PLAN = planOf(OPTIONS.seed, TARGETS, undefined, true);

const alone = new Campaign(OPTIONS).run().then(told);

test('what it finds is another campaign than one that does not learn', async (t) => {
  const { coverage } = await alone;
  const { learnsFrom, ...rest } = OPTIONS;
  const plain = told(await new Campaign(rest).run());
  t.notDeepEqual(coverage, plain.coverage);
});

test('eight workers that end in any order learn the same', async (t) => {
  t.deepEqual(told(await new Campaign(OPTIONS, new ScrambledEngine(8, 3)).run()), await alone);
});

test('two threads learn the same', async (t) => {
  const engine = new ThreadEngine(2);
  t.deepEqual(told(await new Campaign(OPTIONS, engine).run()), await alone);
  await engine.close();
});

function create(path: string): CampaignFolder {
  return CampaignFolder.create(path, {
    plan: PLAN,
    runs: OPTIONS.runs ?? null,
    seconds: null,
    stopOnFinding: false,
    before: null,
  });
}

async function run(folder: CampaignFolder, runs: number): Promise<unknown> {
  try {
    return told(await new Campaign({ ...OPTIONS, runs }, undefined, folder).run());
  } finally {
    folder.close();
  }
}

test('stopped and resumed, it knows what it knew; what the journal lost of it is learnt again', async (t) => {
  await inFolder(async (path) => {
    const folder = join(path, 'pieces');
    const file = join(folder, 'journal.jsonl');
    await run(create(folder), 530);
    // the last records are lost: what was learnt last is among them
    const { records } = readJournal(file);
    const lines = readFileSync(file, 'utf8').split('\n');
    const isFold = records.map((record) => (record as { t: string }).t === 'fold');
    t.true(isFold.filter(Boolean).length >= 3);
    const kept = lines.slice(0, isFold.lastIndexOf(true));
    writeFileSync(file, `${kept.join('\n')}\n`);
    appendFileSync(file, lines[0]!.slice(0, 40));
    for (const runs of [531, 1100]) await run(CampaignFolder.resume(folder), runs);
    t.deepEqual(await run(CampaignFolder.resume(folder), 1200), await alone);
    const { history } = CampaignFolder.read(folder);
    const known = knownFor(history.steps, 1199);
    t.deepEqual(known, learntBefore(PLAN, catalogue(), START, 1199));
    t.true(known.seeds.length > 10);
  });
});

test('an execution of a campaign that learns can be replayed from its folder, and without it', async (t) => {
  await inFolder(async (path) => {
    const folder = join(path, 'kept');
    const words = ['kvm-arm64', '--bug', 'A03', '--seed', '11', '--runs', '800', '--jobs', '1'];
    const { code } = await stagewright(['fuzz', ...words, '--out', folder, '--json']);
    t.true(code === 0 || code === 1);
    const one = await stagewright(['replay', `${folder}:700`, '--json']);
    const other = await stagewright(['replay', 'kvm-arm64:11:700', '--bug', 'A03', '--json']);
    const digest = ({ stdout }: { stdout: string }): string =>
      (JSON.parse(stdout) as { cases: { digest: string }[] }).cases[0]!.digest;
    t.is(digest(one), digest(other));
  });
});

test('a campaign of correct models starts from the corpus, one of a bug does not', (t) => {
  const correct = targetsOf({
    systems: ['kvm-x86-tdp'],
    bugs: [],
    configuration: undefined,
    fidelity: undefined,
  });
  const { seeds } = startOf(correct, undefined)!;
  t.true(seeds.length > 15);
  t.true(seeds.every(({ system }) => system === 'kvm-x86-tdp'));
  t.deepEqual(START.seeds, []);
  t.is(startOf(correct, 'pct'), undefined);
});
