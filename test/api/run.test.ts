/** The library: one run, property tests over programs and schedules, campaigns, oracles of one's own. */

import test from 'ava';
import fc from 'fast-check';
import {
  defineOracle,
  fuzz,
  type OracleSpec,
  type Program,
  programs,
  run,
  SYSTEMS,
  schedules,
  UsageError,
} from '../../api/index.ts';
import { Event } from '../../api/sim.ts';
import { parseCase } from '../../fuzz/case-text.ts';

const canary = SYSTEMS.find(({ id }) => id === 'canary')!;
const kvm = SYSTEMS.find(({ id }) => id === 'kvm-arm64')!;
const BUG = 'canary-free-before-invalidation';

const WRITE_AND_UNMAP: Program = [
  { actor: 'vcpu0', operations: [{ key: 'w1', operation: 'write', args: [0] }] },
  { actor: 'host', operations: [{ key: 'u1', operation: 'unmap', args: [0] }] },
];
/** Lets the guest write first, then the host unmap. */
const GUEST_FIRST = { switches: [], answers: [] };

test('a run is judged, and the same run is the same again', (t) => {
  const one = run(canary, WRITE_AND_UNMAP, { bug: BUG, schedule: GUEST_FIRST });
  t.is(one.violation?.oracle, 'freed-page');
  t.is(run(canary, WRITE_AND_UNMAP, { bug: BUG }).digest, one.digest, 'no switch is the default');
  const clean = run(canary, WRITE_AND_UNMAP);
  t.is(clean.violation, undefined);
  t.false(clean.isVacuous);
  t.true(clean.steps > one.steps - 5 && clean.events >= clean.steps);
});

test('the finding of a run is a case that replays, with its explanation', (t) => {
  const found = run(canary, WRITE_AND_UNMAP, { bug: BUG }).finding();
  const value = parseCase('found.yaml', found.case, SYSTEMS);
  t.is(value.bug, BUG);
  t.is(value.expect?.oracle, 'freed-page');
  t.is(found.operations, 2);
  t.regex(found.explanation, /page \d+ was freed while PE 0 still has a translation/);
  t.regex(found.signature, /^freed-page:freed-while-cached:/);
  t.throws(() => run(canary, WRITE_AND_UNMAP).finding(), { message: /no violation/ });
});

test('a seed is a schedule: equal seeds are equal runs, and seeds differ', (t) => {
  const program: Program = [
    ...WRITE_AND_UNMAP.slice(0, 1),
    { actor: 'vcpu1', operations: [{ key: 'w1', operation: 'write', args: [0] }] },
    ...WRITE_AND_UNMAP.slice(1),
  ];
  const digest = (seed: number): string => run(canary, program, { schedule: { seed } }).digest;
  const digests = Array.from({ length: 20 }, (_, seed) => digest(seed));
  t.true(new Set(digests).size > 10);
  t.deepEqual(
    digests,
    digests.map((_, seed) => digest(seed)),
  );
});

test('switches and answers decide: an allocation that fails, a host that comes first', (t) => {
  const failing = { switches: [], answers: [1] };
  const failed = run(canary, WRITE_AND_UNMAP.slice(0, 1), { schedule: failing });
  const plain = run(canary, WRITE_AND_UNMAP.slice(0, 1));
  t.not(failed.digest, plain.digest);
  const hostFirst = { switches: [{ after: 0, to: 1 }], answers: [] };
  t.is(run(canary, WRITE_AND_UNMAP, { bug: BUG, schedule: hostFirst }).violation, undefined);
});

// ---- property tests ----

test('fc.assert holds on the correct canary', (t) => {
  const property = fc.property(programs(canary), schedules(), (program, schedule) => {
    return run(canary, program, { schedule }).violation === undefined;
  });
  t.notThrows(() => fc.assert(property, { numRuns: 400 }));
});

test('fc.check finds the planted bug and shrinks it to one write and one unmap', (t) => {
  const property = fc.property(programs(canary), schedules(), (program, schedule) => {
    return run(canary, program, { bug: BUG, schedule }).violation === undefined;
  });
  const { failed, counterexample } = fc.check(property, { numRuns: 2000 });
  t.true(failed);
  const [program, schedule] = counterexample!;
  t.deepEqual(
    program.map(({ actor, operations }) => [
      actor.replace(/\d/, ''),
      operations.map(({ operation }) => operation),
    ]),
    [
      ['vcpu', ['write']],
      ['host', ['unmap']],
    ],
  );
  t.deepEqual(schedule, GUEST_FIRST);
});

test('programs fit the configuration that they are drawn for', (t) => {
  const only = { configuration: 'exclusive-toy' };
  const property = fc.property(programs(kvm, only), schedules(), (program, schedule) => {
    t.true(program.every(({ operations }) => operations.length > 0 && operations.length <= 4));
    return run(kvm, program, { ...only, schedule }).violation === undefined;
  });
  t.notThrows(() => fc.assert(property, { numRuns: 60 }));
});

// ---- campaigns ----

test('fuzz finds the planted bug, the same one twice, and nothing in the correct model', async (t) => {
  const options = { bug: BUG, runs: 300, seed: 3 };
  const one = await fuzz(canary, options);
  t.is(one.executions, 300);
  t.true(one.findings.length > 0);
  const { oracle, case: text, execution, hits } = one.findings[0]!;
  t.is(parseCase('found.yaml', text, SYSTEMS).expect?.oracle, oracle);
  t.true(execution < 300 && hits >= 1);
  const { findings } = await fuzz(canary, options);
  t.deepEqual(findings, one.findings);
  t.deepEqual((await fuzz(canary, { runs: 300 })).findings, []);
});

test('fuzz ends at the first finding when it is asked to', async (t) => {
  const { executions, findings } = await fuzz(canary, { bug: BUG, stopOnFinding: true });
  t.is(findings.length, 1);
  t.is(executions, findings[0]!.execution + 1);
});

// ---- an oracle of one's own ----

/** Objects to the second write of a run: nothing a system should do, everything a test needs. */
const noSecondUse: OracleSpec = defineOracle({
  id: 'no-second-use',
  claim: 'a guest uses memory once',
  listens: [Event.Use],
  create: ({ report }) => {
    let uses = 0;
    return {
      judgements: 0,
      reset() {
        uses = 0;
      },
      onEvent() {
        this.judgements += 1;
        uses += 1;
        if (uses === 2) report.add('no-second-use', 'used-twice', 'page', {});
      },
    };
  },
});

test('an oracle of one’s own judges, is minimised, and is explained with its claim', async (t) => {
  const oracles = [noSecondUse];
  const { findings } = await fuzz(canary, { oracles, runs: 200, stopOnFinding: true });
  const { oracle, operations, explanation } = findings[0]!;
  t.is(oracle, 'no-second-use');
  t.is(operations, 2);
  t.regex(explanation, /no-second-use \(used-twice\)/);
  const twice: Program = [
    {
      actor: 'vcpu0',
      operations: ['w1', 'w2'].map((key) => ({ key, operation: 'write', args: [0] })),
    },
  ];
  t.is(run(canary, twice, { oracles }).violation?.rule, 'used-twice');
  t.is(run(canary, twice).violation, undefined);
});

test('an oracle is checked where it is defined', (t) => {
  t.throws(() => defineOracle({ ...noSecondUse, id: 'No Id' }), { message: /"No Id" is an id/ });
  t.throws(() => defineOracle({ ...noSecondUse, claim: '' }), { message: /says what it claims/ });
});

// ---- wrong use ----

const WRONG: Readonly<Record<string, readonly [() => unknown, RegExp]>> = {
  'an unknown configuration': [
    () => run(canary, WRITE_AND_UNMAP, { configuration: 'big' }),
    /unknown configuration "big" of canary \(canary\)/,
  ],
  'an unknown bug': [
    () => run(canary, WRITE_AND_UNMAP, { bug: 'none' }),
    /canary has no bug "none" \(canary-free/,
  ],
  'an unknown actor': [
    () => run(canary, [{ actor: 'vcpu9', operations: [] }]),
    /canary has no actor "vcpu9" \(vcpu0, vcpu1, host, pe0, pe1\)/,
  ],
  'an unknown operation': [
    () => run(canary, [{ actor: 'vcpu0', operations: [{ key: 'x', operation: 'x', args: [] }] }]),
    /no operation "x" \(write, unmap, leave\)/,
  ],
  'arguments that are missing': [
    () =>
      run(canary, [{ actor: 'vcpu0', operations: [{ key: 'w', operation: 'write', args: [] }] }]),
    /write takes 1 arguments/,
  ],
};

for (const [what, [attempt, says]] of Object.entries(WRONG)) {
  test(`${what} is answered in words`, (t) => {
    t.throws(attempt, { instanceOf: UsageError, message: says });
  });
}

test('fuzz answers wrong names in words', async (t) => {
  await t.throwsAsync(fuzz(canary, { strategy: 'luck' }), { message: /unknown strategy "luck"/ });
  await t.throwsAsync(fuzz(canary, { bug: 'none' }), { message: /has no bug "none"/ });
});
