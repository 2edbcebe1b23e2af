/**
 * The host walks a table of the guest hypervisor in software: one read of guest memory per level, without the MMU
 * lock, while the guest may change what it reads.
 *
 * Mirrors: Linux 2026 arch/arm64/kvm/nested.c, the walk of a guest's stage 2.
 * Leaves out: sizes of input and output that the guest may choose; guest memory that cannot be read; the accessed
 *          flag, which the guest sets itself.
 * Source: spec/arm.md 5.4 step 1.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import {
  advance,
  frameOf,
  type Intent,
  isLeaf,
  isTable,
  permits,
  RIGHTS,
} from '../../sim/descriptor.ts';
import { indexAt, LAST_LEVEL, levelPages } from '../../sim/geometry.ts';
import { sites } from '../../sim/site.ts';
import type { Context } from './mmu-array.ts';
import type { NestedWorld } from './world.ts';

export const guestWalkSites = sites('guest-walk', ['readEntry']);
const at = guestWalkSites;

/** What the guest's table says about a page. Private to the actor that walked. */
export interface Finding {
  /** Nothing is mapped: the fault is the guest's. */
  readonly isMissing: boolean;
  /** Input page of the guest hypervisor. */
  readonly page: number;
  readonly rights: number;
  /** Level of the leaf, and so its size. */
  readonly level: number;
}

const MISSING: Finding = { isMissing: true, page: 0, rights: 0, level: 0 };

/** Without stage 2 the guest's pages are the guest hypervisor's. */
function identity(page: number): Finding {
  return { isMissing: false, page, rights: RIGHTS, level: LAST_LEVEL };
}

export function* walkGuestTable(
  self: Actor,
  world: NestedWorld,
  { isOn, table }: Context,
  page: number,
): Operation<Finding> {
  if (!isOn) return identity(page);
  const { machine, tables } = world;
  const { geometry } = tables;
  let frame = tables.root(table);
  for (let level = geometry.startLevel; level <= LAST_LEVEL; level += 1) {
    const word = machine.memory.address(frame, indexAt(geometry, page, level));
    const entry = yield* self.readOnce(at.readEntry, word);
    if (level < LAST_LEVEL && isTable(entry)) {
      frame = frameOf(entry);
      continue;
    }
    const mayBeLeaf = level === LAST_LEVEL || geometry.blockLevels.includes(level);
    if (!isLeaf(entry) || !mayBeLeaf) return MISSING;
    const inside = page & (levelPages(geometry, level) - 1);
    return {
      isMissing: false,
      page: frameOf(advance(entry, inside)),
      rights: entry & RIGHTS,
      level,
    };
  }
  return MISSING;
}

/** Two walks found the same. */
export function isSame(one: Finding, other: Finding): boolean {
  return (
    one.isMissing === other.isMissing &&
    one.page === other.page &&
    one.rights === other.rights &&
    one.level === other.level
  );
}

/** Whether the guest's own table allows the access; otherwise the fault is the guest's. */
export function allows(finding: Finding, intent: Intent): boolean {
  return !finding.isMissing && permits(finding.rights, intent);
}
