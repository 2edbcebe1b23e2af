/**
 * Footprints: the objects that an event touches, and whether it writes them. Two events depend on each
 * other iff one actor makes both or their footprints conflict; swapping two adjacent independent events changes
 * neither the final state nor a finding (test/sim/footprint.test.ts). Everything that asks about dependence reads it here.
 *
 * An event is a group of trace rows; its footprint is the union of theirs. What oracles look at when they
 * judge belongs to it (the end of an operation reads tables and TLBs), and what decides whether the
 * event is enabled.
 *
 * Objects are small integers, dense per machine, so that explorers keep what they know of each in arrays.
 */
import { FAMILIES, FAMILY, Family, LOOKS_AT_ENTRIES } from './claim-families.ts';
import type { ClaimCode } from './claims.ts';
import { Intent } from './descriptor.ts';
import { Event, type EventCode } from './event.ts';
import type { Machine } from './machine.ts';
import { placeTree } from './place.ts';
import { Regime } from './tables.ts';
import type { Trace } from './trace.ts';

const ALL = (): number => -1;

/** What the objects of a machine are, in the order of their numbers. */
class Space {
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Room for `count` objects; the number of the first. */
  take(count: number): number {
    const first = this.#size;
    this.#size += count;
    return first;
  }
}

/** The footprint of one event: fill it row by row. Reused, so that nothing is allocated per event. */
export class Footprint {
  /** Objects of the machine: every object is below. */
  readonly objects: number;
  /** Objects below are words, numbered as in memory. */
  readonly words: number;
  /** Objects touched, each once. */
  readonly touched: Int32Array;
  count = 0;
  /** By object: 0 untouched, 1 read, 2 written. */
  readonly #access: Uint8Array;
  readonly #machine: Machine;
  readonly #pes: number;
  readonly #trees: number;
  /** First reference count word, or -1. */
  readonly #countBase: number;

  /** Role, generation and place of a page: what makes an access to it one to a freed page. */
  readonly #page: number;
  /** TLB, walks in flight and regime of a PE. */
  readonly #tlb: number;
  readonly #register: number;
  /** Invalidations of one PE that have not arrived at another. */
  readonly #outstanding: number;
  /** The abstract map of a tree. */
  readonly #tree: number;
  readonly #lock: number;
  readonly #section: number;
  /** Domains whose sections a free may have waited for: none where nothing is freed later. */
  readonly #awaited: number;
  /** Callbacks that wait for readers, and whether more may come. */
  readonly #callbacks: number;
  /** Stores that a PE has issued and nobody else sees. */
  readonly #stores: number;
  /** The order of the pool of free pages. */
  readonly #pool: number;
  /** What claims are about, by family. */
  readonly #claims: number;
  /** All reference counts, as far as they are judged when a lock is dropped. */
  readonly #counts: number;

  /** By operation: trees that its card is about, as a bit mask. */
  readonly #treesOf: (operation: number) => number;
  /** The trees of guests, as a bit mask. */
  readonly #guestTrees: number;

  /** @param treesOf trees that the card of an operation is about, as a bit mask; all when not given */
  constructor(machine: Machine, countBase: number, treesOf: (operation: number) => number = ALL) {
    this.#machine = machine;
    this.#treesOf = treesOf;
    this.#guestTrees = machine.tables.trees.reduce(
      (mask, { regime, index }) => (regime === Regime.Guest ? mask | (1 << index) : mask),
      0,
    );
    this.#pes = machine.pes.length;
    this.#trees = machine.tables.trees.length;
    this.#countBase = countBase;
    const { spec, memory } = machine;
    const space = new Space();
    space.take(memory.frames << memory.shift);
    this.words = space.size;
    this.#page = space.take(memory.frames);
    this.#tlb = space.take(this.#pes);
    this.#register = space.take(this.#pes);
    this.#outstanding = space.take(this.#pes * this.#pes);
    this.#tree = space.take(this.#trees);
    this.#lock = space.take(spec.locks.length);
    this.#section = space.take(spec.sectionDomains);
    this.#awaited = (spec.reclaims ?? 0) > 0 ? spec.sectionDomains : 0;
    this.#callbacks = space.take(1);
    this.#stores = space.take(this.#pes);
    this.#pool = space.take(1);
    this.#claims = space.take(FAMILIES);
    this.#counts = space.take(1);
    this.objects = space.size;
    this.touched = new Int32Array(this.objects);
    this.#access = new Uint8Array(this.objects);
  }

  clear(): void {
    for (let i = 0; i < this.count; i += 1) this.#access[this.touched[i]!] = 0;
    this.count = 0;
  }

  /** The objects that arrivals of invalidations write, wherever they come from. */
  get arrivals(): readonly number[] {
    const pes = Array.from({ length: this.#pes }, (_, pe) => this.#tlb + pe);
    const ways = Array.from({ length: this.#pes * this.#pes }, (_, way) => this.#outstanding + way);
    return [...pes, ...ways];
  }

  writes(object: number): boolean {
    return this.#access[object] === 2;
  }

  /** Some object is in both, and at least one of the two writes it. */
  conflictsWith(other: Footprint): boolean {
    for (let i = 0; i < this.count; i += 1) {
      const object = this.touched[i]!;
      const access = other.#access[object]!;
      if (access === 2 || (access === 1 && this.#access[object] === 2)) return true;
    }
    return false;
  }

  /** Adds the rows [from, to) of a trace. */
  add(trace: Trace, from: number, to: number): void {
    for (let row = from; row < to; row += 1) {
      this.#row(
        trace.kind(row),
        trace.actor(row),
        trace.operand(row, 0),
        trace.operand(row, 1),
        trace.operand(row, 2),
        trace.operand(row, 3),
      );
      if (trace.looked(row)) for (let pe = 0; pe < this.#pes; pe += 1) this.#read(this.#tlb + pe);
    }
  }

  #touch(object: number, access: 1 | 2): void {
    const known = this.#access[object]!;
    if (known === 0) {
      this.touched[this.count] = object;
      this.count += 1;
    }
    if (known < access) this.#access[object] = access;
  }

  #read(object: number): void {
    this.#touch(object, 1);
  }

  #write(object: number): void {
    this.#touch(object, 2);
  }

  /** Reads a word, and whether its page is still a table. */
  #readWord(word: number): void {
    this.#read(word);
    this.#read(this.#page + this.#machine.memory.frame(word));
  }

  #writeWord(word: number): void {
    this.#write(word);
    this.#read(this.#page + this.#machine.memory.frame(word));
    const frame = word - this.#countBase;
    if (this.#countBase >= 0 && frame >= 0 && frame < this.#machine.memory.frames)
      this.#write(this.#counts);
  }

  /**
   * Oracles look at what trees say, besides at TLBs (which the trace knows) and at what claims said.
   * @param mask trees that they look at
   */
  #judgesTrees(mask: number): void {
    for (let tree = 0; tree < this.#trees; tree += 1) {
      if ((mask & (1 << tree)) !== 0) this.#read(this.#tree + tree);
    }
  }

  /** What oracles look at when a lock is dropped: the trees that it guards, and counts of their pages. */
  #judgesUnder(lock: number): void {
    const { trees } = this.#machine.tables;
    for (let tree = 0; tree < this.#trees; tree += 1) {
      if (trees[tree]!.lock !== lock) continue;
      this.#read(this.#tree + tree);
      if (trees[tree]!.counted) this.#read(this.#counts);
    }
  }

  #row(kind: EventCode, actor: number, a: number, b: number, c: number, d: number): void {
    const pe = actor < 0 ? 0 : this.#machine.actors[actor]!.pe;
    switch (kind) {
      case Event.Read:
      case Event.Wait:
      case Event.CompareFailed:
      case Event.TouchFreed:
        this.#readWord(a);
        return;
      case Event.StoreIssue:
        this.#write(this.#stores + pe);
        return;
      case Event.StoreVisible:
        this.#writeWord(a);
        if (this.#machine.delays) this.#write(this.#stores + pe);
        return;
      case Event.Descriptor:
        this.#write(this.#tree + placeTree(d));
        this.#read(this.#claims + Family.Age);
        this.#read(this.#claims + Family.Owner);
        if ((this.#guestTrees & (1 << placeTree(d))) === 0) return;
        this.#read(this.#claims + Family.Host);
        this.#read(this.#claims + Family.Log);
        return;
      case Event.Linked:
      case Event.Unlinked:
        // it becomes or ceases to be a table; the row of the descriptor follows
        this.#write(this.#page + a);
        this.#write(this.#counts);
        return;
      case Event.Barrier:
        for (let target = 0; target < this.#pes; target += 1)
          this.#read(this.#outstanding + pe * this.#pes + target);
        this.#read(this.#tlb + pe);
        if (this.#machine.delays) this.#write(this.#stores + pe);
        return;
      case Event.Register:
        this.#write(this.#register + pe);
        return;
      case Event.InvalidateIssue:
        this.#read(this.#register + pe);
        for (let target = 0; target < this.#pes; target += 1) {
          this.#write(this.#outstanding + pe * this.#pes + target);
          this.#read(this.#tlb + target);
        }
        return;
      case Event.InvalidateArrive:
        // the row belongs to the actor that issued it
        this.#write(this.#tlb + b);
        this.#write(this.#outstanding + pe * this.#pes + b);
        return;
      case Event.TlbFill:
      case Event.TlbDrop:
        this.#write(this.#tlb + (a & 0xff));
        return;
      case Event.WalkStart:
      case Event.Fault:
      case Event.GuestExit:
      case Event.GuestEnter:
      case Event.Prefetch:
      case Event.Fetch:
        this.#read(this.#register + pe);
        this.#write(this.#tlb + pe);
        return;
      case Event.WalkRead:
      case Event.WalkFreed:
        this.#readWord(a);
        this.#write(this.#tlb + pe);
        return;
      case Event.Use:
        this.#read(this.#register + pe);
        this.#write(this.#tlb + pe);
        this.#read(this.#claims + Family.Host);
        this.#read(this.#claims + Family.Log);
        this.#read(this.#claims + Family.Owner);
        if (b >= this.#machine.memory.frames) return;
        if (c === Intent.Write) this.#writeWord(this.#machine.memory.address(b, 0));
        else this.#readWord(this.#machine.memory.address(b, 0));
        return;
      case Event.LockTake:
        this.#write(this.#lock + a);
        return;
      case Event.LockDrop:
        this.#write(this.#lock + a);
        this.#judgesUnder(a);
        this.#read(this.#claims + Family.Owner);
        return;
      case Event.Allocate:
        this.#write(this.#page + a);
        this.#write(this.#pool);
        return;
      case Event.Free:
      case Event.DoubleFree:
        for (let domain = 0; domain < this.#awaited; domain += 1) {
          this.#read(this.#section + domain);
        }
        this.#write(this.#page + a);
        this.#write(this.#pool);
        this.#read(this.#counts);
        this.#read(this.#claims + Family.Host);
        this.#judgesTrees(this.#guestTrees);
        return;
      case Event.AllocateFailed:
        this.#write(this.#pool);
        return;
      case Event.FreeRequested:
        // waits for the sections that are open; the free itself looks at them again
        this.#write(this.#section + b);
        this.#write(this.#page + a);
        return;
      case Event.Deferred:
      case Event.Callback:
        this.#write(this.#callbacks);
        this.#write(this.#section + a);
        return;
      case Event.Zeroed:
        this.#write(this.#page + a);
        this.#write(this.#pool);
        this.#judgesTrees(-1);
        return;
      case Event.RegisterEffect:
        this.#write(this.#register + c);
        this.#judgesTrees(-1);
        return;
      case Event.SectionEnter:
      case Event.SectionExit:
      case Event.GracePeriod:
        this.#write(this.#section + a);
        return;
      case Event.OperationEnd:
        // with the last one, who runs callbacks need not wait for more
        this.#read(this.#callbacks);
        this.#read(this.#claims + Family.Log);
        this.#read(this.#claims + Family.Other);
        this.#judgesTrees(this.#treesOf(a));
        return;
      case Event.OperationBegin:
        this.#read(this.#claims + Family.Log);
        this.#read(this.#claims + Family.Age);
        this.#read(this.#claims + Family.Other);
        this.#judgesTrees(this.#treesOf(a));
        return;
      case Event.Claim:
        // what a vCPU says of its faults concerns its own TLB, and nobody else
        if (FAMILY[a] === Family.Fault) this.#read(this.#tlb + pe);
        else this.#write(this.#claims + FAMILY[a]!);
        if (LOOKS_AT_ENTRIES.has(a as ClaimCode)) this.#judgesTrees(this.#guestTrees);
        else if (FAMILY[a] === Family.Other || FAMILY[a] === Family.Owner) this.#judgesTrees(-1);
        return;
      default:
        // private to the actor, or about the run as a whole
        return;
    }
  }
}
