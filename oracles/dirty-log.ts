/**
 * Claim: while a slot is logged, every guest write lands on a page whose mark is set or is just
 * being reported; and when a round of the log ends, no page without a mark can still be written,
 * neither by the table nor by any TLB.
 *
 * Why it matters: a write that no round reports is lost in a live migration.
 * Blind to: writes before the operation that starts the log has ended; writes by devices.
 * Cost: constant per guest access; a scan of slot and TLBs per round.
 * Source: spec/arm.md 4.5 invariant D and the round guarantee.
 */
import { Claim } from '../sim/claims.ts';
import { Intent, isValid, WRITE } from '../sim/descriptor.ts';
import { Event, type EventCode } from '../sim/event.ts';
import { Regime } from '../sim/tables.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';
import { liveTreeOf, nextTranslation, Translation } from './translations.ts';

export const dirtyLog: OracleSpec = {
  id: 'dirty-log',
  claim: 'every guest write to a logged page is reported by this round or a later one',
  listens: [Event.Claim, Event.Use],
  create: (scene) => new DirtyLog(scene),
};

class DirtyLog implements Oracle {
  judgements = 0;
  readonly #scene: Scene;
  readonly #held = new Translation();
  /** By input page: marked; taken by a round that has not ended. */
  readonly #marked: Uint8Array;
  readonly #taken: Uint8Array;
  #first = 0;
  #end = 0;
  #isLogging = false;

  constructor(scene: Scene) {
    this.#scene = scene;
    const pages = Math.max(...scene.machine.tables.trees.map((tree) => tree.geometry.windowPages));
    this.#marked = new Uint8Array(pages);
    this.#taken = new Uint8Array(pages);
  }

  reset(): void {
    this.#marked.fill(0);
    this.#taken.fill(0);
    this.#isLogging = false;
  }

  onEvent(kind: EventCode, a: number, b: number, c: number, d: number): void {
    if (kind === Event.Use) {
      if (this.#isLogging && c === Intent.Write) this.#written(a, d);
      return;
    }
    switch (a) {
      case Claim.LogStarted:
        this.#first = b;
        this.#end = b + c;
        this.#isLogging = true;
        this.#roundEnded();
        return;
      case Claim.LogMarked:
        this.#marked[b] = 1;
        return;
      case Claim.LogTaken:
        for (let i = 0; i < 32; i += 1) {
          if ((c & (1 << i)) === 0) continue;
          this.#marked[b + i] = 0;
          this.#taken[b + i] = 1;
        }
        return;
      case Claim.LogHarvested:
        this.#taken.fill(0, this.#first, this.#end);
        if (this.#isLogging) this.#roundEnded();
        return;
      case Claim.LogStopped:
        this.#isLogging = false;
        this.#marked.fill(0, this.#first, this.#end);
        return;
      default:
        return;
    }
  }

  #written(page: number, row: number): void {
    if (page < this.#first || page >= this.#end) return;
    this.judgements += 1;
    if (this.#marked[page] === 1 || this.#taken[page] === 1) return;
    const { machine, report } = this.#scene;
    report.add('dirty-log', 'write-lost', 'log', {
      page,
      pe: machine.actors[machine.actor]!.pe,
      survivor: row,
    });
  }

  #roundEnded(): void {
    this.judgements += 1;
    const { machine, report } = this.#scene;
    for (const tree of machine.tables.trees) {
      if (!tree.live || tree.regime !== Regime.Guest) continue;
      for (let page = this.#first; page < this.#end; page += 1) {
        const entry = tree.entries[page]!;
        if (!isValid(entry) || (entry & WRITE) === 0 || this.#marked[page] === 1) continue;
        report.add('dirty-log', 'writable-unmarked', 'log', { page, found: entry });
        return;
      }
    }
    const held = this.#held;
    for (
      let at = nextTranslation(machine, 0, held);
      at >= 0;
      at = nextTranslation(machine, at, held)
    ) {
      if (held.isTable || held.regime !== Regime.Guest || (held.word & WRITE) === 0) continue;
      if (liveTreeOf(machine, held) === undefined) continue;
      const end = Math.min(this.#end, held.first + (1 << held.bits));
      for (let page = Math.max(this.#first, held.first); page < end; page += 1) {
        if (this.#marked[page] === 1) continue;
        report.add('dirty-log', 'writable-cached', 'log', {
          page,
          pe: held.pe,
          survivor: held.row,
          found: held.word,
        });
        return;
      }
    }
  }
}
