/** A case file as YAML: its shape, and where things lie in it, so that every complaint names line and column. */
import { isMap, isNode, LineCounter, parseDocument, type YAMLMap } from 'yaml';
import { z } from 'zod';
import { FORMAT } from './case.ts';
import { POLICY_VERSION } from './strategies/policy.ts';

/** Something in a case file is wrong; the message names what was found and what is allowed. */
export class CaseError extends Error {
  override readonly name = 'CaseError';
  readonly file: string;
  readonly line: number;
  readonly column: number;

  constructor(file: string, line: number, column: number, message: string) {
    super(`${file}:${line}:${column}: ${message}`);
    this.file = file;
    this.line = line;
    this.column = column;
  }
}

const WHOLE = z.int().min(0);

const SCHEMA = z.strictObject({
  format: z.literal(FORMAT),
  policy: z.literal(POLICY_VERSION),
  system: z.string(),
  configuration: z.string(),
  with: z.record(z.string(), WHOLE).optional(),
  bug: z.string().optional(),
  program: z.record(z.string(), z.record(z.string(), z.string())),
  order: z.array(z.string()).optional(),
  choices: z.record(z.string(), WHOLE).optional(),
  expect: z.union([
    z.literal('clean'),
    z.strictObject({ oracle: z.string(), rule: z.string(), at: z.string() }),
  ]),
  recorded: z
    .strictObject({
      answers: z.string(),
      steps: WHOLE,
      digest: z.string().regex(/^[0-9a-f]{16}$/, 'a digest has 16 hexadecimal digits'),
    })
    .optional(),
});

export type Raw = z.infer<typeof SCHEMA>;
export type Path = readonly (string | number)[];

/** Where things of one file lie, and how to complain about them. */
export class Source {
  readonly file: string;
  readonly document: ReturnType<typeof parseDocument>;
  readonly #lines = new LineCounter();

  constructor(file: string, text: string) {
    this.file = file;
    this.document = parseDocument(text, {
      lineCounter: this.#lines,
      uniqueKeys: true,
      prettyErrors: false,
    });
    const [error] = this.document.errors;
    if (error !== undefined) {
      const { line, col } = this.#lines.linePos(error.pos[0]);
      throw new CaseError(file, line, col, `not YAML: ${error.message}`);
    }
  }

  /** @param atKey the last name of the path itself is wrong, not what it stands for */
  fail(path: Path, message: string, atKey = false): never {
    const { line, col } = this.#lines.linePos(this.#offset(path, atKey));
    throw new CaseError(this.file, line, col, message);
  }

  /** Offset of the node at a path, of its key for the last name, or of what contains it. */
  #offset(path: Path, atKey: boolean): number {
    const { contents } = this.document;
    let offset = isNode(contents) ? (contents.range?.[0] ?? 0) : 0;
    for (let length = 1; length <= path.length; length += 1) {
      const parent = length === 1 ? contents : this.document.getIn(path.slice(0, length - 1), true);
      const step = path[length - 1]!;
      if (isMap(parent)) {
        const pair = (parent as YAMLMap).items.find(
          (item) => String(keyText(item.key)) === String(step),
        );
        if (pair !== undefined && isNode(pair.key)) offset = pair.key.range?.[0] ?? offset;
        if (!atKey && pair !== undefined && length === path.length && isNode(pair.value)) {
          offset = pair.value.range?.[0] ?? offset;
        }
      } else {
        const node = this.document.getIn(path.slice(0, length), true);
        if (isNode(node)) offset = node.range?.[0] ?? offset;
      }
    }
    return offset;
  }
}

function keyText(key: unknown): unknown {
  return isNode(key) && 'value' in key ? key.value : key;
}

/** The file has the shape of a case; names in it are not checked yet. */
export function checkShape(source: Source): Raw {
  const result = SCHEMA.safeParse(source.document.toJS());
  if (result.success) return result.data;
  // a misspelt key is the cause of a missing one
  const issues = result.error.issues.flatMap(insideUnion);
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0];
  const path = (issue?.path ?? []) as Path;
  if (issue?.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys;
    const allowed = path.length === 0 ? ` (${Object.keys(SCHEMA.shape).join(', ')})` : '';
    return source.fail([...path, key], `unknown key "${key}"${allowed}`, true);
  }
  const where = path.length === 0 ? 'the file' : `"${path.join('.')}"`;
  const isMissing = issue?.code === 'invalid_type' && issue.message.endsWith('received undefined');
  return source.fail(
    path,
    isMissing ? `${where} is missing` : `${where}: ${issue?.message ?? 'invalid'}`,
  );
}

type Issue = z.core.$ZodIssue;

/** What is wrong inside the mapping form of a value that may also be one word. */
function insideUnion(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const inner = issue.errors.find((issues) =>
    issues.some(({ code, path }) => path.length > 0 || code === 'unrecognized_keys'),
  );
  if (inner === undefined) {
    return [{ ...issue, message: 'either "clean" or a mapping with oracle, rule and at' }];
  }
  return inner.map((one) => ({ ...one, path: [...issue.path, ...one.path] }));
}
