/** What the words and names of a trace are on the machine. */
import { Domain } from '../../sim/access.ts';
import {
  ACCESSED,
  type Descriptor,
  EXEC,
  leaf,
  MemoryType,
  READ,
  SOFTWARE_MASK,
  table,
  WRITE,
} from '../../sim/descriptor.ts';
import { LAST_LEVEL } from '../../sim/geometry.ts';
import { Tlbi } from '../../sim/invalidation.ts';

/** Barriers by the name of their domain. */
export const DOMAINS: Readonly<Record<string, Domain>> = {
  ish: Domain.Inner,
  sy: Domain.Inner,
  ishst: Domain.InnerStore,
  nsh: Domain.Local,
  nshst: Domain.LocalStore,
};

/** Invalidations by name, without `is`. */
export const OPERATIONS: Readonly<Record<string, Tlbi>> = {
  ipas2e1: Tlbi.Ipas2e1,
  ipas2le1: Tlbi.Ipas2le1,
  vmalle1: Tlbi.Vmalle1,
  vmalls12e1: Tlbi.Vmalls12e1,
  alle1: Tlbi.Alle1,
  vae2: Tlbi.Vae2,
  vale2: Tlbi.Vale2,
  alle2: Tlbi.Alle2,
};

/** Software's own word, of which only counts whether there is one. */
export function decodeInvalid(bits: bigint): Descriptor {
  return bits === 0n ? 0 : SOFTWARE_MASK;
}

/** @param frame that stands for the output address, or the next table */
export function decodeValid(
  bits: bigint,
  level: number,
  frame: number,
  isStage2: boolean,
): Descriptor {
  if (level < LAST_LEVEL && (bits & 2n) !== 0n) return table(frame);
  const has = (bit: bigint): boolean => (bits & (1n << bit)) !== 0n;
  return leaf(
    frame,
    (!isStage2 || has(6n) ? READ : 0) |
      ((isStage2 ? has(7n) : !has(7n)) ? WRITE : 0) |
      (has(54n) ? 0 : EXEC) |
      (has(10n) ? ACCESSED : 0) |
      typeOf(Number((bits >> 2n) & 15n), isStage2) |
      (Number((bits >> 55n) & 15n) << 12),
  );
}

function typeOf(attributes: number, isGuest: boolean): number {
  if (!isGuest) return (attributes & 3) << 8;
  if (attributes === 0b1111 || attributes === 0b0110) return MemoryType.Normal;
  return attributes === 0b0101 ? MemoryType.NonCacheable : MemoryType.Device;
}
