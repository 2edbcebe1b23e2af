/**
 * The naive twin of sim/tlb.ts: a list of objects, scanned with ranges written out. Slow and plain
 * on purpose; the property test in test/sim/tlb.test.ts compares the two.
 */
import type { TlbKind } from '../../sim/tlb.ts';

export interface ReferenceEntry {
  readonly kind: TlbKind;
  readonly vmid: number;
  readonly first: number;
  /** Pages covered. */
  readonly pages: number;
  readonly level: number;
  readonly word: number;
}

export class ReferenceTlb {
  entries: ReferenceEntry[] = [];

  add(entry: ReferenceEntry): void {
    this.entries = [...this.entries, entry];
  }

  remove(index: number): void {
    this.entries = this.entries.filter((_, i) => i !== index);
  }

  /** Indices of all entries that a lookup may use, oldest first. */
  matches(kind: TlbKind, vmid: number, page: number): number[] {
    return this.entries.flatMap((entry, index) => {
      const isTagged = entry.kind === kind && entry.vmid === vmid;
      const isCovered = page >= entry.first && page < entry.first + entry.pages;
      return isTagged && isCovered ? [index] : [];
    });
  }

  /** Of the matching walk-cache entries the oldest one of the deepest level; -1 if none. */
  deepest(kind: TlbKind, vmid: number, page: number): number {
    const found = this.matches(kind, vmid, page);
    const level = Math.max(...found.map((index) => this.entries[index]!.level));
    return found.find((index) => this.entries[index]!.level === level) ?? -1;
  }
}
