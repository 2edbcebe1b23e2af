/** Text of a litmus test with a position: comments are blanks, so that lines and columns stay true. */
import { SyntaxFault } from './syntax-error.ts';

const BLANK = /\s*/y;
const WORD = /[A-Za-z_][A-Za-z0-9_.]*/y;
const NUMBER = /0[xX][0-9a-fA-F]+|\d+/y;

export class Cursor {
  readonly text: string;
  at: number;
  readonly end: number;

  constructor(text: string, at = 0, end = text.length) {
    this.text = text;
    this.at = at;
    this.end = end;
    this.#skip();
  }

  get isAtEnd(): boolean {
    return this.at >= this.end;
  }

  /** The next word, a number or a single character, for messages. */
  get found(): string {
    if (this.isAtEnd) return 'the end';
    return `"${this.#match(WORD) ?? this.#match(NUMBER) ?? this.text[this.at]}"`;
  }

  fail(expected: string): never {
    throw this.fault(`found ${this.found}, expected ${expected}`);
  }

  fault(message: string, at = this.at): SyntaxFault {
    const before = this.text.slice(0, at).split('\n');
    return new SyntaxFault(before.length, before.at(-1)!.length + 1, message);
  }

  /** Takes `token` if it is next; words only as a whole. */
  take(token: string): boolean {
    if (!this.text.startsWith(token, this.at) || this.at + token.length > this.end) return false;
    const after = this.text[this.at + token.length] ?? '';
    if (/\w$/.test(token) && /\w/.test(after)) return false;
    this.at += token.length;
    this.#skip();
    return true;
  }

  expect(token: string): void {
    if (!this.take(token)) this.fail(`"${token}"`);
  }

  word(): string | undefined {
    return this.#take(WORD);
  }

  number(): number | undefined {
    const text = this.#take(NUMBER);
    return text === undefined ? undefined : Number(text);
  }

  #take(pattern: RegExp): string | undefined {
    const text = this.#match(pattern);
    if (text === undefined) return undefined;
    this.at += text.length;
    this.#skip();
    return text;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const text = pattern.exec(this.text)?.[0];
    return text === undefined || this.at + text.length > this.end ? undefined : text;
  }

  #skip(): void {
    BLANK.lastIndex = this.at;
    this.at += BLANK.exec(this.text)![0].length;
  }
}

/** Comments `(* ... *)`, which nest, become blanks. */
export function withoutComments(text: string): string {
  let depth = 0;
  let result = '';
  for (let i = 0; i < text.length; i += 1) {
    if (text.startsWith('(*', i)) {
      depth += 1;
      result += '  ';
      i += 1;
    } else if (depth > 0 && text.startsWith('*)', i)) {
      depth -= 1;
      result += '  ';
      i += 1;
    } else result += depth === 0 || text[i] === '\n' ? text[i] : ' ';
  }
  return result;
}
