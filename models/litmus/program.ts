/** A litmus test after parsing: initial state, code of each thread, condition. */
import type { Value } from './value.ts';

export const Zero = -1;
/** Number of a general register; Zero reads as 0 and takes no result. */
export type Register = number;

/** What a memory access promises about order. */
export interface Order {
  readonly acquire: boolean;
  /** The weaker acquire of LDAPR: earlier releases may still be on their way. */
  readonly acquirePc: boolean;
  readonly release: boolean;
}

export const PLAIN: Order = { acquire: false, acquirePc: false, release: false };

/** How a read-modify-write makes the new value from the old one and its operand. */
export type Update = 'swap' | 'add' | 'or' | 'bic' | 'eor' | 'compare';

export type Operand = { readonly register: Register } | { readonly value: Value };

interface Base {
  readonly text: string;
  readonly line: number;
}

export interface MemoryInstruction extends Base {
  readonly kind: 'memory';
  readonly reads: boolean;
  readonly writes: boolean;
  /** Where the value read goes. */
  readonly target: Register;
  readonly base: Register;
  /** Register added to the base, or undefined. */
  readonly index: Register | undefined;
  readonly data: Operand;
  /** What a compare-and-swap expects. */
  readonly expected: Register;
  readonly update: Update | undefined;
  readonly order: Order;
  /** A load that begins an exclusive pair, or a store that ends one and says in `target` whether it failed. */
  readonly isExclusive: boolean;
  /** A read-modify-write without result: barriers for loads do not order it. */
  readonly noReturn: boolean;
}

/** A store that is nothing else: no read-modify-write, and not the end of an exclusive pair. */
export function isPlainStore(instruction: Instruction): boolean {
  if (instruction.kind !== 'memory' || !instruction.writes) return false;
  return instruction.update === undefined && !instruction.isExclusive;
}

export type BarrierKind = 'full' | 'load' | 'store';

export type Condition = 'eq' | 'ne';

export type Instruction =
  | MemoryInstruction
  | (Base & { readonly kind: 'move'; readonly target: Register; readonly from: Operand })
  | (Base & {
      readonly kind: 'arithmetic';
      readonly operation: 'and' | 'or' | 'eor' | 'bic' | 'add' | 'sub' | 'shift';
      readonly target: Register;
      readonly left: Operand;
      readonly right: Operand;
    })
  | (Base & { readonly kind: 'compare'; readonly left: Operand; readonly right: Operand })
  | (Base & {
      readonly kind: 'select';
      readonly target: Register;
      readonly condition: Condition;
      readonly then: Operand;
      readonly else: Operand;
    })
  | (Base & {
      readonly kind: 'branch';
      /** Absent: always. */
      readonly condition: Condition | undefined;
      /** CBZ and CBNZ compare this register with 0; else the flags decide. */
      readonly register: Register | undefined;
      readonly to: number;
    })
  | (Base & { readonly kind: 'dsb' | 'dmb'; readonly barrier: BarrierKind })
  | (Base & { readonly kind: 'isb' | 'nop' | 'exception-return' })
  | (Base & {
      readonly kind: 'invalidate';
      readonly operation: 'va' | 'all';
      readonly isBroadcast: boolean;
      readonly page: Register;
    })
  | (Base & { readonly kind: 'label-address'; readonly target: Register; readonly to: number })
  | (Base & { readonly kind: 'set-return'; readonly from: Register });

export interface Thread {
  readonly name: string;
  readonly code: readonly Instruction[];
  /** Index of each label; labels may stand at the end of the code. */
  readonly labels: ReadonlyMap<string, number>;
  /** First instruction of the fault handler in `code`; -1 when a fault ends the thread. */
  readonly handler: number;
  readonly registers: ReadonlyMap<Register, Value>;
  readonly isUnprivileged: boolean;
  /** Hardware updates of the accessed flag and of the dirty state. */
  readonly updatesAccessed: boolean;
  readonly updatesDirty: boolean;
}

export interface Location {
  readonly name: string;
  readonly data: Value;
  readonly entry: Value;
}

export interface FaultAtom {
  readonly kind: 'fault';
  readonly thread: number;
  /** Index of the instruction, or -1 for any. */
  readonly label: number;
  /** Location, or -1 for any. */
  readonly location: number;
  /** Fault class as herd names it; empty for any. */
  readonly cause: string;
  /** As observed: `P1:L0,x`. */
  readonly text: string;
}

export interface ValueAtom {
  readonly kind: 'value';
  readonly observed: string;
  readonly value: Value;
  readonly isEqual: boolean;
}

export type Formula =
  | FaultAtom
  | ValueAtom
  | { readonly kind: 'not'; readonly of: Formula }
  | { readonly kind: 'and' | 'or'; readonly of: readonly Formula[] }
  | { readonly kind: 'true' };

/** A register or a word that final states show. */
export interface Observed {
  readonly name: string;
  readonly thread: number;
  readonly register: Register;
  readonly location: number;
  readonly isEntry: boolean;
}

export const Quantifier = { Exists: 'exists', NotExists: '~exists', ForAll: 'forall' } as const;
export type Quantifier = (typeof Quantifier)[keyof typeof Quantifier];

export interface LitmusTest {
  readonly name: string;
  readonly threads: readonly Thread[];
  readonly locations: readonly Location[];
  /** The condition as written. */
  readonly conditionText: string;
  readonly quantifier: Quantifier;
  readonly condition: Formula;
  readonly observed: readonly Observed[];
  readonly faults: readonly FaultAtom[];
  /** Somebody mends the cause of a fault, and the instruction is executed again (herd: handled, imprecise). */
  readonly handlesFaults: boolean;
}
