/** One fetched instruction of a litmus thread: its operands, how far it has come, and what it saw. */
import type { Instruction, MemoryInstruction } from './program.ts';
import { sum, type Value } from './value.ts';

/** How far a memory access has come. */
export const Stage = {
  Waiting: 0,
  /** The translation is known and permits the access. */
  Translated: 1,
  Performed: 2,
  /** The translation refused the access; accesses that come before the exception are not over. */
  Refused: 3,
  Faulted: 4,
} as const;
export type Stage = (typeof Stage)[keyof typeof Stage];

export const NO_BITS = 0;

/** A value on its way, and the loads that it depends on, as bit masks of instruction indices. */
export interface Cell {
  value: Value | undefined;
  readonly make: (() => Value | undefined) | undefined;
  readonly basic: number;
  /** Loads that chose the value without being part of it (CSEL): they order writes only. */
  pick: number;
}

export const constant = (value: Value): Cell => ({
  value,
  make: undefined,
  basic: NO_BITS,
  pick: NO_BITS,
});

/** What a fetched instruction needs, and what is known of it. */
export class Slot {
  readonly index: number;
  readonly instruction: Instruction;
  /** Older loads that branches before it depend on, and those that they pick. */
  ctrl = NO_BITS;
  ctrlPick = NO_BITS;
  address: Cell = constant(0);
  offset: Cell = constant(0);
  data: Cell = constant(0);
  expected: Cell = constant(0);
  result: Cell = constant(0);
  /** Registers as they are for a fault handler. */
  registers: Cell[] = [];
  stage: Stage = Stage.Waiting;
  /** The word accessed, once translated; -1 before. */
  place = -1;
  /** The location whose page is accessed; -1 for descriptors. */
  location = -1;
  cause = '';
  /** Instance of the word that a load saw; -1 when it took the value of an own store that was on its way. */
  seen = -1;
  /** It has faulted before. */
  isRetry = false;
  /** A read-modify-write has read and not written yet. */
  isWriting = false;
  /** The store is issued and not visible to others yet (sim/stores.ts). */
  isPending = false;
  /** What a read-modify-write will write. */
  pending: Value = 0;
  /** The walker has yet to update the entry that the access went through. */
  isUpdating = false;
  /** The instance of the entry that the walk read. */
  readInstance = -1;
  /** Threads whose barrier waits for this access, as a bit mask (cutOff in translation.ts). */
  owes = NO_BITS;
  /**
   * Younger accesses went ahead of this one, and an invalidation cut them off: the barrier of that thread (a bit)
   * waits for this translation, if it is of the same address.
   */
  readonly overtaken: { readonly issuer: number; readonly target: Value }[] = [];
  /** ... and came before this address was known: it must turn out to be another. */
  readonly excluded: Value[] = [];
  /** A barrier is over, an invalidation is issued, a branch is decided. */
  isDone = false;

  constructor(index: number, instruction: Instruction) {
    this.index = index;
    this.instruction = instruction;
  }

  get memory(): MemoryInstruction | undefined {
    return this.instruction.kind === 'memory' ? this.instruction : undefined;
  }

  /** The value that it reads is known, if it reads. */
  get hasRead(): boolean {
    return this.stage >= Stage.Performed;
  }

  get isOver(): boolean {
    return this.hasRead && !this.isWriting && !this.isPending;
  }

  /** The address that it accesses or invalidates; undefined while unknown. */
  get target(): Value | undefined {
    const base = operand(this.address);
    const offset = operand(this.offset);
    return base === undefined || offset === undefined ? undefined : sum(base, offset, 1);
  }
}

/** Exported for gates.ts, which asks for operands. */
export function operand(cell: Cell): Value | undefined {
  if (cell.value === undefined && cell.make !== undefined) cell.value = cell.make();
  return cell.value;
}
