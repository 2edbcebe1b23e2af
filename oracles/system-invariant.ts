/**
 * Claim: what a system says is always true of its own data is true whenever the lock of that data is
 * released, and at the end of a run.
 *
 * Why it matters: lists, flags and counts that disagree lead to accesses to freed pages much later, where
 * nobody finds out why.
 * Blind to: data of systems that state nothing about it; moments at which the lock is not released.
 * Cost: one evaluation of each invariant per release of its lock.
 * Source: spec/x86-xen.md A18.4, A18.12, amendment E10.
 */
import { Event, type EventCode } from '../sim/event.ts';
import type { Invariant } from '../sim/invariant.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';

export const systemInvariant: OracleSpec = {
  id: 'system-invariant',
  claim: 'what a system states about its own data holds whenever the lock of that data is released',
  listens: [Event.LockDrop, Event.RunEnd],
  create: (scene) => new SystemInvariant(scene),
};

class SystemInvariant implements Oracle {
  judgements = 0;
  readonly #scene: Scene;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  reset(): void {}

  onEvent(kind: EventCode, lock: number): void {
    const { invariants, machine } = this.#scene;
    if (kind === Event.LockDrop) {
      for (let i = 0; i < invariants.length; i += 1) {
        if (invariants[i]!.lock === lock) this.#judge(invariants[i]!);
      }
    } else if (machine.finished) {
      for (const invariant of invariants) if (invariant.lock < 0) this.#judge(invariant);
    }
  }

  #judge(invariant: Invariant): void {
    this.judgements += 1;
    const frame = invariant.broken();
    if (frame < 0) return;
    const facts = frame === 0 ? {} : { frame };
    this.#scene.report.add('system-invariant', invariant.id, 'table', facts);
  }
}
