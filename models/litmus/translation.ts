/**
 * Translation and access of one instruction: the walker of sim/hardware-arm.ts, with the TLB of the PE beside
 * it. A lookup may use any entry of the TLB that translates the page, or walk; so an access may walk although
 * an older entry stays, and a later one may use that entry.
 *
 * A walk updates the entry in the event in which it reads it, or after the access: then a write of the entry in
 * between makes the run void. The access follows in the same event where nothing holds it back, else in one
 * of its own; so may the write of a read-modify-write.
 */

import { FaultClass, faultClass } from '../../sim/access.ts';
import type { Actor } from '../../sim/actor.ts';
import { ACCESSED, EXEC_USER, frameOf, Intent, permits, WRITE } from '../../sim/descriptor.ts';
import { endWalk, hold, raise, type TranslationHardware } from '../../sim/hardware.ts';
import { armHardware, descend, setFlag, startWalk } from '../../sim/hardware-arm.ts';
import type { Machine } from '../../sim/machine.ts';
import { siteOf } from '../../sim/site.ts';
import { issueTo } from '../../sim/stores.ts';
import { Regime } from '../../sim/tables.ts';
import { Held, Phase } from '../../sim/walk.ts';
import { cutOff } from './cut-off.ts';
import { isAfterStoreBarrier, isIssued, mayAccess } from './gates.ts';
import { isAhead, mayRead, pendingSource, pendingValue, WALK, ways } from './lookup.ts';
import type { LitmusMachine } from './machine.ts';
import { describe } from './outcome.ts';
import type { Instruction, MemoryInstruction } from './program.ts';
import { operand, type Slot, Stage } from './slot.ts';
import { Unsupported } from './syntax-error.ts';
import { calculate, type ThreadState } from './thread.ts';
import { locationOf, Part, partOf, type Value } from './value.ts';

const LOOKUP = siteOf('litmus.lookup');
const ACCESS_LATER = siteOf('litmus.accessLater');
const WRITE_LATER = siteOf('litmus.writeLater');
const STORE_FAILS = siteOf('litmus.storeFails');

const CAUSES = ['', 'Translation', 'AccessFlag', 'Permission'];

export function litmusHardware(litmus: LitmusMachine): TranslationHardware {
  return {
    ...armHardware,
    guestStep: (machine, actor) => new Step(litmus, machine, actor).run(),
    // what is in flight is not waited for here, but by the barrier (cut-off.ts)
    arrivalHeld: () => false,
    issue: (machine, actor) => {
      armHardware.issue(machine, actor);
      // PEs that hold nothing to remove acknowledge at once
      const slot = litmus.slotOf(actor)!;
      const { isBroadcast } = slot.instruction as Instruction & { kind: 'invalidate' };
      if (isBroadcast) cutOff(litmus, actor.pe, actor.x & 0xff, actor.y);
    },
    arrive: (machine, slot, pe) => {
      armHardware.arrive(machine, slot, pe);
      const { issuer, operation, page } = machine.invalidations;
      litmus.refill(pe);
      litmus.note(litmus.threads[pe]!, () => `invalidation of P${issuer[slot]!} arrives`);
      cutOff(litmus, issuer[slot]!, operation[slot]!, page[slot]!);
    },
  };
}

/** One event of one access. */
class Step {
  readonly #litmus: LitmusMachine;
  readonly #machine: Machine;
  readonly #actor: Actor;
  readonly #thread: ThreadState;
  readonly #slot: Slot;
  readonly #memory: MemoryInstruction;

  constructor(litmus: LitmusMachine, machine: Machine, actor: Actor) {
    this.#litmus = litmus;
    this.#machine = machine;
    this.#actor = actor;
    this.#thread = litmus.threads[actor.pe]!;
    this.#slot = litmus.slotOf(actor)!;
    this.#memory = this.#slot.memory!;
  }

  /** True when the access is complete. */
  run(): boolean {
    this.#machine.stirred = true;
    const slot = this.#slot;
    if (slot.stage === Stage.Waiting) {
      if (!this.#translate()) {
        endWalk(this.#machine, this.#actor, 0);
        this.#litmus.progress(this.#thread);
        // an instruction that is executed again has the same actor
        return !this.#litmus.test.handlesFaults;
      }
      this.#checkYounger();
      if (!this.#followsAtOnce()) {
        this.#litmus.progress(this.#thread);
        return false;
      }
    }
    if (slot.stage === Stage.Translated) this.#access();
    else if (slot.isWriting) this.#writeLate();
    else this.#update();
    if (slot.isWriting || slot.isUpdating) return false;
    return endWalk(this.#machine, this.#actor, 0);
  }

  /** The update of the entry that the access was ahead of. It is one with the walk's read: else the run is void. */
  #update(): void {
    const slot = this.#slot;
    if (this.#setFlags()) this.#thread.isVoid = true;
    slot.isUpdating = false;
    this.#litmus.note(this.#thread, () => `walker updates the entry of ${this.#text()}`);
    this.#litmus.progress(this.#thread);
  }

  /** The updates that the walk needs; true when it ended, or the entry was changed since it was read. */
  #setFlags(): boolean {
    const { walk } = this.#actor;
    while (walk.phase !== Phase.Use) {
      const flag = walk.phase === Phase.SetAccessed ? ACCESSED : WRITE;
      if (setFlag(this.#machine, this.#actor, flag, false)) return true;
      if (walk.phase === Phase.Descend) return true;
    }
    return false;
  }

  #followsAtOnce(): boolean {
    const slot = this.#slot;
    const { rules } = this.#litmus;
    if (!mayAccess(this.#thread, slot, rules) || !mayRead(this.#thread, slot)) return false;
    if (!isAhead(this.#litmus, this.#thread, slot)) return true;
    return this.#machine.choose(ACCESS_LATER, 2) === 0;
  }

  // ---- translation ----

  /** True when the access may go on, now or later. */
  #translate(): boolean {
    const { locationOfTarget, isEntry } = this.#target();
    const slot = this.#slot;
    if (slot.excluded.includes(slot.target!)) this.#thread.isVoid = true;
    if (isEntry) {
      slot.place = this.#litmus.entryWord(locationOfTarget);
      slot.stage = Stage.Translated;
      return true;
    }
    slot.location = locationOfTarget;
    const options = ways(this.#litmus, this.#thread, slot, this.#actor);
    const way =
      options.length === 1 ? options[0]! : options[this.#machine.choose(LOOKUP, options.length)]!;
    const actor = this.#actor;
    actor.x = locationOfTarget;
    actor.y = this.#memory.writes ? Intent.Write : Intent.Read;
    const fault = way < 0 ? this.#walk(way !== WALK) : this.#useEntry(way);
    if (fault !== FaultClass.None) return this.#refuse(fault);
    if (this.#thread.spec.isUnprivileged && (actor.walk.word & EXEC_USER) === 0)
      return this.#refuse(faultClass(raise(this.#machine, actor, FaultClass.Permission, 3)));
    slot.place = this.#machine.memory.address(frameOf(actor.walk.word), 0);
    slot.stage = Stage.Translated;
    this.#litmus.note(this.#thread, () => {
      const how = way < 0 ? 'walks:' : 'uses';
      return `${how} ${describe(this.#litmus.test, actor.walk.word)} for ${this.#text()}`;
    });
    return true;
  }

  #target(): { locationOfTarget: number; isEntry: boolean } {
    const value = this.#slot.target!;
    return { locationOfTarget: locationOf(value), isEntry: partOf(value) === Part.Entry };
  }

  #walk(isLater: boolean): FaultClass {
    const actor = this.#actor;
    startWalk(this.#machine, actor, actor.y as Intent);
    let isEnded = descend(this.#machine, actor, false);
    this.#slot.readInstance = actor.walk.instance;
    if (isLater) this.#slot.isUpdating = true;
    else if (!isEnded) isEnded = this.#setFlags();
    return isEnded ? faultClass(actor.result) : FaultClass.None;
  }

  #useEntry(entry: number): FaultClass {
    const actor = this.#actor;
    const { tlb } = this.#machine.pes[actor.pe]!;
    const word = tlb.word[entry]!;
    if (!permits(word, actor.y as Intent))
      return faultClass(raise(this.#machine, actor, FaultClass.Permission, tlb.level[entry]!));
    const { walk } = actor;
    walk.phase = Phase.Use;
    walk.regime = Regime.Hypervisor;
    walk.vmid = -1;
    walk.page = actor.x;
    hold(actor, Held.Leaf, tlb.address[entry]!, word, tlb.instance[entry]!);
    walk.heldLevel = tlb.level[entry]!;
    return FaultClass.None;
  }

  #refuse(cause: FaultClass): false {
    const slot = this.#slot;
    slot.cause = CAUSES[cause]!;
    slot.stage = Stage.Refused;
    this.#litmus.note(this.#thread, () => `${slot.cause} fault of ${this.#text()}`);
    this.#thread.fault(slot, this.#litmus.test.handlesFaults);
    return false;
  }

  // ---- access ----

  #access(): void {
    const slot = this.#slot;
    const { memory } = this.#machine;
    const source = this.#memory.reads ? pendingSource(this.#thread, slot) : undefined;
    const isHere = source === undefined || source.isPending;
    // what the PE sees, its own stores that were issued included
    const old = isHere
      ? this.#machine.stores.load(this.#actor.pe, slot.place)
      : pendingValue(source);
    slot.seen = source === undefined ? memory.instance(slot.place) : -1;
    slot.stage = Stage.Performed;
    if (this.#memory.reads) {
      slot.result.value = old;
      this.#checkOlderReads(source);
    }
    slot.isWriting = this.#memory.update !== undefined && this.#writesLater(old);
    if (this.#memory.writes && !slot.isWriting && this.#succeeds()) this.#write(old);
    this.#litmus.note(this.#thread, () => this.#done(old, source));
    this.#litmus.progress(this.#thread);
  }

  /** The write of a read-modify-write may become visible after younger accesses that its read lets go. */
  #writesLater(old: Value): boolean {
    const next = this.#updated(old);
    if (next === undefined) return false;
    this.#slot.pending = next;
    if (!isAhead(this.#litmus, this.#thread, this.#slot)) return false;
    return this.#machine.choose(WRITE_LATER, 2) === 1;
  }

  /** The write that was still to come. It is one with the read: another write in between makes the run void. */
  #writeLate(): void {
    const slot = this.#slot;
    slot.isWriting = false;
    if (this.#machine.memory.instance(slot.place) !== slot.seen) this.#thread.isVoid = true;
    this.#write(slot.result.value!);
    this.#litmus.note(this.#thread, () => `${this.#text()} writes`);
    this.#litmus.progress(this.#thread);
  }

  /** An exclusive store may fail; it has to when its pair is broken. */
  #succeeds(): boolean {
    if (!this.#memory.isExclusive) return true;
    const slot = this.#slot;
    const { path } = this.#thread;
    const pair = path.slice(0, path.indexOf(slot)).findLast((older) => older.memory?.isExclusive);
    const isPaired =
      pair !== undefined &&
      pair.memory!.reads &&
      pair.place === slot.place &&
      pair.seen === this.#machine.memory.instance(slot.place);
    const fails = !isPaired || this.#machine.choose(STORE_FAILS, 2) === 1;
    slot.result.value = fails ? 1 : 0;
    return !fails;
  }

  #done(old: Value, source: Slot | undefined): string {
    const { test, machine } = this.#litmus;
    const seen = this.#memory.reads ? ` sees ${describe(test, old)}` : '';
    const from = source === undefined ? '' : ' of its own store';
    const word = machine.memory.load(this.#slot.place);
    if (this.#slot.isPending) return `${this.#text()} is issued`;
    const left = this.#memory.writes ? ` leaves ${describe(test, word)}` : '';
    return `${this.#text()}${seen}${from}${left}`;
  }

  #text(): string {
    return this.#slot.instruction.text;
  }

  #write(old: Value): void {
    const next = this.#updated(old);
    if (next === undefined) return;
    const machine = this.#machine;
    const slot = this.#slot;
    if (next >= 2 ** 31) throw new Unsupported('integers from 32,768 in memory');
    if (isIssued(slot, this.#litmus.rules)) {
      this.#issue(next);
      return;
    }
    // a write of the value that is there is a write: a walker's update must not span it
    if (this.#target().isEntry && next !== machine.memory.load(slot.place))
      machine.write(this.#actor.site, slot.place, next, false);
    else machine.storeData(slot.place, next);
  }

  /** The machine makes it visible. */
  #issue(next: Value): void {
    const slot = this.#slot;
    const { pe } = this.#actor;
    if (isAfterStoreBarrier(this.#thread, slot)) this.#machine.stores.separate(pe);
    slot.isPending = true;
    issueTo(this.#machine, this.#actor, slot.place, next, this.#memory.order.release);
  }

  /** The value to write; undefined when a compare-and-swap does not find what it expects. */
  #updated(old: Value): Value | undefined {
    const data = operand(this.#slot.data)!;
    switch (this.#memory.update) {
      case undefined:
      case 'swap':
        return data;
      case 'compare':
        return old === operand(this.#slot.expected)! ? data : undefined;
      default:
        return calculate(this.#memory.update, old, data);
    }
  }

  // ---- coherence ----

  /**
   * A younger load of the same word that was performed before must not have seen less: no other write came
   * in between. A run in which one did is void.
   */
  #checkOlderReads(source: Slot | undefined): void {
    const slot = this.#slot;
    if (source !== undefined) return;
    for (const other of this.#younger()) {
      if (!other.memory!.reads || other.stage !== Stage.Performed || other.place !== slot.place)
        continue;
      if (other.seen >= 0 && other.seen !== slot.seen) this.#thread.isVoid = true;
    }
  }

  /** A younger load that went ahead must not have missed this store, now that its word is known. */
  #checkYounger(): void {
    const slot = this.#slot;
    if (!this.#memory.writes) return;
    for (const other of this.#younger()) {
      if (!other.memory!.reads || other.stage !== Stage.Performed || other.place !== slot.place)
        continue;
      if (other.seen >= 0) this.#thread.isVoid = true;
    }
  }

  *#younger(): Iterable<Slot> {
    const { path } = this.#thread;
    for (let at = path.indexOf(this.#slot) + 1; at < path.length; at += 1) {
      if (path[at]!.memory !== undefined) yield path[at]!;
    }
  }
}
