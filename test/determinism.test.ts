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
  'kvm-arm64 exclusive-toy': '362f145f3f5939b3',
  'kvm-arm64 exclusive-toy-soft-af': '2c6b4df333274dff',
  'kvm-arm64 exclusive-toy-concatenated': '3d8e9ee91a5e6fdb',
  'kvm-arm64 exclusive-toy-deep': '3afc7a7b22a45189',
  'kvm-arm64 readers-toy': '1adbdc5d28d17495',
  'kvm-arm64 parallel-toy': '365483f103bff085',
  'kvm-arm64 parallel-toy-soft-af': '3661285d1241dbbf',
  'kvm-arm64 parallel-toy-wide': '34e33815250d2d77',
  'kvm-arm64 parallel-toy-layout': '3756395709aaf05f',
  'kvm-arm64 parallel-toy-immediate': '1a702d873c5b6a05',
  'kvm-arm64 recent-toy-deep': '01fa44973173a64f',
  'kvm-arm64 exclusive-toy-delayed': '1983750f1a26ebb7',
  'kvm-arm64 parallel-toy-delayed': '3f09b62718f5e89d',
  'kvm-arm64 parallel-toy-retracted': '2f7e55030faf4527',
  'kvm-arm64 parallel-toy-slots': '2b23a4752c505987',
  'kvm-arm64 exclusive-toy-device': '23eaadd1318eb155',
  'kvm-arm64 parallel-toy-device': '28f902e738f1520b',
  'kvm-arm64 guests-toy': '2d8e8d4d0747eca3',
  'kvm-arm64 guests-toy-parallel': '2586041b1168ae6d',
  'kvm-arm64 guests-toy-delayed': '0a0f87fd3703cadd',
  'kvm-arm64 exclusive-4k': '235f59b728fd456f',
  'kvm-arm64 exclusive-16k': '03cd488104c342c5',
  'kvm-arm64 exclusive-64k': '1fd45f193eaf92c7',
  'kvm-arm64 parallel-4k': '1804e2b903efda5f',
  'kvm-arm64 parallel-16k': '1a143c67243c1a03',
  'kvm-arm64-nested today': '07afce553140e1b9',
  'kvm-arm64-nested today-two-each': '14de0a0532ab5817',
  'kvm-arm64-nested today-deep': '3007a5d918fb2813',
  'kvm-arm64-nested today-vncr': '2904f5f706c273bd',
  'kvm-arm64-nested today-4k': '38d2f31101441c73',
  'kvm-arm64-nested rfc-2017': '0db511390e92757b',
  'kvm-x86-tdp tdp-toy': '2c68d77523095201',
  'kvm-x86-tdp tdp-toy-6.12': '15e36a893b6209b3',
  'kvm-x86-tdp tdp-toy-nx': '3e2dc1c50e371483',
  'kvm-x86-tdp tdp-toy-nx-shared': '35dc3ce30f0d08c3',
  'kvm-x86-tdp tdp-toy-listed': '2c039d5d3589ac27',
  'kvm-x86-tdp tdp-toy-write-log': '22c3ff3339f2e081',
  'kvm-x86-tdp tdp-toy-tso': '36bc0ab1091a990f',
  'kvm-x86-tdp tdp-toy-soft-ad': '144426fd1b2757f5',
  'kvm-x86-tdp tdp-toy-deep': '004cf7712a0ecfd3',
  'kvm-x86-tdp tdp-4-level': '15070d8b1e11210d',
  'kvm-x86-tdp tdp-5-level': '1d6b13f9229c8fdb',
  'xen-arm pt-toy': '110120793b5cd117',
  'xen-arm pt-toy-arm32': '2c4bcd652013b04f',
  'xen-arm pt-toy-untold': '0c730d1904c14591',
  'xen-arm pt-toy-delayed': '10044c9f15b1bbb3',
  'xen-arm pt-4k': '04e32cbb3b6a4517',
  'xen-arm p2m-toy': '0e6814793479fe27',
  'xen-arm p2m-toy-tight': '2762613112ddb3df',
  'xen-arm p2m-toy-concatenated': '0ca406a13867649f',
  'xen-arm p2m-toy-device': '3ddae55500a5612d',
  'xen-arm p2m-toy-monitored': '0e74ad6f01f990fd',
  'xen-arm p2m-toy-shared': '195a67ad25209389',
  'xen-arm p2m-4k': '109eca6739225781',
  'xen-arm pt-rfc': '3618deed25f4ee03',
  'pkvm pkvm-toy': '1615dd0918e8318d',
  'pkvm boot-toy': '08716ebd355b01dd',
  'pkvm boot-toy-delayed': '3f3623a9232a0621',
  'pkvm pool-8': '17403a9d0ef4a12f',
  'pkvm pool-8-exclusive': '2db9f9a91f5e3c7b',
  'pkvm pool-7': '39e24985061802e5',
  'canary canary': '3163f29d32305157',
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
