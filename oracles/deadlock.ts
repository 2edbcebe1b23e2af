/**
 * Claim: as long as the program is not finished, somebody can go on.
 *
 * Why it matters: a lock cycle, a grace period waited for inside its own section, a wake-up lost.
 * Blind to: live locks (progress).
 * Cost: none until it happens.
 */
import { Event } from '../sim/event.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';

export const deadlock: OracleSpec = {
  id: 'deadlock',
  claim: 'while the program is not finished, some actor can go on',
  listens: [Event.Deadlock, Event.RunEnd],
  create: (scene) => new Deadlock(scene),
};

class Deadlock implements Oracle {
  judgements = 0;
  readonly #scene: Scene;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  reset(): void {}

  onEvent(kind: number): void {
    this.judgements += 1;
    if (kind === Event.Deadlock) this.#scene.report.add('deadlock', 'nobody-can-go-on', 'lock', {});
  }
}
