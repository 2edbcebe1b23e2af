/** The mutator: what it finds in a system, what it does to an access, and that off means off. */
import test, { type ExecutionContext } from 'ava';
import { CORPUS_FOLDER, caseFiles, readCase } from '../../campaign/corpus.ts';
import { configurationsOf } from '../../campaign/options.ts';
import { Executor } from '../../fuzz/execution.ts';
import { type Profile, profile } from '../../fuzz/mutants.ts';
import { type Mutant, Mutation } from '../../fuzz/mutation.ts';
import { OPERATORS } from '../../fuzz/operators.ts';
import { Sessions } from '../../fuzz/sessions.ts';
import { isSwap } from '../../fuzz/swaps.ts';
import { MutantVerdict, Trial, type TrialResult } from '../../fuzz/trial.ts';
import type { Workload } from '../../fuzz/workload.ts';
import { canary } from '../../models/canary/index.ts';
import { kvmArm64 } from '../../models/kvm-arm64/index.ts';
import type { Configuration, System } from '../../models/system.ts';
import { Access, Domain } from '../../sim/access.ts';

/** One generation in toy geometries: what is a mutant there stays one when other generations come. */
function isSmall({ id }: Configuration): boolean {
  return id === 'canary' || id.startsWith('exclusive-toy');
}

function workloadOf(system: System): Workload {
  const mutation = new Mutation();
  const sessions = new Sessions({ mutation });
  const configurations = configurationsOf(system, undefined, 'F1').filter(isSmall);
  const executor = new Executor(1, [{ system, configurations, bugs: [] }], undefined, sessions);
  const cases = caseFiles(CORPUS_FOLDER)
    .map(readCase)
    .filter((value) => value.system === system.id)
    .filter((value) => configurations.some(({ id }) => id === value.configuration));
  return { sessions, mutation, cases, executor };
}

const kvm = workloadOf(kvmArm64);
const found: Profile = profile(kvmArm64, kvm, 400);

function mutantNamed(id: string, { mutants }: Profile = found): Mutant {
  const mutant = mutants.find((one) => one.id === id);
  if (mutant === undefined) throw new Error(`no mutant ${id}`);
  return mutant;
}

function tried(workload: Workload, mutant: Mutant, runs: number): TrialResult {
  const trial = new Trial(workload, mutant, runs);
  while (trial.advance(64));
  return trial.finish(() => undefined);
}

// ---- what there is ----

test('the profile finds every kind of mutant, and correct runs are clean', (t) => {
  t.is(found.violations, 0);
  const kinds = new Set(found.mutants.map(({ operator }) => operator.kind));
  t.deepEqual([...kinds].sort(), ['barrier', 'check', 'lock', 'order', 'release', 'retry', 'tlbi']);
  t.is(new Set(found.mutants.map(({ id }) => id)).size, found.mutants.length);
});

test('operators are where their accesses are, and nowhere else', (t) => {
  const ids = found.mutants.map(({ id }) => id);
  for (const id of [
    'drop-barrier flush.completeStage2',
    'local-barrier flush.completeVmid',
    'drop-tlbi flush.invalidateStage1',
    'local-tlbi flush.invalidateStage2',
    'one-page-tlbi flush.invalidateVmid',
    'drop-lock fault.lock',
    'shared-lock unmap.lockStart',
    'drop-unlock fault.unlock',
    'plain-store stage2-map.makeTable',
    'stale-check fault.checkSequence',
    'blind-check fault.readInProgress',
    'unconditional-exchange host-memory.writeBlock',
    'drop-wait exit.waitVcpus',
    'drop-retry access.reenter',
    'swap flush.completeStage2 flush.invalidateStage1',
  ]) {
    t.true(ids.includes(id), id);
  }
  t.false(ids.includes('drop-tlbi flush.completeStage2'));
  t.false(ids.includes('shared-lock host-memory.lockSpace'), 'it is shared already');
  t.false(ids.includes('local-barrier flush.orderStores'), 'a store barrier waits for nobody');
});

test('only what F1 cannot show needs F2', (t) => {
  for (const { id, needs } of found.mutants) {
    const isWeak = /orderStores|publish|synchronise|plain-store/.test(id) && !id.startsWith('swap');
    t.is(needs, isWeak ? 'F2' : 'F1', id);
  }
});

test('what is moved into a critical section is no mutant unless it waits there', (t) => {
  const shape = (access: Access, x = 0) => ({ access, site: 1, x, y: 0, z: 0, w: 0 });
  const release = shape(Access.Release, 1);
  t.false(isSwap(release, shape(Access.Free)));
  t.true(isSwap(release, shape(Access.Acquire, 2)));
  t.false(isSwap(release, shape(Access.Acquire, 1)), 'the same lock');
  t.true(isSwap(shape(Access.Store), release), 'a store that leaves its section');
  t.true(isSwap(shape(Access.Invalidate), shape(Access.Barrier, Domain.Inner)));
  t.false(isSwap(shape(Access.Store), shape(Access.Store)), 'neither orders anything');
  t.false(isSwap(shape(Access.Read), release), 'its value is needed');
});

// ---- off means off ----

test('sessions with a mutation and no mutant make the runs of plain sessions', (t) => {
  const configurations = configurationsOf(kvmArm64, undefined, undefined);
  const targets = [{ system: kvmArm64, configurations, bugs: [] }];
  const mutation = new Mutation();
  const plain = new Executor(3, targets, undefined, new Sessions());
  const mutable = new Executor(3, targets, undefined, new Sessions({ mutation }));
  for (let index = 0; index < 120; index += 1) {
    const one = plain.run(index);
    const other = mutable.run(index);
    t.is(other.result.digest, one.result.digest, `execution ${index}`);
    t.deepEqual(other.states(), one.states());
  }
});

test('a mutant leaves runs that do not come to its place as they are', (t) => {
  const { executor, mutation } = kvm;
  mutation.select(undefined);
  const correct = Array.from({ length: 60 }, (_, index) => executor.run(index).result.digest);
  mutation.select(mutantNamed('drop-barrier flush.completeVmid'));
  let untouched = 0;
  let touched = 0;
  correct.forEach((digest, index) => {
    const before = mutation.reached;
    const result = executor.run(index).result;
    if (mutation.reached > before) {
      touched += 1;
      t.not(result.digest, digest, `execution ${index}`);
    } else {
      untouched += 1;
      t.is(result.digest, digest, `execution ${index}`);
    }
  });
  mutation.select(undefined);
  t.true(untouched > 0 && touched > 0, `${untouched} untouched, ${touched} touched`);
});

// ---- trials ----

/** One mutant of each shape, and an oracle that must notice. */
const KILLED: readonly (readonly [id: string, oracles: readonly string[]])[] = [
  [
    'drop-tlbi flush.invalidateVmid',
    ['dirty-log', 'stale-translation', 'break-before-make', 'freed-table'],
  ],
  [
    'drop-barrier flush.completeStage1',
    [
      'progress',
      'stale-translation',
      'freed-page',
      'freed-table',
      'break-before-make',
      'dirty-log',
    ],
  ],
  [
    'local-tlbi flush.invalidateStage2',
    [
      'stale-translation',
      'freed-page',
      'freed-table',
      'break-before-make',
      'progress',
      'dirty-log',
    ],
  ],
  ['drop-lock fault.lock', ['context']],
  ['shared-lock fault.lock', ['context']],
  ['drop-unlock fault.unlock', ['deadlock', 'context']],
  ['stale-check fault.checkSequence', ['freed-page']],
  ['blind-check fault.readInProgress', ['freed-page']],
  ['drop-wait exit.waitVcpus', ['freed-page', 'freed-table', 'stale-translation', 'context']],
  ['drop-retry access.reenter', ['progress']],
];

for (const [id, oracles] of KILLED) {
  test(`${id} is killed`, (t) => {
    const result = tried(kvm, mutantNamed(id), 2000);
    t.is(result.verdict, MutantVerdict.Killed);
    t.true(oracles.includes(result.oracle!), `${result.oracle} ${result.rule}`);
    t.true(result.reached > 0 && result.changed > 0);
  });
}

test('a swapped TLBI and DSB is killed, and what is claimed moves with its access', (t) => {
  const result = tried(kvm, mutantNamed('swap flush.invalidateStage1 flush.completeStage1'), 2000);
  t.is(result.verdict, MutantVerdict.Killed);
  t.true(result.changed > 0);
});

test('a mutant that can do no harm survives, after all executions', (t) => {
  // the order of barrier and count does not matter: the page is freed after both
  const mutant = mutantNamed('swap flush.completeStage1 page-count.put');
  const result = tried(kvm, mutant, 100);
  t.is(result.verdict, MutantVerdict.Survivor);
  t.true(result.changed > 0);
  t.true(result.executions >= 200);
});

test('a trial gives the same twice, and leaves nothing behind', (t) => {
  const mutant = mutantNamed('swap stage2-unmap.clearLeaf flush.invalidateStage2');
  const one = tried(kvm, mutant, 300);
  t.deepEqual(tried(kvm, mutant, 300), one);
  t.is(kvm.mutation.mutant, undefined);
  const { result } = kvm.executor.run(7);
  const targets = [
    {
      system: kvmArm64,
      configurations: configurationsOf(kvmArm64, undefined, 'F1').filter(isSmall),
      bugs: [],
    },
  ];
  const fresh = new Executor(1, targets, undefined, new Sessions()).run(7);
  t.is(result.digest, fresh.result.digest);
});

test('the judge decides about survivors only, and sees programs that come to the place', (t) => {
  const mutant = mutantNamed('swap flush.completeStage1 page-count.put');
  const trial = new Trial(kvm, mutant, 50);
  while (trial.advance(64));
  const result = trial.finish((judged, kept) => {
    t.is(judged, mutant);
    t.true(kept.length > 0);
    return { verdict: 'equivalent' };
  });
  t.is(result.verdict, MutantVerdict.Equivalent);
  const dead = new Trial(kvm, mutantNamed('shared-lock fault.lock'), 50);
  while (dead.advance(64));
  const asked: string[] = [];
  const killed = dead.finish(({ id }) => {
    asked.push(id);
    return undefined;
  });
  t.is(killed.verdict, MutantVerdict.Killed);
  t.deepEqual(asked, []);
});

// ---- any system ----

function judgedCanary(t: ExecutionContext): readonly TrialResult[] {
  const workload = workloadOf(canary);
  const profiled = profile(canary, workload, 300);
  t.is(profiled.violations, 0);
  t.deepEqual(profiled.unreached, []);
  return profiled.mutants.map((mutant) => tried(workload, mutant, 1000));
}

test('the canary has its planted bug among its mutants, and it is killed', (t) => {
  const results = judgedCanary(t);
  const planted = results.find(({ mutant }) => mutant.id === 'drop-barrier canary.complete');
  t.is(planted?.verdict, MutantVerdict.Killed);
  const survivors = results.filter(({ verdict }) => verdict !== MutantVerdict.Killed);
  t.log(`${results.length} mutants`, ...survivors.map(({ mutant }) => mutant.id));
  t.true(results.length - survivors.length >= 0.8 * results.length);
});

test('operators have ids of their own', (t) => {
  t.is(new Set(OPERATORS.map(({ id }) => id)).size, OPERATORS.length);
});
