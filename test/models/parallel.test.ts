/** Interleavings that the parallel generation must get right (spec/arm.md 3.6), and what belongs to it only. */
import test from 'ava';
import { configurationsOf } from '../../campaign/options.ts';
import { CaseError } from '../../fuzz/case-source.ts';
import { parseCase } from '../../fuzz/case-text.ts';
import { Generator } from '../../fuzz/generate.ts';
import { parseConstraint } from '../../fuzz/order.ts';
import { Random } from '../../fuzz/random.ts';
import { runPlan } from '../../fuzz/schedule.ts';
import { Session } from '../../fuzz/session.ts';
import { EXCLUSIVE, GENERATIONS, PARALLEL } from '../../models/kvm-arm64/generation.ts';
import { kvmArm64 } from '../../models/kvm-arm64/index.ts';
import { SYSTEMS } from '../../models/registry.ts';
import { Claim, RetryReason } from '../../sim/claims.ts';
import { Event } from '../../sim/event.ts';
import type { Row } from '../../sim/trace.ts';

interface Scenario {
  readonly configuration?: string;
  readonly parameters?: Readonly<Record<string, number>>;
  readonly program: Readonly<Record<string, readonly (readonly [string, ...number[]])[]>>;
  readonly order: readonly string[];
}

/** Runs a program under ordering constraints; no oracle objects, and every constraint holds. */
function play(scenario: Scenario): (Row & { readonly name: string })[] {
  const { configuration = 'parallel-toy', parameters = {}, program, order } = scenario;
  const [chosen] = configurationsOf(kvmArm64, configuration, undefined);
  const session = new Session(kvmArm64, chosen!);
  const constraints = order.map((text) => {
    const constraint = parseConstraint(text);
    if (typeof constraint === 'string') throw new TypeError(constraint);
    return constraint;
  });
  const run = runPlan(session, {
    program: Object.entries(program).map(([actor, operations]) => ({
      actor,
      operations: operations.map(([operation, ...args], i) => ({
        key: `o${i + 1}`,
        operation,
        args,
      })),
    })),
    parameters,
    order: constraints,
    choices: [],
  });
  if (run.violation !== undefined) throw new TypeError(run.violation.rule);
  const { trace } = session.machine;
  return Array.from({ length: trace.count }, (_, row) => trace.at(row)).map((row) => ({
    ...row,
    name: session.directory.name(row.site),
  }));
}

const claims = (rows: readonly Row[], claim: number): Row[] =>
  rows.filter(({ kind, a }) => kind === Event.Claim && a === claim);

test('P1: of two faults on one page one takes the entry, and the other comes back', (t) => {
  const rows = play({
    program: { vcpu0: [['read', 1]], vcpu1: [['read', 1]] },
    parameters: { huge: 0 },
    order: [
      'vcpu0.o1/table-walk.readEntry < vcpu1.o1/entry.take',
      'vcpu1.o1/table-walk.readEntry < vcpu0.o1/entry.take',
      'vcpu0.o1/entry.take < vcpu1.o1/entry.take',
    ],
  });
  const lost = rows.filter(
    ({ kind, name }) => kind === Event.CompareFailed && name === 'entry.take',
  );
  t.deepEqual(
    lost.map(({ actor }) => actor),
    [1],
  );
  t.deepEqual(
    claims(rows, Claim.FaultRetry).map(({ actor, b }) => [actor, b]),
    [[1, RetryReason.Moved]],
  );
  const made = rows.filter(
    ({ kind, name }) => kind === Event.Descriptor && name === 'stage2-take.makeLeaf',
  );
  t.is(made.length, 1);
});

test('P2: a fault that finds its page read-only lets the guest fault again, and relaxes', (t) => {
  const rows = play({
    program: { vcpu0: [['read', 0]], vcpu1: [['write', 0]] },
    parameters: { logging: 1 },
    order: [
      'vcpu1.o1/access.use < vcpu0.o1/stage2-take.makeLeaf',
      'vcpu0.o1/end < vcpu1.o1/table-walk.readEntry',
    ],
  });
  const retries = claims(rows, Claim.FaultRetry);
  t.deepEqual(
    retries.map(({ actor, b }) => [actor, b]),
    [[1, RetryReason.Moved]],
  );
  const relaxed = rows.filter(
    ({ kind, name }) => kind === Event.Descriptor && name === 'stage2-attributes.update',
  );
  t.is(relaxed.length, 1);
});

test('P3: a page is mapped below a table that has just become a block; the table outlives the walk', (t) => {
  const rows = play({
    program: {
      vcpu0: [
        ['read', 0],
        ['read', 1],
      ],
      vcpu1: [['read', 2]],
      host: [['log-stop']],
    },
    parameters: { logging: 1 },
    order: [
      // vCPU 1 saw the log and maps a page; vCPU 0 sees none and makes the block
      'vcpu0.o1/end < vcpu1.o1/access.use',
      'vcpu1.o1/fault.readLogging < host.o1/log.publish',
      'host.o1/log.publish < vcpu0.o2/access.use',
      'vcpu1.o1/table-walk.readEntry#2 < vcpu0.o2/entry.take',
      'vcpu0.o2/unlinked.defer < vcpu1.o1/entry.take',
    ],
  });
  const at = (site: string, actor: number): number =>
    rows.findIndex(({ name, actor: who }) => name === site && who === actor);
  const late = rows.findIndex(
    ({ kind, name, actor }) =>
      kind === Event.StoreVisible && name === 'stage2-take.makeLeaf' && actor === 1,
  );
  t.true(at('unlinked.defer', 0) < late, 'it is mapped after the table was taken out');
  const linked = rows.slice(late, late + 2).some(({ kind }) => kind === Event.Descriptor);
  t.false(linked, 'and in a table that belongs to no tree');
  const left = rows.findIndex(
    ({ kind, actor, a }, i) => kind === Event.SectionExit && actor === 1 && a === 1 && i > late,
  );
  const freed = rows.findIndex(
    ({ kind, name }) => kind === Event.Free && name.startsWith('page-count'),
  );
  t.true(left > late && freed > left, 'which is freed after the walk');
});

test('P7: a relax that loses against another one invalidates on its own PE', (t) => {
  const rows = play({
    program: {
      vcpu0: [
        ['read', 0],
        ['write', 0],
      ],
      vcpu1: [
        ['read', 0],
        ['write', 0],
      ],
    },
    parameters: { logging: 1 },
    order: [
      'vcpu0.o1/end < vcpu1.o1/access.use',
      'vcpu1.o1/end < vcpu0.o2/access.use',
      'vcpu1.o2/table-walk.readEntry#2 < vcpu0.o2/stage2-attributes.update',
      'vcpu0.o2/stage2-attributes.update < vcpu1.o2/stage2-attributes.update',
    ],
  });
  t.deepEqual(
    claims(rows, Claim.FaultRetry).map(({ actor, b }) => [actor, b]),
    [[1, RetryReason.Moved]],
  );
  const isLocal = ({ kind, a }: Row): boolean =>
    kind === Event.InvalidateIssue && ((a >>> 8) & 1) === 0;
  t.deepEqual([...new Set(rows.filter(isLocal).map(({ actor }) => actor))].sort(), [0, 1]);
});

test('every generation but the first two takes entries, and only readers defer frees', (t) => {
  t.true(GENERATIONS.length > 4);
  t.is(GENERATIONS[0], EXCLUSIVE);
  for (const { faultLock, freesLater, takesEntries } of GENERATIONS) {
    if (freesLater) t.is(faultLock, PARALLEL.faultLock);
    if (faultLock === PARALLEL.faultLock) t.true(takesEntries);
  }
});

test('operations that belong to some configurations are drawn and read only there', (t) => {
  const [plain] = configurationsOf(kvmArm64, 'exclusive-toy', undefined);
  const own = kvmArm64.operations
    .filter(({ isIn }) => isIn?.(plain!) === false)
    .map(({ id }) => id);
  t.true(own.includes('remap'));
  const drawn = (id: string): Set<string> => {
    const [configuration] = configurationsOf(kvmArm64, id, undefined);
    const generator = new Generator(kvmArm64);
    const ids = new Set<string>();
    for (let i = 0; i < 300; i += 1) {
      const { program } = generator.draft(new Random(5, i), configuration!);
      for (const { operations } of program) for (const one of operations) ids.add(one.operation);
    }
    return ids;
  };
  t.true(drawn('parallel-toy-layout').has('remap'));
  t.deepEqual(
    own.filter((id) => drawn('exclusive-toy').has(id)),
    [],
  );
  const text = (configuration: string): string =>
    `format: 1\npolicy: 1\nsystem: kvm-arm64\nconfiguration: ${configuration}\n` +
    'program:\n  host: { r1: remap 0x0 }\norder: []\nchoices: {}\nexpect: clean\n';
  t.notThrows(() => parseCase('a.yaml', text('parallel-toy-layout'), SYSTEMS));
  const error = t.throws(() => parseCase('a.yaml', text('parallel-toy'), SYSTEMS), {
    instanceOf: CaseError,
  });
  t.regex(error?.message ?? '', /^a\.yaml:6:\d+: .*remap/);
});

test('an order may name the callbacks where there are some', (t) => {
  const text = (configuration: string): string =>
    `format: 1\npolicy: 1\nsystem: kvm-arm64\nconfiguration: ${configuration}\n` +
    'program:\n  vcpu0: { r1: read 0x0 }\norder:\n' +
    '  - vcpu0.r1/end < rcu.callbacks/unlinked.nextCallback\nchoices: {}\nexpect: clean\n';
  t.notThrows(() => parseCase('a.yaml', text('parallel-toy'), SYSTEMS));
  for (const configuration of ['exclusive-toy', 'parallel-toy-immediate']) {
    t.throws(() => parseCase('a.yaml', text(configuration), SYSTEMS), {
      instanceOf: CaseError,
      message: /rcu\.callbacks is no operation of the program/,
    });
  }
});

test('a configuration that ends with a star stands for those that begin so', (t) => {
  const ids = configurationsOf(kvmArm64, 'parallel-*', undefined).map(({ id }) => id);
  t.true(ids.length > 3 && ids.every((id) => id.startsWith('parallel-')));
  t.throws(() => configurationsOf(kvmArm64, 'nothing-*', undefined), {
    message: /unknown configuration "nothing-\*" of kvm-arm64 \(exclusive-toy, /,
  });
});
