/**
 * Entries of a p2m: what hardware sees, and the type that makes an entry known to Xen whether hardware sees it
 * or not.
 * Source: spec/x86-xen.md C1.
 */
import {
  ACCESSED,
  EXEC,
  isTable,
  MemoryType,
  READ,
  SOFTWARE_MASK,
  table,
  VALID,
  WRITE,
} from '../../sim/descriptor.ts';

/** Bits 15:12 of an entry; 0 is no entry. Tables have the type of memory. */
export const Type = {
  Invalid: 0,
  RamRw: 1 << 12,
  RamRo: 2 << 12,
  ForeignRw: 3 << 12,
  ForeignRo: 4 << 12,
  Mmio: 5 << 12,
} as const;
export type Type = (typeof Type)[keyof typeof Type];

/** What monitoring lets the guest do with a page, beyond what its type does. */
export const Access = { All: 0, ReadOnly: 1 } as const;
export type Access = (typeof Access)[keyof typeof Access];

export function typeOf(entry: number): Type {
  return (entry & SOFTWARE_MASK) as Type;
}

/** Xen knows the entry; hardware may not see it. */
export function isKnown(entry: number): boolean {
  return typeOf(entry) !== Type.Invalid;
}

/** The entry as hardware would see it if its valid bit were set: what the p2m says. */
export function knownForm(entry: number): number {
  return isKnown(entry) ? entry | VALID : entry;
}

export function isKnownTable(entry: number): boolean {
  return isKnown(entry) && isTable(entry | VALID);
}

export function isRam(type: Type): boolean {
  return type === Type.RamRw || type === Type.RamRo;
}

/** Its mappings hold a reference to each page. */
export function isForeign(type: Type): boolean {
  return type === Type.ForeignRw || type === Type.ForeignRo;
}

export function isWritable(type: Type): boolean {
  return type !== Type.RamRo && type !== Type.ForeignRo;
}

/** Rights, flags and type of a mapping. */
export function attributesOf(type: Type, access: Access): number {
  const isExecutable = isRam(type);
  const mayWrite = isWritable(type) && access === Access.All;
  const memory = type === Type.Mmio ? MemoryType.Device : MemoryType.Normal;
  return type | memory | ACCESSED | READ | (mayWrite ? WRITE : 0) | (isExecutable ? EXEC : 0);
}

export function tableEntry(frame: number): number {
  return table(frame) | Type.RamRw;
}
