/**
 * The effect of each access at the moment when it is performed. One function per family; the
 * dispatch is a switch on small integers. Where stores and register writes are delayed (F2, tso), their
 * effect is in stores.ts.
 */
import { Access, Domain, isFull, type Register } from './access.ts';
import { type Actor, ActorRole } from './actor.ts';
import { assert } from './assert.ts';
import { Event } from './event.ts';
import { enterGuest, leaveGuest } from './guest-mode.ts';
import { tlbDrop } from './hardware.ts';
import type { Mode } from './locks.ts';
import type { Machine } from './machine.ts';
import { RETRY_BOUND } from './machine.ts';
import { Role } from './pages.ts';
import { type Site, siteOf } from './site.ts';
import {
  issueRegister,
  issueStore,
  issueZero,
  setRegister,
  synchronise,
  zeroPage,
} from './stores.ts';
import { samePage } from './tlb.ts';

const ALLOCATION_FAILS = siteOf('choice.allocationFails');
const EVICT_OTHER = siteOf('choice.evictOther');
const REUSE_OLDEST = siteOf('choice.reuseOldest');

/** True when the access is complete; false when it goes on with another event. */
export function perform(machine: Machine, actor: Actor): boolean {
  const { access, site, x, y } = actor;
  switch (access) {
    case Access.Read:
      read(machine, actor);
      return true;
    case Access.Store:
    case Access.StoreRelease:
      touch(machine, actor);
      if (machine.delays) issueStore(machine, actor);
      else machine.write(site, x, y, false);
      return true;
    case Access.CompareExchange:
    case Access.Exchange:
    case Access.Add:
    case Access.Or:
    case Access.And:
      readModifyWrite(machine, actor);
      return true;
    case Access.Barrier:
      if (machine.delays && x === Domain.Order) machine.stores.separate(actor.pe);
      machine.emit(Event.Barrier, site, x, isFull(x as 1) ? 1 : 0, 0, 0);
      return true;
    case Access.Synchronise:
      if (machine.delaysRegisters) synchronise(machine, machine.pes[actor.pe]!);
      machine.pes[actor.pe]!.fetched &= ~2;
      machine.emit(Event.Synchronise, site, 0, 0, 0, 0);
      return true;
    case Access.Register:
      if (machine.delaysRegisters) issueRegister(machine, actor);
      else writeRegister(machine, actor);
      return true;
    case Access.Invalidate:
      machine.hardware.issue(machine, actor);
      return true;
    case Access.Acquire:
    case Access.Release:
      lock(machine, actor);
      return true;
    case Access.Allocate:
    case Access.AllocateRun:
      allocate(machine, actor);
      return true;
    case Access.Free:
      free(machine, actor);
      return true;
    case Access.SectionEnter:
    case Access.SectionExit:
      section(machine, actor);
      return true;
    case Access.GracePeriod:
      return gracePeriod(machine, actor);
    case Access.Defer:
    case Access.Callback:
      callback(machine, actor);
      return true;
    case Access.Guest:
      return machine.hardware.guestStep(machine, actor);
    case Access.Speculate:
      return machine.hardware.speculateStep(machine, actor);
    case Access.GuestExit:
      leaveGuest(machine, machine.pes[actor.pe]!);
      machine.stirred = true;
      machine.emit(Event.GuestExit, site, actor.pe, 0, 0, 0);
      return true;
    case Access.GuestEnter:
      enterGuest(machine, machine.pes[actor.pe]!);
      // where the guest is entered by an access, nothing comes in between
      machine.pes[actor.pe]!.entering = !machine.hardware.entersByItself;
      return true;
    case Access.Mask:
      machine.pes[actor.pe]!.masked = x === 1;
      machine.emit(Event.Masked, site, actor.pe, x, 0, 0);
      machine.walksChanged(actor.pe);
      return true;
    case Access.FreeLater:
      machine.reclaimer.request(machine, actor);
      return true;
    case Access.Assign:
      assign(machine, actor);
      return true;
    case Access.Zero:
      zeroPage(machine, site, x);
      return true;
    case Access.Prefetch:
      machine.pes[actor.pe]!.fetched = 3;
      machine.emit(Event.Prefetch, site, actor.pe, 0, 0, 0);
      return true;
    case Access.Fetch:
      fetch(machine, actor);
      return true;
    case Access.Evict:
      evict(machine, actor);
      return true;
    case Access.Retry:
      retry(machine, actor);
      return true;
    case Access.Wait:
      machine.emit(Event.Wait, site, x, y, 0, 0);
      return true;
    default:
      assert(false, 'an actor performs a known access');
  }
}

function read(machine: Machine, actor: Actor): void {
  touch(machine, actor);
  const value = machine.delays
    ? machine.stores.load(actor.pe, actor.x)
    : machine.memory.load(actor.x);
  actor.result = value;
  machine.emit(Event.Read, actor.site, actor.x, value, 0, 0);
}

/** Tells when software reads or writes entries of a page that is no table (any more, or soon). */
function touch(machine: Machine, actor: Actor): void {
  const frame = machine.memory.frame(actor.x);
  const role = machine.pages.role[frame];
  if (role !== Role.Table && role !== Role.Kernel && role !== Role.Cached) {
    if (role === Role.Pooled && holdsPool(machine, actor.index)) return;
    machine.emit(Event.TouchFreed, actor.site, actor.x, frame, 0, 0);
  }
}

/** Who holds the lock of a pool may use the list nodes in its free pages. */
function holdsPool(machine: Machine, actor: number): boolean {
  const { poolLocks } = machine.spec;
  if (poolLocks === undefined) return false;
  return poolLocks.some((lock) => machine.locks.owner[lock] === actor);
}

function assign(machine: Machine, { site, x: frame, y }: Actor): void {
  const role = y as Role;
  const { pages } = machine;
  if (role === Role.Pooled) {
    const old = pages.role[frame]!;
    if (old === Role.Pooled) machine.emit(Event.DoubleFree, site, frame, 0, 0, 0);
    // listeners judge while the page still has its role
    else machine.emit(Event.Free, site, frame, old, 0, 0);
  } else machine.emit(Event.Allocate, site, frame, role, 0, 0);
  pages.assign(frame, role);
}

function readModifyWrite(machine: Machine, actor: Actor): void {
  touch(machine, actor);
  const { access, site, x, y, z } = actor;
  const old = machine.memory.load(x);
  if (access === Access.CompareExchange) {
    actor.result = old;
    if (old === z) machine.write(site, x, y, false);
    else machine.emit(Event.CompareFailed, site, x, old, z, 0);
    return;
  }
  if (access === Access.Add) {
    actor.result = (old + y) | 0;
    machine.write(site, x, (old + y) | 0, false);
    return;
  }
  actor.result = old;
  const value = access === Access.Exchange ? y : access === Access.And ? old & y : old | y;
  machine.write(site, x, value, false);
}

function writeRegister(machine: Machine, { pe, x, y, site }: Actor): void {
  const generation = machine.pages.generation[y >>> 8]!;
  setRegister(machine, machine.pes[pe]!, x as Register, y, generation);
  machine.emit(Event.Register, site, x, y, 0, 0);
}

function fetch(machine: Machine, { pe, x, y, site }: Actor): void {
  assert(machine.spec.switchesHypervisor === true, 'who fetches says that it switches the regime');
  machine.emit(Event.Fetch, site, x, y, machine.pes[pe]!.fetched, pe);
}

function lock(machine: Machine, actor: Actor): void {
  const { access, site, x, y } = actor;
  if (access === Access.Acquire) {
    machine.locks.take(x, y as Mode, actor.index);
    machine.emit(Event.LockTake, site, x, y, 0, 0);
  } else {
    // listeners judge while the lock is still held
    machine.emit(Event.LockDrop, site, x, machine.locks.mode(x, actor.index), 0, 0);
    machine.locks.drop(x, actor.index);
  }
  machine.recheck(Access.Acquire);
}

function allocate(machine: Machine, actor: Actor): void {
  const { access, site, x, y, z } = actor;
  const role = x as Role;
  if (y !== 0) machine.emit(Event.MaySleep, site, 0, 0, 0, 0);
  const { pages } = machine;
  let frame = -1;
  if (machine.choose(ALLOCATION_FAILS, 2) === 0) {
    if (access === Access.AllocateRun) frame = pages.takeRun(role, z);
    else frame = pages.take(role, machine.choose(REUSE_OLDEST, 2) === 0);
  }
  actor.result = frame;
  if (frame < 0) {
    machine.emit(Event.AllocateFailed, site, role, 0, 0, 0);
    return;
  }
  const count = access === Access.AllocateRun ? z : 1;
  for (let i = 0; i < count; i += 1) {
    if (machine.delays && access === Access.Allocate) issueZero(machine, actor, frame);
    else machine.memory.zero(frame + i);
    machine.emit(Event.Allocate, site, frame + i, role, 0, 0);
  }
}

function free(machine: Machine, actor: Actor): void {
  for (let frame = actor.x; frame < actor.x + actor.y; frame += 1) {
    freePage(machine, actor.site, frame);
  }
}

export function freePage(machine: Machine, site: Site, frame: number): void {
  assert(machine.spec.frees !== false, 'pages are freed where the machine says so');
  const role = machine.pages.role[frame]!;
  if (role === Role.Free) {
    machine.emit(Event.DoubleFree, site, frame, 0, 0, 0);
    return;
  }
  // listeners judge while the page still has its role
  machine.emit(Event.Free, site, frame, role, 0, 0);
  machine.pages.give(frame);
}

function section(machine: Machine, actor: Actor): void {
  const { access, site, x } = actor;
  if (access === Access.SectionEnter) {
    machine.sections.enter(x, actor.index);
    machine.emit(Event.SectionEnter, site, x, 0, 0, 0);
    return;
  }
  machine.sections.exit(x, actor.index);
  machine.reclaimer.sectionEnded(machine, x, actor.index);
  machine.emit(Event.SectionExit, site, x, 0, 0, 0);
  machine.recheck(Access.GracePeriod);
  if (machine.sections.deferred > 0) machine.recheck(Access.Callback);
}

function callback(machine: Machine, actor: Actor): void {
  const { access, site, x, y } = actor;
  if (access === Access.Defer) {
    machine.sections.defer(x, y);
    machine.emit(Event.Deferred, site, x, y, 0, 0);
    machine.recheck(Access.Callback);
    return;
  }
  const value = machine.sections.takeDue(x);
  actor.result = value;
  machine.emit(Event.Callback, site, x, value, 0, 0);
}

/** Begins to wait for the sections that are open now; the second event ends the wait. */
function gracePeriod(machine: Machine, actor: Actor): boolean {
  if (actor.y === 0) {
    actor.y = 1;
    machine.emit(Event.MaySleep, actor.site, 0, 0, 0, 0);
    machine.sections.await(actor.x, actor.index);
    machine.emit(Event.GracePeriod, actor.site, actor.x, 0, 0, 0);
    return false;
  }
  machine.emit(Event.GracePeriod, actor.site, actor.x, 1, 0, 0);
  return true;
}

function evict(machine: Machine, actor: Actor): void {
  const { tlb } = machine.pes[actor.pe]!;
  const covers = (i: number): boolean => samePage(actor.x, tlb.first[i]!, tlb.bits[i]!);
  let matches = 0;
  for (let i = 0; i < tlb.count; i += 1) if (covers(i)) matches += 1;
  assert(matches > 0, 'an eviction is enabled while there is an entry');
  // any of them may vanish
  let left = matches === 1 ? 0 : machine.choose(EVICT_OTHER, matches);
  for (let i = 0; i < tlb.count; i += 1) {
    if (!covers(i)) continue;
    if (left === 0) {
      tlbDrop(machine, actor.pe, i, actor.site);
      return;
    }
    left -= 1;
  }
}

function retry(machine: Machine, actor: Actor): void {
  const others = machine.changes - actor.changes;
  actor.retries = machine.inTail && others === actor.retriesSeen ? actor.retries + 1 : 0;
  actor.retriesSeen = others;
  actor.retriedAt = machine.events;
  if (actor.retries === 0) actor.futileSince = machine.events;
  machine.emit(Event.Retry, actor.site, actor.retries, 0, 0, 0);
  if (actor.retries > RETRY_BOUND && !mayBeHelped(machine, actor))
    machine.emit(Event.Stuck, actor.site, actor.retries, 0, 0, 0);
}

/** Another actor goes on, and has not tried again itself since this one began to: what it waits for may yet come. */
function mayBeHelped(machine: Machine, { index, futileSince }: Actor): boolean {
  return machine.actors.some(
    (other) =>
      other.index !== index &&
      !other.isHardware &&
      other.role !== ActorRole.Rcu &&
      !other.ended &&
      !other.blocked &&
      other.retriedAt < futileSince,
  );
}
