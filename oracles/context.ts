/**
 * Claim: linked tables are changed under the lock of their tree in the mode that the operation's
 * card names, and by holders of the shared lock inside a read section where the tree has one; two kinds of
 * work that the tree does not allow side by side do not go on under its lock at the same time, and work that
 * needs the lock exclusively is done so; nothing that
 * may sleep happens under a spinning lock; guest invalidations are issued with the VMID of the tree that the
 * operation works on; a host thread ends its operation with the guest context that it found.
 *
 * Why it matters: every other argument about the tables starts from these.
 * Blind to: interrupts; invalidations of operations whose card names no guest tree; the order in which locks are taken (deadlock judges its result); waiting for
 * a mutex under a spinning lock before it is taken, unless nobody can go on.
 * Cost: constant per store, lock and invalidation; a look at every actor when work begins.
 * Source: spec/arm.md 3.1, 7.1, 7.2 I-LOCK; zoo oracle CTX.
 */
import { Access, Register } from '../sim/access.ts';
import { ActorRole } from '../sim/actor.ts';
import { concerns } from '../sim/card.ts';
import { Claim } from '../sim/claims.ts';
import { Event, type EventCode } from '../sim/event.ts';
import { Tlbi } from '../sim/invalidation.ts';
import { LockKind, Mode } from '../sim/locks.ts';
import { placeIsHardware, placeTree } from '../sim/place.ts';
import { Regime } from '../sim/tables.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';

export const context: OracleSpec = {
  id: 'context',
  claim:
    'tables change under their lock, spinning code does not sleep, contexts are the right ones',
  listens: [
    Event.Descriptor,
    Event.MaySleep,
    Event.LockTake,
    Event.InvalidateIssue,
    Event.OperationBegin,
    Event.OperationEnd,
    Event.Deadlock,
    Event.Claim,
    Event.LockDrop,
    Event.Register,
  ],
  claims: [Claim.WorkBegins],
  // where all work excludes each other there is nothing to tell apart
  skips: ({ machine }) =>
    machine.tables.trees.some(({ together }) => together !== undefined) ? [] : [Event.LockDrop],
  concerns: ({ machine }) => machine.spec.hasTables !== false,
  create: (scene) => new Context(scene),
};

class Context implements Oracle {
  judgements = 0;
  readonly #scene: Scene;
  /** Per actor: tree and kind of the work that it does under the tree's lock; -1 for none. */
  readonly #tree: Int32Array;
  readonly #work: Int32Array;
  /** By actor: what its PE had loaded, or was about to load, when its operation began. */
  readonly #base: Int32Array;
  /** Two program actors begin on one PE. */
  readonly #sharesPes: boolean;

  constructor(scene: Scene) {
    this.#scene = scene;
    const actors = scene.machine.actors.length;
    this.#tree = new Int32Array(actors).fill(-1);
    this.#work = new Int32Array(actors).fill(-1);
    this.#base = new Int32Array(actors);
    const places = scene.machine.actors.filter(({ isHardware }) => !isHardware).map(({ pe }) => pe);
    this.#sharesPes = new Set(places).size < places.length;
  }

  reset(): void {
    this.#tree.fill(-1);
    this.#work.fill(-1);
    this.#base.fill(0);
  }

  onEvent(kind: EventCode, a: number, b: number, c: number, d: number): void {
    if (kind === Event.Descriptor) {
      if (!placeIsHardware(d)) this.#stored(a, placeTree(d));
    } else if (kind === Event.MaySleep) {
      this.#mayNotSleep(-1);
    } else if (kind === Event.LockTake) {
      if (this.#scene.machine.locks.specs[a]!.kind === LockKind.Mutex) this.#mayNotSleep(a);
    } else if (kind === Event.Claim) {
      if (a === Claim.WorkBegins) this.#begins(b, c);
    } else if (kind === Event.OperationBegin) {
      this.#operationBegins();
    } else if (kind === Event.LockDrop) {
      this.#ends(a);
    } else if (kind === Event.Deadlock) {
      this.#waitingInVain();
    } else if (kind === Event.OperationEnd) {
      this.#contextIsBack();
    } else if (kind === Event.Register) {
      if (a === Register.Vttbr) this.#loaded(b);
    } else {
      this.#issued(a);
    }
  }

  #stored(word: number, index: number): void {
    const { machine, report, duties } = this.#scene;
    const tree = machine.tables.trees[index]!;
    if (!tree.live) return;
    this.judgements += 1;
    const mode = machine.locks.mode(tree.lock, machine.actor);
    const card = duties[machine.operation]?.card;
    // the mode of a card is for the tree that it names
    const allowed = card !== undefined && concerns(card, tree) ? card.lock : 'exclusive';
    if (mode === Mode.Exclusive || allowed === 'none') return;
    if (mode === Mode.Shared && allowed === 'shared') {
      const { readers } = tree;
      if (readers === undefined || machine.sections.isInside(readers, machine.actor)) return;
      report.add('context', 'store-outside-section', 'lock', {
        word,
        page: machine.tables.changedFirst,
      });
      return;
    }
    report.add('context', 'store-without-lock', 'lock', {
      word,
      page: machine.tables.changedFirst,
    });
  }

  #begins(tree: number, work: number): void {
    const { machine } = this.#scene;
    this.#tree[machine.actor] = tree;
    this.#work[machine.actor] = work;
    const { alone, lock } = machine.tables.trees[tree]!;
    if ((alone & (1 << work)) !== 0) {
      this.judgements += 1;
      if (machine.locks.mode(lock, machine.actor) !== Mode.Exclusive)
        this.#scene.report.add('context', 'work-without-lock', 'lock', { found: work });
    }
    this.#besideOthers(machine.actor);
  }

  /** Work ends with the hold of the tree's lock. */
  #ends(lock: number): void {
    const { actor, tables } = this.#scene.machine;
    const tree = this.#tree[actor]!;
    if (tree >= 0 && tables.trees[tree]!.lock === lock) this.#tree[actor] = -1;
  }

  /** What the actor does and what others do under the lock of the same tree, at this moment. */
  #besideOthers(actor: number): void {
    const { machine, report } = this.#scene;
    const index = this.#tree[actor]!;
    const { together, lock } = machine.tables.trees[index]!;
    if (together === undefined || machine.locks.mode(lock, actor) === Mode.Invalid) return;
    const allowed = together[this.#work[actor]!]!;
    this.judgements += 1;
    for (let other = 0; other < this.#tree.length; other += 1) {
      if (other === actor || this.#tree[other] !== index) continue;
      if (machine.locks.mode(lock, other) === Mode.Invalid) continue;
      if ((allowed & (1 << this.#work[other]!)) !== 0) continue;
      report.add('context', 'excluded-together', 'lock', {
        pe: machine.actors[other]!.pe,
        expected: this.#work[actor]!,
        found: this.#work[other]!,
        promisedBy: machine.actors[other]!.operation,
      });
      return;
    }
  }

  #mayNotSleep(taking: number): void {
    const { machine, report } = this.#scene;
    this.judgements += 1;
    const lock = machine.locks.spinningLock(machine.actor);
    if (lock >= 0 && lock !== taking)
      report.add('context', 'sleep-under-lock', 'lock', { found: lock });
  }

  /** Nobody can go on: a mutex may be waited for under a spinning lock and never be taken. */
  #waitingInVain(): void {
    const { machine, report } = this.#scene;
    for (const { index, access, blocked, pe, x } of machine.actors) {
      if (!blocked || access !== Access.Acquire) continue;
      if (machine.locks.specs[x]!.kind !== LockKind.Mutex) continue;
      this.judgements += 1;
      const lock = machine.locks.spinningLock(index);
      if (lock >= 0) report.add('context', 'sleep-under-lock', 'lock', { pe, found: lock });
    }
  }

  #operationBegins(): void {
    const { actor, actors } = this.#scene.machine;
    if (actor < 0) return;
    this.#tree[actor] = -1;
    this.#base[actor] = actors[actor]!.vttbr;
  }

  /** Who shares the PE finds another context from here on. */
  #loaded(base: number): void {
    if (!this.#sharesPes) return;
    const { actor, actors } = this.#scene.machine;
    const { pe } = actors[actor]!;
    for (const other of actors) {
      if (other.index !== actor && other.pe === pe) this.#base[other.index] = base;
    }
  }

  /** A walker of the host's PE would use what is left loaded, when its tables are long gone. */
  #contextIsBack(): void {
    const { machine, report } = this.#scene;
    const { role, pe, vttbr: found } = machine.actors[machine.actor]!;
    if (role !== ActorRole.Host) return;
    this.judgements += 1;
    const expected = this.#base[machine.actor]!;
    if (found !== expected) report.add('context', 'context-left', 'actor', { pe, expected, found });
  }

  #issued(packed: number): void {
    const operation = packed & 0xff;
    if (operation >= Tlbi.Alle1) return;
    const { machine, report, duties } = this.#scene;
    const card = duties[machine.operation]?.card;
    if (card === undefined || card.tree < 0) return;
    const tree = machine.tables.trees[card.tree]!;
    if (tree.regime !== Regime.Guest) return;
    this.judgements += 1;
    const vmid = packed >>> 16;
    // where guests are given new numbers, an old one may be on its way: what it misses is judged elsewhere
    if (vmid === tree.vmid || (tree.pastVmids & (1 << vmid)) !== 0) return;
    // an operation on all trees invalidates each with its own
    const isOfAny = machine.tables.trees.some((one) => concerns(card, one) && one.vmid === vmid);
    if (!isOfAny)
      report.add('context', 'wrong-vmid', 'translation', { expected: tree.vmid, found: vmid });
  }
}
