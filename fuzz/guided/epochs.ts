/**
 * Epochs of a campaign: what executions of an epoch depend on is frozen while it runs. The first ones are short, so that a
 * short campaign learns as well; from the sixth on they have EPOCH executions.
 */

export const EPOCH = 4096;
const FIRST = 256;
/** Epochs until one has EPOCH executions: 256, 256, 512, 1024, 2048, 4096, 4096, ... */
const SHORT = 5;

/** The first execution of an epoch. */
export function epochStart(epoch: number): number {
  if (epoch <= 0) return 0;
  return epoch <= SHORT ? FIRST * 2 ** (epoch - 1) : EPOCH * (epoch - SHORT + 1);
}

/** The epoch of an execution. */
export function epochOf(index: number): number {
  if (index < FIRST) return 0;
  if (index < EPOCH) return 32 - Math.clz32(Math.floor(index / FIRST));
  return SHORT - 1 + Math.floor(index / EPOCH);
}
