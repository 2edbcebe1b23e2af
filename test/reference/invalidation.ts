/**
 * What a TLB invalidation must remove, written as a table from spec/arm.md 1.6 with amendments E3,
 * E20, E21 and E29. Shares nothing with sim/invalidation.ts but the names of operations and kinds.
 */
import { Tlbi } from '../../sim/invalidation.ts';
import { TlbKind } from '../../sim/tlb.ts';

export interface ReferenceEntry {
  readonly kind: TlbKind;
  readonly vmid: number;
  readonly first: number;
  readonly pages: number;
  readonly level: number;
}

export interface ReferenceInvalidation {
  readonly operation: Tlbi;
  readonly vmid: number;
  readonly page: number;
  readonly pages: number;
  /** Leaf level that the operand names; undefined when it gives no information. */
  readonly level: number | undefined;
}

type Scope = 'all' | 'vmid' | 'range';

interface Row {
  readonly scope: Scope;
  readonly kinds: readonly TlbKind[];
}

const GUEST: readonly TlbKind[] = [TlbKind.Combined, TlbKind.Leaf, TlbKind.Table];

/** The rows of the table; what is not listed need not be removed. */
export const ROWS: Readonly<Record<string, Row>> = {
  [Tlbi.Ipas2e1]: { scope: 'range', kinds: [TlbKind.Leaf, TlbKind.Table] },
  [Tlbi.Ipas2le1]: { scope: 'range', kinds: [TlbKind.Leaf] },
  [Tlbi.Ripas2e1]: { scope: 'range', kinds: [TlbKind.Leaf, TlbKind.Table] },
  [Tlbi.Vmalle1]: { scope: 'vmid', kinds: [TlbKind.Combined] },
  [Tlbi.Vmalls12e1]: { scope: 'vmid', kinds: GUEST },
  [Tlbi.Alle1]: { scope: 'all', kinds: GUEST },
  [Tlbi.Vae2]: { scope: 'range', kinds: [TlbKind.Leaf2, TlbKind.Table2] },
  [Tlbi.Vale2]: { scope: 'range', kinds: [TlbKind.Leaf2] },
  [Tlbi.Alle2]: { scope: 'all', kinds: [TlbKind.Leaf2, TlbKind.Table2] },
};

function isTableKind(kind: TlbKind): boolean {
  return kind === TlbKind.Table || kind === TlbKind.Table2;
}

function overlaps(operation: ReferenceInvalidation, entry: ReferenceEntry): boolean {
  for (let page = entry.first; page < entry.first + entry.pages; page += 1) {
    if (page >= operation.page && page < operation.page + operation.pages) return true;
  }
  return false;
}

/** A hint names the leaf level: leaves of it, and tables above it (E3). */
function agrees(operation: ReferenceInvalidation, entry: ReferenceEntry): boolean {
  if (operation.level === undefined) return true;
  return isTableKind(entry.kind) ? entry.level < operation.level : entry.level === operation.level;
}

export function mustRemove(operation: ReferenceInvalidation, entry: ReferenceEntry): boolean {
  const row = ROWS[operation.operation]!;
  if (!row.kinds.includes(entry.kind)) return false;
  if (row.scope === 'all') return true;
  const isGuest = GUEST.includes(entry.kind);
  if (isGuest && entry.vmid !== operation.vmid) return false;
  return row.scope === 'vmid' || (overlaps(operation, entry) && agrees(operation, entry));
}
