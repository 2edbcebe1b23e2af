/**
 * The machine's 32-bit descriptor: what walkers read and system models write. Real 64-bit layouts
 * are handled by each system's codec; nothing here is Arm or x86.
 *
 *   bit 0      valid. An invalid word is free for software (annotations, markers).
 *   bit 1      table; a leaf (block or page) when clear
 *   bit 2..5   read, write, execute privileged, execute unprivileged
 *   bit 6, 7   accessed; dirty-bit modifier
 *   bit 8..9   memory type
 *   bit 10     contiguous hint
 *   bit 11     dirty: set by walkers of architectures that have such a flag
 *   bit 12..15 software
 *   bit 16..31 frame: of the next table, or of the first page that a leaf maps
 */
export type Descriptor = number;

/** Hardware follows the entry. */
export const VALID = 1 << 0;
export const TABLE = 1 << 1;
/** The right to read. */
export const READ = 1 << 2;
/** The right to write. */
export const WRITE = 1 << 3;
/** The right to fetch, for privileged code. */
export const EXEC_PRIVILEGED = 1 << 4;
/** The right to fetch, for user code. */
export const EXEC_USER = 1 << 5;
/** The right to fetch, for any code. */
export const EXEC = EXEC_PRIVILEGED | EXEC_USER;
/** The accessed flag. */
export const ACCESSED = 1 << 6;
/** Hardware may make the entry writable by a write (DBM). */
export const DIRTY_MODIFIER = 1 << 7;
export const TYPE_MASK = 3 << 8;
/** The contiguous hint. */
export const CONTIGUOUS = 1 << 10;
/** The dirty flag, where the entry has one of its own. */
export const DIRTY = 1 << 11;
/** Bits that hardware leaves to software. */
export const SOFTWARE_MASK = 15 << 12;
/** All rights. */
export const RIGHTS = READ | WRITE | EXEC;
export const FRAME_SHIFT = 16;
export const FRAME_MASK = 0xffff << FRAME_SHIFT;

/** How memory is cached. */
export const MemoryType = {
  Normal: 0,
  NonCacheable: 1 << 8,
  Device: 2 << 8,
  AsStage1: 3 << 8,
} as const;

/** Bits of which an entry needs one to be writable, where hardware keeps dirty state in entries or not. */
export function writableBits(hasDirtyState: boolean): number {
  return hasDirtyState ? WRITE | DIRTY_MODIFIER : WRITE;
}

/** What an access wants to do; also the order of the rights it needs. */
export const Intent = { Read: 0, Write: 1, Execute: 2 } as const;
export type Intent = (typeof Intent)[keyof typeof Intent];

/** Whether hardware follows the entry. */
export function isValid(word: Descriptor): boolean {
  return (word & VALID) !== 0;
}

/** Valid and naming a next table; the caller knows that the level has tables. */
export function isTable(word: Descriptor): boolean {
  return (word & (VALID | TABLE)) === (VALID | TABLE);
}

/** Whether it maps a page or block. */
export function isLeaf(word: Descriptor): boolean {
  return (word & (VALID | TABLE)) === VALID;
}

/** Frame that the entry names: a page, or the next table. */
export function frameOf(word: Descriptor): number {
  return word >>> FRAME_SHIFT;
}

/** An entry that names the next table. */
export function table(frame: number): Descriptor {
  return (frame << FRAME_SHIFT) | TABLE | VALID;
}

/** @param attributes any of the rights, ACCESSED, memory type and software bits */
export function leaf(frame: number, attributes: number): Descriptor {
  return (frame << FRAME_SHIFT) | attributes | VALID;
}

/** The leaf as seen `pages` pages into the block that it maps. */
export function advance(word: Descriptor, pages: number): Descriptor {
  return (word + (pages << FRAME_SHIFT)) | 0;
}

/** Whether the rights of an entry allow an access. */
export function permits(word: Descriptor, intent: Intent): boolean {
  if (intent === Intent.Read) return (word & READ) !== 0;
  if (intent === Intent.Write) return (word & WRITE) !== 0;
  return (word & EXEC) !== 0;
}

export function intentName(intent: Intent): string {
  return intent === Intent.Read ? 'read' : intent === Intent.Write ? 'write' : 'fetch';
}

/** A descriptor for people: `leaf f12 rw- AF`, `table f3`, `invalid`. */
export function describe(word: Descriptor): string {
  if (word === 0) return 'empty';
  if (!isValid(word)) return `invalid(0x${(word >>> 0).toString(16)})`;
  if (isTable(word)) return `table page ${frameOf(word)}`;
  const rights =
    ((word & READ) !== 0 ? 'r' : '-') +
    ((word & WRITE) !== 0 ? 'w' : '-') +
    ((word & EXEC) !== 0 ? 'x' : '-');
  const type = word & TYPE_MASK;
  return (
    `page ${frameOf(word)} ${rights}` +
    ((word & ACCESSED) !== 0 ? ' accessed' : ' old') +
    ((word & DIRTY) !== 0 ? ' dirty' : '') +
    (type === MemoryType.Device ? ' device' : type === MemoryType.NonCacheable ? ' nc' : '') +
    ((word & SOFTWARE_MASK) !== 0 ? ` sw${(word & SOFTWARE_MASK) >>> 12}` : '')
  );
}
