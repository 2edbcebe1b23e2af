/** The five verdicts of a replay, each on a case that was made for it. */
import test from 'ava';
import { readCase } from '../../campaign/corpus.ts';
import type { Case } from '../../fuzz/case.ts';
import { parseName } from '../../fuzz/names.ts';
import { parseConstraint } from '../../fuzz/order.ts';
import { type Replay, replayCase, Verdict } from '../../fuzz/replay.ts';
import { Sessions } from '../../fuzz/sessions.ts';

const A07 = readCase('corpus/kvm-arm64/A07-reference-taken-twice.yaml');
const A20 = readCase('corpus/kvm-arm64/A20-table-level-as-hint.yaml');

function replay(value: Case, withoutBug = false): Replay {
  return replayCase(new Sessions(), value, withoutBug);
}

function order(...texts: readonly string[]): Case['order'] {
  return texts.map((text) => {
    const read = parseConstraint(text);
    if (typeof read === 'string') throw new Error(read);
    return read;
  });
}

test('reproduced: the stored order leads to the violation, and the digest is the recorded one', (t) => {
  for (const value of [A07, A20]) {
    const { verdict, digestMatches, violation, run, reason } = replay(value);
    t.is(verdict, Verdict.Reproduced);
    t.true(digestMatches);
    t.is(violation!.oracle, value.expect!.oracle);
    t.is(run.digest, value.recorded!.digest);
    t.is(run.steps, value.recorded!.steps);
    t.is(reason, 'the stored order leads to the violation');
  }
});

test('reproduced, re-anchored: without the order the search finds the same violation again', (t) => {
  const { verdict, reason, violation } = replay({ ...A20, order: [], recorded: undefined });
  t.is(verdict, Verdict.Reproduced);
  t.regex(reason, /^re-anchored/);
  t.is(violation?.rule, A20.expect?.rule);
});

test('reproduced by its answers: the order is not enough, the recorded answers still fit', (t) => {
  const { verdict, reason, run } = replay({ ...A20, order: [] });
  t.is(verdict, Verdict.Reproduced);
  t.regex(reason, /^the recorded answers lead to the violation/);
  t.is(run.digest, A20.recorded!.digest);
});

test('other: another oracle, another rule or another site is expected', (t) => {
  const expect = A07.expect!;
  const at = parseName('vcpu1.w1/fault.unlock')!;
  for (const changed of [
    { ...expect, oracle: 'table-shape' },
    { ...expect, rule: 'too-low' },
    { ...expect, at: { ...at, site: 'fault.lock' } },
  ]) {
    const { verdict, reason } = replay({ ...A07, expect: changed });
    t.is(verdict, Verdict.Other);
    t.regex(reason, /reference-counts reports too-high at vcpu\d\.w1\/fault\.unlock/);
  }
});

test('other: a violation where none is expected', (t) => {
  const { verdict, reason } = replay({ ...A07, expect: undefined });
  t.is(verdict, Verdict.Other);
  t.regex(reason, /reference-counts reports too-high; the case expects none/);
});

test('the occurrence and the vCPU at which it is reported do not matter, its site does', (t) => {
  const at = { ...A07.expect!.at, occurrence: 9 };
  t.is(replay({ ...A07, expect: { ...A07.expect!, at } }).verdict, Verdict.Reproduced);
});

test('clean: no violation is expected and there is none', (t) => {
  const { verdict, violation, digestMatches } = replay({
    ...A07,
    bug: undefined,
    expect: undefined,
    recorded: undefined,
  });
  t.is(verdict, Verdict.Clean);
  t.is(violation, undefined);
  t.is(digestMatches, undefined);
});

test('fixed: without the bug every named event occurs and nothing is violated', (t) => {
  for (const value of [A07, A20]) {
    const { verdict, violation, digestMatches, reason, session } = replay(value, true);
    t.is(verdict, Verdict.Fixed);
    t.is(violation, undefined);
    t.is(digestMatches, undefined, 'the recording is of the run with the bug');
    t.deepEqual(session.bugs, []);
    t.true(reason.length > 20);
  }
});

test('fixed: the verdict names the order that the code excludes', (t) => {
  // both cannot hold the lock: whoever has it drops it first
  const impossible = 'vcpu1.w1/fault.unlock < vcpu1.w1/fault.lock';
  const { verdict, reason } = replay({ ...A07, order: order(impossible) }, true);
  t.is(verdict, Verdict.Fixed);
  t.is(reason, `the code now excludes ${impossible}`);
});

test('stale: the verdict names the event that never occurs', (t) => {
  for (const missing of [
    'vcpu0.w1/stage2-destroy.readLeaf',
    'vcpu0.w1/fault.lock#900',
    'vcpu0.w1/flush.invalidateStage2@pe7',
    'vcpu0.w7/fault.lock',
  ]) {
    const { verdict, reason } = replay(
      { ...A07, order: order(`${missing} < vcpu1.w1/fault.unlock`) },
      true,
    );
    t.is(verdict, Verdict.Stale, missing);
    t.is(reason, `${missing} never occurs in 2000 executions`);
  }
});

test('a recording that does not lead to its digest is noticed, the verdict stands', (t) => {
  const recorded = A07.recorded!;
  for (const changed of [
    { ...recorded, digest: '0000000000000000' },
    { ...recorded, answers: 'a0*1' },
    { ...recorded, answers: 'nonsense' },
    { ...recorded, answers: '' },
  ]) {
    const { verdict, digestMatches } = replay({ ...A07, recorded: changed });
    t.is(verdict, Verdict.Reproduced);
    t.false(digestMatches);
  }
});

test('a replay is the same every time, in old sessions and in new ones', (t) => {
  const sessions = new Sessions();
  const told = (value: Case, withoutBug: boolean, among: Sessions) => {
    const { verdict, reason, run } = replayCase(among, value, withoutBug);
    return { verdict, reason, digest: run.digest, answers: run.answers };
  };
  for (const value of [A07, { ...A20, order: [] }]) {
    for (const withoutBug of [false, true]) {
      const one = told(value, withoutBug, sessions);
      t.deepEqual(told(value, withoutBug, sessions), one);
      t.deepEqual(told(value, withoutBug, new Sessions()), one);
    }
  }
});
