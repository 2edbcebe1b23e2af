/**
 * One thread of a litmus test in the course of a run: which instructions are fetched, the values that flow
 * between them through registers, and how far each has come. When an instruction may go on is the business
 * of gates.ts.
 *
 * Fetching follows branches whose operand is known or guessed. A wrong guess makes the run void: what
 * it would show is shown by the run that guessed right.
 */
import { assert } from '../../sim/assert.ts';
import type {
  Condition,
  Instruction,
  MemoryInstruction,
  Operand,
  Register,
  Thread,
} from './program.ts';
import { Zero } from './program.ts';
import { type Cell, constant, NO_BITS, operand, Slot, Stage } from './slot.ts';
import { Unsupported } from './syntax-error.ts';
import { bitwise, code, codeIndex, isCode, shift, sum, type Value } from './value.ts';

const REGISTERS = 31;

export class ThreadState {
  readonly spec: Thread;
  readonly number: number;
  /** Fetched instructions that are more than arithmetic, in program order. */
  path: Slot[] = [];
  /** Direction that was guessed of each branch, by index; absent: none. */
  readonly guesses = new Map<number, boolean>();
  /** A guess was wrong, or an older instruction faulted after a younger one had an effect. */
  isVoid = false;
  isComplete = false;
  #slots: (Slot | undefined)[] = [];
  #pc = 0;
  #end = 0;
  #registers: Cell[] = [];
  #flags: Cell = constant(0);
  #ctrl = NO_BITS;
  #ctrlPick = NO_BITS;
  #returnTo: Cell = constant(0);
  /** The instruction that is executed again after its fault; -1 if none. */
  #retry = -1;
  /** The branch at which fetching stopped. */
  #pending: Slot | undefined;

  constructor(spec: Thread, number: number) {
    this.spec = spec;
    this.number = number;
  }

  reset(): void {
    this.path = [];
    this.guesses.clear();
    this.isVoid = false;
    this.isComplete = false;
    this.#slots = [];
    this.#pc = 0;
    this.#end = this.spec.handler < 0 ? this.spec.code.length : this.spec.handler;
    this.#registers = Array.from({ length: REGISTERS }, (_, register) =>
      constant(this.spec.registers.get(register) ?? 0),
    );
    this.#flags = constant(0);
    this.#ctrl = NO_BITS;
    this.#ctrlPick = NO_BITS;
    this.#returnTo = constant(0);
    this.#pending = undefined;
    this.#retry = -1;
    this.fetch();
  }

  slot(index: number): Slot | undefined {
    return this.#slots[index];
  }

  /** The branch whose direction is neither known nor guessed. */
  get undecided(): Slot | undefined {
    return this.#pending;
  }

  register(register: Register): Value {
    return operand(this.#registers[register]!) ?? 0;
  }

  guess(isTaken: boolean): void {
    assert(this.#pending !== undefined, 'a branch waits for its direction');
    this.guesses.set(this.#pending.index, isTaken);
  }

  /** The barrier of another thread has to wait for something here. */
  isOwing(issuer: number): boolean {
    const bit = 1 << issuer;
    return this.path.some(
      (slot) =>
        ((slot.owes & bit) !== 0 &&
          (!slot.isOver || slot.isUpdating || slot.stage === Stage.Refused)) ||
        (slot.stage === Stage.Waiting &&
          slot.overtaken.some((one) => one.issuer === issuer && one.target === slot.target)),
    );
  }

  /** The barrier of another thread is over: what it did not wait for must not have been its business. */
  settle(issuer: number): void {
    for (const slot of this.path) {
      if (slot.stage !== Stage.Waiting || slot.target !== undefined) continue;
      for (const one of slot.overtaken) {
        if (one.issuer === issuer) slot.excluded.push(one.target);
      }
    }
  }

  /** A mask covers only loads that have their value. */
  areOver(mask: number): boolean {
    for (let rest = mask; rest !== 0; rest &= rest - 1) {
      if (!this.#slots[31 - Math.clz32(rest & -rest)]!.hasRead) return false;
    }
    return true;
  }

  /** Follows the code as far as branches are decided; checks guesses that can be checked. */
  fetch(): void {
    for (const slot of this.path) {
      const guess = slot.instruction.kind === 'branch' ? this.guesses.get(slot.index) : undefined;
      if (guess === undefined || slot.isDone) continue;
      const taken = this.#direction(slot);
      if (taken === undefined) continue;
      slot.isDone = true;
      if (taken !== guess) this.isVoid = true;
    }
    while (!this.isVoid && this.#pc < this.#end && this.#step());
    this.isComplete =
      this.#pc >= this.#end &&
      this.path.every((slot) => slot.isDone || (slot.isOver && !slot.isUpdating));
  }

  /**
   * An access faulted: younger instructions never were. Those that had an effect make the run void.
   * @param isHandled somebody mends the cause, and the instruction is executed again
   */
  fault(slot: Slot, isHandled: boolean): void {
    const at = this.path.indexOf(slot);
    for (const younger of this.path.slice(at + 1)) {
      const barrier = younger.instruction.kind === 'dsb' || younger.instruction.kind === 'dmb';
      if (younger.stage !== Stage.Waiting || (younger.isDone && !barrier)) {
        if (younger.instruction.kind !== 'isb' && younger.instruction.kind !== 'exception-return')
          this.isVoid = true;
      }
      this.#slots[younger.index] = undefined;
      this.guesses.delete(younger.index);
    }
    this.path.length = at + 1;
    this.#pending = undefined;
    this.#registers = slot.registers;
    this.#ctrl = slot.ctrl;
    this.#ctrlPick = slot.ctrlPick;
    if (isHandled) {
      // it fails once: a second failure for the same reason would change nothing
      if (slot.isRetry) this.isVoid = true;
      this.#slots[slot.index] = undefined;
      this.#pc = slot.index;
      this.#retry = slot.index;
    } else if (this.spec.handler < 0 || slot.index >= this.spec.handler) this.#pc = this.#end;
    else {
      this.#pc = this.spec.handler;
      this.#end = this.spec.code.length;
      this.#returnTo = constant(code(this.number, slot.index));
    }
    this.fetch();
  }

  // ---- fetching ----

  /** Fetches one instruction; false when it has to wait for a branch. */
  #step(): boolean {
    const index = this.#pc;
    const instruction = this.spec.code[index]!;
    switch (instruction.kind) {
      case 'nop':
        break;
      case 'move':
        this.#set(instruction.target, this.#read(instruction.from));
        break;
      case 'arithmetic': {
        const left = this.#read(instruction.left);
        const right = this.#read(instruction.right);
        const { operation } = instruction;
        this.#set(
          instruction.target,
          combined([left, right], (x, y) => calculate(operation, x, y)),
        );
        break;
      }
      case 'compare': {
        const left = this.#read(instruction.left);
        const right = this.#read(instruction.right);
        this.#flags = combined([left, right], (x, y) => (x === y ? 1 : 0));
        break;
      }
      case 'select':
        this.#select(instruction);
        break;
      case 'label-address':
        this.#set(instruction.target, constant(code(this.number, instruction.to)));
        break;
      case 'set-return':
        this.#returnTo = this.#registers[instruction.from]!;
        break;
      case 'branch':
        return this.#branch(index, instruction);
      case 'exception-return':
        return this.#return(index, instruction);
      default:
        this.#enter(index, instruction);
    }
    this.#pc = index + 1;
    return true;
  }

  #read(operand: Operand): Cell {
    return 'value' in operand ? constant(operand.value) : this.#register(operand.register);
  }

  #register(register: Register): Cell {
    return register === Zero ? constant(0) : this.#registers[register]!;
  }

  #set(register: Register, cell: Cell): void {
    if (register !== Zero) this.#registers[register] = cell;
  }

  #select(instruction: Instruction & { kind: 'select' }): void {
    const flags = this.#flags;
    const then = this.#read(instruction.then);
    const otherwise = this.#read(instruction.else);
    const { condition } = instruction;
    const cell: Cell = {
      value: undefined,
      basic: then.basic | otherwise.basic,
      pick: then.pick | otherwise.pick | flags.basic | flags.pick,
      make: () => {
        const yes = operand(then);
        const no = operand(otherwise);
        if (yes !== undefined && yes === no) return yes;
        const flag = operand(flags);
        return flag === undefined ? undefined : holds(condition, flag) ? yes : no;
      },
    };
    this.#set(instruction.target, cell);
  }

  #branch(index: number, instruction: Instruction & { kind: 'branch' }): boolean {
    if (instruction.condition === undefined) {
      this.#pc = instruction.to;
      return true;
    }
    const slot = this.#slots[index] ?? this.#enter(index, instruction);
    if (this.#pending !== slot) {
      slot.address =
        instruction.register === undefined ? this.#flags : this.#register(instruction.register);
    }
    const known = this.#direction(slot);
    const taken = known ?? this.guesses.get(index);
    if (taken === undefined) {
      this.#pending = slot;
      return false;
    }
    this.#pending = undefined;
    if (known !== undefined) slot.isDone = true;
    this.#ctrl |= slot.address.basic;
    this.#ctrlPick |= slot.address.pick;
    this.#pc = taken ? instruction.to : index + 1;
    return true;
  }

  #direction(slot: Slot): boolean | undefined {
    const instruction = slot.instruction as Instruction & { kind: 'branch' };
    const value = operand(slot.address);
    if (value === undefined) return undefined;
    if (instruction.register === undefined) return holds(instruction.condition!, value);
    return (value === 0) === (instruction.condition === 'eq');
  }

  #return(index: number, instruction: Instruction): boolean {
    const to = operand(this.#returnTo);
    if (to === undefined || !isCode(to)) throw new Unsupported('a return to what is no label');
    if (this.#slots[index] === undefined) this.#enter(index, instruction).isDone = true;
    this.#pc = codeIndex(to);
    this.#end = this.spec.handler;
    return true;
  }

  /** An instruction that waits for something gets a slot. */
  #enter(index: number, instruction: Instruction): Slot {
    if (this.#slots[index] !== undefined)
      throw new Unsupported('an instruction that is executed twice');
    const slot = new Slot(index, instruction);
    slot.ctrl = this.#ctrl;
    slot.ctrlPick = this.#ctrlPick;
    this.#slots[index] = slot;
    this.path.push(slot);
    if (instruction.kind === 'memory') this.#enterMemory(slot, instruction);
    else if (instruction.kind === 'invalidate') slot.address = this.#register(instruction.page);
    else if (instruction.kind === 'isb' || instruction.kind === 'dmb') slot.isDone = true;
    return slot;
  }

  #enterMemory(slot: Slot, instruction: MemoryInstruction): void {
    slot.address = this.#register(instruction.base);
    if (instruction.index !== undefined) slot.offset = this.#register(instruction.index);
    slot.data = this.#read(instruction.data);
    slot.expected = this.#register(instruction.expected);
    slot.registers = [...this.#registers];
    slot.isRetry = this.#retry === slot.index;
    slot.result = {
      value: undefined,
      make: undefined,
      // what a store says of its success orders nothing
      basic: instruction.reads ? 1 << slot.index : NO_BITS,
      pick: slot.address.pick | slot.offset.pick,
    };
    if (instruction.reads || instruction.isExclusive) this.#set(instruction.target, slot.result);
  }
}

function combined(cells: readonly [Cell, Cell], make: (x: Value, y: Value) => Value): Cell {
  const [left, right] = cells;
  return {
    value: undefined,
    basic: left.basic | right.basic,
    pick: left.pick | right.pick,
    make: () => {
      const x = operand(left);
      const y = operand(right);
      return x === undefined || y === undefined ? undefined : make(x, y);
    },
  };
}

function holds(condition: Condition, flag: Value): boolean {
  return (flag === 1) === (condition === 'eq');
}

export function calculate(operation: string, x: Value, y: Value): Value {
  let result: Value | undefined;
  if (operation === 'add') result = sum(x, y, 1);
  else if (operation === 'sub') result = sum(x, y, -1);
  else if (operation === 'shift') result = shift(x, y);
  else result = bitwise(operation, x, y);
  if (result === undefined) throw new Unsupported(`${operation} of an address or a descriptor`);
  return result;
}
