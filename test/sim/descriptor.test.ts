/** The machine's 32-bit descriptor: forms, rights, frames. */
import test from 'ava';
import fc from 'fast-check';
import {
  ACCESSED,
  advance,
  CONTIGUOUS,
  DIRTY_MODIFIER,
  describe,
  EXEC_PRIVILEGED,
  EXEC_USER,
  FRAME_MASK,
  frameOf,
  Intent,
  isLeaf,
  isTable,
  isValid,
  leaf,
  MemoryType,
  permits,
  READ,
  SOFTWARE_MASK,
  TABLE,
  TYPE_MASK,
  table,
  VALID,
  WRITE,
} from '../../sim/descriptor.ts';

const word = fc.integer();
const frame = fc.nat(0xffff);
/** Everything besides the valid bit, the table bit and the frame. */
const attributes = fc.nat(0xffff).map((bits) => bits & ~(VALID | TABLE));

const RUNS = { numRuns: 300 };

test('a word is invalid, a table or a leaf, and nothing else', (t) => {
  fc.assert(
    fc.property(
      word,
      (bits) => Number(!isValid(bits)) + Number(isTable(bits)) + Number(isLeaf(bits)) === 1,
    ),
    RUNS,
  );
  t.false(isValid(0));
  t.false(isValid(TABLE));
  t.true(isTable(VALID | TABLE));
  t.true(isLeaf(VALID));
});

test('a leaf gives back its frame and attributes', (t) => {
  fc.assert(
    fc.property(frame, attributes, (page, bits) => {
      const made = leaf(page, bits);
      return isLeaf(made) && frameOf(made) === page && (made & 0xffff) === (bits | VALID);
    }),
    RUNS,
  );
  t.is(frameOf(leaf(0xffff, 0)), 0xffff);
});

test('a table gives back its frame', (t) => {
  fc.assert(
    fc.property(frame, (page) => isTable(table(page)) && frameOf(table(page)) === page),
    RUNS,
  );
  t.is(frameOf(table(0x8000)), 0x8000);
});

test('advancing a leaf moves its frame and keeps every other bit', (t) => {
  fc.assert(
    fc.property(frame, attributes, fc.nat(0xffff), (page, bits, pages) => {
      const moved = advance(leaf(page, bits), pages);
      return frameOf(moved) === ((page + pages) & 0xffff) && (moved & 0xffff) === (bits | VALID);
    }),
    RUNS,
  );
  t.is(advance(leaf(0xfffe, READ), 1), leaf(0xffff, READ));
});

test('the fields of a descriptor do not overlap', (t) => {
  const fields = [
    VALID,
    TABLE,
    READ,
    WRITE,
    EXEC_PRIVILEGED,
    EXEC_USER,
    ACCESSED,
    DIRTY_MODIFIER,
    TYPE_MASK,
    CONTIGUOUS,
    SOFTWARE_MASK,
    FRAME_MASK,
  ];
  const union = fields.reduce((all, field) => all | field, 0);
  const sum = fields.reduce((all, field) => all + (field >>> 0), 0);
  t.is(union >>> 0, sum);
});

test('each intent needs its own right, and either execute right lets a fetch pass', (t) => {
  t.deepEqual(
    [READ, WRITE, EXEC_PRIVILEGED, EXEC_USER].map((right) =>
      [Intent.Read, Intent.Write, Intent.Execute].map((intent) => permits(leaf(1, right), intent)),
    ),
    [
      [true, false, false],
      [false, true, false],
      [false, false, true],
      [false, false, true],
    ],
  );
});

test('a reader of a description sees form, frame, rights, age, type and software bits', (t) => {
  t.is(describe(0), 'empty');
  t.is(describe(0x400), 'invalid(0x400)');
  t.is(describe(-2), 'invalid(0xfffffffe)');
  t.is(describe(table(9)), 'table page 9');
  t.is(describe(leaf(40_000, READ | WRITE | ACCESSED)), 'page 40000 rw- accessed');
  t.is(describe(leaf(3, READ | EXEC_USER | MemoryType.Device)), 'page 3 r-x old device');
  t.is(describe(leaf(3, MemoryType.NonCacheable | (5 << 12))), 'page 3 --- old nc sw5');
});
