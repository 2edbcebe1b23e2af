/**
 * The TLB of one PE: entry kinds and tags of spec/arm.md 1.5. Which entries an invalidation must
 * remove is decided in invalidation.ts; what a lookup may use, here.
 *
 * Every entry remembers the descriptor instance it was made from and the trace row of its fill,
 * so that a finding can say who filled it and which change it missed.
 */
import { CONTIGUOUS, FRAME_MASK, TYPE_MASK } from './descriptor.ts';

/**
 * Combined stage 1+2, stage-2 leaf, stage-2 walk cache, EL2 leaf, EL2 walk cache.
 * Zero is no kind.
 */
export const TlbKind = { Invalid: 0, Combined: 1, Leaf: 2, Table: 3, Leaf2: 4, Table2: 5 } as const;
export type TlbKind = (typeof TlbKind)[keyof typeof TlbKind];

export const TLB_KIND_NAMES = [
  'none',
  'combined',
  'stage-2',
  'walk-cache',
  'el2',
  'el2 walk-cache',
] as const;

export const TLB_CAPACITY = 24;

/** Both pages lie in one block of `2 ** bits` pages; entries of upper levels may exceed 32 bits. */
export function samePage(page: number, first: number, bits: number): boolean {
  return bits > 30 || page >>> bits === first >>> bits;
}

export class Tlb {
  count = 0;
  readonly kind = new Uint8Array(TLB_CAPACITY);
  readonly vmid = new Int32Array(TLB_CAPACITY);
  /** First input page and log2 of the pages covered. */
  readonly first = new Int32Array(TLB_CAPACITY);
  readonly bits = new Int32Array(TLB_CAPACITY);
  /** Level of the descriptor that the entry was made from. */
  readonly level = new Int32Array(TLB_CAPACITY);
  /** The descriptor itself. */
  readonly word = new Int32Array(TLB_CAPACITY);
  readonly address = new Int32Array(TLB_CAPACITY);
  readonly instance = new Int32Array(TLB_CAPACITY);
  /** Generation of the page that the descriptor names, when it was read. */
  readonly generation = new Int32Array(TLB_CAPACITY);
  readonly row = new Int32Array(TLB_CAPACITY);

  reset(): void {
    this.count = 0;
  }

  /** Index of the first entry of `kind` that translates `page` for `vmid`, from `from`; -1 if none. */
  find(kind: TlbKind, vmid: number, page: number, from: number): number {
    for (let i = from; i < this.count; i += 1) {
      if (this.kind[i] !== kind || this.vmid[i] !== vmid) continue;
      if (samePage(page, this.first[i]!, this.bits[i]!)) return i;
    }
    return -1;
  }

  /** Walk-cache entry nearest to the leaf for `page`; -1 if none. */
  deepestTable(kind: TlbKind, vmid: number, page: number): number {
    let best = -1;
    for (let i = 0; i < this.count; i += 1) {
      if (this.kind[i] !== kind || this.vmid[i] !== vmid) continue;
      if (!samePage(page, this.first[i]!, this.bits[i]!)) continue;
      if (best < 0 || this.level[i]! > this.level[best]!) best = i;
    }
    return best;
  }

  remove(index: number): void {
    const last = this.count - 1;
    for (const column of this.#columns) column.copyWithin(index, index + 1, last + 1);
    this.count = last;
  }

  readonly #columns = [
    this.kind,
    this.vmid,
    this.first,
    this.bits,
    this.level,
    this.word,
    this.address,
    this.instance,
    this.generation,
    this.row,
  ];
}

/**
 * Two leaves for one page conflict when a TLB that holds both may answer with either or a mix:
 * other size or level, contiguous hint, output page or memory type. Rights, accessed and software
 * bits may differ.
 * Source: spec/arm.md 1.10, amendment E5.
 */
export function conflicts(
  oneWord: number,
  oneFirst: number,
  oneBits: number,
  otherWord: number,
  otherFirst: number,
  otherBits: number,
): boolean {
  if (oneBits !== otherBits) return true;
  if (((oneWord ^ otherWord) & (TYPE_MASK | CONTIGUOUS)) !== 0) return true;
  return oneFirst === otherFirst && ((oneWord ^ otherWord) & FRAME_MASK) !== 0;
}
