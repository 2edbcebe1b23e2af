/** What oracles say about trees whose lock has readers: busy entries, sections, excluded work. */
import test from 'ava';
import fc from 'fast-check';
import { context } from '../../oracles/context.ts';
import { freedTable } from '../../oracles/freed-table.ts';
import type { OracleSpec } from '../../oracles/oracle.ts';
import { progress, SPURIOUS_FAULTS_MAX } from '../../oracles/progress.ts';
import { tableShape } from '../../oracles/table-shape.ts';
import { FaultClass } from '../../sim/access.ts';
import { Work } from '../../sim/card.ts';
import { Claim, RetryReason } from '../../sim/claims.ts';
import { ACCESSED, Intent, leaf, WRITE } from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { Mode } from '../../sim/locks.ts';
import { Role } from '../../sim/pages.ts';
import { TlbKind } from '../../sim/tlb.ts';
import {
  BUSY,
  judgesAfresh,
  Lock,
  passes,
  READ_ONLY,
  READ_WRITE,
  reports,
  SHADOW_VMID,
  Stage,
  TreeIndex,
  WALKS,
  Who,
} from './stage.ts';

const { Exclusive, Shared } = Mode;

/** Page 0 is mapped in a guest tree with readers. */
function mapped(spec: OracleSpec): { stage: Stage; word: number; parent: number; child: number } {
  const stage = new Stage(spec, { shared: true });
  const word = stage.unheard(() => stage.map(0, stage.take(Role.Data), READ_ONLY));
  return { stage, word, parent: stage.word(0, 2), child: stage.machine.memory.frame(word) };
}

// ---- busy entries ----

test('an entry is taken and made by one reader', (t) => {
  const { stage, word } = mapped(tableShape);
  const page = stage.load(word);
  stage.as(Who.Vcpu0, 0).lock(Lock.Mmu, Shared);
  stage.store(word, BUSY);
  stage.store(word, page);
  stage.unlock(Lock.Mmu);
  passes(t, stage);
});

test('an entry that is still busy when its taker drops the lock', (t) => {
  const { stage, word } = mapped(tableShape);
  stage.as(Who.Vcpu0, 0).lock(Lock.Mmu, Shared);
  stage.store(word, BUSY);
  stage.unlock(Lock.Mmu);
  reports(t, stage, 'busy-left');
  t.is(stage.scene.report.violation?.word, word);
});

test('another reader, and another lock, may be dropped while an entry is busy', (t) => {
  const { stage, word } = mapped(tableShape);
  stage.as(Who.Vcpu0, 0).lock(Lock.Mmu, Shared);
  stage.lock(Lock.Second);
  stage.as(Who.Vcpu1, 1).lock(Lock.Mmu, Shared);
  stage.as(Who.Vcpu0, 0).store(word, BUSY);
  stage.unlock(Lock.Second);
  stage.as(Who.Vcpu1, 1).unlock(Lock.Mmu);
  stage.lock(Lock.Mmu, Shared);
  passes(t, stage);
});

test('a busy entry that somebody else writes', (t) => {
  for (const next of [leaf(40, READ_WRITE), 0]) {
    const { stage, word } = mapped(tableShape);
    stage.as(Who.Vcpu0, 0).lock(Lock.Mmu, Shared);
    stage.as(Who.Vcpu1, 1).lock(Lock.Mmu, Shared);
    stage.as(Who.Vcpu0, 0).store(word, BUSY);
    stage.as(Who.Vcpu1, 1).store(word, next);
    reports(t, stage, 'busy-overwritten');
    t.is(stage.scene.report.violation?.pe, 0);
  }
});

test('an entry that is busy when somebody has the lock alone', (t) => {
  const { stage, word } = mapped(tableShape);
  // taken without the lock: another oracle objects to that
  stage.as(Who.Vcpu0, 0).store(word, BUSY);
  stage.as(Who.Host0, 1).lock(Lock.Mmu, Exclusive);
  reports(t, stage, 'busy-when-alone');
});

test('a busy entry of a table that was taken out does not matter any more', (t) => {
  const { stage, word, parent } = mapped(tableShape);
  stage.as(Who.Vcpu0, 0).lock(Lock.Mmu, Shared);
  stage.store(word, BUSY);
  stage.as(Who.Vcpu1, 1).store(parent, BUSY);
  stage.store(parent, 0);
  stage.as(Who.Vcpu0, 0).unlock(Lock.Mmu);
  stage.as(Who.Host0, 2).lock(Lock.Mmu, Exclusive);
  passes(t, stage);
});

test('in a tree without busy entries the word means nothing', (t) => {
  const stage = new Stage(tableShape);
  const word = stage.map(0, stage.take(Role.Data));
  stage.as(Who.Vcpu0, 0).lock(Lock.Mmu, Shared);
  stage.store(word, BUSY);
  stage.unlock(Lock.Mmu);
  passes(t, stage);
});

test('busy entries of a run before are forgotten', (t) => {
  const stage = new Stage(tableShape, { shared: true });
  const play = (): void => {
    const page = stage.map(0, stage.take(Role.Data));
    stage.as(Who.Vcpu0, 0).lock(Lock.Mmu, Shared);
    stage.store(page, BUSY);
    stage.unlock(Lock.Mmu);
  };
  judgesAfresh(t, stage, 'busy-left', play);
  stage.reset();
  stage.as(Who.Host0, 1).lock(Lock.Mmu, Exclusive);
  t.is(stage.rule, undefined);
});

test('what is busy is what a scan of all entries finds', (t) => {
  const step = fc.record({
    actor: fc.nat(1),
    page: fc.nat(3),
    does: fc.constantFrom('take', 'make', 'unlock'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const stage = new Stage(tableShape, { shared: true });
      const words = [0, 1, 2, 3].map((page) => stage.path(page));
      // the naive twin: who made each word busy last
      const takers = new Map<number, number>();
      for (const { actor, page, does } of steps) {
        const word = words[page]!;
        stage.as(actor, actor);
        const { locks } = stage.machine;
        if (locks.mode(Lock.Mmu, actor) === Mode.Invalid) stage.lock(Lock.Mmu, Shared);
        if (does === 'take' && stage.load(word) !== BUSY) {
          stage.store(word, BUSY);
          takers.set(word, actor);
        } else if (does === 'make' && takers.get(word) === actor) {
          stage.store(word, 0);
          takers.delete(word);
        } else if (does === 'unlock') {
          const isLeft = words.some((one) => stage.load(one) === BUSY && takers.get(one) === actor);
          stage.unlock(Lock.Mmu);
          t.is(stage.rule, isLeft ? 'busy-left' : undefined);
          if (isLeft) return;
        }
      }
      t.is(stage.rule, undefined);
    }),
    { numRuns: 300, seed: 1 },
  );
});

// ---- sections and work ----

test('a reader stores inside its section', (t) => {
  const { stage, word } = mapped(context);
  stage.duty(0, { tree: TreeIndex.Guest, lock: 'shared' });
  stage.as(Who.Vcpu0, 0).lock(Lock.Mmu, Shared);
  stage.enter(WALKS);
  stage.store(word, 0);
  passes(t, stage);
});

test('a reader that stores outside its section, or inside another', (t) => {
  for (const domain of [undefined, 1]) {
    const { stage, word } = mapped(context);
    stage.duty(0, { tree: TreeIndex.Guest, lock: 'shared' });
    stage.as(Who.Vcpu0, 0).lock(Lock.Mmu, Shared);
    if (domain !== undefined) stage.enter(domain);
    stage.store(word, 0);
    reports(t, stage, 'store-outside-section');
  }
});

test('who holds the lock alone needs no section', (t) => {
  const { stage, word } = mapped(context);
  stage.duty(0, { tree: TreeIndex.Guest, lock: 'exclusive' });
  stage.as(Who.Host0, 0).lock(Lock.Mmu, Exclusive);
  stage.store(word, 0);
  passes(t, stage);
});

/** vCPU 0 and host 0 hold the lock shared, and say what they do. */
function working(one: Work, other: Work): Stage {
  const { stage } = mapped(context);
  stage.as(Who.Vcpu0, 0).lock(Lock.Mmu, Shared);
  stage.claim(Claim.WorkBegins, TreeIndex.Guest, one);
  stage.as(Who.Host0, 1).lock(Lock.Mmu, Shared);
  stage.claim(Claim.WorkBegins, TreeIndex.Guest, other);
  return stage;
}

test('faults go on side by side', (t) => {
  for (const one of [Work.Map, Work.Relax, Work.Young]) {
    for (const other of [Work.Map, Work.Relax, Work.Young]) passes(t, working(one, other));
  }
});

test('work that the tree excludes', (t) => {
  for (const other of [Work.Unmap, Work.Protect, Work.Age, Work.Split]) {
    const stage = working(Work.Map, other);
    reports(t, stage, 'excluded-together');
    t.is(stage.scene.report.violation?.found, Work.Map);
    t.is(stage.scene.report.violation?.expected, other);
    reports(t, working(other, Work.Relax), 'excluded-together');
    reports(t, working(other, other), 'excluded-together');
  }
});

test('work that ended with its lock, or that is done on another tree', (t) => {
  const { stage } = mapped(context);
  stage.as(Who.Vcpu0, 0).lock(Lock.Mmu, Shared);
  stage.claim(Claim.WorkBegins, TreeIndex.Guest, Work.Unmap);
  stage.unlock(Lock.Mmu);
  stage.as(Who.Vcpu1, 2).lock(Lock.Shadow);
  stage.claim(Claim.WorkBegins, TreeIndex.Shadow, Work.Unmap);
  stage.as(Who.Host0, 1).lock(Lock.Mmu, Shared);
  stage.claim(Claim.WorkBegins, TreeIndex.Guest, Work.Unmap);
  passes(t, stage);
});

test('an operation that takes its lock again says anew what it does', (t) => {
  for (const work of [Work.Relax, Work.Unmap]) {
    const { stage } = mapped(context);
    stage.as(Who.Host0, 0).lock(Lock.Mmu, Shared);
    stage.claim(Claim.WorkBegins, TreeIndex.Guest, Work.Unmap);
    stage.unlock(Lock.Mmu);
    stage.as(Who.Vcpu0, 1).lock(Lock.Mmu, Shared);
    stage.claim(Claim.WorkBegins, TreeIndex.Guest, Work.Map);
    stage.as(Who.Host0, 0).lock(Lock.Mmu, Shared);
    stage.claim(Claim.WorkBegins, TreeIndex.Guest, work);
    if (work === Work.Relax) passes(t, stage);
    else reports(t, stage, 'excluded-together');
  }
});

test('work that needs the lock exclusively', (t) => {
  for (const mode of [undefined, Shared, Exclusive]) {
    const { stage } = mapped(context);
    if (mode !== undefined) stage.as(Who.Vcpu0, 0).lock(Lock.Mmu, mode);
    stage.as(Who.Vcpu0, 0).claim(Claim.WorkBegins, TreeIndex.Guest, Work.Evict);
    if (mode === Exclusive) passes(t, stage);
    else reports(t, stage, 'work-without-lock');
  }
});

test('another lock does not end the work', (t) => {
  const { stage } = mapped(context);
  stage.as(Who.Host0, 0).lock(Lock.Mmu, Shared);
  stage.claim(Claim.WorkBegins, TreeIndex.Guest, Work.Unmap);
  stage.lock(Lock.Second);
  stage.unlock(Lock.Second);
  stage.as(Who.Vcpu0, 1).lock(Lock.Mmu, Shared);
  stage.claim(Claim.WorkBegins, TreeIndex.Guest, Work.Map);
  reports(t, stage, 'excluded-together');
});

test('a lock that is taken without saying what for excludes nobody', (t) => {
  const { stage } = mapped(context);
  stage.as(Who.Host0, 0).lock(Lock.Mmu, Shared);
  stage.claim(Claim.WorkBegins, TreeIndex.Guest, Work.Unmap);
  stage.unlock(Lock.Mmu);
  stage.as(Who.Host0, 1).begin();
  stage.lock(Lock.Mmu, Shared);
  stage.as(Who.Vcpu0, 2).lock(Lock.Mmu, Shared);
  stage.claim(Claim.WorkBegins, TreeIndex.Guest, Work.Map);
  passes(t, stage);
});

test('work of a run before is forgotten', (t) => {
  const stage = new Stage(context, { shared: true });
  judgesAfresh(t, stage, 'excluded-together', () => {
    stage.as(Who.Host1, 3).lock(Lock.Mmu, Shared);
    stage.claim(Claim.WorkBegins, TreeIndex.Guest, Work.Split);
    stage.as(Who.Vcpu1, 2).lock(Lock.Mmu, Shared);
    stage.claim(Claim.WorkBegins, TreeIndex.Guest, Work.Map);
  });
  stage.reset();
  stage.as(Who.Host1, 3).lock(Lock.Mmu, Shared);
  stage.as(Who.Vcpu0, 2).lock(Lock.Mmu, Shared);
  stage.claim(Claim.WorkBegins, TreeIndex.Guest, Work.Map);
  t.is(stage.rule, undefined);
});

// ---- tables that were taken out ----

/** vCPU 1 walks while vCPU 0 takes the last-level table out. */
function takenOut(domain = WALKS): { stage: Stage; child: number } {
  const { stage, word, parent, child } = mapped(freedTable);
  stage.unheard(() => stage.store(word, 0));
  stage.as(Who.Vcpu1, 1).enter(domain);
  stage.as(Who.Vcpu0, 0).enter(WALKS);
  stage.store(parent, BUSY);
  return { stage, child };
}

test('a table freed while a reader of before is in its section', (t) => {
  const { stage, child } = takenOut();
  stage.as(Who.Vcpu0, 0).free(child);
  reports(t, stage, 'freed-while-read');
  t.is(stage.scene.report.violation?.pe, 1);
});

test('a table freed after the readers of before have left', (t) => {
  const { stage, child } = takenOut();
  stage.as(Who.Vcpu1, 1).leave(WALKS);
  // a section that opened later cannot have found the table
  stage.enter(WALKS);
  stage.as(Who.Host0, 2).free(child);
  passes(t, stage);
});

test('readers of another domain are no walkers of this tree', (t) => {
  const { stage, child } = takenOut(1);
  stage.as(Who.Vcpu0, 0).free(child);
  passes(t, stage);
});

test('a page that was freed in time may be a table again', (t) => {
  const { stage, child } = takenOut();
  stage.as(Who.Vcpu1, 1).leave(WALKS);
  stage.free(child);
  stage.as(Who.Vcpu0, 0).leave(WALKS);
  t.is(stage.take(Role.Table), child);
  stage.free(child);
  passes(t, stage);
});

test('who may still read a table is what sets of readers say', (t) => {
  const step = fc.record({
    actor: fc.nat(3),
    table: fc.nat(2),
    does: fc.constantFrom('section', 'section', 'unlink', 'free'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const stage = new Stage(freedTable, { shared: true });
      const tables = [0, 1, 2].map((i) => {
        const word = stage.path(4 * i);
        return { parent: stage.word(4 * i, 2), frame: stage.machine.memory.frame(word) };
      });
      const inside = new Set<number>();
      // the naive twin: for each table that is out, who was inside then and has not left since
      const readers = new Map<number, Set<number>>();
      const freed = new Set<number>();
      for (const { actor, table, does } of steps) {
        const { parent, frame } = tables[table]!;
        stage.as(actor, actor);
        if (does === 'section') {
          if (inside.delete(actor)) {
            stage.leave(WALKS);
            for (const set of readers.values()) set.delete(actor);
          } else {
            inside.add(actor);
            stage.enter(WALKS);
          }
        } else if (does === 'unlink' && !readers.has(frame)) {
          readers.set(frame, new Set([...inside].filter((one) => one !== actor)));
          stage.store(parent, 0);
        } else if (does === 'free' && readers.has(frame) && !freed.has(frame)) {
          const isRead = readers.get(frame)!.size > 0;
          freed.add(frame);
          stage.free(frame);
          t.is(stage.rule, isRead ? 'freed-while-read' : undefined);
          if (isRead) return;
        }
      }
      t.is(stage.rule, undefined);
    }),
    { numRuns: 400, seed: 1 },
  );
});

test('readers of a run before are forgotten', (t) => {
  const { stage } = takenOut();
  stage.reset();
  judgesAfresh(t, stage, 'freed-while-read', () => {
    const word = stage.path(8);
    const child = stage.machine.memory.frame(word);
    stage.as(Who.Host1, 3).enter(WALKS);
    stage.as(Who.Vcpu0, 0).store(stage.word(8, 2), 0);
    stage.free(child);
  });
});

// ---- faults that others cause while they hold the lock, too ----

/** vCPU 0's faults on page 0 are handled; between them vCPU 1, which keeps the lock, does `change`. */
function handledTwice(change: (stage: Stage, word: number) => void): Stage {
  const { stage, word } = mapped(progress);
  stage.as(Who.Vcpu0, 0).begin();
  stage.as(Who.Vcpu1, 1).lock(Lock.Mmu, Shared);
  for (let i = 0; i <= SPURIOUS_FAULTS_MAX + 1; i += 1) {
    stage.as(Who.Vcpu1, 1);
    if (i > 0) change(stage, word);
    stage.as(Who.Vcpu0, 0).emit(Event.Fault, 0, FaultClass.Translation, 3, Intent.Read);
    stage.lock(Lock.Mmu, Shared);
    stage.unlock(Lock.Mmu);
    stage.claim(Claim.FaultHandled, 0, 1);
  }
  return stage;
}

test('a reader that has changed the entry and not dropped the lock is a reason for the next fault', (t) => {
  passes(
    t,
    handledTwice((stage, word) => stage.store(word, stage.load(word) ^ WRITE)),
  );
});

test('a reader that has made the entry again as it was is none', (t) => {
  const again = (stage: Stage, word: number): void => {
    const old = stage.load(word);
    stage.store(word, BUSY);
    stage.store(word, old);
  };
  reports(t, handledTwice(again), 'faults-again');
});

/**
 * vCPU 1, which keeps the lock, remaps page 0; vCPU 0 faults, takes the lock, and makes the entry what it was
 * before that; each time anew.
 */
function undone(remakes: boolean, meanwhile: (stage: Stage) => void): Stage {
  const { stage, word } = mapped(progress);
  const mine = stage.load(word);
  stage.as(Who.Vcpu0, 0).begin();
  stage.as(Who.Vcpu1, 1).lock(Lock.Mmu, Shared);
  for (let i = 0; i <= SPURIOUS_FAULTS_MAX + 1; i += 1) {
    if (i > 0 && remakes) stage.as(Who.Vcpu1, 1).store(word, mine ^ WRITE);
    stage.as(Who.Vcpu0, 0).emit(Event.Fault, 0, FaultClass.Translation, 3, Intent.Read);
    stage.lock(Lock.Mmu, Shared);
    stage.store(word, mine ^ ACCESSED);
    stage.store(word, mine);
    meanwhile(stage);
    stage.unlock(Lock.Mmu);
    stage.claim(Claim.FaultHandled, 0, 1);
  }
  return stage;
}

const NOTHING_ELSE = (): void => {};
const ANOTHER_LOCK = (stage: Stage): void => {
  stage.lock(Lock.Shadow);
  stage.unlock(Lock.Shadow);
};

for (const [name, meanwhile] of Object.entries({ NOTHING_ELSE, ANOTHER_LOCK })) {
  test(`a handler that undoes what another reader did, each time (${name})`, (t) => {
    passes(t, undone(true, meanwhile));
  });

  test(`a handler that remakes the entry although nobody changed it (${name})`, (t) => {
    reports(t, undone(false, meanwhile), 'faults-again');
  });
}

test('a reader that changes the entry between the repair and the end of its handler is a reason', (t) => {
  for (const isUndone of [false, true]) {
    const { stage, word } = mapped(progress);
    const mine = stage.load(word);
    stage.as(Who.Vcpu0, 0).begin();
    stage.as(Who.Vcpu1, 1).lock(Lock.Mmu, Shared);
    for (let i = 0; i <= SPURIOUS_FAULTS_MAX + 1; i += 1) {
      stage.as(Who.Vcpu0, 0).emit(Event.Fault, 0, FaultClass.Translation, 3, Intent.Read);
      stage.lock(Lock.Mmu, Shared);
      stage.store(word, mine ^ (i & 1 ? ACCESSED : 0));
      const made = stage.load(word);
      stage.as(Who.Vcpu1, 1).store(word, mine ^ WRITE);
      // what is undone within one hold of the lock is none
      if (isUndone) stage.store(word, made);
      stage.as(Who.Vcpu0, 0).unlock(Lock.Mmu);
      stage.claim(Claim.FaultHandled, 0, 1);
    }
    if (isUndone) reports(t, stage, 'faults-again');
    else passes(t, stage);
  }
});

test('a change that a third reader has undone before the handler takes the lock is a reason', (t) => {
  const { stage, word } = mapped(progress);
  const mine = stage.load(word);
  stage.as(Who.Vcpu0, 0).begin();
  stage.as(Who.Vcpu1, 1).lock(Lock.Mmu, Shared);
  stage.as(Who.Host1, 3).lock(Lock.Mmu, Shared);
  for (let i = 0; i <= SPURIOUS_FAULTS_MAX + 1; i += 1) {
    stage.as(Who.Vcpu1, 1).store(word, mine ^ WRITE);
    stage.as(Who.Vcpu0, 0).emit(Event.Fault, 0, FaultClass.Translation, 3, Intent.Read);
    stage.as(Who.Host1, 3).store(word, mine);
    stage.as(Who.Vcpu0, 0).lock(Lock.Mmu, Shared);
    stage.unlock(Lock.Mmu);
    stage.claim(Claim.FaultHandled, 0, 1);
  }
  passes(t, stage);
});

// ---- what a permission fault leaves in the TLB ----

const PAGE = 0;

/** vCPU 0 holds the page read-only in its TLB and faults when it writes; then the table permits it. */
function denied(kind: TlbKind = TlbKind.Leaf): { stage: Stage; word: number } {
  const { stage, word } = mapped(progress);
  stage.as(Who.Vcpu0, 0).begin();
  stage.cache(0, word, { kind });
  stage.emit(Event.Fault, PAGE, FaultClass.Permission, 3, Intent.Write);
  stage.store(word, stage.load(word) | WRITE);
  return { stage, word };
}

/** The two ways in which a handler says that it has looked at the table. */
const ENDINGS: Readonly<Record<string, (stage: Stage) => void>> = {
  handled: (stage) => stage.claim(Claim.FaultHandled, PAGE, 1),
  lost: (stage) => {
    stage.claim(Claim.WorkBegins, TreeIndex.Guest, Work.Relax);
    stage.claim(Claim.FaultRetry, RetryReason.Moved, PAGE);
  },
};

for (const [name, say] of Object.entries(ENDINGS)) {
  test(`${name}: the entry that made the fault is left in the TLB`, (t) => {
    for (const kind of [TlbKind.Leaf, TlbKind.Combined]) {
      const { stage } = denied(kind);
      say(stage);
      reports(t, stage, 'faulting-entry-left');
      t.is(stage.scene.report.violation?.pe, 0);
    }
  });

  test(`${name}: the entry is gone, or lies in another PE's TLB`, (t) => {
    const { stage, word } = denied();
    stage.flush(0);
    stage.unheard(() => stage.store(word, stage.load(word) & ~WRITE));
    stage.cache(1, word);
    stage.unheard(() => stage.store(word, stage.load(word) | WRITE));
    say(stage);
    passes(t, stage);
  });

  test(`${name}: the table does not permit the access either`, (t) => {
    for (const change of [0, BUSY, leaf(40, READ_ONLY)]) {
      const { stage, word } = denied();
      stage.store(word, change);
      say(stage);
      t.is(stage.rule, undefined);
    }
  });

  test(`${name}: what was cached after the fault, permits the access, or has another VMID`, (t) => {
    const { stage, word } = denied();
    stage.flush(0);
    stage.cache(0, word, { vmid: SHADOW_VMID, word: leaf(40, READ_ONLY) });
    stage.cache(0, word);
    stage.emit(Event.Synchronise);
    stage.cache(0, word, { word: leaf(40, READ_ONLY) });
    say(stage);
    passes(t, stage);
  });
}

test('a handler that lost a race for another size of entry promises nothing', (t) => {
  const { stage } = denied();
  stage.claim(Claim.WorkBegins, TreeIndex.Guest, Work.Map);
  stage.claim(Claim.FaultRetry, RetryReason.Moved, PAGE);
  t.is(stage.rule, undefined);
});

test('a handler that has not looked at the table promises nothing', (t) => {
  const { stage } = denied();
  stage.claim(Claim.FaultRetry, RetryReason.Invalidation, PAGE);
  t.is(stage.rule, undefined);
});

test('a translation fault, or one of another page, leaves no entry that made it', (t) => {
  const { stage, word } = mapped(progress);
  stage.as(Who.Vcpu0, 0).begin();
  stage.cache(0, word);
  stage.store(word, stage.load(word) | WRITE);
  stage.emit(Event.Fault, PAGE, FaultClass.Translation, 3, Intent.Write);
  stage.claim(Claim.FaultHandled, PAGE, 1);
  stage.emit(Event.Fault, PAGE, FaultClass.Permission, 3, Intent.Write);
  stage.claim(Claim.FaultHandled, PAGE + 1, 1);
  passes(t, stage);
});

test('a permission fault of a run before is forgotten', (t) => {
  const { stage } = denied();
  stage.reset();
  judgesAfresh(t, stage, 'faulting-entry-left', () => {
    const word = stage.map(PAGE, stage.take(Role.Data), READ_ONLY);
    stage.as(Who.Vcpu0, 0).begin();
    stage.cache(0, word);
    stage.emit(Event.Fault, PAGE, FaultClass.Permission, 3, Intent.Write);
    stage.store(word, stage.load(word) | WRITE);
    stage.claim(Claim.FaultHandled, PAGE, 1);
    stage.flush(0);
  });
});
