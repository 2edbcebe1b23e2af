/**
 * Claim: what a system says is always true of its own data is true whenever the lock of that data is
 * released, at the end of a run, or when a table page is freed, as it says.
 *
 * Why it matters: lists, flags and counts that disagree lead to accesses to freed pages much later, where
 * nobody finds out why.
 * Blind to: data of systems that state nothing about it; moments at which the lock is not released.
 * Cost: one evaluation of each invariant per release of its lock.
 * Source: spec/x86-xen.md A18.4, A18.12, amendment E10.
 */
import { Event, type EventCode } from '../sim/event.ts';
import { AT_END, AT_TABLE_FREE, type Invariant } from '../sim/invariant.ts';
import { Role } from '../sim/pages.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';

export const systemInvariant: OracleSpec = {
  id: 'system-invariant',
  claim: 'what a system states about its own data holds whenever the lock of that data is released',
  listens: [Event.LockDrop, Event.Free, Event.RunEnd],
  concerns: ({ invariants }) => invariants.length > 0,
  create: (scene) => new SystemInvariant(scene),
};

class SystemInvariant implements Oracle {
  judgements = 0;
  readonly #scene: Scene;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  reset(): void {}

  onEvent(kind: EventCode, a: number, b: number): void {
    if (kind === Event.LockDrop) this.#judgeAll(a, -1);
    else if (kind === Event.Free) {
      if (b === Role.Table) this.#judgeAll(AT_TABLE_FREE, a);
    } else if (this.#scene.machine.finished) this.#judgeAll(AT_END, -1);
  }

  #judgeAll(moment: number, freed: number): void {
    const { invariants } = this.#scene;
    for (let i = 0; i < invariants.length; i += 1) {
      if (invariants[i]!.lock === moment) this.#judge(invariants[i]!, freed);
    }
  }

  #judge(invariant: Invariant, freed: number): void {
    this.judgements += 1;
    const frame = invariant.broken(freed);
    if (frame < 0) return;
    const facts = frame === 0 ? {} : { frame };
    this.#scene.report.add('system-invariant', invariant.id, 'table', facts);
  }
}
