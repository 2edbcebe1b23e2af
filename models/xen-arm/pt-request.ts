/**
 * A request to change the hypervisor's own tables, and which of the four kinds it is.
 * Source: spec/x86-xen.md B1, B2.
 */
import { EXEC_PRIVILEGED, MemoryType, READ, WRITE } from '../../sim/descriptor.ts';

/** The kind follows from the frame (given or not) and the flags PRESENT and POPULATE. */
export const Kind = { Insert: 0, Modify: 1, Remove: 2, Populate: 3 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

export const KIND_NAMES = ['insert', 'modify', 'remove', 'populate'] as const;

/** The frame of a request that has none. */
export const NO_FRAME = -1;

/** What a caller may ask for, as programs write it. */
export const ATTRIBUTES = [
  { name: 'rw', rights: READ | WRITE, type: MemoryType.Normal },
  { name: 'ro', rights: READ, type: MemoryType.Normal },
  { name: 'rx', rights: READ | EXEC_PRIVILEGED, type: MemoryType.Normal },
  { name: 'rw device', rights: READ | WRITE, type: MemoryType.Device },
  { name: 'rwx', rights: READ | WRITE | EXEC_PRIVILEGED, type: MemoryType.Normal },
] as const;

export interface Request {
  readonly kind: Kind;
  /** First input page, and how many. */
  readonly page: number;
  readonly pages: number;
  /** First frame of an insert, else NO_FRAME. */
  readonly frame: number;
  readonly rights: number;
  readonly type: number;
  /** BLOCK: levels above the last may be used. */
  readonly isBlock: boolean;
}

/** Writable and executable together is rejected before anything is looked at. */
export function isWritableAndExecutable({ rights }: Request): boolean {
  return (rights & WRITE) !== 0 && (rights & EXEC_PRIVILEGED) !== 0;
}
