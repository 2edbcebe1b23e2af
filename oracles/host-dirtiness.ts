/**
 * A part of `dirty-log`: where the host is told which pages were written, it knows of every page that the guest wrote
 * when it takes it back.
 */
import type { Scene } from './oracle.ts';

export class HostDirtiness {
  readonly #scene: Scene;
  /** By frame: the guest has written it, and the host does not know. */
  readonly #isUntold: Uint8Array;
  /** By frame: the host was told that it is, or may be, written. */
  readonly #isTold: Uint8Array;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#isUntold = new Uint8Array(scene.machine.spec.frames);
    this.#isTold = new Uint8Array(scene.machine.spec.frames);
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

  /**
   * The host reuses a page: if it believes that nobody wrote it, what the guest wrote is lost.
   * @returns whether that was judged
   */
  takenBack(frame: number): boolean {
    const isUntold = this.#isUntold[frame] === 1 && this.#isTold[frame] === 0;
    this.#isUntold[frame] = 0;
    this.#isTold[frame] = 0;
    const { machine, report } = this.#scene;
    if (machine.spec.tellsHost !== true) return false;
    if (isUntold) report.add('dirty-log', 'host-not-told', 'page', { frame });
    return true;
  }
}
