/**
 * Stores and register writes that a PE has issued and that have no effect yet: fidelity F2 (Arm: any
 * order but per location) and `tso` (x86: one queue per PE, first in, first out). Each takes effect in
 * an event of its own, which the scheduler places. Owned by the machine; at F1 there is none of it.
 *
 * A page that is allocated has its old words until its zeroing, which is a pending store as well,
 * takes effect.
 *
 * Source: spec/arm.md 1.7, 1.8, 1.11 R1-R6, amendments E6, E7, E15; spec/x86-xen.md A14.
 */
import { Access, Register } from './access.ts';
import type { Actor } from './actor.ts';
import { assert } from './assert.ts';
import { ACCESSED, leaf, READ, WRITE } from './descriptor.ts';
import { Event } from './event.ts';
import type { Machine } from './machine.ts';
import type { Memory, WordAddress } from './memory.ts';
import type { Pe } from './pe.ts';
import { type Site, siteOf } from './site.ts';

const HOSTILE_PAGE = siteOf('choice.hostilePage');

/** In which order the stores of one PE become visible. */
export const StoreOrder = {
  /** At once, with the step that makes them (F1). */
  Immediate: 0,
  /** Stores to one location in order, others in any order (Arm). */
  Location: 1,
  /** First in, first out (x86). */
  Queue: 2,
} as const;
export type StoreOrder = (typeof StoreOrder)[keyof typeof StoreOrder];

/** Stores of one PE that may be pending; a further one waits. */
export const STORE_SLOTS = 8;
/** Sources of one PE: its slots, then one per register. */
export const DELAYED_SOURCES = STORE_SLOTS + 2;
/** `pe` of a pending event that is a store or register write taking effect. */
export const EFFECT = -2;

const EMPTY = 0;
const WORD = 1;
/** The store waits for every earlier one of its PE. */
const RELEASE = 2;
/** All words of a page become zero. */
const PAGE = 3;

/** Pending stores of all PEs, by slot. */
export class Stores {
  readonly order: StoreOrder;
  /** By slot (pe * STORE_SLOTS + i): EMPTY, or what is pending. */
  readonly kind: Uint8Array;
  readonly word: Int32Array;
  readonly value: Int32Array;
  readonly actor: Int32Array;
  readonly operation: Int32Array;
  readonly site: Int32Array;
  /** Grows with every store; and with every barrier that orders stores. */
  readonly age: Int32Array;
  readonly epoch: Int32Array;
  readonly pending: Int32Array;
  /** Descriptors that became valid, by word: the instance that did it. */
  readonly validSince = new Map<WordAddress, number>();
  readonly #memory: Memory;
  #ages = 0;
  readonly #epochs: Int32Array;

  constructor(order: StoreOrder, pes: number, memory: Memory) {
    const slots = order === StoreOrder.Immediate ? 0 : pes * STORE_SLOTS;
    this.order = order;
    this.#memory = memory;
    this.kind = new Uint8Array(slots);
    this.word = new Int32Array(slots);
    this.value = new Int32Array(slots);
    this.actor = new Int32Array(slots);
    this.operation = new Int32Array(slots);
    this.site = new Int32Array(slots);
    this.age = new Int32Array(slots);
    this.epoch = new Int32Array(slots);
    this.pending = new Int32Array(pes);
    this.#epochs = new Int32Array(pes);
  }

  reset(): void {
    this.kind.fill(EMPTY);
    this.pending.fill(0);
    this.#epochs.fill(0);
    this.#ages = 0;
    this.validSince.clear();
  }

  isFull(pe: number): boolean {
    return this.pending[pe] === STORE_SLOTS;
  }

  /** A store that is pending on the PE is to this word. */
  isPendingTo(pe: number, word: WordAddress): boolean {
    return this.pending[pe]! > 0 && this.#newest(pe, word) >= 0;
  }

  /** What a load of this PE sees: its own newest store to the word, else memory. */
  load(pe: number, word: WordAddress): number {
    const slot = this.pending[pe] === 0 ? -1 : this.#newest(pe, word);
    if (slot < 0) return this.#memory.load(word);
    return this.kind[slot] === PAGE ? 0 : this.value[slot]!;
  }

  /** Later stores of the PE become visible after the earlier ones. */
  separate(pe: number): void {
    this.#epochs[pe]! += 1;
  }

  add(pe: number, kind: number, word: WordAddress, value: number, actor: Actor): void {
    let slot = pe * STORE_SLOTS;
    while (this.kind[slot] !== EMPTY) slot += 1;
    assert(slot < (pe + 1) * STORE_SLOTS, 'a store waits while the slots are full');
    this.kind[slot] = kind;
    this.word[slot] = word;
    this.value[slot] = value;
    this.actor[slot] = actor.index;
    this.operation[slot] = actor.operation;
    this.site[slot] = actor.site;
    this.age[slot] = this.#ages;
    this.epoch[slot] = this.#epochs[pe]!;
    this.#ages += 1;
    this.pending[pe]! += 1;
  }

  remove(slot: number): void {
    this.kind[slot] = EMPTY;
    this.pending[Math.floor(slot / STORE_SLOTS)]! -= 1;
  }

  /** No earlier store of the PE must become visible first. */
  mayTakeEffect(slot: number): boolean {
    if (this.kind[slot] === EMPTY) return false;
    const first = slot - (slot % STORE_SLOTS);
    const waitsForAll = this.order === StoreOrder.Queue || this.kind[slot] === RELEASE;
    for (let other = first; other < first + STORE_SLOTS; other += 1) {
      if (this.kind[other] === EMPTY || this.age[other]! >= this.age[slot]!) continue;
      if (waitsForAll || this.epoch[other]! < this.epoch[slot]!) return false;
      if (this.#meet(other, slot)) return false;
    }
    return true;
  }

  #meet(one: number, other: number): boolean {
    if (this.kind[one] !== PAGE && this.kind[other] !== PAGE)
      return this.word[one] === this.word[other];
    return this.#memory.frame(this.word[one]!) === this.#memory.frame(this.word[other]!);
  }

  #newest(pe: number, word: WordAddress): number {
    const first = pe * STORE_SLOTS;
    let newest = -1;
    for (let slot = first; slot < first + STORE_SLOTS; slot += 1) {
      if (this.kind[slot] === EMPTY) continue;
      const isHere =
        this.kind[slot] === PAGE
          ? this.#memory.frame(this.word[slot]!) === this.#memory.frame(word)
          : this.word[slot] === word;
      if (isHere && (newest < 0 || this.age[slot]! > this.age[newest]!)) newest = slot;
    }
    return newest;
  }
}

// ---- issue ----

export function issueStore(machine: Machine, actor: Actor): void {
  issueTo(machine, actor, actor.x, actor.y, actor.access === Access.StoreRelease);
}

/** A store of the actor to a word. @param isRelease it becomes visible after every earlier one of its PE */
export function issueTo(
  machine: Machine,
  actor: Actor,
  word: WordAddress,
  value: number,
  isRelease: boolean,
): void {
  const { stores } = machine;
  const old = stores.load(actor.pe, word);
  stores.add(actor.pe, isRelease ? RELEASE : WORD, word, value, actor);
  machine.emit(Event.StoreIssue, actor.site, word, old, value, 0);
  issued(machine, actor.pe);
}

function issued(machine: Machine, pe: number): void {
  // other threads of the PE may be parked at a store that there is no room for now
  if (machine.stores.isFull(pe)) machine.stirred = true;
  refresh(machine, pe);
}

/**
 * The page keeps its old words until the zeroing takes effect: those of its last life, or, as a choice,
 * what nobody here wrote, such as entries that map the page itself.
 */
export function issueZero(machine: Machine, actor: Actor, frame: number): void {
  const { memory } = machine;
  if (machine.choose(HOSTILE_PAGE, 2) === 1) {
    const word = leaf(frame, READ | WRITE | ACCESSED);
    for (let index = 0; index < memory.wordsPerPage; index += 1)
      memory.store(memory.address(frame, index), word, 0);
  }
  machine.stores.add(actor.pe, PAGE, machine.memory.address(frame, 0), 0, actor);
  issued(machine, actor.pe);
}

export function issueRegister(machine: Machine, actor: Actor): void {
  const pe = machine.pes[actor.pe]!;
  const slot = actor.x === Register.Ttbr0El2 ? 1 : 0;
  const { delayed } = pe;
  // one write of a register is pending at a time: the older one has had its effect
  if (delayed.isPending[slot] === true) takeRegisterEffect(machine, pe, slot);
  delayed.isPending[slot] = true;
  delayed.register[slot] = actor.x;
  delayed.value[slot] = actor.y;
  delayed.generation[slot] = machine.pages.generation[actor.y >>> 8]!;
  delayed.actor[slot] = actor.index;
  delayed.operation[slot] = actor.operation;
  delayed.site[slot] = actor.site;
  machine.emit(Event.Register, actor.site, actor.x, actor.y, 0, 0);
  machine.setReady(machine.sources.effect(pe.index, STORE_SLOTS + slot), true);
}

// ---- effect ----

/** The pending event at a PE's delayed source. */
export function delayedEvent(
  machine: Machine,
  pe: number,
  index: number,
): { operation: number; site: Site; actor: number } {
  if (index < STORE_SLOTS) {
    const slot = pe * STORE_SLOTS + index;
    const { operation, site, actor } = machine.stores;
    return { operation: operation[slot]!, site: site[slot]!, actor: actor[slot]! };
  }
  const { delayed } = machine.pes[pe]!;
  const slot = index - STORE_SLOTS;
  return {
    operation: delayed.operation[slot]!,
    site: delayed.site[slot]!,
    actor: delayed.actor[slot]!,
  };
}

export function isDelayed(machine: Machine, pe: number, index: number): boolean {
  return index < STORE_SLOTS
    ? machine.stores.kind[pe * STORE_SLOTS + index] !== EMPTY
    : machine.pes[pe]!.delayed.isPending[index - STORE_SLOTS] === true;
}

/** The event at a PE's delayed source happens; the machine has set actor and operation. */
export function takeEffect(machine: Machine, pe: number, index: number): void {
  if (index >= STORE_SLOTS) {
    takeRegisterEffect(machine, machine.pes[pe]!, index - STORE_SLOTS);
    return;
  }
  const { stores, memory } = machine;
  const slot = pe * STORE_SLOTS + index;
  const word = stores.word[slot]!;
  const site = stores.site[slot]!;
  const kind = stores.kind[slot]!;
  stores.remove(slot);
  machine.setReady(machine.sources.effect(pe, index), false);
  if (kind === PAGE) zeroPage(machine, site, memory.frame(word));
  else machine.write(site, word, stores.value[slot]!, false);
  refresh(machine, pe);
  machine.stirred = true;
}

/** Every word of a page becomes zero for everybody. */
export function zeroPage(machine: Machine, site: Site, frame: number): void {
  const { memory } = machine;
  // a page that is part of a tree already changes entry by entry
  if (machine.tables.treeOf[frame]! >= 0) {
    for (let index = 0; index < memory.wordsPerPage; index += 1) {
      const word = memory.address(frame, index);
      if (memory.load(word) !== 0) machine.write(site, word, 0, false);
    }
  } else memory.zero(frame);
  machine.emit(Event.Zeroed, site, frame, 0, 0, 0);
}

function takeRegisterEffect(machine: Machine, pe: Pe, slot: number): void {
  const { delayed } = pe;
  delayed.isPending[slot] = false;
  const value = delayed.value[slot]!;
  const register = delayed.register[slot]! as Register;
  setRegister(machine, pe, register, value, delayed.generation[slot]!);
  machine.setReady(machine.sources.effect(pe.index, STORE_SLOTS + slot), false);
  machine.emit(Event.RegisterEffect, delayed.site[slot]!, register, value, pe.index, 0);
}

/** @param generation of the root page that the value names, where it does */
export function setRegister(
  machine: Machine,
  pe: Pe,
  register: Register,
  value: number,
  generation: number,
): void {
  if (register === Register.Vttbr) {
    pe.vttbr = value;
    pe.vttbrGeneration = generation;
  } else if (register === Register.Ttbr0El2) {
    pe.ttbr0 = value;
    pe.ttbr0Generation = generation;
  } else if (register === Register.WriteLog) {
    pe.logsWrites = value !== 0;
  } else {
    assert(register === Register.SctlrEl2, 'a known register is written');
    pe.mmu = (value & 1) !== 0;
    machine.stirred = true;
  }
}

/** A context synchronisation event: register writes have their effect; faults are fresh from here on. */
export function synchronise(machine: Machine, pe: Pe): void {
  const { delayed } = pe;
  if (delayed.isPending[0] === true) takeRegisterEffect(machine, pe, 0);
  if (delayed.isPending[1] === true) takeRegisterEffect(machine, pe, 1);
  pe.synchronisedAt = machine.instance;
}

/** Which stores of the PE may take effect has changed. */
function refresh(machine: Machine, pe: number): void {
  for (let index = 0; index < STORE_SLOTS; index += 1) {
    const isReady = machine.stores.mayTakeEffect(pe * STORE_SLOTS + index);
    machine.setReady(machine.sources.effect(pe, index), isReady);
  }
}

// ---- waiting ----

/** The access waits for stores of its PE; at the end of a grace period, of any PE. */
export function waitsForStores(machine: Machine, actor: Actor): boolean {
  const { stores } = machine;
  const count = stores.pending[actor.pe]!;
  switch (actor.access) {
    case Access.GracePeriod:
      // every PE executes a full barrier within it, this one before it begins
      return actor.y === 0 ? count > 0 : stores.pending.some((pending) => pending > 0);
    case Access.Store:
    case Access.StoreRelease:
    case Access.Allocate:
      return stores.isFull(actor.pe);
    case Access.Add:
    case Access.Or:
      // relaxed: only the order of its location counts
      if (stores.order === StoreOrder.Location) return stores.isPendingTo(actor.pe, actor.x);
      return count > 0;
    case Access.Acquire:
    case Access.GuestEnter:
    case Access.Invalidate:
    case Access.FreeLater:
      // x86: a locked operation, or one that serialises
      return stores.order === StoreOrder.Queue && count > 0;
    case Access.CompareExchange:
    case Access.Exchange:
    case Access.And:
    case Access.Barrier:
    case Access.Release:
    case Access.Free:
    case Access.Assign:
    case Access.Zero:
    case Access.AllocateRun:
      return count > 0;
    default:
      return false;
  }
}

/** Accesses for which `waitsForStores` may be true. */
export const WAIT_FOR_STORES: readonly Access[] = [
  Access.Store,
  Access.StoreRelease,
  Access.Allocate,
  Access.Add,
  Access.Or,
  Access.Acquire,
  Access.GuestEnter,
  Access.Invalidate,
  Access.FreeLater,
  Access.CompareExchange,
  Access.Exchange,
  Access.And,
  Access.Barrier,
  Access.Release,
  Access.Free,
  Access.Assign,
  Access.Zero,
  Access.AllocateRun,
  Access.GracePeriod,
];
