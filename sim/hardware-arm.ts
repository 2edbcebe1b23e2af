/**
 * Arm: lookups, table walks one read per event, accessed-flag updates. Rules T1-T5 and T7 of spec/arm.md 1.5
 * as amended; fills that may or may not happen are choices. Invalidations are in tlbi-arm.ts. Shared TLBs (T6) are
 * left out, registers take effect late (E6, T8) at F2 only: docs/fidelity.md.
 */
import { FaultClass, fault } from './access.ts';
import type { Actor } from './actor.ts';
import { assert } from './assert.ts';
import {
  ACCESSED,
  advance,
  DIRTY_MODIFIER,
  frameOf,
  Intent,
  isLeaf,
  isTable,
  permits,
  WRITE,
} from './descriptor.ts';
import { Event } from './event.ts';
import { indexAt, LAST_LEVEL, rootIndex } from './geometry.ts';
import {
  alignTo,
  CACHE_COMBINED,
  CACHE_LEAF,
  CACHE_TABLE,
  endWalk,
  FAULT_EARLY,
  fill,
  hold,
  LEVEL_SITES,
  leafBits,
  raise,
  SET_ACCESSED,
  SET_DIRTY,
  SPECULATIVE_ACCESS,
  type TranslationHardware,
  tellFreed,
  treeOf,
  USE,
  USE_OTHER,
  use,
} from './hardware.ts';
import type { Machine } from './machine.ts';
import { Regime } from './tables.ts';
import { TLB_CAPACITY, TlbKind } from './tlb.ts';
import { arrivalHeld, arrive, issue } from './tlbi-arm.ts';
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
      return setFlag(machine, actor, ACCESSED, false);
    case Phase.SetDirty:
      return setFlag(machine, actor, WRITE, false);
    default: {
      const word = advance(walk.word, walk.page - alignTo(walk.page, leafBits(machine, actor)));
      use(machine, actor, USE, word, walk.row);
      return endWalk(machine, actor, 0);
    }
  }
}

function speculateStep(machine: Machine, actor: Actor): boolean {
  const { walk } = actor;
  // a walk of a regime that does not translate any more is given up (spec/arm.md 6.2 step 1)
  const isOver = walk.phase !== Phase.Lookup && actor.w === Regime.Hypervisor;
  if (isOver && !machine.pes[actor.pe]!.mmu) return endWalk(machine, actor, 0);
  if (walk.phase === Phase.Descend) return descend(machine, actor, true);
  if (walk.phase === Phase.SetAccessed) return setFlag(machine, actor, ACCESSED, true);
  const pe = machine.pes[actor.pe]!;
  assert(actor.w === Regime.Hypervisor || pe.guest, 'walks start in the regime that executes');
  startWalk(machine, actor, Intent.Read);
  return false;
}

function lookup(machine: Machine, actor: Actor): boolean {
  const pe = machine.pes[actor.pe]!;
  const page = actor.x;
  const intent = actor.y as Intent;
  const isGuest = actor.w === Regime.Guest;
  // an interrupt came first
  if (isGuest && !pe.guest) return endWalk(machine, actor, fault(FaultClass.Interrupted, 0));
  const vmid = isGuest ? pe.vttbr & 0xff : -1;
  const { tlb } = pe;
  let kind: TlbKind = isGuest ? TlbKind.Combined : TlbKind.Leaf2;
  let key = isGuest && actor.address >= 0 ? actor.address : page;
  let hit = tlb.count === 0 ? -1 : tlb.find(kind, vmid, key, 0);
  if (hit < 0 && isGuest && tlb.count > 0) {
    kind = TlbKind.Leaf;
    key = page;
    hit = tlb.find(kind, vmid, page, 0);
  }
  if (hit < 0) {
    const { geometry } = treeOf(machine, actor.w as Regime);
    if (rootIndex(geometry, page) >= geometry.rootPages) {
      // beyond the input size
      return endWalk(machine, actor, raise(machine, actor, FaultClass.Translation, 0));
    }
    startWalk(machine, actor, intent);
    return false;
  }
  // two entries for one page: the machine may use either (E5)
  const other = tlb.find(kind, vmid, key, hit + 1);
  if (other >= 0 && machine.choose(USE_OTHER, 2) === 1) hit = other;
  const word = advance(tlb.word[hit]!, page - alignTo(page, tlb.bits[hit]!));
  const row = tlb.row[hit]!;
  if (!permits(word, intent)) {
    if (maySetDirty(machine, actor.pe, word, intent)) {
      // what is cached does not say that the entry in memory is writable: the walker goes there
      startWalk(machine, actor, intent);
      return false;
    }
    return endWalk(machine, actor, raise(machine, actor, FaultClass.Permission, tlb.level[hit]!));
  }
  if (kind === TlbKind.Leaf && machine.choose(CACHE_COMBINED, 2) === 0) {
    copyCombined(machine, actor, hit);
  }
  use(machine, actor, actor.site, word, row);
  return endWalk(machine, actor, 0);
}

/** Begins at the deepest cached table, or at the root. */
export function startWalk(machine: Machine, actor: Actor, intent: Intent): void {
  const { walk } = actor;
  const pe = machine.pes[actor.pe]!;
  const isGuest = actor.w === Regime.Guest;
  const tree = treeOf(machine, actor.w as Regime);
  walk.regime = actor.w as Regime;
  walk.vmid = isGuest ? pe.vttbr & 0xff : -1;
  walk.page = actor.x;
  walk.intent = intent;
  walk.phase = Phase.Descend;
  walk.held = Held.Nothing;
  const cached = pe.tlb.deepestTable(
    isGuest ? TlbKind.Table : TlbKind.Table2,
    walk.vmid,
    walk.page,
  );
  if (cached >= 0) {
    walk.frame = frameOf(pe.tlb.word[cached]!);
    walk.generation = pe.tlb.generation[cached]!;
    walk.level = pe.tlb.level[cached]! + 1;
    walk.from = pe.tlb.row[cached]!;
    hold(
      actor,
      Held.Table,
      pe.tlb.address[cached]!,
      pe.tlb.word[cached]!,
      pe.tlb.instance[cached]!,
    );
    walk.heldLevel = pe.tlb.level[cached]!;
    walk.tableLevel = walk.heldLevel;
    walk.row = pe.tlb.row[cached]!;
  } else {
    const base = isGuest ? pe.vttbr : pe.ttbr0;
    walk.frame = (base >>> 8) + rootIndex(tree.geometry, walk.page);
    walk.generation = isGuest ? pe.vttbrGeneration : pe.ttbr0Generation;
    walk.level = tree.geometry.startLevel;
    walk.from = -1;
  }
  machine.emit(Event.WalkStart, actor.site, walk.page, intent, walk.vmid, cached);
  machine.walksChanged(actor.pe);
}

/** Reads one descriptor. */
export function descend(machine: Machine, actor: Actor, isSpeculative: boolean): boolean {
  const { walk } = actor;
  const { memory, pages } = machine;
  const tree = treeOf(machine, walk.regime);
  const { level } = walk;
  const site = LEVEL_SITES[level + 1]!;
  const index = indexAt(tree.geometry, walk.page, level);
  const address = memory.address(walk.frame, index);
  tellFreed(machine, walk, site, address);
  const word = memory.load(address);
  const row = machine.emit(Event.WalkRead, site, address, word, level, walk.page);
  if (machine.delaysRegisters && !isSpeculative && mayFaultEarly(machine, actor, address)) {
    return failWalk(machine, actor, FaultClass.Translation, level, false);
  }

  if (level < LAST_LEVEL && isTable(word)) {
    const child = frameOf(word);
    if (child >= memory.frames)
      return failWalk(machine, actor, FaultClass.Translation, level, isSpeculative);
    walk.frame = child;
    walk.generation = pages.generation[child]!;
    walk.level = level + 1;
    walk.from = row;
    hold(actor, Held.Table, address, word, memory.instance(address));
    walk.heldLevel = level;
    walk.tableLevel = level;
    walk.row = row;
    if (machine.choose(CACHE_TABLE, 2) === 0) {
      fill(
        machine,
        actor,
        walk.regime === Regime.Guest ? TlbKind.Table : TlbKind.Table2,
        pages.generation[child]!,
      );
    }
    machine.walksChanged(actor.pe);
    return false;
  }
  const isLeafHere =
    isLeaf(word) && (level === LAST_LEVEL || tree.geometry.blockLevels.includes(level));
  if (!isLeafHere || frameOf(word) >= memory.frames) {
    return failWalk(machine, actor, FaultClass.Translation, level, isSpeculative);
  }
  hold(actor, Held.Leaf, address, word, memory.instance(address));
  walk.heldLevel = level;
  walk.row = row;
  machine.walksChanged(actor.pe);
  if ((word & ACCESSED) === 0) {
    if (!machine.pes[actor.pe]!.updatesAccessed) {
      return failWalk(machine, actor, FaultClass.AccessFlag, level, isSpeculative);
    }
    if (isSpeculative && machine.choose(SPECULATIVE_ACCESS, 2) === 1)
      return endWalk(machine, actor, 0);
    walk.phase = Phase.SetAccessed;
    return false;
  }
  return leafRead(machine, actor, isSpeculative);
}

/** The entry became valid after the PE synchronised last: the walk may have read it before (R2, R3). */
function mayFaultEarly(machine: Machine, actor: Actor, address: number): boolean {
  const since = machine.stores.validSince.get(address);
  return (
    since !== undefined &&
    // which translations are read early, a front end knows
    machine.spec.admits === undefined &&
    since === machine.memory.instance(address) &&
    since > machine.pes[actor.pe]!.synchronisedAt &&
    machine.choose(FAULT_EARLY, 2) === 1
  );
}

/**
 * The walker's atomic update, of the accessed flag or the dirty state; a descriptor that changed since it was
 * read is read again.
 */
export function setFlag(
  machine: Machine,
  actor: Actor,
  flag: number,
  isSpeculative: boolean,
): boolean {
  const { walk } = actor;
  const { memory } = machine;
  const site = flag === ACCESSED ? SET_ACCESSED : SET_DIRTY;
  tellFreed(machine, walk, site, walk.address);
  if (memory.load(walk.address) !== walk.word || memory.instance(walk.address) !== walk.instance) {
    walk.phase = Phase.Descend;
    walk.held = Held.Nothing;
    machine.emit(Event.CompareFailed, site, walk.address, memory.load(walk.address), walk.word, 0);
    machine.walksChanged(actor.pe);
    return false;
  }
  machine.write(site, walk.address, walk.word | flag, true);
  walk.word |= flag;
  walk.instance = memory.instance(walk.address);
  return leafRead(machine, actor, isSpeculative);
}

/** The leaf is known and its accessed flag is set: check rights, cache, go on to the access. */
function leafRead(machine: Machine, actor: Actor, isSpeculative: boolean): boolean {
  const { walk } = actor;
  const isGuest = walk.regime === Regime.Guest;
  if (machine.choose(CACHE_LEAF, 2) === 0) {
    fill(machine, actor, isGuest ? TlbKind.Leaf : TlbKind.Leaf2, 0);
  }
  if (isGuest && machine.choose(CACHE_COMBINED, 2) === 0) {
    if (isSpeculative || actor.address < 0) fill(machine, actor, TlbKind.Combined, 0);
    else fillPrivate(machine, actor);
  }
  if (isSpeculative) return endWalk(machine, actor, 0);
  if (!permits(walk.word, walk.intent as Intent)) {
    if (!maySetDirty(machine, actor.pe, walk.word, walk.intent as Intent))
      return failWalk(machine, actor, FaultClass.Permission, walk.heldLevel, false);
    walk.phase = Phase.SetDirty;
    return false;
  }
  // the tables are behind it now; only the leaf is held until the access
  walk.phase = Phase.Use;
  walk.tableLevel = NO_TABLE;
  machine.walksChanged(actor.pe);
  return false;
}

/** A write through an entry that the walker may make writable (HD = 1, spec/arm.md 1.9). */
function maySetDirty(machine: Machine, pe: number, word: number, intent: Intent): boolean {
  return intent === Intent.Write && (word & DIRTY_MODIFIER) !== 0 && machine.pes[pe]!.updatesDirty;
}

function failWalk(
  machine: Machine,
  actor: Actor,
  cause: FaultClass,
  level: number,
  isSpeculative: boolean,
): boolean {
  return endWalk(machine, actor, isSpeculative ? 0 : raise(machine, actor, cause, level));
}

/** Caches what the walk holds under the address that the vCPU's own stage 1 gives it: a page, always. */
function fillPrivate(machine: Machine, actor: Actor): void {
  const { walk, pe } = actor;
  const { tlb } = machine.pes[pe]!;
  if (tlb.count === TLB_CAPACITY) return;
  const at = tlb.count;
  tlb.vmid[at] = walk.vmid;
  tlb.level[at] = walk.heldLevel;
  tlb.word[at] = walk.word;
  tlb.first[at] = alignTo(walk.page, leafBits(machine, actor));
  tlb.address[at] = walk.address;
  tlb.instance[at] = walk.instance;
  tlb.generation[at] = 0;
  copyCombined(machine, actor, at);
}

/** A stage-2 entry that is hit yields a combined one (the walker rebuilds it from a live entry). */
function copyCombined(machine: Machine, actor: Actor, from: number): void {
  const { tlb } = machine.pes[actor.pe]!;
  if (tlb.count === TLB_CAPACITY) return;
  const at = tlb.count;
  tlb.count = at + 1;
  tlb.kind[at] = TlbKind.Combined;
  tlb.vmid[at] = tlb.vmid[from]!;
  const isPrivate = actor.address >= 0;
  const { x: page } = actor;
  tlb.word[at] = isPrivate ? advance(tlb.word[from]!, page - tlb.first[from]!) : tlb.word[from]!;
  tlb.first[at] = isPrivate ? actor.address : tlb.first[from]!;
  tlb.bits[at] = isPrivate ? 0 : tlb.bits[from]!;
  tlb.level[at] = tlb.level[from]!;
  tlb.address[at] = tlb.address[from]!;
  tlb.instance[at] = tlb.instance[from]!;
  tlb.generation[at] = tlb.generation[from]!;
  tlb.row[at] = machine.emit(
    Event.TlbFill,
    LEVEL_SITES[tlb.level[at]! + 1]!,
    actor.pe | (TlbKind.Combined << 8),
    tlb.first[at]!,
    tlb.word[at]!,
    tlb.address[at]!,
  );
  machine.stir();
}

/** Translation as Arm does it: the default. */
export const armHardware: TranslationHardware = Object.freeze({
  entersByItself: true,
  keepsTags: true,
  breaksBeforeMake: true,
  tablesHaveRights: false,
  flags: ACCESSED,
  guestStep,
  speculateStep,
  issue,
  arrivalHeld,
  arrive,
});
