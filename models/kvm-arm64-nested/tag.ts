/**
 * Leaves of a shadow remember, in bits that hardware leaves to software, at which level the guest's leaf was.
 * Source: spec/arm.md 5.3 N7, 5.5.
 */
import { SOFTWARE_MASK } from '../../sim/descriptor.ts';

const TAG_SHIFT = 12;

/** The software bits for a leaf that the guest has at this level. */
export function tagOf(level: number): number {
  return (level << TAG_SHIFT) & SOFTWARE_MASK;
}

/** Level of the guest's leaf that a leaf of a shadow was made from. */
export function taggedLevel(leaf: number): number {
  return (leaf & SOFTWARE_MASK) >>> TAG_SHIFT;
}
