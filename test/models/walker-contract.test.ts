/** The visitor contract of the stand-alone walker, and the block rule: questions of seed 000. */
import test from 'ava';
import fc from 'fast-check';
import { readCase } from '../../campaign/corpus.ts';
import { runPlan } from '../../fuzz/schedule.ts';
import { Sessions } from '../../fuzz/sessions.ts';
import { blockFits } from '../../models/kvm-arm64/geometry.ts';
import { TableWalk } from '../../models/kvm-arm64/walker.ts';
import { Event } from '../../sim/event.ts';
import { type Geometry, levelPages } from '../../sim/geometry.ts';
import type { Row } from '../../sim/trace.ts';

/** Rows of one operation of a corpus case, with site names. */
function rowsOf(file: string, key: string): (Row & { readonly name: string })[] {
  const value = readCase(file);
  const session = new Sessions().get(value.system, value.configuration, []);
  runPlan(session, value);
  const { trace, course } = session.machine;
  return Array.from({ length: trace.count }, (_, row) => trace.at(row))
    .filter(({ operation }) => course.keyOf[operation] === key)
    .map((row) => ({ ...row, name: session.directory.name(row.site) }));
}

const isWalkRead = ({ name, kind }: { name: string; kind: number }): boolean =>
  kind === Event.Read && (name === 'table-walk.readEntry' || name === 'table-walk.readAgain');

test('a table that a visitor turned into a block is not visited again', (t) => {
  const rows = rowsOf('corpus/kvm-arm64/question-table-becomes-block.yaml', 'w1');
  const broken = rows.findIndex(({ name }) => name === 'stage2-map.breakTable');
  const made = rows.findIndex(
    ({ name, kind }) => name === 'stage2-map.makeLeaf' && kind === Event.StoreVisible,
  );
  t.true(broken >= 0 && made > broken, 'the write coalesces the table');
  const word = rows[made]!.a;
  t.is(word, rows[broken]!.a);
  t.false(rows.slice(made).some((row) => isWalkRead(row) && row.a === word));
});

test('a leaf that a visitor turned into a table is descended into in the same walk', (t) => {
  const rows = rowsOf('corpus/kvm-arm64/question-leaf-becomes-table.yaml', 'w1');
  const made = rows.findIndex(
    ({ name, kind }) => name === 'stage2-map.makeTable' && kind === Event.StoreVisible,
  );
  t.true(made >= 0, 'the write splits the block');
  const again = rows.slice(made).find(isWalkRead);
  t.is(again?.name, 'table-walk.readAgain');
  t.is(again?.a, rows[made]!.a);
  const leaf = rows.slice(made).findIndex(({ name }) => name === 'stage2-map.makeLeaf');
  t.true(leaf > 0, 'and a page is mapped below it');
});

test('a block is mapped exactly where level, length and both alignments allow it', (t) => {
  const geometry: Geometry = {
    granuleBits: 12,
    bitsPerLevel: 9,
    startLevel: 0,
    rootPages: 1,
    blockLevels: [1, 2],
    windowPages: 512,
  };
  const pages = fc.nat(1 << 20);
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 3 }),
      pages,
      pages,
      pages,
      (level, from, length, frame) => {
        const walk = new TableWalk();
        const size = levelPages(geometry, level);
        walk.geometry = geometry;
        walk.level = level;
        // aligned values are rare by chance: half of the samples are made so
        walk.cursor = from % 2 === 0 ? from - (from % size) : from;
        const output = frame % 2 === 0 ? frame - (frame % size) : frame;
        walk.end = walk.cursor + length + 1;
        const isAligned = walk.cursor % size === 0 && output % size === 0;
        const expected =
          level === 3 ||
          ((level === 1 || level === 2) && isAligned && walk.end - walk.cursor >= size);
        t.is(blockFits(walk, output), expected);
      },
    ),
    { numRuns: 500, seed: 1 },
  );
});
