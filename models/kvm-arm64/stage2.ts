/**
 * What the operations on one stage-2 tree need to know of its owner: a guest whose own table it is, or a
 * hypervisor that keeps it as the shadow of another one.
 */
import type { Actor } from '../../sim/actor.ts';
import type { Geometry } from '../../sim/geometry.ts';
import type { WordAddress } from '../../sim/memory.ts';
import type { BugId } from './bugs.ts';
import type { Generation } from './generation.ts';
import type { TableWalk } from './walker.ts';

/** Words of a dirty log: 1 while the slot is logged, and its marks, 32 pages per word. */
export interface SlotLog {
  readonly logging: WordAddress;
  readonly bitmap: WordAddress;
}

export interface Stage2 {
  readonly geometry: Geometry;
  readonly generation: Generation;
  /** There are other guests on the PEs. */
  readonly sharesPes: boolean;
  /** Word that says what is loaded for the tree; `registerOf` gives the register value that it stands for. */
  readonly contextWord: WordAddress;
  /** By actor: where its walk is. */
  readonly walks: readonly TableWalk[];
  bug(id: BugId): boolean;
  /** The reference count of a table page. */
  count(frame: number): WordAddress;
  /** Table pages that the actor has set aside. */
  cache(self: Actor): number[];
  registerOf(context: number): number;
  /** The log of the slot that it maps; needed where leaves have dirty state (generation.ts). */
  readonly log?: SlotLog;
}
