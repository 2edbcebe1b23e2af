/** One instruction of AArch64 assembly as litmus tests write it. */
import type { Cursor } from './cursor.ts';
import {
  type BarrierKind,
  type Condition,
  type Instruction,
  type Operand,
  type Order,
  type Register,
  type Update,
  Zero,
} from './program.ts';
import { Unsupported } from './syntax-error.ts';
import { integer } from './value.ts';

/** What one may write where an instruction is expected, for messages. */
const FAMILIES =
  'LDR STR LDAR LDAPR STLR LDXR LDAXR STXR STLXR SWP CAS LDADD LDSET LDCLR LDEOR STADD STSET STCLR STEOR MOV ADD SUB AND ORR EOR BIC LSL LSR CMP CSEL CSET CBZ CBNZ B DMB DSB ISB TLBI ADR MSR ERET NOP';

/** Known to exist, and not modelled. */
const REFUSED: Readonly<Record<string, string>> = {
  LDP: 'pairs',
  STP: 'pairs',
  SVC: 'system calls',
  DC: 'cache maintenance',
  IC: 'instruction cache maintenance',
};

const UPDATES: Readonly<Record<string, Update>> = {
  SWP: 'swap',
  CAS: 'compare',
  LDADD: 'add',
  LDSET: 'or',
  LDCLR: 'bic',
  LDEOR: 'eor',
  STADD: 'add',
  STSET: 'or',
  STCLR: 'bic',
  STEOR: 'eor',
};

const ARITHMETIC: Readonly<Record<string, 'and' | 'or' | 'eor' | 'bic' | 'add' | 'sub'>> = {
  AND: 'and',
  ORR: 'or',
  EOR: 'eor',
  BIC: 'bic',
  ADD: 'add',
  SUB: 'sub',
};

const INVALIDATIONS: Readonly<Record<string, { operation: 'va' | 'all'; isBroadcast: boolean }>> = {
  VAAE1IS: { operation: 'va', isBroadcast: true },
  VAE1IS: { operation: 'va', isBroadcast: true },
  VALE1IS: { operation: 'va', isBroadcast: true },
  VAALE1IS: { operation: 'va', isBroadcast: true },
  VAAE1: { operation: 'va', isBroadcast: false },
  VAE1: { operation: 'va', isBroadcast: false },
  VALE1: { operation: 'va', isBroadcast: false },
  VMALLE1IS: { operation: 'all', isBroadcast: true },
  VMALLE1: { operation: 'all', isBroadcast: false },
};

/**
 * @param cursor at the mnemonic, ending with the cell
 * @param labels the instruction that each label of the thread names
 * @throws SyntaxFault for what is no instruction, Unsupported for what is one and is not modelled
 */
export function assemble(
  cursor: Cursor,
  line: number,
  labels: ReadonlyMap<string, number>,
): Instruction {
  const start = cursor.at;
  const mnemonic = cursor.word()?.toUpperCase();
  if (mnemonic === undefined) cursor.fail('an instruction');
  const base = { text: cursor.text.slice(start, cursor.end).trim().replace(/\s+/g, ' '), line };
  const found = new Reader(cursor, base, labels).read(mnemonic);
  if (found === undefined) {
    const refused = REFUSED[mnemonic];
    if (refused !== undefined) throw new Unsupported(`${mnemonic}: no ${refused}`);
    throw cursor.fault(`"${mnemonic}" is no instruction; allowed are ${FAMILIES}`, start);
  }
  if (!cursor.isAtEnd) cursor.fail('the end of the instruction');
  return found;
}

class Reader {
  readonly #cursor: Cursor;
  readonly #base: { text: string; line: number };
  readonly #labels: ReadonlyMap<string, number>;

  constructor(
    cursor: Cursor,
    base: { text: string; line: number },
    labels: ReadonlyMap<string, number>,
  ) {
    this.#cursor = cursor;
    this.#base = base;
    this.#labels = labels;
  }

  read(mnemonic: string): Instruction | undefined {
    return (
      this.#memory(mnemonic) ??
      this.#atomic(mnemonic) ??
      this.#compute(mnemonic) ??
      this.#flow(mnemonic) ??
      this.#order(mnemonic)
    );
  }

  #memory(mnemonic: string): Instruction | undefined {
    const reads = ['LDR', 'LDAR', 'LDAPR', 'LDXR', 'LDAXR'].includes(mnemonic);
    if (!reads && !['STR', 'STLR', 'STXR', 'STLXR'].includes(mnemonic)) return undefined;
    const order: Order = {
      acquire: mnemonic === 'LDAR' || mnemonic === 'LDAXR',
      acquirePc: mnemonic === 'LDAPR',
      release: mnemonic === 'STLR' || mnemonic === 'STLXR',
    };
    const isExclusive = mnemonic.endsWith('XR');
    const first = this.#register();
    this.#cursor.expect(',');
    let register = first;
    if (isExclusive && !reads) {
      register = this.#register();
      this.#cursor.expect(',');
    }
    const address = this.#address();
    return {
      ...this.#base,
      kind: 'memory',
      reads,
      writes: !reads,
      target: reads || isExclusive ? first : Zero,
      ...address,
      data: reads ? { value: 0 } : { register },
      expected: Zero,
      update: undefined,
      order,
      isExclusive,
      noReturn: false,
    };
  }

  #atomic(mnemonic: string): Instruction | undefined {
    const match = /^(SWP|CAS|LDADD|LDSET|LDCLR|LDEOR|STADD|STSET|STCLR|STEOR)(AL|A|L)?$/.exec(
      mnemonic,
    );
    if (match === null) return undefined;
    const [, name = '', suffix = ''] = match;
    const isStore = name.startsWith('ST');
    if (isStore && suffix.startsWith('A')) return undefined;
    const first = this.#register();
    this.#cursor.expect(',');
    let second: Register = Zero;
    if (!isStore) {
      second = this.#register();
      this.#cursor.expect(',');
    }
    const address = this.#address();
    const isCompare = name === 'CAS';
    const target = isCompare ? first : second;
    return {
      ...this.#base,
      kind: 'memory',
      reads: true,
      writes: true,
      target,
      ...address,
      data: { register: isCompare ? second : first },
      expected: isCompare ? first : Zero,
      update: UPDATES[name]!,
      order: { acquire: suffix.startsWith('A'), acquirePc: false, release: suffix.endsWith('L') },
      isExclusive: false,
      noReturn: target === Zero && !isCompare && name !== 'SWP',
    };
  }

  #compute(mnemonic: string): Instruction | undefined {
    const cursor = this.#cursor;
    const operation = ARITHMETIC[mnemonic];
    if (operation !== undefined) {
      const target = this.#register();
      cursor.expect(',');
      const left = this.#operand();
      cursor.expect(',');
      const right = this.#operand();
      this.#extension();
      return { ...this.#base, kind: 'arithmetic', operation, target, left, right };
    }
    if (mnemonic === 'LSL' || mnemonic === 'LSR') {
      const target = this.#register();
      cursor.expect(',');
      const left = this.#operand();
      cursor.expect(',');
      const by = this.#immediate() * (mnemonic === 'LSL' ? 1 : -1);
      return {
        ...this.#base,
        kind: 'arithmetic',
        operation: 'shift',
        target,
        left,
        right: { value: by },
      };
    }
    if (mnemonic === 'MOV') {
      const target = this.#register();
      cursor.expect(',');
      return { ...this.#base, kind: 'move', target, from: this.#operand() };
    }
    if (mnemonic === 'CMP') {
      const left = this.#operand();
      cursor.expect(',');
      return { ...this.#base, kind: 'compare', left, right: this.#operand() };
    }
    if (mnemonic === 'CSEL' || mnemonic === 'CSET') return this.#select(mnemonic);
    return undefined;
  }

  #select(mnemonic: string): Instruction {
    const cursor = this.#cursor;
    const target = this.#register();
    cursor.expect(',');
    let then: Operand = { value: 1 };
    let otherwise: Operand = { value: 0 };
    if (mnemonic === 'CSEL') {
      then = this.#operand();
      cursor.expect(',');
      otherwise = this.#operand();
      cursor.expect(',');
    }
    const condition = this.#condition(cursor.word());
    return { ...this.#base, kind: 'select', target, condition, then, else: otherwise };
  }

  #flow(mnemonic: string): Instruction | undefined {
    const cursor = this.#cursor;
    if (mnemonic === 'CBZ' || mnemonic === 'CBNZ') {
      const register = this.#register();
      cursor.expect(',');
      const condition = mnemonic === 'CBZ' ? 'eq' : 'ne';
      return { ...this.#base, kind: 'branch', condition, register, to: this.#label() };
    }
    if (mnemonic === 'B' || mnemonic.startsWith('B.')) {
      const condition = mnemonic === 'B' ? undefined : this.#condition(mnemonic.slice(2));
      return { ...this.#base, kind: 'branch', condition, register: undefined, to: this.#label() };
    }
    if (mnemonic === 'NOP') return { ...this.#base, kind: 'nop' };
    if (mnemonic === 'ERET') return { ...this.#base, kind: 'exception-return' };
    if (mnemonic === 'ADR') {
      const target = this.#register();
      cursor.expect(',');
      return { ...this.#base, kind: 'label-address', target, to: this.#label() };
    }
    if (mnemonic === 'MSR') {
      cursor.expect('ELR_EL1');
      cursor.expect(',');
      return { ...this.#base, kind: 'set-return', from: this.#register() };
    }
    return undefined;
  }

  #order(mnemonic: string): Instruction | undefined {
    const cursor = this.#cursor;
    if (mnemonic === 'ISB') {
      cursor.take('SY');
      return { ...this.#base, kind: 'isb' };
    }
    if (mnemonic === 'DMB' || mnemonic === 'DSB') {
      const { at } = cursor;
      const option = (cursor.word() ?? 'SY').toUpperCase();
      const match = /^(?:SY|ISH|OSH|LD|ST|ISHLD|ISHST|OSHLD|OSHST)$/.exec(option);
      if (match === null)
        throw cursor.fault(
          `"${option}" is no barrier option; SY, ISH, OSH, LD, ST are allowed`,
          at,
        );
      const barrier: BarrierKind = option.endsWith('LD')
        ? 'load'
        : option.endsWith('ST')
          ? 'store'
          : 'full';
      return { ...this.#base, kind: mnemonic === 'DMB' ? 'dmb' : 'dsb', barrier };
    }
    if (mnemonic !== 'TLBI') return undefined;
    const at = cursor.at;
    const name = (cursor.word() ?? '').toUpperCase();
    const form = INVALIDATIONS[name];
    if (form === undefined)
      throw cursor.fault(
        `TLBI "${name}" is not known; allowed are ${Object.keys(INVALIDATIONS).join(', ')}`,
        at,
      );
    let page: Register = Zero;
    if (form.operation === 'va') {
      cursor.expect(',');
      page = this.#register();
    }
    return { ...this.#base, kind: 'invalidate', ...form, page };
  }

  // ---- operands ----

  #register(): Register {
    const { at } = this.#cursor;
    const word = this.#cursor.word();
    const register = word === undefined ? undefined : registerNumber(word);
    if (register === undefined)
      throw this.#cursor.fault(
        `found "${word ?? this.#cursor.found}", expected a register: W0 to W30, X0 to X30, WZR, XZR`,
        at,
      );
    return register;
  }

  #operand(): Operand {
    if (/[#\d]/.test(this.#cursor.text[this.#cursor.at] ?? '')) {
      const value = this.#immediate();
      return { value: integer(value) };
    }
    const register = this.#register();
    return register === Zero ? { value: 0 } : { register };
  }

  #immediate(): number {
    this.#cursor.take('#');
    return this.#cursor.number() ?? this.#cursor.fail('a number from 0');
  }

  #address(): { base: Register; index: Register | undefined } {
    const cursor = this.#cursor;
    cursor.expect('[');
    const base = this.#register();
    let index: Register | undefined;
    if (cursor.take(',')) {
      if (/[#\d]/.test(cursor.text[cursor.at] ?? '')) {
        if (this.#immediate() !== 0) throw new Unsupported('offsets inside a page');
      } else {
        index = this.#register();
        this.#extension();
      }
    }
    cursor.expect(']');
    return { base, index };
  }

  #extension(): void {
    const cursor = this.#cursor;
    if (!cursor.take(',')) return;
    for (const name of ['SXTW', 'UXTW', 'SXTX', 'UXTX']) {
      if (cursor.take(name) || cursor.take(name.toLowerCase())) return;
    }
    cursor.fail('SXTW, UXTW, SXTX or UXTX');
  }

  #condition(name: string | undefined): Condition {
    const condition = name?.toLowerCase();
    if (condition === 'eq' || condition === 'ne') return condition;
    throw this.#cursor.fault(`condition "${name ?? ''}" is not known; EQ and NE are allowed`);
  }

  #label(): number {
    const { at } = this.#cursor;
    const label = this.#cursor.word();
    if (label === undefined) this.#cursor.fail('a label');
    const index = this.#labels.get(label);
    if (index !== undefined) return index;
    throw this.#cursor.fault(`there is no label ${label} in this thread`, at);
  }
}

export function registerNumber(word: string): Register | undefined {
  if (/^[wx]zr$/i.test(word)) return Zero;
  const match = /^[wx](\d{1,2})$/i.exec(word);
  const number = match === null ? 31 : Number(match[1]);
  return number <= 30 ? number : undefined;
}
