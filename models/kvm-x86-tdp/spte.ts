/**
 * Shadow entries as words of the machine: what each software state looks like and how to ask for it.
 * The 64-bit forms are in codec.ts.
 *
 *   valid, table             names a table; gives all rights
 *   valid, no table          leaf. Software bits: may be made writable by the MMU, by the host, A/D type
 *   invalid, frame, no table access-tracked leaf: rights R and X are kept in place, W and A are gone
 *   invalid, table bit       frozen: somebody is in the middle of a change
 *   ... and contiguous bit   MMIO: no memory lies there. The frame is the page's own number, software bits a generation
 *   0                        none
 *
 * Source: spec/x86-xen.md A2, A7, A11; amendment E9.
 */
import {
  ACCESSED,
  CONTIGUOUS,
  type Descriptor,
  DIRTY,
  EXEC,
  FRAME_SHIFT,
  type Intent,
  isLeaf,
  isTable,
  isValid,
  leaf,
  permits,
  READ,
  RIGHTS,
  SOFTWARE_MASK,
  TABLE,
  table,
  VALID,
  WRITE,
} from '../../sim/descriptor.ts';

export const MMU_WRITABLE = 1 << 12;
export const HOST_WRITABLE = 1 << 13;
/** A/D type: 0 the hardware sets A and D, 1 software emulates them, 2 writes are logged by protection only. */
export const AD_TYPE = 3 << 14;
export const AD_DISABLED = 1 << 14;
export const AD_PROTECT_ONLY = 2 << 14;

export const NONE = 0;
/** A frozen value without accessed and dirty flags; and the form of upstream's, which has one (E9). */
export const FROZEN = TABLE;
export const FROZEN_WITH_ACCESSED = TABLE | ACCESSED;

const MMIO = TABLE | CONTIGUOUS;
const GENERATION_SHIFT = 12;
/** Generations that an MMIO entry has room for. */
export const GENERATIONS_MAX = 16;

/** Says of a page that no memory lies there, as of a generation of the slots (A2). */
export function mmioEntry(page: number, generation: number): Descriptor {
  return (page << FRAME_SHIFT) | (generation << GENERATION_SHIFT) | MMIO;
}

export function isMmio(word: Descriptor): boolean {
  return (word & (VALID | MMIO)) === MMIO;
}

export function generationOf(word: Descriptor): number {
  return (word & SOFTWARE_MASK) >>> GENERATION_SHIFT;
}

export function tableEntry(frame: number): Descriptor {
  return table(frame) | RIGHTS;
}

export function isTracked(word: Descriptor): boolean {
  return word !== NONE && (word & (VALID | TABLE)) === 0;
}

/** Backed by memory as the MMU sees it: the bit P. */
export function isPresent(word: Descriptor): boolean {
  return isValid(word) || isTracked(word);
}

export function isPresentLeaf(word: Descriptor): boolean {
  return isLeaf(word) || isTracked(word);
}

export { isTable };

export interface LeafForm {
  readonly canWrite: boolean;
  readonly canExecute: boolean;
  readonly adType: number;
}

/** A new leaf for the frames from `frame`: accessed, and dirty if writable (A7). */
export function makeLeaf(frame: number, { canWrite, canExecute, adType }: LeafForm): Descriptor {
  const hasDirty = adType !== AD_DISABLED;
  const write = canWrite ? WRITE | MMU_WRITABLE | (hasDirty ? DIRTY : 0) : 0;
  return leaf(frame, READ | write | (canExecute ? EXEC : 0) | ACCESSED | HOST_WRITABLE | adType);
}

/**
 * A leaf built for one level as it reads in an entry of another. Without the bit for large leaves
 * an upper entry names a table; at the last level that bit has no such meaning.
 */
export function placed(word: Descriptor, builtFor: number, level: number): Descriptor {
  return builtFor === 1 && level > 1 ? word | TABLE : word;
}

/** Bits may change without the MMU lock, other than the accessed flag alone (A2). */
export function isVolatile(word: Descriptor): boolean {
  if (!isPresentLeaf(word)) return false;
  if ((word & (MMU_WRITABLE | WRITE)) === MMU_WRITABLE) return true;
  if ((word & AD_TYPE) === AD_DISABLED) return true;
  return (word & (WRITE | DIRTY)) === WRITE;
}

/** The guest may have written through it: what removing it has to tell the host (E13). */
export function isDirty(word: Descriptor): boolean {
  if (!isPresentLeaf(word)) return false;
  return (word & ((word & AD_TYPE) === AD_DISABLED ? WRITE : DIRTY)) !== 0;
}

export function isAccessed(word: Descriptor): boolean {
  return isLeaf(word) && (word & ACCESSED) !== 0;
}

/** Rights are kept where they are; the hardware does not look at an invalid word. */
export function track(word: Descriptor): Descriptor {
  return word & ~(VALID | WRITE | ACCESSED);
}

export function untrack(word: Descriptor): Descriptor {
  return word | VALID | ACCESSED;
}

export function allows(word: Descriptor, intent: Intent): boolean {
  return isLeaf(word) && permits(word, intent);
}
