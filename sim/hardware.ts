/**
 * The seam between the machine and the hardware that translates, and what every kind of hardware does
 * alike: sites of walks, the access itself, TLB fills and drops. hardware-arm.ts and hardware-x86.ts
 * are the two kinds; a machine has one of them (MachineSpec.hardware).
 */
import { type FaultClass, fault } from './access.ts';
import type { Actor } from './actor.ts';
import { frameOf, Intent } from './descriptor.ts';
import { Event } from './event.ts';
import { levelShift } from './geometry.ts';
import { leaveGuest } from './guest-mode.ts';
import type { Machine } from './machine.ts';
import { Role } from './pages.ts';
import { type Site, siteOf, sites } from './site.ts';
import { Regime, type Tree } from './tables.ts';
import { TLB_CAPACITY, type TlbKind } from './tlb.ts';
import { type Held, Phase, type Walk } from './walk.ts';

/**
 * What a machine asks of the hardware that translates. Stateless: TLBs, walks and requests on their way
 * lie in the machine. Steps return true when the access is complete, and set the actor's result.
 */
export interface TranslationHardware {
  /** A guest access by a PE outside the guest enters it first, without a step of its own. */
  readonly entersByItself: boolean;
  /** Translations stay usable under their tag while another context is loaded. */
  readonly keepsTags: boolean;
  /** A valid entry must be made invalid, and invalidated, before another takes its place. */
  readonly breaksBeforeMake: boolean;
  /** Table descriptors have rights, which take away those of what is below. */
  readonly tablesHaveRights: boolean;
  /** Flags of descriptors that walkers may set. */
  readonly flags: number;
  /** One event of a demand access. The actor's result is 0 or a fault. */
  guestStep(machine: Machine, actor: Actor): boolean;
  /** One event of a speculative walk: fills what it may, reports nothing. */
  speculateStep(machine: Machine, actor: Actor): boolean;
  /** An invalidation is requested: it is put on its way to the PEs that have something to do. */
  issue(machine: Machine, actor: Actor): void;
  /** A walk of the PE holds a value that the invalidation must remove: it cannot arrive yet. */
  arrivalHeld(machine: Machine, slot: number, pe: number): boolean;
  /** The invalidation reaches a PE: what it must remove is gone, and the PE acknowledges. */
  arrive(machine: Machine, slot: number, pe: number): void;
}

/** Sites of the table walker; every system lists them. */
export const walkSites = sites('walk', [
  'level-1',
  'level0',
  'level1',
  'level2',
  'level3',
  'setAccessed',
  'setDirty',
  'logWrite',
  'use',
  'cacheLeaf',
  'cacheCombined',
  'cacheTable',
  'useOther',
  'speculativeAccess',
  'faultEarly',
  'tagNew',
]);

/** Sites of choices that hardware makes; every system lists them. */
export const choiceSites = sites('choice', [
  'allocationFails',
  'reuseOldest',
  'evictOther',
  'hostilePage',
]);
/** Sites of the machine itself; every system lists them. */
export const machineSites = sites('machine', ['run']);

export const LEVEL_SITES = [
  walkSites['level-1'],
  walkSites.level0,
  walkSites.level1,
  walkSites.level2,
  walkSites.level3,
];
export const CACHE_LEAF = siteOf('walk.cacheLeaf');
export const CACHE_COMBINED = siteOf('walk.cacheCombined');
export const CACHE_TABLE = siteOf('walk.cacheTable');
export const USE_OTHER = siteOf('walk.useOther');
export const SET_ACCESSED = siteOf('walk.setAccessed');
export const SET_DIRTY = siteOf('walk.setDirty');
export const LOG_WRITE = siteOf('walk.logWrite');
export const USE = siteOf('walk.use');
export const SPECULATIVE_ACCESS = siteOf('walk.speculativeAccess');
export const FAULT_EARLY = siteOf('walk.faultEarly');
const TAG_NEW = siteOf('walk.tagNew');

/** The site of the event that the actor performs next: its access, or the next move of its walk. */
export function pendingSite(actor: Actor): Site {
  switch (actor.walk.phase) {
    case Phase.Descend:
      return LEVEL_SITES[actor.walk.level + 1]!;
    case Phase.SetAccessed:
      return SET_ACCESSED;
    case Phase.SetDirty:
      return SET_DIRTY;
    case Phase.Use:
      return USE;
    default:
      return actor.site;
  }
}

// ---- steps of a walk ----

/** Tells when a walk reads or updates a page that is no table any more, or another one. */
export function tellFreed(machine: Machine, walk: Walk, site: Site, address: number): void {
  const { pages } = machine;
  const { frame, generation } = walk;
  if (pages.role[frame] === Role.Table && pages.generation[frame] === generation) return;
  machine.emit(Event.WalkFreed, site, address, frame, generation, walk.from);
}

export function raise(machine: Machine, actor: Actor, cause: FaultClass, level: number): number {
  if (actor.w === Regime.Guest) {
    leaveGuest(machine, machine.pes[actor.pe]!);
    machine.stir();
  }
  machine.emit(Event.Fault, actor.site, actor.x, cause, level, actor.y);
  return fault(cause, level);
}

export function endWalk(machine: Machine, actor: Actor, result: number): boolean {
  actor.result = result;
  if (actor.walk.phase !== Phase.Lookup) {
    actor.walk.reset();
    machine.walksChanged(actor.pe);
  }
  return true;
}

/** The data access itself, through the translation `word`. */
export function use(machine: Machine, actor: Actor, site: Site, word: number, row: number): void {
  const frame = frameOf(word);
  const intent = actor.y as Intent;
  machine.emit(Event.Use, site, actor.x, frame, intent | (actor.w << 4), row);
  if (intent !== Intent.Write || frame >= machine.memory.frames) return;
  if (machine.pages.role[frame] === Role.Kernel) return;
  const address = machine.memory.address(frame, 0);
  // a page that has become a table meanwhile is changed for everybody who walks it
  if (machine.tables.treeOf[frame]! >= 0) machine.write(site, address, actor.z, true);
  else machine.storeData(address, actor.z);
}

export function hold(
  actor: Actor,
  held: Held,
  address: number,
  word: number,
  instance: number,
): void {
  const { walk } = actor;
  walk.held = held;
  walk.address = address;
  walk.word = word;
  walk.instance = instance;
}

export function treeOf(machine: Machine, regime: Regime): Tree {
  const { spec, tables } = machine;
  return tables.trees[regime === Regime.Guest ? spec.guestTree : spec.hypervisorTree]!;
}

export function alignTo(page: number, bits: number): number {
  return bits > 30 ? 0 : (page >>> bits) << bits;
}

export function leafBits(machine: Machine, actor: Actor): number {
  return levelShift(treeOf(machine, actor.walk.regime).geometry, actor.walk.heldLevel);
}

// ---- TLB ----

/** Caches what the walk holds. An equal entry is not made twice. */
export function fill(machine: Machine, actor: Actor, kind: TlbKind, generation: number): void {
  const { walk } = actor;
  const { tlb } = machine.pes[actor.pe]!;
  const bits = leafBits(machine, actor);
  const first = alignTo(walk.page, bits);
  const vmid = machine.delaysRegisters ? tagOf(machine, actor) : walk.vmid;
  for (let i = 0; i < tlb.count; i += 1) {
    if (
      tlb.kind[i] === kind &&
      tlb.vmid[i] === vmid &&
      tlb.instance[i] === walk.instance &&
      tlb.address[i] === walk.address
    ) {
      return;
    }
  }
  if (tlb.count === TLB_CAPACITY) tlbDrop(machine, actor.pe, 0, actor.site);
  const at = tlb.count;
  tlb.count = at + 1;
  tlb.kind[at] = kind;
  tlb.vmid[at] = vmid;
  tlb.first[at] = first;
  tlb.bits[at] = bits;
  tlb.level[at] = walk.heldLevel;
  tlb.word[at] = walk.word;
  tlb.address[at] = walk.address;
  tlb.instance[at] = walk.instance;
  tlb.generation[at] = generation;
  tlb.row[at] = machine.emit(
    Event.TlbFill,
    LEVEL_SITES[walk.heldLevel + 1]!,
    actor.pe | (kind << 8),
    first,
    walk.word,
    walk.address,
  );
  machine.stir();
}

/** A register written while the walk is in flight may have its effect on the tag (T8). */
function tagOf(machine: Machine, { walk, pe }: Actor): number {
  if (walk.regime !== Regime.Guest) return walk.vmid;
  const now = machine.pes[pe]!.vttbr & 0xff;
  return now !== walk.vmid && machine.choose(TAG_NEW, 2) === 1 ? now : walk.vmid;
}

export function tlbDrop(machine: Machine, pe: number, index: number, site: number): void {
  const { tlb } = machine.pes[pe]!;
  machine.emit(
    Event.TlbDrop,
    site,
    pe | (tlb.kind[index]! << 8),
    tlb.first[index]!,
    tlb.word[index]!,
    tlb.row[index]!,
  );
  tlb.remove(index);
}

/** Another actor's walk is in flight on the PE: a full barrier there waits for it. */
export function walkInFlight(machine: Machine, pe: number, except: number): boolean {
  const walkers = machine.walkers[pe]!;
  for (let i = 0; i < walkers.length; i += 1) {
    if (walkers[i]!.index !== except && walkers[i]!.walk.phase !== Phase.Lookup) return true;
  }
  return false;
}
