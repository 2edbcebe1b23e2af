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
  'kvm-arm64 exclusive-toy': '04e91019228b87eb',
  'kvm-arm64 exclusive-toy-soft-af': '0396607935008987',
  'kvm-arm64 exclusive-toy-concatenated': '2bfd4dd712b4a755',
  'kvm-arm64 exclusive-toy-deep': '060640a91c7a99f7',
  'kvm-arm64 exclusive-toy-dbm': '1730fe633c05abcb',
  'kvm-arm64 readers-toy': '2bdc79e133435455',
  'kvm-arm64 parallel-toy': '34854a3f0bf286f1',
  'kvm-arm64 parallel-toy-soft-af': '073124cb1afae813',
  'kvm-arm64 parallel-toy-wide': '0838dbcd19c3df4b',
  'kvm-arm64 parallel-toy-layout': '25004d8d110f57fd',
  'kvm-arm64 parallel-toy-immediate': '245449b90a6e17c7',
  'kvm-arm64 recent-toy-deep': '296e247d00990c3d',
  'kvm-arm64 exclusive-toy-delayed': '1d010441152bfec1',
  'kvm-arm64 parallel-toy-delayed': '21a583613bd9d6db',
  'kvm-arm64 parallel-toy-slots': '1461baab13ba5f49',
  'kvm-arm64 parallel-toy-read-only': '32aa0fa51a59f4bf',
  'kvm-arm64 parallel-toy-moves': '2bdeb3fd3f4ff4b1',
  'kvm-arm64 exclusive-toy-device': '0b3dd8fd3c49dc37',
  'kvm-arm64 parallel-toy-device': '3addf36d281aba2d',
  'kvm-arm64 parallel-toy-retracted': '2208c79517a27165',
  'kvm-arm64 guests-toy': '315d284919334f45',
  'kvm-arm64 guests-toy-parallel': '3a680f3f3ade5641',
  'kvm-arm64 guests-toy-delayed': '2380a7a706589e47',
  'kvm-arm64 exclusive-4k': '030efab70502c0cd',
  'kvm-arm64 exclusive-16k': '20bd2de70aae6d13',
  'kvm-arm64 exclusive-64k': '06c1262331ce37d9',
  'kvm-arm64 parallel-4k': '04b2f2cf3d1502d1',
  'kvm-arm64 parallel-16k': '3e2f69992bee927b',
  'kvm-arm64-nested today': '0337d8f137ab0c5d',
  'kvm-arm64-nested today-two-each': '27d63b470799c68b',
  'kvm-arm64-nested today-deep': '19bd25c7098fa605',
  'kvm-arm64-nested today-vncr': '24035e852444f8b9',
  'kvm-arm64-nested today-4k': '1709c3133efff85b',
  'kvm-arm64-nested rfc-2017': '0c68c6cd17b213e1',
  'kvm-x86-tdp tdp-toy': '18301c333c8745db',
  'kvm-x86-tdp tdp-toy-6.12': '18ed26450343e84d',
  'kvm-x86-tdp tdp-toy-nx': '272954d92fbb2e0b',
  'kvm-x86-tdp tdp-toy-nx-shared': '23c57cff2042b421',
  'kvm-x86-tdp tdp-toy-listed': '0f7b09ed25c562f3',
  'kvm-x86-tdp tdp-toy-write-log': '2fabd027234dd4a5',
  'kvm-x86-tdp tdp-toy-mmio': '1aece6d11fa16e97',
  'kvm-x86-tdp tdp-toy-tso': '3152233b240877c3',
  'kvm-x86-tdp tdp-toy-soft-ad': '03adf9770444ab65',
  'kvm-x86-tdp tdp-toy-deep': '2287702312aac813',
  'kvm-x86-tdp iter-2020': '2c35d57d25132cc9',
  'kvm-x86-tdp tdp-4-level': '00073a330335e917',
  'kvm-x86-tdp tdp-5-level': '2db8455b261d19eb',
  'xen-arm pt-toy': '33a66b5903ac28bf',
  'xen-arm pt-toy-arm32': '2dd5c95915a3d105',
  'xen-arm pt-toy-untold': '3f7de2f51d4f293b',
  'xen-arm pt-toy-delayed': '1f79fa1729dfa481',
  'xen-arm pt-4k': '0ea1e6831e61cc7b',
  'xen-arm p2m-toy': '0f12172b204f187b',
  'xen-arm p2m-toy-tight': '395d7b231e1e459d',
  'xen-arm p2m-toy-concatenated': '1a64f8653a212619',
  'xen-arm p2m-toy-device': '0d35a80b2fdaf94d',
  'xen-arm p2m-toy-monitored': '3b4ddd13070aa373',
  'xen-arm p2m-toy-shared': '0ba7f0ab2fabf05b',
  'xen-arm p2m-4k': '298d1beb1eaa0fa3',
  'xen-arm pt-rfc': '1a361039206ad3a5',
  'pkvm pkvm-toy': '089816991b4e18ed',
  'pkvm pkvm-toy-one-page': '277669193ce56bf5',
  'pkvm pkvm-toy-logged': '13be80af29a43817',
  'pkvm pkvm-toy-delayed': '0281ec2d0ee862db',
  'pkvm pkvm-toy-vcpus': '3b67a60d20003b79',
  'pkvm boot-toy': '110f27d508069ed7',
  'pkvm boot-toy-delayed': '0bc487ef04f46741',
  'pkvm boot-toy-sections': '2ab67bf530be60c5',
  'pkvm pool-8': '3200dbdf3b3d66f7',
  'pkvm pool-8-exclusive': '2029f3bb3fdf736d',
  'pkvm pool-7': '3fb93d030617a1f5',
  'canary canary': '353ef2dd2b800ad7',
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
