/** The layers of design.md 2 and what is banned below campaign/, checked on the sources. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import test from 'ava';

const LAYERS = ['sim', 'models', 'oracles', 'fuzz', 'campaign', 'cli', 'api'] as const;
type Layer = (typeof LAYERS)[number];

/** What each layer may import besides itself. */
const BELOW: Readonly<Record<Layer, readonly Layer[]>> = {
  sim: [],
  models: ['sim'],
  oracles: ['sim'],
  fuzz: ['sim', 'models', 'oracles'],
  campaign: ['sim', 'models', 'oracles', 'fuzz'],
  cli: ['sim', 'models', 'oracles', 'fuzz', 'campaign'],
  api: ['sim', 'models', 'oracles', 'fuzz', 'campaign'],
};

/** Layers whose runs are pure. */
const PURE: readonly string[] = ['sim', 'models', 'oracles', 'fuzz'];

/** Where programs begin. */
const ENTRIES = [
  'cli/main.ts',
  'campaign/worker.ts',
  'campaign/bull-process.ts',
  'api/index.ts',
  'api/sim.ts',
];

/** Files that only tests import, and why that is right. */
const FOR_TESTS: Readonly<Record<string, string>> = {
  'sim/footprint.ts': 'coverage and exploration will read it; its property is a test',
  'models/kvm-arm64/codec.ts':
    'relates decoded records to real bit layouts: its properties are tests',
  'models/kvm-x86-tdp/iterator-2020.ts':
    'the form first proposed, kept to answer its reviewer: the answers are tests',
};

const LINES_MAX = 400;
/** Files that are longer, and why they are not cut. */
const LONG: Readonly<Record<string, string>> = {
  'sim/machine.ts': 'the loop, readiness and the fair tail share private state on the hot path',
};

interface Source {
  readonly file: string;
  readonly layer: string;
  readonly text: string;
  /** Text without comments; strings are kept. */
  readonly code: string;
  /** Code without the content of strings and regular expressions. */
  readonly bare: string;
  readonly imports: readonly string[];
}

function read(file: string): Source {
  const text = readFileSync(file, 'utf8');
  const code = withoutComments(text);
  const imports = [...code.matchAll(/(?:from|import|import\()\s*'([^']+)'/g)].map(([, name]) =>
    name!.startsWith('.') ? normalize(join(dirname(file), name!)) : name!,
  );
  return { file, layer: file.split('/')[0]!, text, code, bare: withoutStrings(code), imports };
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, blank).replace(/(^|\s)\/\/.*$/gm, '$1');
}

function withoutStrings(code: string): string {
  return code.replace(/'(?:[^'\\\n]|\\.)*'/g, "''").replace(/`(?:[^`\\]|\\.)*`/g, templateCode);
}

/** Of a template only the expressions are code. */
function templateCode(template: string): string {
  const parts = [...template.matchAll(/\$\{([^}]*)\}/g)].map(([, part]) => part);
  return `(${parts.join(',')})`;
}

/** As many lines as before, so that line numbers stay right. */
function blank(comment: string): string {
  return comment.replace(/[^\n]/g, '');
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((name) => name.endsWith('.ts'))
    .sort((a, b) => (a < b ? -1 : 1));
}

const SOURCES = LAYERS.flatMap((layer) => filesBelow(layer).map(read));
const PURE_SOURCES = SOURCES.filter(({ layer }) => PURE.includes(layer));

/** `file:line: text` of every line of some sources that matches. */
function lines(
  sources: readonly Source[],
  pattern: RegExp,
  of: (source: Source) => string = ({ bare }) => bare,
): string[] {
  return sources.flatMap((source) =>
    of(source)
      .split('\n')
      .flatMap((line, i) =>
        pattern.test(line) ? [`${source.file}:${i + 1}: ${line.trim()}`] : [],
      ),
  );
}

test('every layer has files', (t) => {
  for (const layer of LAYERS)
    t.true(
      SOURCES.some((source) => source.layer === layer),
      layer,
    );
});

// ---- who imports whom ----

for (const layer of LAYERS) {
  const allowed: readonly string[] = [layer, ...BELOW[layer]];
  test(`${layer} imports ${BELOW[layer].join(', ') || 'nothing of ours'} and nothing above`, (t) => {
    const wrong = SOURCES.filter((source) => source.layer === layer).flatMap(({ file, imports }) =>
      imports
        .filter((name) => /^[^@:]+\.ts$/.test(name))
        .filter((name) => !allowed.includes(name.split('/')[0]!))
        .map((name) => `${file} imports ${name}`),
    );
    t.deepEqual(wrong, []);
  });
}

/** The contract, and what walkers and TLBs do of their own accord in every system. */
const SHARED: readonly string[] = ['models/system.ts', 'models/hardware.ts'];

/** Systems that are built on another one's code, whose folder they may import as well. */
const BUILT_ON: Readonly<Record<string, string>> = {
  'models/kvm-arm64-nested': 'models/kvm-arm64',
};

test('a system imports the machine, its own folder and what is shared, and only the registry knows all', (t) => {
  const wrong = SOURCES.filter(
    ({ layer, file }) => layer === 'models' && file.split('/').length > 2,
  ).flatMap(({ file, imports }) =>
    imports
      .filter((name) => name.startsWith('models/') && !SHARED.includes(name))
      .filter((name) => dirname(name) !== dirname(file))
      .filter((name) => dirname(name) !== BUILT_ON[dirname(file)])
      .map((name) => `${file} imports ${name}`),
  );
  t.deepEqual(wrong, []);
});

/** A script of a page that the terminal uses as well. */
function isScript(name: string): boolean {
  return /^cli\/page\/\S+\.js$/.test(name) && existsSync(name);
}

test('relative imports name files that exist, with their ending', (t) => {
  const known = new Set(SOURCES.map(({ file }) => file));
  const wrong = SOURCES.flatMap(({ file, imports }) =>
    imports
      .filter((name) => LAYERS.some((layer) => name.startsWith(`${layer}/`)))
      .filter((name) => !known.has(name) && !isScript(name))
      .map((name) => `${file} imports ${name}`),
  );
  t.deepEqual(wrong, []);
});

test('packages that are imported are dependencies, and Node is imported by campaign and cli only', (t) => {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const { file, layer, imports } of SOURCES) {
    for (const name of imports.filter((one) => !one.endsWith('.ts') && !isScript(one))) {
      if (name.startsWith('node:')) t.false(PURE.includes(layer), `${file} imports ${name}`);
      else t.true(packageOf(name) in dependencies, `${file} imports ${name}`);
    }
  }
});

function packageOf(name: string): string {
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
}

test('every file is imported by another layer file, or is an entry', (t) => {
  const used = new Set([...SOURCES.flatMap(({ imports }) => imports), ...ENTRIES]);
  const unused = SOURCES.map(({ file }) => file).filter((file) => !used.has(file));
  t.deepEqual(
    unused.filter((file) => FOR_TESTS[file] === undefined),
    [],
  );
  const byTests = new Set(filesBelow('test').flatMap((file) => read(file).imports));
  for (const file of unused) t.true(byTests.has(file), `${file} is imported by no test either`);
});

// ---- bans below campaign/ ----

/** Only the guard may name what it guards. */
const UNGUARDED = PURE_SOURCES.filter(({ file }) => file !== 'fuzz/leak-guard.ts');

const BANS: Readonly<Record<string, RegExp>> = {
  'draws from Math.random': /\bMath\.random\b/,
  'reads a clock': /\bDate\b|\bperformance\b|\bhrtime\b/,
  'touches the process': /(?<![.\w])process\b(?!\s*[(:])/,
  'writes to the console': /\bconsole\b/,
  'starts a timer or a task': /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask|nextTick)\b/,
  'waits for a promise': /\basync\b|\bawait\b(?!\()|\bPromise\b/,
  'asks for entropy or weak references': /\bcrypto\b|\bWeakRef\b|\bFinalizationRegistry\b/,
  'depends on a locale': /\btoLocale\w*\b|\blocaleCompare\b|\bIntl\b/,
  'has mutable state at module level': /^(?:export\s+)?(?:let|var)\b/,
  'sorts without a comparator': /\.(?:sort|toSorted)\(\s*\)/,
  'uses functions whose last bit differs between engines':
    /\bMath\.(?:log|log2|log10|log1p|exp|expm1|pow|sin|cos|tan|asin|acos|atan|atan2|sinh|cosh|tanh|cbrt|hypot)\b/,
};

for (const [what, pattern] of Object.entries(BANS)) {
  test(`nothing below campaign/ ${what}`, (t) => {
    t.deepEqual(lines(UNGUARDED, pattern), []);
  });
}

test('the machine does not use bigint', (t) => {
  const sim = SOURCES.filter(({ layer }) => layer === 'sim');
  t.deepEqual(lines(sim, /\bbigint\b|\bBigInt\w*\b|\b\d+n\b|\bBigU?[iI]nt64Array\b/), []);
});

test('the bans find what they ban', (t) => {
  const bad: Readonly<Record<string, string>> = {
    'draws from Math.random': 'const x = Math.random();',
    'reads a clock': 'const x = Date.now();',
    'touches the process': 'const x = process.pid;',
    'writes to the console': 'console.log(1);',
    'starts a timer or a task': 'setTimeout(f, 1);',
    'waits for a promise': 'await f();',
    'asks for entropy or weak references': 'new WeakRef(x);',
    'depends on a locale': "a.localeCompare('b')",
    'has mutable state at module level': 'let count = 0;',
    'sorts without a comparator': 'list.sort()',
    'uses functions whose last bit differs between engines': 'Math.log2(8)',
  };
  t.deepEqual(Object.keys(bad), Object.keys(BANS));
  for (const [what, line] of Object.entries(bad)) t.regex(withoutStrings(line), BANS[what]!, what);
});

test('bug flags are read by systems only, and never by invariants', (t) => {
  const others = SOURCES.filter(
    ({ layer, file }) =>
      layer === 'oracles' || layer === 'fuzz' || layer === 'sim' || file.endsWith('/invariants.ts'),
  );
  t.deepEqual(lines(others, /\.bug\(|\bflags\.on\b/), []);
});

test('machine and oracles name no system', (t) => {
  const general = SOURCES.filter(({ layer }) => layer === 'sim' || layer === 'oracles');
  t.deepEqual(
    lines(general, /kvm-arm64|kvmArm64|KvmWorld/, ({ text }) => text),
    [],
  );
});

// ---- size ----

test(`files have at most ${LINES_MAX} lines, but for a few with a reason`, (t) => {
  const long = SOURCES.filter(({ text }) => text.split('\n').length - 1 > LINES_MAX).map(
    ({ file }) => file,
  );
  t.deepEqual(
    long.filter((file) => LONG[file] === undefined),
    [],
  );
  t.deepEqual(
    Object.keys(LONG).filter((file) => !long.includes(file)),
    [],
    'short by now',
  );
});

test('there are no folders that hold everything', (t) => {
  const folders = readdirSync('.', { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const names = folders.map(({ name }) => name);
  for (const name of ['src', 'utils', 'common', 'types', 'lib', 'helpers']) {
    t.false(names.includes(name), name);
  }
});
