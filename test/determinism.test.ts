/** One run is a pure function of case and code: the same twice, in another process, and after others. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { Executor } from '../fuzz/execution.ts';
import { guarded } from '../fuzz/leak-guard.ts';
import { Sessions } from '../fuzz/sessions.ts';
import { SYSTEMS } from '../models/registry.ts';
import type { Configuration, System } from '../models/system.ts';
import { siteOf } from '../sim/site.ts';
import { fingerprint } from './fuzz/fingerprint.ts';

const SEED = 20240607;
const RUNS = 240;
const first = fingerprint(SEED, RUNS);

test('the sample holds clean runs, findings of several signatures, and minimised cases', (t) => {
  t.is(first.executions.length, RUNS);
  const clean = first.executions.filter((line) => line.includes(' clean '));
  t.true(clean.length > RUNS / 4 && clean.length < RUNS);
  const cases = Object.values(first.cases);
  t.true(cases.length >= 2);
  for (const text of cases) t.true(text.includes('recorded:'), text);
});

test('two campaigns of one seed in one process are identical', (t) => {
  t.deepEqual(fingerprint(SEED, RUNS), first);
});

test('two campaigns of one seed in two processes are identical', (t) => {
  const script = fileURLToPath(new URL('fuzz/fingerprint.ts', import.meta.url));
  const args = ['--import=tsx', script, String(SEED), String(RUNS)];
  const child = spawnSync(process.execPath, args, { encoding: 'utf8' });
  t.is(child.stderr, '');
  t.deepEqual(JSON.parse(child.stdout), first);
});

test('a campaign is the same after a thousand other executions of the same sessions', (t) => {
  const sessions = new Sessions();
  const others = fingerprint(SEED + 1, 1000, sessions);
  t.is(others.executions.length, 1000);
  t.notDeepEqual(others.executions.slice(0, RUNS), first.executions);
  t.deepEqual(fingerprint(SEED, RUNS, sessions), first);
});

test('another seed gives another campaign', (t) => {
  const digests = ({ executions }: typeof first): string[] =>
    executions.map((line) => line.split(' ')[3]!);
  const here = digests(first);
  const there = digests(fingerprint(SEED + 2, RUNS));
  t.true(here.filter((digest, index) => digest === there[index]).length < RUNS / 20);
});

// ---- pinned digests ----

const PINNED_SEED = 7;
/** Not the whole portfolio: a new strategy changes nothing here. */
const PINNED_STRATEGIES = ['random', 'pct', 'timed'];
const PINNED_RUNS = 20;
/** Toy geometries are cheap; two of them differ in one execution of some hundreds. */
const PINNED_TOY_RUNS = 600;

/**
 * Digests of the first executions of seed 7, folded, for each configuration. They change whenever
 * the machine, a model, generation or a strategy changes what a run does, and must not change
 * otherwise. To pin anew: run `npx ava test/determinism.test.ts`, make sure that the change is meant,
 * and copy the table that the test logs.
 */
const PINNED: Readonly<Record<string, string>> = {
  'kvm-arm64 exclusive-toy': '1d5ebadb1e45d5c5',
  'kvm-arm64 exclusive-toy-soft-af': '078c13fd170739d1',
  'kvm-arm64 exclusive-toy-concatenated': '22bd3b192558710f',
  'kvm-arm64 exclusive-toy-deep': '19408fa50b4997c5',
  'kvm-arm64 readers-toy': '39e86467238a58a1',
  'kvm-arm64 parallel-toy': '001bbc63113449c5',
  'kvm-arm64 parallel-toy-soft-af': '1575ed77261de481',
  'kvm-arm64 parallel-toy-wide': '2a9771bd35a5d387',
  'kvm-arm64 parallel-toy-layout': '0f4b1f69129f2897',
  'kvm-arm64 parallel-toy-immediate': '1e86637b0cfdab09',
  'kvm-arm64 recent-toy-deep': '04c0cf7709719961',
  'kvm-arm64 exclusive-toy-delayed': '19dc4d952543a1c7',
  'kvm-arm64 parallel-toy-delayed': '123d30050b902e29',
  'kvm-arm64 parallel-toy-slots': '06bfa17b0ae6f3b9',
  'kvm-arm64 exclusive-toy-device': '11d8522937786049',
  'kvm-arm64 parallel-toy-device': '20eac78939a45639',
  'kvm-arm64 guests-toy': '32c21d77265415fd',
  'kvm-arm64 guests-toy-parallel': '174cbf413af737a5',
  'kvm-arm64 guests-toy-delayed': '2203a4d115659f15',
  'kvm-arm64 exclusive-4k': '258e35133cdb931b',
  'kvm-arm64 exclusive-16k': '3a64585522f3da65',
  'kvm-arm64 exclusive-64k': '08e7ca730ace5b7b',
  'kvm-arm64 parallel-4k': '29fb1cb9029b0a7f',
  'kvm-arm64 parallel-16k': '163ab65d1a4214df',
  'kvm-x86-tdp tdp-toy': '29c89b913958c5db',
  'kvm-x86-tdp tdp-toy-6.12': '33e32d793d55de9b',
  'kvm-x86-tdp tdp-toy-nx': '29fad6af10daada7',
  'kvm-x86-tdp tdp-toy-nx-shared': '267c21bf3b547487',
  'kvm-x86-tdp tdp-toy-listed': '2f286b9f0377cae1',
  'kvm-x86-tdp tdp-toy-write-log': '30bcc26d1dfbdc1d',
  'kvm-x86-tdp tdp-toy-tso': '309052df1c6f9a19',
  'kvm-x86-tdp tdp-toy-soft-ad': '29fb580322be775b',
  'kvm-x86-tdp tdp-toy-deep': '0f079a11133aed9b',
  'kvm-x86-tdp tdp-4-level': '3f4400d9373f5bb5',
  'kvm-x86-tdp tdp-5-level': '13edecab185507d1',
  'xen-arm pt-toy': '3563b8250ea296f1',
  'xen-arm pt-toy-arm32': '071ad50335c3053b',
  'xen-arm pt-toy-untold': '144c7e291b850751',
  'xen-arm pt-toy-delayed': '251249891b285c35',
  'xen-arm pt-4k': '09d1d84d3aa5d079',
  'xen-arm p2m-toy': '1ae4a77b09c5ddc5',
  'xen-arm p2m-toy-tight': '0c12c6493ee8ae45',
  'xen-arm p2m-toy-concatenated': '030e01af24b2cb6d',
  'xen-arm p2m-toy-device': '1ca11f7508974def',
  'xen-arm p2m-toy-monitored': '2686d36d3139ab13',
  'xen-arm p2m-toy-shared': '28ae5c6b2d6117df',
  'xen-arm p2m-4k': '3993a409084705d9',
  'xen-arm pt-rfc': '0fb487dd12f2f2a3',
  'canary canary': '1ba473df33fb1681',
};

function foldedDigest(system: System, configuration: Configuration): string {
  const targets = [{ system, configurations: [configuration], bugs: [] }];
  const executor = new Executor(PINNED_SEED, targets, PINNED_STRATEGIES, new Sessions());
  const length = configuration.isReal ? PINNED_RUNS : PINNED_TOY_RUNS;
  const digests = Array.from({ length }, (_, index) => executor.run(index).result.digest);
  const half = (text: string): string => siteOf(text).toString(16).padStart(8, '0');
  return half(digests.join(' ')) + half(digests.reverse().join(' '));
}

test('every configuration of every system has its pinned digest', (t) => {
  const entries = SYSTEMS.flatMap((system) =>
    system.configurations.map((configuration): readonly [string, string] => [
      `${system.id} ${configuration.id}`,
      foldedDigest(system, configuration),
    ]),
  );
  for (const [name, digest] of entries) t.log(`'${name}': '${digest}',`);
  t.deepEqual(Object.fromEntries(entries), PINNED);
});

test('no two configurations have one digest', (t) => {
  const digests = Object.values(PINNED);
  t.is(new Set(digests).size, digests.length);
});

// ---- leak guard ----

/** Each source of nondeterminism (Math.random, clocks, timers, crypto, weak references, locales). */
const LEAKS: Readonly<Record<string, () => unknown>> = {
  'Math.random': () => Math.random(),
  'Date.now': () => Date.now(),
  'new Date': () => new Date(),
  Date: () => Date(),
  'performance.now': () => performance.now(),
  setTimeout: () => setTimeout(() => {}, 0),
  setInterval: () => setInterval(() => {}, 1000),
  setImmediate: () => setImmediate(() => {}),
  queueMicrotask: () => queueMicrotask(() => {}),
  'crypto.getRandomValues': () => crypto.getRandomValues(new Uint8Array(1)),
  'crypto.randomUUID': () => crypto.randomUUID(),
  WeakRef: () => new WeakRef({}),
  FinalizationRegistry: () => new FinalizationRegistry(() => {}),
  'String.localeCompare': () => 'a'.localeCompare('b'),
  'Number.toLocaleString': () => (1).toLocaleString(),
  'Array.toLocaleString': () => [1].toLocaleString(),
  'String.toLocaleUpperCase': () => 'a'.toLocaleUpperCase(),
  'performance.mark': () => performance.mark('run'),
  'performance.timeOrigin': () => performance.timeOrigin,
  'process.hrtime': () => process.hrtime(),
  'process.hrtime.bigint': () => process.hrtime.bigint(),
  'process.uptime': () => process.uptime(),
  'process.cpuUsage': () => process.cpuUsage(),
  'process.memoryUsage': () => process.memoryUsage(),
  'process.nextTick': () => process.nextTick(() => {}),
  'process.env': () => process.env.HOME,
  Intl: () => new Intl.NumberFormat().format(1),
};

/** What the guard may touch; descriptors are compared by identity of what they hold. */
const HOLDERS = [
  globalThis,
  Math,
  Date,
  performance,
  process,
  crypto,
  String.prototype,
  Number.prototype,
  Array.prototype,
] as const;

function held(): readonly unknown[] {
  return HOLDERS.map((holder) => Object.getOwnPropertyDescriptors(holder)).flatMap((all) =>
    Reflect.ownKeys(all).flatMap((key) => {
      const one = Reflect.get(all, key) as PropertyDescriptor;
      return [key, one.value, one.get, one.set, one.writable, one.enumerable, one.configurable];
    }),
  );
}

function isAsBefore(before: readonly unknown[]): boolean {
  const after = held();
  return after.length === before.length && after.every((one, i) => Object.is(one, before[i]));
}

for (const [name, leak] of Object.entries(LEAKS)) {
  test(`the leak guard stops ${name} inside a run`, (t) => {
    t.throws(() => guarded(leak));
    // outside it works again; a timer must not keep the process alive
    t.notThrows(() => {
      const given = leak();
      if (typeof given === 'object') clearInterval(given as NodeJS.Timeout);
    });
  });
}

test('the leak guard leaves every global as it was, also when the run throws', (t) => {
  const before = held();
  const inside = guarded(() => isAsBefore(before));
  t.false(inside);
  t.true(isAsBefore(before));
  const fault = new Error('the run throws');
  t.is(
    t.throws(() =>
      guarded(() => {
        throw fault;
      }),
    ),
    fault,
  );
  t.true(isAsBefore(before));
});

test('a guard inside a guard leaves the outer one up', (t) => {
  const before = held();
  guarded(() => {
    guarded(() => {});
    t.throws(() => Math.random(), { message: /runs are pure/ });
  });
  t.true(isAsBefore(before));
});

test('the leak guard hands on what the run returns', (t) => {
  t.is(
    guarded(() => 42),
    42,
  );
});
