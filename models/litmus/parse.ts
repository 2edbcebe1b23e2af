/**
 * Reads litmus tests in herd's format for AArch64 with virtual memory: header, initial state, a column of
 * code per thread (and `P1.F` for its fault handler), condition.
 *
 * Source: the format as herdtools7 documents it; docs/conformance.md lists what is left out.
 */
import { assemble, registerNumber } from './assemble.ts';
import { Cursor, withoutComments } from './cursor.ts';
import { Names, readPlace } from './names.ts';
import type { Instruction, LitmusTest, Location, Thread } from './program.ts';
import { readCondition } from './read-condition.ts';
import { Unsupported } from './syntax-error.ts';
import {
  address,
  DEFAULT_FIELDS,
  descriptor,
  type Fields,
  integer,
  Part,
  type Value,
} from './value.ts';

/** @throws SyntaxFault, or Unsupported for a well-formed test with what is not modelled */
export function parseLitmus(source: string): LitmusTest {
  return new Parser(withoutComments(source)).test();
}

interface Assignment {
  readonly thread: number;
  readonly register: number;
  readonly location: number;
  readonly isEntry: boolean;
  readonly value: Value;
}

interface Column {
  readonly thread: number;
  readonly isHandler: boolean;
  readonly cells: Cell[];
}

interface Cell {
  readonly at: number;
  readonly end: number;
}

class Parser {
  readonly #text: string;
  readonly #names = new Names();
  readonly #header = new Map<string, string>();

  constructor(text: string) {
    this.#text = text;
  }

  test(): LitmusTest {
    const open = this.#text.indexOf('{');
    const cursor = new Cursor(this.#text, 0);
    if (cursor.word() !== 'AArch64') {
      throw new Cursor(this.#text, 0).fault('a test begins with "AArch64 NAME"', 0);
    }
    if (open < 0) throw cursor.fault('no initial state: expected "{"', this.#text.length);
    const [first = '', ...header] = this.#text.slice(0, open).split('\n');
    const name = first.trim().split(/\s+/)[1];
    if (name === undefined) throw cursor.fault('the test has no name', first.length);
    for (const line of header) {
      const match = /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(line);
      if (match !== null) this.#header.set(match[1]!.toLowerCase(), match[2]!);
    }
    const close = this.#text.indexOf('}', open);
    if (close < 0) throw cursor.fault('the initial state does not end: expected "}"', open);
    const assignments = this.#initialState(open + 1, close);
    const after = this.#text
      .slice(close + 1)
      .search(/(?:~|\bnot\s+)?exists\b|forall\b|locations\b|filter\b/);
    if (after < 0)
      throw cursor.fault('no condition: expected exists, ~exists or forall', this.#text.length);
    const columns = this.#columns(close + 1, close + 1 + after);
    const threads = this.#threads(columns, assignments);
    const condition = readCondition(
      new Cursor(this.#text, close + 1 + after),
      this.#names,
      threads,
      (one) => this.#fields(one),
    );
    return {
      name,
      threads,
      locations: this.#locations(assignments),
      ...condition,
      conditionText: this.#text
        .slice(close + 1 + after)
        .replace(/\s+/g, ' ')
        .trim(),
      handlesFaults: /\b(?:imprecise|handled)\b/i.test(this.#header.get('variant') ?? ''),
    };
  }

  // ---- initial state ----

  #initialState(from: number, to: number): Assignment[] {
    const cursor = new Cursor(this.#text, from, to);
    const assignments: Assignment[] = [];
    while (!cursor.isAtEnd) {
      if (cursor.take(';')) continue;
      const one = this.#assignment(cursor);
      if (one !== undefined) assignments.push(one);
      if (!cursor.isAtEnd) cursor.expect(';');
    }
    return assignments;
  }

  #assignment(cursor: Cursor): Assignment | undefined {
    for (const type of ['int64_t', 'uint64_t', 'int', 'pteval_t', 'int32_t', 'uint32_t']) {
      if (cursor.take(type)) break;
    }
    const thread = cursor.number();
    if (thread !== undefined) {
      cursor.expect(':');
      const { at } = cursor;
      const word = cursor.word() ?? '';
      const register = registerNumber(word);
      if (register === undefined)
        throw cursor.fault(`found "${word}", expected a register such as X1`, at);
      // a declaration alone: registers are 0
      const value = cursor.take('=') ? this.#value(cursor, -1) : 0;
      return { thread, register, location: -1, isEntry: false, value };
    }
    const isBracketed = cursor.take('[');
    const place = readPlace(cursor, this.#names);
    if (isBracketed) cursor.expect(']');
    else if (cursor.take('[')) throw new Unsupported('arrays');
    if (!cursor.take('=')) {
      return { thread: -1, register: -1, ...place, value: 0 };
    }
    const value = this.#value(cursor, place.location);
    return { thread: -1, register: -1, ...place, value };
  }

  /** @param location whose descriptor is meant when no output address is given */
  #value(cursor: Cursor, location: number): Value {
    if ((cursor.text[cursor.at] ?? '') === '(') return this.#descriptor(cursor, location);
    const number = cursor.number();
    if (number !== undefined) return integer(number);
    const place = readPlace(cursor, this.#names);
    return address(place.location, place.isEntry ? Part.Entry : Part.Data);
  }

  #descriptor(cursor: Cursor, location: number): Value {
    const { at } = cursor;
    const { fields, output } = this.#fields(cursor);
    const target = output ?? location;
    if (target < 0) throw cursor.fault('a descriptor without output address: expected "oa:"', at);
    return descriptor(target, fields);
  }

  #fields(cursor: Cursor): { fields: Fields; output: number | undefined } {
    cursor.expect('(');
    const fields: Record<string, boolean> = { ...DEFAULT_FIELDS };
    let output: number | undefined;
    while (!cursor.take(')')) {
      const { at } = cursor;
      const name = cursor.word() ?? '';
      cursor.expect(':');
      if (name === 'oa') output = readOutput(cursor, this.#names);
      else if (name in DEFAULT_FIELDS) {
        const bit = cursor.number();
        if (bit !== 0 && bit !== 1) cursor.fail(`0 or 1 for ${name}`);
        fields[name] = bit === 1;
      } else {
        throw cursor.fault(
          `"${name}" is no field of a descriptor; oa, valid, af, db, dbm, el0 are allowed`,
          at,
        );
      }
      if (!cursor.take(',') && cursor.text[cursor.at] !== ')') cursor.fail('"," or ")"');
    }
    return { fields: fields as unknown as Fields, output };
  }

  #locations(assignments: readonly Assignment[]): Location[] {
    return this.#names.all.map((name, number) => {
      const own = assignments.filter(({ location }) => location === number);
      const data = own.findLast(({ isEntry }) => !isEntry)?.value ?? 0;
      const entry = own.findLast(({ isEntry }) => isEntry)?.value;
      return { name, data, entry: entry ?? descriptor(number, DEFAULT_FIELDS) };
    });
  }

  // ---- code ----

  #columns(from: number, to: number): Column[] {
    const columns: Column[] = [];
    let at = from;
    while (at < to) {
      let end = this.#text.indexOf(';', at);
      if (end < 0 || end > to) end = to;
      if (this.#text.slice(at, end).trim() === '') {
        at = end + 1;
        continue;
      }
      const cells: Cell[] = [];
      let cell = at;
      for (let i = at; i <= end; i += 1) {
        if (i < end && this.#text[i] !== '|') continue;
        cells.push({ at: cell, end: i });
        cell = i + 1;
      }
      if (columns.length === 0) columns.push(...cells.map((one) => this.#heading(one)));
      else this.#row(columns, cells);
      at = end + 1;
    }
    if (columns.length === 0)
      throw new Cursor(this.#text, from).fault('no code: expected "P0 | P1 ;"', from);
    return columns;
  }

  #heading(cell: Cell): Column {
    const cursor = new Cursor(this.#text, cell.at, cell.end);
    const word = cursor.word() ?? '';
    const match = /^P(\d{1,2})(\.F)?$/.exec(word);
    if (match === null) throw cursor.fault(`found "${word}", expected P0, P1 or P0.F`, cell.at);
    return { thread: Number(match[1]), isHandler: match[2] !== undefined, cells: [] };
  }

  #row(columns: readonly Column[], cells: readonly Cell[]): void {
    if (cells.length > columns.length) {
      const message = `a row of ${cells.length} cells; there are ${columns.length} columns`;
      throw new Cursor(this.#text, 0).fault(message, cells[0]!.at);
    }
    cells.forEach((cell, i) => {
      if (this.#text.slice(cell.at, cell.end).trim() !== '') columns[i]!.cells.push(cell);
    });
  }

  #threads(columns: readonly Column[], assignments: readonly Assignment[]): Thread[] {
    const count = 1 + Math.max(...columns.map(({ thread }) => thread));
    return Array.from({ length: count }, (_, number) => {
      const main = columns.find((one) => one.thread === number && !one.isHandler);
      const handler = columns.find((one) => one.thread === number && one.isHandler);
      const { code, labels, lengths } = this.#code([main?.cells ?? [], handler?.cells ?? []]);
      const registers = new Map<number, Value>();
      for (const one of assignments) {
        if (one.thread === number && one.register >= 0) registers.set(one.register, one.value);
      }
      return {
        name: `P${number}`,
        code,
        labels,
        handler: handler === undefined ? -1 : lengths[0]!,
        registers,
        isUnprivileged: new RegExp(`\\bP${number}\\b`).test(this.#header.get('el0') ?? ''),
        updatesAccessed: this.#updates(number, 'HA') || this.#updates(number, 'HD'),
        updatesDirty: this.#updates(number, 'HD'),
      };
    });
  }

  /** `TTHM=HA HD` for every thread, `TTHM=P1:HA` for one. */
  #updates(thread: number, what: string): boolean {
    const words = (this.#header.get('tthm') ?? '').split(/[\s,]+/);
    return words.includes(what) || words.includes(`P${thread}:${what}`);
  }

  /** The code of some columns, one after the other. */
  #code(columns: readonly (readonly Cell[])[]): {
    code: Instruction[];
    labels: Map<string, number>;
    lengths: number[];
  } {
    const cells: { cursor: Cursor; line: number }[] = [];
    const labels = new Map<string, number>();
    const lengths: number[] = [];
    for (const column of columns) {
      for (const cell of column) {
        const cursor = new Cursor(this.#text, cell.at, cell.end);
        this.#labels(cursor, labels, cells.length);
        if (cursor.isAtEnd) continue;
        cells.push({ cursor, line: this.#text.slice(0, cursor.at).split('\n').length });
      }
      lengths.push(cells.length);
    }
    const code = cells.map(({ cursor, line }) => assemble(cursor, line, labels));
    return { code, labels, lengths };
  }

  #labels(cursor: Cursor, labels: Map<string, number>, index: number): void {
    for (;;) {
      const { at } = cursor;
      const word = cursor.word();
      if (word === undefined || !cursor.take(':')) {
        cursor.at = at;
        return;
      }
      labels.set(word, index);
    }
  }
}

/** `PA(x)` or `phy_x`. */
function readOutput(cursor: Cursor, names: Names): number {
  const word = cursor.word();
  if (word === 'PA' && cursor.take('(')) {
    const name = cursor.word();
    if (name === undefined) cursor.fail('a location');
    cursor.expect(')');
    return names.number(name);
  }
  if (word?.startsWith('phy_') === true) return names.number(word.slice(4));
  return cursor.fail('PA(location) or phy_location');
}
