/** A hardware walk in flight: what it holds counts as cached state (spec/arm.md T5). */
import type { Regime } from './tables.ts';

export const Phase = { Lookup: 0, Descend: 1, SetAccessed: 2, Use: 3, SetDirty: 4 } as const;
export type Phase = (typeof Phase)[keyof typeof Phase];

/** What the walk holds besides its position. */
export const Held = { Nothing: 0, Table: 1, Leaf: 2 } as const;
export type Held = (typeof Held)[keyof typeof Held];

/** No table descriptor is held. */
export const NO_TABLE = -2;

export class Walk {
  phase: Phase = Phase.Lookup;
  regime: Regime = 0;
  vmid = 0;
  page = 0;
  intent = 0;
  /** The table to read next, its level, and its generation when its name was read. */
  frame = 0;
  generation = 0;
  level = 0;
  /** Row in which the table's name was read or cached. */
  from = -1;
  held: Held = Held.Nothing;
  /** The descriptor held: where, what, which instance, its level, and the row of its read. */
  address = 0;
  word = 0;
  instance = 0;
  heldLevel = 0;
  row = -1;
  /** Rights that all tables on the path give, where tables have rights. */
  rights = 0;
  /**
   * Level of the table descriptor that the walk came through: it counts as cached until the walk
   * ends, even after a leaf was read. NO_TABLE when it started at the root.
   */
  tableLevel = NO_TABLE;

  reset(): void {
    this.phase = Phase.Lookup;
    this.held = Held.Nothing;
    this.from = -1;
    this.row = -1;
    this.tableLevel = NO_TABLE;
  }
}
