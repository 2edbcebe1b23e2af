import assert from 'node:assert';
import test from 'node:test';
import { fc, programs, run, schedules } from 'stagewright';
import { flat } from './table.ts';

test('no schedule of any small program breaks a promise', () => {
  fc.assert(
    fc.property(programs(flat), schedules(), (program, schedule) => {
      assert.equal(run(flat, program, { schedule }).violation, undefined);
    }),
    { numRuns: 500 },
  );
});

test('... and the mistake is still found', () => {
  const { failed } = fc.check(
    fc.property(programs(flat), schedules(), (program, schedule) => {
      return run(flat, program, { schedule, bug: 'opens-early' }).violation === undefined;
    }),
    { numRuns: 20_000 },
  );
  assert.ok(failed);
});
