/**
 * Claim: an operation gives a page no right that its card does not let it give; a page that is mapped can
 * be read; its memory type is that of a device where there is one, else the one that its tree uses for memory; a device
 * cannot be executed; a table gives all rights, where
 * tables have any; the guest does not write what was forbidden for good; and who overwrites an entry
 * knows what was in it, but for the accessed flag.
 *
 * Why it matters: rights beyond what was asked for are not noticed by any access that should work: a page
 * that can be executed and never was asked to be, a write that the host did not see coming. A table that
 * takes rights away makes leaves below it fault for ever. What an overwritten entry held decides about
 * flushes and dirty pages.
 * Blind to: rights that an operation may give and should have withheld this time (dirty-log and
 * freed-page judge writes); rights of leaves that are missing (progress); privileged and user execution
 * apart; entries overwritten without a claim about what was there.
 * Cost: the pages covered per descriptor change; constant per store and access.
 * Source: spec/arm.md 4.2 f12, 2.5.7; spec/x86-xen.md O-PERM, Rule V (A2, E12), A18.6.
 */

import { concerns } from '../sim/card.ts';
import { Claim } from '../sim/claims.ts';
import {
  ACCESSED,
  EXEC,
  FRAME_MASK,
  Intent,
  isTable,
  isValid,
  MemoryType,
  READ,
  RIGHTS,
  TYPE_MASK,
  WRITE,
  writableBits,
} from '../sim/descriptor.ts';
import { Event, type EventCode } from '../sim/event.ts';
import { LAST_LEVEL } from '../sim/geometry.ts';
import { placeIsHardware, placeLevel, placeTree } from '../sim/place.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';

const CLAIMS = [Claim.DevicePages, Claim.EntryReplaced, Claim.WriteForbidden] as const;

export const permissions: OracleSpec = {
  id: 'permissions',
  claim:
    'rights are given as cards name them, withheld where forbidden, and never lost by accident',
  listens: [Event.Descriptor, Event.Claim, Event.Use],
  claims: CLAIMS,
  concerns: ({ machine }, { cards, claims }) =>
    machine.spec.hasTables !== false &&
    (machine.hardware.tablesHaveRights ||
      cards.some(({ grants }) => grants !== undefined) ||
      CLAIMS.some((claim) => claims.has(claim))),
  create: (scene) => new Permissions(scene),
};

class Permissions implements Oracle {
  judgements = 0;
  readonly #scene: Scene;
  /** Bits of which a writable entry has one. */
  readonly #writableBits: number;

  /** By input page: it was forbidden to write it. */
  readonly #isForbidden: Uint8Array;
  /** By word: what the maker of a store that is still pending believes that it displaces. */
  readonly #believed = new Map<number, number>();
  /** Input pages that are a device's. */
  #deviceFirst = 0;
  #deviceCount = 0;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#writableBits = writableBits(scene.machine.spec.hardwareDirty === true);
    const { trees } = scene.machine.tables;
    this.#isForbidden = new Uint8Array(Math.max(...trees.map((tree) => tree.entries.length)));
  }

  reset(): void {
    this.#isForbidden.fill(0);
    this.#believed.clear();
    this.#deviceCount = 0;
  }

  onEvent(kind: EventCode, a: number, b: number, c: number, d: number): void {
    if (kind === Event.Descriptor) {
      if (this.#believed.size > 0 && !placeIsHardware(d)) this.#visible(a);
      if (isValid(c) && !placeIsHardware(d)) this.#stored(a, c, d);
    } else if (kind === Event.Use) {
      if (c === Intent.Write) this.#written(a, d);
    } else if (a === Claim.WriteForbidden) {
      this.#isForbidden[b] = c;
    } else if (a === Claim.DevicePages) {
      this.#deviceFirst = b;
      this.#deviceCount = c;
    } else if (a === Claim.EntryReplaced) {
      this.#replaced(b, c);
    }
  }

  #written(page: number, row: number): void {
    this.judgements += 1;
    if (this.#isForbidden[page] !== 1) return;
    const { machine, report } = this.#scene;
    const { pe } = machine.actors[machine.actor]!;
    report.add('permissions', 'written-though-forbidden', 'page', { page, pe, survivor: row });
  }

  /** A store that was pending has its effect. */
  #visible(word: number): void {
    const believed = this.#believed.get(word);
    if (believed === undefined) return;
    this.#believed.delete(word);
    this.#replaced(word, believed);
  }

  /** The claim follows the store in the same step; where stores are delayed, what it says is judged at their effect. */
  #replaced(word: number, believed: number): void {
    const { storedTo, displaced: found, delays, stores, actors, actor } = this.#scene.machine;
    if (delays && stores.isPendingTo(actors[actor]!.pe, word)) {
      this.#believed.set(word, believed);
      return;
    }
    this.judgements += 1;
    if (storedTo === word && ((believed ^ found) & ~ACCESSED) === 0) return;
    this.#scene.report.add('permissions', 'lost-update', 'entry', {
      word,
      expected: believed,
      found,
    });
  }

  #stored(word: number, next: number, where: number): void {
    const { machine, duties, report } = this.#scene;
    const tree = machine.tables.trees[placeTree(where)]!;
    if (!tree.live) return;
    const { changedFirst, changedCount } = machine.tables;
    if (placeLevel(where) < LAST_LEVEL && isTable(next) && machine.hardware.tablesHaveRights) {
      this.judgements += 1;
      const facts = { page: changedFirst, word, expected: next | RIGHTS, found: next };
      if ((next & RIGHTS) !== RIGHTS) report.add('permissions', 'table-rights', 'entry', facts);
    }
    const card = duties[machine.operation]?.card;
    if (card?.grants === undefined || !concerns(card, tree)) return;
    for (let page = changedFirst; page < changedFirst + changedCount; page += 1) {
      const after = tree.entries[page]!;
      if (isValid(after)) this.#judge(word, page, tree.before[page]!, after, card.grants);
    }
  }

  /** Rights that the entry gives, or lets hardware give. */
  #rights(entry: number): number {
    return (entry & RIGHTS) | ((entry & this.#writableBits) !== 0 ? WRITE : 0);
  }

  #judge(word: number, page: number, before: number, after: number, grants: number): void {
    const { report } = this.#scene;
    this.judgements += 1;
    const isSamePage = isValid(before) && ((before ^ after) & FRAME_MASK) === 0;
    const gained = this.#rights(after) & ~(isSamePage ? this.#rights(before) : 0);
    const facts = { page, word, expected: grants, found: after };
    const isDevice = page - this.#deviceFirst >= 0 && page - this.#deviceFirst < this.#deviceCount;
    if ((gained & ~grants) !== 0) report.add('permissions', 'right-not-asked-for', 'entry', facts);
    else if ((after & READ) === 0) report.add('permissions', 'unreadable', 'entry', facts);
    else if ((after & TYPE_MASK) !== (isDevice ? MemoryType.Device : MemoryType.Normal))
      report.add('permissions', 'memory-type', 'entry', facts);
    else if (isDevice && (after & EXEC) !== 0)
      report.add('permissions', 'device-executable', 'entry', facts);
  }
}
