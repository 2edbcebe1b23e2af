import test from 'ava';
import { emulation } from '../../oracles/emulation.ts';
import { Claim } from '../../sim/claims.ts';
import { judgesAfresh, passes, reports, Stage, Who } from './stage.ts';

const PAGE = 13;

/** Memory lies at pages 12 to 15, or has lain there. */
function placed(isMemory = true): Stage {
  const stage = new Stage(emulation);
  stage.claim(Claim.MemoryPlaced, 12, 4, 1);
  if (!isMemory) stage.claim(Claim.MemoryPlaced, 12, 4, 0);
  return stage.as(Who.Vcpu0, 0);
}

function emulate(stage: Stage, page = PAGE): void {
  stage.claim(Claim.AccessEmulated, page);
}

test('an access is left to user space where memory lay since before it began', (t) => {
  const stage = placed();
  stage.begin();
  emulate(stage);
  reports(t, stage, 'memory-emulated');
  t.is(stage.scene.report.violation?.page, PAGE);
});

test('... and where none lies, never lay, or lies beside it', (t) => {
  const stage = placed(false);
  stage.begin();
  emulate(stage);
  passes(t, stage);
  const other = placed();
  other.begin();
  for (const page of [0, 11, 16]) emulate(other, page);
  passes(t, other);
});

test('memory that comes while the operation runs may still be missed by it, and by no later one', (t) => {
  const stage = placed(false);
  stage.begin();
  stage.as(Who.Host0, 1).claim(Claim.MemoryPlaced, 12, 4, 1);
  emulate(stage.as(Who.Vcpu0, 0));
  t.is(stage.rule, undefined);
  stage.as(Who.Vcpu0, 2).begin();
  emulate(stage);
  reports(t, stage, 'memory-emulated');
});

test('memory that goes while the operation runs may be missed', (t) => {
  const stage = placed();
  stage.begin();
  stage.as(Who.Host0, 1).claim(Claim.MemoryPlaced, 12, 4, 0);
  emulate(stage.as(Who.Vcpu0, 0));
  passes(t, stage);
});

test('each actor is judged by its own beginning', (t) => {
  const stage = placed(false);
  stage.as(Who.Vcpu0, 0).begin();
  stage.as(Who.Host0, 1).claim(Claim.MemoryPlaced, 12, 4, 1);
  stage.as(Who.Vcpu1, 2).begin();
  emulate(stage.as(Who.Vcpu0, 0));
  t.is(stage.rule, undefined);
  emulate(stage.as(Who.Vcpu1, 2));
  reports(t, stage, 'memory-emulated');
});

test('a run after a reset is judged afresh', (t) => {
  const stage = new Stage(emulation);
  judgesAfresh(t, stage, 'memory-emulated', () => {
    stage.claim(Claim.MemoryPlaced, 12, 4, 1);
    stage.as(Who.Vcpu0, 0).begin();
    emulate(stage);
  });
});
