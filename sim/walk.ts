/** A hardware walk in flight: what it holds counts as cached state (spec/arm.md T5). */
import type { Regime } from './tables.ts';

export const Phase = { Lookup: 0, Descend: 1, SetAccessed: 2, Use: 3 } as const;
export type Phase = (typeof Phase)[keyof typeof Phase];

/** What the walk holds besides its position. */
export const Held = { Nothing: 0, Table: 1, Leaf: 2 } as const;
export type Held = (typeof Held)[keyof typeof Held];

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

  reset(): void {
    this.phase = Phase.Lookup;
    this.held = Held.Nothing;
    this.from = -1;
    this.row = -1;
  }
}
