/** Distributed campaigns against a real Redis: what goes wrong on many machines, on one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { Queue } from 'bullmq';
import { BullEngine } from '../../campaign/bull.ts';
import { Campaign, type CampaignOptions } from '../../campaign/campaign.ts';
import { codeDigest } from '../../campaign/code.ts';
import { Crew } from '../../campaign/crew.ts';
import { LocalEngine, runShard } from '../../campaign/engine.ts';
import { targetsOf, UsageError } from '../../campaign/options.ts';
import { announce, queueName, settingsOf } from '../../campaign/redis.ts';
import { planOf } from '../../campaign/task.ts';
import { told } from '../campaign/told.ts';
import { inFolder, stagewright } from '../cli/run.ts';
import { TestRedis } from './redis.ts';

const OPTIONS: CampaignOptions = {
  seed: 9,
  targets: targetsOf({
    systems: [],
    bugs: ['canary-free', 'A07', 'A21'],
    configuration: undefined,
    fidelity: undefined,
  }),
  strategy: undefined,
  learnsFrom: { epoch: -1, seeds: [], gains: [] },
  runs: 20_000,
  seconds: undefined,
  stopOnFinding: false,
  minimiseBudget: 150,
};

const alone = new Campaign(OPTIONS, new LocalEngine()).run().then(told);

async function withRedis(
  body: (redis: TestRedis) => Promise<void>,
  password?: string,
): Promise<void> {
  await inFolder(async (folder) => {
    const redis = await TestRedis.start(folder, password);
    try {
      await body(redis);
    } finally {
      await redis.stop();
    }
  });
}

const WORKER = ['--import=tsx', 'cli/main.ts', 'worker'];
const workers: ChildProcess[] = [];
// a test that fails leaves none behind: they would keep it waiting
test.afterEach.always(() => {
  for (const worker of workers.splice(0)) killAll(worker);
});

function startWorker(url: string): ChildProcess {
  const worker = spawn(process.execPath, [...WORKER, '--redis', url, '--jobs', '1'], {
    stdio: 'ignore',
  });
  workers.push(worker);
  return worker;
}

/** The worker and the process that it has for its tasks, as when a machine goes away. */
function killAll(worker: ChildProcess): void {
  const list = spawn('pkill', ['-KILL', '-P', String(worker.pid)]);
  list.on('exit', () => worker.kill('SIGKILL'));
}

async function run(url: string, during: () => Promise<void> = async () => {}): Promise<unknown> {
  const engine = await BullEngine.open(url);
  try {
    const [result] = await Promise.all([new Campaign(OPTIONS, engine).run(), during()]);
    return told(result);
  } finally {
    await engine.close();
  }
}

test.serial('two workers find what one process finds', async (t) => {
  await withRedis(async ({ url }) => {
    startWorker(url);
    startWorker(url);
    t.deepEqual(await run(url), await alone);
  }, 'a secret');
});

test.serial(
  'workers come, die in their shards, and go: nothing is lost or counted twice',
  async (t) => {
    await withRedis(async ({ url }) => {
      let worker = startWorker(url);
      const result = await run(url, async () => {
        for (let i = 0; i < 2; i += 1) {
          await pause(6000);
          killAll(worker);
          worker = startWorker(url);
        }
      });
      t.deepEqual(result, await alone);
    });
  },
);

test.serial('a Redis that restarts in the middle', async (t) => {
  await withRedis(async (redis) => {
    startWorker(redis.url);
    const result = await run(redis.url, async () => {
      await pause(6000);
      await redis.restart();
    });
    t.deepEqual(result, await alone);
  });
});

test.serial('a task that is delivered twice counts once', async (t) => {
  await withRedis(async ({ url }) => {
    startWorker(url);
    const engine = await BullEngine.open(url);
    const plan = planOf(OPTIONS.seed, OPTIONS.targets, undefined);
    const task = {
      kind: 'shard',
      plan,
      from: 0,
      to: 400,
      untilFailure: false,
      fold: null,
    } as const;
    const queue = new Queue(queueName(codeDigest()), settingsOf(url));
    const [one, other] = await Promise.all([runShard(engine, task), runShard(engine, task)]);
    t.deepEqual(one.result, other.result);
    // what nobody asked for does not disturb
    await queue.add('shard', task);
    t.deepEqual((await runShard(engine, task)).result, one.result);
    await queue.close();
    await engine.close();
  });
});

test.serial(
  'a wrong password, a missing one, and nobody there: one line each, exit 2',
  async (t) => {
    await withRedis(async ({ port }) => {
      const says: readonly (readonly [string, RegExp])[] = [
        [
          `redis://:wrong@127.0.0.1:${port}`,
          /cannot use redis:\/\/:\*\*\*@127\.0\.0\.1:\d+: the password is wrong/,
        ],
        [`redis://127.0.0.1:${port}`, /it wants a password/],
        ['redis://127.0.0.1:1', /cannot use redis:\/\/127\.0\.0\.1:1: nobody listens there/],
      ];
      for (const [url, message] of says) {
        const fuzz = ['fuzz', 'canary', '--runs', '10', '--engine', 'bullmq', '--redis', url];
        for (const words of [fuzz, ['worker', '--redis', url]]) {
          const { code, stderr } = await stagewright(words);
          t.is(code, 2, stderr);
          t.regex(stderr, message);
          t.is(stderr.trim().split('\n').length, 1);
        }
      }
    }, 'right');
  },
);

test.serial('a worker of another version refuses', async (t) => {
  await withRedis(async ({ url }) => {
    await announce(url, '0123456789abcdef');
    await t.throwsAsync(Crew.open(url, 1), {
      instanceOf: UsageError,
      message:
        /runs code 0123456789abcdef, and this worker is [0-9a-f]{16}: install the same version/,
    });
  });
});

test.serial('a worker whose Redis is gone for good ends when it is told to', async (t) => {
  const ended = await inFolder(async (folder) => {
    const redis = await TestRedis.start(folder);
    const worker = spawn(process.execPath, [...WORKER, '--redis', redis.url, '--jobs', '1']);
    const exit = once(worker, 'exit');
    await once(worker.stdout, 'data');
    await redis.stop();
    worker.kill('SIGTERM');
    return exit;
  });
  t.deepEqual(ended, [0, null]);
});
