/**
 * kvm-arm64-nested: what its promises are measured by (the history of the guest's tables), keys and tags of shadows, and
 * the choice of MMU and hardware VMID in the design first posted (seed document 001).
 */
import test from 'ava';
import fc from 'fast-check';
import {
  GIVES_ALL,
  GUEST_TABLES,
  GuestTables,
} from '../../models/kvm-arm64-nested/guest-tables.ts';
import { History } from '../../models/kvm-arm64-nested/history.ts';
import { contextOf, keyOf } from '../../models/kvm-arm64-nested/mmu-array.ts';
import { activeMmu } from '../../models/kvm-arm64-nested/rfc.ts';
import { taggedLevel, tagOf } from '../../models/kvm-arm64-nested/tag.ts';
import { frameOf, leaf, RIGHTS, SOFTWARE_MASK } from '../../sim/descriptor.ts';
import type { Geometry } from '../../sim/geometry.ts';
import { Memory } from '../../sim/memory.ts';

const GEOMETRY: Geometry = {
  granuleBits: 12,
  bitsPerLevel: 2,
  startLevel: 2,
  rootPages: 1,
  blockLevels: [2],
  windowPages: 16,
};

const VMID = 7;
const OTHER_VMID = 8;
const TABLE = 0;
/** A page of the first region, which is mapped by pages; and one of the second, which is a block. */
const PAGE = 1;
const BLOCK_PAGE = 5;

/** The guest's tables as they are at boot, with a number of its own for each. */
function guest() {
  const memory = new Memory(32, 2, 32);
  const tables = new GuestTables(memory, GEOMETRY, 4);
  tables.fill();
  const history = new History(tables, (table) => (table === TABLE ? VMID : OTHER_VMID));
  history.reset();
  const set = (page: number, value: number): void => {
    memory.store(tables.pageWord(TABLE, page), value, 0);
    history.stored(TABLE, page, 1);
  };
  const clearBlock = (page: number): void => {
    memory.store(tables.blockWord(TABLE, page), 0, 0);
    history.stored(TABLE, 4, 4);
  };
  return { tables, history, set, clearBlock };
}

/** Whether a shadow may map the page to this one. */
function may(history: History, page: number, target: number): boolean {
  return history.some(TABLE, page, (entry) => frameOf(entry) === target);
}

// ---- history ----

test('what the guest maps may be in a shadow, and nothing else', (t) => {
  const { history } = guest();
  t.true(may(history, PAGE, PAGE));
  t.false(may(history, PAGE, PAGE + 1));
  t.true(may(history, BLOCK_PAGE, BLOCK_PAGE));
  t.false(may(history, 12, 12));
});

test('what the guest takes away may stay until it has invalidated it', (t) => {
  const { history, set } = guest();
  set(PAGE, 0);
  t.true(may(history, PAGE, PAGE));
  history.invalidated(VMID, 0, 16, history.now);
  t.false(may(history, PAGE, PAGE));
});

test('an invalidation that was issued before says nothing of it', (t) => {
  const { history, set } = guest();
  const issued = history.now;
  set(PAGE, 0);
  history.invalidated(VMID, 0, 16, issued);
  t.true(may(history, PAGE, PAGE));
});

test('neither does one of other pages, or of another number', (t) => {
  const { history, set } = guest();
  set(PAGE, 0);
  history.invalidated(VMID, PAGE + 1, 8, history.now);
  history.invalidated(OTHER_VMID, 0, 16, history.now);
  t.true(may(history, PAGE, PAGE));
});

test('what is mapped now may be there whatever was invalidated', (t) => {
  const { history, set } = guest();
  set(PAGE, 0);
  set(PAGE, leaf(9, GIVES_ALL));
  history.invalidated(VMID, 0, 16, history.now);
  t.true(may(history, PAGE, 9));
  t.false(may(history, PAGE, PAGE));
});

test('a page is invalidated alone, a block with any of its pages', (t) => {
  const pages = guest();
  pages.set(PAGE, 0);
  pages.set(PAGE + 1, 0);
  pages.history.invalidatedAt(VMID, PAGE, pages.history.now);
  t.false(may(pages.history, PAGE, PAGE));
  t.true(may(pages.history, PAGE + 1, PAGE + 1));

  const block = guest();
  block.clearBlock(BLOCK_PAGE);
  t.true(may(block.history, BLOCK_PAGE + 1, BLOCK_PAGE + 1));
  block.history.invalidatedAt(VMID, BLOCK_PAGE, block.history.now);
  t.false(may(block.history, BLOCK_PAGE + 1, BLOCK_PAGE + 1));
});

test('a reset brings back what was there at boot', (t) => {
  const { tables, history, set } = guest();
  set(PAGE, 0);
  history.invalidated(VMID, 0, 16, history.now);
  tables.fill();
  history.reset();
  t.true(may(history, PAGE, PAGE));
});

// ---- keys and tags ----

test('a key says which context it is for, and is never that of an unused MMU', (t) => {
  const context = fc.record({
    isOn: fc.boolean(),
    table: fc.nat(GUEST_TABLES - 1),
    vmid: fc.nat(0xffff),
  });
  fc.assert(
    fc.property(context, (one) => {
      t.deepEqual(contextOf(keyOf(one)), one);
      t.not(keyOf(one), 0);
    }),
  );
});

test('the tag of a leaf is its own bits', (t) => {
  for (const level of [1, 2, 3]) {
    const entry = leaf(0xffff, RIGHTS | tagOf(level));
    t.is(taggedLevel(entry), level);
    t.is(entry & ~SOFTWARE_MASK, leaf(0xffff, RIGHTS));
  }
});

// ---- the design first posted ----

test('seed 001: the second hardware VMID of a nested MMU is never used, that of the guest’s own MMU is', (t) => {
  const states = [true, false].flatMap((isEl2) =>
    [true, false].map((isOn) => activeMmu(isEl2, isOn)),
  );
  const of = (mmu: string): string[] =>
    states.filter((state) => state.mmu === mmu).map(({ number }) => number);
  t.deepEqual(of('nested'), ['el1']);
  t.deepEqual(
    of('own').sort((a, b) => (a < b ? -1 : 1)),
    ['el1', 'el2', 'el2'],
  );
});
