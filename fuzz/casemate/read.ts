/** Reads traces in casemate's format; every error names its line and column. */
import type { CasemateEvent, CasemateRecord } from './format.ts';

/** What is wrong with a trace, and where. */
export class TraceFault extends Error {
  readonly line: number;
  readonly column: number;

  constructor(line: number, column: number, message: string) {
    super(message);
    this.line = line;
    this.column = column;
  }
}

/** A list or a word, with the place where it begins. */
interface Term {
  readonly at: number;
  readonly text: string;
  readonly items: readonly Term[] | undefined;
}

export interface ReadRecord extends CasemateRecord {
  readonly line: number;
}

/** Lines that are empty or begin with `;` or `!` (a verdict of casemate) are no records. */
export function readCasemate(text: string): readonly ReadRecord[] {
  return text.split('\n').flatMap((line, index) => {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith(';') || trimmed.startsWith('!')) return [];
    return [new RecordReader(line, index + 1).record()];
  });
}

const KINDS = 'mem-init, mem-write, mem-read, barrier, tlbi, sysreg-write, hint, lock, unlock';

class RecordReader {
  readonly #text: string;
  readonly #line: number;
  #at = 0;

  constructor(text: string, line: number) {
    this.#text = text;
    this.#line = line;
  }

  record(): ReadRecord {
    const term = this.#term();
    this.#blank();
    if (this.#at < this.#text.length) this.#fail(this.#at, 'one record per line');
    const items = term.items;
    if (items === undefined || items.length === 0)
      this.#fail(term.at, `a record such as (lock ...)`);
    const [head, ...fields] = items!;
    const values = new Map<string, Term>();
    const words: Term[] = [];
    for (const field of fields) {
      if (field.items === undefined) words.push(field);
      else if (field.items.length === 2) values.set(field.items[0]!.text, field.items[1]!);
      else this.#fail(field.at, 'a field with one value, such as (id 1)');
    }
    return {
      tid: Number(this.#number(head!, values, 'tid')),
      event: this.#event(head!, words, values),
      source: this.#value(head!, values, 'src').text,
      line: this.#line,
    };
  }

  #event(head: Term, words: readonly Term[], values: ReadonlyMap<string, Term>): CasemateEvent {
    const number = (name: string): bigint => this.#number(head, values, name);
    switch (head.text) {
      case 'mem-init':
        return { kind: 'mem-init', address: number('address'), size: number('size') };
      case 'mem-write':
        return {
          kind: 'mem-write',
          isRelease: this.#value(head, values, 'mem-order').text.toLowerCase() === 'release',
          address: number('address'),
          value: number('value'),
        };
      case 'mem-read':
        return { kind: 'mem-read', address: number('address'), value: number('value') };
      case 'barrier':
        if (words[0]?.text === 'isb') return { kind: 'barrier', domain: 'isb' };
        return { kind: 'barrier', domain: this.#value(head, values, 'kind').text.toLowerCase() };
      case 'tlbi': {
        const [operation] = words;
        if (operation === undefined) this.#fail(head.at, 'the operation of a tlbi');
        const value = values.has('value') ? number('value') : this.#parts(head, values);
        return { kind: 'tlbi', operation: operation!.text.toLowerCase(), value };
      }
      case 'sysreg-write':
      case 'msr': {
        const register = this.#value(head, values, 'sysreg').text.toLowerCase();
        return { kind: 'sysreg-write', register, value: number('value') };
      }
      case 'hint': {
        const hint = this.#value(head, values, 'kind').text;
        return { kind: 'hint', hint, location: number('location'), value: number('value') };
      }
      case 'lock':
      case 'unlock':
        return { kind: head.text, address: number('address') };
      default:
        return this.#fail(head.at, `one of ${KINDS}`, head.text);
    }
  }

  /** The older form of an invalidation by address: `(addr A) (level L)`. */
  #parts(head: Term, values: ReadonlyMap<string, Term>): bigint | undefined {
    if (!values.has('addr')) return undefined;
    const level = values.has('level') ? this.#number(head, values, 'level') : 0n;
    const hint = level === 0n ? 0n : (4n | level) << 44n;
    return (this.#number(head, values, 'addr') >> 12n) | hint;
  }

  #value(head: Term, values: ReadonlyMap<string, Term>, name: string): Term {
    return values.get(name) ?? this.#fail(head.at, `a field (${name} ...)`, head.text);
  }

  #number(head: Term, values: ReadonlyMap<string, Term>, name: string): bigint {
    const { text, at } = this.#value(head, values, name);
    if (!/^(0x[0-9a-f]{1,16}|\d{1,20})$/i.test(text)) this.#fail(at, `a number for ${name}`, text);
    return BigInt(text);
  }

  // ---- S-expressions ----

  #term(): Term {
    this.#blank();
    const at = this.#at;
    if (this.#text[at] === '"') {
      const end = this.#text.indexOf('"', at + 1);
      if (end < 0) this.#fail(at, 'the end of the string');
      this.#at = end + 1;
      return { at, text: this.#text.slice(at + 1, end), items: undefined };
    }
    if (this.#text[at] !== '(') {
      const text = /^[^\s()"]+/.exec(this.#text.slice(at))?.[0];
      if (text === undefined) this.#fail(at, 'a word or "("');
      this.#at = at + text!.length;
      return { at, text: text!, items: undefined };
    }
    this.#at += 1;
    const items: Term[] = [];
    for (this.#blank(); this.#text[this.#at] !== ')'; this.#blank()) {
      if (this.#at >= this.#text.length) this.#fail(this.#at, '")"');
      items.push(this.#term());
    }
    this.#at += 1;
    return { at, text: '', items };
  }

  #blank(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at += 1;
  }

  #fail(at: number, expected: string, found?: string): never {
    const what = found ?? this.#text.slice(at, at + 20);
    throw new TraceFault(
      this.#line,
      at + 1,
      `found ${what === '' ? 'the end of the line' : `"${what}"`}, expected ${expected}`,
    );
  }
}
