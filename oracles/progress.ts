/**
 * Claim: every program finishes in the fair tail, and none comes to a state that it says it cannot go on from; no
 * retry loop goes round while nobody else changes anything; a guest access faults again after its fault was handled
 * only if somebody changed the entry in between (a few spurious faults are allowed); when the handler of a permission
 * fault has repaired the entry, or has lost the race for granting more rights, and the table permits the access, the
 * PE does not hold the translation any more that made the fault; no leaf is broken and made again for its rights alone
 * where the card says so; and an operation whose access faulted ends well only when the access was made after all.
 *
 * Why it matters: a guest that faults for ever on one access is a soft lock-up.
 * Blind to: slowness that ends; retry loops before the fair tail; faults whose handler says that it
 * repaired nothing; which of several guest trees under one lock changed.
 * Cost: the pages covered per descriptor change; constant per fault; a scan of one TLB per permission fault.
 * Source: spec/arm.md 7.2 I-PROG, 3.3, 3.4 RELAX; zoo A02, A22, A23, A25; shape M3.
 */
import { FaultClass } from '../sim/access.ts';
import { Result, Work } from '../sim/card.ts';
import { Claim, RetryReason } from '../sim/claims.ts';
import { type Intent, isValid, permits } from '../sim/descriptor.ts';
import { Event, type EventCode } from '../sim/event.ts';
import { Mode } from '../sim/locks.ts';
import { placeIsHardware, placeTree } from '../sim/place.ts';
import { Regime, type Tree } from '../sim/tables.ts';
import { samePage, TlbKind } from '../sim/tlb.ts';
import { KeptLeaves } from './kept-leaves.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';
import { faultedTree, faultingTree } from './translations.ts';

/** Handled faults of one access without any lasting change in between, before it is a finding. */
export const SPURIOUS_FAULTS_MAX = 1;

export const progress: OracleSpec = {
  id: 'progress',
  claim: 'every operation ends under a fair schedule, and handling a fault repairs it',
  listens: [
    Event.Stuck,
    Event.Unfinished,
    Event.Descriptor,
    Event.LockTake,
    Event.LockDrop,
    Event.Fault,
    Event.Claim,
    Event.Use,
    Event.OperationBegin,
    Event.OperationEnd,
    Event.RunEnd,
  ],
  claims: [
    Claim.ContextDoomed,
    Claim.FaultHandled,
    Claim.FaultRetry,
    Claim.WorkBegins,
    Claim.Fatal,
  ],
  create: (scene) => new Progress(scene),
};

class Progress implements Oracle {
  judgements = 0;
  readonly #scene: Scene;
  /**
   * Lasting changes by guest and input page: what one actor's hold of the lock, or what it did until another went on,
   * left different. Trees under one lock are one guest's.
   */
  readonly #version: Int32Array;
  /** By tree: where the versions of its guest begin; -1 for trees of no guest. */
  readonly #guest: readonly number[];
  /** By tree and page: entry and level before an actor began to change them, and the actor, until that is settled. */
  readonly #entry: Int32Array;
  readonly #level: Uint8Array;
  readonly #changer: Int8Array;
  readonly #isChanged: Uint8Array;
  readonly #changed: Int32Array;
  readonly #pages: number;
  #changedCount = 0;
  /** Per actor: page of its last fault, and lasting changes of that page that were its own. */
  readonly #at: Int32Array;
  readonly #own: Int32Array;
  /** Per actor: lasting changes of the page by others when its handler looked; and when that made its own change. */
  readonly #seen: Int32Array;
  readonly #base: Int32Array;
  /** Per actor: page of the fault that was handled last, changes by others that its handler knew of, spurious ones. */
  readonly #page: Int32Array;
  readonly #handled: Int32Array;
  readonly #faulted: Uint8Array;
  readonly #spurious: Int32Array;
  /** Per actor: the tree through which it faulted last. */
  readonly #tree: Int32Array;
  /** Per actor: page + 1 of a permission fault that is being handled (or 0), what it wanted, and its row. */
  readonly #denied: Int32Array;
  readonly #wanted: Uint8Array;
  readonly #deniedRow: Int32Array;
  /** Per actor: its handler grants more rights to the entry that is there. */
  readonly #relaxes: Uint8Array;
  readonly #kept: KeptLeaves;
  /** Per actor: its last access in the operation that runs ended in a fault. */
  readonly #isRefused: Uint8Array;

  constructor(scene: Scene) {
    this.#scene = scene;
    const { trees } = scene.machine.tables;
    const pages = Math.max(...trees.map((tree) => tree.geometry.windowPages));
    const size = pages * trees.length;
    this.#pages = pages;
    const locks = [...new Set(trees.filter(isGuests).map(({ lock }) => lock))];
    this.#version = new Int32Array(pages * locks.length);
    this.#guest = trees.map((tree) => (isGuests(tree) ? locks.indexOf(tree.lock) * pages : -1));
    this.#entry = new Int32Array(size);
    this.#level = new Uint8Array(size);
    this.#changer = new Int8Array(size);
    this.#isChanged = new Uint8Array(size);
    this.#changed = new Int32Array(size);
    const actors = scene.machine.actors.length;
    this.#at = new Int32Array(actors).fill(-1);
    this.#own = new Int32Array(actors);
    this.#seen = new Int32Array(actors);
    this.#base = new Int32Array(actors);
    this.#page = new Int32Array(actors).fill(-1);
    this.#handled = new Int32Array(actors);
    this.#faulted = new Uint8Array(actors);
    this.#spurious = new Int32Array(actors);
    this.#tree = Int32Array.from(scene.machine.actors, ({ tree }) => tree);
    this.#denied = new Int32Array(actors);
    this.#wanted = new Uint8Array(actors);
    this.#deniedRow = new Int32Array(actors);
    this.#relaxes = new Uint8Array(actors);
    this.#isRefused = new Uint8Array(actors);
    this.#kept = new KeptLeaves(scene);
  }

  reset(): void {
    this.#version.fill(0);
    this.#isChanged.fill(0);
    this.#changedCount = 0;
    this.#kept.reset();
    this.#at.fill(-1);
    this.#page.fill(-1);
    this.#spurious.fill(0);
    this.#faulted.fill(0);
    this.#denied.fill(0);
    this.#relaxes.fill(0);
    this.#isRefused.fill(0);
    for (const { index, tree } of this.#scene.machine.actors) this.#tree[index] = tree;
  }

  onEvent(kind: EventCode, a: number, b: number, c: number, d: number): void {
    const { machine, report } = this.#scene;
    const { actor } = machine;
    switch (kind) {
      case Event.Stuck:
        this.judgements += 1;
        report.add('progress', 'retries-for-ever', 'actor', { found: a });
        return;
      case Event.Unfinished:
        this.judgements += 1;
        report.add('progress', 'does-not-finish', 'actor', {});
        return;
      case Event.RunEnd:
        this.judgements += 1;
        return;
      case Event.Descriptor:
        if (placeIsHardware(d)) {
          this.#kept.updated(a);
          return;
        }
        if (this.#kept.judges(a, b, c)) this.judgements += 1;
        this.#remember(placeTree(d));
        // without the lock there is nobody to settle it later
        if (this.#changedCount > 0 && this.#isLockless(placeTree(d)))
          this.#settle(machine.tables.trees[placeTree(d)]!.lock);
        return;
      case Event.LockTake:
        if (this.#isTreeLock(actor, a)) this.#kept.locked(actor);
        // the handler looks at the entry under the tree's own lock; it may take others after its repair
        if (this.#at[actor]! >= 0 && this.#isTreeLock(actor, a)) this.#look(actor);
        return;
      case Event.LockDrop:
        if (this.#changedCount > 0) this.#settle(a);
        return;
      case Event.Use:
        this.#isRefused[actor] = 0;
        return;
      case Event.Fault:
        this.#isRefused[actor] = 1;
        this.#tree[actor] = faultingTree(machine, actor);
        this.#faulted[actor] = this.#page[actor] === a ? 1 : 0;
        if (this.#page[actor] !== a) this.#page[actor] = -1;
        if (this.#at[actor] !== a) this.#own[actor] = 0;
        this.#at[actor] = a;
        this.#look(actor);
        this.#denied[actor] = b === FaultClass.Permission ? a + 1 : 0;
        this.#wanted[actor] = d;
        this.#deniedRow[actor] = machine.trace.count - 1;
        this.#relaxes[actor] = 0;
        return;
      case Event.OperationBegin:
        if (actor >= 0) {
          this.#at[actor] = -1;
          this.#page[actor] = -1;
          this.#spurious[actor] = 0;
          this.#isRefused[actor] = 0;
          this.#kept.begun(actor);
        }
        return;
      case Event.OperationEnd:
        this.judgements += 1;
        if (b === Result.Ok && this.#isRefused[actor] === 1)
          report.add('progress', 'access-not-made', 'actor', { pe: machine.actors[actor]!.pe });
        return;
      default:
        if (a === Claim.FaultHandled) {
          this.#faultIsGone(actor, b);
          this.#handledFault(actor, b, c !== 0);
        } else if (a === Claim.Fatal) {
          this.judgements += 1;
          report.add('progress', 'fatal', 'actor', { found: b, page: c });
        } else if (a === Claim.FaultRetry) {
          if (b === RetryReason.Moved && this.#relaxes[actor] === 1) this.#faultIsGone(actor, c);
          this.#page[actor] = -1;
        } else if (a === Claim.ContextDoomed) {
          this.#changesAll(b);
        } else if (a === Claim.WorkBegins && actor >= 0) {
          this.#relaxes[actor] = c === Work.Relax ? 1 : 0;
        }
    }
  }

  #remember(index: number): void {
    const { tables, actor } = this.#scene.machine;
    const { changedFirst, changedCount } = tables;
    const tree = tables.trees[index]!;
    if (tree.regime !== Regime.Guest) return;
    const base = index * this.#pages;
    for (let page = changedFirst; page < changedFirst + changedCount; page += 1) {
      const at = base + page;
      if (this.#isChanged[at] === 1) {
        if (this.#changer[at] === actor) continue;
        // what another who shares the lock had made of the entry counts, even if this change undoes it
        if (this.#differsFrom(at, tree.before[page]!, tree.levelsBefore[page]!))
          this.#lasts(index, page, this.#changer[at]!);
      } else {
        this.#isChanged[at] = 1;
        this.#changed[this.#changedCount] = at;
        this.#changedCount += 1;
      }
      this.#changer[at] = actor;
      this.#entry[at] = tree.before[page]!;
      this.#level[at] = tree.levelsBefore[page]!;
      // what others do from now on is not known to its handler
      if (actor >= 0 && this.#isAt(actor, index, page)) this.#base[actor] = this.#byOthers(actor);
    }
  }

  /** Where the versions of the guest begin that the actor runs or serves. */
  #guestOf(actor: number): number {
    return this.#guest[this.#tree[actor]!]!;
  }

  /** The actor's last fault was at this page of this tree's guest. */
  #isAt(actor: number, tree: number, page: number): boolean {
    return this.#at[actor] === page && this.#guestOf(actor) === this.#guest[tree];
  }

  #lasts(tree: number, page: number, changer: number): void {
    this.#version[this.#guest[tree]! + page]! += 1;
    if (changer >= 0 && this.#isAt(changer, tree, page)) this.#own[changer]! += 1;
  }

  /** Whoever used the tree goes on with another one, in which nothing is repaired yet. */
  #changesAll(tree: number): void {
    const first = this.#guest[tree]!;
    for (let page = first; page < first + this.#pages; page += 1) this.#version[page]! += 1;
  }

  #byOthers(actor: number): number {
    return this.#version[this.#guestOf(actor) + this.#at[actor]!]! - this.#own[actor]!;
  }

  /** The actor has faulted, or its handler begins: what others are changing at this moment counts. */
  #look(actor: number): void {
    const isPending = this.#isPending(this.#at[actor]!, actor);
    this.#seen[actor] = this.#byOthers(actor) + (isPending ? 1 : 0);
    this.#base[actor] = this.#seen[actor]!;
  }

  #isLockless(index: number): boolean {
    const { machine, duties } = this.#scene;
    if (duties[machine.operation]?.card.lock !== 'none') return false;
    return machine.locks.mode(machine.tables.trees[index]!.lock, machine.actor) === Mode.Invalid;
  }

  /** Somebody else has made something else of the page and still holds the lock. */
  #isPending(page: number, actor: number): boolean {
    const guest = this.#guestOf(actor);
    for (let tree = 0; tree < this.#guest.length; tree += 1) {
      const at = tree * this.#pages + page;
      if (this.#guest[tree] !== guest || this.#isChanged[at] === 0) continue;
      if (this.#changer[at] !== actor && this.#differs(at)) return true;
    }
    return false;
  }

  /** By tree and page: the entry is not as it was when it was first changed. */
  #differs(at: number): boolean {
    const { trees } = this.#scene.machine.tables;
    const page = at % this.#pages;
    const tree = trees[Math.floor(at / this.#pages)]!;
    return this.#differsFrom(at, tree.entries[page]!, tree.levels[page]!);
  }

  /** An empty entry at an upper level is another one: the table is gone in which somebody was about to map the page. */
  #differsFrom(at: number, entry: number, level: number): boolean {
    const before = this.#level[at]!;
    return entry !== this.#entry[at] || (entry === 0 ? level < before : level !== before);
  }

  #isTreeLock(actor: number, lock: number): boolean {
    return this.#scene.machine.tables.trees[this.#tree[actor]!]!.lock === lock;
  }

  /** What differs now from when it was first changed counts as a lasting change of the page. */
  #settle(lock: number): void {
    const { trees } = this.#scene.machine.tables;
    let kept = 0;
    for (let i = 0; i < this.#changedCount; i += 1) {
      const at = this.#changed[i]!;
      const tree = Math.floor(at / this.#pages);
      if (trees[tree]!.lock !== lock) {
        this.#changed[kept] = at;
        kept += 1;
        continue;
      }
      this.#isChanged[at] = 0;
      if (this.#differs(at)) this.#lasts(tree, at % this.#pages, this.#changer[at]!);
    }
    this.#changedCount = kept;
  }

  /**
   * The handler has looked at the entry, which permits the access by now: what the PE had cached when it faulted does
   * not fault again. While somebody still changes the entry, it is invalid. Who lost a race for an entry of another size
   * has not looked at it: the next fault does.
   */
  #faultIsGone(actor: number, page: number): void {
    if (actor < 0 || this.#denied[actor] !== page + 1) return;
    const { machine, report } = this.#scene;
    const { tlb, vttbr, index: pe } = machine.pes[machine.actors[actor]!.pe]!;
    const { entries, vmid, pastVmids, component } = faultedTree(machine, this.#tree[actor]!, vttbr);
    if (!isValid(entries[page]!) || !permits(entries[page]!, this.#wanted[actor] as Intent)) return;
    // where guests share the PE, another one's context may be loaded by now
    const tag = pastVmids !== 0 || component >= 0 ? vmid : vttbr & 0xff;
    this.judgements += 1;
    this.#denied[actor] = 0;
    for (let i = 0; i < tlb.count; i += 1) {
      const isLeafEntry = tlb.kind[i] === TlbKind.Leaf || tlb.kind[i] === TlbKind.Combined;
      if (!isLeafEntry || tlb.vmid[i] !== tag) continue;
      if (tlb.row[i]! > this.#deniedRow[actor]! || !samePage(page, tlb.first[i]!, tlb.bits[i]!))
        continue;
      if (permits(tlb.word[i]!, this.#wanted[actor] as Intent)) continue;
      const facts = { page, pe, survivor: tlb.row[i]!, found: tlb.word[i]! };
      report.add('progress', 'faulting-entry-left', 'translation', facts);
      return;
    }
  }

  /** The handler is done; called after the lock was dropped. */
  #handledFault(actor: number, page: number, isRepaired: boolean): void {
    this.judgements += 1;
    if (!isRepaired) {
      this.#page[actor] = -1;
      return;
    }
    const wasHandled = this.#page[actor] === page && this.#faulted[actor] === 1;
    // also when a fault in between repaired nothing, because of what others were changing
    if (this.#seen[actor]! > this.#handled[actor]!) {
      this.#spurious[actor] = 0;
    } else if (wasHandled) {
      this.#spurious[actor]! += 1;
      if (this.#spurious[actor]! > SPURIOUS_FAULTS_MAX) {
        this.#scene.report.add('progress', 'faults-again', 'actor', {
          page,
          pe: this.#scene.machine.actors[actor]!.pe,
          found: this.#spurious[actor]!,
        });
      }
    }
    this.#page[actor] = page;
    this.#faulted[actor] = 0;
    this.#handled[actor] = this.#base[actor]!;
  }
}

function isGuests({ regime }: Tree): boolean {
  return regime === Regime.Guest;
}
