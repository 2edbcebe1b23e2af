/**
 * The machine that a litmus test runs on: a PE per thread, a table of one level with an entry per location, a
 * page of one word per location. Every instruction that accesses memory, waits or invalidates is an actor of
 * its PE, as in the window of an out-of-order processor; gates.ts says which may go on.
 *
 * The stage of translation is the hypervisor's regime, the one of this machine with a single stage: addresses
 * without VMID, TLBI by address or all.
 */
import { Domain } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { assert } from '../../sim/assert.ts';
import { ACCESSED, isValid } from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { type Geometry, LAST_LEVEL } from '../../sim/geometry.ts';
import { Shareability, Tlbi } from '../../sim/invalidation.ts';
import { Machine } from '../../sim/machine.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import type { Listener, MachineSpec, ProgramEntry } from '../../sim/spec.ts';
import { StoreOrder } from '../../sim/stores.ts';
import { Regime } from '../../sim/tables.ts';
import { TLB_CAPACITY, TlbKind } from '../../sim/tlb.ts';
import { Fidelity, mayComplete, mayFault, mayGuess, mayInvalidate, type Rules } from './gates.ts';
import { mayStep } from './lookup.ts';
import { describe } from './outcome.ts';
import type { Instruction, LitmusTest } from './program.ts';
import { type Slot, Stage } from './slot.ts';
import { Unsupported } from './syntax-error.ts';
import { ThreadState } from './thread.ts';
import { litmusHardware } from './translation.ts';
import { checkSize, LOCATIONS_MAX, type Unit, unitsOf, WORD_BITS } from './units.ts';
import { FIRST_FRAME, isAddress, locationOf, Part, partOf } from './value.ts';

const at = sites('litmus', ['access', 'barrier', 'branch', 'invalidate', 'update']);

const TABLE_FRAME = 1;
/** Spontaneous updates of the accessed flag of one entry in a run. */
const UPDATES_MAX = 2;

const GEOMETRY: Geometry = {
  granuleBits: 12,
  bitsPerLevel: WORD_BITS,
  startLevel: 3,
  rootPages: 1,
  blockLevels: [],
  windowPages: LOCATIONS_MAX,
};

/** Something that a thread did. */
export interface Note {
  readonly thread: number;
  readonly text: string;
}

export class LitmusMachine {
  readonly test: LitmusTest;
  readonly rules: Rules;
  readonly machine: Machine;
  readonly threads: readonly ThreadState[];
  readonly units: readonly Unit[];
  /** The words that a run may change: descriptors, then data. */
  readonly words: readonly number[];
  /** Updates that each updating actor has made. */
  readonly updates: Int32Array;
  /** Takes notes of a run when given. */
  journal: Note[] | undefined;
  readonly #program: ProgramEntry[][];

  /** @throws Unsupported when the test is too large for the machine, or loops */
  constructor(test: LitmusTest, rules: Rules) {
    this.test = test;
    this.rules = rules;
    checkSize(test);
    this.units = unitsOf(test);
    this.threads = test.threads.map((thread, number) => new ThreadState(thread, number));
    this.updates = new Int32Array(this.units.length);
    this.machine = new Machine(this.#spec());
    this.#listen();
    this.#program = this.units.map((unit) => [
      { key: this.#key(unit), implicit: false, start: (self: Actor) => this.#body(unit, self) },
    ]);
    const { memory } = this.machine;
    this.words = test.locations.flatMap((_, location) => [
      memory.address(TABLE_FRAME, location),
      memory.address(FIRST_FRAME + location, 0),
    ]);
  }

  /** Back to the initial state; the machine is ready to run. */
  reset(): void {
    const { machine } = this;
    machine.reset();
    machine.pages.role[TABLE_FRAME] = Role.Table;
    machine.tables.plant(0, TABLE_FRAME);
    machine.pes.forEach((pe, number) => {
      const thread = this.test.threads[number]!;
      pe.ttbr0 = TABLE_FRAME << 8;
      pe.ttbr0Generation = machine.pages.generation[TABLE_FRAME]!;
      pe.updatesAccessed = thread.updatesAccessed;
      pe.updatesDirty = thread.updatesDirty;
    });
    this.test.locations.forEach(({ data, entry }, location) => {
      machine.write(at.access, this.entryWord(location), entry, true);
      machine.memory.store(this.dataWord(location), data, 0);
    });
    for (const thread of this.threads) thread.reset();
    this.updates.fill(0);
    machine.load(this.#program);
  }

  entryWord(location: number): number {
    return this.machine.memory.address(TABLE_FRAME, location);
  }

  dataWord(location: number): number {
    return this.machine.memory.address(FIRST_FRAME + location, 0);
  }

  slotOf(actor: Actor): Slot | undefined {
    const unit = this.units[actor.index]!;
    return unit.entry >= 0 ? undefined : this.threads[unit.thread]!.slot(unit.index);
  }

  get isVoid(): boolean {
    return this.threads.some(({ isVoid }) => isVoid);
  }

  /** Every thread has come to its end, and the run counts. */
  get isComplete(): boolean {
    return this.threads.every(({ isVoid, isComplete }) => isComplete && !isVoid);
  }

  /** What happens, for people; costs nothing while there is no journal. */
  note(thread: ThreadState, text: () => string): void {
    this.journal?.push({ thread: thread.number, text: text() });
  }

  /** Something changed that gates look at. */
  progress(thread: ThreadState): void {
    thread.fetch();
    for (const slot of thread.path) {
      if (slot.stage === Stage.Refused && mayFault(thread, slot, this.rules))
        slot.stage = Stage.Faulted;
    }
    this.machine.stirred = true;
  }

  #spec(): MachineSpec {
    const { test } = this;
    return {
      frames: FIRST_FRAME + LOCATIONS_MAX,
      kernelFrames: 1,
      backedPages: 2 + test.locations.length,
      pes: test.threads.length,
      // hardware actors: a run ends when none of them can go on
      actors: this.units.map((unit) => ({ name: this.#key(unit), role: 'pe', pe: unit.thread })),
      locks: [],
      sectionDomains: 0,
      trees: [
        {
          name: 'table',
          geometry: GEOMETRY,
          regime: Regime.Hypervisor,
          vmid: -1,
          lock: -1,
          annotations: false,
          counted: false,
        },
      ],
      guestTree: 0,
      hypervisorTree: 0,
      storeOrder: this.rules.fidelity === Fidelity.F2 ? StoreOrder.Location : StoreOrder.Immediate,
      hardwareAccessed: test.threads.some(({ updatesAccessed }) => updatesAccessed),
      hardware: litmusHardware(this),
      admits: (actor) => this.#admits(actor),
    };
  }

  #key(unit: Unit): string {
    if (unit.entry >= 0) return `update${unit.entry}`;
    return `p${unit.thread}i${unit.index}`;
  }

  // ---- what may go on ----

  #admits(actor: Actor): boolean {
    const unit = this.units[actor.index]!;
    if (this.isVoid) return false;
    if (unit.entry >= 0) {
      const word = this.machine.memory.load(this.entryWord(unit.entry));
      return isValid(word) && (word & ACCESSED) === 0;
    }
    const thread = this.threads[unit.thread]!;
    const slot = thread.slot(unit.index);
    if (slot === undefined) return false;
    switch (slot.instruction.kind) {
      case 'memory':
        return mayStep(this, thread, slot, actor);
      case 'dsb':
        return mayComplete(thread, slot) && !this.#isOwed(thread, slot);
      case 'branch':
        return mayGuess(thread, slot, this.rules);
      default: {
        if (!mayInvalidate(thread, slot, this.rules)) return false;
        // the operand is known only now
        actor.y = this.#page(slot);
        return true;
      }
    }
  }

  /** An invalidation is over for a PE when the accesses that it cut off there are. */
  #isOwed(thread: ThreadState, { instruction }: Slot): boolean {
    if (instruction.kind !== 'dsb' || instruction.barrier !== 'full') return false;
    return this.threads.some((other) => other.isOwing(thread.number));
  }

  #page(slot: Slot): number {
    const value = slot.target!;
    if (slot.instruction.kind !== 'invalidate' || slot.instruction.operation === 'all') return 0;
    // the page of a descriptor is none of those that tests translate
    const isPage = isAddress(value) && partOf(value) !== Part.Entry;
    return isPage ? locationOf(value) : LOCATIONS_MAX;
  }

  // ---- what the actors do ----

  #body(unit: Unit, self: Actor): Operation<number> {
    if (unit.entry >= 0) return this.#updates(unit.entry, self);
    const thread = this.threads[unit.thread]!;
    const instruction = thread.spec.code[unit.index]!;
    switch (instruction.kind) {
      case 'memory':
        return this.#access(self);
      case 'dsb':
        return this.#barrier(thread, unit.index, instruction, self);
      case 'branch':
        return this.#branch(thread, self);
      default:
        return this.#invalidate(thread, unit.index, instruction, self);
    }
  }

  *#access(self: Actor): Operation<number> {
    // address, intent and data are those of the slot when the access is performed
    return yield* self.hypervisorAccess(at.access, 0, 0, 0);
  }

  *#barrier(
    thread: ThreadState,
    index: number,
    instruction: Instruction,
    self: Actor,
  ): Operation<number> {
    const isFull = instruction.kind === 'dsb' && instruction.barrier === 'full';
    yield* self.dsb(at.barrier, isFull ? Domain.Inner : Domain.InnerStore);
    thread.slot(index)!.isDone = true;
    for (const other of isFull ? this.threads : []) other.settle(thread.number);
    this.note(thread, () => `${instruction.text} is over`);
    this.progress(thread);
    return 0;
  }

  *#branch(thread: ThreadState, self: Actor): Operation<number> {
    // an event of its own without effect on memory
    yield* self.isb(at.branch);
    const { text } = thread.undecided!.instruction;
    const isTaken = this.machine.choose(at.branch, 2) === 1;
    thread.guess(isTaken);
    this.note(thread, () => `guesses that ${text} is ${isTaken ? '' : 'not '}taken`);
    this.progress(thread);
    return 0;
  }

  *#invalidate(
    thread: ThreadState,
    index: number,
    instruction: Instruction,
    self: Actor,
  ): Operation<number> {
    assert(instruction.kind === 'invalidate', 'an invalidation');
    const operation = instruction.operation === 'all' ? Tlbi.Alle2 : Tlbi.Vae2;
    const share = instruction.isBroadcast ? Shareability.Inner : Shareability.Local;
    yield* self.tlbi(at.invalidate, operation, share, 0, 0, 1);
    thread.slot(index)!.isDone = true;
    this.note(thread, () => instruction.text);
    this.progress(thread);
    return 0;
  }

  /** Walkers may set the accessed flag of an entry for accesses that are never executed. */
  *#updates(location: number, self: Actor): Operation<number> {
    for (let i = 0; i < UPDATES_MAX; i += 1) {
      yield* self.or(at.update, this.entryWord(location), ACCESSED);
      this.updates[self.index]! += 1;
      this.note(this.threads[self.pe]!, () => {
        const { name } = this.test.locations[location]!;
        return `a walker sets the accessed flag of ${name} ahead of any access`;
      });
      this.machine.stirred = true;
    }
    return 0;
  }

  // ---- TLBs ----

  /**
   * Whatever may be cached is: a PE may walk for any address at any time, so after each change of a valid
   * entry every TLB may hold it. Which entry a lookup finds is a choice.
   */
  #listen(): void {
    const { machine } = this;
    const changed: Listener = {
      onEvent: (_kind, word, _old, next) => {
        for (let pe = 0; pe < machine.pes.length; pe += 1)
          this.#fill(pe, machine.memory.index(word), next);
      },
    };
    machine.listen(changed, [Event.Descriptor]);
    machine.listen({ onEvent: (_kind, word) => this.#becameVisible(word) }, [Event.StoreVisible]);
  }

  /** A store that was issued took effect. */
  #becameVisible(word: number): void {
    const actor = this.machine.actors[this.machine.actor];
    const slot = actor === undefined ? undefined : this.slotOf(actor);
    if (slot?.isPending !== true || slot.place !== word) return;
    slot.isPending = false;
    const thread = this.threads[actor!.pe]!;
    this.note(thread, () => {
      const value = describe(this.test, this.machine.memory.load(word));
      return `${slot.instruction.text} is visible: ${value}`;
    });
    this.progress(thread);
  }

  /** After an invalidation, what memory holds now may be cached again. */
  refill(pe: number): void {
    for (let page = 0; page < this.test.locations.length; page += 1)
      this.#fill(pe, page, this.machine.memory.load(this.entryWord(page)));
  }

  #fill(pe: number, page: number, word: number): void {
    if (!isValid(word) || (word & ACCESSED) === 0) return;
    const { tlb } = this.machine.pes[pe]!;
    for (let i = 0; i < tlb.count; i += 1) {
      if (tlb.first[i] === page && tlb.word[i] === word) return;
    }
    if (tlb.count === TLB_CAPACITY) throw new Unsupported('more translations than a TLB holds');
    const at = tlb.count;
    tlb.count = at + 1;
    tlb.kind[at] = TlbKind.Leaf2;
    tlb.vmid[at] = -1;
    tlb.first[at] = page;
    tlb.bits[at] = 0;
    tlb.level[at] = LAST_LEVEL;
    tlb.word[at] = word;
    tlb.address[at] = this.entryWord(page);
    tlb.instance[at] = this.machine.instance;
    tlb.generation[at] = 0;
    tlb.row[at] = -1;
  }
}
