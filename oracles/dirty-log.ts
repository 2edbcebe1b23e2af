/**
 * Claim: while a slot is logged, every guest write lands on a page whose mark is set or is just
 * being reported; and when a round of the log ends, no page without a mark can still be written,
 * neither by the table nor by any TLB. An operation that makes a page writable may set the mark
 * later: until it does, writes itself or ends, the page counts as marked; at its end it is judged,
 * or with the round that took the mark. A round takes the marks that were made and no others, and no mark
 * is left when the log has been stopped. An operation starts, reads or stops the log exactly if it was
 * there to be started, read or stopped. Where the hardware logs writes that set a dirty flag, a page counts
 * as marked while it is in such a log, and software marks it before it takes it out; an entry without the
 * dirty flag is then no licence to write unseen. Where hardware keeps dirty state in entries (DBM), a page counts as
 * marked while its entry has it, and software marks the page before it takes that away. A host that is told which
 * pages were written knows of every page that the guest wrote when it takes it back.
 *
 * Why it matters: a write that no round reports is lost in a live migration.
 * Blind to: results of operations during which the log was started or stopped; pages that the host was told about
 * before they were written; writes before the operation that starts the log has ended; writes by devices; which of several
 * guest trees, unless one is made from a table of the guest's own, makes a page writable (pages are told apart by number only).
 * Cost: constant per guest access; the pages covered per store of a writable entry; a scan of slot and TLBs per round.
 * Source: spec/arm.md 4.5 invariant D and the round guarantee; spec/x86-xen.md A12, amendments E8, E14.
 */
import { Result } from '../sim/card.ts';
import { Claim } from '../sim/claims.ts';
import { DIRTY, frameOf, Intent, isValid, WRITE } from '../sim/descriptor.ts';
import { Event, type EventCode } from '../sim/event.ts';
import { placeIsHardware, placeTree } from '../sim/place.ts';
import { Regime, type Tree } from '../sim/tables.ts';
import { DirtyState } from './dirty-state.ts';
import { HostDirtiness } from './host-dirtiness.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';
import { liveTreeOf, loadedTree, nextTranslation, Translation } from './translations.ts';

export const dirtyLog: OracleSpec = {
  id: 'dirty-log',
  claim: 'every guest write to a logged page is reported by this round or a later one',
  listens: [
    Event.Claim,
    Event.Use,
    Event.Free,
    Event.Descriptor,
    Event.OperationBegin,
    Event.OperationEnd,
  ],
  claims: [
    Claim.ContextCreated,
    Claim.HostDirtied,
    Claim.HostGrants,
    Claim.LogHarvested,
    Claim.LogMarked,
    Claim.LogQueued,
    Claim.LogStarted,
    Claim.LogStopped,
    Claim.LogTaken,
  ],
  needs: Claim.LogStarted,
  create: (scene) => new DirtyLog(scene),
};

class DirtyLog implements Oracle {
  judgements = 0;
  readonly #scene: Scene;
  readonly #held = new Translation();
  /** By input page: marked; taken by a round that has not ended. */
  readonly #marked: Uint8Array;
  readonly #taken: Uint8Array;
  /** By input page: the operation (+1) that made it writable and has not marked it; or 0. */
  readonly #opener: Int32Array;
  /** By input page: somebody else wrote to it on the strength of the mark to come. */
  readonly #isWritten: Uint8Array;
  /** The pages that have an opener. */
  readonly #open: Int32Array;
  #openCount = 0;
  #first = 0;
  #end = 0;
  #isLogging = false;
  readonly #host: HostDirtiness;
  /** Times that the log was started or stopped; and, by actor, the number when its operation began. */
  #switches = 0;
  readonly #switchesAtBegin: Int32Array;
  /** By tree: the hardware logs writes that set the dirty flag. By page: its places in such logs. */
  readonly #isHardwareLogged: Uint8Array;
  readonly #state: DirtyState;
  readonly #queued: Int32Array;
  /** Some tree's input pages are not the slot's; and by frame, the page of the slot that it was granted for last. */
  readonly #hasDerived: boolean;
  readonly #pageOf: Int32Array;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#hasDerived = scene.machine.tables.trees.some(({ isDerived }) => isDerived);
    this.#pageOf = new Int32Array(scene.machine.spec.frames);
    const pages = Math.max(...scene.machine.tables.trees.map((tree) => tree.geometry.windowPages));
    this.#marked = new Uint8Array(pages);
    this.#taken = new Uint8Array(pages);
    this.#opener = new Int32Array(pages);
    this.#isWritten = new Uint8Array(pages);
    this.#open = new Int32Array(pages);
    this.#host = new HostDirtiness(scene.machine.spec);
    this.#switchesAtBegin = new Int32Array(scene.machine.actors.length);
    this.#isHardwareLogged = new Uint8Array(scene.machine.tables.trees.length);
    this.#queued = new Int32Array(pages);
    this.#state = new DirtyState(scene.machine);
  }

  reset(): void {
    this.#marked.fill(0);
    this.#taken.fill(0);
    this.#isLogging = false;
    if (this.#hasDerived) this.#pageOf.fill(0);
    this.#host.reset();
    this.#switches = 0;
    this.#isHardwareLogged.fill(0);
    this.#queued.fill(0);
    while (this.#openCount > 0) this.#close(0);
  }

  onEvent(kind: EventCode, a: number, b: number, c: number, d: number): void {
    if (kind === Event.Use) {
      if (c !== Intent.Write) return;
      this.#host.written(b);
      if (this.#isLogging) this.#written(this.#hasDerived ? this.#slotPage(a, b) : a, d);
      return;
    }
    if (kind === Event.Free) {
      if (this.#host.isJudged) this.judgements += 1;
      const isLost = this.#host.takenBack(a);
      if (isLost) this.#scene.report.add('dirty-log', 'host-not-told', 'page', { frame: a });
      return;
    }
    if (kind === Event.Descriptor) {
      if (!placeIsHardware(d)) this.#changed(this.#scene.machine.tables.trees[placeTree(d)]!);
      return;
    }
    if (kind === Event.OperationBegin) {
      this.#switchesAtBegin[this.#scene.machine.actor] = this.#switches;
      return;
    }
    if (kind === Event.OperationEnd) {
      if (this.#openCount > 0) this.#operationEnded(a + 1);
      this.#judgeResult(b);
      return;
    }
    switch (a) {
      case Claim.LogStarted:
        this.#first = b;
        this.#end = b + c;
        this.#isLogging = true;
        this.#switches += 1;
        this.#roundEnded();
        return;
      case Claim.HostGrants:
        if (!this.#hasDerived) return;
        for (let i = 0; i < 1 << (d >>> 1); i += 1) this.#pageOf[c + i] = b + i;
        return;
      case Claim.ContextCreated:
        this.#isHardwareLogged[b] = d & 1;
        return;
      case Claim.LogQueued:
        this.#queued[b]! += d === 1 ? 1 : -1;
        if (d === 0 && this.#isLogging) this.#takenOut(b);
        return;
      case Claim.HostDirtied:
        this.#host.told(b);
        return;
      case Claim.LogMarked:
        this.#marked[b] = 1;
        if (this.#openCount > 0) this.#closePage(b);
        return;
      case Claim.LogTaken:
        this.#marksTaken(b, c, d);
        return;
      case Claim.LogHarvested:
        this.#taken.fill(0, this.#first, this.#end);
        if (this.#isLogging) this.#roundEnded();
        return;
      case Claim.LogStopped:
        this.#isLogging = false;
        this.#switches += 1;
        this.#marked.fill(0);
        this.#taken.fill(0);
        return;
      default:
        return;
    }
  }

  /** @param left marks of the same pages that were not taken */
  #marksTaken(first: number, mask: number, left: number): void {
    this.judgements += 1;
    for (let i = 0; i < 32; i += 1) {
      const page = first + i;
      const isTaken = (mask >>> i) & 1;
      const wasMarked = isTaken | ((left >>> i) & 1);
      if (page < this.#marked.length && this.#marked[page] !== wasMarked) {
        const facts = { page, expected: this.#marked[page]!, found: wasMarked };
        this.#scene.report.add('dirty-log', 'marks-differ', 'log', facts);
        return;
      }
      if (isTaken === 0) continue;
      this.#marked[page] = 0;
      this.#taken[page] = 1;
    }
  }

  /** Whether the result fits the log as it was all the time that the operation ran. */
  #judgeResult(result: number): void {
    const { machine, report, duties } = this.#scene;
    const claims = duties[machine.operation]?.card.claims;
    if (claims === undefined) return;
    const isRound = claims.includes(Claim.LogHarvested);
    const isStop = claims.includes(Claim.LogStopped);
    if (this.#switchesAtBegin[machine.actor] !== this.#switches) {
      if (isStop && !this.#isLogging && result === Result.Ok) this.#judgeMarksLeft();
      return;
    }
    if (!isRound && !isStop && !claims.includes(Claim.LogStarted)) return;
    this.judgements += 1;
    const isDone = result === Result.Ok;
    if (!isDone && result !== Result.Invalid) return;
    // a start that ends well has started the log, a stop has left none
    const isDue = isRound ? this.#isLogging : isStop ? !this.#isLogging : false;
    const isRefusalDue = isRound || isStop ? !this.#isLogging : this.#isLogging;
    if (isDone ? isDue : isRefusalDue) return;
    report.add('dirty-log', isDone ? 'not-done' : 'refused', 'actor', { found: result });
  }

  /** The operation has stopped the log: late marks would be reported by the next one. */
  #judgeMarksLeft(): void {
    this.judgements += 1;
    const page = this.#marked.indexOf(1);
    if (page >= 0) this.#scene.report.add('dirty-log', 'marks-left', 'log', { page });
  }

  /** Software takes a page out of a hardware log: its mark is there, or a round has just taken it. */
  #takenOut(page: number): void {
    if (page < this.#first || page >= this.#end) return;
    this.judgements += 1;
    if (this.#marked[page] === 1 || this.#taken[page] === 1) return;
    this.#scene.report.add('dirty-log', 'write-lost', 'log', { page });
  }

  /** The page of the slot that the actor's access was to, through whichever tree its PE has loaded. */
  #slotPage(page: number, frame: number): number {
    const { machine } = this.#scene;
    const { vttbr } = machine.pes[machine.actors[machine.actor]!.pe]!;
    return loadedTree(machine, vttbr)?.isDerived === true ? this.#pageOf[frame]! : page;
  }

  /** Whether a guest with this entry can write without anybody being told. */
  #isOpen(entry: number, tree: Tree): boolean {
    if (!isValid(entry) || (entry & WRITE) === 0) return false;
    return this.#isHardwareLogged[tree.index] === 0 || (entry & DIRTY) !== 0;
  }

  /** The page is marked, by software or in one of the places where hardware does it. */
  #isKnown(page: number): boolean {
    return this.#marked[page] === 1 || this.#queued[page]! > 0 || this.#state.isFound(page);
  }

  #written(page: number, row: number): void {
    if (page < this.#first || page >= this.#end) return;
    this.judgements += 1;
    if (this.#taken[page] === 1 || this.#isKnown(page)) return;
    const { machine, report } = this.#scene;
    if (this.#isOpenByOther(page)) {
      this.#isWritten[page] = 1;
      return;
    }
    report.add('dirty-log', 'write-lost', 'log', {
      page,
      pe: machine.actors[machine.actor]!.pe,
      survivor: row,
    });
  }

  /** Follows which pages become writable without a mark, and by whom. */
  #changed(tree: Tree): void {
    if (tree.regime !== Regime.Guest) return;
    const { machine } = this.#scene;
    const { changedFirst, changedCount } = machine.tables;
    for (let page = changedFirst; page < changedFirst + changedCount; page += 1) {
      // an entry that goes again may still be cached: who made it writable owes the mark until it ends
      const entry = tree.entries[page]!;
      if (this.#state.isTakenOut(tree, page)) this.#judgeState(page, entry);
      if (!this.#isOpen(entry, tree) || this.#isOpen(tree.before[page]!, tree)) continue;
      if (machine.operation < 0) continue;
      this.#opened(tree.isDerived ? this.#pageOf[frameOf(entry)]! : page);
    }
  }

  /** What hardware found is taken out of an entry: its mark is there, or a round has just taken it. */
  #judgeState(page: number, entry: number): void {
    if (!this.#isLogging || page < this.#first || page >= this.#end) return;
    this.judgements += 1;
    if (this.#marked[page] === 1 || this.#taken[page] === 1) return;
    this.#scene.report.add('dirty-log', 'state-lost', 'log', { page, found: entry });
  }

  /** The operation has made a page of the slot writable. */
  #opened(page: number): void {
    if (this.#marked[page] === 1) return;
    if (this.#opener[page] === 0) {
      this.#open[this.#openCount] = page;
      this.#openCount += 1;
    }
    this.#opener[page] = this.#scene.machine.operation + 1;
  }

  /** Another operation that has not ended made the page writable and is to mark it. */
  #isOpenByOther(page: number): boolean {
    const opener = this.#opener[page]! - 1;
    return opener >= 0 && opener !== this.#scene.machine.operation;
  }

  #closePage(page: number): void {
    if (this.#opener[page] === 0) return;
    for (let i = 0; i < this.#openCount; i += 1) {
      if (this.#open[i] !== page) continue;
      this.#close(i);
      return;
    }
  }

  #close(index: number): void {
    const page = this.#open[index]!;
    this.#opener[page] = 0;
    this.#isWritten[page] = 0;
    this.#openCount -= 1;
    this.#open[index] = this.#open[this.#openCount]!;
  }

  /** What it made writable is marked now, or is judged. */
  #operationEnded(opener: number): void {
    for (let i = this.#openCount - 1; i >= 0; i -= 1) {
      const page = this.#open[i]!;
      if (this.#opener[page] !== opener) continue;
      const isWritten = this.#isWritten[page] === 1;
      this.#close(i);
      if (!this.#isLogging || page < this.#first || page >= this.#end) continue;
      this.judgements += 1;
      if (isWritten) this.#scene.report.add('dirty-log', 'write-lost', 'log', { page });
      else if (this.#taken[page] === 0) this.#stillWritable(page);
    }
  }

  /** The table lets the guest write the page, and nobody is to mark it. */
  #stillWritable(page: number): boolean {
    const { machine, report } = this.#scene;
    if (this.#isKnown(page)) return false;
    for (const tree of machine.tables.trees) {
      if (!tree.loadable || tree.regime !== Regime.Guest) continue;
      const found = tree.isDerived ? this.#entryFor(tree, page) : tree.entries[page]!;
      if (!this.#isOpen(found, tree)) continue;
      report.add('dirty-log', 'writable-unmarked', 'log', { page, found });
      return true;
    }
    return false;
  }

  /** An entry of a derived tree through which a page of the slot may be written; 0 when there is none. */
  #entryFor(tree: Tree, page: number): number {
    for (let at = 0; at < tree.entries.length; at += 1) {
      const entry = tree.entries[at]!;
      if (this.#isOpen(entry, tree) && this.#pageOf[frameOf(entry)] === page) return entry;
    }
    return 0;
  }

  #roundEnded(): void {
    this.judgements += 1;
    const { machine, report } = this.#scene;
    for (let page = this.#first; page < this.#end; page += 1) {
      if (!this.#isOpenByOther(page) && this.#stillWritable(page)) return;
    }
    const held = this.#held;
    for (
      let at = nextTranslation(machine, 0, held);
      at >= 0;
      at = nextTranslation(machine, at, held)
    ) {
      if (held.isTable || held.regime !== Regime.Guest || (held.word & WRITE) === 0) continue;
      const tree = liveTreeOf(machine, held);
      if (tree === undefined || !this.#isOpen(held.word, tree)) continue;
      const { isDerived } = tree;
      const last = held.first + (1 << held.bits);
      const end = isDerived ? last : Math.min(this.#end, last);
      for (let i = isDerived ? held.first : Math.max(this.#first, held.first); i < end; i += 1) {
        const page = isDerived ? this.#pageOf[frameOf(held.word) + i - held.first]! : i;
        if (page < this.#first || page >= this.#end) continue;
        if (this.#isKnown(page) || this.#isOpenByOther(page)) continue;
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
