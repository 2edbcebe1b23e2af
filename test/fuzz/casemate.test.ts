/** Traces of casemate: what cases become, what our oracles say about traces, and errors of the format. */
import { basename } from 'node:path';
import test from 'ava';
import { readCase } from '../../campaign/corpus.ts';
import { exportCasemate, NotExportable, rowsOf } from '../../fuzz/casemate/export.ts';
import { judgeTrace } from '../../fuzz/casemate/judge.ts';
import { readCasemate, TraceFault } from '../../fuzz/casemate/read.ts';
import { replayCase } from '../../fuzz/replay.ts';
import { Sessions } from '../../fuzz/sessions.ts';

const sessions = new Sessions();

function traceOf(file: string, withoutBug: boolean): string[] {
  const value = readCase(file);
  const { session } = replayCase(sessions, value, withoutBug);
  const rows = rowsOf(session.machine);
  session.world.reset(value.parameters);
  return exportCasemate(session.machine, rows, basename(file));
}

function verdictOf(lines: readonly string[]): string {
  const { finding } = judgeTrace(readCasemate(lines.join('\n')));
  return finding === undefined ? 'clean' : `${finding.oracle} ${finding.rule}`;
}

const FOLDER = 'corpus/kvm-arm64';

// ---- cases as traces ----

const CASES: Readonly<Record<string, string>> = {
  'A42-no-break-before-make': 'break-before-make replaced-while-valid',
  'A03-coalesce-flushes-one-ipa': 'break-before-make made-while-cached',
  'A16-release-leaves-tables': 'clean',
};

for (const [name, expected] of Object.entries(CASES)) {
  test(`${name} as a trace: ${expected}; clean without the bug`, (t) => {
    t.is(verdictOf(traceOf(`${FOLDER}/${name}.yaml`, false)), expected);
    t.is(verdictOf(traceOf(`${FOLDER}/${name}.yaml`, true)), 'clean');
  });
}

test('records have their fields in order, tables an owner before they are linked, and roots a lock', (t) => {
  const lines = traceOf(`${FOLDER}/A42-no-break-before-make.yaml`, true);
  const known = new Set<string>();
  const owned = new Set<string>();
  lines.forEach((line, id) => {
    t.regex(
      line,
      new RegExp(`^\\([a-z-]+ \\(id ${id}\\) \\(tid [0-3]\\) .*\\(src "[^":]+:\\d+"\\)\\)$`),
    );
    const address = /\(address 0x([0-9a-f]+)\)/.exec(line)?.[1] ?? '';
    const page = address.slice(0, -3);
    if (line.startsWith('(mem-init')) known.add(page);
    if (line.includes('set_owner_root') || line.includes('set_root_lock'))
      owned.add(/\(location 0x([0-9a-f]+)000\)/.exec(line)![1]!);
    if (!line.startsWith('(mem-write')) return;
    t.true(known.has(page), `line ${id + 1} writes to a page that was initialised`);
    t.true(owned.has(page), `line ${id + 1} writes to a page of a tree`);
  });
  const kinds = new Set(lines.map((line) => /^\(([a-z-]+)/.exec(line)![1]));
  for (const kind of ['mem-read', 'barrier', 'tlbi', 'sysreg-write', 'lock', 'unlock'])
    t.true(kinds.has(kind), kind);
});

test('what cannot be said in the format is refused', (t) => {
  const error = t.throws(() => traceOf('corpus/kvm-arm64/A21-no-hint-means-level-0.yaml', true), {
    instanceOf: NotExportable,
  });
  t.regex(error?.message ?? '', /concatenated root pages/);
});

// ---- traces of our own ----

const ROOT = '0x40000000';
const TABLES = ['0x40001000', '0x40002000', '0x40003000'];
/** A root with three levels below, loaded, whose lock is at 0x90000000. */
const SETUP = [
  `(mem-init (id 0) (tid 0) (address ${ROOT}) (size 0x4000) (src "own:1"))`,
  `(hint (id 1) (tid 0) (kind set_root_lock) (location ${ROOT}) (value 0x90000000) (src "own:2"))`,
  ...TABLES.map(
    (page, i) =>
      `(hint (id ${i + 2}) (tid 0) (kind set_owner_root) (location ${page}) (value ${ROOT}) (src "own:3"))`,
  ),
  ...[ROOT, ...TABLES.slice(0, 2)].map((page, i) => write(page, `${TABLES[i]!.slice(0, -1)}3`)),
  `(sysreg-write (id 0) (tid 0) (sysreg vttbr_el2) (value 0x1000040000000) (src "own:4"))`,
];
const ENTRY = '0x40003008';
const ONE = '0x500007fd';
const ONE_PAGE = '0x500007ff';
const OTHER_PAGE = '0x600007ff';
const DSB = '(barrier (id 0) (tid 0) dsb (kind ish) (src "own:5"))';
const IPA = tlbi('ipas2e1is (value 0x1)');
const STAGE1 = tlbi('vmalle1is');

function write(address: string, value: string): string {
  return `(mem-write (id 0) (tid 0) (mem-order plain) (address ${address}) (value ${value}) (src "own:6"))`;
}

function tlbi(operation: string): string {
  return `(tlbi (id 0) (tid 0) ${operation} (src "own:7"))`;
}

const SEQUENCES: Readonly<Record<string, readonly [lines: readonly string[], verdict: string]>> = {
  'broken, invalidated, made': [
    [
      write(ENTRY, ONE_PAGE),
      write(ENTRY, '0x0'),
      DSB,
      IPA,
      DSB,
      STAGE1,
      DSB,
      write(ENTRY, OTHER_PAGE),
    ],
    'clean',
  ],
  'made without a break': [
    [write(ENTRY, ONE_PAGE), write(ENTRY, OTHER_PAGE)],
    'break-before-make replaced-while-valid',
  ],
  'made without an invalidation': [
    [write(ENTRY, ONE_PAGE), write(ENTRY, '0x0'), DSB, DSB, write(ENTRY, OTHER_PAGE)],
    'break-before-make made-while-cached',
  ],
  'made without the stage-1 part': [
    [write(ENTRY, ONE_PAGE), write(ENTRY, '0x0'), DSB, IPA, DSB, write(ENTRY, OTHER_PAGE)],
    'break-before-make made-while-cached',
  ],
  'another page invalidated': [
    [
      write(ENTRY, ONE_PAGE),
      write(ENTRY, '0x0'),
      DSB,
      tlbi('ipas2e1is (value 0x2)'),
      DSB,
      STAGE1,
      DSB,
      write(ENTRY, OTHER_PAGE),
    ],
    'break-before-make made-while-cached',
  ],
  'only rights changed': [[write(ENTRY, ONE_PAGE), write(ENTRY, '0x5000077f')], 'clean'],
  'a table released while a PE may walk it': [
    [
      write(ENTRY, ONE_PAGE),
      write('0x40002000', '0x0'),
      DSB,
      `(hint (id 0) (tid 0) (kind release_table) (location 0x40003000) (value 0x0) (src "own:8"))`,
    ],
    'freed-table freed-while-cached',
  ],
};

for (const [name, [lines, verdict]] of Object.entries(SEQUENCES))
  test(`${name}: ${verdict}`, (t) => {
    t.is(verdictOf([...SETUP, ...lines]), verdict);
  });

// ---- errors ----

const FAULTS: Readonly<Record<string, readonly [line: string, where: string, says: RegExp]>> = {
  'an unknown record': [
    '(mem-wrote (id 0) (tid 0))',
    '1:2',
    /"mem-wrote", expected one of mem-init/,
  ],
  'a missing field': ['(lock (id 0) (tid 0) (src "x:1"))', '1:2', /expected a field \(address/],
  'no number': [
    '(lock (id 0) (tid 0) (address here) (src "x:1"))',
    '1:31',
    /"here", expected a number/,
  ],
  'no end': ['(lock (id 0', '1:12', /the end of the line, expected "\)"/],
  'no record': ['lock', '1:1', /expected a record/],
};

for (const [name, [line, where, says]] of Object.entries(FAULTS))
  test(`${name} is an error with line and column`, (t) => {
    const fault = t.throws(() => readCasemate(line), { instanceOf: TraceFault, message: says });
    t.is(`${fault?.line}:${fault?.column}`, where);
  });

test('a trace that cannot be made on a machine is an error of its line', (t) => {
  const fault = t.throws(
    () => judgeTrace(readCasemate([...SETUP, write('0x70000000', ONE)].join('\n'))),
    {
      instanceOf: TraceFault,
      message: /not initialised/,
    },
  );
  t.is(fault?.line, SETUP.length + 1);
});
