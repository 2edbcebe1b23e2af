/**
 * Claim: the guest reaches an input page only through the page that the host grants it for that
 * address now; no mapping is made to another, nobody tells the host that a page was written that is no
 * guest's any more, no page is freed while a live table or a TLB still names it, and a revocation that is
 * said to be finished has taken every page of its range back.
 *
 * Why it matters: a guest that keeps a page after the host gave it away reads and writes its next owner.
 * Blind to: pages that the host never granted by a claim (devices); the hypervisor's own accesses.
 * A device may use what was replaced until the lock of the tables is dropped. Where the tree is made from a table of
 * the guest's own, any page that is granted may be reached: which one, its system states.
 * Cost: constant per guest access, the pages covered per store; a scan of the TLBs for each data page freed.
 * Source: spec/arm.md 7.2 I-SEQ with amendment E12; zoo oracle OWN.
 */
import { Claim } from '../sim/claims.ts';
import { frameOf, isValid, writableBits } from '../sim/descriptor.ts';
import { Event, type EventCode } from '../sim/event.ts';
import { Role } from '../sim/pages.ts';
import { placeIsHardware, placeTree } from '../sim/place.ts';
import { Regime, type Tree } from '../sim/tables.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';
import { liveTreeOf, loadedTree, nextTranslation, Translation } from './translations.ts';

export const freedPage: OracleSpec = {
  id: 'freed-page',
  claim: 'the guest can reach only pages that the host grants it, and none that was freed',
  listens: [Event.Claim, Event.Use, Event.Free, Event.Descriptor],
  claims: [Claim.HostDirtied, Claim.HostGrants, Claim.HostRevokes, Claim.RevocationReturned],
  // where pages have owners, nothing is granted by input page (ownership.ts)
  concerns: ({ machine, ownership }) => machine.spec.hasTables !== false && ownership === undefined,
  needs: Claim.HostGrants,
  create: (scene) => new FreedPage(scene),
};

class FreedPage implements Oracle {
  judgements = 0;
  readonly #scene: Scene;
  readonly #held = new Translation();
  /** By guest and input page: frame granted + 1, or 0; and whether it may be written. */
  readonly #granted: Int32Array;
  readonly #writable: Uint8Array;
  /** ... and the frame granted before the last one + 1, or 0. */
  readonly #grantedBefore: Int32Array;
  /** By frame: the input page that it was granted for last. */
  readonly #pageOf: Int32Array;
  /** Input pages of a guest; 0 where there is one. */
  readonly #pages: number;
  /** Bits of which a writable entry has one. */
  readonly #writableBits: number;
  /** Some tree's input pages are not those that claims speak of. */
  readonly #hasDerived: boolean;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#writableBits = writableBits(scene.machine.spec.hardwareDirty === true);
    const { trees } = scene.machine.tables;
    this.#hasDerived = trees.some(({ isDerived }) => isDerived);
    const pages = Math.max(...trees.map((tree) => tree.geometry.windowPages));
    // several trees may belong to one guest, unless actors say whose they are
    const isShared = scene.machine.actors.every(
      ({ tree }) => tree === scene.machine.spec.guestTree,
    );
    const guests = isShared ? 1 : trees.length;
    this.#granted = new Int32Array(pages * guests);
    this.#writable = new Uint8Array(pages * guests);
    this.#grantedBefore = new Int32Array(pages * guests);
    this.#pages = guests === 1 ? 0 : pages;
    this.#pageOf = new Int32Array(scene.machine.spec.frames);
  }

  reset(): void {
    this.#granted.fill(0);
    this.#pageOf.fill(0);
  }

  onEvent(kind: EventCode, a: number, b: number, c: number, d: number): void {
    if (kind === Event.Use) {
      if (c >>> 4 === Regime.Guest) this.#used(a, b, d);
    } else if (kind === Event.Descriptor) {
      if (isValid(c) && !placeIsHardware(d)) this.#mapped(a, placeTree(d));
    } else if (kind === Event.Free) {
      if (b === Role.Data) this.#freed(a);
    } else if (a === Claim.HostGrants) {
      const base = this.#base;
      for (let i = 0; i < 1 << (d >>> 1); i += 1) {
        this.#grantedBefore[base + b + i] = this.#granted[base + b + i]!;
        this.#granted[base + b + i] = c + i + 1;
        this.#writable[base + b + i] = d & 1;
        this.#pageOf[c + i] = b + i;
      }
    } else if (a === Claim.HostRevokes) {
      this.#granted[this.#base + b] = 0;
    } else if (a === Claim.HostDirtied) {
      this.#touched(b);
    } else if (a === Claim.RevocationReturned) {
      this.#returned();
    }
  }

  /** Where the pages of the guest begin that the actor runs or serves. */
  get #base(): number {
    const { machine } = this.#scene;
    return this.#pages === 0 ? 0 : this.#pages * machine.actors[machine.actor]!.tree;
  }

  /** The operation says that nobody can reach the pages of its range any more. */
  #returned(): void {
    const { machine, report, duties } = this.#scene;
    const duty = duties[machine.operation];
    if (duty === undefined) return;
    const base = this.#base;
    for (let page = duty.first; page < duty.first + duty.count; page += 1) {
      this.judgements += 1;
      const granted = this.#granted[base + page]!;
      if (granted === 0) continue;
      report.add('freed-page', 'not-revoked', 'page', { page, frame: granted - 1 });
      return;
    }
  }

  #used(page: number, frame: number, row: number): void {
    this.judgements += 1;
    const granted = this.#granted[this.#base + page]!;
    if (granted === frame + 1) return;
    const { machine, report } = this.#scene;
    if (this.#hasDerived && this.#usesDerived() && this.#isGranted(frame)) return;
    if (this.#isReplacedUnderLock(page, frame)) return;
    report.add('freed-page', 'used', 'page', {
      page,
      frame,
      pe: machine.actors[machine.actor]!.pe,
      survivor: row,
      expected: granted - 1,
      found: frame,
    });
  }

  /** The PE of the access has a tree loaded whose input pages are not the host's. */
  #usesDerived(): boolean {
    const { machine } = this.#scene;
    const { vttbr } = machine.pes[machine.actors[machine.actor]!.pe]!;
    return loadedTree(machine, vttbr)?.isDerived === true;
  }

  /** The host grants the frame to the guest, for whichever input page. */
  #isGranted(frame: number): boolean {
    return this.#granted[this.#base + this.#pageOf[frame]!] === frame + 1;
  }

  /** Somebody is replacing the page: the TLBs of devices are invalidated before the lock is dropped. */
  #isReplacedUnderLock(page: number, frame: number): boolean {
    const { machine } = this.#scene;
    const { isDevice } = machine.pes[machine.actors[machine.actor]!.pe]!;
    if (!isDevice || this.#grantedBefore[this.#base + page] !== frame + 1) return false;
    const { lock } = machine.tables.trees[machine.spec.guestTree]!;
    return machine.locks.owner[lock] !== -1;
  }

  /** What the host knows of a page is changed on its owner's behalf. */
  #touched(frame: number): void {
    const { machine, report } = this.#scene;
    this.judgements += 1;
    if (machine.pages.role[frame] === Role.Data) return;
    report.add('freed-page', 'touched-after-free', 'page', { frame });
  }

  #mapped(word: number, index: number): void {
    const { machine, report } = this.#scene;
    const { tables } = machine;
    const tree = tables.trees[index]!;
    if (tree.regime !== Regime.Guest || !tree.live) return;
    const base = this.#pages * index;
    const end = tables.changedFirst + tables.changedCount;
    for (let page = tables.changedFirst; page < end; page += 1) {
      const entry = tree.entries[page]!;
      if (!isValid(entry)) continue;
      this.judgements += 1;
      const at = base + (tree.isDerived ? this.#pageOf[frameOf(entry)]! : page);
      const isGranted = this.#granted[at] === frameOf(entry) + 1;
      if (isGranted && ((entry & this.#writableBits) === 0 || this.#writable[at] === 1)) continue;
      report.add('freed-page', isGranted ? 'mapped-writable' : 'mapped', 'page', {
        page,
        word,
        frame: frameOf(entry),
        expected: this.#granted[at]! - 1,
        found: frameOf(entry),
      });
      return;
    }
  }

  /** An input page whose entry names the frame, or -1. */
  #pageThatMaps(tree: Tree, frame: number): number {
    if (tree.mapped[frame] === 0) return -1;
    const { entries } = tree;
    const last = this.#pageOf[frame]!;
    if (last < entries.length && names(entries[last]!, frame)) return last;
    for (let page = 0; page < entries.length; page += 1) {
      if (names(entries[page]!, frame)) return page;
    }
    return -1;
  }

  #freed(frame: number): void {
    const { machine, report } = this.#scene;
    this.judgements += 1;
    for (const tree of machine.tables.trees) {
      if (!tree.live || tree.regime !== Regime.Guest) continue;
      const page = this.#pageThatMaps(tree, frame);
      if (page < 0) continue;
      report.add('freed-page', 'freed-while-mapped', 'page', { page, frame });
      return;
    }
    const held = this.#held;
    for (
      let at = nextTranslation(machine, 0, held);
      at >= 0;
      at = nextTranslation(machine, at, held)
    ) {
      if (held.isTable || held.regime !== Regime.Guest) continue;
      const offset = frame - frameOf(held.word);
      if (offset < 0 || offset >= 1 << held.bits) continue;
      if (liveTreeOf(machine, held) === undefined) continue;
      report.add('freed-page', 'freed-while-cached', 'page', {
        page: held.first + offset,
        frame,
        pe: held.pe,
        survivor: held.row,
      });
      return;
    }
  }
}

function names(entry: number, frame: number): boolean {
  return isValid(entry) && frameOf(entry) === frame;
}
