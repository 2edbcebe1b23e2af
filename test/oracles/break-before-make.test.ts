import test from 'ava';
import { Break, breakBeforeMake, breakNeeded } from '../../oracles/break-before-make.ts';
import { baseRegister, Register } from '../../sim/access.ts';
import { Claim } from '../../sim/claims.ts';
import {
  ACCESSED,
  CONTIGUOUS,
  DIRTY_MODIFIER,
  EXEC,
  leaf,
  MemoryType,
  READ,
  SOFTWARE_MASK,
  table,
  VALID,
  WRITE,
} from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { Role } from '../../sim/pages.ts';
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

const { Needed, NotNeeded } = Break;

interface Row {
  readonly name: string;
  readonly old: number;
  readonly next: number;
  readonly expected: Break;
  readonly level?: number;
  readonly hardwareAccessed?: boolean;
  readonly equalContents?: boolean;
}

const page = leaf(5, READ_WRITE);
const readOnly = leaf(5, READ_ONLY);
const old = leaf(5, READ | WRITE);

/** The rows of spec/arm.md 1.10 with amendment E26. */
const ROWS: readonly Row[] = [
  { name: 'invalid to invalid', old: 0, next: 0x40, expected: NotNeeded },
  { name: 'invalid to leaf', old: 0x40, next: page, expected: NotNeeded },
  { name: 'invalid to table', old: 0, next: table(7), level: 2, expected: NotNeeded },
  { name: 'leaf to invalid', old: page, next: page & ~VALID, expected: NotNeeded },
  { name: 'table to invalid', old: table(7), next: 0, level: 2, expected: NotNeeded },
  { name: 'software bits', old: page, next: page | SOFTWARE_MASK, expected: NotNeeded },
  { name: 'rights tightened', old: page, next: readOnly, expected: NotNeeded },
  { name: 'rights relaxed', old: readOnly, next: leaf(5, READ_WRITE | EXEC), expected: NotNeeded },
  { name: 'accessed flag cleared', old: page, next: old, expected: NotNeeded },
  { name: 'accessed flag set', old, next: page, expected: NotNeeded },
  { name: 'dirty-bit modifier', old: page, next: page | DIRTY_MODIFIER, expected: NotNeeded },
  {
    name: 'every harmless bit at once',
    old: page,
    next: leaf(5, READ | EXEC | DIRTY_MODIFIER | SOFTWARE_MASK),
    expected: NotNeeded,
  },
  { name: 'memory type', old: page, next: page | MemoryType.Device, expected: Needed },
  { name: 'contiguous hint', old: page, next: page | CONTIGUOUS, expected: Needed },
  { name: 'other page, both writable', old: page, next: leaf(6, READ_WRITE), expected: Needed },
  {
    name: 'other page, old writable, equal contents',
    old: page,
    next: leaf(6, READ_ONLY),
    equalContents: true,
    expected: Needed,
  },
  {
    name: 'other page, new writable, equal contents',
    old: readOnly,
    next: leaf(6, READ_WRITE),
    equalContents: true,
    expected: Needed,
  },
  {
    name: 'other page, both read-only, other contents',
    old: readOnly,
    next: leaf(6, READ_ONLY),
    expected: Needed,
  },
  {
    name: 'other page, both read-only, equal contents',
    old: readOnly,
    next: leaf(6, READ_ONLY),
    equalContents: true,
    expected: NotNeeded,
  },
  { name: 'block to table', old: leaf(8, READ_WRITE), next: table(7), level: 2, expected: Needed },
  { name: 'table to block', old: table(7), next: leaf(8, READ_WRITE), level: 2, expected: Needed },
  { name: 'table to other table', old: table(7), next: table(9), level: 2, expected: Needed },
  {
    name: 'table to itself with an ignored bit',
    old: table(7),
    next: table(7) | SOFTWARE_MASK,
    level: 2,
    expected: NotNeeded,
  },
  {
    name: 'old leaf without accessed flag, software manages it, other page',
    old,
    next: leaf(6, READ_WRITE),
    hardwareAccessed: false,
    expected: NotNeeded,
  },
  {
    name: 'old leaf without accessed flag, the walker may set it, other page',
    old,
    next: leaf(6, READ_WRITE),
    expected: Needed,
  },
  {
    name: 'old block without accessed flag, software manages it, to table',
    old: leaf(8, READ),
    next: table(7),
    level: 2,
    hardwareAccessed: false,
    expected: NotNeeded,
  },
  {
    name: 'table to block, software manages the flag',
    old: table(7),
    next: leaf(8, READ_WRITE),
    level: 2,
    hardwareAccessed: false,
    expected: Needed,
  },
];

function decide(row: Row): Break {
  const { level = 3, hardwareAccessed = true, equalContents = false } = row;
  return breakNeeded(row.old, row.next, level, hardwareAccessed, equalContents);
}

for (const row of ROWS) {
  test(`${row.name}: ${row.expected}`, (t) => {
    t.is(decide(row), row.expected);
  });
}

test('a new leaf that no TLB may hold needs no break', (t) => {
  const next = leaf(6, READ | WRITE);
  t.is(breakNeeded(page, next, 3, false, false), NotNeeded);
});

// ---- stored descriptors ----

/** Page 0 is mapped read-write; returns its word and a page to move it to. */
function mapped(attributes: number = READ_WRITE): { stage: Stage; word: number; other: number } {
  const stage = new Stage(breakBeforeMake);
  const word = stage.unheard(() => stage.map(0, stage.take(Role.Data), attributes));
  return { stage, word, other: stage.take(Role.Data) };
}

test('a leaf replaced by another page while it is valid', (t) => {
  const { stage, word, other } = mapped();
  stage.store(word, leaf(other, READ_WRITE));
  reports(t, stage, 'replaced-while-valid');
  t.is(stage.scene.report.violation?.page, 0);
  t.is(stage.scene.report.violation?.word, word);
});

test('a leaf of another memory type made over a valid one', (t) => {
  const { stage, word } = mapped();
  stage.store(word, stage.load(word) | MemoryType.NonCacheable);
  reports(t, stage, 'replaced-while-valid');
});

test('a read-only page may be replaced by an equal one', (t) => {
  const { stage, word, other } = mapped(READ_ONLY);
  stage.store(word, leaf(other, READ_ONLY));
  passes(t, stage);
});

test('a read-only page may not be replaced by one with other contents', (t) => {
  const { stage, word, other } = mapped(READ_ONLY);
  stage.store(stage.machine.memory.address(other, 3), 0x1234);
  stage.store(word, leaf(other, READ_ONLY));
  reports(t, stage, 'replaced-while-valid');
});

test('a table made over a valid block', (t) => {
  const stage = new Stage(breakBeforeMake);
  const word = stage.mapBlock(0, stage.takeRun(Role.Data, 4));
  t.is(stage.rule, undefined);
  stage.store(word, table(stage.take(Role.Table)));
  reports(t, stage, 'replaced-while-valid');
});

test('a block made over a valid table', (t) => {
  const { stage } = mapped();
  stage.store(stage.word(0, 2), leaf(stage.takeRun(Role.Data, 4), READ_WRITE));
  reports(t, stage, 'replaced-while-valid');
});

test('a table made over another valid table', (t) => {
  const { stage } = mapped();
  stage.store(stage.word(0, 2), table(stage.take(Role.Table)));
  reports(t, stage, 'replaced-while-valid');
});

test('without hardware management a leaf that is old may be replaced', (t) => {
  const stage = new Stage(breakBeforeMake, { hardwareAccessed: false });
  const word = stage.map(0, stage.take(Role.Data), READ | WRITE);
  stage.store(word, leaf(stage.take(Role.Data), READ_WRITE));
  passes(t, stage);
});

test('rights, accessed flag and software bits change in place while every PE caches the leaf', (t) => {
  const { stage, word } = mapped();
  stage.cache(0, word);
  stage.cache(1, word, { kind: TlbKind.Combined });
  stage.store(word, stage.load(word) & ~WRITE);
  stage.store(word, stage.load(word) & ~ACCESSED);
  stage.store(word, stage.load(word) | SOFTWARE_MASK | EXEC);
  passes(t, stage);
});

// ---- what TLBs still hold ----

for (const kind of [TlbKind.Leaf, TlbKind.Combined] as const) {
  test(`made after the break, but a PE still holds the old entry (kind ${kind})`, (t) => {
    const { stage, word, other } = mapped();
    stage.cache(1, word, { kind });
    stage.store(word, 0);
    stage.store(word, leaf(other, READ_WRITE));
    reports(t, stage, 'made-while-cached');
    t.is(stage.scene.report.violation?.pe, 1);
  });
}

test('made after break and invalidation', (t) => {
  const { stage, word, other } = mapped();
  stage.cache(1, word);
  stage.store(word, 0);
  stage.flush(1);
  stage.store(word, leaf(other, READ_WRITE));
  passes(t, stage);
});

test('the same page may come back while its old entry is cached', (t) => {
  const { stage, word } = mapped();
  const before = stage.load(word);
  stage.cache(1, word);
  stage.store(word, 0);
  stage.store(word, before & ~WRITE);
  passes(t, stage);
});

test('the same page comes back with another memory type while its old entry is cached', (t) => {
  const { stage, word } = mapped();
  const before = stage.load(word);
  stage.cache(1, word);
  stage.store(word, 0);
  stage.store(word, before | MemoryType.Device);
  reports(t, stage, 'made-while-cached');
});

test('entries of another VMID, of another regime and of other pages are no conflict', (t) => {
  const { stage, word, other } = mapped();
  stage.cache(0, word, { vmid: SHADOW_VMID });
  stage.cache(1, word, { first: 1 });
  stage.cache(2, word, { kind: TlbKind.Leaf2 });
  stage.store(word, 0);
  stage.store(word, leaf(other, READ_WRITE));
  passes(t, stage);
});

test('a block that is cached for other pages is no conflict', (t) => {
  const { stage, word, other } = mapped();
  stage.cache(1, stage.mapBlock(8, stage.takeRun(Role.Data, 4)));
  stage.store(word, 0);
  stage.store(word, leaf(other, READ_WRITE));
  passes(t, stage);
});

test('a walk-cache entry is no conflict with a leaf', (t) => {
  const { stage, word, other } = mapped();
  stage.cache(1, stage.word(0, 2));
  stage.store(word, 0);
  stage.store(word, leaf(other, READ_WRITE));
  passes(t, stage);
});

test('a block is made while a PE holds one of the pages that it covers', (t) => {
  const { stage, word } = mapped();
  stage.cache(1, word);
  const block = stage.word(0, 2);
  stage.store(block, 0);
  stage.store(block, leaf(stage.takeRun(Role.Data, 4), READ_WRITE));
  reports(t, stage, 'made-while-cached');
});

test('a table is made while a PE holds the block that was there', (t) => {
  const stage = new Stage(breakBeforeMake);
  const word = stage.mapBlock(0, stage.takeRun(Role.Data, 4));
  stage.cache(0, word);
  stage.store(word, 0);
  stage.store(word, table(stage.take(Role.Table)));
  reports(t, stage, 'made-while-cached');
});

test('a table is made while a PE holds a page below it: no conflict with the table itself', (t) => {
  const { stage, word } = mapped();
  stage.cache(1, word);
  const parent = stage.word(0, 2);
  stage.store(parent, 0);
  stage.store(parent, table(stage.take(Role.Table)));
  passes(t, stage);
});

test('a walk in flight holds the old leaf', (t) => {
  const { stage, word, other } = mapped();
  stage.walkHolds(Who.Vcpu1, word, 0);
  stage.store(word, 0);
  stage.store(word, leaf(other, READ_WRITE));
  reports(t, stage, 'made-while-cached');
});

test('the walk that held the old leaf has ended', (t) => {
  const { stage, word, other } = mapped();
  stage.walkHolds(Who.Vcpu1, word, 0);
  stage.store(word, 0);
  stage.walkEnds(Who.Vcpu1);
  stage.store(word, leaf(other, READ_WRITE));
  passes(t, stage);
});

test('a walk in flight that holds the table above is no conflict', (t) => {
  const { stage, word, other } = mapped();
  stage.walkHolds(Who.Vcpu1, stage.word(0, 2), 0);
  stage.store(word, 0);
  stage.store(word, leaf(other, READ_WRITE));
  passes(t, stage);
});

test('the hypervisor regime is judged against its own entries', (t) => {
  const stage = new Stage(breakBeforeMake);
  const word = stage.map(0, 3, READ_WRITE, TreeIndex.Hypervisor);
  stage.cache(2, word);
  stage.store(word, 0);
  stage.store(word, leaf(4, READ_WRITE));
  reports(t, stage, 'made-while-cached');
});

// ---- what is not judged ----

test('the accessed flag set by a walker is not judged', (t) => {
  const { stage, word } = mapped(READ | WRITE);
  stage.storeByHardware(word, stage.load(word) | ACCESSED);
  t.is(stage.rule, undefined);
  t.is(stage.judgements, 0);
});

test('a tree that no PE can load any more is exempt', (t) => {
  const { stage, word, other } = mapped();
  stage.cache(1, word);
  stage.claim(Claim.ContextRetired, TreeIndex.Guest);
  stage.store(word, leaf(other, READ_WRITE));
  t.is(stage.rule, undefined);
  t.is(stage.judgements, 0);
});

test('a table that is not linked is exempt', (t) => {
  const { stage, other } = mapped();
  const word = stage.machine.memory.address(stage.take(Role.Table), 0);
  stage.store(word, leaf(other, READ_WRITE));
  stage.store(word, leaf(other + 1, READ_WRITE));
  t.is(stage.rule, undefined);
});

test('a run after a reset is judged afresh', (t) => {
  const stage = new Stage(breakBeforeMake);
  judgesAfresh(t, stage, 'made-while-cached', () => {
    const word = stage.map(0, stage.take(Role.Data));
    stage.cache(1, word);
    stage.store(word, 0);
    stage.store(word, leaf(stage.take(Role.Data), READ_WRITE));
  });
});

// ---- found wanting once ----

test('equal read-only pages may be exchanged while one is cached', (t) => {
  const { stage, word, other } = mapped(READ_ONLY);
  stage.cache(1, word);
  stage.store(word, leaf(other, READ_ONLY));
  passes(t, stage);
});

test('the contents of all pages of a block are compared', (t) => {
  const stage = new Stage(breakBeforeMake);
  const word = stage.mapBlock(0, stage.takeRun(Role.Data, 4), READ_ONLY);
  const next = stage.takeRun(Role.Data, 4);
  stage.store(stage.machine.memory.address(next + 1, 0), 0x1234);
  stage.store(word, leaf(next, READ_ONLY));
  reports(t, stage, 'replaced-while-valid');
});

test('leaves become valid when the table that holds them is linked', (t) => {
  const { stage, word, other } = mapped();
  stage.cache(1, word);
  const parent = stage.word(0, 2);
  const child = stage.take(Role.Table);
  stage.store(stage.machine.memory.address(child, 0), leaf(other, READ_WRITE));
  stage.store(parent, 0);
  stage.store(parent, table(child));
  reports(t, stage, 'made-while-cached');
});

test('a leaf that differs in the contiguous hint is a conflict', (t) => {
  const { stage, word } = mapped();
  const before = stage.load(word);
  stage.cache(1, word);
  stage.store(word, 0);
  stage.store(word, before | CONTIGUOUS);
  reports(t, stage, 'made-while-cached');
});

test('a table that is linked with the page that is cached is no conflict', (t) => {
  const { stage, word } = mapped();
  stage.cache(1, word);
  const parent = stage.word(0, 2);
  const child = stage.take(Role.Table);
  stage.store(stage.machine.memory.address(child, 0), stage.load(word) & ~WRITE);
  stage.store(parent, 0);
  stage.store(parent, table(child));
  passes(t, stage);
});

test('a table that is linked with pages in the place of a cached block, two levels down', (t) => {
  const stage = new Stage(breakBeforeMake);
  const run = stage.takeRun(Role.Data, 4);
  stage.cache(0, stage.mapBlock(4, run));
  const [middle, last] = [stage.take(Role.Table), stage.take(Role.Table)];
  const { memory } = stage.machine;
  stage.store(memory.address(last, 2), leaf(run + 2, READ_WRITE));
  stage.store(memory.address(middle, 1), table(last));
  stage.store(stage.word(4, 1), 0);
  stage.store(stage.word(4, 1), table(middle));
  reports(t, stage, 'made-while-cached');
});

test('a leaf that no TLB may hold is judged when its flag is set (E26)', (t) => {
  const stage = new Stage(breakBeforeMake, { hardwareAccessed: false });
  const word = stage.map(0, stage.take(Role.Data));
  const other = stage.take(Role.Data);
  stage.cache(1, word);
  stage.store(word, leaf(other, READ | WRITE));
  t.is(stage.rule, undefined);
  stage.store(word, leaf(other, READ_WRITE));
  reports(t, stage, 'made-while-cached');
});

test('a read-only page with other contents is cached (E26)', (t) => {
  const { stage, word, other } = mapped(READ_ONLY);
  stage.store(stage.machine.memory.address(other, 3), 0x1234);
  stage.cache(1, word);
  stage.store(word, 0);
  stage.store(word, leaf(other, READ_ONLY));
  reports(t, stage, 'made-while-cached');
});

// ---- a whole regime ----

function registerWritten(stage: Stage, register: Register, value: number): void {
  const pe = stage.machine.pes[0]!;
  if (register === Register.Ttbr0El2) pe.ttbr0 = value;
  else pe.mmu = value !== 0;
  stage.as(Who.Vcpu0, 1);
  stage.emit(Event.Register, register, value);
}

test('other tables for the whole regime, while it does not translate', (t) => {
  const stage = new Stage(breakBeforeMake);
  const { root } = stage.tree(TreeIndex.Hypervisor);
  registerWritten(stage, Register.SctlrEl2, 1);
  registerWritten(stage, Register.SctlrEl2, 0);
  registerWritten(stage, Register.Ttbr0El2, baseRegister(root + 1, 0));
  registerWritten(stage, Register.SctlrEl2, 1);
  passes(t, stage);
});

test('... but not while it translates', (t) => {
  const stage = new Stage(breakBeforeMake);
  const { root } = stage.tree(TreeIndex.Hypervisor);
  registerWritten(stage, Register.SctlrEl2, 1);
  registerWritten(stage, Register.Ttbr0El2, baseRegister(root + 1, 0));
  reports(t, stage, 'regime-switched-live');
});

test('... and not with translations of the old ones left', (t) => {
  const stage = new Stage(breakBeforeMake);
  const { root } = stage.tree(TreeIndex.Hypervisor);
  const word = stage.unheard(() => stage.map(3, 40, READ_WRITE, TreeIndex.Hypervisor));
  stage.cache(0, word, { kind: TlbKind.Leaf2, vmid: -1 });
  registerWritten(stage, Register.SctlrEl2, 0);
  registerWritten(stage, Register.Ttbr0El2, baseRegister(root + 1, 0));
  registerWritten(stage, Register.SctlrEl2, 1);
  reports(t, stage, 'regime-switched-while-cached');
});
