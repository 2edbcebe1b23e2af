/** What a TLB lookup may use, against a naive twin, and when two leaves conflict (E5). */
import test from 'ava';
import fc from 'fast-check';
import {
  ACCESSED,
  DIRTY_MODIFIER,
  EXEC_USER,
  leaf,
  MemoryType,
  READ,
  WRITE,
} from '../../sim/descriptor.ts';
import { conflicts, TLB_CAPACITY, Tlb, TlbKind } from '../../sim/tlb.ts';
import { type ReferenceEntry, ReferenceTlb } from '../reference/tlb.ts';

const LEVEL_BITS = 3;

function add(tlb: Tlb, { kind, vmid, first, pages, level, word }: ReferenceEntry): void {
  const at = tlb.count;
  tlb.count = at + 1;
  tlb.kind[at] = kind;
  tlb.vmid[at] = vmid;
  tlb.first[at] = first;
  tlb.bits[at] = Math.log2(pages);
  tlb.level[at] = level;
  tlb.word[at] = word;
  // columns that no lookup reads still travel with their entry
  tlb.address[at] = word + 1;
  tlb.instance[at] = word + 2;
  tlb.generation[at] = word + 3;
  tlb.row[at] = word + 4;
}

const kind = fc.constantFrom(
  TlbKind.Combined,
  TlbKind.Leaf,
  TlbKind.Table,
  TlbKind.Leaf2,
  TlbKind.Table2,
);
const page = fc.nat(1023);
const vmid = fc.constantFrom(-1, 1, 2);

const entry: fc.Arbitrary<ReferenceEntry> = fc
  .record({ kind, vmid, page, level: fc.integer({ min: 0, max: 3 }), word: fc.nat(0xffff) })
  .map(({ page: near, ...rest }) => {
    const pages = 2 ** (LEVEL_BITS * (3 - rest.level));
    return { ...rest, pages, first: Math.floor(near / pages) * pages };
  });

function build(entries: readonly ReferenceEntry[]): { tlb: Tlb; naive: ReferenceTlb } {
  const tlb = new Tlb();
  const naive = new ReferenceTlb();
  for (const one of entries) {
    add(tlb, one);
    naive.add(one);
  }
  return { tlb, naive };
}

function allMatches(tlb: Tlb, wanted: TlbKind, tag: number, of: number): number[] {
  const found: number[] = [];
  for (let at = tlb.find(wanted, tag, of, 0); at >= 0; at = tlb.find(wanted, tag, of, at + 1)) {
    found.push(at);
  }
  return found;
}

test('a lookup finds the entries of the naive twin, oldest first', (t) => {
  const entries = fc.array(entry, { maxLength: TLB_CAPACITY });
  fc.assert(
    fc.property(entries, kind, vmid, page, (made, wanted, tag, of) => {
      const { tlb, naive } = build(made);
      t.deepEqual(allMatches(tlb, wanted, tag, of), naive.matches(wanted, tag, of));
    }),
    { numRuns: 400 },
  );
});

test('the walk starts at the deepest table of the naive twin', (t) => {
  const tables = entry.map((one) => ({ ...one, kind: TlbKind.Table }));
  fc.assert(
    fc.property(fc.array(tables, { maxLength: TLB_CAPACITY }), vmid, page, (made, tag, of) => {
      const { tlb, naive } = build(made);
      t.is(tlb.deepestTable(TlbKind.Table, tag, of), naive.deepest(TlbKind.Table, tag, of));
    }),
    { numRuns: 400 },
  );
});

test('removing an entry keeps the others whole and in order', (t) => {
  const entries = fc.array(entry, { minLength: 1, maxLength: TLB_CAPACITY });
  fc.assert(
    fc.property(entries, fc.array(fc.nat(99), { maxLength: 8 }), (made, removals) => {
      const { tlb, naive } = build(made);
      for (const removal of removals) {
        if (tlb.count === 0) break;
        const index = removal % tlb.count;
        tlb.remove(index);
        naive.remove(index);
      }
      t.is(tlb.count, naive.entries.length);
      naive.entries.forEach((one, i) => {
        t.deepEqual(
          [tlb.kind[i], tlb.vmid[i], tlb.first[i], 2 ** tlb.bits[i]!, tlb.level[i], tlb.word[i]],
          [one.kind, one.vmid, one.first, one.pages, one.level, one.word],
        );
        t.deepEqual(
          [tlb.address[i], tlb.instance[i], tlb.generation[i], tlb.row[i]],
          [one.word + 1, one.word + 2, one.word + 3, one.word + 4],
        );
      });
    }),
    { numRuns: 150 },
  );
});

test('an entry of another kind or VMID is never used', (t) => {
  const only = { kind: TlbKind.Leaf, vmid: 1, first: 0, pages: 8, level: 2, word: 5 };
  const { tlb } = build([only]);
  t.is(tlb.find(TlbKind.Leaf, 1, 7, 0), 0);
  t.is(tlb.find(TlbKind.Leaf, 1, 8, 0), -1);
  t.is(tlb.find(TlbKind.Leaf, 2, 7, 0), -1);
  t.is(tlb.find(TlbKind.Combined, 1, 7, 0), -1);
  t.is(tlb.deepestTable(TlbKind.Table, 1, 7), -1);
});

test('reset empties the TLB', (t) => {
  const { tlb } = build([{ kind: TlbKind.Leaf, vmid: 1, first: 0, pages: 1, level: 3, word: 5 }]);
  tlb.reset();
  t.is(tlb.count, 0);
  t.is(tlb.find(TlbKind.Leaf, 1, 0, 0), -1);
});

const WORD = leaf(64, READ | ACCESSED);

test('leaves that differ in size, output page or memory type conflict', (t) => {
  t.true(conflicts(WORD, 0, 0, WORD, 0, 2));
  t.true(conflicts(WORD, 0, 0, leaf(65, READ | ACCESSED), 0, 0));
  t.true(conflicts(WORD, 0, 2, WORD | MemoryType.Device, 0, 2));
});

test('leaves that differ only in rights, accessed, dirty or software bits do not conflict', (t) => {
  for (const bits of [WRITE, EXEC_USER, ACCESSED, DIRTY_MODIFIER, 1 << 12]) {
    t.false(conflicts(WORD, 0, 0, WORD ^ bits, 0, 0));
  }
  t.false(conflicts(WORD, 0, 2, WORD, 0, 2));
});

test('a conflict is one whichever leaf is named first', (t) => {
  const one = fc.record({ word: fc.integer(), bits: fc.constantFrom(0, 2, 4) });
  fc.assert(
    fc.property(one, one, (a, b) => {
      const forth = conflicts(a.word, 0, a.bits, b.word, 0, b.bits);
      return forth === conflicts(b.word, 0, b.bits, a.word, 0, a.bits);
    }),
    { numRuns: 300 },
  );
  t.pass();
});
