/**
 * Claim: an access is left to user space, as one to where no memory lies, only if at some instant since the operation
 * began no memory lay there.
 *
 * Why it matters: what the guest writes to its memory goes to a device instead, and what it reads is made up.
 * Blind to: accesses that memory serves where it lies no longer (stale-translation); what user space makes of them.
 * Cost: constant per access that is left to user space; the pages that memory is placed at.
 * Source: spec/x86-xen.md A2 (MMIO), A6 s4.
 */
import { Claim } from '../sim/claims.ts';
import { Event, type EventCode } from '../sim/event.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';

export const emulation: OracleSpec = {
  id: 'emulation',
  claim: 'an access is left to user space only where there was no memory meanwhile',
  listens: [Event.Claim, Event.OperationBegin],
  claims: [Claim.AccessEmulated, Claim.MemoryPlaced],
  needs: Claim.AccessEmulated,
  create: (scene) => new Emulation(scene),
};

class Emulation implements Oracle {
  judgements = 0;
  readonly #scene: Scene;
  /** Counts what the oracle hears of. */
  #now = 0;
  /** By input page: memory lies there, and when it was placed. */
  readonly #isMemory: Uint8Array;
  readonly #placedAt: Int32Array;
  /** By actor: when its operation began. */
  readonly #begunAt: Int32Array;

  constructor(scene: Scene) {
    this.#scene = scene;
    const { tables, actors } = scene.machine;
    const pages = Math.max(...tables.trees.map((tree) => tree.geometry.windowPages));
    this.#isMemory = new Uint8Array(pages);
    this.#placedAt = new Int32Array(pages);
    this.#begunAt = new Int32Array(actors.length);
  }

  reset(): void {
    this.#now = 0;
    this.#isMemory.fill(0);
  }

  onEvent(kind: EventCode, a: number, b: number, c: number, d: number): void {
    this.#now += 1;
    if (kind === Event.OperationBegin) {
      this.#begunAt[this.#scene.machine.actor] = this.#now;
    } else if (a === Claim.MemoryPlaced) {
      this.#isMemory.fill(d, b, b + c);
      this.#placedAt.fill(this.#now, b, b + c);
    } else {
      this.#emulated(b);
    }
  }

  #emulated(page: number): void {
    this.judgements += 1;
    const { machine, report } = this.#scene;
    const { actor } = machine;
    if (this.#isMemory[page] === 0 || this.#placedAt[page]! > this.#begunAt[actor]!) return;
    const { pe } = machine.actors[actor]!;
    report.add('emulation', 'memory-emulated', 'page', { page, pe });
  }
}
