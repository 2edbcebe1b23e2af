/**
 * The machine: wires memory, pages, tables, TLBs, invalidations, locks and actors together, and
 * runs a program. It owns the loop, readiness and the fair tail; the effect of each access is in
 * perform.ts and the hardware's own events in hardware.ts.
 */
import { Access, ARRIVAL_LATENCY, EFFECT_LATENCY, LATENCY, WALK_LATENCY } from './access.ts';
import { Actor, ActorRole } from './actor.ts';
import { assert } from './assert.ts';
import { CanBlock, canBlock, isBlocked } from './blocking.ts';
import { Claim, type ClaimCode } from './claims.ts';
import { Course } from './course.ts';
import { isValid } from './descriptor.ts';
import { Audience, Dispatchers } from './dispatch.ts';
import { Event, type EventCode } from './event.ts';
import type { TranslationHardware } from './hardware.ts';
import { armHardware } from './hardware-arm.ts';
import { INVALIDATION_SLOTS, Invalidations } from './invalidation.ts';
import { Locks } from './locks.ts';
import { Memory, type WordAddress } from './memory.ts';
import { Pages, Role } from './pages.ts';
import { Pe } from './pe.ts';
import { perform } from './perform.ts';
import { place } from './place.ts';
import { Reclaimer } from './reclaim.ts';
import { AnswerLog, type Pending, type Scheduler, type Scheduling } from './scheduler.ts';
import { Sections } from './sections.ts';
import { type Site, siteOf } from './site.ts';
import { isOnItsWay, pendingOf, Sources } from './sources.ts';
import type { ActorSpec, Listener, MachineSpec, ProgramEntry, RunLimits } from './spec.ts';
import { delayedEvent, StoreOrder, Stores, takeEffect } from './stores.ts';
import { Tables } from './tables.ts';
import { targetOf } from './target.ts';
import { Trace } from './trace.ts';
import { Phase } from './walk.ts';

/** Makes the actors of a machine; tests of the oracles make some that change an access. */
export type ActorFactory = (machine: Machine, index: number, spec: ActorSpec) => Actor;

const plainActor: ActorFactory = (machine, index, { name, role, pe, tree }) =>
  new Actor(machine, index, name, role, pe, tree);

/** A retry loop that passes this bound in the fair tail, nobody else changing anything, is stuck. */
export const RETRY_BOUND = 8;

/** Site of what belongs to no access. */
export const RUN = siteOf('machine.run');

/** The machine: PEs, memory, tables, locks, and the loop that runs a program. */
export class Machine implements Scheduling {
  readonly spec: MachineSpec;
  readonly memory: Memory;
  readonly pages: Pages;
  readonly tables: Tables;
  readonly locks: Locks;
  readonly sections: Sections;
  readonly hardware: TranslationHardware;
  /** Invalidations and deferred frees on their way. */
  readonly invalidations: Invalidations;
  readonly reclaimer: Reclaimer;
  readonly pes: readonly Pe[];
  readonly actors: readonly Actor[];
  /** Actors of each PE; their walks are the PE's walks in flight. */
  readonly walkers: readonly Actor[][];
  /** Stores and register writes have events of their own for their effect (F2, tso). */
  readonly delays: boolean;
  /** ... and registers too, until the next context synchronisation (F2 only). */
  readonly delaysRegisters: boolean;
  readonly stores: Stores;
  readonly trace = new Trace();
  readonly answers = new AnswerLog();
  readonly #audience: Audience;
  /** The functions that tell it, by kind of event and by claim. */
  readonly #tell: Audience['tell'];
  readonly #tellClaim: Audience['tellClaim'];

  // ---- Scheduling ----
  readonly ready: Int32Array;
  readyCount = 0;
  readonly sources: Sources;
  readonly actorCount: number;
  current = -1;
  grant = 0;
  events = 0;
  steps = 0;

  /** Actor and operation instance that the event being performed belongs to. */
  actor = -1;
  operation = -1;
  /** Nanoseconds of virtual time. */
  clock = 0;
  /** Visible changes of words, by anybody. */
  changes = 0;
  /** Number of the newest descriptor instance, and of the one that the last write replaced. */
  instance = 0;
  replaced = 0;
  /** The last visible store: where, and the value that it displaced. */
  storedTo = -1;
  displaced = 0;
  /** Something happened that may unblock an actor. */
  stirred = false;
  /** Set by an oracle: the run stops after this event. */
  halted = false;
  inTail = false;
  /** Exceptions and returns from them are context synchronisation events, as the architecture has it by default. */
  exceptionsSynchronise = true;
  /** An actor has moved to another PE in this run. */
  #hasMoved = false;
  /** Number of events after which the run stops by itself; -1 for no such number. */
  haltAt = -1;
  /** The loaded program, and how far its actors are. */
  readonly course: Course;

  readonly #canBlock: Uint8Array;
  /** By access kind that can block: actors that may be parked at one, as a bit mask. */
  readonly #asked = new Int32Array(64);
  readonly #position: Int32Array;
  readonly #readyAt: Float64Array;
  #scheduler: Scheduler | undefined;
  /** Actors that have not ended and that the run waits for; those of them that run callbacks. */
  #running = 0;
  #servants = 0;
  #starting = false;
  #upcoming = -1;
  #turn = 0;
  #stepsMax = 0;
  /** Some actor has asked in this run for what a store, or a walk or guest entry, may make possible. */
  #awaitsWord = false;
  #awaitsHardware = false;

  /** @param dispatchers shared with the machines that run beside it */
  constructor(
    spec: MachineSpec,
    actorFactory: ActorFactory = plainActor,
    dispatchers: Dispatchers = new Dispatchers(),
  ) {
    this.#audience = new Audience(dispatchers);
    this.#tell = this.#audience.tell;
    this.#tellClaim = this.#audience.tellClaim;
    const wordBits = Math.max(...spec.trees.map((tree) => tree.geometry.bitsPerLevel));
    this.spec = spec;
    this.hardware = spec.hardware ?? armHardware;
    this.memory = new Memory(spec.frames, wordBits, spec.backedPages);
    this.pages = new Pages(spec.frames, spec.kernelFrames, spec.reserved);
    this.tables = new Tables(
      this.memory,
      {
        linked: (frame, level, first, word) => {
          this.emit(Event.Linked, this.#site(), frame, level, first, word);
          if (this.pages.role[frame] === Role.Cached) this.pages.role[frame] = Role.Table;
        },
        unlinked: (frame, level, first, word) =>
          this.emit(Event.Unlinked, this.#site(), frame, level, first, word),
      },
      spec.trees,
    );
    this.locks = new Locks(spec.locks);
    this.sections = new Sections(spec.sectionDomains, spec.actors.length);
    const reclaims = spec.reclaims ?? 0;
    this.invalidations = new Invalidations(INVALIDATION_SLOTS + reclaims);
    // deferred frees arrive at a place of their own, where no actor runs and nothing is cached
    const places = spec.pes + (reclaims > 0 ? 1 : 0);
    this.pes = Array.from({ length: places }, (_, index) => {
      return new Pe(index, index >= (spec.firstDevice ?? places) && index < spec.pes);
    });
    for (const pe of this.pes) {
      pe.updatesAccessed = spec.hardwareAccessed;
      pe.updatesDirty = spec.hardwareDirty === true;
    }
    this.reclaimer = new Reclaimer(this.invalidations, spec.pes);
    this.actors = spec.actors.map((actor, index) => actorFactory(this, index, actor));
    this.walkers = this.pes.map((pe) => this.actors.filter((actor) => actor.pe === pe.index));
    this.actorCount = this.actors.length;
    assert(this.actorCount <= 31, 'actors fit in a bit mask');
    const order = spec.storeOrder ?? StoreOrder.Immediate;
    this.delays = order !== StoreOrder.Immediate;
    this.delaysRegisters = order === StoreOrder.Location;
    this.stores = new Stores(order, spec.pes, this.memory);
    this.#canBlock = canBlock(this.delays, spec.admits !== undefined);
    const { slots } = this.invalidations;
    this.sources = new Sources(this.actorCount, slots, places, this.delays ? spec.pes : 0);
    this.ready = new Int32Array(this.sources.count);
    this.#position = new Int32Array(this.sources.count).fill(-1);
    this.#readyAt = new Float64Array(this.sources.count);
    this.course = new Course(this.actorCount);
  }

  /** Back to the state after construction; costs what the last run touched. */
  reset(): void {
    this.memory.reset();
    this.pages.reset();
    this.tables.reset();
    this.locks.reset();
    this.sections.reset();
    this.invalidations.reset();
    if (this.delays) this.stores.reset();
    this.reclaimer.reset();
    for (const pe of this.pes) pe.reset();
    this.trace.reset();
    this.answers.reset();
    this.#position.fill(-1);
    this.#asked.fill(0);
    this.readyCount = 0;
    this.current = -1;
    this.grant = 0;
    this.events = 0;
    this.steps = 0;
    this.actor = -1;
    this.operation = -1;
    this.clock = 0;
    this.changes = 0;
    this.instance = 0;
    this.storedTo = -1;
    this.stirred = false;
    this.halted = false;
    this.inTail = false;
    this.exceptionsSynchronise = true;
    if (this.#hasMoved) this.#moveHome();
    this.haltAt = -1;
    this.#running = 0;
    this.#servants = 0;
    this.#upcoming = -1;
    this.#turn = 0;
    this.#awaitsWord = false;
    this.#awaitsHardware = false;
    this.course.reset();
    for (const actor of this.actors) {
      actor.access = Access.Invalid;
      actor.site = 0;
      actor.walk.reset();
      actor.resumed = false;
      actor.operation = -1;
      actor.blocked = false;
      actor.ended = true;
      actor.generator = undefined;
      actor.retries = 0;
      actor.retriesSeen = 0;
      actor.retriedAt = -1;
      actor.futileSince = -1;
      actor.changes = 0;
    }
  }

  /**
   * Attaches a listener for good; listeners see an event in the order in which they were attached.
   * @param claims the claims that it wants, all of them by default
   */
  listen(listener: Listener, kinds: readonly EventCode[], claims?: readonly ClaimCode[]): void {
    this.#audience.add(listener, kinds, claims);
  }

  /** Gives every actor its entries, for this run and the next ones; those without take no part. */
  load(program: readonly (readonly ProgramEntry[])[]): void {
    this.course.load(program);
  }

  /** Runs the loaded program to its end, a violation, a deadlock or the end of the fair tail. */
  run(scheduler: Scheduler, limits: RunLimits): void {
    this.#scheduler = scheduler;
    this.#stepsMax = limits.steps;
    this.#starting = true;
    for (const actor of this.actors) {
      if (!this.course.takesPart(actor.index)) continue;
      actor.ended = false;
      if (actor.role !== ActorRole.Hardware) this.#running += 1;
      if (actor.role === ActorRole.Rcu) this.#servants += 1;
      this.#startNext(actor);
    }
    this.#starting = false;
    this.#settle();
    scheduler.begin(this);
    const hardwareOnly = this.#running === 0;
    let tailEnd = 0;
    // deferred frees are done and stores visible when the program has ended
    while (!this.halted && (this.#running > 0 || hardwareOnly || this.#hasWork)) {
      if (this.readyCount === 0) {
        if (!hardwareOnly) this.#about(-1, Event.Deadlock, 0);
        break;
      }
      if (!this.inTail && this.steps >= this.#stepsMax) {
        this.inTail = true;
        this.#upcoming = -1;
        tailEnd = this.events + limits.tail;
        this.emit(Event.FairTail, RUN, 0, 0, 0, 0);
      }
      if (this.inTail && this.events >= tailEnd) {
        this.#unfinished();
        break;
      }
      if (this.haltAt >= 0 && this.events >= this.haltAt) break;
      const source = this.#upcoming >= 0 ? this.#upcoming : this.#ask();
      this.#upcoming = -1;
      this.current = source;
      if (source < this.actorCount) this.#resume(this.actors[source]!);
      else if (source < this.sources.firstEffect) this.#arrival(source);
      else this.#effect(source);
    }
    if (!this.halted) this.emit(Event.RunEnd, RUN, 0, 0, 0, 0);
    this.#scheduler = undefined;
  }

  /** Deferred frees, or stores that are not visible yet: a run ends when they are done. */
  get #hasWork(): boolean {
    if (this.reclaimer.count > 0) return true;
    return this.delays && this.stores.pending.some((count) => count > 0);
  }

  /** Somebody is left who may defer a callback. */
  get mayDefer(): boolean {
    return this.#running > this.#servants;
  }

  /** True when no program actor is left; false after a violation, a deadlock or a tail that ran out. */
  get finished(): boolean {
    return this.#running === 0;
  }

  // ---- called by actors ----

  /** Whether the actor performs its pending access now, without being suspended. */
  goesOn(actor: Actor): boolean {
    const source = actor.index;
    // entering the guest may have made a speculative walk possible
    if (this.stirred) this.#settle();
    // the usual case: the running actor has steps left and its access cannot block
    if (
      this.grant > 0 &&
      source === this.current &&
      this.#canBlock[actor.access] === CanBlock.Never &&
      !this.halted
    ) {
      if (this.steps >= this.#stepsMax) return false;
      this.grant -= 1;
      // nobody else has gone on since its last event: it is ready as long after that as it takes
      this.clock += this.#latencyOf(actor);
      return true;
    }
    const canBlock = this.#canBlock[actor.access];
    if (canBlock !== CanBlock.Never) {
      this.#asked[actor.access]! |= 1 << source;
      if (canBlock === CanBlock.OnAnything) this.#waits(actor.access);
      if (isBlocked(this, actor)) {
        actor.blocked = true;
        this.setReady(source, false);
        this.grant = 0;
        return false;
      }
    }
    this.#readyAt[source] = this.clock + this.#latencyOf(actor);
    if (this.#position[source]! < 0) this.setReady(source, true);
    if (this.#starting || this.halted || actor.index !== this.current) return false;
    if (this.inTail || this.steps >= this.#stepsMax) return false;
    if (this.grant > 0) {
      this.grant -= 1;
      return true;
    }
    const next = this.#ask();
    if (next === source) return true;
    this.#upcoming = next;
    return false;
  }

  /** Performs one event of the actor. True when its access is complete. */
  event(actor: Actor): boolean {
    const source = actor.index;
    this.events += 1;
    if (!actor.isHardware) {
      const phase = actor.walk.phase;
      if (phase === Phase.Lookup || phase === Phase.Use) this.steps += 1;
    }
    this.actor = source;
    this.operation = actor.operation;
    if (this.#readyAt[source]! > this.clock) this.clock = this.#readyAt[source]!;
    this.answers.event(source);
    const complete = perform(this, actor);
    if (this.stirred) this.#settle();
    return complete;
  }

  /** The actor, which has no walk in flight, goes on on another PE. */
  move(actor: Actor, pe: number): void {
    assert(actor.walk.phase === Phase.Lookup, 'a thread moves between its accesses');
    const here = this.walkers[actor.pe]!;
    here.splice(here.indexOf(actor), 1);
    this.walkers[pe]!.push(actor);
    actor.pe = pe;
    this.#hasMoved = true;
    this.emit(Event.Moved, this.#site(), pe, 0, 0, 0);
  }

  #moveHome(): void {
    this.#hasMoved = false;
    for (const walkers of this.walkers) walkers.length = 0;
    for (const actor of this.actors) {
      actor.pe = this.spec.actors[actor.index]!.pe;
      this.walkers[actor.pe]!.push(actor);
    }
  }

  choose(site: Site, alternatives: number): number {
    const scheduler = this.#scheduler;
    assert(scheduler !== undefined, 'choices are made inside a run');
    const answer = scheduler.choose(this, site, alternatives);
    assert(answer >= 0 && answer < alternatives, 'a scheduler answers within the alternatives');
    this.answers.reply(answer);
    if (answer !== 0) this.emit(Event.Choice, site, answer, alternatives, 0, 0);
    return answer;
  }

  claim(claim: ClaimCode, x: number, y: number, z: number): void {
    if (claim === Claim.ContextRetired) this.tables.uproot(x);
    else if (claim === Claim.ContextTagged) this.tables.tag(x, y);
    else if (claim === Claim.ContextObsolete) this.tables.trees[x]!.loadable = false;
    else if (claim === Claim.ContextCounted) this.tables.trees[x]!.counts = true;
    else if (claim === Claim.ContextLoadable) this.tables.trees[x]!.loadable = true;
    else if (claim === Claim.ContextCreated) {
      this.pages.role[y] = Role.Table;
      this.tables.plant(x, y);
      if ((z & 2) !== 0) this.tables.trees[x]!.loadable = false;
      if ((z & 4) !== 0) this.tables.trees[x]!.counts = false;
    }
    this.emit(Event.Claim, this.#site(), claim, x, y, z);
  }

  // ---- called by perform.ts and hardware.ts ----

  emit(kind: EventCode, site: Site, a: number, b: number, c: number, d: number): number {
    const row = this.trace.add(kind, this.steps, this.actor, this.operation, site, a, b, c, d);
    const tell = kind === Event.Claim ? this.#tellClaim[a] : this.#tell[kind];
    if (tell !== undefined) tell(a, b, c, d);
    return row;
  }

  /**
   * A word changes and everybody can see it. At F1 a store is issued and visible in one step, and
   * the one event stands for both.
   * @param hardware the walker writes (accessed flag), not the actor's program
   */
  write(site: Site, word: WordAddress, value: number, hardware: boolean): void {
    const old = this.memory.load(word);
    this.storedTo = word;
    this.displaced = old;
    if (old === value) {
      this.emit(Event.StoreVisible, site, word, old, value, 0);
      return;
    }
    this.instance += 1;
    this.changes += 1;
    if (!hardware) this.actors[this.actor]!.changes += 1;
    this.replaced = this.memory.instance(word);
    this.memory.store(word, value, this.instance);
    if (this.#awaitsWord) this.stirred = true;
    this.emit(Event.StoreVisible, site, word, old, value, this.instance);
    const frame = this.memory.frame(word);
    const tree = this.tables.treeOf[frame]!;
    if (tree < 0) return;
    const level = this.tables.levelOf[frame]!;
    if (this.delaysRegisters && !isValid(old) && isValid(value))
      this.stores.validSince.set(word, this.instance);
    this.tables.update(word, old, value);
    this.emit(Event.Descriptor, site, word, old, value, place(tree, level, hardware));
  }

  /** A guest's data: nobody listens, but the word is another instance. */
  storeData(word: WordAddress, value: number): void {
    this.instance += 1;
    this.memory.store(word, value, this.instance);
  }

  setReady(source: number, isReady: boolean): void {
    const position = this.#position;
    const at = position[source]!;
    if (isReady === at >= 0) return;
    if (isReady) {
      position[source] = this.readyCount;
      this.ready[this.readyCount] = source;
      this.readyCount += 1;
      if (source >= this.sources.firstEffect) this.#readyAt[source] = this.clock + EFFECT_LATENCY;
      if (source !== this.current) this.grant = 0;
      return;
    }
    this.readyCount -= 1;
    const last = this.ready[this.readyCount]!;
    this.ready[at] = last;
    position[last] = at;
    position[source] = -1;
  }

  isReady(source: number): boolean {
    return this.#position[source]! >= 0;
  }

  latency(source: number): number {
    return this.#readyAt[source]! - this.clock;
  }

  pending(source: number): Pending {
    return pendingOf(this, source);
  }

  target(source: number): number {
    return targetOf(this, source);
  }

  hasEnded(operation: number): boolean {
    return this.course.hasEnded(operation);
  }

  isExpected(source: number): boolean {
    return isOnItsWay(this, source);
  }

  /** An invalidation is on its way to a PE. */
  expectArrival(slot: number, pe: number): void {
    this.pes[pe]!.arrivals += 1;
    const source = this.sources.arrival(slot, pe);
    this.#readyAt[source] = this.clock + ARRIVAL_LATENCY;
    const isHeld = this.reclaimer.isReclaim(slot)
      ? this.reclaimer.isHeld(slot)
      : this.hardware.arrivalHeld(this, slot, pe);
    this.setReady(source, !isHeld);
  }

  /** A lock or a read section changed: actors that are parked at such an access look again. */
  recheck(access: Access): void {
    for (let left = this.#asked[access]!; left !== 0; left &= left - 1) {
      const i = 31 - Math.clz32(left & -left);
      const actor = this.actors[i]!;
      if (actor.access !== access || i === this.current || actor.ended) {
        this.#asked[access]! &= ~(1 << i);
        continue;
      }
      const waits = isBlocked(this, actor);
      if (waits === actor.blocked) continue;
      actor.blocked = waits;
      if (!waits) this.#readyAt[i] = this.clock + this.#latencyOf(actor);
      this.setReady(i, !waits);
    }
  }

  /** The walks of a PE changed: arrivals there may have become possible or impossible. */
  walksChanged(pe: number): void {
    if (this.walkers[pe]!.length > 1) this.stir();
    if (this.pes[pe]!.arrivals === 0) return;
    const pending = this.invalidations.pending;
    for (let slot = 0; slot < this.invalidations.slots; slot += 1) {
      if ((pending[slot]! & (1 << pe)) === 0) continue;
      this.setReady(this.sources.arrival(slot, pe), !this.hardware.arrivalHeld(this, slot, pe));
    }
  }

  // ---- the loop ----

  #site(): Site {
    return this.actor < 0 ? RUN : this.actors[this.actor]!.site;
  }

  #ask(): number {
    if (this.inTail) {
      // fair tail: round robin over everything enabled, by source number
      let best = -1;
      let wrapped = -1;
      for (let i = 0; i < this.readyCount; i += 1) {
        const source = this.ready[i]!;
        if (source > this.#turn && (best < 0 || source < best)) best = source;
        if (wrapped < 0 || source < wrapped) wrapped = source;
      }
      this.#turn = best >= 0 ? best : wrapped;
      return this.#turn;
    }
    this.grant = 0;
    const source = this.#scheduler!.pick(this);
    assert(this.#position[source]! >= 0, 'a scheduler picks a ready source');
    return source;
  }

  #resume(actor: Actor): void {
    actor.resumed = true;
    const result = actor.generator!.next();
    if (result.done === true) this.#finishOperation(actor, result.value);
  }

  #finishOperation(actor: Actor, result: number): void {
    this.actor = actor.index;
    this.operation = actor.operation;
    this.course.end(actor.index);
    this.emit(Event.OperationEnd, RUN, actor.operation, result, 0, 0);
    this.#startNext(actor);
    if (this.stirred) this.#settle();
  }

  /** Starts operations until one parks at an access. Starting is no scheduling point. */
  #startNext(actor: Actor): void {
    while (!this.halted) {
      const entry = this.course.begin(actor.index);
      this.actor = actor.index;
      if (entry === undefined) {
        actor.ended = true;
        actor.operation = -1;
        actor.generator = undefined;
        this.setReady(actor.index, false);
        if (actor.role !== ActorRole.Hardware) this.#running -= 1;
        if (actor.role === ActorRole.Rcu) this.#servants -= 1;
        else if (this.#running === this.#servants) this.recheck(Access.Callback);
        this.grant = 0;
        return;
      }
      actor.operation = this.course.current(actor.index);
      this.operation = actor.operation;
      this.emit(Event.OperationBegin, RUN, actor.operation, 0, 0, 0);
      const generator = entry.start(actor);
      actor.generator = generator;
      const result = generator.next();
      if (result.done !== true) return;
      this.actor = actor.index;
      this.operation = actor.operation;
      this.course.end(actor.index);
      this.emit(Event.OperationEnd, RUN, actor.operation, result.value, 0, 0);
    }
  }

  #arrival(source: number): void {
    const pe = this.sources.peOf(source);
    const slot = this.sources.indexOf(source);
    this.events += 1;
    if (this.#readyAt[source]! > this.clock) this.clock = this.#readyAt[source]!;
    this.actor = this.invalidations.actor[slot]!;
    this.operation = this.invalidations.instance[slot]!;
    this.answers.event(source);
    this.setReady(source, false);
    this.pes[pe]!.arrivals -= 1;
    if (this.reclaimer.isReclaim(slot)) this.reclaimer.reclaim(this, slot);
    else this.hardware.arrive(this, slot, pe);
    this.#settle();
  }

  /** A store becomes visible, or a register write has its effect. */
  #effect(source: number): void {
    const pe = this.sources.peOf(source);
    const index = this.sources.indexOf(source);
    const { actor, operation } = delayedEvent(this, pe, index);
    this.events += 1;
    if (this.#readyAt[source]! > this.clock) this.clock = this.#readyAt[source]!;
    this.actor = actor;
    this.operation = operation;
    this.answers.event(source);
    takeEffect(this, pe, index);
    this.#settle();
  }

  #latencyOf(actor: Actor): number {
    return actor.walk.phase === Phase.Lookup ? LATENCY[actor.access]! : WALK_LATENCY;
  }

  /** A fill, a fault or a walk may have made possible what some actor waits for. */
  stir(): void {
    if (this.#awaitsHardware) this.stirred = true;
  }

  #waits(access: Access): void {
    if (access === Access.Wait) this.#awaitsWord = true;
    else this.#awaitsHardware = true;
  }

  /** Looks again at every parked actor whose precondition may have changed. */
  #settle(): void {
    this.stirred = false;
    for (let i = 0; i < this.actors.length; i += 1) {
      const actor = this.actors[i]!;
      if (actor.ended || actor.access === Access.Invalid) continue;
      if (actor.blocked) {
        if (isBlocked(this, actor)) continue;
        actor.blocked = false;
        this.#readyAt[i] = this.clock + this.#latencyOf(actor);
        this.setReady(i, true);
      } else if (i !== this.current && isBlocked(this, actor)) {
        actor.blocked = true;
        this.setReady(i, false);
      }
    }
  }

  #about(actor: number, kind: EventCode, value: number): void {
    this.actor = actor;
    this.operation = actor < 0 ? -1 : this.actors[actor]!.operation;
    this.emit(kind, RUN, value, 0, 0, 0);
  }

  #unfinished(): void {
    for (const actor of this.actors) {
      if (actor.ended || actor.role === ActorRole.Hardware) continue;
      this.#about(actor.index, Event.Unfinished, actor.index);
      if (this.halted) return;
    }
  }
}
