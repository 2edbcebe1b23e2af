// Writes docs/api.md from the declarations and docstrings of what `stagewright` and `stagewright/sim` export.
// With --check it writes nothing, and fails when an export has no docstring or the page does not have it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';

const PAGE = 'docs/api.md';
const ENTRIES = [
  { entry: 'stagewright', file: 'api/index' },
  { entry: 'stagewright/sim', file: 'api/sim' },
];

const folder = mkdtempSync(join(tmpdir(), 'stagewright-api-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const emit = ['-p', 'tsconfig.build.json', '--emitDeclarationOnly', '--outDir', folder];
execFileSync('node_modules/.bin/tsc', emit, { stdio: 'inherit' });

function read(file) {
  return readFileSync(join(folder, `${file}.d.ts`), 'utf8');
}

/** Exports of an entry: name, and the file that declares it. */
function exportsOf(file) {
  const blocks = read(file).matchAll(/export (?:type )?\{([^}]*)\} from '(\.[^']+)\.ts';/g);
  return [...blocks].flatMap(([, names, from]) =>
    names
      .split(',')
      .map((one) => one.trim().replace(/^type /, ''))
      .map((name) => ({ name, file: normalize(join(dirname(file), from)) })),
  );
}

/** The declarations of a name, and the docstring of the first that has one. */
function documented({ name, file }) {
  const text = read(file);
  const start = `export (?:declare )?(?:const|function|class|interface|type) ${name}\\b`;
  const found = [
    ...text.matchAll(new RegExp(`(/\\*\\*(?:(?!\\*/)[\\s\\S])*\\*/\\n)?(${start})`, 'g')),
  ];
  if (found.length === 0) throw new Error(`${file} does not declare ${name}`);
  const comment = found.map((match) => match[1]).find((one) => one !== undefined);
  const code = found.map((match) => statement(text, match.index + (match[1]?.length ?? 0)));
  return { name, file, doc: plain(comment ?? ''), code };
}

/** One declaration, from its `export` to the semicolon or brace that ends it. */
function statement(text, from) {
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    if (text.startsWith('/*', at)) at = text.indexOf('*/', at) + 1;
    else if ('{(['.includes(text[at])) depth += 1;
    else if ('})]'.includes(text[at])) depth -= 1;
    const isBlock =
      text[at] === '}' &&
      text[at + 1] !== ';' &&
      /^export (?:interface|declare class)/.test(text.slice(from, from + 20));
    if (depth === 0 && (text[at] === ';' || isBlock))
      return text.slice(from, at + 1).replace(/^export (?:declare )?/, '');
  }
  throw new Error(`a declaration does not end: ${text.slice(from, from + 60)}`);
}

function plain(comment) {
  return comment
    .replace(/^\/\*\*|\*\/\s*$/g, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, ''))
    .join('\n')
    .trim();
}

const sections = ENTRIES.map(({ entry, file }) => ({
  entry,
  items: exportsOf(file).map(documented),
}));
const all = sections.flatMap(({ items }) => items);
const missing = all.filter(({ doc }) => doc === '');
for (const { name, file } of missing)
  process.stdout.write(`${file}.ts: ${name} has no docstring\n`);

if (process.argv.includes('--check')) {
  const kept = readFileSync(PAGE, 'utf8');
  const lacking = all.filter(({ name }) => !kept.includes(`\n### ${name}\n`));
  for (const { name } of lacking)
    process.stdout.write(`${PAGE} has no ${name}: npm run api-docs\n`);
  process.exitCode = missing.length + lacking.length > 0 ? 1 : 0;
} else {
  const page = sections.flatMap(({ entry, items }) => [
    `\n## ${entry}`,
    ...items.map(
      ({ name, file, doc, code }) =>
        `\n### ${name}\n\n${doc}\n\n\`\`\`ts\n${code.join('\n')}\n\`\`\`\n\n(${file}.ts)`,
    ),
  ]);
  const head =
    'Made by `npm run api-docs` from declarations and docstrings; docs/tutorial.md is where to begin.';
  writeFileSync(PAGE, `# API\n\n${head}\n${page.join('\n')}\n`);
  process.stdout.write(`${PAGE}: ${all.length} exports\n`);
  process.exitCode = missing.length > 0 ? 1 : 0;
}
