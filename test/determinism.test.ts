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
  'kvm-arm64 exclusive-toy': '2a08aa5d3d6e8ed9',
  'kvm-arm64 exclusive-toy-soft-af': '09dd1df708df85c1',
  'kvm-arm64 exclusive-toy-concatenated': '3e1ddcbd0b6343e7',
  'kvm-arm64 exclusive-toy-deep': '103a9f8b3c293423',
  'kvm-arm64 readers-toy': '166d1117317f2ed9',
  'kvm-arm64 parallel-toy': '11a580c92256c86d',
  'kvm-arm64 parallel-toy-soft-af': '2d7047511b90ac2d',
  'kvm-arm64 parallel-toy-wide': '06fce5f310d388d1',
  'kvm-arm64 parallel-toy-layout': '1a4fb5ad20231665',
  'kvm-arm64 parallel-toy-immediate': '2808352b2eafc6e7',
  'kvm-arm64 recent-toy-deep': '3dd80455003125cb',
  'kvm-arm64 exclusive-toy-delayed': '21f44dc905769897',
  'kvm-arm64 parallel-toy-delayed': '3eee5115245148ff',
  'kvm-arm64 parallel-toy-slots': '22a0fc631c6e75d3',
  'kvm-arm64 exclusive-toy-device': '0f301fdd10e6969d',
  'kvm-arm64 parallel-toy-device': '02641a69163882b5',
  'kvm-arm64 parallel-toy-retracted': '0cc0eff1198d26c1',
  'kvm-arm64 guests-toy': '303e87050d626793',
  'kvm-arm64 guests-toy-parallel': '0d755c3d0d80a2f9',
  'kvm-arm64 guests-toy-delayed': '102bb7010050fbbb',
  'kvm-arm64 exclusive-4k': '37239cb73b7854c1',
  'kvm-arm64 exclusive-16k': '021158252f3deff3',
  'kvm-arm64 exclusive-64k': '00cc51a30549f7dd',
  'kvm-arm64 parallel-4k': '1e9e96552bf9f111',
  'kvm-arm64 parallel-16k': '39ab4cfd1328939d',
  'kvm-arm64-nested today': '0caa86851df3badd',
  'kvm-arm64-nested today-two-each': '201b91f52101a9cd',
  'kvm-arm64-nested today-deep': '335af3c5210c76ab',
  'kvm-arm64-nested today-vncr': '02bc4da30f6f6423',
  'kvm-arm64-nested today-4k': '2b61b26f17b9b13d',
  'kvm-arm64-nested rfc-2017': '13c785c11b5b549b',
  'kvm-x86-tdp tdp-toy': '3e9f41232de6eb27',
  'kvm-x86-tdp tdp-toy-6.12': '39e2cf2f1bce4d57',
  'kvm-x86-tdp tdp-toy-nx': '29c096bb001aaed3',
  'kvm-x86-tdp tdp-toy-nx-shared': '01686c31146f8c51',
  'kvm-x86-tdp tdp-toy-listed': '25c3c9251a022c17',
  'kvm-x86-tdp tdp-toy-write-log': '032caaf53461a879',
  'kvm-x86-tdp tdp-toy-tso': '33e179d109ff4bb5',
  'kvm-x86-tdp tdp-toy-soft-ad': '2a8e50551d3ce283',
  'kvm-x86-tdp tdp-toy-deep': '127dd6fd210aae7d',
  'kvm-x86-tdp tdp-4-level': '23d3b305332463dd',
  'kvm-x86-tdp tdp-5-level': '0d9ad22f3eec72ef',
  'xen-arm pt-toy': '25a40425143653c5',
  'xen-arm pt-toy-arm32': '253c88a7213f7973',
  'xen-arm pt-toy-untold': '3f1b4fef22f8dec1',
  'xen-arm pt-toy-delayed': '01197cf712f40935',
  'xen-arm pt-4k': '2b947b893197fdab',
  'xen-arm p2m-toy': '2c7c611d29b3e569',
  'xen-arm p2m-toy-tight': '1ff4b4293f091bc3',
  'xen-arm p2m-toy-concatenated': '1786b0a330bc810f',
  'xen-arm p2m-toy-device': '0687cf9331554165',
  'xen-arm p2m-toy-monitored': '06da5d272f7184b1',
  'xen-arm p2m-toy-shared': '00024d5f2738e505',
  'xen-arm p2m-4k': '2bef38953a8f0ef3',
  'xen-arm pt-rfc': '27936a5911c7266b',
  'pkvm pkvm-toy': '24bee82d14850731',
  'pkvm boot-toy': '3ed99c7d0c9aad53',
  'pkvm boot-toy-delayed': '2a62ed3339fa2e41',
  'pkvm pool-8': '034e888d134b8209',
  'pkvm pool-8-exclusive': '11362a51038fedeb',
  'pkvm pool-7': '08f3bf151199d507',
  'canary canary': '3a8379a13d614c0d',
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
