import test from 'ava';
import { cacheMaintenance } from '../../oracles/cache-maintenance.ts';
import { Event } from '../../sim/event.ts';
import { passes, reports, Stage } from './stage.ts';

const PE = 1;

/** The hypervisor goes on at page 9. */
function goesOn(stage: Stage, isIdentity: boolean, fetched: number): void {
  stage.emit(Event.Fetch, 9, isIdentity ? 1 : 0, fetched, PE);
}

test('with translation and nothing stale the hypervisor goes on anywhere', (t) => {
  const stage = new Stage(cacheMaintenance);
  goesOn(stage, false, 0);
  passes(t, stage);
});

test('without translation it goes on where the address is the same', (t) => {
  const stage = new Stage(cacheMaintenance);
  stage.machine.pes[PE]!.mmu = false;
  goesOn(stage, true, 3);
  passes(t, stage);
  goesOn(stage, false, 0);
  reports(t, stage, 'regime-not-in-effect');
});

for (const [where, fetched] of [
  ['in the instruction cache', 1],
  ['ahead of execution', 2],
] as const) {
  test(`instructions of before are still ${where}`, (t) => {
    const stage = new Stage(cacheMaintenance);
    goesOn(stage, true, fetched);
    reports(t, stage, 'stale-instructions');
  });
}
