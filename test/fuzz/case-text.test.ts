/** Cases as text: what is written is read back unchanged, and what is wrong is pointed at. */
import test from 'ava';
import fc from 'fast-check';
import type { Case } from '../../fuzz/case.ts';
import { CaseError } from '../../fuzz/case-source.ts';
import { formatCase, formatOperation, parseCase } from '../../fuzz/case-text.ts';
import { caseOf } from '../../fuzz/finding.ts';
import { Generator } from '../../fuzz/generate.ts';
import type { Constraint } from '../../fuzz/order.ts';
import { Random } from '../../fuzz/random.ts';
import { Recorder } from '../../fuzz/recorder.ts';
import { deriveSchedule, runRecorded, whole } from '../../fuzz/schedule.ts';
import { Session } from '../../fuzz/session.ts';
import { RandomStrategy } from '../../fuzz/strategies/random.ts';
import type { Temper } from '../../fuzz/temper.ts';
import { SYSTEMS } from '../../models/registry.ts';

const RESTLESS: Temper = { failure: 16, hardware: 64, other: 128 };

// ---- round trip ----

const SESSIONS = SYSTEMS.flatMap((system) =>
  system.configurations
    .filter(({ isReal }) => !isReal)
    .flatMap((configuration) =>
      [undefined, system.bugs[0]?.id].map((bug) => {
        const bugs = bug === undefined ? [] : [bug];
        return new Session(system, configuration, { bugs });
      }),
    ),
);

/** The case of a random run of a generated program, with the whole schedule as constraints. */
function drawnCase(session: Session, seed: number, comment: string): Case {
  const { system, configuration } = session;
  const draft = new Generator(system).draft(new Random(seed), configuration);
  const program = { program: draft.program, parameters: draft.parameters, order: [], choices: [] };
  session.load(draft.program);
  const recorder = new Recorder(new RandomStrategy(new Random(seed, 1), RESTLESS));
  const result = runRecorded(session, program, recorder);
  const run = { ...whole(result), recorder, answers: session.answers, broken: [] };
  const { order, choices } = deriveSchedule(session, recorder);
  const plan = { ...program, order: order.filter(isOfProgram), choices };
  return caseOf({ session, plan, run }, comment);
}

/** Constraints about the implicit last entries of actors (keys without digit) are left to corpus cases. */
function isOfProgram({ before, after }: Constraint): boolean {
  return /\d/.test(before.key) && /\d/.test(after.key);
}

/** Comments are lines of anything that YAML lets a comment hold. */
const commentLine = fc
  .string({ unit: 'grapheme', maxLength: 40 })
  .map((line) => line.replace(/[\p{Cc}\p{Cs}\u2028\u2029\uFEFF\uFFFE\uFFFF]/gu, ''));
const comment = fc.array(commentLine, { maxLength: 3 }).map((lines) => lines.join('\n'));

test('a case is read back as it was written, with the order of a whole run', (t) => {
  let constraints = 0;
  let choices = 0;
  let findings = 0;
  fc.assert(
    fc.property(fc.nat(SESSIONS.length - 1), fc.nat(), comment, (which, seed, text) => {
      const value = drawnCase(SESSIONS[which]!, seed, text);
      constraints += value.order.length;
      choices += value.choices.length;
      if (value.expect !== undefined) findings += 1;
      const written = formatCase(value);
      const read = parseCase('drawn.yaml', written, SYSTEMS);
      t.deepEqual(read, value);
      t.is(formatCase(read), written);
    }),
    { numRuns: 150, seed: 20240601 },
  );
  t.log(`${constraints} constraints, ${choices} choices, ${findings} findings`);
  t.true(constraints > 1000 && choices > 100 && findings > 0);
});

test('a case without comment, bug, parameters and recording has none of their keys', (t) => {
  const value = drawnCase(SESSIONS[0]!, 3, '');
  const plain = { ...value, parameters: {}, recorded: undefined, expect: undefined };
  const text = formatCase(plain);
  t.false(/^(#|with|bug|recorded)/m.test(text), text);
  t.true(text.includes('expect: clean'));
  t.deepEqual(parseCase('plain.yaml', text, SYSTEMS), plain);
});

test('arguments are written in hexadecimal and read in both notations', (t) => {
  t.is(formatOperation('unmap', [10, 1]), 'unmap 0xa 0x1');
  const decimal = parseCase('x.yaml', BASE.replace('unmap 0x1 0x2', 'unmap 1 2'), SYSTEMS);
  t.deepEqual(decimal, parseCase('x.yaml', BASE, SYSTEMS));
});

// ---- what is wrong is pointed at ----

const BASE = `# One vCPU, one host.
format: 1
policy: 1
system: kvm-arm64
configuration: exclusive-toy
with:
  logging: 1
bug: A07-reference-taken-twice
program:
  vcpu0:
    r1: read 0x0
    w1: write 0x4
  host:
    u1: unmap 0x1 0x2
order:
  - vcpu0.r1/end < host.u1/unmap.lockStart
  - host.u1/flush.invalidateStage2@pe1 < vcpu0.w1/access.use
choices:
  vcpu0.r1/choice.allocationFails#2: 1
expect:
  oracle: reference-counts
  rule: too-high
  at: vcpu0.w1/fault.unlock#2
recorded:
  answers: a0*3 a2*4
  steps: 7
  digest: 0123456789abcdef
`;

interface Flaw {
  readonly replace: string;
  readonly by: string;
  /** Text at the position that the error names, or text in the line that it names. */
  readonly at?: string;
  readonly on?: string;
  readonly says: RegExp;
}

const FLAWS: Readonly<Record<string, Flaw>> = {
  'a YAML syntax error': {
    replace: 'bug: A07',
    by: 'bug: @A07',
    at: '@A07',
    says: /not YAML/,
  },
  'a duplicate key': {
    replace: 'policy: 1',
    by: 'policy: 1\npolicy: 1',
    at: 'policy: 1\nsystem',
    says: /not YAML: Map keys must be unique/,
  },
  'a duplicate operation key': {
    replace: '    w1: write 0x4',
    by: '    r1: write 0x4',
    at: 'r1: write 0x4',
    says: /not YAML: Map keys must be unique/,
  },
  'an unknown key': {
    replace: 'choices:',
    by: 'choises:',
    says: /unknown key "choises" \(.*choices.*\)/,
  },
  'an unknown key further in': {
    replace: '  steps: 7',
    by: '  steps: 7\n  seconds: 3',
    on: 'seconds: 3',
    says: /unknown key "seconds"/,
  },
  'a missing field': {
    replace: 'configuration: exclusive-toy\n',
    by: '',
    at: 'format: 1',
    says: /configuration/,
  },
  'a missing field further in': {
    replace: '  rule: too-high\n',
    by: '',
    at: 'expect:',
    says: /"expect.rule" is missing/,
  },
  'a wrong type': {
    replace: 'system: kvm-arm64',
    by: 'system: [kvm-arm64]',
    at: '[kvm-arm64]',
    says: /"system": .*string/,
  },
  'a wrong type further in': {
    replace: '  logging: 1',
    by: '  logging: yes please',
    at: 'yes please',
    says: /"with.logging": .*number/,
  },
  'a list that is none': {
    replace:
      'order:\n  - vcpu0.r1/end < host.u1/unmap.lockStart\n  - host.u1/flush.invalidateStage2@pe1 < vcpu0.w1/access.use',
    by: 'order: vcpu0.r1/end < host.u1/unmap.lockStart',
    at: 'vcpu0.r1/end',
    says: /"order": .*array/,
  },
  'another format': { replace: 'format: 1', by: 'format: 2', at: '2', says: /"format"/ },
  'another policy': { replace: 'policy: 1', by: 'policy: 7', at: '7', says: /"policy"/ },
  'an unknown system': {
    replace: 'system: kvm-arm64',
    by: 'system: kvm-arm46',
    at: 'kvm-arm46',
    says: /unknown system "kvm-arm46" \(.*kvm-arm64.*\)/,
  },
  'an unknown configuration': {
    replace: 'exclusive-toy',
    by: 'exclusive-toi',
    at: 'exclusive-toi',
    says: /unknown configuration "exclusive-toi" \(.*exclusive-toy.*\)/,
  },
  'an unknown bug': {
    replace: 'A07-reference-taken-twice',
    by: 'A99-nobody-knows',
    at: 'A99-nobody-knows',
    says: /unknown bug "A99-nobody-knows" \(A01/,
  },
  'an unknown parameter': {
    replace: 'logging: 1',
    by: 'vlogging: 1',
    at: 'vlogging: 1',
    says: /unknown parameter "vlogging" \(.*logging.*\)/,
  },
  'a parameter out of range': {
    replace: 'logging: 1',
    by: 'logging: 2',
    at: '2',
    says: /logging is 2; at most 1/,
  },
  'a negative number': {
    replace: 'logging: 1',
    by: 'logging: -1',
    at: '-1',
    says: /"with.logging"/,
  },
  'an unknown actor': {
    replace: '  host:',
    by: '  host7:',
    at: 'host7:',
    says: /unknown actor "host7" \(vcpu0, .*host.*\)/,
  },
  'an operation key of another form': {
    replace: '    r1: read',
    by: '    1r: read',
    at: '1r: read 0x0',
    says: /"1r" is no operation key/,
  },
  'an unknown operation': {
    replace: 'read 0x0',
    by: 'reed 0x0',
    at: 'reed 0x0',
    says: /unknown operation "reed" for this actor \(read, .*\)/,
  },
  'an operation of another role': {
    replace: 'read 0x0',
    by: 'unmap 0x0 0x1',
    at: 'unmap 0x0 0x1',
    says: /unknown operation "unmap" for this actor/,
  },
  'too few arguments': {
    replace: 'unmap 0x1 0x2',
    by: 'unmap 0x1',
    at: 'unmap 0x1',
    says: /"unmap 0x1" has 1 arguments; the form is "unmap page pages"/,
  },
  'too many arguments': {
    replace: 'read 0x0',
    by: 'read 0x0 0x1',
    at: 'read 0x0 0x1',
    says: /has 2 arguments; the form is "read page"/,
  },
  'an argument out of range': {
    replace: 'read 0x0',
    by: 'read 0x10',
    at: 'read 0x10',
    says: /page is "0x10"; a whole number up to 0xf/,
  },
  'an argument that is no number': {
    replace: 'read 0x0',
    by: 'read zero',
    at: 'read zero',
    says: /page is "zero"; a whole number/,
  },
  'a range that leaves the window': {
    replace: 'unmap 0x1 0x2',
    by: 'unmap 0xf 0x2',
    at: 'unmap 0xf 0x2',
    says: /leaves the window; "unmap 0xf 0x1" is the longest/,
  },
  'a malformed event name': {
    replace: 'vcpu0.r1/end <',
    by: 'vcpu0-r1/end <',
    at: 'vcpu0-r1/end',
    says: /"vcpu0-r1\/end" is no event name/,
  },
  'an order without a relation': {
    replace: 'vcpu0.r1/end < host.u1/unmap.lockStart',
    by: 'vcpu0.r1/end host.u1/unmap.lockStart',
    at: 'vcpu0.r1/end host',
    says: /an order has the form "event < event"/,
  },
  'an order that makes an end wait': {
    replace: 'vcpu0.r1/end < host.u1/unmap.lockStart',
    by: 'host.u1/unmap.lockStart < vcpu0.r1/end',
    at: 'host.u1/unmap.lockStart',
    says: /cannot wait/,
  },
  'an order about an operation that is not there': {
    replace: 'vcpu0.r1/end <',
    by: 'vcpu0.r9/end <',
    at: 'vcpu0.r9/end',
    says: /vcpu0\.r9 is no operation of the program/,
  },
  'an order about an actor that is not there': {
    replace: 'vcpu0.r1/end <',
    by: 'vcpu1.r1/end <',
    at: 'vcpu1.r1/end',
    says: /vcpu1\.r1 is no operation of the program/,
  },
  'an unknown site': {
    replace: 'unmap.lockStart',
    by: 'unmap.lockBegin',
    at: 'vcpu0.r1/end < host.u1/unmap.lockBegin',
    says: /unknown site "unmap.lockBegin" \(.*unmap\.lockStart.*\)/,
  },
  'an impossible order': {
    replace: '  - host.u1/flush.invalidateStage2@pe1 < vcpu0.w1/access.use',
    by: '  - host.u1/unmap.lockStart < vcpu0.r1/access.use',
    at: '- vcpu0.r1/end',
    says: /impossible order: .*vcpu0\.r1\/end.* < .*unmap\.lockStart/,
  },
  'a choice that is no event name': {
    replace: 'vcpu0.r1/choice.allocationFails#2',
    by: 'vcpu0/choice.allocationFails#2',
    at: 'vcpu0/choice',
    says: /"vcpu0\/choice.allocationFails#2" is no event name/,
  },
  'a choice at an unknown site': {
    replace: 'choice.allocationFails',
    by: 'choice.allocationFeels',
    at: 'vcpu0.r1/choice.allocationFeels',
    says: /unknown site "choice.allocationFeels"/,
  },
  'an unknown oracle': {
    replace: 'oracle: reference-counts',
    by: 'oracle: reference-count',
    at: 'reference-count\n',
    says: /unknown oracle "reference-count" \(.*reference-counts.*\)/,
  },
  'an expected event that is no event name': {
    replace: 'at: vcpu0.w1/fault.unlock#2',
    by: 'at: the unlock',
    at: 'the unlock',
    says: /"the unlock" is no event name/,
  },
  'an expected event at an unknown site': {
    replace: 'at: vcpu0.w1/fault.unlock#2',
    by: 'at: vcpu0.w1/fault.unlok#2',
    at: 'vcpu0.w1/fault.unlok#2',
    says: /unknown site "fault.unlok"/,
  },
  'an expectation that is neither clean nor a finding': {
    replace: 'expect:\n  oracle: reference-counts\n  rule: too-high\n  at: vcpu0.w1/fault.unlock#2',
    by: 'expect: dirty',
    at: 'dirty',
    says: /"expect": either "clean" or a mapping with oracle, rule and at/,
  },
  'a bad digest': {
    replace: '0123456789abcdef',
    by: '0123456789abcdeg',
    at: '0123456789abcdeg',
    says: /a digest has 16 hexadecimal digits/,
  },
  'a digest that YAML takes for a number': {
    replace: '0123456789abcdef',
    by: '1234567890123456',
    at: '1234567890123456',
    says: /"recorded.digest"/,
  },
};

test('the text that the flaws are made from is a case', (t) => {
  const value = parseCase('base.yaml', BASE, SYSTEMS);
  t.is(formatCase(value), BASE);
});

for (const [what, { replace, by, at, on, says }] of Object.entries(FLAWS)) {
  test(`${what} is an error that names file, line and column`, (t) => {
    t.is(BASE.split(replace).length, 2, 'the flaw is made at one place');
    const text = BASE.replace(replace, by);
    const error = t.throws(() => parseCase('some/bad.yaml', text, SYSTEMS), {
      instanceOf: CaseError,
    });
    if (error === undefined) return;
    const { file, line, column, message } = error as CaseError;
    t.is(file, 'some/bad.yaml');
    t.true(message.startsWith(`some/bad.yaml:${line}:${column}: `), message);
    t.regex(message, says);
    t.false(message.includes('\n'), message);
    const lines = text.split('\n').slice(line - 1);
    const found = lines.join('\n').slice(column - 1);
    if (at !== undefined)
      t.true(found.startsWith(at), `${message} points at ${found.slice(0, 30)}`);
    if (on !== undefined) t.true(lines[0]?.includes(on), `${message} is in line ${lines[0]}`);
  });
}

test('an empty file and a file that is no map are errors', (t) => {
  for (const text of ['', '# only a comment\n', 'just words\n', '- a\n- b\n', '42\n', 'null\n']) {
    const error = t.throws(() => parseCase('empty.yaml', text, SYSTEMS), { instanceOf: CaseError });
    t.regex(error?.message ?? '', /^empty\.yaml:\d+:\d+: /, JSON.stringify(text));
  }
});

test('the cut-off file of any length is a case or an error that points into it', (t) => {
  const lines = BASE.split('\n').length;
  for (let length = 0; length < BASE.length; length += 1) {
    try {
      parseCase('cut.yaml', BASE.slice(0, length), SYSTEMS);
    } catch (error) {
      t.true(error instanceof CaseError, `${length}: ${String(error)}`);
      if (!(error instanceof CaseError)) return;
      t.true(error.line >= 1 && error.line <= lines && error.column >= 1, error.message);
    }
  }
});
