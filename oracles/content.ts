/**
 * Claim: what a component wrote into a page of its own that nobody else was let see is gone before another component
 * can reach the page; and a page holds nothing that others wrote when it is linked as a table.
 *
 * Why it matters: a page that is given back with its contents is a leak; a table that starts with somebody's words
 * maps whatever they say.
 * Blind to: what is read before it is written where no page changes hands; writes that go through no translation.
 * Cost: constant per write, clearing, change of hands and link.
 * Source: spec/arm.md 6.5 invariant Z; zoo oracle INIT.
 */
import { Claim } from '../sim/claims.ts';
import { Intent } from '../sim/descriptor.ts';
import { Event, type EventCode } from '../sim/event.ts';
import { Regime } from '../sim/tables.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';

export const content: OracleSpec = {
  id: 'content',
  claim: 'a page is cleared before it goes to somebody else, and before it becomes a table',
  listens: [Event.Claim, Event.Use, Event.Zeroed, Event.Linked],
  claims: [Claim.OwnershipChanged],
  concerns: ({ ownership }) => ownership !== undefined,
  create: (scene) => new Content(scene),
};

class Content implements Oracle {
  judgements = 0;
  readonly #scene: Scene;
  /**
   * By frame: who has written it since it was cleared, as a bit mask; who of them while nobody else could see it, and nobody
   * has been let see it since; who may reach it, as far as was said.
   */
  readonly #writers: Uint8Array;
  readonly #secrets: Uint8Array;
  readonly #reach: Uint8Array;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#writers = new Uint8Array(scene.machine.spec.frames);
    this.#secrets = new Uint8Array(scene.machine.spec.frames);
    this.#reach = new Uint8Array(scene.machine.spec.frames);
  }

  reset(): void {
    if (this.#scene.ownership === undefined) return;
    this.#writers.fill(0);
    this.#secrets.fill(0);
    this.#reach.fill(0);
  }

  onEvent(kind: EventCode, a: number, b: number, c: number, d: number): void {
    if (this.#scene.ownership === undefined) return;
    if (kind === Event.Use) this.#used(b, c);
    else if (kind === Event.Zeroed) this.#cleared(a);
    else if (kind === Event.Linked) this.#linked(a, c, d);
    else this.#changed(b, c, d);
  }

  #cleared(frame: number): void {
    this.#writers[frame] = 0;
    this.#secrets[frame] = 0;
  }

  #used(frame: number, how: number): void {
    if ((how & 15) !== Intent.Write || frame >= this.#writers.length) return;
    const { machine } = this.#scene;
    const { vttbr } = machine.pes[machine.actors[machine.actor]!.pe]!;
    const vmid = how >>> 4 === Regime.Guest ? vttbr & 0xff : -1;
    for (const tree of machine.tables.trees) {
      if (tree.vmid !== vmid || tree.component < 0) continue;
      const own = 1 << tree.component;
      this.#writers[frame]! |= own;
      if ((this.#reach[frame]! & ~own) === 0) this.#secrets[frame]! |= own;
    }
  }

  #changed(frame: number, owner: number, reach: number): void {
    const { ownership, report } = this.#scene;
    this.judgements += 1;
    const gained = reach & ~this.#reach[frame]!;
    this.#reach[frame] = reach;
    const secret = this.#secrets[frame]! & ownership!.secretive & ~(1 << owner);
    if (secret !== 0 && (gained & ~secret) !== 0)
      report.add('content', 'not-cleared', 'page', { frame, found: owner });
    // what its owner lets others see is no secret from then on, whoever gets it
    if ((reach & ~this.#secrets[frame]!) !== 0) this.#secrets[frame] = 0;
  }

  #linked(frame: number, page: number, word: number): void {
    this.judgements += 1;
    if (this.#writers[frame] === 0) return;
    this.#scene.report.add('content', 'table-not-cleared', 'table', { frame, page, word });
  }
}
