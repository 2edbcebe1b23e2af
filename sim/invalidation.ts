/**
 * TLB invalidations: operands as the instructions encode them, and what each must remove. The
 * machine removes only what it must (spec/arm.md 1.6, amendments E3, E20, E21, E29), so a wrong
 * scope, level hint or range is visible.
 */
import type { Actor } from './actor.ts';
import { assert } from './assert.ts';
import { type Geometry, LAST_LEVEL, levelShift } from './geometry.ts';
import { TlbKind } from './tlb.ts';

/** Kinds of invalidations: Arm’s instructions and x86’s flushes. */
export const Tlbi = {
  Invalid: 0,
  /** Stage-2 entries by input page: leaf and walk cache. */
  Ipas2e1: 1,
  /** Stage-2 leaf entries by input page. */
  Ipas2le1: 2,
  /** Stage-2 entries by range of input pages. */
  Ripas2e1: 3,
  /** Every entry with stage-1 content of the VMID. */
  Vmalle1: 4,
  /** Everything of the VMID. */
  Vmalls12e1: 5,
  /** Everything of EL1&0. */
  Alle1: 6,
  Vae2: 7,
  Vale2: 8,
  Alle2: 9,
  /** x86: everything that a PE caches for guests, by request to each PE. */
  FlushAll: 10,
  /** x86: whatever overlaps a range of input pages, leaf or not. */
  FlushRange: 11,
  /** x86: the PE leaves the guest, and owes a full flush before it enters again. */
  Kick: 12,
  /** Arm: what the TLBs of devices hold of the VMID, by range of input pages, leaf or not. */
  DeviceRange: 13,
  /** Instructions cached by the PE itself. */
  Iciallu: 14,
} as const;
export type Tlbi = (typeof Tlbi)[keyof typeof Tlbi];

export const TLBI_NAMES = [
  'none',
  'IPAS2E1',
  'IPAS2LE1',
  'RIPAS2E1',
  'VMALLE1',
  'VMALLS12E1',
  'ALLE1',
  'VAE2',
  'VALE2',
  'ALLE2',
  'flush',
  'flush range',
  'kick',
  'device range',
  'IC IALLU',
] as const;

/** Whether an invalidation is for this PE only or for all. */
export const Shareability = { Local: 0, Inner: 1 } as const;
export type Shareability = (typeof Shareability)[keyof typeof Shareability];

/** Granule field of TTL and TG: 0 is "not given". */
export function granuleField(granuleBits: number): number {
  return granuleBits === 12 ? 1 : granuleBits === 14 ? 2 : 3;
}

/** TTL operand: granule in bits 3:2, leaf level in bits 1:0. 0 gives no information. */
export function ttl(granuleBits: number, level: number): number {
  return (granuleField(granuleBits) << 2) | level;
}

/**
 * Level that a TTL names, or -1 for "no information": level 0, and level 1 with 16K, unless addresses
 * have 52 bits.
 */
export function hintedLevel(hint: number, isWide = false): number {
  const granule = hint >>> 2;
  const level = hint & 3;
  if (granule === 0) return -1;
  if (isWide) return level;
  return level === 0 || (granule === 2 && level === 1) ? -1 : level;
}

export const RANGE_PAGES_MAX = 32 << 16;

/** Pages that a range operand covers: (NUM + 1) << (5 * SCALE + 1). */
export function rangePages(scale: number, num: number): number {
  return (num + 1) << (5 * scale + 1);
}

/** Invalidations that may be on their way, before deferred frees are added (MachineSpec.reclaims). */
export const INVALIDATION_SLOTS = 16;

/** Invalidations that some PE has not acknowledged; a slot is free when `pending` is 0. */
export class Invalidations {
  readonly slots: number;
  readonly operation: Uint8Array;
  readonly vmid: Int32Array;
  readonly page: Int32Array;
  /** TTL operand, or for range operations the number of pages. */
  readonly hint: Int32Array;
  readonly pages: Int32Array;
  /** PEs that have not acknowledged, as a bit mask. */
  readonly pending: Int32Array;
  readonly issuer: Int32Array;
  readonly actor: Int32Array;
  readonly instance: Int32Array;
  readonly site: Int32Array;
  readonly row: Int32Array;
  outstanding = 0;

  constructor(slots: number = INVALIDATION_SLOTS) {
    this.slots = slots;
    this.operation = new Uint8Array(slots);
    this.vmid = new Int32Array(slots);
    this.page = new Int32Array(slots);
    this.hint = new Int32Array(slots);
    this.pages = new Int32Array(slots);
    this.pending = new Int32Array(slots);
    this.issuer = new Int32Array(slots);
    this.actor = new Int32Array(slots);
    this.instance = new Int32Array(slots);
    this.site = new Int32Array(slots);
    this.row = new Int32Array(slots);
  }

  reset(): void {
    if (this.outstanding > 0) this.pending.fill(0);
    this.outstanding = 0;
  }

  /** Notes who requested what in a free slot; nobody has to acknowledge yet. The slot. */
  request(actor: Actor, operation: number, vmid: number, hint: number): number {
    const slot = this.freeSlot();
    assert(slot >= 0, 'a request waits for a free slot');
    this.operation[slot] = operation;
    this.vmid[slot] = vmid;
    this.page[slot] = actor.y;
    this.hint[slot] = hint;
    this.pages[slot] = actor.w;
    this.issuer[slot] = actor.pe;
    this.actor[slot] = actor.index;
    this.instance[slot] = actor.operation;
    this.site[slot] = actor.site;
    return slot;
  }

  freeSlot(): number {
    for (let slot = 0; slot < this.slots; slot += 1) if (this.pending[slot] === 0) return slot;
    return -1;
  }

  /** An invalidation issued by one PE has not arrived at another. */
  pendingOn(issuer: number, pe: number): boolean {
    for (let slot = 0; slot < this.slots; slot += 1) {
      if (this.issuer[slot] === issuer && (this.pending[slot]! & (1 << pe)) !== 0) return true;
    }
    return false;
  }

  /** True when `slot` must remove this entry (or wait for the walk that holds it). */
  mustRemove(
    slot: number,
    geometry: Geometry,
    kind: number,
    vmid: number,
    first: number,
    bits: number,
    level: number,
  ): boolean {
    const operation = this.operation[slot]!;
    // a hint that names another granule need not remove anything
    const granule = this.hint[slot]! >>> 2;
    if (granule !== 0 && granule !== granuleField(geometry.granuleBits)) return false;
    switch (operation) {
      case Tlbi.Alle2:
        return kind === TlbKind.Leaf2 || kind === TlbKind.Table2;
      case Tlbi.Vae2:
        if (kind === TlbKind.Leaf2)
          return this.#hinted(slot, geometry, level) && this.#covers(slot, first, bits);
        return (
          kind === TlbKind.Table2 &&
          this.#aboveHint(slot, geometry, level) &&
          this.#covers(slot, first, bits)
        );
      case Tlbi.Vale2:
        return (
          kind === TlbKind.Leaf2 &&
          this.#hinted(slot, geometry, level) &&
          this.#covers(slot, first, bits)
        );
      case Tlbi.Alle1:
      case Tlbi.FlushAll:
      case Tlbi.Kick:
        return kind <= TlbKind.Table;
      case Tlbi.FlushRange:
        return kind <= TlbKind.Table && this.#covers(slot, first, bits);
      default:
        break;
    }
    if (kind > TlbKind.Table || this.vmid[slot] !== vmid) return false;
    switch (operation) {
      case Tlbi.Vmalls12e1:
        return true;
      case Tlbi.DeviceRange:
        return this.#covers(slot, first, bits);
      case Tlbi.Vmalle1:
        return kind === TlbKind.Combined;
      case Tlbi.Ipas2le1:
        return (
          kind === TlbKind.Leaf &&
          this.#hinted(slot, geometry, level) &&
          this.#covers(slot, first, bits)
        );
      case Tlbi.Ipas2e1:
        return this.#byPage(slot, geometry, kind, first, bits, level);
      case Tlbi.Ripas2e1:
        if (this.hint[slot]! >>> 2 !== granuleField(geometry.granuleBits)) return false;
        return this.#byPage(slot, geometry, kind, first, bits, level);
      default:
        return false;
    }
  }

  #byPage(
    slot: number,
    geometry: Geometry,
    kind: number,
    first: number,
    bits: number,
    level: number,
  ): boolean {
    if (kind === TlbKind.Leaf) {
      return this.#hinted(slot, geometry, level) && this.#covers(slot, first, bits);
    }
    if (kind !== TlbKind.Table || !this.#covers(slot, first, bits)) return false;
    return this.#aboveHint(slot, geometry, level);
  }

  /** A hint names the leaf level: only table descriptors above it are on the path. */
  #aboveHint(slot: number, geometry: Geometry, level: number): boolean {
    const hinted = this.#level(slot, geometry);
    return hinted < 0 || level < hinted;
  }

  #level(slot: number, geometry: Geometry): number {
    // level 0 is no information in a range, whatever the width of addresses
    const isRange = this.operation[slot] === Tlbi.Ripas2e1;
    return hintedLevel(this.hint[slot]!, geometry.isWide === true && !isRange);
  }

  #hinted(slot: number, geometry: Geometry, level: number): boolean {
    const hinted = this.#level(slot, geometry);
    return hinted < 0 || hinted === level;
  }

  #covers(slot: number, first: number, bits: number): boolean {
    const from = this.page[slot]!;
    const to = from + this.pages[slot]!;
    const end = bits > 30 ? 0x7fffffff : first + (1 << bits);
    return from < end && first < to;
  }
}

/** log2 of the pages that a descriptor read at `level` covers. */
export function coverBits(geometry: Geometry, level: number): number {
  return level > LAST_LEVEL ? 0 : levelShift(geometry, level);
}
