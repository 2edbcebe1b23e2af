/** The litmus front end: what it reads, what it refuses and where, and what small tests show at each fidelity. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { runLitmus } from '../../fuzz/litmus/verdict.ts';
import { Fidelity, type Rules } from '../../models/litmus/gates.ts';
import { parseLitmus } from '../../models/litmus/parse.ts';
import { SyntaxFault, Unsupported } from '../../models/litmus/syntax-error.ts';

const FOLDER = 'test/litmus';
const PLAN = { exploreRuns: 20_000, sampleRuns: 0, seed: 1 };

const at = (fidelity: Fidelity, ets2 = false): Rules => ({ fidelity, ets2 });

function verdict(source: string, rules: Rules): string {
  const result = runLitmus(parseLitmus(source), rules, PLAN);
  return result.complete ? result.verdict : 'incomplete';
}

const one = (init: string, code: string, condition: string, header = ''): string =>
  `AArch64 T\n${header}\n{\n${init}\n}\n P0 ;\n ${code} ;\n${condition}\n`;

// ---- the files of test/litmus ----

/** At F1, F2, F3, and at F3 with ETS2. */
const VERDICTS: Readonly<Record<string, readonly [string, string, string, string]>> = {
  'dirty-once': ['forbidden', 'forbidden', 'forbidden', 'forbidden'],
  'fault-read-early': ['forbidden', 'allowed', 'allowed', 'forbidden'],
  'message-passing': ['forbidden', 'forbidden', 'allowed', 'allowed'],
  'release-publishes': ['forbidden', 'forbidden', 'forbidden', 'forbidden'],
  'store-buffering': ['forbidden', 'allowed', 'allowed', 'allowed'],
  'store-unseen-by-walker': ['forbidden', 'allowed', 'allowed', 'allowed'],
  'stores-overtake': ['forbidden', 'allowed', 'allowed', 'allowed'],
  'unmap-completes': ['forbidden', 'forbidden', 'forbidden', 'forbidden'],
};

test('every file has its verdicts here', (t) => {
  const names = readdirSync(FOLDER).map((name) => name.replace('.litmus', ''));
  t.deepEqual(names.sort(), Object.keys(VERDICTS).sort());
});

for (const [name, [f1, f2, f3, ets2]] of Object.entries(VERDICTS)) {
  test(`${name}: F1 ${f1}, F2 ${f2}, F3 ${f3}, with ETS2 ${ets2}`, (t) => {
    const source = readFileSync(join(FOLDER, `${name}.litmus`), 'utf8');
    t.is(verdict(source, at(Fidelity.F1)), f1);
    t.is(verdict(source, at(Fidelity.F2)), f2);
    t.is(verdict(source, at(Fidelity.F3)), f3);
    t.is(verdict(source, at(Fidelity.F3, true)), ets2);
  });
}

// ---- single instructions ----

const VALUES: Readonly<Record<string, readonly [init: string, code: string, condition: string]>> = {
  'arithmetic on integers': [
    '0:X1=6;',
    'ADD W2,W1,#3 ; SUB W3,W2,#1 ; AND W4,W2,#1 ; EOR W5,W2,W2 ; ORR W6,W1,#1 ; LSL X7,X1,#2',
    'forall (0:X2=9 /\\ 0:X3=8 /\\ 0:X4=1 /\\ 0:X5=0 /\\ 0:X6=7 /\\ 0:X7=24)',
  ],
  'flags of descriptors as bits': [
    '0:X1=(oa:PA(x)); 0:X8=1024;',
    'BIC X2,X1,X8 ; ORR X3,X2,X8 ; AND X4,X1,X8',
    'forall (0:X2=(oa:PA(x), af:0) /\\ 0:X3=(oa:PA(x)) /\\ 0:X4=1024)',
  ],
  'comparison, selection and branches': [
    '0:X1=1;',
    'CMP W1,#1 ; CSET W2,EQ ; CSEL W3,WZR,W1,NE ; B.EQ L1 ; MOV W4,#9 ; L1: CBNZ W1,L2 ; MOV W5,#9 ; L2: NOP',
    'forall (0:X2=1 /\\ 0:X3=1 /\\ 0:X4=0 /\\ 0:X5=0)',
  ],
  'read-modify-writes': [
    '0:X1=x; int x=5; 0:X0=3; 0:X5=8; 0:X6=7;',
    'LDADD W0,W2,[X1] ; SWPAL W0,W3,[X1] ; CAS W5,W6,[X1] ; LDSET W5,W7,[X1] ; LDCLR W0,W8,[X1]',
    'forall (0:X2=5 /\\ 0:X3=8 /\\ 0:X5=3 /\\ 0:X7=3 /\\ [x]=0)',
  ],
  'exclusive pairs, which may fail': [
    '0:X1=x; 0:X2=y; int x=5; 0:X3=7;',
    'LDXR W0,[X1] ; STXR W4,W3,[X1] ; LDXR W5,[X2] ; STXR W6,W3,[X1]',
    'forall (0:X0=5 /\\ 0:X6=1 /\\ (0:X4=0 /\\ [x]=7 \\/ 0:X4=1 /\\ [x]=5))',
  ],
  'an access through another address of the page': [
    '0:X1=x; 0:X2=z; [PTE(z)]=(oa:PA(x)); 0:X3=1;',
    'STR W3,[X1] ; LDR W4,[X2]',
    'forall (0:X4=1)',
  ],
};

for (const [name, [init, code, condition]] of Object.entries(VALUES)) {
  test(`${name}`, (t) => {
    for (const fidelity of Object.values(Fidelity))
      t.is(verdict(one(init, code, condition), at(fidelity)), 'required', `F${fidelity}`);
  });
}

test('faults have their class, and hand over to a handler', (t) => {
  const source = `AArch64 T
{ [PTE(x)]=(oa:PA(x), db:0); [PTE(y)]=(oa:PA(y), af:0); [PTE(z)]=(oa:PA(z), valid:0);
  0:X1=x; 1:X1=y; 2:X1=z; }
 P0              | P1              | P2              | P2.F      ;
 L0: STR W0,[X1] | L0: LDR W0,[X1] | L0: LDR W0,[X1] | MOV W5,#7 ;
forall (fault(P0:L0,x,MMU:Permission) /\\ fault(P1:L0,y,MMU:AccessFlag) /\\ fault(P2:L0,z,MMU:Translation) /\\ 2:X5=7)
`;
  t.is(verdict(source, at(Fidelity.F3)), 'required');
});

test('the window is exhaustive: a sample shows no other state, and the same ones', (t) => {
  for (const name of Object.keys(VERDICTS)) {
    const parsed = parseLitmus(readFileSync(join(FOLDER, `${name}.litmus`), 'utf8'));
    const all = runLitmus(parsed, at(Fidelity.F3), PLAN);
    const some = runLitmus(parsed, at(Fidelity.F3), { exploreRuns: 0, sampleRuns: 3000, seed: 7 });
    t.deepEqual(
      some.states.map(({ text }) => text),
      all.states.map(({ text }) => text),
      name,
    );
  }
});

// ---- what is wrong with a file ----

const FAULTS: Readonly<Record<string, readonly [source: string, where: string, says: RegExp]>> = {
  'no test at all': ['hello', '1:1', /begins with "AArch64 NAME"/],
  'no initial state': ['AArch64 T\n', '2:1', /expected "{"/],
  'no condition': [one('', 'NOP', ''), '9:1', /expected exists, ~exists or forall/],
  'an unknown instruction': [
    one('', 'LDX W0,[X1]', 'exists 0:X0=1'),
    '7:2',
    /"LDX" is no instruction; allowed are LDR/,
  ],
  'an unknown register': [
    one('', 'MOV W31,#1', 'exists 0:X0=1'),
    '7:6',
    /"W31", expected a register/,
  ],
  'an unknown label': [one('', 'CBZ W0,L9', 'exists 0:X0=1'), '7:9', /no label L9 in this thread/],
  'an unknown field': [
    one('[PTE(x)]=(oa:PA(x), dirty:1);', 'NOP', 'exists 0:X0=1'),
    '4:21',
    /"dirty" is no field of a descriptor; oa, valid/,
  ],
  'a thread that is not there': [one('', 'NOP', 'exists 3:X0=1'), '8:8', /there is no thread 3/],
  'a barrier that is not there': [
    one('', 'DMB NOW', 'exists 0:X0=1'),
    '7:6',
    /"NOW" is no barrier option/,
  ],
};

for (const [name, [source, where, says]] of Object.entries(FAULTS)) {
  test(`${name} is an error with line and column`, (t) => {
    const fault = t.throws(() => parseLitmus(source), { instanceOf: SyntaxFault, message: says });
    t.is(`${fault?.line}:${fault?.column}`, where);
  });
}

const REFUSED: Readonly<Record<string, readonly [code: string, says: RegExp]>> = {
  pairs: ['LDP W0,W1,[X2]', /pairs/],
  loops: ['L0: NOP ; CBZ W0,L0', /loops/],
  'an access through no address': ['LDR W0,[X9]', /without an address/],
};

for (const [name, [code, says]] of Object.entries(REFUSED)) {
  test(`${name}: not supported, and says so`, (t) => {
    t.throws(() => verdict(one('', code, 'exists 0:X0=1'), at(Fidelity.F3)), {
      instanceOf: Unsupported,
      message: says,
    });
  });
}
