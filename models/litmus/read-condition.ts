/** The condition of a litmus test, and what its final states show. */
import { registerNumber } from './assemble.ts';
import type { Cursor } from './cursor.ts';
import { type Names, readPlace } from './names.ts';
import {
  type FaultAtom,
  type Formula,
  type LitmusTest,
  type Observed,
  Quantifier,
  type Thread,
} from './program.ts';
import { Unsupported } from './syntax-error.ts';
import { address, code, descriptor, type Fields, integer, Part, type Value } from './value.ts';

type Result = Pick<LitmusTest, 'quantifier' | 'condition' | 'observed' | 'faults'>;

type ReadFields = (cursor: Cursor) => { fields: Fields; output: number | undefined };

export function readCondition(
  cursor: Cursor,
  names: Names,
  threads: readonly Thread[],
  fields: ReadFields,
): Result {
  const reader = new ConditionReader(cursor, names, threads, fields);
  if (cursor.take('locations')) reader.locations();
  // without a condition a test only shows its states
  if (cursor.isAtEnd) return reader.result(Quantifier.ForAll, { kind: 'true' });
  if (cursor.take('filter')) throw new Unsupported('filter');
  const isNegated = cursor.take('~') || cursor.take('not');
  let quantifier: Quantifier;
  if (cursor.take('exists')) quantifier = isNegated ? Quantifier.NotExists : Quantifier.Exists;
  else if (!isNegated && cursor.take('forall')) quantifier = Quantifier.ForAll;
  else cursor.fail('exists, ~exists or forall');
  const condition = reader.formula();
  cursor.take(';');
  if (!cursor.isAtEnd) cursor.fail('the end of the test');
  return reader.result(quantifier, condition);
}

class ConditionReader {
  readonly observed = new Map<string, Observed>();
  readonly faults = new Map<string, FaultAtom>();
  readonly #cursor: Cursor;
  readonly #names: Names;
  readonly #threads: readonly Thread[];
  readonly #fields: ReadFields;

  constructor(cursor: Cursor, names: Names, threads: readonly Thread[], fields: ReadFields) {
    this.#cursor = cursor;
    this.#names = names;
    this.#threads = threads;
    this.#fields = fields;
  }

  result(quantifier: Quantifier, condition: Formula): Result {
    return {
      quantifier,
      condition,
      observed: [...this.observed.values()],
      faults: [...this.faults.values()],
    };
  }

  locations(): void {
    const cursor = this.#cursor;
    cursor.expect('[');
    while (!cursor.take(']')) {
      if (cursor.take('fault') || cursor.take('Fault')) this.#fault();
      else this.#place();
      cursor.take(';');
    }
  }

  formula(): Formula {
    const parts = [this.#conjunction()];
    while (this.#cursor.take('\\/')) parts.push(this.#conjunction());
    return parts.length === 1 ? parts[0]! : { kind: 'or', of: parts };
  }

  #conjunction(): Formula {
    const parts = [this.#atom()];
    while (this.#cursor.take('/\\')) parts.push(this.#atom());
    return parts.length === 1 ? parts[0]! : { kind: 'and', of: parts };
  }

  #atom(): Formula {
    const cursor = this.#cursor;
    if (cursor.take('~') || cursor.take('not')) return { kind: 'not', of: this.#atom() };
    if (cursor.take('true')) return { kind: 'true' };
    if (cursor.take('fault') || cursor.take('Fault')) return this.#fault();
    if (cursor.take('(')) {
      const inner = this.formula();
      cursor.expect(')');
      return inner;
    }
    const place = this.#place();
    const isEqual = cursor.take('=');
    if (!isEqual) cursor.expect('<>');
    return { kind: 'value', observed: place.name, value: this.#value(place), isEqual };
  }

  #value(place: Observed): Value {
    const cursor = this.#cursor;
    if (cursor.text[cursor.at] === '(') {
      const { at } = cursor;
      const { fields, output } = this.#fields(cursor);
      const location = output ?? place.location;
      if (location < 0)
        throw cursor.fault('a descriptor without output address: expected "oa:"', at);
      return descriptor(location, fields);
    }
    const number = cursor.number();
    if (number !== undefined) return integer(number);
    if (cursor.take('label')) return this.#label();
    const { location, isEntry } = readPlace(cursor, this.#names);
    return address(location, isEntry ? Part.Entry : Part.Data);
  }

  /** `label:"P1:L0"` */
  #label(): Value {
    const cursor = this.#cursor;
    cursor.expect(':');
    cursor.expect('"');
    const thread = this.#thread();
    cursor.expect(':');
    const label = cursor.word() ?? '';
    cursor.expect('"');
    const index = this.#threads[thread]!.labels.get(label);
    if (index === undefined) throw cursor.fault(`there is no label ${label} in P${thread}`);
    return code(thread, index);
  }

  #place(): Observed {
    const cursor = this.#cursor;
    const { at } = cursor;
    const isThread = cursor.take('P') || /\d/.test(cursor.text[cursor.at] ?? '');
    const asThread = /^P?(\d+)\s*:/.exec(cursor.text.slice(at, cursor.end));
    if (asThread !== null) {
      cursor.at = at + asThread[0].length;
      const thread = Number(asThread[1]);
      if (thread >= this.#threads.length) throw cursor.fault(`there is no thread ${thread}`, at);
      const word = cursor.word() ?? '';
      const register = registerNumber(word);
      if (register === undefined) throw cursor.fault(`found "${word}", expected a register`, at);
      return this.#observe({
        name: `${thread}:X${register}`,
        thread,
        register,
        location: -1,
        isEntry: false,
      });
    }
    if (isThread) cursor.at = at;
    const isBracketed = cursor.take('[');
    const { location, isEntry } = readPlace(cursor, this.#names);
    if (isBracketed) cursor.expect(']');
    else if (cursor.take('[')) throw new Unsupported('arrays');
    const name = this.#names.all[location]!;
    return this.#observe({
      name: isEntry ? `[PTE(${name})]` : `[${name}]`,
      thread: -1,
      register: -1,
      location,
      isEntry,
    });
  }

  #observe(place: Observed): Observed {
    if (!this.observed.has(place.name)) this.observed.set(place.name, place);
    return place;
  }

  #thread(): number {
    const cursor = this.#cursor;
    const { at } = cursor;
    const word = cursor.word() ?? '';
    const number = /^P(\d+)$/.exec(word)?.[1];
    if (number === undefined || Number(number) >= this.#threads.length)
      throw cursor.fault(
        `found "${word}", expected a thread: P0 to P${this.#threads.length - 1}`,
        at,
      );
    return Number(number);
  }

  /** `(P1:L0, x, MMU:Permission)`; label, location and class may be left out. */
  #fault(): FaultAtom {
    const cursor = this.#cursor;
    cursor.expect('(');
    const thread = this.#thread();
    let label = -1;
    let text = `P${thread}`;
    if (cursor.take(':')) {
      const name = cursor.word() ?? '';
      const index = this.#threads[thread]!.labels.get(name);
      if (index === undefined) throw cursor.fault(`there is no label ${name} in P${thread}`);
      label = index;
      text += `:${name}`;
    }
    let location = -1;
    let cause = '';
    if (cursor.take(',')) {
      const place = readPlace(cursor, this.#names);
      location = place.location;
      text += `,${this.#names.all[location]}`;
      if (cursor.take(',')) {
        cause = this.#cause();
        text += `,MMU:${cause}`;
      }
    }
    cursor.expect(')');
    const atom: FaultAtom = { kind: 'fault', thread, label, location, cause, text };
    if (!this.faults.has(text)) this.faults.set(text, atom);
    return atom;
  }

  #cause(): string {
    const cursor = this.#cursor;
    cursor.take('D-');
    cursor.expect('MMU');
    cursor.expect(':');
    const { at } = cursor;
    const cause = cursor.word() ?? '';
    if (!['Translation', 'AccessFlag', 'Permission'].includes(cause))
      throw cursor.fault(
        `"${cause}" is no fault; Translation, AccessFlag, Permission are allowed`,
        at,
      );
    return cause;
  }
}
