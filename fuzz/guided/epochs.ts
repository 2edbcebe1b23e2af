/**
 * Epochs of a campaign: what executions of an epoch depend on is frozen while it runs. The first ones are short, so that a
 * short campaign learns as well (256, 256, 512, 1024, 2048), then they have 4,096 executions; in a long one they have
 * a sixteenth of what was executed before, up to 65,536: many workers have something to do in one.
 */

export const EPOCH = 4096;
export const EPOCH_MAX = 65_536;
const FIRST = 256;

/** Where epochs of one length begin: their first execution, their number, and their length. */
interface Stretch {
  readonly start: number;
  readonly epoch: number;
  readonly length: number;
}

const STRETCHES: readonly Stretch[] = stretches();

function stretches(): readonly Stretch[] {
  const list: Stretch[] = [{ start: 0, epoch: 0, length: FIRST }];
  for (let length = FIRST; length < EPOCH; length *= 2) add(list, length, length);
  add(list, EPOCH, EPOCH);
  for (let length = 2 * EPOCH; length <= EPOCH_MAX; length *= 2) add(list, 16 * length, length);
  return Object.freeze(list);
}

/** From `start` on, epochs have another length. */
function add(list: Stretch[], start: number, length: number): void {
  const last = list.at(-1)!;
  list.push({ start, epoch: last.epoch + (start - last.start) / last.length, length });
}

/** The first execution of an epoch. */
export function epochStart(epoch: number): number {
  if (epoch <= 0) return 0;
  const stretch = STRETCHES.findLast((one) => one.epoch <= epoch)!;
  return stretch.start + (epoch - stretch.epoch) * stretch.length;
}

/** The epoch of an execution. */
export function epochOf(index: number): number {
  const stretch = STRETCHES.findLast((one) => one.start <= index)!;
  return stretch.epoch + Math.floor((index - stretch.start) / stretch.length);
}
