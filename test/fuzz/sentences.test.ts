/** What people are told: a sentence of its own for every rule of every oracle, and words for every event. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { describeRow, tlbiText } from '../../fuzz/describe.ts';
import { sentence } from '../../fuzz/sentence.ts';
import { Session } from '../../fuzz/session.ts';
import { canary } from '../../models/canary/index.ts';
import type { Violation } from '../../oracles/oracle.ts';
import { ORACLES } from '../../oracles/registry.ts';
import { CLAIM_NAMES, Claim } from '../../sim/claims.ts';
import { ACCESSED, leaf, READ, table } from '../../sim/descriptor.ts';
import { EVENT_TABLE, Event, type EventCode } from '../../sim/event.ts';
import { Shareability, TLBI_NAMES, Tlbi } from '../../sim/invalidation.ts';

const session = new Session(canary, canary.configurations[0]!);
session.load([
  { actor: 'vcpu0', operations: [{ key: 'w1', operation: 'write', args: [2] }] },
  { actor: 'host', operations: [{ key: 'u1', operation: 'unmap', args: [2] }] },
]);

// ---- sentences ----

/** Rules as the sources write them: `report.add('oracle', 'rule', 'subject'`, the rule possibly one of two. */
function rulesOf(oracle: string): readonly string[] {
  const text = readFileSync(`oracles/${oracle}.ts`, 'utf8');
  const calls = [
    ...text.matchAll(/\.add\(\s*'[a-z-]+',([\s\S]*?),\s*'[a-z]+',/g),
    // a rule that a method of the oracle takes first
    ...text.matchAll(/this\.#add\(([^,]*),/g),
    // a rule that was chosen before
    ...text.matchAll(/const rule = [^;]*?\?([^;]*);/g),
  ];
  // a clause of the oracle in a file that has no oracle of its own
  const clauses = readFileSync('oracles/kept-leaves.ts', 'utf8');
  calls.push(...clauses.matchAll(new RegExp(`\\.add\\('${oracle}',([^,]*),`, 'g')));
  return calls.flatMap(([, rule]) => [...rule!.matchAll(/'([a-z-]+)'/g)].map(([, one]) => one!));
}

const RULES = ORACLES.filter(({ id }) => id !== 'system-invariant').flatMap(({ id }) =>
  [...new Set(rulesOf(id))].map((rule) => ({ oracle: id, rule })),
);

/** Rules whose facts are numbers of something that there is. */
const NUMBERS: Readonly<Record<string, Partial<Violation>>> = {
  'context/excluded-together': { expected: 3, found: 0 },
  'context/sleep-under-lock': { found: 0 },
};

function violation(oracle: string, rule: string): Violation {
  return {
    oracle,
    rule,
    subject: 'entry',
    row: 0,
    step: 7,
    actor: 0,
    operation: 0,
    site: 0,
    page: 2,
    frame: 9,
    word: 40,
    pe: 1,
    survivor: undefined,
    promisedBy: 0,
    expected: leaf(8, READ),
    found: 1,
    ...NUMBERS[`${oracle}/${rule}`],
  };
}

/** What a rule without a sentence gets begins with its name. */
function isFallback(text: string, rule: string): boolean {
  return text.startsWith(`${rule.replaceAll('-', ' ')}: `);
}

test('the sources show the rules of every oracle', (t) => {
  t.true(RULES.length > 50);
  const silent = ORACLES.filter(({ id }) => !RULES.some(({ oracle }) => oracle === id));
  t.deepEqual(
    silent.map(({ id }) => id),
    ['system-invariant'],
  );
});

for (const { oracle, rule } of RULES) {
  test(`${oracle}/${rule} has a sentence of its own`, (t) => {
    const text = sentence(session, violation(oracle, rule));
    t.false(isFallback(text, rule), text);
    t.notRegex(text, /undefined|NaN|\[object/);
    t.true(text.length > 25, text);
  });
}

test('no two rules say the same, and every sentence is of a rule', (t) => {
  const texts = RULES.map(({ oracle, rule }) => sentence(session, violation(oracle, rule)));
  const shared = texts.filter((text, index) => texts.indexOf(text) !== index);
  // a count is too high or too low: the numbers in it say which
  t.deepEqual(
    shared.map((text) => text.replace(/\d+/g, 'N')),
    ['table page N is counted N times; its entries make N'],
  );
  const written = [
    ...readFileSync('fuzz/sentence.ts', 'utf8').matchAll(/case '([a-z-]+)\/([a-z-]+)':/g),
  ];
  const unknown = written
    .map(([, oracle, rule]) => ({ oracle: oracle!, rule: rule! }))
    .filter(({ oracle }) => oracle !== 'system-invariant')
    .filter(({ oracle, rule }) => !RULES.some((one) => one.oracle === oracle && one.rule === rule));
  t.deepEqual(unknown, []);
});

test('what a system states of its own data is said in its words, or in a sentence of its own', (t) => {
  const { invariants } = session.scene;
  const own = [
    { id: 'list-and-flag', title: 'a listed page has its flag set', lock: 0, broken: () => -1 },
  ];
  Object.assign(session.scene, { invariants: own });
  t.is(
    sentence(session, violation('system-invariant', 'list-and-flag')),
    'it does not hold of page 9 that a listed page has its flag set',
  );
  Object.assign(session.scene, { invariants });
  const known = sentence(session, violation('system-invariant', 'recovery-list'));
  t.regex(known, /page 9 is on the recovery list/);
});

test('a rule of somebody else is told by its name and facts', (t) => {
  t.true(isFallback(sentence(session, violation('own', 'too-late')), 'too-late'));
  t.is(
    sentence(session, violation('own', 'too-late')),
    'too late: entry input page 0x2 page 9 on PE 1 word 40',
  );
});

// ---- events ----

function row(kind: EventCode, a: number, b: number, c: number, d: number) {
  return { row: 0, kind, step: 1, actor: 0, operation: 0, site: 0, a, b, c, d };
}

test('every kind of event has words, whatever its numbers', (t) => {
  const texts = EVENT_TABLE.map((_, kind) =>
    describeRow(session, row(kind as EventCode, 0, 1, 1, 0)),
  );
  texts.forEach((text, kind) => {
    t.true(text.length > 2, `${kind}`);
    t.notRegex(text, /undefined|NaN/, EVENT_TABLE[kind]!.name);
  });
  t.true(new Set(texts).size > texts.length - 4);
});

test('every claim has words of its own', (t) => {
  const texts = CLAIM_NAMES.map((_, claim) =>
    describeRow(session, row(Event.Claim, claim, 2, 1, 1)),
  );
  t.is(new Set(texts).size, texts.length);
  for (const text of texts) t.notRegex(text, /undefined|NaN/);
  t.is(describeRow(session, row(Event.Claim, 99, 0, 0, 0)), 'unknown claim');
});

const TEXTS: readonly (readonly [ReturnType<typeof row>, string])[] = [
  [row(Event.Fault, 2, 1, 3, 1), 'translation fault at 0x2 (write, level 3)'],
  [row(Event.Use, 2, 9, 1, 0), 'writes 0x2 through page 9'],
  [row(Event.Use, 2, 9, 2, 0), 'fetches 0x2 through page 9'],
  [row(Event.Claim, Claim.HostGrants, 4, 8, 5), 'host grants page 8 and the 3 after it for 0x4'],
  [row(Event.Claim, Claim.YoungAnswered, 4, 1, 0), 'answers: 0x4 is old'],
  [row(Event.Claim, Claim.YoungAnswered, 4, 1, 1), 'answers: 0x4 is young'],
  [row(Event.Callback, 0, -1, 0, 0), 'no callback is left'],
  [row(Event.Callback, 0, 3, 0, 0), 'runs a callback'],
  [row(Event.DoubleFree, 6, 0, 0, 0), 'frees page 6 a second time'],
  [row(Event.WalkFreed, 0, 6, 0, 0), 'walker reads page 6, which is no table any more'],
  [row(Event.TouchFreed, 0, 6, 0, 0), 'touches page 6, which is free'],
  [row(Event.OperationEnd, 0, 2, 0, 0), 'ends: no memory'],
  [row(Event.OperationEnd, 0, 77, 0, 0), 'ends: 77'],
  [row(Event.LockTake, 0, 1, 0, 0), 'takes canary lock'],
  [row(Event.Choice, 1, 3, 0, 0), 'choice: 1 of 3'],
  [row(Event.WalkRead, 0, table(5), 2, 0), 'walker reads level 2: table page 5'],
];

for (const [made, text] of TEXTS) {
  test(`an event reads "${text}"`, (t) => {
    t.is(describeRow(session, made), text);
  });
}

test('invalidations are written as their architecture does', (t) => {
  const packed = (operation: number, share: number): number => operation | (share << 8);
  t.is(tlbiText(packed(Tlbi.Vmalls12e1, Shareability.Inner), 0, 0), 'TLBI VMALLS12E1IS');
  t.is(tlbiText(packed(Tlbi.Vmalls12e1, Shareability.Local), 0, 0), 'TLBI VMALLS12E1');
  t.is(
    tlbiText(packed(Tlbi.Ipas2e1, Shareability.Inner), 4, 1 | (4 << 24)),
    'TLBI IPAS2E1IS 0x4 hint level 3',
  );
  t.regex(tlbiText(packed(Tlbi.Ipas2e1, Shareability.Inner), 4, 8), /0x4 \(8 pages\)$/);
  const flush = tlbiText(packed(Tlbi.FlushAll, Shareability.Inner), 0, 0);
  t.is(flush, TLBI_NAMES[Tlbi.FlushAll]);
  t.notRegex(flush, /TLBI|IS$/);
});

test('a word is shown as what it is', (t) => {
  const { machine } = session;
  const kernel = machine.memory.address(1, 0);
  const entry = machine.memory.address(machine.spec.kernelFrames + 1, 2);
  const value = leaf(9, READ | ACCESSED);
  t.regex(describeRow(session, row(Event.Read, kernel, 12, 0, 0)), /: 12$/);
  t.is(
    describeRow(session, row(Event.Read, entry, value, 0, 0)),
    `reads page ${machine.spec.kernelFrames + 1} entry 2: page 9 r-- accessed`,
  );
  t.regex(
    describeRow(session, row(Event.StoreVisible, entry, 0, value, 0)),
    / := page 9 r-- accessed$/,
  );
});
