/** Entries for people, in the fields of the architecture: stage 2 of a guest, stage 1 of EL2. */
import {
  ACCESSED,
  CONTIGUOUS,
  type Descriptor,
  DIRTY_MODIFIER,
  EXEC_PRIVILEGED,
  EXEC_USER,
  frameOf,
  isTable,
  isValid,
  MemoryType,
  READ,
  SOFTWARE_MASK,
  TYPE_MASK,
  WRITE,
} from '../../sim/descriptor.ts';
import { LAST_LEVEL } from '../../sim/geometry.ts';
import { BUSY } from './generation.ts';

const TYPES: ReadonlyMap<number, string> = new Map([
  [MemoryType.Normal, 'normal'],
  [MemoryType.NonCacheable, 'non-cacheable'],
  [MemoryType.Device, 'device'],
  [MemoryType.AsStage1, 'as stage 1'],
]);

/** `S2AP=RW XN=0 AF=1 MemAttr=normal, page 12`: source spec/arm.md 1.3. */
export function describeEntry(isStage2: boolean, level: number, word: Descriptor): string {
  if (word === 0) return 'empty';
  if (word === BUSY) return 'busy: valid=0 and bit 10, a walker has taken it';
  if (!isValid(word)) return `valid=0, keeps page ${frameOf(word)}`;
  if (level < LAST_LEVEL && isTable(word)) return `table, next level at page ${frameOf(word)}`;
  const fields = [
    `${isStage2 ? 'S2AP' : 'AP'}=${rights(word)}`,
    `XN=${executeNever(word)}`,
    `AF=${(word & ACCESSED) !== 0 ? 1 : 0}`,
    ...((word & DIRTY_MODIFIER) !== 0 ? ['DBM=1'] : []),
    ...((word & CONTIGUOUS) !== 0 ? ['contiguous=1'] : []),
    `MemAttr=${TYPES.get(word & TYPE_MASK) ?? '?'}`,
    ...((word & SOFTWARE_MASK) !== 0 ? [`software=${(word & SOFTWARE_MASK) >>> 12}`] : []),
  ];
  const kind = level === LAST_LEVEL ? 'page' : `level ${level} block from page`;
  return `${fields.join(' ')}, ${kind} ${frameOf(word)}`;
}

function rights(word: Descriptor): string {
  const read = (word & READ) !== 0;
  const write = (word & WRITE) !== 0;
  return read && write ? 'RW' : read ? 'RO' : write ? 'WO' : 'none';
}

function executeNever(word: Descriptor): string {
  const both = EXEC_PRIVILEGED | EXEC_USER;
  if ((word & both) === both) return '0';
  if ((word & both) === 0) return '1';
  return (word & EXEC_USER) !== 0 ? 'privileged' : 'unprivileged';
}
