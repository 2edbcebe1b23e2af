/**
 * A part of `dirty-log`: where the host is told which pages were written, it knows of every page that the guest wrote
 * when it takes it back.
 */
import type { MachineSpec } from '../sim/spec.ts';

export class HostDirtiness {
  /** The host is told: what it takes back is judged. */
  readonly isJudged: boolean;
  /** By frame: the guest has written it, and the host does not know. */
  readonly #isUntold: Uint8Array;
  /** By frame: the host was told that it is, or may be, written. */
  readonly #isTold: Uint8Array;

  constructor({ frames, tellsHost }: MachineSpec) {
    this.isJudged = tellsHost === true;
    this.#isUntold = new Uint8Array(frames);
    this.#isTold = new Uint8Array(frames);
  }

  reset(): void {
    this.#isUntold.fill(0);
    this.#isTold.fill(0);
  }

  written(frame: number): void {
    this.#isUntold[frame] = 1;
  }

  told(frame: number): void {
    this.#isTold[frame] = 1;
  }

  /** The host reuses a page. True when it believes that nobody wrote it, so that what the guest wrote is lost. */
  takenBack(frame: number): boolean {
    const isUntold = this.#isUntold[frame] === 1 && this.#isTold[frame] === 0;
    this.#isUntold[frame] = 0;
    this.#isTold[frame] = 0;
    return isUntold && this.isJudged;
  }
}
