/** What a campaign keeps survives what happens to processes and disks. */
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { Campaign, type CampaignOptions } from '../../campaign/campaign.ts';
import { CampaignFolder } from '../../campaign/folder.ts';
import { Journal, readJournal } from '../../campaign/journal.ts';
import { targetsOf, UsageError } from '../../campaign/options.ts';
import { planOf } from '../../campaign/task.ts';
import { fuzzSchema, summarySchema } from '../../cli/schemas.ts';
import { inFolder, stagewright } from '../cli/run.ts';
import { told } from './told.ts';

const OPTIONS: CampaignOptions = {
  seed: 5,
  targets: targetsOf({
    systems: [],
    bugs: ['canary-free', 'A07'],
    configuration: undefined,
    fidelity: undefined,
  }),
  strategy: undefined,
  runs: 400,
  seconds: undefined,
  stopOnFinding: false,
  minimiseBudget: 40,
};

function create(path: string): CampaignFolder {
  return CampaignFolder.create(path, {
    plan: planOf(OPTIONS.seed, OPTIONS.targets, OPTIONS.strategy),
    runs: OPTIONS.runs ?? null,
    seconds: null,
    stopOnFinding: false,
    before: null,
  });
}

async function run(folder: CampaignFolder, more: Partial<CampaignOptions> = {}): Promise<unknown> {
  try {
    return told(await new Campaign({ ...OPTIONS, ...more }, undefined, folder).run());
  } finally {
    folder.close();
  }
}

test('records come back as they were written, up to a torn one', async (t) => {
  await inFolder(async (path) => {
    const file = join(path, 'journal');
    const journal = Journal.open(file, 0);
    const records = [{ t: 'a', text: 'ü\n' }, { t: 'b' }, { t: 'c', list: [1, 2] }];
    for (const record of records) t.true(journal.add(record));
    journal.close();
    const whole = readJournal(file);
    t.deepEqual(whole.records, records);
    t.is(whole.length, readFileSync(file).length);
    const full = readFileSync(file);
    for (let cut = 1; cut < 30; cut += 1) {
      truncateSync(file, full.length - cut);
      const torn = readJournal(file);
      t.deepEqual(torn.records, records.slice(0, 2), `cut ${cut}`);
      const again = Journal.open(file, torn.length);
      t.true(again.add(records[2]!));
      again.close();
      t.deepEqual(readFileSync(file), full);
    }
  });
});

test('a record that was changed is an error that says where, unless it is the last', async (t) => {
  await inFolder(async (path) => {
    const file = join(path, 'journal');
    const journal = Journal.open(file, 0);
    for (const n of [1, 2, 3]) journal.add({ n });
    journal.close();
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('"n":2', '"n":7'));
    t.throws(() => readJournal(file), { instanceOf: UsageError, message: /journal:2:1: / });
    writeFileSync(file, text.replace('"n":3', '"n":7'));
    t.is(readJournal(file).records.length, 2);
  });
});

test('a campaign that is stopped and resumed many times is the one that went through', async (t) => {
  await inFolder(async (path) => {
    const through = await run(create(join(path, 'one')));
    const pieces = join(path, 'many');
    await run(create(pieces), { runs: 90 });
    // the last record is lost, and a part of it is there
    const file = join(pieces, 'journal.jsonl');
    appendFileSync(file, readFileSync(file).subarray(0, 33));
    for (const runs of [91, 300, 301]) await run(CampaignFolder.resume(pieces), { runs });
    t.deepEqual(await run(CampaignFolder.resume(pieces)), through);
    const cases = (folder: string) =>
      ['canary', 'kvm-arm64'].flatMap((system) =>
        readdirSync(join(folder, system)).map((name) => [
          name,
          readFileSync(join(folder, system, name), 'utf8'),
        ]),
      );
    t.true(cases(pieces).length >= 2);
    t.deepEqual(cases(pieces), cases(join(path, 'one')));
  });
});

test('a folder belongs to one campaign, one process and one version of the code', async (t) => {
  await inFolder(async (path) => {
    await run(create(path), { runs: 10 });
    t.throws(() => create(path), { instanceOf: UsageError, message: /holds a campaign already/ });
    t.throws(() => CampaignFolder.resume(join(path, 'none')), {
      instanceOf: UsageError,
      message: /holds no campaign/,
    });
    writeFileSync(join(path, 'lock'), String(process.ppid));
    t.throws(() => CampaignFolder.resume(path), {
      instanceOf: UsageError,
      message: new RegExp(`in use by process ${process.ppid}`),
    });
    writeFileSync(join(path, 'lock'), '999999999');
    CampaignFolder.resume(path).close();
    const file = join(path, 'campaign.json');
    const { code } = CampaignFolder.read(path).manifest;
    writeFileSync(file, readFileSync(file, 'utf8').replace(code, '0123456789abcdef'));
    t.throws(() => CampaignFolder.resume(path), {
      instanceOf: UsageError,
      message: /made by code 0123456789abcdef/,
    });
  });
});

const WORDS = ['fuzz', 'canary', '--bug', 'canary', '--seed', '4', '--jobs', '1'];

/** What two documents must share: all but times and names of folders. */
function same(text: string): unknown {
  const { findings, seconds, interrupted, ...rest } = fuzzSchema.parse(JSON.parse(text));
  return {
    ...rest,
    findings: findings.map(({ seconds: after, case: file, ...finding }) => finding),
  };
}

test('kill -9, resume: the same findings, cases and counts', async (t) => {
  await inFolder(async (path) => {
    const through = stagewright([...WORDS, '--runs', '6000', '--json', '--out', join(path, 'one')]);
    const killed = join(path, 'two');
    const journal = join(killed, 'journal.jsonl');
    await stagewright([...WORDS, '--runs', '6000', '--json', '--out', killed], (child) => {
      const watch = setInterval(() => {
        if (!existsSync(journal) || readFileSync(journal).length < 2000) return;
        clearInterval(watch);
        child.kill('SIGKILL');
      }, 20);
      child.on('close', () => clearInterval(watch));
    });
    const { history } = CampaignFolder.read(killed);
    t.true(history.totals.executions > 0 && history.totals.executions < 6000);
    const resumed = await stagewright(['fuzz', '--resume', killed, '--jobs', '1', '--json']);
    const one = await through;
    t.is(resumed.code, 1);
    t.is(one.code, 1);
    t.deepEqual(same(resumed.stdout), same(one.stdout));
    for (const name of readdirSync(join(path, 'one', 'canary'))) {
      const text = (folder: string) => readFileSync(join(path, folder, 'canary', name), 'utf8');
      t.is(text('two'), text('one'));
    }
    const summary = JSON.parse(readFileSync(join(killed, 'summary.json'), 'utf8'));
    const { sessions, executions, details } = summarySchema.parse(summary);
    t.is(sessions.length, 2);
    t.is(executions, 6000);
    t.true(details.every(({ explanation }) => explanation.length > 0));
  });
});

test('Ctrl-C ends a campaign that --resume goes on with', async (t) => {
  await inFolder(async (path) => {
    const folder = join(path, 'c');
    const words = ['fuzz', 'canary', '--time', '60s', '--jobs', '1', '--json', '--out', folder];
    const { code, stdout } = await stagewright(words, (child) => {
      const watch = setInterval(() => {
        const journal = join(folder, 'journal.jsonl');
        if (!existsSync(journal) || readFileSync(journal).length < 500) return;
        clearInterval(watch);
        child.kill('SIGINT');
      }, 20);
      child.on('close', () => clearInterval(watch));
    });
    t.is(code, 0);
    const first = fuzzSchema.parse(JSON.parse(stdout));
    t.true(first.interrupted);
    const runs = first.executions + 500;
    const words2 = ['fuzz', '--resume', folder, '--runs', String(runs), '--json'];
    const second = await stagewright(words2);
    t.is(second.code, 0);
    t.is(fuzzSchema.parse(JSON.parse(second.stdout)).executions, runs);
    const wrong = await stagewright(['fuzz', '--resume', folder, '--seed', '2']);
    t.is(wrong.code, 2);
    t.regex(wrong.stderr, /--resume takes what it runs from its folder: --seed is not allowed/);
  });
});

test('a disk that is full costs nothing but what the disk lacks', async (t) => {
  await inFolder(async (path) => {
    const folder = join(path, 'full');
    const main = [
      '--import=tsx',
      'cli/main.ts',
      ...WORDS,
      '--runs',
      '4000',
      '--json',
      '--out',
      folder,
    ];
    // files of at most 8 blocks of 1 KiB
    const shell = `ulimit -f 8; exec "$0" ${main.map((word) => `'${word}'`).join(' ')}`;
    const child = spawn('bash', ['-c', shell, process.execPath]);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    t.is(code, 2);
    t.regex(
      stderr,
      /cannot write .*journal\.jsonl: the file is larger than allowed; "fuzz --resume /,
    );
    const whole = same(stdout);
    const resumed = await stagewright(['fuzz', '--resume', folder, '--json', '--jobs', '1']);
    t.is(resumed.code, 1);
    t.deepEqual(same(resumed.stdout), whole);
  });
});
