/**
 * The rules by which an update of one entry is refused: one table, which the code runs and the README
 * shows (a test compares them).
 *
 * Mirrors: Xen 4.18 and later, xen_pt_check_entry().
 * Source: spec/x86-xen.md B6.
 */
import { CONTIGUOUS, isValid, TABLE, TYPE_MASK } from '../../sim/descriptor.ts';
import { LAST_LEVEL } from '../../sim/geometry.ts';
import { Kind } from './pt-request.ts';

export interface Rule {
  readonly number: number;
  readonly kind: Kind;
  /** The condition on the entry, as the README writes it. */
  readonly when: string;
  readonly why: string;
  refuses(entry: number, level: number, type: number): boolean;
}

/** Neither looks whether the entry is valid. */
export function isTableAt(entry: number, level: number): boolean {
  return level < LAST_LEVEL && (entry & TABLE) !== 0;
}

export function isMappingAt(entry: number, _level: number): boolean {
  // the machine's leaves have the bit clear at every level
  return (entry & TABLE) === 0;
}

export const RULES: readonly Rule[] = Object.freeze([
  {
    number: 1,
    kind: Kind.Modify,
    when: 'not valid',
    why: 'there is nothing to modify',
    refuses: (entry) => !isValid(entry),
  },
  {
    number: 2,
    kind: Kind.Modify,
    when: 'a table, no mapping at this level',
    why: 'the region was built from smaller entries',
    refuses: (entry, level) => !isMappingAt(entry, level),
  },
  {
    number: 3,
    kind: Kind.Modify,
    when: 'other memory attributes than requested',
    why: 'attributes need break-before-make',
    refuses: (entry, _level, type) => (entry & TYPE_MASK) !== type,
  },
  {
    number: 4,
    kind: Kind.Modify,
    when: 'contiguous hint set',
    why: 'the entries of a group change together or not at all',
    refuses: (entry) => (entry & CONTIGUOUS) !== 0,
  },
  {
    number: 5,
    kind: Kind.Insert,
    when: 'a valid mapping',
    why: 'nothing is replaced: an insert needs no flush',
    refuses: (entry, level) => isValid(entry) && isMappingAt(entry, level),
  },
  {
    number: 6,
    kind: Kind.Insert,
    when: 'a valid table',
    why: 'a table does not become a block',
    refuses: (entry, level) => isValid(entry) && isTableAt(entry, level),
  },
  {
    number: 7,
    kind: Kind.Remove,
    when: 'a table above the last level',
    why: 'tables are never freed',
    refuses: (entry, level) => isTableAt(entry, level),
  },
  {
    number: 8,
    kind: Kind.Remove,
    when: 'contiguous hint set',
    why: 'the entries of a group change together or not at all',
    refuses: (entry) => (entry & CONTIGUOUS) !== 0,
  },
] satisfies Rule[]);

/** Number of the first rule that refuses the update, or 0. */
export function refusedBy(
  kind: Kind,
  entry: number,
  level: number,
  type: number,
  rules: readonly Rule[] = RULES,
): number {
  for (const rule of rules) {
    if (rule.kind === kind && rule.refuses(entry, level, type)) return rule.number;
  }
  return 0;
}
