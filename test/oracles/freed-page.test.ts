import test from 'ava';
import { freedPage } from '../../oracles/freed-page.ts';
import { Claim } from '../../sim/claims.ts';
import { ACCESSED, Intent, leaf, READ, WRITE } from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { Role } from '../../sim/pages.ts';
import { Regime } from '../../sim/tables.ts';
import { TlbKind } from '../../sim/tlb.ts';
import {
  judgesAfresh,
  passes,
  READ_ONLY,
  READ_WRITE,
  reports,
  SHADOW_VMID,
  Stage,
  TreeIndex,
  Who,
} from './stage.ts';

const WRITABLE = 1;
/** Log2 of the pages of a block, as the grant claim carries it. */
const BLOCK_GRANT = WRITABLE | (2 << 1);

/** Page 5 is granted one frame. */
function granted(access: number = WRITABLE): { stage: Stage; frame: number } {
  const stage = new Stage(freedPage);
  const frame = stage.take(Role.Data);
  stage.claim(Claim.HostGrants, 5, frame, access);
  return { stage, frame };
}

function use(stage: Stage, page: number, frame: number, row = 0): void {
  stage.as(Who.Vcpu0, 1);
  stage.emit(Event.Use, page, frame, Intent.Read, row);
}

// ---- used ----

test('the guest uses the page that the host grants', (t) => {
  const { stage, frame } = granted();
  use(stage, 5, frame);
  passes(t, stage);
});

test('the guest uses another page than the one granted', (t) => {
  const { stage, frame } = granted();
  use(stage, 5, frame + 1, 9);
  reports(t, stage, 'used');
  const { violation } = stage.scene.report;
  t.is(violation?.expected, frame);
  t.is(violation?.found, frame + 1);
  t.is(violation?.survivor, 9);
});

test('the guest uses a page that the host took back', (t) => {
  const { stage, frame } = granted();
  stage.claim(Claim.HostRevokes, 5, frame);
  use(stage, 5, frame);
  reports(t, stage, 'used');
});

test('a page granted again, with another frame', (t) => {
  const { stage, frame } = granted();
  stage.claim(Claim.HostRevokes, 5, frame);
  stage.claim(Claim.HostGrants, 5, frame + 1, WRITABLE);
  use(stage, 5, frame + 1);
  passes(t, stage);
  use(stage, 5, frame);
  reports(t, stage, 'used');
});

test('what was granted for one input page may not be used through another', (t) => {
  const { stage, frame } = granted();
  use(stage, 6, frame);
  reports(t, stage, 'used');
});

test('the hypervisor’s own accesses are not judged', (t) => {
  const { stage } = granted();
  stage.emit(Event.Use, 5, 60, Intent.Read | (Regime.Hypervisor << 4));
  t.is(stage.rule, undefined);
  t.is(stage.judgements, 0);
});

test('a block grant covers each of its pages, and one of them can be taken back', (t) => {
  const stage = new Stage(freedPage);
  const run = stage.takeRun(Role.Data, 4);
  stage.claim(Claim.HostGrants, 4, run, BLOCK_GRANT);
  for (let i = 0; i < 4; i += 1) use(stage, 4 + i, run + i);
  stage.claim(Claim.HostRevokes, 6, run + 2);
  use(stage, 7, run + 3);
  passes(t, stage);
  use(stage, 6, run + 2);
  reports(t, stage, 'used');
});

// ---- mapped ----

test('a mapping to the page granted', (t) => {
  const { stage, frame } = granted();
  stage.map(5, frame);
  passes(t, stage);
});

test('a mapping to another page', (t) => {
  const { stage, frame } = granted();
  stage.map(5, frame + 1);
  reports(t, stage, 'mapped');
});

test('a mapping made after the page was taken back', (t) => {
  const { stage, frame } = granted();
  stage.claim(Claim.HostRevokes, 5, frame);
  stage.map(5, frame);
  reports(t, stage, 'mapped');
});

test('a writable mapping of a page granted for reading', (t) => {
  const { stage, frame } = granted(0);
  stage.map(5, frame);
  reports(t, stage, 'mapped-writable');
});

test('a read-only mapping is enough of either grant (E12)', (t) => {
  for (const access of [0, WRITABLE]) {
    const { stage, frame } = granted(access);
    stage.map(5, frame, READ_ONLY);
    passes(t, stage);
  }
});

test('a page granted for reading is relaxed to writable', (t) => {
  const { stage, frame } = granted(0);
  const word = stage.map(5, frame, READ_ONLY);
  t.is(stage.rule, undefined);
  stage.store(word, stage.load(word) | WRITE);
  reports(t, stage, 'mapped-writable');
});

test('a block mapping of which one page is not granted', (t) => {
  const stage = new Stage(freedPage);
  const run = stage.takeRun(Role.Data, 4);
  stage.claim(Claim.HostGrants, 4, run, BLOCK_GRANT);
  stage.mapBlock(4, run);
  passes(t, stage);
  stage.store(stage.word(4, 2), 0);
  stage.claim(Claim.HostRevokes, 7, run + 3);
  stage.mapBlock(4, run);
  reports(t, stage, 'mapped');
  t.is(stage.scene.report.violation?.page, 7);
});

test('a table that is linked with a leaf in it is a mapping', (t) => {
  const { stage, frame } = granted();
  const parent = stage.path(5, 2);
  const child = stage.take(Role.Table);
  stage.store(stage.machine.memory.address(child, 1), leaf(frame + 1, READ_WRITE));
  t.is(stage.rule, undefined);
  stage.store(parent, (child << 16) | 3);
  reports(t, stage, 'mapped');
});

test('the walker’s accessed flag, the hypervisor’s tree and dead trees make no mapping', (t) => {
  const { stage } = granted();
  const word = stage.unheard(() => stage.map(9, 50, READ));
  stage.storeByHardware(word, stage.load(word) | ACCESSED);
  stage.map(0, 3, READ_WRITE, TreeIndex.Hypervisor);
  stage.claim(Claim.ContextRetired, TreeIndex.Guest);
  stage.store(word, leaf(51, READ_WRITE));
  t.is(stage.rule, undefined);
  t.is(stage.judgements, 0);
});

// ---- freed ----

/** Page 5 is mapped to its granted page. */
function mapped(): { stage: Stage; frame: number; word: number } {
  const { stage, frame } = granted();
  return { stage, frame, word: stage.map(5, frame) };
}

test('a page freed while it is mapped', (t) => {
  const { stage, frame } = mapped();
  stage.claim(Claim.HostRevokes, 5, frame);
  stage.free(frame);
  reports(t, stage, 'freed-while-mapped');
  t.is(stage.scene.report.violation?.page, 5);
});

test('a page freed while a PE holds a translation to it', (t) => {
  for (const kind of [TlbKind.Leaf, TlbKind.Combined] as const) {
    const { stage, frame, word } = mapped();
    stage.cache(1, word, { kind });
    stage.store(word, 0);
    stage.free(frame);
    reports(t, stage, 'freed-while-cached');
    t.is(stage.scene.report.violation?.pe, 1);
  }
});

test('a page freed while a walk in flight holds the leaf', (t) => {
  const { stage, frame, word } = mapped();
  stage.walkHolds(Who.Vcpu0, word, 5);
  stage.store(word, 0);
  stage.free(frame);
  reports(t, stage, 'freed-while-cached');
});

test('a page freed after break and invalidation', (t) => {
  const { stage, frame, word } = mapped();
  stage.cache(1, word);
  stage.store(word, 0);
  stage.flush(1);
  stage.free(frame);
  passes(t, stage);
});

test('one page of a block freed while the block is cached', (t) => {
  const stage = new Stage(freedPage);
  const run = stage.takeRun(Role.Data, 4);
  stage.claim(Claim.HostGrants, 4, run, BLOCK_GRANT);
  const word = stage.mapBlock(4, run);
  stage.cache(0, word);
  stage.store(word, 0);
  stage.free(run + 2);
  reports(t, stage, 'freed-while-cached');
  t.is(stage.scene.report.violation?.page, 6);
});

test('the page next to the freed one is cached', (t) => {
  const stage = new Stage(freedPage);
  const run = stage.takeRun(Role.Data, 2);
  stage.claim(Claim.HostGrants, 4, run, WRITABLE);
  stage.cache(0, stage.map(4, run));
  stage.free(run + 1);
  passes(t, stage);
});

test('a page freed while only a dead context still caches it', (t) => {
  const { stage, frame, word } = mapped();
  stage.cache(1, word);
  stage.claim(Claim.ContextRetired, TreeIndex.Guest);
  stage.free(frame);
  passes(t, stage);
});

test('a page freed while the live context of another VMID caches it', (t) => {
  const { stage, frame, word } = mapped();
  stage.cache(1, word, { vmid: SHADOW_VMID });
  stage.store(word, 0);
  stage.free(frame);
  reports(t, stage, 'freed-while-cached');
});

test('tables and cached pages that are freed are not judged here', (t) => {
  const { stage } = granted();
  stage.free(stage.take(Role.Table));
  stage.free(stage.take(Role.Cached));
  t.is(stage.judgements, 0);
});

test('a run after a reset is judged afresh, and forgets its grants', (t) => {
  const stage = new Stage(freedPage);
  judgesAfresh(t, stage, 'freed-while-mapped', () => {
    const frame = stage.take(Role.Data);
    stage.claim(Claim.HostGrants, 5, frame, WRITABLE);
    stage.map(5, frame);
    stage.free(frame);
  });
  stage.reset();
  use(stage, 5, stage.take(Role.Data));
  reports(t, stage, 'used');
});

// ---- found wanting once ----

test('a page freed while an older one of its two input pages maps it', (t) => {
  const { stage, frame } = granted();
  stage.claim(Claim.HostGrants, 9, frame, WRITABLE);
  const word = stage.map(9, frame);
  stage.map(5, frame);
  stage.store(word, 0);
  stage.free(frame);
  reports(t, stage, 'freed-while-mapped');
});

test('what a run reports does not depend on grants of the run before', (t) => {
  const stage = new Stage(freedPage);
  const frame = stage.take(Role.Data);
  const freedWhileMapped = (): string | undefined => {
    stage.unheard(() => stage.map(9, frame));
    stage.free(frame);
    return stage.rule;
  };
  const fresh = freedWhileMapped();
  stage.reset();
  stage.claim(Claim.HostGrants, 9, frame, WRITABLE);
  stage.reset();
  t.is(stage.take(Role.Data), frame);
  t.is(freedWhileMapped(), fresh);
});

test('the host is told that a page was written which is nobody’s any more', (t) => {
  const stage = new Stage(freedPage);
  const frame = stage.take(Role.Data);
  stage.claim(Claim.HostDirtied, frame);
  passes(t, stage);
  stage.free(frame);
  stage.claim(Claim.HostDirtied, frame);
  reports(t, stage, 'touched-after-free');
});

// ---- revocations ----

function returned(stage: Stage): void {
  stage.duty(3, {}, [4, 2]);
  stage.as(Who.Host0, 3).claim(Claim.RevocationReturned, 2);
}

test('a revocation is finished when every page of its range was taken back', (t) => {
  const { stage, frame } = granted();
  stage.claim(Claim.HostRevokes, 5, frame);
  returned(stage);
  passes(t, stage);
});

test('a revocation is said to be finished while a page of its range is granted', (t) => {
  const { stage, frame } = granted();
  returned(stage);
  reports(t, stage, 'not-revoked');
  t.is(stage.scene.report.violation?.page, 5);
  t.is(stage.scene.report.violation?.frame, frame);
});

test('a page outside the range of the revocation stays granted', (t) => {
  const { stage, frame } = granted();
  stage.claim(Claim.HostGrants, 6, frame + 1, WRITABLE);
  stage.claim(Claim.HostRevokes, 5, frame);
  returned(stage);
  passes(t, stage);
});
