/** Shadow entries for people: their class, and the fields that software and the MMU look at. */
import {
  ACCESSED,
  type Descriptor,
  DIRTY,
  EXEC,
  frameOf,
  READ,
  WRITE,
} from '../../sim/descriptor.ts';
import { classOf } from './codec.ts';
import { AD_TYPE, generationOf, HOST_WRITABLE, MMU_WRITABLE } from './spte.ts';

const AD_NAMES = [
  'A/D by hardware',
  'A/D by software',
  'writes logged by protection',
  'A/D type 3',
];

/** `leaf R=1 W=1 X=1 A=1 D=0 host-writable MMU-writable, pfn 12`: source spec/x86-xen.md A2, A11. */
export function describeEntry(level: number, word: Descriptor): string {
  const kind = classOf(word);
  if (kind === 'none') return 'empty';
  if (kind === 'frozen') return 'frozen: somebody is in the middle of a change';
  if (kind === 'mmio') return `MMIO of generation ${generationOf(word)}, gfn ${frameOf(word)}`;
  if (kind === 'table') return `table at page ${frameOf(word)}`;
  const bit = (name: string, mask: number): string => `${name}=${(word & mask) !== 0 ? 1 : 0}`;
  const fields = [
    kind === 'tracked' ? 'access-tracked (R and X kept aside)' : 'leaf',
    bit('R', READ),
    bit('W', WRITE),
    bit('X', EXEC),
    bit('A', ACCESSED),
    bit('D', DIRTY),
    ...((word & HOST_WRITABLE) !== 0 ? ['host-writable'] : []),
    ...((word & MMU_WRITABLE) !== 0 ? ['MMU-writable'] : []),
    ...((word & AD_TYPE) !== 0 ? [AD_NAMES[(word & AD_TYPE) >>> 14]!] : []),
  ];
  return `${fields.join(' ')}, ${level > 1 ? `level ${level} ` : ''}pfn ${frameOf(word)}`;
}
