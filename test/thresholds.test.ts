/** Thresholds of coverage fail when a folder is below them; marks that leave code out are few, with a reason. */
import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';

interface Counts {
  readonly total: number;
  readonly covered: number;
}

interface FileCounts {
  readonly name: string;
  readonly statements: Counts;
  readonly branches: Counts;
}

interface Thresholds {
  judge(
    files: readonly FileCounts[],
    thresholds: object,
  ): readonly { folder: string; isLow: boolean; text: string }[];
  isTypesOnly(source: string): boolean;
}

// a script of the CI: no types
const script = new URL('../.ci/thresholds.mjs', import.meta.url).href;
const { judge, isTypesOnly } = (await import(script)) as Thresholds;

const { coverage } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  coverage: { thresholds: Record<string, { statements: number; branches: number }> };
};

function file(name: string, statements: number, branches: number): FileCounts {
  return {
    name,
    statements: { total: 1000, covered: statements },
    branches: { total: 1000, covered: branches },
  };
}

test('the core needs 95 %, the rest 90 %', (t) => {
  const { sim, oracles, fuzz, ...rest } = coverage.thresholds;
  for (const one of [sim, oracles, fuzz]) t.deepEqual(one, { statements: 95, branches: 95 });
  t.deepEqual(Object.keys(rest).sort(), ['api', 'campaign', 'cli', 'models']);
  for (const one of Object.values(rest)) t.deepEqual(one, { statements: 90, branches: 90 });
});

test('a folder below a threshold is low, by statements or by branches, and one without files, too', (t) => {
  const wanted = { sim: { statements: 95, branches: 95 } };
  const isLow = (...files: FileCounts[]): boolean => judge(files, wanted)[0]!.isLow;
  t.false(isLow(file('sim/a.ts', 950, 950)));
  t.true(isLow(file('sim/a.ts', 949, 1000)));
  t.true(isLow(file('sim/a.ts', 1000, 949)));
  t.true(isLow());
  t.true(isLow(file('simple/a.ts', 1000, 1000)), 'another folder');
  t.false(isLow(file('sim/a.ts', 900, 900), file('sim/b.ts', 1000, 1000)), 'of all its files');
  t.regex(
    judge([file('sim/a.ts', 949, 1000)], wanted)[0]!.text,
    /^LOW {2}sim: statements 94\.90 %/,
  );
});

test('a file of types has nothing to cover', (t) => {
  t.true(isTypesOnly("import type { A } from './a.ts';\nexport interface B { readonly a: A }\n"));
  t.true(isTypesOnly('/** const x = 1; */\nexport type C = 1;\n'));
  for (const code of ['const x = 1;', 'export function f() {}', "export { a } from './a.ts';"])
    t.false(isTypesOnly(code), code);
});

const MARKS_MAX = 5;

test(`at most ${MARKS_MAX} marks leave code out of the coverage, each with a reason`, (t) => {
  const folders = Object.keys(coverage.thresholds);
  const marks = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(?:ts|mjs)$/.test(name))
      .flatMap((name) => readFileSync(`${folder}/${name}`, 'utf8').split('\n'))
      .filter((line) => /\b(?:c8|v8|istanbul) ignore\b/.test(line)),
  );
  t.true(marks.length <= MARKS_MAX, marks.join('\n'));
  for (const mark of marks)
    t.regex(mark, /ignore (?:next|start|stop|if|else|file)?.* -- \w+/, mark);
});
