/**
 * x86 with nested paging: lookups, table walks one read per event, accessed and dirty flags set by atomic
 * updates, paging-structure caches. Entries are tagged by the low byte of the root register, which a
 * system makes different for each root in use. Flushes are in flush-x86.ts.
 * A write that sets a dirty flag may be noted in a log of the PE; when that is full the guest is left first.
 * Source: spec/x86-xen.md A14, amendments E1, E4, E14. Accessed flags of tables are left out.
 */
import { FaultClass, fault } from './access.ts';
import type { Actor } from './actor.ts';
import { assert } from './assert.ts';
import { Claim } from './claims.ts';
import {
  ACCESSED,
  advance,
  DIRTY,
  frameOf,
  Intent,
  isLeaf,
  isTable,
  permits,
  RIGHTS,
} from './descriptor.ts';
import { Event } from './event.ts';
import { arrivalHeld, arrive, issue } from './flush-x86.ts';
import { indexAt, LAST_LEVEL, rootIndex } from './geometry.ts';
import {
  alignTo,
  CACHE_LEAF,
  CACHE_TABLE,
  endWalk,
  fill,
  hold,
  LEVEL_SITES,
  LOG_WRITE,
  leafBits,
  raise,
  SET_ACCESSED,
  SPECULATIVE_ACCESS,
  type TranslationHardware,
  tellFreed,
  tlbDrop,
  treeOf,
  USE,
  USE_OTHER,
  use,
} from './hardware.ts';
import type { Machine } from './machine.ts';
import { Regime } from './tables.ts';
import { samePage, TlbKind } from './tlb.ts';
import { Held, NO_TABLE, Phase } from './walk.ts';

// ---- guest accesses ----

function guestStep(machine: Machine, actor: Actor): boolean {
  const { walk } = actor;
  switch (walk.phase) {
    case Phase.Lookup:
      return lookup(machine, actor);
    case Phase.Descend:
      return descend(machine, actor, false);
    case Phase.SetAccessed:
      return setFlags(machine, actor, false);
    default: {
      const word = advance(walk.word, walk.page - alignTo(walk.page, leafBits(machine, actor)));
      use(machine, actor, USE, word, walk.row);
      return endWalk(machine, actor, 0);
    }
  }
}

function speculateStep(machine: Machine, actor: Actor): boolean {
  const { walk } = actor;
  if (walk.phase === Phase.Descend) return descend(machine, actor, true);
  if (walk.phase === Phase.SetAccessed) return setFlags(machine, actor, true);
  assert(machine.pes[actor.pe]!.guest, 'walks start while the PE executes the guest');
  startWalk(machine, actor, Intent.Read);
  return false;
}

function lookup(machine: Machine, actor: Actor): boolean {
  const pe = machine.pes[actor.pe]!;
  if (!pe.guest) return endWalk(machine, actor, fault(FaultClass.Interrupted, 0));
  if (pe.entering) {
    pe.entering = false;
    machine.stir();
  }
  const page = actor.x;
  const intent = actor.y as Intent;
  const tag = pe.vttbr & 0xff;
  const { tlb } = pe;
  let hit = tlb.count === 0 ? -1 : tlb.find(TlbKind.Leaf, tag, page, 0);
  if (hit < 0) {
    const { geometry } = treeOf(machine, Regime.Guest);
    if (rootIndex(geometry, page) >= geometry.rootPages) {
      return endWalk(machine, actor, raise(machine, actor, FaultClass.Translation, 0));
    }
    startWalk(machine, actor, intent);
    return false;
  }
  // several sizes or ages of one translation may be cached: the machine may use any
  const other = tlb.find(TlbKind.Leaf, tag, page, hit + 1);
  if (other >= 0 && machine.choose(USE_OTHER, 2) === 1) hit = other;
  const word = advance(tlb.word[hit]!, page - alignTo(page, tlb.bits[hit]!));
  if (!permits(word, intent)) {
    const level = tlb.level[hit]!;
    dropUsed(machine, actor);
    return endWalk(machine, actor, raise(machine, actor, FaultClass.Permission, level));
  }
  if (isFlagMissing(machine, word, intent)) {
    // the dirty flag is set in memory first, which checks the entry again (E14)
    startWalk(machine, actor, intent);
    return false;
  }
  use(machine, actor, actor.site, word, tlb.row[hit]!);
  return endWalk(machine, actor, 0);
}

function isFlagMissing(machine: Machine, word: number, intent: Intent): boolean {
  if (!machine.spec.hardwareAccessed) return false;
  const needed = intent === Intent.Write ? ACCESSED | DIRTY : ACCESSED;
  return (word & needed) !== needed;
}

function startWalk(machine: Machine, actor: Actor, intent: Intent): void {
  const { walk } = actor;
  const pe = machine.pes[actor.pe]!;
  const { geometry } = treeOf(machine, Regime.Guest);
  walk.regime = Regime.Guest;
  walk.vmid = pe.vttbr & 0xff;
  walk.page = actor.x;
  walk.intent = intent;
  walk.phase = Phase.Descend;
  walk.held = Held.Nothing;
  const { tlb } = pe;
  const cached = tlb.deepestTable(TlbKind.Table, walk.vmid, walk.page);
  if (cached >= 0) {
    const word = tlb.word[cached]!;
    walk.frame = frameOf(word);
    walk.generation = tlb.generation[cached]!;
    walk.level = tlb.level[cached]! + 1;
    walk.rights = word & RIGHTS;
    walk.from = tlb.row[cached]!;
    hold(actor, Held.Table, tlb.address[cached]!, word, tlb.instance[cached]!);
    walk.heldLevel = tlb.level[cached]!;
    walk.tableLevel = walk.heldLevel;
    walk.row = walk.from;
  } else {
    walk.frame = pe.vttbr >>> 8;
    walk.generation = pe.vttbrGeneration;
    walk.level = geometry.startLevel;
    walk.rights = RIGHTS;
    walk.from = -1;
  }
  machine.emit(Event.WalkStart, actor.site, walk.page, intent, walk.vmid, cached);
  machine.walksChanged(actor.pe);
}

/** Reads one entry. Rights are those of all entries on the path. */
function descend(machine: Machine, actor: Actor, isSpeculative: boolean): boolean {
  const { walk } = actor;
  const { memory } = machine;
  const { geometry } = treeOf(machine, Regime.Guest);
  const { level } = walk;
  const site = LEVEL_SITES[level + 1]!;
  const address = memory.address(walk.frame, indexAt(geometry, walk.page, level));
  tellFreed(machine, walk, site, address);
  const word = memory.load(address);
  const row = machine.emit(Event.WalkRead, site, address, word, level, walk.page);
  if (frameOf(word) >= memory.frames) {
    return failWalk(machine, actor, FaultClass.Translation, level, isSpeculative);
  }
  if (level < LAST_LEVEL && isTable(word)) {
    enterTable(machine, actor, address, word, row);
    return false;
  }
  if (!isLeaf(word) || !(level === LAST_LEVEL || geometry.blockLevels.includes(level))) {
    return failWalk(machine, actor, FaultClass.Translation, level, isSpeculative);
  }
  hold(actor, Held.Leaf, address, word, memory.instance(address));
  walk.heldLevel = level;
  walk.row = row;
  machine.walksChanged(actor.pe);
  if (!isSpeculative && !permits(word & walk.rights, walk.intent as Intent)) {
    return failWalk(machine, actor, FaultClass.Permission, level, false);
  }
  if (isFlagMissing(machine, word, walk.intent as Intent)) {
    if (isSpeculative && machine.choose(SPECULATIVE_ACCESS, 2) === 1) {
      return endWalk(machine, actor, 0);
    }
    walk.phase = Phase.SetAccessed;
    return false;
  }
  return leafRead(machine, actor, isSpeculative);
}

function enterTable(
  machine: Machine,
  actor: Actor,
  address: number,
  word: number,
  row: number,
): void {
  const { walk } = actor;
  const child = frameOf(word);
  walk.rights &= word & RIGHTS;
  const restricted = (word & ~RIGHTS) | walk.rights;
  hold(actor, Held.Table, address, restricted, machine.memory.instance(address));
  walk.frame = child;
  walk.generation = machine.pages.generation[child]!;
  walk.heldLevel = walk.level;
  walk.tableLevel = walk.level;
  walk.level += 1;
  walk.from = row;
  walk.row = row;
  if (machine.choose(CACHE_TABLE, 2) === 0) {
    fill(machine, actor, TlbKind.Table, walk.generation);
  }
  machine.walksChanged(actor.pe);
}

/** The walker's atomic update; an entry that changed since it was read is read again. */
function setFlags(machine: Machine, actor: Actor, isSpeculative: boolean): boolean {
  const { walk } = actor;
  const { memory } = machine;
  tellFreed(machine, walk, SET_ACCESSED, walk.address);
  const now = memory.load(walk.address);
  if (now !== walk.word || memory.instance(walk.address) !== walk.instance) {
    walk.phase = Phase.Descend;
    walk.held = Held.Nothing;
    machine.emit(Event.CompareFailed, SET_ACCESSED, walk.address, now, walk.word, 0);
    machine.walksChanged(actor.pe);
    return false;
  }
  const isWrite = walk.intent === Intent.Write;
  const isLogged = isWrite && (walk.word & DIRTY) === 0 && machine.pes[actor.pe]!.logsWrites;
  if (isLogged && !logWrite(machine, actor)) {
    return endWalk(machine, actor, fault(FaultClass.Interrupted, 0));
  }
  walk.word |= isWrite ? ACCESSED | DIRTY : ACCESSED;
  machine.write(SET_ACCESSED, walk.address, walk.word, true);
  walk.instance = memory.instance(walk.address);
  return leafRead(machine, actor, isSpeculative);
}

/** Notes the page in the PE's log of writes; if that is full the guest is left, and nothing has happened. */
function logWrite(machine: Machine, actor: Actor): boolean {
  const pe = machine.pes[actor.pe]!;
  const count = machine.memory.load(pe.writeLog);
  if (count === pe.writeLogSize) {
    pe.guest = false;
    machine.emit(Event.GuestExit, LOG_WRITE, actor.pe, 0, 0, 0);
    machine.stir();
    return false;
  }
  machine.write(LOG_WRITE, pe.writeLog + 1 + count, actor.walk.page, true);
  machine.write(LOG_WRITE, pe.writeLog, count + 1, true);
  machine.claim(Claim.LogQueued, actor.walk.page, actor.pe, 1);
  return true;
}

/** The leaf is known and its flags are set: cache it, go on to the access. */
function leafRead(machine: Machine, actor: Actor, isSpeculative: boolean): boolean {
  const { walk } = actor;
  walk.word = (walk.word & ~RIGHTS) | (walk.word & walk.rights);
  if (machine.choose(CACHE_LEAF, 2) === 0) fill(machine, actor, TlbKind.Leaf, 0);
  if (isSpeculative) return endWalk(machine, actor, 0);
  // the tables are behind it now; only the leaf is held until the access
  walk.phase = Phase.Use;
  walk.tableLevel = NO_TABLE;
  machine.walksChanged(actor.pe);
  return false;
}

function failWalk(
  machine: Machine,
  actor: Actor,
  cause: FaultClass,
  level: number,
  isSpeculative: boolean,
): boolean {
  if (isSpeculative) return endWalk(machine, actor, 0);
  dropUsed(machine, actor);
  return endWalk(machine, actor, raise(machine, actor, cause, level));
}

/** Before a fault is delivered the PE drops what it cached for the page (E1). */
function dropUsed(machine: Machine, actor: Actor): void {
  const { tlb, vttbr } = machine.pes[actor.pe]!;
  for (let i = tlb.count - 1; i >= 0; i -= 1) {
    if (tlb.vmid[i] !== (vttbr & 0xff) || !samePage(actor.x, tlb.first[i]!, tlb.bits[i]!)) continue;
    tlbDrop(machine, actor.pe, i, actor.site);
  }
  machine.stir();
}

/** Translation as x86 does it. */
export const x86Hardware: TranslationHardware = Object.freeze({
  entersByItself: false,
  keepsTags: false,
  breaksBeforeMake: false,
  tablesHaveRights: true,
  flags: ACCESSED | DIRTY,
  guestStep,
  speculateStep,
  issue,
  arrivalHeld,
  arrive,
});
