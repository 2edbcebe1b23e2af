/**
 * Claim: when the hypervisor goes on at a page of its address space, its regime translates (or the page is the
 * same without), and the PE executes nothing that it fetched while the regime did not translate.
 *
 * Why it matters: instructions fetched under other attributes, or from where the page was before, are executed in place of those
 * that are there.
 * Blind to: data caches; instruction caches of guests and of other PEs.
 * Cost: constant per page at which the hypervisor goes on.
 * Source: spec/arm.md 6.2; zoo oracle CMO.
 */
import { Event, type EventCode } from '../sim/event.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';

export const cacheMaintenance: OracleSpec = {
  id: 'cache-maintenance',
  claim: 'the hypervisor executes nothing that was fetched while its regime did not translate',
  listens: [Event.Fetch],
  concerns: ({ machine }) => machine.spec.switchesHypervisor === true,
  create: (scene) => new CacheMaintenance(scene),
};

class CacheMaintenance implements Oracle {
  judgements = 0;
  readonly #scene: Scene;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  reset(): void {}

  onEvent(_kind: EventCode, page: number, identity: number, fetched: number, pe: number): void {
    this.judgements += 1;
    const { machine, report } = this.#scene;
    const { mmu } = machine.pes[pe]!;
    if (!mmu && identity === 0)
      report.add('cache-maintenance', 'regime-not-in-effect', 'page', { page, pe });
    else if (mmu && fetched !== 0)
      report.add('cache-maintenance', 'stale-instructions', 'page', { page, pe });
  }
}
