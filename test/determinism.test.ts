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
  'kvm-arm64 exclusive-toy': '0eb7f0851ca33b03',
  'kvm-arm64 exclusive-toy-soft-af': '0b48b1532d4b4109',
  'kvm-arm64 exclusive-toy-concatenated': '0e474a053da7a5a7',
  'kvm-arm64 exclusive-toy-deep': '16a147e93f736409',
  'kvm-arm64 readers-toy': '391b0f2f300e5477',
  'kvm-arm64 parallel-toy': '21664f95154b7901',
  'kvm-arm64 parallel-toy-soft-af': '3916a59b259cf93b',
  'kvm-arm64 parallel-toy-wide': '2984e1e1291884af',
  'kvm-arm64 parallel-toy-layout': '01ab655107afe091',
  'kvm-arm64 parallel-toy-immediate': '1d4ae5cb284dee5b',
  'kvm-arm64 recent-toy-deep': '290d901704baef83',
  'kvm-arm64 exclusive-toy-delayed': '0e23be8305431537',
  'kvm-arm64 parallel-toy-delayed': '2d1dd99b238d438d',
  'kvm-arm64 parallel-toy-slots': '13b7ac252e84db99',
  'kvm-arm64 exclusive-toy-device': '156ad69b1845b2b9',
  'kvm-arm64 parallel-toy-device': '1861088b1e50f5f5',
  'kvm-arm64 parallel-toy-retracted': '27986f87054fb0ff',
  'kvm-arm64 guests-toy': '0ff156e7069ac9ed',
  'kvm-arm64 guests-toy-parallel': '3ea23fdb3bb17fc7',
  'kvm-arm64 guests-toy-delayed': '3be89f271b6281e1',
  'kvm-arm64 exclusive-4k': '382c6d2927e59e3b',
  'kvm-arm64 exclusive-16k': '3a1b078321232f4b',
  'kvm-arm64 exclusive-64k': '07968d1d2271168d',
  'kvm-arm64 parallel-4k': '28a15701189c3d5f',
  'kvm-arm64 parallel-16k': '0ae4ef13365d8721',
  'kvm-arm64-nested today': '156c2091105ad469',
  'kvm-arm64-nested today-two-each': '09fcd0c31e349fef',
  'kvm-arm64-nested today-deep': '38f4180d24355027',
  'kvm-arm64-nested today-vncr': '1ae2ef871e91525d',
  'kvm-arm64-nested today-4k': '0dd1a68f34e318d7',
  'kvm-arm64-nested rfc-2017': '25bbfd9b3aadde09',
  'kvm-x86-tdp tdp-toy': '3611dde12294d1d5',
  'kvm-x86-tdp tdp-toy-6.12': '12c2b7bb323e59d1',
  'kvm-x86-tdp tdp-toy-nx': '18a3c5693ee52d8f',
  'kvm-x86-tdp tdp-toy-nx-shared': '316004370916c1a7',
  'kvm-x86-tdp tdp-toy-listed': '3e449dad20281d35',
  'kvm-x86-tdp tdp-toy-write-log': '3212252f04031fe5',
  'kvm-x86-tdp tdp-toy-tso': '034f11913892d813',
  'kvm-x86-tdp tdp-toy-soft-ad': '29835af510552265',
  'kvm-x86-tdp tdp-toy-deep': '22b5058d1c8b15fd',
  'kvm-x86-tdp tdp-4-level': '302292db1b9c8b0f',
  'kvm-x86-tdp tdp-5-level': '3f260f4920d7aecb',
  'xen-arm pt-toy': '0a3935811db00dcb',
  'xen-arm pt-toy-arm32': '1b1c53f70c0e76c3',
  'xen-arm pt-toy-untold': '047478a3336c5133',
  'xen-arm pt-toy-delayed': '136b015522a7010d',
  'xen-arm pt-4k': '30c9aaeb3f70c109',
  'xen-arm p2m-toy': '0a8e3a230cdebf25',
  'xen-arm p2m-toy-tight': '2fff5c1f32f5cc7d',
  'xen-arm p2m-toy-concatenated': '21d6d8932f0dce83',
  'xen-arm p2m-toy-device': '0e0020552e4808e9',
  'xen-arm p2m-toy-monitored': '052e9f3b07d28d85',
  'xen-arm p2m-toy-shared': '3f1282ed2de8afff',
  'xen-arm p2m-4k': '1207455d23bf0a6f',
  'xen-arm pt-rfc': '33dcf2cb15dc0211',
  'pkvm pkvm-toy': '3ce679552445600b',
  'pkvm boot-toy': '212242a30421858f',
  'pkvm boot-toy-delayed': '1153a8a7104f95b5',
  'pkvm pool-8': '3200dbdf3b3d66f7',
  'pkvm pool-8-exclusive': '2029f3bb3fdf736d',
  'pkvm pool-7': '3fb93d030617a1f5',
  'canary canary': '3319e9132615e5ff',
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
