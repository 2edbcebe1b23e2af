/**
 * The machine's words as the 64-bit entries of EPT and of legacy (NPT) tables, and back. For tests and
 * printing: the machine itself never works on bigints.
 *
 * `encode` and `decode` are inverse on everything that the system stores; a 64-bit value that stands for
 * nothing of it decodes to undefined. What tells the classes apart: bit 11 (backed by memory) with
 * a right or the present bit (leaf, table), bit 11 alone (access-tracked), a pattern that the hardware takes for
 * a mistake (MMIO: writable and not readable, or a reserved address bit), the frozen constant, none.
 *
 * Source: spec/x86-xen.md A2, A11, amendment E9. The frozen constant of the base form is ours: it has no
 * accessed and no dirty flag of either format. Upstream's is 0x5a0.
 */
import {
  ACCESSED,
  type Descriptor,
  DIRTY,
  EXEC,
  frameOf,
  isTable,
  isValid,
  leaf,
  READ,
  RIGHTS,
  TABLE,
  VALID,
  WRITE,
} from '../../sim/descriptor.ts';
import {
  AD_TYPE,
  FROZEN,
  FROZEN_WITH_ACCESSED,
  generationOf,
  HOST_WRITABLE,
  isMmio,
  isTracked,
  MMU_WRITABLE,
  mmioEntry,
  NONE,
  tableEntry,
} from './spte.ts';

export interface SpteFormat {
  readonly kind: 'ept' | 'legacy';
  /** The frozen constant is upstream's 0x5a0. */
  readonly frozenHasAccessed: boolean;
}

/** Bits that one of our flags is in each format; legacy execution is the absence of bit 63. */
const LAYOUT = {
  ept: { write: 1n, accessed: 8n, dirty: 9n, hostWritable: 57n, mmuWritable: 58n },
  legacy: { write: 1n, accessed: 5n, dirty: 6n, hostWritable: 9n, mmuWritable: 10n },
} as const;

const PRESENT = 1n;
const EPT_EXECUTE = 1n << 2n;
const LEGACY_USER = 1n << 2n;
const LEGACY_NX = 1n << 63n;
/** Write-back, and the guest's own type is ignored. */
const EPT_MEMORY = (6n << 3n) | (1n << 6n);
const LARGE = 1n << 7n;
const BACKED = 1n << 11n;
const FRAME_SHIFT = 12n;
const AD_SHIFT = 52n;
const SAVED_READ = 1n << 54n;
const SAVED_EXECUTE = 1n << 56n;
/** Set in every value that is not present: suppresses #VE. */
const NOT_PRESENT = 1n << 63n;
/** MMIO entries: what the hardware faults on, recognisably; and where they have their generation. */
const EPT_MISTAKE = 6n;
const LEGACY_MISTAKE = PRESENT | (1n << 51n);
const GENERATION_SHIFT = 52n;
const PAGE_MASK = 0xffffn;
const FROZEN_CLEAN = NOT_PRESENT | 0x480n;
const FROZEN_UPSTREAM = NOT_PRESENT | 0x5a0n;

/** The accessed flag of a format: what lockless aging clears. */
export function accessedBit({ kind }: SpteFormat): bigint {
  return 1n << LAYOUT[kind].accessed;
}

/** @param level 1 for pages; large leaves and tables above */
export function encode(format: SpteFormat, word: Descriptor, level: number): bigint {
  if (word === NONE) return NOT_PRESENT;
  if (word === FROZEN_WITH_ACCESSED) return FROZEN_UPSTREAM;
  if (word === FROZEN) {
    return format.frozenHasAccessed ? FROZEN_UPSTREAM & ~accessedBit(format) : FROZEN_CLEAN;
  }
  const frame = BigInt(frameOf(word)) << FRAME_SHIFT;
  if (isMmio(word))
    return frame | mistake(format) | (BigInt(generationOf(word)) << GENERATION_SHIFT);
  if (isTable(word)) return frame | BACKED | rights(format, word);
  const large = level > 1 ? LARGE : 0n;
  return frame | BACKED | large | flags(format, word) | rights(format, word);
}

/** What an MMIO entry of the format has, and no other entry. */
export function mistake({ kind }: SpteFormat): bigint {
  return kind === 'ept' ? EPT_MISTAKE : LEGACY_MISTAKE;
}

/** Rights where the hardware looks for them, or where a tracked entry keeps them. */
function rights({ kind }: SpteFormat, word: Descriptor): bigint {
  const canRead = (word & READ) !== 0;
  const canExecute = (word & EXEC) === EXEC;
  if (isTracked(word)) return (canRead ? SAVED_READ : 0n) | (canExecute ? SAVED_EXECUTE : 0n);
  const write = (word & WRITE) !== 0 ? 1n << LAYOUT[kind].write : 0n;
  if (kind === 'ept') {
    const memory = isTable(word) ? 0n : EPT_MEMORY;
    return memory | write | (canRead ? PRESENT : 0n) | (canExecute ? EPT_EXECUTE : 0n);
  }
  return PRESENT | LEGACY_USER | write | (canExecute ? 0n : LEGACY_NX);
}

function flags({ kind }: SpteFormat, word: Descriptor): bigint {
  const layout = LAYOUT[kind];
  let bits = BigInt((word & AD_TYPE) >>> 14) << AD_SHIFT;
  if ((word & ACCESSED) !== 0) bits |= 1n << layout.accessed;
  if ((word & DIRTY) !== 0) bits |= 1n << layout.dirty;
  if ((word & HOST_WRITABLE) !== 0) bits |= 1n << layout.hostWritable;
  if ((word & MMU_WRITABLE) !== 0) bits |= 1n << layout.mmuWritable;
  return bits;
}

/** The word that encodes to these bits, if there is one. */
export function decode(format: SpteFormat, bits: bigint, level: number): Descriptor | undefined {
  return candidates(format, bits).find((word) => encode(format, word, level) === bits);
}

function candidates(format: SpteFormat, bits: bigint): readonly Descriptor[] {
  const fixed = format.frozenHasAccessed ? [NONE, FROZEN, FROZEN_WITH_ACCESSED] : [NONE, FROZEN];
  const layout = LAYOUT[format.kind];
  const has = (bit: bigint): boolean => (bits & bit) !== 0n;
  const frame = (bits >> FRAME_SHIFT) & ((1n << 40n) - 1n);
  if (!has(BACKED)) {
    const generation = Number((bits >> GENERATION_SHIFT) & 15n);
    return [...fixed, mmioEntry(Number(frame & PAGE_MASK), generation)];
  }
  if (frame > PAGE_MASK) return fixed;
  const isHardwarePresent = format.kind === 'ept' ? (bits & 7n) !== 0n : has(PRESENT);
  const isKept = !isHardwarePresent;
  const executes = format.kind === 'ept' ? has(EPT_EXECUTE) : !has(LEGACY_NX);
  const reads = format.kind === 'ept' ? has(PRESENT) : true;
  const word =
    leaf(Number(frame), Number((bits >> AD_SHIFT) & 3n) << 14) |
    ((isKept ? has(SAVED_READ) : reads) ? READ : 0) |
    ((isKept ? has(SAVED_EXECUTE) : executes) ? EXEC : 0) |
    (!isKept && has(1n << layout.write) ? WRITE : 0) |
    (has(1n << layout.accessed) ? ACCESSED : 0) |
    (has(1n << layout.dirty) ? DIRTY : 0) |
    (has(1n << layout.hostWritable) ? HOST_WRITABLE : 0) |
    (has(1n << layout.mmuWritable) ? MMU_WRITABLE : 0);
  const table = (tableEntry(Number(frame)) & ~RIGHTS) | (word & RIGHTS);
  return [...fixed, isKept ? word & ~VALID : word, table];
}

/** What a word stands for, by the rules that software uses. */
export function classOf(
  word: Descriptor,
): 'none' | 'frozen' | 'mmio' | 'tracked' | 'table' | 'leaf' {
  if (word === NONE) return 'none';
  if (isMmio(word)) return 'mmio';
  if (isTable(word)) return 'table';
  if (isValid(word)) return 'leaf';
  return (word & TABLE) !== 0 ? 'frozen' : 'tracked';
}
