/** One physical memory: zeroing, reset, instances and growth of the backing store. */
import test from 'ava';
import fc from 'fast-check';
import { InternalError } from '../../sim/assert.ts';
import { Memory } from '../../sim/memory.ts';

const FRAMES = 32;

test('a word that nobody wrote is zero and has no instance', (t) => {
  const memory = new Memory(FRAMES, 3, 2);
  t.is(memory.load(memory.address(7, 5)), 0);
  t.is(memory.instance(memory.address(7, 5)), 0);
});

test('an address splits into the frame and the index that made it', (t) => {
  const memory = new Memory(FRAMES, 3, 2);
  for (let frame = 0; frame < FRAMES; frame += 1) {
    for (let index = 0; index < memory.wordsPerPage; index += 1) {
      const address = memory.address(frame, index);
      t.is(memory.frame(address), frame);
      t.is(memory.index(address), index);
    }
  }
});

test('the last frame of the largest machine has an address of its own', (t) => {
  const memory = new Memory(0x10000, 13, 1);
  const last = memory.address(0xffff, 8191);
  t.is(memory.frame(last), 0xffff);
  t.is(memory.index(last), 8191);
  memory.store(last, 5, 1);
  t.is(memory.load(last), 5);
  t.throws(() => new Memory(0x10001, 2, 1), { instanceOf: InternalError });
});

test('a store names the instance of its word and of no other', (t) => {
  const memory = new Memory(FRAMES, 2, 2);
  memory.store(memory.address(3, 1), 0x55, 17);
  t.is(memory.instance(memory.address(3, 1)), 17);
  t.is(memory.instance(memory.address(3, 0)), 0);
  t.is(memory.instance(memory.address(3, 2)), 0);
});

test('zeroing a page clears its words and instances and leaves the neighbours alone', (t) => {
  const memory = new Memory(FRAMES, 2, 4);
  for (const frame of [4, 5, 6]) {
    memory.store(memory.address(frame, 0), frame, frame);
    memory.store(memory.address(frame, 3), frame, frame);
  }
  memory.zero(5);
  for (const index of [0, 3]) {
    t.is(memory.load(memory.address(5, index)), 0);
    t.is(memory.instance(memory.address(5, index)), 0);
    t.is(memory.load(memory.address(4, index)), 4);
    t.is(memory.load(memory.address(6, index)), 6);
  }
});

test('a page without backing may be zeroed', (t) => {
  const memory = new Memory(FRAMES, 2, 1);
  memory.zero(9);
  t.is(memory.load(memory.address(9, 0)), 0);
});

test('words written after a zeroing are cleared by the next one', (t) => {
  const memory = new Memory(FRAMES, 4, 1);
  memory.store(memory.address(2, 9), 1, 1);
  memory.zero(2);
  memory.store(memory.address(2, 0), 2, 2);
  memory.store(memory.address(2, 15), 3, 3);
  memory.zero(2);
  for (let index = 0; index < 16; index += 1) t.is(memory.load(memory.address(2, index)), 0);
});

test('reset makes every word zero, also of pages backed after growth', (t) => {
  const memory = new Memory(FRAMES, 2, 1);
  for (let frame = 0; frame < FRAMES; frame += 1) memory.store(memory.address(frame, 2), 7, 8);
  memory.reset();
  for (let frame = 0; frame < FRAMES; frame += 1) {
    t.is(memory.load(memory.address(frame, 2)), 0);
    t.is(memory.instance(memory.address(frame, 2)), 0);
  }
});

test('memory behaves as a map from address to value and instance', (t) => {
  const frame = fc.nat(FRAMES - 1);
  const command = fc.oneof(
    { weight: 8, arbitrary: fc.tuple(fc.constant('store'), frame, fc.nat(7), fc.integer()) },
    { weight: 2, arbitrary: fc.tuple(fc.constant('zero'), frame, fc.constant(0), fc.constant(0)) },
    { weight: 1, arbitrary: fc.constant(['reset', 0, 0, 0] as const) },
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 80 }), (commands) => {
      const memory = new Memory(FRAMES, 3, 1);
      const naive = new Map<string, { value: number; instance: number }>();
      commands.forEach(([verb, page, index, value], step) => {
        if (verb === 'reset') {
          memory.reset();
          naive.clear();
        } else if (verb === 'zero') {
          memory.zero(page);
          for (let i = 0; i < 8; i += 1) naive.delete(`${page}.${i}`);
        } else {
          memory.store(memory.address(page, index), value, step + 1);
          naive.set(`${page}.${index}`, { value, instance: step + 1 });
        }
      });
      for (let page = 0; page < FRAMES; page += 1) {
        for (let index = 0; index < 8; index += 1) {
          const { value, instance } = naive.get(`${page}.${index}`) ?? { value: 0, instance: 0 };
          const address = memory.address(page, index);
          if (memory.load(address) !== value || memory.instance(address) !== instance) return false;
        }
      }
      return true;
    }),
    { numRuns: 150 },
  );
  t.pass();
});
