/**
 * Claim: a PE runs a guest with that guest's tables and with the number (VMID) that tags its translations
 * now, which no other guest that runs has; and no translation is cached under the number of another
 * guest than the one whose table it was read from.
 *
 * Why it matters: a number is all that keeps two guests apart in a TLB.
 * Blind to: machines with one guest, whose number never changes; guests without a tree of their own; numbers
 * that are given out and never used.
 * Cost: a look at every PE when a guest is entered; constant per TLB fill; nothing where there is one guest.
 * Source: spec/arm.md 1.13, 7.2 I-VMID; amendments E7 (T8), E18.
 */
import { Event, type EventCode } from '../sim/event.ts';
import type { Tree } from '../sim/tables.ts';
import { TlbKind } from '../sim/tlb.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';
import { loadedTree } from './translations.ts';

export const vmid: OracleSpec = {
  id: 'vmid',
  claim: 'guests run with their own tables and a number that is theirs alone',
  listens: [Event.GuestEnter, Event.TlbFill],
  concerns: ({ machine: { actors, spec } }) => actors.some(({ tree }) => tree !== spec.guestTree),
  create: (scene) => new Vmid(scene),
};

class Vmid implements Oracle {
  judgements = 0;
  readonly #scene: Scene;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  reset(): void {}

  onEvent(kind: EventCode, a: number, _b: number, _c: number, d: number): void {
    if (kind === Event.GuestEnter) this.#entered(a);
    else if (a >>> 8 <= TlbKind.Table) this.#filled(a & 0xff, d);
  }

  #entered(index: number): void {
    const { machine, report } = this.#scene;
    this.judgements += 1;
    const { vttbr } = machine.pes[index]!;
    const number = vttbr & 0xff;
    const own = machine.tables.trees[machine.actors[machine.actor]!.tree]!;
    const facts = { pe: index, expected: own.vmid, found: number };
    if (loadedTree(machine, vttbr) !== own) {
      report.add('vmid', 'other-tables', 'translation', facts);
    } else if (number !== own.vmid) {
      report.add('vmid', 'old-number', 'translation', facts);
    } else if (this.#isShared(index, own, number)) {
      report.add('vmid', 'shared-number', 'translation', facts);
    }
  }

  #isShared(index: number, own: Tree, number: number): boolean {
    const { machine } = this.#scene;
    return machine.pes.some(
      (pe) =>
        pe.guest &&
        pe.index !== index &&
        (pe.vttbr & 0xff) === number &&
        loadedTree(machine, pe.vttbr) !== own,
    );
  }

  /** The entry made last, from the descriptor at `address`. */
  #filled(index: number, address: number): void {
    const { machine, report } = this.#scene;
    const { vttbr, tlb } = machine.pes[index]!;
    const tree = machine.tables.trees[machine.tables.treeOf[machine.memory.frame(address)]!];
    // a table that is linked no more belongs to nobody
    if (tree === undefined) return;
    this.judgements += 1;
    const number = tlb.vmid[tlb.count - 1]!;
    const loaded = loadedTree(machine, vttbr);
    if (loaded === undefined || loaded === tree || number !== (vttbr & 0xff)) return;
    report.add('vmid', 'other-guests-entry', 'translation', {
      page: tlb.first[tlb.count - 1]!,
      word: address,
      pe: index,
      expected: tree.vmid,
      found: number,
    });
  }
}
