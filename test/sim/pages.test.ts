/** Life cycle of physical pages: the free pool, runs, generations, giving back twice. */
import test from 'ava';
import fc from 'fast-check';
import { InternalError } from '../../sim/assert.ts';
import { Pages, Role } from '../../sim/pages.ts';

const COUNT = 24;
const KERNEL = 4;

function takeAll(pages: Pages): number[] {
  const taken: number[] = [];
  for (;;) {
    const frame = pages.take(Role.Data, true);
    if (frame < 0) return taken;
    taken.push(frame);
  }
}

test('the pool holds every frame except those of the kernel, lowest first', (t) => {
  const pages = new Pages(COUNT, KERNEL);
  t.is(pages.free, COUNT - KERNEL);
  t.deepEqual(
    takeAll(pages),
    Array.from({ length: COUNT - KERNEL }, (_, i) => KERNEL + i),
  );
  t.is(pages.free, 0);
  for (let frame = 0; frame < KERNEL; frame += 1) t.is(pages.role[frame], Role.Kernel);
});

test('a machine of kernel frames only is refused', (t) => {
  t.throws(() => new Pages(4, 4), { instanceOf: InternalError });
  t.throws(() => new Pages(4, 0), { instanceOf: InternalError });
});

test('the page freed last is taken first', (t) => {
  const pages = new Pages(COUNT, KERNEL);
  const [first, second, third] = takeAll(pages) as [number, number, number];
  pages.give(second);
  pages.give(first);
  pages.give(third);
  t.is(pages.take(Role.Table, true), third);
  t.is(pages.take(Role.Table, true), first);
  t.is(pages.take(Role.Table, true), second);
});

test('the oldest free page is taken when the newest is not wanted', (t) => {
  const pages = new Pages(COUNT, KERNEL);
  const [first, second, third] = takeAll(pages) as [number, number, number];
  pages.give(second);
  pages.give(first);
  pages.give(third);
  t.is(pages.take(Role.Table, false), second);
  t.is(pages.take(Role.Table, false), first);
  t.is(pages.take(Role.Table, false), third);
});

test('an empty pool gives no page', (t) => {
  const pages = new Pages(COUNT, KERNEL);
  takeAll(pages);
  t.is(pages.take(Role.Data, true), -1);
  t.is(pages.take(Role.Data, false), -1);
  t.is(pages.takeRun(Role.Table, 1), -1);
});

test('a run is adjacent, aligned to its length and free of holes', (t) => {
  for (const length of [1, 2, 4, 8]) {
    const pages = new Pages(COUNT, KERNEL);
    const first = pages.takeRun(Role.Table, length);
    t.is(first % length, 0);
    t.true(first >= KERNEL);
    for (let i = 0; i < length; i += 1) t.is(pages.role[first + i], Role.Table);
    t.is(pages.free, COUNT - KERNEL - length);
    t.false(takeAll(pages).some((frame) => frame >= first && frame < first + length));
  }
});

test('a run goes around pages that are in use', (t) => {
  const pages = new Pages(COUNT, KERNEL);
  const used = pages.take(Role.Data, true);
  t.is(used, KERNEL);
  t.is(pages.takeRun(Role.Table, 4), 8);
});

test('no run is found when each aligned place has a page in use', (t) => {
  const pages = new Pages(COUNT, KERNEL);
  for (const frame of takeAll(pages)) if (frame % 4 !== 1) pages.give(frame);
  t.is(pages.takeRun(Role.Table, 4), -1);
  t.not(pages.takeRun(Role.Table, 2), -1);
});

test('giving a page back twice is reported and changes nothing', (t) => {
  const pages = new Pages(COUNT, KERNEL);
  const frame = pages.take(Role.Table, true);
  t.true(pages.give(frame));
  const { free } = pages;
  const generation = pages.generation[frame];
  t.false(pages.give(frame));
  t.is(pages.free, free);
  t.is(pages.generation[frame], generation);
});

test('each return of a page begins a new generation', (t) => {
  const pages = new Pages(COUNT, KERNEL);
  const frame = pages.take(Role.Table, true);
  t.is(pages.generation[frame], 0);
  pages.give(frame);
  t.is(pages.generation[frame], 1);
  pages.take(Role.Data, true);
  t.is(pages.generation[frame], 1);
  pages.give(frame);
  t.is(pages.generation[frame], 2);
});

test('reset gives back every page in the first order and forgets generations', (t) => {
  const pages = new Pages(COUNT, KERNEL);
  const before = takeAll(pages);
  for (const frame of before) pages.give(frame);
  pages.reset();
  t.true(before.every((frame) => pages.isFree(frame) && pages.generation[frame] === 0));
  t.deepEqual(takeAll(pages), before);
});

test('no sequence of takes and gives hands one page out twice', (t) => {
  const command = fc.record({
    verb: fc.constantFrom('newest', 'oldest', 'run', 'give'),
    of: fc.nat(30),
  });
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const pages = new Pages(COUNT, KERNEL);
      const held: number[] = [];
      for (const { verb, of } of commands) {
        if (verb === 'give') {
          if (held.length > 0) pages.give(held.splice(of % held.length, 1)[0]!);
          continue;
        }
        const length = verb === 'run' ? 1 << (of % 3) : 1;
        const first =
          verb === 'run'
            ? pages.takeRun(Role.Table, length)
            : pages.take(Role.Data, verb === 'newest');
        if (first < 0) continue;
        for (let i = 0; i < length; i += 1) held.push(first + i);
      }
      const isDistinct = new Set(held).size === held.length;
      return (
        isDistinct &&
        held.every((frame) => frame >= KERNEL) &&
        pages.free === COUNT - KERNEL - held.length
      );
    }),
    { numRuns: 150 },
  );
  t.pass();
});
